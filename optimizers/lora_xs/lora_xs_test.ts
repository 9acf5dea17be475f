import { assertEquals, assertLess } from "@std/assert";
import { svd } from "../../tests/reference/decompositions.ts";
import {
  add,
  type Matrix,
  multiply,
  scale as times,
  sliceColumns,
  subtract,
  transpose,
  zeros,
  zip,
} from "../../tests/reference/matrix.ts";
import { type AdamMoments, adamwStep } from "../../tests/reference/network.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { freshProblem, onQuadratics, scaledOptions } from "../../tests/support/low_rank_problems.ts";
import { relativeError } from "../../tests/support/quadratic.ts";
import type { OptimizerModule } from "../optimizer.ts";
import { loraXs, type LoraXsOptions } from "./lora_xs.ts";

const module = loraXs as unknown as OptimizerModule;

/** A = S_r V_rᵀ and B = U_r of a weight. */
function directionsOf(weight: Matrix, rank: number): { a: Matrix; b: Matrix } {
  const { u, values, v } = svd(weight), rows = transpose(sliceColumns(v, 0, rank));
  const lengths = { ...rows, data: rows.data.map((_, i) => values[Math.floor(i / rows.columns)]!) };
  return { a: zip(rows, lengths, (value, length) => value * length), b: sliceColumns(u, 0, rank) };
}

Deno.test("lora-xs follows float64 at ranks 1, 3 and full, with decay and the randomized SVD", async () => {
  const cases = [
    [9, 14, 1, 2, { svd: "randomized" }],
    [14, 9, 3, 0.5, { weightDecay: 0.5 }],
    [9, 9, 9, 1, {}],
  ] as const;
  for (const [rows, columns, rank, scale, options] of cases) {
    const { base, target } = freshProblem(rows, columns, rank, 31), learningRate = 0.02;
    const { a, b } = directionsOf(base, rank), how = { weightDecay: 0, ...options };
    let r: Matrix = zeros(rank, rank), moments: AdamMoments | undefined;
    const label = `${rows} x ${columns}, rank ${rank}`;
    await onQuadratics(module, scaledOptions(rank, scale, options), [{ base, target }], async (run) => {
      assertEquals(run.optimizer.trainable.map(({ name }) => name), ["map 0.R"], label);
      assertEquals(
        run.optimizer.state.map(({ name }) => name),
        ["map 0.A", "map 0.B", "map 0.R.m", "map 0.R.v"],
        label,
      );
      const weight = () => add(base, multiply(multiply(b, r), a), scale);
      assertClose((await run.readOne()).weight.data, base.data, { relative: 1e-6 }, `start of ${label}`);
      for (let step = 1; step <= 5; step++) {
        const gradient = subtract(weight(), target);
        const ofR = times(multiply(multiply(transpose(b), gradient), transpose(a)), scale);
        const [found] = await run.gradients();
        const equivalent = times(multiply(multiply(b, ofR), a), scale);
        assertLess(relativeError(found!.equivalent, equivalent), 1e-5, `g̃ of ${label}`);
        ({ parameter: r, moments } = adamwStep(r, ofR, moments, { learningRate, epsilon: 1e-8, ...how }));
        await run.step(step, learningRate);
        const { weight: taken } = await run.readOne();
        assertLess(relativeError(taken, weight()), 1e-5, `step ${step} of ${label}`);
      }
    });
  }
});

Deno.test("lora-xs refuses ranks beyond a target module and settings of the SVD that there are not", () => {
  const refusal = (options: Partial<LoraXsOptions>) =>
    loraXs.validate({ ...loraXs.defaults, ...options }, [{ name: "narrow", in: 6, out: 40 }], 100);
  assertEquals(refusal({ rank: 6 }), null);
  assertEquals(refusal({ rank: 7 }), 'rank is 7, at most 6 is possible at target module "narrow" [40, 6]');
  assertEquals(refusal({ rank: 2, svd: "quick" }), 'svd is "quick", known are exact, randomized');
  assertEquals(
    loraXs.describe({ ...loraXs.defaults, svd: "randomized" }),
    "alpha/r, randomized SVD, 16 iterations",
  );
});
