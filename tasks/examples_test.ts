import { assertEquals, assertThrows } from "@std/assert";
import { firstExamples, inBatches, takeExamples } from "./examples.ts";

Deno.test("takeExamples() takes the first of each pool", () => {
  const pools = { train: [1, 2, 3], validation: [4, 5], test: [6] };
  const options = { seed: 0, trainExamples: 2, validationExamples: 2, testExamples: 1 };
  assertEquals(takeExamples("x", pools, options), { train: [1, 2], validation: [4, 5], test: [6] });
  assertThrows(
    () => takeExamples("x", pools, { ...options, testExamples: 2 }),
    RangeError,
    `Cannot take 2 test examples of "x": there are 1`,
  );
});

Deno.test("firstExamples() refuses none and fractions", () => {
  assertThrows(() => firstExamples("pens", ["a", "b"], 0), RangeError, "Cannot take 0 pens");
  assertThrows(() => firstExamples("pens", ["a", "b"], 1.5), RangeError, "Cannot take 1.5 pens");
});

Deno.test("inBatches() keeps all items, the last batch smaller", () => {
  assertEquals([...inBatches([1, 2, 3, 4, 5], 2)], [[1, 2], [3, 4], [5]]);
  assertEquals([...inBatches([1, 2], 7)], [[1, 2]]);
  assertThrows(() => [...inBatches([1], 0)], RangeError, "batches of 0");
});
