import { assertAlmostEquals, assertEquals } from "@std/assert";
import { chooseRate, ratesAsked } from "./fair_rates.ts";

const first = [1, 2, 4];

/** A search over losses by rate, until nothing more is asked for. */
function search(lossAt: (learningRate: number) => number): readonly number[] {
  const tried = new Map<number, number | null>();
  for (;;) {
    const asked = ratesAsked(first, tried), left = asked.filter((learningRate) => !tried.has(learningRate));
    if (left.length === 0) return asked;
    for (const learningRate of left) tried.set(learningRate, lossAt(learningRate));
  }
}

Deno.test("ratesAsked() widens the grid while its best rate is at an edge, and then stops", () => {
  const at = (best: number) => (learningRate: number) => Math.abs(Math.log2(learningRate / best));
  assertEquals(search(at(2)), [1, 2, 4]);
  assertEquals(search(at(4)), [1, 2, 4, 8]);
  assertEquals(search(at(0.25)), [0.125, 0.25, 0.5, 1, 2, 4]);
  assertEquals(search((learningRate) => -learningRate).at(-1), 256);
  assertEquals(search(() => Infinity)[0], 1 / 64);
  // What diverges is worse than all else, and nothing is asked for while a loss is missing.
  assertEquals(search((learningRate) => learningRate >= 4 ? Infinity : -learningRate), [1, 2, 4]);
  assertEquals(ratesAsked(first, new Map([[1, 0.5], [2, null], [4, 0.1]])), first);
  assertEquals(ratesAsked([3], new Map([[3, 1]])), [3]);
});

Deno.test("chooseRate() takes the least loss, of equal ones the smaller rate, and tells the runner-up and its lead", () => {
  const choice = chooseRate(first, new Map([[1, Math.log(1.1)], [2, Math.log(1)], [4, Infinity]]))!;
  assertEquals([choice.learningRate, choice.runnerUp, choice.atEdge], [2, 1, false]);
  assertAlmostEquals(choice.lead!, 0.1, 1e-12);
  assertEquals(chooseRate(first, new Map([[1, 0], [2, 0], [4, 0]]))!.learningRate, 1);
  assertEquals(chooseRate(first, new Map([[1, Infinity], [2, Infinity], [4, 3]])), {
    ...{ learningRate: 4, runnerUp: null, lead: null, atEdge: true },
  });
  assertEquals(chooseRate(first, new Map(first.map((learningRate) => [learningRate, Infinity]))), null);
});
