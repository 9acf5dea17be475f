import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { createRandom } from "../numerics/random.ts";
import { batchPositions, trainingOrder } from "./order.ts";

function take(order: (position: number) => number, start: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => order(start + i));
}

Deno.test("trainingOrder() shows every example once an epoch, in a new order each epoch", () => {
  const order = trainingOrder(createRandom(3).fork("order"), 17);
  const first = take(order, 0, 17), second = take(order, 17, 17);
  const all = Array.from({ length: 17 }, (_, i) => i);
  assertEquals(first.toSorted((a, b) => a - b), all);
  assertEquals(second.toSorted((a, b) => a - b), all);
  assertNotEquals(first, second);
});

Deno.test("trainingOrder() depends on the position alone, not on what was asked before", () => {
  const order = trainingOrder(createRandom(3).fork("order"), 5);
  const ascending = take(order, 0, 40);
  const descending = Array.from({ length: 40 }, (_, i) => order(39 - i));
  assertEquals(descending.reverse(), ascending);
});

Deno.test("trainingOrder() differs by seed, and serves a single example again and again", () => {
  const [one, two] = [1, 2].map((seed) => trainingOrder(createRandom(seed).fork("order"), 100));
  assertNotEquals(take(one!, 0, 100), take(two!, 0, 100));
  assertEquals(take(trainingOrder(createRandom(1), 1), 0, 3), [0, 0, 0]);
});

Deno.test("batchPositions() follow on from step to step", () => {
  assertEquals([...batchPositions(1, 3), ...batchPositions(2, 3)], [0, 1, 2, 3, 4, 5]);
});

Deno.test("batchPositions() refuses step 0 and fractions", () => {
  assertThrows(() => batchPositions(0, 4), RangeError, "batch 0 of 4");
  assertThrows(() => batchPositions(1.5, 4), RangeError, "batch 1.5");
  assertThrows(() => batchPositions(1, 0), RangeError, "of 0 examples");
});
