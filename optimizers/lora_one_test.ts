import { assert, assertEquals } from "@std/assert";
import type { Gpu } from "../gpu/gpu.ts";
import { createRandom } from "../numerics/random.ts";
import { assertClose } from "../tests/support/assert_close.ts";
import { attachToQuadratics, type Quadratic, type QuadraticRun } from "../tests/support/quadratic.ts";
import { signedSvd } from "../tests/reference/lora_ga.ts";
import {
  add,
  type Matrix,
  multiply,
  norm,
  randomMatrix,
  roundToFloat32,
  scale as times,
  sliceColumns,
  subtract,
  withSingularValues,
} from "../tests/reference/matrix.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { checksOfMethod, usual } from "../contract/methods.ts";
import { conditionedProblem, onQuadratics } from "../tests/support/low_rank_problems.ts";
import { shipped } from "../training/shipped.ts";
import { loraOne } from "./lora_one.ts";
import type { OptimizerModule, Options } from "./optimizer.ts";
import { scaledAdamw } from "./scaled_adamw.ts";

/** A map whose gradient has these singular values. */
function problem(rows: number, columns: number, values: readonly number[], seed: number): Quadratic {
  const random = createRandom(seed);
  const base = randomMatrix(rows, columns, random.fork("base"));
  const change = withSingularValues(rows, columns, values, random.fork("gradient"));
  return { base, target: roundToFloat32(subtract(base, change)) };
}

const apart = (count: number) => Array.from({ length: count }, (_, i) => 3 * 0.7 ** i);
const SIZES = [[12, 10], [9, 30], [40, 8]] as const;
const MAPS = SIZES.map(([rows, columns], i) => problem(rows, columns, apart(Math.min(rows, columns)), i + 1));

async function attached<T>(
  options: Options,
  problems: readonly Quadratic[],
  body: (run: QuadraticRun, gpu: Gpu) => Promise<T>,
): Promise<T> {
  const gpu = await testGpu();
  using _ = gpu.scope("LoRA-One");
  return await body(
    await attachToQuadratics(gpu, loraOne as unknown as OptimizerModule, options, problems),
    gpu,
  );
}

/** The best approximation of rank `rank`, and the largest singular value. */
function truncated(m: Matrix, rank: number): { readonly best: Matrix; readonly largest: number } {
  const { u, values, v } = signedSvd(m), left = sliceColumns(u, 0, rank);
  const stretched = { ...left, data: left.data.map((value, i) => value * values[i % rank]!) };
  return {
    best: multiply(stretched, sliceColumns(v, 0, rank), { transposeB: true }),
    largest: values[0]!,
  };
}

Deno.test("loraOne starts with one step down the best approximation of G of rank r, of length s c²", async () => {
  for (const rank of [1, 3, 8]) {
    for (
      const [scaling, scale] of [["alpha/r", 16 / rank], ["alpha/sqrt(r)", 16 / Math.sqrt(rank)]] as const
    ) {
      for (const [startScale, gamma] of [["paper", 64], ["paper", 4], ["stable", 64]] as const) {
        await attached({ rank, scaling, startScale, gamma }, MAPS, async (run) => {
          (await run.read()).forEach(({ base, weight }, i) => {
            const start = MAPS[i]!,
              label = `map ${i}, rank ${rank}, ${scaling}, ${startScale}, gamma ${gamma}`;
            const { best, largest } = truncated(subtract(start.base, start.target), rank);
            const c = (startScale === "stable" ? start.base.rows ** 0.25 / 4 : 1) / Math.sqrt(gamma);
            assertEquals(base.data, start.base.data, `W ${label}`);
            // Read off weights of size 1 after one f32 product.
            assertClose(
              weight.data,
              add(start.base, times(best, -scale * c * c / largest)).data,
              { relative: 2e-6 },
              label,
            );
          });
        });
      }
    }
  }
});

Deno.test("loraOne splits each singular value evenly: A Aᵀ = BᵀB = c² diag(S / S₀), signed by the right vectors", async () => {
  const rank = 4;
  await attached({ rank }, MAPS, async (run) => {
    (await run.read()).forEach(({ a, b }, i) => {
      const { values } = signedSvd(subtract(MAPS[i]!.base, MAPS[i]!.target));
      const wanted = Float64Array.from(
        { length: rank * rank },
        (_, k) => k % (rank + 1) === 0 ? values[k / (rank + 1)]! / values[0]! / 64 : 0,
      );
      assertClose(multiply(a, a, { transposeB: true }).data, wanted, { relative: 1e-5 }, `A of map ${i}`);
      assertClose(multiply(b, b, { transposeA: true }).data, wanted, { relative: 1e-5 }, `B of map ${i}`);
      for (let row = 0; row < rank; row++) {
        const vector = a.data.subarray(row * a.columns, (row + 1) * a.columns);
        assert(vector.reduce((most, x) => Math.abs(x) > Math.abs(most) ? x : most, 0) > 0, `row ${row}`);
      }
    });
  });
});

