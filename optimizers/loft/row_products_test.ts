import { tallFactors } from "../../kernels/mod.ts";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { addRowProducts, describeRowProducts, directionOf } from "./row_products.ts";

Deno.test("addRowProducts() adds the products of each row, and directionOf() makes directions of W of them", async () => {
  const gpu = await testGpu(), random = createRandom(5);
  using _ = gpu.scope("row products");
  // More than a workgroup of rows and of blocks of eight lines, and less than one of each.
  for (
    const [rank, sizes] of [[3, [[70, 9], [5, 19]]], [4, [[1, 1], [66, 30]]], [19, [[70, 9], [
      5,
      33,
    ]]]] as const
  ) {
    for (const moves of ["a", "b"] as const) {
      const shapeOf = (rows: number) => moves === "a" ? [rank, rows] : [rows, rank];
      const pack = (shapes: readonly number[][], label: string) =>
        gpu.pack(shapes.map((shape, i) => ({ label: `${label} ${i}`, shape })), label);
      const gradients = pack(sizes.map(([rows]) => shapeOf(rows)), "g").parts;
      const products = pack(sizes.map(([rows]) => [rank, rows, rank]), "P");
      const filled = gradients.map((part, i) => {
        const values = random.fork(`${rank} ${moves} ${i}`).normal(rank * sizes[i]![0], 1);
        gpu.write(part, values);
        return values;
      });
      const described = describeRowProducts(gpu, products.parts, products.flats[0]!, rank);
      const side = tallFactors(gpu, gradients, moves === "a" ? "A" : "B");
      addRowProducts(gpu, described, side, 0.25);
      addRowProducts(gpu, described, side, 0.5);
      const found = await Promise.all(products.parts.map((part) => gpu.download(part)));
      for (const [i, [rows, lines]] of sizes.entries()) {
        const g = (j: number, a: number) => filled[i]![moves === "a" ? a * rows + j : j * rank + a]!;
        const wanted = Array.from({ length: rank * rows * rank }, (_, e) => {
          const j = Math.floor(e / rank) % rows;
          return 0.75 * g(j, Math.floor(e / rank / rows)) * g(j, e % rank);
        });
        assertClose(found[i]!, wanted, { relative: 1e-6 }, `P ${rank} ${moves} ${i}`);

        const x = gpu.upload(random.fork(`x ${i}`).normal(rank * lines, 1), "f32", [
          ...moves === "a" ? [lines, rank] : [rank, lines],
        ], "x");
        const out = gpu.empty(moves === "a" ? [lines, rows] : [rows, lines], "direction");
        const how = { first: 1.5, second: 2, epsilon: 0.1 };
        directionOf(gpu, { x, m: gradients[i]!, products: products.parts[i]!, moves }, how, out);
        const [values, given] = [await gpu.download(out), await gpu.download(x)];
        const at = (line: number, a: number) => given[moves === "a" ? line * rank + a : a * lines + line]!;
        // P is 0.75 g gᵀ.
        const directions = Array.from(values, (_, e) => {
          const width = moves === "a" ? rows : lines, outer = Math.floor(e / width), inner = e % width;
          const [line, j] = moves === "a" ? [outer, inner] as const : [inner, outer] as const;
          let sum = 0;
          for (let a = 0; a < rank; a++) sum += at(line, a) * g(j, a);
          return 1.5 * sum / (Math.sqrt(2 * 0.75 * sum ** 2) + 0.1);
        });
        // Where the sum cancels, its square from P and its own differ by rounding.
        assertClose(values, directions, { relative: 2e-4 }, `direction ${rank} ${moves} ${i}`);
      }
    }
  }
});
