import { assertEquals } from "@std/assert";
import type { Gpu } from "../../gpu/gpu.ts";
import { createRandom } from "../../numerics/random.ts";
import {
  add,
  fromFloat32,
  type Matrix,
  multiply,
  randomMatrix,
  roundToFloat32,
  scale,
  toFloat32,
  transpose,
} from "../../tests/reference/matrix.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import type { SmallMatrices, TallMatrices } from "./layout.ts";
import { smallProducts, tallFactors, tallOverlaps, tallProducts } from "./tall_matrices.ts";

/** A part of a tile, more than one, and inner steps of three dispatches: multiples of four, as staged products need. */
const ROWS = [12, 68, 300] as const;
/** Parts of tiles of 32, 64 and 128 steps, and more than those. */
const RANKS = [16, 36, 132] as const;

function random(rank: number, seed: number): Matrix[] {
  return ROWS.map((rows, i) => roundToFloat32(randomMatrix(rows, rank, createRandom(seed + i))));
}

function upload(gpu: Gpu, matrices: readonly Matrix[], which: "A" | "B"): TallMatrices {
  const stored = which === "A" ? matrices.map(transpose) : matrices;
  const { parts } = gpu.pack(stored.map((m) => ({ label: "X", shape: [m.rows, m.columns] })), "X");
  parts.forEach((part, i) => gpu.write(part, toFloat32(stored[i]!)));
  return tallFactors(gpu, parts, which);
}

/** Tall matrices where they lie, or small ones. */
async function download(gpu: Gpu, of: TallMatrices | SmallMatrices, rank: number, which: "A" | "B" = "B") {
  if ("tensor" in of) {
    const data = await gpu.download(of.tensor);
    return ROWS.map((_, i) => fromFloat32(data.slice(i * rank * rank).slice(0, rank * rank), rank, rank));
  }
  const data = await gpu.download(of.flat);
  let at = 0;
  return of.rows.map((rows) => {
    const own = data.slice(at, at + rows * rank);
    // Parts begin at multiples of 64 elements.
    at += Math.ceil(rows * rank / 64) * 64;
    return which === "A" ? transpose(fromFloat32(own, rank, rows)) : fromFloat32(own, rows, rank);
  });
}

function agree(found: readonly Matrix[], wanted: readonly Matrix[], label: string) {
  found.forEach((one, i) =>
    assertClose(one.data, wanted[i]!.data, { relative: 1e-5 }, `${label} layer ${i}`)
  );
}

Deno.test("products and overlaps of matrices of whole vectors are those of float64, of both layouts and one of each, whoever forms them", async () => {
  const gpu = await testGpu();
  for (const rank of RANKS) {
    for (const [from, to] of [["A", "A"], ["B", "B"], ["A", "B"]] as const) {
      using _ = gpu.scope("products");
      const [xs, ys, kept] = [random(rank, 1), random(rank, 11), random(rank, 21)] as const;
      const square = ROWS.map((_, i) => multiply(xs[i]!, ys[i]!, { transposeA: true }));
      const own = (whole: boolean) => {
        const as = (m: readonly Matrix[], which: "A" | "B") => ({ ...upload(gpu, m, which), whole });
        return { x: as(xs, from), y: as(ys, from), z: as(ys, to), out: as(kept, to) };
      };
      for (const whole of [true, false]) {
        const label = `${from} to ${to}, rank ${rank}, ${whole ? "whole" : "by elements"}`;
        const { x, y, z, out } = own(whole), k = tallOverlaps(gpu, x, y), l = tallOverlaps(gpu, y, x);
        agree(await download(gpu, k, rank), square, `${label}: overlaps`);
        tallProducts(gpu, out, [{ x, by: k, scale: 0.5 }, {
          x: z,
          by: l,
          scale: -2,
        }], 0.25);
        const wanted = xs.map((one, i) => {
          const first = multiply(one, square[i]!),
            second = multiply(ys[i]!, square[i]!, { transposeB: true });
          return add(add(scale(kept[i]!, 0.25), first, 0.5), second, -2);
        });
        agree(await download(gpu, out, rank, to), wanted, label);
        const single = { ...out, flat: gpu.zeros(out.flat.shape, "out") };
        tallProducts(gpu, single, [{ x, by: k }]);
        agree(
          await download(gpu, single, rank, to),
          xs.map((one, i) => multiply(one, square[i]!)),
          `${label}: one`,
        );
        assertEquals(
          (await gpu.download(single.flat)).slice(12 * rank, Math.ceil(12 * rank / 64) * 64),
          new Float32Array(Math.ceil(12 * rank / 64) * 64 - 12 * rank),
        );
        const factors = gpu.upload(Float32Array.of(1, 2, 0.25), "f32", [3], "factors");
        const pairs = smallProducts(gpu, k, k, { rank, factors });
        agree(
          await download(gpu, pairs, rank),
          square.map((s, i) => scale(multiply(s, s, { transposeB: true }), [1, 2, 0.25][i]!)),
          `${label}: small`,
        );
      }
    }
  }
});
