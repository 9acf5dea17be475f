import { assert, assertEquals, assertLess } from "@std/assert";
import type { Gpu } from "../../gpu/gpu.ts";
import { createRandom } from "../../numerics/random.ts";
import {
  fromFloat32,
  type Matrix,
  multiply,
  norm,
  randomMatrix,
  roundToFloat32,
  subtract,
  toFloat32,
  transpose,
  withSingularValues,
  zeros,
} from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { tallFactors, thinBases, thinSvds } from "./tall_matrices.ts";

/** U `[rows, rank]`, s and V `[rank, rank]` of each matrix, from factors laid out as all A or all B are. */
async function decomposed(
  gpu: Gpu,
  matrices: readonly Matrix[],
  which: "A" | "B",
  lanes?: number,
  how = thinSvds,
) {
  using _ = gpu.scope("decomposed");
  const stored = which === "A" ? matrices.map(transpose) : matrices;
  const { parts } = gpu.pack(stored.map((m) => ({ label: "X", shape: [m.rows, m.columns] })), "X");
  parts.forEach((part, i) => gpu.write(part, toFloat32(stored[i]!)));
  const { left, v, values } = how(gpu, tallFactors(gpu, parts, which), lanes);
  const [lefts, small] = await gpu.downloadAll([left.flat, v.tensor]) as [Float32Array, Float32Array];
  return matrices.map(({ rows, columns: rank }, i) => {
    const own = lefts.slice((parts[i]!.offset - parts[0]!.offset) / 4).slice(0, rows * rank);
    const element = (_: unknown, e: number) =>
      small[v.at + i * v.block + Math.floor(e / rank) * v.row + e % rank * v.column]!;
    return {
      u: which === "A" ? transpose(fromFloat32(own, rank, rows)) : fromFloat32(own, rows, rank),
      s: [...small.slice(values.at + i * values.block).slice(0, rank)],
      v: fromFloat32(Float32Array.from({ length: rank ** 2 }, element), rank, rank),
    };
  });
}

/** Column j times values[j]. */
function columnsTimes(m: Matrix, values: readonly number[]): Matrix {
  return { ...m, data: m.data.map((value, e) => value * values[e % m.columns]!) };
}

/** Largest element of XᵀX − I, over the columns that s has not left out. */
function unlikeIdentity(m: Matrix, s: readonly number[]): number {
  const product = multiply(m, m, { transposeA: true });
  return Math.max(...product.data.map((value, e) => {
    const i = Math.floor(e / m.columns), j = e % m.columns;
    return s[i] === 0 || s[j] === 0 ? Math.abs(value) : Math.abs(value - Number(i === j));
  }));
}

/** One row of blocks alone, an odd number of blocks with a part of one, a long matrix, and one that lanes share. */
const SHAPES = [[13, 13], [13, 40], [13, 301], [33, 33], [33, 120], [64, 64]] as const;

Deno.test("thinSvds() above rank 12 gives U diag(s) Vᵀ = X, with s and U off by X's condition number and not by its square", async () => {
  const gpu = await testGpu();
  for (const which of ["A", "B"] as const) {
    // Off by a few units of 2^-24 each times the condition number.
    for (const condition of [1, 1e2, 1e4]) {
      for (const [rank, rows] of SHAPES) {
        const wanted = Array.from({ length: rank }, (_, i) => condition ** (-i / (rank - 1)));
        const x = roundToFloat32(withSingularValues(rows, rank, wanted, createRandom(rank + rows)));
        const [{ u, s, v }] = await decomposed(gpu, [x], which) as [
          Awaited<ReturnType<typeof decomposed>>[0],
        ];
        const label = `${which} [${rows}, ${rank}] condition ${condition}`;
        const error = norm(subtract(multiply(columnsTimes(u, s), v, { transposeB: true }), x)) / norm(x);
        assertLess(error, 2e-6, `${label} product`);
        assertLess(unlikeIdentity(v, s), 2e-6, `${label} V`);
        assertLess(unlikeIdentity(u, s), 2e-6 + 6e-7 * condition, `${label} U`);
        s.sort((a, b) => b - a).forEach((value, i) =>
          assertLess(Math.abs(value / wanted[i]! - 1), 2e-6 + 1e-7 * condition, `${label} s ${i}`)
        );
      }
    }
  }
});

