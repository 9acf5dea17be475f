import { assertEquals, assertLess } from "@std/assert";
import { svd } from "../../tests/reference/decompositions.ts";
import {
  add,
  type Matrix,
  multiply,
  sliceColumns,
  subtract,
  transpose,
  zeros,
  zip,
} from "../../tests/reference/matrix.ts";
import { type AdamMoments, adamwStep } from "../../tests/reference/network.ts";
import { freshProblem, onQuadratics } from "../../tests/support/low_rank_problems.ts";
import { relativeError } from "../../tests/support/quadratic.ts";
import type { OptimizerModule } from "../optimizer.ts";
import { loraSb, type LoraSbOptions } from "./lora_sb.ts";

const module = loraSb as unknown as OptimizerModule;

Deno.test("lora-sb follows float64 at ranks 1, 3 and full, from the best part of a step along the signs", async () => {
  for (
    const [rows, columns, rank, startRate, weightDecay] of [
      [9, 14, 1, 0.1, 0],
      [14, 9, 3, 0.02, 0.5],
      [9, 9, 9, 1e-4, 0],
    ] as const
  ) {
    const { base, target } = freshProblem(rows, columns, rank, 31), learningRate = 0.02;
    const signs = zip(base, target, (w, t) => -startRate * Math.sign(w - t));
    const { u, values, v } = svd(signs),
      b = sliceColumns(u, 0, rank),
      a = transpose(sliceColumns(v, 0, rank));
    let r: Matrix = zeros(rank, rank), moments: AdamMoments | undefined;
    for (let k = 0; k < rank; k++) r.data[k * rank + k] = values[k]!;
    const label = `${rows} x ${columns}, rank ${rank}`;
    await onQuadratics(module, { rank, startRate, weightDecay }, [{ base, target }], async (run) => {
      assertEquals(run.optimizer.trainable.map(({ name }) => name), ["map 0.R"], label);
      const weight = () => add(base, multiply(multiply(b, r), a));
      const start = subtract((await run.readOne()).weight, base);
      assertLess(relativeError(start, multiply(multiply(b, r), a)), startRate < 1e-3 ? 1e-3 : 1e-5, label);
      for (let step = 1; step <= 5; step++) {
        const gradient = subtract(weight(), target);
        const ofR = multiply(multiply(transpose(b), gradient), transpose(a));
        const [found] = await run.gradients();
        assertLess(relativeError(found!.equivalent, multiply(multiply(b, ofR), a)), 1e-5, `g̃ of ${label}`);
        ({ parameter: r, moments } = adamwStep(r, ofR, moments, {
          learningRate,
          weightDecay,
          epsilon: 1e-8,
        }));
        await run.step(step, learningRate);
        assertLess(relativeError((await run.readOne()).weight, weight()), 1e-5, `step ${step} of ${label}`);
      }
    });
  }
});

Deno.test("lora-sb refuses settings that it has not", () => {
  const refusal = (options: Partial<LoraSbOptions>) =>
    loraSb.validate({ ...loraSb.defaults, ...options }, [{ name: "narrow", in: 6, out: 40 }], 100);
  assertEquals(refusal({ rank: 6 }), null);
  assertEquals(refusal({ rank: 7 }), 'rank is 7, at most 6 is possible at target module "narrow" [40, 6]');
  assertEquals(refusal({ rank: 2, startRate: 0 }), "startRate is 0, a positive number is needed");
  assertEquals(
    refusal({ rank: 2, gradientBatches: 0 }),
    "gradientBatches is 0, a whole number of 1 or more is needed",
  );
  assertEquals(loraSb.describe({ ...loraSb.defaults, startRate: 0.01 }), "start 0.01");
});
