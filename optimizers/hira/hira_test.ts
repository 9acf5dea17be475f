import { assertEquals, assertLess } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import {
  add,
  type Matrix,
  matrix,
  multiply,
  randomMatrix,
  subtract,
  zip,
} from "../../tests/reference/matrix.ts";
import { type AdamMoments, adamwStep } from "../../tests/reference/network.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { conditionedProblem, freshProblem, onQuadratics } from "../../tests/support/low_rank_problems.ts";
import { relativeError } from "../../tests/support/quadratic.ts";
import { lora } from "../lora.ts";
import type { OptimizerModule, Options } from "../optimizer.ts";
import { hira, type HiraOptions } from "./hira.ts";

const module = hira as unknown as OptimizerModule;

/** Element by element. */
function times(a: Matrix, b: Matrix): Matrix {
  return zip(a, b, (a, b) => a * b);
}

Deno.test("hira follows float64 at ranks 1, 3 and full, from B = 0 and not, with decay", async () => {
  for (const [rank, rows, columns] of [[1, 9, 30], [3, 20, 13], [6, 6, 6], [5, 5, 14]] as const) {
    const maps = [
      conditionedProblem(rows, columns, rank, rank),
      freshProblem(rows, columns, rank, rank + 20),
    ];
    for (const [i, map] of maps.entries()) {
      const { base, target } = map;
      await onQuadratics(module, { rank, weightDecay: 0.5 }, [{ base, target }], async (run, gpu) => {
        // Its factors are told by no pair, since B A is no change of W.
        const [a, b] = run.optimizer.trainable;
        gpu.write(a!.value, Float32Array.from(map.a.data));
        gpu.write(b!.value, Float32Array.from(map.b.data));
        let now = { a: map.a, b: map.b };
        let moments: { a?: AdamMoments; b?: AdamMoments } = {};
        const weightOf = ({ a, b }: typeof now) => add(map.base, times(map.base, multiply(b, a)));
        for (let step = 1; step <= 5; step++) {
          const g = times(subtract(weightOf(now), map.target), map.base);
          const gA = multiply(now.b, g, { transposeA: true }), gB = multiply(g, now.a, { transposeB: true });
          const [found] = await run.gradients();
          const wanted = times(map.base, add(multiply(now.b, gA), multiply(gB, now.a)));
          assertClose(found!.equivalent.data, wanted.data, { relative: 1e-5 }, `start ${i} step ${step}`);
          const how = { step, learningRate: 0.02, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.5 };
          const nextA = adamwStep(now.a, gA, moments.a, how), nextB = adamwStep(now.b, gB, moments.b, how);
          now = { a: nextA.parameter, b: nextB.parameter };
          moments = { a: nextA.moments, b: nextB.moments };
          await run.step(step, 0.02);
          const { weight } = await run.readOne();
          assertLess(relativeError(weight, weightOf(now)), 1e-5, `rank ${rank} start ${i} step ${step}`);
        }
      });
    }
  }
});

Deno.test("hira of a weight of ones is LoRA at s = 1, and zeros of a weight stay", async () => {
  const random = createRandom(3), ones = matrix(8, 11, new Float64Array(88).fill(1));
  const target = randomMatrix(8, 11, random.fork("target"));
  const trained = (method: OptimizerModule, options: Options, base: Matrix) =>
    onQuadratics(method, { rank: 3, ...options }, [{ base, target }], async (run) => {
      for (let step = 1; step <= 5; step++) await run.step(step, 0.05);
      return (await run.readOne()).weight;
    });
  const wanted = await trained(lora as unknown as OptimizerModule, { alpha: 3 }, ones);
  assertLess(relativeError(await trained(module, {}, ones), wanted), 1e-6);
  const holes = zip(ones, target, (one, value) => value > 0 ? one : 0);
  const found = await trained(module, {}, holes);
  assertEquals(found.data.map((value, i) => holes.data[i] === 0 ? value : 0), new Float64Array(88));
});

Deno.test("hira refuses ranks beyond a target module and settings that AdamW refuses", () => {
  const refusal = (options: Partial<HiraOptions>) =>
    hira.validate({ ...hira.defaults, ...options }, [{ name: "narrow", in: 6, out: 40 }], 100);
  assertEquals(refusal({ rank: 6 }), null);
  assertEquals(refusal({ rank: 7 }), 'rank is 7, at most 6 is possible at target module "narrow" [40, 6]');
  assertEquals(refusal({ rank: 2, epsilon: 0 }), "epsilon is 0, a positive number is needed");
  assertEquals(hira.describe(hira.defaults), "W ∘ (1 + B A)");
});
