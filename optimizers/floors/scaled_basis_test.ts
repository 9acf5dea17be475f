import { assertThrows } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { gainsGradient, scaleBasis, scalesGradient } from "./scaled_basis.ts";

/** Rows and columns of a basis, how much wider it is than what is taken of it, and how many times it is taken. */
const SHAPES = [[1, 1, 0, 1], [3, 70, 5, 1], [5, 4, 1, 3], [70, 3, 0, 1], [8, 64, 0, 9]] as const;

Deno.test("Scaled bases and the gradients of both scales are float64's, by any lanes, alone and added", async () => {
  const gpu = await testGpu();
  for (const [rank, columns, wider, times] of SHAPES) {
    using _ = gpu.scope("bases");
    const stride = columns + wider, rows = times * rank, random = createRandom(rows * columns);
    const given = {
      basis: random.fork("basis").normal(rank * stride, 1),
      scales: random.fork("scales").normal(rows, 1),
      gains: random.fork("gains").normal(times * columns, 1),
      g: random.fork("g").normal(rows * columns, 1),
    };
    const basis = gpu.upload(given.basis, "f32", [rank, stride], "basis"),
      scales = gpu.upload(given.scales, "f32", [rows], "scales"),
      gains = gpu.upload(given.gains, "f32", [times, columns], "gains"),
      g = gpu.upload(given.g, "f32", [rows, columns], "g");
    const at = (row: number, column: number) => given.basis[row % rank * stride + column]!;
    const gain = (row: number, column: number) => given.gains[Math.floor(row / rank) * columns + column]!;
    for (const own of [undefined, gains]) {
      const label = `${rows} x ${columns}, ${own ? "with" : "without"} gains`;
      const of = (row: number, column: number) => at(row, column) * (own ? gain(row, column) : 1);
      const wanted = given.g.map((_, i) => {
        const row = Math.floor(i / columns);
        return given.scales[row]! * of(row, i % columns);
      });
      const by = { scales, ...own && { gains: own } };
      const alone = scaleBasis(gpu, basis, by, { into: gpu.empty([rows, columns], "alone") });
      const added = gpu.upload(given.g, "f32", [rows, columns], "added");
      scaleBasis(gpu, basis, by, { into: added, accumulate: true });
      const [first, second] = await gpu.downloadAll([alone, added]);
      assertClose(first!, wanted, { relative: 1e-6 }, label);
      assertClose(second!, wanted.map((value, i) => value + given.g[i]!), { relative: 1e-6 }, label);

      const ofScales = Float64Array.from({ length: rows }, (_, row) => {
        let sum = given.scales[row]!;
        for (let c = 0; c < columns; c++) sum += given.g[row * columns + c]! * of(row, c);
        return sum;
      });
      for (const lanes of [1, 4, 64]) {
        const into = gpu.upload(given.scales, "f32", [rows], "into");
        scalesGradient(gpu, basis, g, { into, accumulate: true }, { ...own && { gains: own }, lanes });
        const options = { relative: 2e-6, absolute: 2e-6 * Math.sqrt(columns) };
        assertClose(await gpu.download(into), ofScales, options, `${label}, ${lanes} lanes`);
      }
    }
    const ofGains = Float64Array.from({ length: times * columns }, (_, i) => {
      const j = Math.floor(i / columns), column = i % columns;
      let sum = given.gains[i]!;
      for (let k = 0; k < rank; k++) {
        const row = j * rank + k;
        sum += given.g[row * columns + column]! * given.scales[row]! * at(k, column);
      }
      return sum;
    });
    const into = gpu.upload(given.gains, "f32", [times, columns], "into");
    gainsGradient(gpu, basis, g, scales, { into, accumulate: true });
    assertClose(await gpu.download(into), ofGains, { relative: 2e-6, absolute: 2e-6 * Math.sqrt(rank) });
  }
});

Deno.test("scaleBasis() refuses scales that are not a number for each row, and columns that a basis lacks", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refused");
  const basis = gpu.empty([2, 5], "basis"), scales = (count: number) => gpu.empty([count], "scales");
  const refused = (count: number, shape: number[], sentence: string) =>
    assertThrows(
      () => scaleBasis(gpu, basis, { scales: scales(count) }, { into: gpu.empty(shape, "into") }),
      RangeError,
      sentence,
    );
  refused(3, [2, 5], 'Cannot scale "basis" [2,5] by "scales" [3] into [2,5]');
  refused(3, [3, 5], 'Cannot scale "basis" [2,5] by "scales" [3] into [3,5]');
  refused(2, [2, 6], 'Cannot scale "basis" [2,5] by "scales" [2] into [2,6]');
});
