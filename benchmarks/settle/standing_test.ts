import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import type { RunResult } from "../../training/run.ts";
import { fakeDiverged, fakeDone } from "../../tests/support/fakes/results.ts";
import { fakePlan } from "../../tests/support/fakes/sweep.ts";
import type { Comparison } from "./question.ts";
import { nextOf, type Results, standingOf, stepReaching } from "./standing.ts";

const [planned] = (await fakePlan()).runs;
const one = await fakeDone(planned!.config);
const cell = { chance: { score: 0.1, loss: Math.log(10) }, comparisons: [{} as Comparison] };

type Outcome = typeof one.outcome;

/** A question with such a margin. */
const within = (margin: number) => ({ margin, atLeast: 4 });

function done(change: (outcome: Outcome) => Partial<Outcome>, seed = 1000): RunResult {
  return {
    ...one,
    config: { ...one.config, seed },
    outcome: { ...one.outcome, ...change(one.outcome) },
  };
}

function pairsOf(count: number, change: (outcome: Outcome, pair: number) => Partial<Outcome>): Results {
  return Array.from({ length: count }, (_, pair) => [
    done((outcome) => change(outcome, pair), 1000 + pair),
    done(() => ({}), 1000 + pair),
  ]);
}

Deno.test("standingOf() says identical only where losses agree too: on the way, of validation and of the test examples", () => {
  const verdictOf = (change: (outcome: Outcome, pair: number) => Partial<Outcome>) =>
    standingOf(pairsOf(4, change), cell, within(0.05)).score.verdict;
  assertEquals(verdictOf(() => ({})), "identical");
  const nudged = (points: Outcome["trainLoss"]) =>
    points.map((point, i) => i === 3 ? { ...point, value: point.value + 1e-7 } : point);
  assertEquals(verdictOf(({ trainLoss }) => ({ trainLoss: nudged(trainLoss) })), "same");
  assertEquals(verdictOf(({ validationLoss }) => ({ validationLoss: nudged(validationLoss) })), "same");
  assertEquals(verdictOf(({ testLoss }) => ({ testLoss: testLoss! + 1e-7 })), "same");
  assertEquals(
    verdictOf(({ trainLoss }, pair) => pair === 2 ? { trainLoss: nudged(trainLoss) } : {}),
    "same",
  );
});

Deno.test("standingOf() judges the logarithm of the test loss by itself, and none where one was not taken", () => {
  const noise = createRandom(1).normal(8, 0.01);
  const lower = pairsOf(8, ({ testLoss }, pair) => ({ testLoss: testLoss! * Math.exp(-0.1 + noise[pair]!) }));
  const { score, loss } = standingOf(lower, cell, within(0.02));
  assertEquals([score.verdict, loss!.verdict], ["same", "better"]);
  assertAlmostEquals(loss!.difference, 0.1, 0.02);
  // 4 % more loss is within a margin of 5 %, and 6 % is not.
  for (const [share, verdict] of [[1.04, "same"], [1.06, "worse"]] as const) {
    const shifted = pairsOf(
      8,
      ({ testLoss }, pair) => ({ testLoss: testLoss! * share * Math.exp(noise[pair]! / 9) }),
    );
    const found = standingOf(shifted, { ...cell }, within(0.05)).loss!;
    assert(
      found.verdict === verdict || (found.verdict === "worse" && share === 1.04),
      `${share}: ${found.verdict}`,
    );
    assertEquals(found.interval!.low < -0.0488, share === 1.06);
  }
  assertEquals(standingOf(pairsOf(8, () => ({ testLoss: null })), cell, within(0.02)).loss, null);
});

Deno.test("standingOf() tells how soon the other's last validation loss is reached", () => {
  const curve = [0, 10, 20, 30, 40].map((step) => ({ step, value: 4 - step / 10 }));
  assertEquals([4, 3, 2.5, 0, -1].map((loss) => stepReaching(curve, loss)), [0, 10, 15, 40, Infinity]);
  assertEquals(stepReaching([], 1), Infinity);
  const steps = one.config.steps;
  const fast = pairsOf(6, ({ validationLoss }, pair) => {
    const last = validationLoss.at(-1)!.value;
    const reaches = pair > 0;
    return {
      validationLoss: [{ step: 0, value: last + 1 }, { step: steps, value: reaches ? last - 1 : last + 1 }],
    };
  });
  const { speed } = standingOf(fast, cell, within(0.02), [300, 100]);
  assertEquals([speed!.reached, speed!.pairs, speed!.steps, speed!.flops], [3, 4, 0.5, 1.5]);
});

Deno.test("standingOf() counts diverged runs as guessing, in score and loss, and names pairs far from the others", async () => {
  const diverged = await fakeDiverged({ ...one.config, seed: 1001 });
  const some = pairsOf(
    6,
    ({ scores }, pair) => ({ scores: scores.map((score, i) => i < pair ? 1 - score : score) }),
  );
  const results = some.map((pair, i) => i === 1 ? [diverged, pair[1]] as const : pair);
  const { scores, diverged: named, outliers, loss } = standingOf(results, cell, within(0.02));
  assertAlmostEquals(scores[1]![0], 0.1, 1e-12);
  assertEquals(named, [{ side: 0, seed: 1001 }]);
  assertEquals(outliers, [1001]);
  assertAlmostEquals(loss!.difference, (Math.log(one.outcome.testLoss!) - Math.log(Math.log(10))) / 6, 1e-12);
});

Deno.test("nextOf() is the next look of what is open, and none of what is decided", () => {
  const next = (pairs: number, question = within(0.02)) =>
    nextOf(standingOf(pairsOf(pairs, () => ({})), cell, question), { atMost: 128, ...question });
  assertEquals([0, 3, 4].map((pairs) => next(pairs)), [4, 4, null]);
  const patient = { margin: 0.02, atLeast: 23 };
  assertEquals([0, 4, 22, 23].map((pairs) => next(pairs, patient)), [23, 23, 23, null]);
  const few = { margin: 0.02, atLeast: 6, atMost: 6 };
  assertEquals([0, 4, 6].map((pairs) => next(pairs, few)), [6, 6, null]);
});
