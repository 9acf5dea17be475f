import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import type { Gpu } from "../gpu/gpu.ts";
import { createRandom } from "../numerics/random.ts";
import { assertClose } from "../tests/support/assert_close.ts";
import {
  attachToQuadratics,
  effectiveWeight,
  type Quadratic,
  type QuadraticRun,
} from "../tests/support/quadratic.ts";
import { loraGaStart, signedSvd } from "../tests/reference/lora_ga.ts";
import { factorGradients, loraProStep, projectGradient } from "../tests/reference/low_rank.ts";
import {
  norm,
  randomMatrix,
  roundToFloat32,
  subtract,
  withSingularValues,
} from "../tests/reference/matrix.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { loraGaPro } from "./lora_ga_pro.ts";
import { loraPro } from "./lora_pro/lora_pro.ts";
import type { OptimizerModule, Options } from "./optimizer.ts";

/** A map whose gradient has well separated singular values. */
function problem(rows: number, columns: number, seed: number): Quadratic {
  const random = createRandom(seed);
  const values = Array.from({ length: Math.min(rows, columns) }, (_, i) => 0.7 ** i);
  const base = randomMatrix(rows, columns, random.fork("base"));
  const change = withSingularValues(rows, columns, values, random.fork("gradient"));
  return { base, target: roundToFloat32(subtract(base, change)) };
}

async function attached<T>(
  module: unknown,
  options: Options,
  problems: readonly Quadratic[],
  body: (run: QuadraticRun, gpu: Gpu) => Promise<T>,
): Promise<T> {
  const gpu = await testGpu();
  using _ = gpu.scope("LoRA-GA with LoRA-Pro");
  return await body(await attachToQuadratics(gpu, module as OptimizerModule, options, problems), gpu);
}

Deno.test("loraGaPro follows float64 for five steps from LoRA-GA's start, in all modes, at ranks 1 and 3", async () => {
  for (const [rank, rows, columns] of [[1, 9, 30], [3, 20, 12]] as const) {
    const map = problem(rows, columns, rank), scale = 16 / Math.sqrt(rank);
    for (const mode of ["full", "efficient", "sgd"] as const) {
      const learningRate = mode === "sgd" ? 0.1 : 0.01;
      await attached(loraGaPro, { rank, mode, relativeDamping: 0 }, [map], async (run) => {
        const start = loraGaStart(subtract(map.base, map.target), map.base, { rank, scale, gamma: 16 });
        let state: Parameters<typeof loraProStep>[0] = { a: start.a, b: start.b, scale };
        for (let step = 1; step <= 5; step++) {
          const gradient = subtract(effectiveWeight(start.weight, state.a, state.b, scale), map.target);
          const options = { mode, gauge: "sylvester", damping: { relative: 0 }, learningRate } as const;
          state = loraProStep(state, factorGradients(gradient, state), options);
          await run.step(step, learningRate);
          const { a, b } = await run.readOne();
          const label = `${mode}, rank ${rank}, step ${step}`;
          // W - s B A is rounded to f32, which the gradient W - target of size 1 sees as 1e-6.
          assertClose(a.data, state.a.data, { relative: 5e-5 }, `A ${label}`);
          assertClose(b.data, state.b.data, { relative: 5e-5 }, `B ${label}`);
        }
      });
    }
  }
});

Deno.test("loraGaPro's first equivalent gradient is the projection of G, which loses its singular values beyond 2r", async () => {
  const maps = [problem(12, 10, 21), problem(9, 30, 22)], rank = 2;
  for (const direction of ["ArB2r", "A2rBr", "ArBr", "random"]) {
    await attached(loraGaPro, { rank, direction }, maps, async (run) => {
      const factors = await run.read();
      (await run.gradients()).forEach(({ equivalent, full }, i) => {
        const { a, b } = factors[i]!, { values } = signedSvd(full);
        // The default damping of 1e-6 of a Gram matrix's mean diagonal.
        assertClose(equivalent.data, projectGradient(full, a, b).data, { relative: 1e-5 }, direction);
        assertClose([norm(subtract(full, equivalent))], [Math.hypot(...values.slice(2 * rank))], {
          relative: 1e-4,
        });
      });
    });
  }
});

Deno.test("loraGaPro moves A evenly from the first step on, where LoRA-Pro jumps at its second", async () => {
  const map = problem(40, 30, 31), rank = 3, learningRate = 1e-3;
  const shares = (module: unknown) =>
    attached(module, { rank, alpha: 4, scaling: "alpha/sqrt(r)" }, [map], async (run) => {
      const found: number[] = [];
      for (let step = 1; step <= 4; step++) {
        const { a: before } = await run.readOne();
        await run.step(step, learningRate);
        const { a } = await run.readOne();
        found.push(norm(subtract(a, before)) / norm(before));
      }
      return found;
    });
  const even = await shares(loraGaPro), jumping = await shares(loraPro);
  even.forEach((share) => assert(share > 0 && share < 0.05, `${even}`));
  assertEquals(jumping[0], 0);
  assertGreater(jumping[1]!, 0.2);
  assertLess(Math.max(...even), 3 * Math.min(...even));
});

Deno.test("loraGaPro has both methods' options, refuses what either refuses and names what differs", () => {
  const targetModules = [{ name: "narrow", in: 9, out: 40 }];
  const refusal = (options: Options) =>
    loraGaPro.validate({ ...loraGaPro.defaults, rank: 4, ...options }, targetModules, 100);
  assertEquals(refusal({}), null);
  assertEquals(refusal({ rank: 5 }), 'rank is 5, at most 4 is possible at target module "narrow" [40, 9]');
  assertEquals(refusal({ gauge: "x" }), 'gauge is "x", known are sylvester, zero, symmetric');
  assertEquals(refusal({ startScale: "x" }), 'startScale is "x", known are stable, gd, unit, weightS');
  const describe = (options: Options) => loraGaPro.describe({ ...loraGaPro.defaults, ...options });
  assertEquals(describe({}), "alpha/sqrt(r), full");
  assertEquals(
    describe({ mode: "efficient", gauge: "zero", startScale: "unit" }),
    "alpha/sqrt(r), efficient, X zero, scale unit",
  );
});