Deno.test("loraOne lowers the loss by its start and by the steps after it", async () => {
  await attached({ rank: 3 }, MAPS, async (run) => {
    const errors = async () =>
      (await run.read()).map(({ weight }, i) => norm(subtract(weight, MAPS[i]!.target)));
    const before = MAPS.map(({ base, target }) => norm(subtract(base, target)));
    const started = await errors();
    for (let step = 1; step <= 20; step++) await run.step(step, 0.01);
    (await errors()).forEach((error, i) => {
      assert(started[i]! < before[i]!, `map ${i}: ${before[i]} became ${started[i]}`);
      assert(error < started[i]!, `map ${i}: ${started[i]} became ${error}`);
    });
  });
});

Deno.test("loraOne starts finite from gradients of rank 1 and 0, and leaves a map without gradient as it is", async () => {
  const flat = problem(12, 10, [2, ...Array<number>(9).fill(0)], 41), still = { ...flat, target: flat.base };
  await attached({ rank: 3 }, [flat, still], async (run) => {
    for (let step = 1; step <= 3; step++) await run.step(step, 0.01);
    const [first, second] = await run.read();
    assert([...first!.a.data, ...first!.b.data, ...first!.weight.data].every(Number.isFinite));
    assertEquals(new Set([...second!.a.data, ...second!.b.data].map(Math.abs)), new Set([0]));
    assertEquals(second!.weight.data, flat.base.data);
  });
});

Deno.test("loraOne with preconditioned steps is scaled AdamW, B by the A that has just moved, from the same factors bit by bit", async () => {
  const settings = { scaling: "alpha/sqrt(r)", damping: 1e-6, weightDecay: 0.5 };
  for (const [rank, rows, columns] of [[1, 9, 14], [3, 14, 9], [6, 6, 6]] as const) {
    const map = conditionedProblem(rows, columns, rank, rank);
    const trained = (module: OptimizerModule, options: Options) =>
      onQuadratics(module, { rank, ...settings, ...options }, [map], async (run) => {
        for (let step = 1; step <= 5; step++) await run.step(step, 0.02);
        return await run.readOne();
      });
    const found = await trained(loraOne as unknown as OptimizerModule, { preconditioned: true });
    const wanted = await trained(scaledAdamw as unknown as OptimizerModule, { order: "sequential" });
    assertEquals(found, wanted);
  }
});

const preconditioned = { ...loraOne, defaults: { ...loraOne.defaults, preconditioned: true } };
for (
  const { promise, hold } of checksOfMethod({
    ...{ ...usual, module: preconditioned as unknown as OptimizerModule },
  }, shipped)
) {
  if (!promise.includes("footprint")) continue;
  Deno.test(`loraOne with preconditioned steps: ${promise}`, async () => await hold(await testGpu()));
}

Deno.test("loraOne takes ranks up to the smaller side, refuses what is out of range and names what differs", () => {
  const targetModules = [{ name: "narrow", in: 9, out: 40 }];
  const refusal = (options: Options) =>
    loraOne.validate({ ...loraOne.defaults, rank: 4, ...options }, targetModules, 100);
  assertEquals(refusal({ rank: 9 }), null);
  assertEquals(refusal({ rank: 10 }), 'rank is 10, at most 9 is possible at target module "narrow" [40, 9]');
  assertEquals(refusal({ startScale: "gd" }), 'startScale is "gd", known are paper, stable');
  assertEquals(refusal({ gamma: Infinity }), "gamma is Infinity, a positive number is needed");
  assertEquals(
    refusal({ gradientBatches: 0 }),
    "gradientBatches is 0, a whole number of 1 or more is needed",
  );
  assertEquals(
    refusal({ damping: 0.1 }),
    "damping is 0.1, which only preconditioned steps take: preconditioned true is needed",
  );
  assertEquals(refusal({ damping: 0.1, preconditioned: true }), null);
  const describe = (options: Options) => loraOne.describe({ ...loraOne.defaults, ...options });
  assertEquals(describe({}), "alpha/sqrt(r)");
  assertEquals(
    describe({ scaling: "alpha/r", startScale: "stable", gamma: 16 }),
    "alpha/r, scale stable, gamma 16",
  );
});
