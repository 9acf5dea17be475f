import { assert, assertEquals, assertGreater } from "@std/assert";
import { assertClose } from "../tests/support/assert_close.ts";
import {
  assertFollows,
  conditionedProblem,
  deficientProblems,
  freshProblem,
  onQuadratics,
  rebased,
  type ReferenceStep,
  scaledOptions,
} from "../tests/support/low_rank_problems.ts";
import { effectiveWeight, relativeError } from "../tests/support/quadratic.ts";
import {
  columnProjector,
  dampen,
  factorGradients,
  invertGram,
  rowProjector,
} from "../tests/reference/low_rank.ts";
import { add, multiply, scale as times, subtract } from "../tests/reference/matrix.ts";
import { type AdamMoments, adamwStep } from "../tests/reference/network.ts";
import type { OptimizerModule, Options } from "./optimizer.ts";
import { scaledAdamw } from "./scaled_adamw.ts";

const module = scaledAdamw as OptimizerModule;

function reference(
  order: string,
  absolute: number,
  learningRate: number,
  weightDecay: number,
): ReferenceStep {
  let ofA: AdamMoments | undefined, ofB: AdamMoments | undefined;
  return (factors, gradient) => {
    const { a, b, scale } = factors, { gradientA, gradientB } = factorGradients(gradient, factors);
    const gramB = dampen(multiply(b, b, { transposeA: true }), { absolute });
    const nextA = adamwStep(a, multiply(invertGram(gramB), gradientA), ofA, { learningRate, weightDecay });
    const by = order === "sequential" ? nextA.parameter : a;
    const gramA = dampen(multiply(by, by, { transposeB: true }), { absolute });
    const nextB = adamwStep(b, multiply(gradientB, invertGram(gramA)), ofB, { learningRate, weightDecay });
    ofA = nextA.moments;
    ofB = nextB.moments;
    return { a: nextA.parameter, b: nextB.parameter, scale };
  };
}

Deno.test("scaledAdamw follows float64 in both orders and dampings, at ranks 1, 3 and 8 of wide and tall maps", async () => {
  for (const [rank, rows, columns] of [[1, 9, 30], [3, 20, 12], [8, 17, 40]] as const) {
    for (const order of ["simultaneous", "sequential"]) {
      for (const damping of [1e-2, 1e-6]) {
        const map = conditionedProblem(rows, columns, rank, rank), rate = 0.02, weightDecay = 0.5;
        // Condition numbers of the factors are below 4; five f32 steps.
        const how = { scale: 2, rate, relative: 2e-5, label: `${order} ${damping} rank ${rank}` };
        const options = { order, damping, weightDecay };
        await assertFollows(module, options, map, reference(order, damping, rate, weightDecay), how);
      }
    }
  }
});

Deno.test("scaledAdamw's orders differ from the first step on, in B alone there", async () => {
  const map = conditionedProblem(12, 10, 3, 4);
  const after = (order: string) =>
    onQuadratics(module, scaledOptions(3, 2, { order }), [map], async (run) => {
      await run.step(1, 0.1);
      return await run.readOne();
    });
  const [one, other] = [await after("simultaneous"), await after("sequential")];
  assertEquals(one.a, other.a);
  assertGreater(relativeError(one.b, other.b), 1e-7);
});

Deno.test("scaledAdamw's equivalent gradient without damping is s² (P_B G + G P_A), whatever the factors' bases", async () => {
  const map = conditionedProblem(14, 18, 4, 5);
  for (const start of [map, rebased(map, 6), rebased(map, 7)]) {
    const gradient = subtract(effectiveWeight(start.base, start.a, start.b, 2), start.target);
    const projected = add(
      multiply(columnProjector(start.b), gradient),
      multiply(gradient, rowProjector(start.a)),
    );
    await onQuadratics(module, scaledOptions(4, 2, { damping: 0 }), [start], async (run) => {
      const [found] = await run.gradients();
      // Condition numbers below 10, f32 throughout.
      assertClose(found!.equivalent.data, times(projected, 4).data, { relative: 2e-5 });
    });
  }
});

Deno.test("scaledAdamw scales the raw gradients by damped inverses where damping rules, as near B = 0", async () => {
  const fresh = freshProblem(9, 13, 3, 8),
    map = { ...fresh, b: times(conditionedProblem(9, 13, 3, 8).b, 1e-4) };
  const gradient = subtract(effectiveWeight(map.base, map.a, map.b, 2), map.target);
  for (const damping of [1e-2, 1e-6]) {
    await onQuadratics(module, scaledOptions(3, 2, { damping }), [map], async (run) => {
      const [found] = await run.gradients();
      const raw = factorGradients(gradient, { a: map.a, b: map.b, scale: 2 });
      const gramB = dampen(multiply(map.b, map.b, { transposeA: true }), { absolute: damping });
      const gramA = dampen(multiply(map.a, map.a, { transposeB: true }), { absolute: damping });
      const wanted = add(
        multiply(map.b, multiply(invertGram(gramB), raw.gradientA)),
        multiply(multiply(raw.gradientB, invertGram(gramA)), map.a),
      );
      assertClose(found!.equivalent.data, times(wanted, 2).data, { relative: 1e-5 }, `damping ${damping}`);
    });
  }
});

Deno.test("scaledAdamw stays finite over five steps from factors that lack ranks or are 0, damped or not", async () => {
  for (const order of ["simultaneous", "sequential"]) {
    for (const damping of [0, 1e-6, 1e-2]) {
      await onQuadratics(module, { rank: 4, damping, order }, deficientProblems(12, 16, 9), async (run) => {
        for (let step = 1; step <= 5; step++) await run.step(step, 0.01);
        (await run.read()).forEach(({ a, b }, i) =>
          assert([...a.data, ...b.data].every(Number.isFinite), `${order} damping ${damping} start ${i}`)
        );
      });
    }
  }
});

Deno.test("scaledAdamw refuses an unknown order, negative damping and ranks beyond a target module", () => {
  const targetModules = [{ name: "wide", in: 300, out: 200 }, { name: "narrow", in: 6, out: 40 }];
  const refusal = (options: Options) =>
    scaledAdamw.validate({ ...scaledAdamw.defaults, rank: 2, ...options }, targetModules, 100);
  assertEquals(refusal({}), null);
  assertEquals(refusal({ order: "random" }), 'order is "random", known are simultaneous, sequential');
  assertEquals(refusal({ damping: -1e-6 }), "damping is -0.000001, 0 or more is needed");
  assertEquals(refusal({ rank: 7 }), 'rank is 7, at most 6 is possible at target module "narrow" [40, 6]');
  const described = scaledAdamw.describe({ ...scaledAdamw.defaults, order: "sequential", damping: 1e-6 });
  assertEquals(described, "alpha/r, sequential, damping 0.000001");
});