Deno.test("thinSvds() gives s to a few units of rounding however many rotations a column takes part in", async () => {
  const gpu = await testGpu();
  for (const [rank, condition] of [[64, 100], [128, 3]] as const) {
    const wanted = Array.from({ length: rank }, (_, i) => condition ** (-i / (rank - 1)));
    const x = roundToFloat32(withSingularValues(160, rank, wanted, createRandom(rank)));
    const [{ s }] = await decomposed(gpu, [x], "B") as [Awaited<ReturnType<typeof decomposed>>[0]];
    s.sort((a, b) => b - a).forEach((value, i) =>
      assertLess(Math.abs(value / wanted[i]! - 1), 2e-6, `rank ${rank} s ${i}`)
    );
  }
});

Deno.test("thinSvds() above rank 12 leaves out directions that are not there, and is 0 by value for a matrix of zeros", async () => {
  const gpu = await testGpu(), random = createRandom(5);
  for (const [rank, rows] of SHAPES) {
    const low = roundToFloat32(multiply(randomMatrix(rows, 5, random), randomMatrix(5, rank, random)));
    const found = await decomposed(gpu, [low, zeros(rows, rank)], "B");
    assertEquals(found[0]!.s.filter((value) => value > 0).length, 5, `[${rows}, ${rank}]`);
    const { u, s, v } = found[0]!;
    assertLess(norm(subtract(multiply(columnsTimes(u, s), v, { transposeB: true }), low)) / norm(low), 2e-6);
    assertLess(unlikeIdentity(u, s), 5e-6);
    for (const part of [found[1]!.u.data, found[1]!.s]) assert([...part].every((value) => value === 0));
  }
});

Deno.test("thinSvds() stays finite where a large matrix has few ranks, of which most are small", async () => {
  const gpu = await testGpu();
  for (const [ranks, rows, rank] of [[5, 512, 256], [20, 256, 128]] as const) {
    const random = createRandom(ranks + rows), decaying = randomMatrix(ranks, rank, random.fork("V"));
    const data = decaying.data.map((value, e) => value * 1e-5 ** (Math.floor(e / rank) / ranks));
    const low = roundToFloat32(
      multiply(randomMatrix(rows, ranks, random.fork("U")), { ...decaying, data }),
    );
    const [{ u, s, v }] = await decomposed(gpu, [low], "B") as [Awaited<ReturnType<typeof decomposed>>[0]];
    assertEquals(s.filter((value) => value > 0).length, ranks, `[${rows}, ${rank}]`);
    const error = norm(subtract(multiply(columnsTimes(u, s), v, { transposeB: true }), low)) / norm(low);
    assertLess(error, 2e-6, `[${rows}, ${rank}]`);
  }
});

Deno.test("thinSvds() gives equal bits again, whatever lies beside a matrix, and takes ranks to 256", async () => {
  const gpu = await testGpu(), random = createRandom(6);
  const [one, other] = [
    roundToFloat32(randomMatrix(70, 20, random)),
    roundToFloat32(randomMatrix(31, 20, random)),
  ];
  const alone = await decomposed(gpu, [one], "B"), together = await decomposed(gpu, [one, other], "B");
  assertEquals(together[0], alone[0]);
  assertEquals(await decomposed(gpu, [one, other], "B"), together);
  for (const lanes of [8, 64]) {
    const large = roundToFloat32(randomMatrix(300, 256, random));
    const [{ u, s, v }] = await decomposed(gpu, [large], "B", lanes) as [typeof together[0]];
    const error = norm(subtract(multiply(columnsTimes(u, s), v, { transposeB: true }), large)) / norm(large);
    assertLess(error, 2e-6, `${lanes} lanes`);
  }
});

