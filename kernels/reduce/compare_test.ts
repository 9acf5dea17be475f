import { assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { randomMatrix } from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { upload } from "../../tests/support/upload.ts";
import { createComparisons } from "./compare.ts";

/** Tails of 1 to 3, below and beyond a stretch, and more than 64 stretches. */
const SIZES = [1, 3, 5, 64, 4095, 4097, 12_290, 300_001];

Deno.test("createComparisons() agrees with float64 at all sizes, in the order of the calls", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("comparisons");
  const pairs = SIZES.map((size) => {
    const random = createRandom(size), x = randomMatrix(1, size, random.fork("x"));
    // Close to each other, so that the distance is no difference of large sums.
    const y = { ...x, data: x.data.map((value, i) => value * (1 + 0.01 * Math.sin(i))) };
    return [x, y] as const;
  });
  const comparisons = createComparisons(gpu, pairs.length);
  const tensors = pairs.map(([x, y]) => [upload(gpu, x, "x"), upload(gpu, y, "y")] as const);
  for (const [x, y] of tensors) comparisons.add(x, y);
  const found = await comparisons.read();
  const rounded = await gpu.downloadAll(tensors.flat());
  assertEquals(found.length, SIZES.length);
  found.forEach(({ xx, yy, xy, distance }, i) => {
    const [x, y] = [rounded[2 * i]!, rounded[2 * i + 1]!];
    const sum = (term: (a: number, b: number) => number) =>
      x.reduce((total, a, k) => total + term(a, y[k]!), 0);
    assertClose(
      [xx, yy, xy, distance],
      [sum((a) => a * a), sum((_, b) => b * b), sum((a, b) => a * b), sum((a, b) => (a - b) ** 2)],
      { relative: 2e-6 },
      `size ${SIZES[i]}`,
    );
  });
});

Deno.test("createComparisons() passes on what is not finite, and leaves other pairs alone", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("comparisons");
  const tensor = (...values: number[]) => gpu.upload(Float32Array.from(values), "f32", [values.length], "x");
  const comparisons = createComparisons(gpu, 2);
  comparisons.add(tensor(1, NaN, 2), tensor(1, 2, 3));
  comparisons.add(tensor(1, 2), tensor(3, 4));
  const [first, second] = await comparisons.read();
  assertEquals([Number.isFinite(first!.xx), Number.isFinite(first!.xy)], [false, false]);
  assertEquals(second, { xx: 5, yy: 25, xy: 11, distance: 8 });
});

Deno.test("createComparisons() refuses tensors of other sizes, and more than there is room for", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("comparisons");
  const comparisons = createComparisons(gpu, 1), x = gpu.zeros([3], "three"), y = gpu.zeros([4], "four");
  assertThrows(
    () => comparisons.add(x, y),
    RangeError,
    'Cannot compare "three" [3] with "four" [4]: element counts differ',
  );
  comparisons.add(x, x);
  assertThrows(() => comparisons.add(x, x), RangeError, "Cannot compare more than 1 pairs of tensors here");
});
