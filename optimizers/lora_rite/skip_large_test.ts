import { assertEquals } from "@std/assert";
import { tallFactors } from "../../kernels/mod.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { skipLarge } from "./skip_large.ts";

Deno.test("skipLarge() clears matrices whose root mean square is above the limit, and no other", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("skip");
  for (const lanes of [1, 8, 64]) {
    // One row, a prime, more than a workgroup.
    const { parts } = gpu.pack([1, 17, 150].map((rows, i) => ({ label: `A ${i}`, shape: [3, rows] })), "A");
    const values = [1, 1.01, 0.99];
    parts.forEach((part, i) => gpu.write(part, new Float32Array(part.shape[1]! * 3).fill(values[i]!)));
    skipLarge(gpu, tallFactors(gpu, parts, "A"), 1, lanes);
    const found = await Promise.all(parts.map((part) => gpu.download(part)));
    assertEquals(found.map((data) => [Math.min(...data), Math.max(...data)]), [
      [1, 1],
      [0, 0],
      [Math.fround(0.99), Math.fround(0.99)],
    ]);
  }
});
