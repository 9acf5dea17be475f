import { assertEquals, assertThrows } from "@std/assert";
import { cutPools, firstExamples, inBatches, takeDrawn, takeExamples, takeHeldOut } from "./examples.ts";

Deno.test("takeExamples() takes the first of each pool", () => {
  const pools = { train: [1, 2, 3], validation: [4, 5], test: [6] };
  const options = { seed: 0, trainExamples: 2, validationExamples: 2, testExamples: 1 };
  assertEquals(takeExamples("x", pools, options), {
    train: [1, 2],
    validation: [4, 5],
    test: [6],
    testPool: 1,
  });
  assertThrows(
    () => takeExamples("x", pools, { ...options, testExamples: 2 }),
    RangeError,
    `Cannot take 2 test examples of "x": there are 1`,
  );
});

Deno.test("takeExamples() takes a slice of the test examples, and goes round where there are no more", () => {
  const pools = { train: [0], validation: [0], test: [1, 2, 3, 4, 5] };
  const slice = (testSlice: number) =>
    takeExamples("x", pools, {
      seed: 0,
      trainExamples: 1,
      validationExamples: 1,
      testExamples: 2,
      testSlice,
    }).test;
  assertEquals([0, 1, 2, 3, 5].map(slice), [[1, 2], [3, 4], [5, 1], [2, 3], [1, 2]]);
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

Deno.test("cutPools() tests on the first examples, validates with the next and trains on all others", () => {
  const pools = cutPools([0, 1, 2, 3, 4, 5, 6], { test: 2, validation: 1 });
  assertEquals(pools, { test: [0, 1], validation: [2], train: [3, 4, 5, 6] });
  assertEquals(cutPools([0], { test: 1, validation: 1 }), { test: [0], validation: [], train: [] });
});

Deno.test("takeDrawn() tests on the first examples, validates with the next, and draws no more than it is asked for", () => {
  let drawn = 0;
  const take = takeDrawn("x", { test: 3, validation: 2, train: 4, moreTest: 2 }, function* () {
    for (;;) yield drawn++;
  });
  const options = { seed: 0, trainExamples: 2, validationExamples: 1, testExamples: 2 };
  assertEquals(take(options), { test: [0, 1], validation: [3], train: [5, 6], testPool: 5 });
  assertEquals(drawn, 7);
  assertEquals(take({ ...options, trainExamples: 3, testExamples: 3 }).train, [5, 6, 7]);
  assertEquals(drawn, 8);
  // The last are to test on too: a larger pool begins with the smaller one, and the others stay as they are.
  assertEquals(take({ ...options, testSlice: 1 }), {
    test: [2, 9],
    validation: [3],
    train: [5, 6],
    testPool: 5,
  });
  assertEquals(drawn, 11);
  for (
    const [field, count] of [["trainExamples", 5], ["validationExamples", 3], ["testExamples", 6]] as const
  ) {
    assertThrows(
      () => take({ ...options, [field]: count }),
      RangeError,
      `: there are ${count - 1}`,
    );
  }
  assertEquals(drawn, 11);
});

Deno.test("takeHeldOut() gives the beginnings of both halves, and says of which there are too few", () => {
  const options = { seed: 0, trainExamples: 1, validationExamples: 2, testExamples: 3 };
  const heldOut = [0, 1, 2, 3, 4, 5, 6, 7];
  assertEquals(takeHeldOut("rows", heldOut, options), { validation: [0, 1], test: [4, 5, 6] });
  assertThrows(
    () => takeHeldOut("rows", heldOut, { ...options, testExamples: 5 }),
    RangeError,
    'Cannot take 5 test examples of "rows": there are 4',
  );
  assertThrows(
    () => takeHeldOut("rows", heldOut, { ...options, validationExamples: 0 }),
    RangeError,
    "validation",
  );
});
