import { assert, assertEquals, assertLess } from "@std/assert";
import { inFolder } from "../../tests/support/in_folder.ts";
import { findings, prepareRun, session } from "../../tests/support/interrupted_runs.ts";
import { freshProblem, onQuadratics, scaledOptions } from "../../tests/support/low_rank_problems.ts";
import { relativeError } from "../../tests/support/quadratic.ts";
import { singularValuesOnHost } from "../../numerics/svd.ts";
import { type AdamMoments, adamwStep } from "../../tests/reference/network.ts";
import {
  add,
  type Matrix,
  multiply,
  scale as times,
  subtract,
  transpose,
} from "../../tests/reference/matrix.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { runSession } from "../../training/loop/session.ts";
import { lora } from "../lora.ts";
import type { OptimizerModule, Options } from "../optimizer.ts";
import { relora, type ReloraOptions } from "./relora.ts";

const module = relora as unknown as OptimizerModule, test = testNeeding(FILES);

Deno.test("relora follows float64 through merges at ranks 1, 3 and full, with decay, from the A that it draws", async () => {
  const cases = [[9, 14, 1, 2, 2, 2, 0], [14, 9, 3, 0.5, 3, 0, 0.5], [9, 9, 9, 1, 2, 1, 0]] as const;
  for (const [rows, columns, rank, scale, mergeEvery, warmupAgain, weightDecay] of cases) {
    const { base, target } = freshProblem(rows, columns, rank, 31),
      label = `${rows} x ${columns}, rank ${rank}`;
    const options = scaledOptions(rank, scale, { mergeEvery, warmupAgain, weightDecay });
    await onQuadratics(module, options, [{ base, target }], async (run) => {
      const drawn: Matrix[] = [];
      let { a, b, base: frozen } = await run.readOne();
      let ofA: AdamMoments | undefined, ofB: AdamMoments | undefined;
      const weight = () => add(frozen, multiply(b, a), scale);
      for (let step = 1; step <= 7; step++) {
        const since = (step - 1) % mergeEvery + 1;
        const warm = step > mergeEvery && since < warmupAgain ? since / warmupAgain : 1;
        const how = { learningRate: 0.02 * warm, epsilon: 1e-8, weightDecay };
        const gradient = subtract(weight(), target);
        const gradientA = times(multiply(transpose(b), gradient), scale);
        const gradientB = times(multiply(gradient, transpose(a)), scale);
        ({ parameter: a, moments: ofA } = adamwStep(a, gradientA, ofA, how));
        ({ parameter: b, moments: ofB } = adamwStep(b, gradientB, ofB, how));
        const wanted = weight();
        await run.step(step, 0.02);
        const found = await run.readOne();
        assertLess(relativeError(found.weight, wanted), 1e-5, `step ${step} of ${label}`);
        if (step % mergeEvery !== 0) continue;
        // All of it is in the weight, and B is 0; A is another one each time.
        assertLess(relativeError(found.base, wanted), 1e-5, `merged after step ${step} of ${label}`);
        assert(found.b.data.every((value) => value === 0), `B after step ${step} of ${label}`);
        for (const earlier of [a, ...drawn]) {
          assert(relativeError(found.a, earlier) > 0.1, `A after step ${step} of ${label}`);
        }
        assert(found.a.data.every((value) => Math.abs(value) <= columns ** -0.5), label);
        [frozen, a, b, ofA, ofB] = [wanted, found.a, found.b, undefined, undefined];
        drawn.push(a);
      }
    });
  }
});

Deno.test("relora's change has as many ranks as merges give it, and is not merged after the last step", async () => {
  const { base, target } = freshProblem(12, 10, 2, 5);
  await onQuadratics(module, { rank: 2, mergeEvery: 4, warmupAgain: 0 }, [{ base, target }], async (run) => {
    for (let step = 1; step <= 12; step++) {
      await run.step(step, 0.05);
      const values = singularValuesOnHost(subtract((await run.readOne()).weight, base));
      const ranks = values.filter((value) => value > 1e-4 * values[0]!).length;
      // The next two begin with the step after a merge, where B leaves 0.
      assertEquals(ranks, 2 * Math.ceil(step / 4), `step ${step}`);
    }
  });
  await onQuadratics(module, { rank: 2, mergeEvery: 50 }, [{ base, target }], async (run) => {
    for (const step of [50, 100]) {
      await run.step(step, 0.05);
      // Of 100 steps.
      assertEquals((await run.readOne()).b.data.every((value) => value === 0), step === 50, `${step}`);
    }
  });
});

Deno.test("relora without merges is lora, bit for bit, and may keep weights in low precision", async () => {
  const { base, target } = freshProblem(9, 14, 3, 8);
  const followed = (module: unknown, options: Options) =>
    onQuadratics(module as OptimizerModule, { rank: 3, ...options }, [{ base, target }], async (run) => {
      for (let step = 1; step <= 4; step++) await run.step(step, 0.05);
      return run.readOne();
    });
  assertEquals(await followed(relora, { mergeEvery: 0 }), await followed(lora, {}));
  const model = { targetModules: [], parameters: [], head: [] };
  for (const mergeEvery of [0, 50]) {
    const { trainsWeights } = relora.footprint({ ...relora.defaults, mergeEvery }, model);
    assertEquals(trainsWeights, mergeEvery > 0);
  }
});

test("relora goes on with equal bits where it is interrupted before, at and after merges", async () => {
  const gpu = await testGpu();
  const run = await prepareRun(module, {
    optimizer: { id: "relora", options: { rank: 2, mergeEvery: 3, warmupAgain: 2 } },
  });
  const wanted = findings(await runSession(gpu, run.config, run.parts, {}));
  await inFolder(async (folder) => {
    for (const last of [2, 3, 4, 9]) assertEquals(await session(gpu, run, { folder, last }), null);
    assertEquals(findings((await session(gpu, run, { folder }))!), wanted);
  });
});

Deno.test("relora refuses settings that it has not, and counts a merge's work among its steps", () => {
  const refusal = (options: Partial<ReloraOptions>) =>
    relora.validate({ ...relora.defaults, ...options }, [{ name: "narrow", in: 6, out: 40 }], 100);
  assertEquals(refusal({ rank: 6 }), null);
  assertEquals(
    refusal({ mergeEvery: 0 }),
    'rank is 8, at most 6 is possible at target module "narrow" [40, 6]',
  );
  assertEquals(refusal({ mergeEvery: 1.5 }), "mergeEvery is 1.5, a whole number of 0 or more is needed");
  assertEquals(refusal({ warmupAgain: -1 }), "warmupAgain is -1, a whole number of 0 or more is needed");
  assertEquals(refusal({ mergeEvery: 4 }), "warmupAgain is 5, at most mergeEvery, 4, is needed");
  assertEquals(relora.describe({ ...relora.defaults, mergeEvery: 0 }), "alpha/r, never merged");
  assertEquals(
    relora.describe({ ...relora.defaults, mergeEvery: 20, warmupAgain: 0 }),
    "alpha/r, merged every 20, warm-up again 0",
  );
  const map = { name: "map", in: 6, out: 40, rows: 1, inputGradient: true };
  const flops = (mergeEvery: number) =>
    relora.stepWork({ ...relora.defaults, rank: 2, mergeEvery }, {
      targetModules: [map],
      others: [],
      parameters: 240,
      parts: 1,
    }).updateFlops;
  assertEquals(flops(10) - flops(0), 2 * 2 * 6 * 40 / 10);
});