Deno.test("thinBases() gives orthonormal U = X V diag(1 / s) without rotations up to some condition number, and the thin SVD beyond it", async () => {
  const gpu = await testGpu();
  for (const which of ["A", "B"] as const) {
    for (const condition of [1, 1e2, 1e6]) {
      for (const [rank, rows] of [[13, 40], [33, 120], [64, 64]] as const) {
        const wanted = Array.from({ length: rank }, (_, i) => condition ** (-i / (rank - 1)));
        const x = roundToFloat32(withSingularValues(rows, rank, wanted, createRandom(rank + rows)));
        const low = roundToFloat32(
          multiply(randomMatrix(rows, 5, createRandom(1)), randomMatrix(5, rank, createRandom(2))),
        );
        const matrices = [x, low, zeros(rows, rank)];
        const found = await decomposed(gpu, matrices, which, undefined, thinBases);
        const exact = await decomposed(gpu, matrices, which);
        const label = `${which} [${rows}, ${rank}] condition ${condition}`;
        if (condition === 1e6) {
          assertEquals(found, exact, label);
          continue;
        }
        assertEquals(found.slice(1), exact.slice(1), label);
        const { u, s, v } = found[0]!;
        assertEquals(s, Array(rank).fill(1), label);
        assertLess(unlikeIdentity(u, s), 2e-6 + 6e-7 * condition, `${label} U`);
        assertLess(
          norm(subtract(multiply(x, v), u)) / norm(u),
          1e-6 * condition ** 0.5 + 1e-7 * condition,
          label,
        );
        // U spans what X does.
        const spanned = multiply(u, multiply(u, x, { transposeA: true }));
        assertLess(norm(subtract(spanned, x)) / norm(x), 2e-6 + 6e-7 * condition, `${label} span`);
      }
    }
  }
});

Deno.test("thinBases() is right to rounding where columns are just far enough from dependent for one round, and where they are not, however long each is", async () => {
  const gpu = await testGpu();
  for (const [rank, rows] of [[16, 40], [64, 200], [128, 300]] as const) {
    const random = createRandom(rank), basis = withSingularValues(rows, rank, Array(rank).fill(1), random);
    // Cosines: 0.7 of neighbours, whose pivots alone do not tell how dependent all are together; one of 0.9994, and of
    // 0.89 for which one round is just enough; of one column with all others; many small ones.
    const kinds = {
      chain: (i: number, j: number) => j === i + 1 ? 1 : 0,
      same: (i: number, j: number) => i === 0 && j === 1 ? 30 : 0,
      near: (i: number, j: number) => i === 0 && j === 1 ? 2.0 : 0,
      star: (i: number, j: number) => j === rank - 1 && i < j ? 1.1 / Math.sqrt(rank) : 0,
      many: (i: number, j: number) => i < j ? 1.1 * random.normal(1, 1)[0]! / rank : 0,
    };
    for (const [kind, cosine] of Object.entries(kinds)) {
      const mixing = zeros(rank, rank).data.map((_, e) => {
        const i = Math.floor(e / rank), j = e % rank;
        return i === j ? 1 : cosine(i, j);
      });
      // Lengths of 1 to 100, the short ones among the long ones.
      const lengths = Array.from({ length: rank }, (_, j) => 100 ** (j * 7 % rank / rank));
      const mixed = multiply(basis, { ...zeros(rank, rank), data: mixing });
      const x = roundToFloat32(columnsTimes(mixed, lengths));
      const [{ u, s, v }] = await decomposed(gpu, [x], "B", undefined, thinBases) as [
        Awaited<ReturnType<typeof decomposed>>[0],
      ];
      assertEquals(new Set(s), new Set([1]), `${kind} of rank ${rank}`);
      assertLess(unlikeIdentity(u, s), 5e-6, `${kind} of rank ${rank}`);
      assertLess(norm(subtract(multiply(x, v), u)) / norm(u), 2e-6, `${kind} of rank ${rank}`);
    }
  }
});
