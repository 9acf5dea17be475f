import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import type { Gpu } from "../../gpu/gpu.ts";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { inverse, pseudoInverse } from "../../tests/reference/decompositions.ts";
import {
  add,
  fromFloat32,
  identity,
  type Matrix,
  multiply,
  randomMatrix,
  roundToFloat32,
  scale,
  toFloat32,
  transpose,
  withSingularValues,
  zeros,
} from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import type { SmallMatrices, TallMatrices } from "./layout.ts";
import {
  rightSvds,
  smallProducts,
  tallFactors,
  tallOverlaps,
  tallProducts,
  thinSvds,
} from "./tall_matrices.ts";
import { createWarmStart } from "./warm_start.ts";

/** Rows of three layers' factors: one row, a prime, more than a workgroup. */
const ROWS = [1, 17, 150];

/** Factors side by side, as tall matrices; A's lie transposed. */
function upload(gpu: Gpu, matrices: readonly Matrix[], which: "A" | "B"): TallMatrices {
  const stored = which === "A" ? matrices.map(transpose) : matrices;
  const { parts } = gpu.pack(
    stored.map((m, i) => ({ label: `factor ${i}`, shape: [m.rows, m.columns] })),
    "f",
  );
  parts.forEach((part, i) => gpu.write(part, toFloat32(stored[i]!)));
  return tallFactors(gpu, parts, which);
}

async function download(gpu: Gpu, { flat, rank, rows }: TallMatrices, which: "A" | "B"): Promise<Matrix[]> {
  const data = await gpu.download(flat);
  let at = 0;
  return rows.map((count) => {
    const own = data.slice(at, at + count * rank);
    // Parts begin at multiples of 64 elements.
    at += Math.ceil(count * rank / 64) * 64;
    return which === "A" ? transpose(fromFloat32(own, rank, count)) : fromFloat32(own, count, rank);
  });
}

async function downloadSmall(gpu: Gpu, small: SmallMatrices, rank: number): Promise<Matrix[]> {
  const data = await gpu.download(small.tensor);
  return ROWS.map((_, layer) =>
    fromFloat32(
      Float32Array.from(
        { length: rank * rank },
        (_, e) =>
          data[
            small.at + layer * small.block + Math.floor(e / rank) * small.row + e % rank * small.column
          ]!,
      ),
      rank,
      rank,
    )
  );
}

/** Well-conditioned where it has as many rows as columns. */
function factor(rows: number, rank: number, seed: number): Matrix {
  const values = Array.from({ length: Math.min(rows, rank) }, (_, i) => 1 - 0.7 * i / rank);
  return roundToFloat32(withSingularValues(rows, rank, values, createRandom(seed)));
}

for (const which of ["A", "B"] as const) {
  Deno.test(`smallProducts() and tallProducts() scale the gradients of ${which} by damped inverses as float64 does, at any rank`, async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("scaled");
    for (const rank of [1, 3, 8, 13]) {
      for (const damping of [0, 0.01]) {
        // The other factor has rows of its own.
        const others = ROWS.map((rows, i) => factor(rows + 20, rank, 10 * rank + i));
        const gradients = ROWS.map((rows, i) =>
          roundToFloat32(randomMatrix(rows, rank, createRandom(i + rank)))
        );
        const factors = gpu.upload(Float32Array.of(1, 2, 0.25), "f32", [3], "factors");
        const { v, values } = thinSvds(gpu, upload(gpu, others, which === "A" ? "B" : "A"));
        const by = smallProducts(gpu, v, v, { rank, f: "1/(s²+d)", values, damping, factors });
        const x = upload(gpu, gradients, which), out = { ...x, flat: gpu.zeros(x.flat.shape, "out") };
        tallProducts(gpu, out, [{ x, by }]);
        const found = await download(gpu, out, which);
        gradients.forEach((gradient, i) => {
          const gram = multiply(others[i]!, others[i]!, { transposeA: true });
          const wanted = scale(
            multiply(gradient, inverse(add(gram, identity(rank), damping))),
            [1, 2, 0.25][i]!,
          );
          // Condition numbers of the Gram matrices are below 12.
          assertClose(found[i]!.data, wanted.data, { relative: 1e-5 }, `rank ${rank} layer ${i}`);
        });
      }
    }
  });
}

Deno.test("smallProducts() leaves out directions in which a factor vanishes, whatever the function", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("deficient");
  const random = createRandom(3), rank = 5;
  const deficient = roundToFloat32(multiply(randomMatrix(20, 2, random), randomMatrix(2, rank, random)));
  const others = [zeros(30, rank), deficient, factor(40, rank, 4)];
  const { left, v, values } = thinSvds(gpu, upload(gpu, others, "B"));
  const factors = gpu.upload(Float32Array.of(1, 1, 1), "f32", [3], "ones");
  const inverses = await downloadSmall(
    gpu,
    smallProducts(gpu, v, v, { rank, f: "1/(s²+d)", values, factors }),
    rank,
  );
  others.forEach((other, i) => {
    const wanted = pseudoInverse(multiply(other, other, { transposeA: true }), 1e-9);
    assertClose(inverses[i]!.data, wanted.data, { relative: 1e-4, absolute: 1e-30 }, `layer ${i}`);
  });
  // X = U diag(s) Vᵀ, so U diag(s / (s² + 0)) Vᵀ is the pseudo-inverse transposed.
  const out = { ...left, flat: gpu.zeros(left.flat.shape, "out") };
  const by = smallProducts(gpu, null, v, { rank, f: "s/(s²+d)", values, factors });
  tallProducts(gpu, out, [{ x: left, by }]);
  const data = await gpu.download(out.flat);
  let at = 0;
  others.forEach((other, i) => {
    const wanted = transpose(pseudoInverse(other, 1e-5));
    const found = data.slice(at, at + other.rows * rank);
    assertClose(found, wanted.data, { relative: 1e-5, absolute: 1e-30 }, `layer ${i}`);
    at += Math.ceil(other.rows * rank / 64) * 64;
  });
});

Deno.test("smallProducts() is 0 where a layer's smallest value is below the share of its largest that is asked for", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("share");
  const rank = 5, factors = gpu.upload(Float32Array.of(1, 1, 1), "f32", [3], "ones");
  const spread = (...last: number[]) =>
    roundToFloat32(withSingularValues(30, rank, [1, 1, 0.7, ...last], createRandom(9)));
  for (const tooLow of [spread(0.5, 0.009), spread()]) {
    const { v, values } = thinSvds(gpu, upload(gpu, [spread(0.5, 0.011), tooLow, zeros(30, rank)], "B"));
    const made = (minShare: number) => {
      const options = { rank, f: "1/(cs+d)", values, damping: 1e-3, factors, minShare } as const;
      return downloadSmall(gpu, smallProducts(gpu, v, v, options), rank);
    };
    const limited = await made(0.01), free = await made(0);
    assertEquals([limited[0], limited[2]], [free[0], free[2]]);
    assertEquals([...limited[1]!.data], Array(rank * rank).fill(0));
    assertNotEquals(free[1], limited[1]);
  }
});

Deno.test("rightSvds() rotates no matrix whose least value is surely below the share that is asked for: V and s are a root that smallProducts() refuses", async () => {
  const gpu = await testGpu(), share = 1e-2;
  for (const [rank, rows] of [[13, 40], [64, 80], [100, 110]] as const) {
    using _ = gpu.scope("roots");
    const random = createRandom(rank);
    const spread = Array.from({ length: rank }, (_, i) => i + 1 === rank ? 0.02 : 1 - 0.5 * i / rank);
    const fine = roundToFloat32(withSingularValues(rows, rank, spread, random));
    // Of R a row whose diagonal element is small, and no other.
    const r = zeros(rank, rank).data.map((_, e) => {
      const i = Math.floor(e / rank), j = e % rank;
      return i === j ? (i === 5 ? 1e-4 : 1) : i === 5 && j > i ? 0.3 : 0;
    });
    const orthonormal = withSingularValues(rows, rank, Array(rank).fill(1), random);
    const low = roundToFloat32(multiply(orthonormal, { ...zeros(rank, rank), data: r }));
    const matrices = [fine, low, zeros(rows, rank)], ones = [1, 1, 1];
    const factors = gpu.upload(Float32Array.from(ones), "f32", [3], "ones");
    const x = upload(gpu, matrices, "B"), warm = createWarmStart(gpu, rank, factors, "warm")!;
    rightSvds(gpu, x, undefined, warm);
    for (const start of [null, warm]) {
      const before = start ? await gpu.download(start.bases.flat) : null;
      const { v, values } = rightSvds(gpu, x, undefined, start, share);
      const after = start ? await gpu.download(start.bases.flat) : null;
      const stored = await gpu.download(values.tensor) as Float32Array;
      const s = matrices.map((_, i) => [...stored.slice(values.at + i * values.block).slice(0, rank)]);
      assertEquals(s.map((own) => own.filter((value) => value < 0).length), [0, 1, 0], `rank ${rank}`);
      const product = (f: "s" | "1/(s²+d)", minShare = 0) =>
        smallProducts(gpu, f === "s" ? null : v, v, { rank, f, values, factors, minShare });
      const roots = await downloadSmall(gpu, product("s"), rank);
      matrices.forEach((matrix, i) =>
        assertClose(
          multiply(roots[i]!, roots[i]!, { transposeA: true }).data,
          multiply(matrix, matrix, { transposeA: true }).data,
          { relative: i === 0 ? 4e-5 : 2e-6 },
          `rank ${rank}, XᵀX of ${i}`,
        )
      );
      const refused = await downloadSmall(gpu, product("1/(s²+d)", share), rank);
      assertEquals(refused.map(({ data }) => data.some((value) => value !== 0)), [true, false, false]);
      // What is not refused has the bits that it has without a share; a warm start of the other one stays as it is.
      const free = rightSvds(gpu, upload(gpu, [matrices[0]!], "B"));
      if (!start) {
        assertEquals((await downloadSmall(gpu, v, rank))[0], (await downloadSmall(gpu, free.v, rank))[0]);
        continue;
      }
      const size = before!.length / 3;
      assertEquals(after!.slice(size), before!.slice(size));
      assertNotEquals(after!.slice(0, size), before!.slice(0, size));
    }
  }
});

Deno.test("tallOverlaps() is XᵀY at any rank and with any number of lanes, of both layouts", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("overlaps");
  for (const which of ["A", "B"] as const) {
    for (const rank of [1, 3, 4, 13, 33]) {
      const xs = ROWS.map((rows, i) => roundToFloat32(randomMatrix(rows, rank, createRandom(i))));
      const ys = ROWS.map((rows, i) => roundToFloat32(randomMatrix(rows, rank, createRandom(50 + i))));
      for (const lanes of [1, 8, 64]) {
        const x = upload(gpu, xs, which), y = upload(gpu, ys, which);
        const found = await downloadSmall(gpu, tallOverlaps(gpu, x, y, lanes), rank);
        xs.forEach((left, i) => {
          const wanted = multiply(left, ys[i]!, { transposeA: true });
          assertClose(
            found[i]!.data,
            wanted.data,
            { relative: 1e-5 },
            `rank ${rank} lanes ${lanes} layer ${i}`,
          );
        });
      }
    }
  }
});

Deno.test("tallProducts() adds two products to what it keeps, and writes nothing between the matrices", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("two products");
  for (const which of ["A", "B"] as const) {
    const rank = 5;
    const make = (seed: number) =>
      ROWS.map((rows, i) => roundToFloat32(randomMatrix(rows, rank, createRandom(seed + i))));
    const [xs, ys, outs] = [make(1), make(11), make(21)] as const;
    const x = upload(gpu, xs, which), y = upload(gpu, ys, which), out = upload(gpu, outs, which);
    const k = tallOverlaps(gpu, x, x), l = tallOverlaps(gpu, y, x);
    tallProducts(gpu, out, [{ x, by: k, scale: 0.5 }, { x: y, by: l, scale: -2 }], 0.25);
    const found = await download(gpu, out, which);
    outs.forEach((kept, i) => {
      const first = multiply(xs[i]!, multiply(xs[i]!, xs[i]!, { transposeA: true }));
      const second = multiply(ys[i]!, multiply(ys[i]!, xs[i]!, { transposeA: true }));
      const wanted = add(add(scale(kept, 0.25), first, 0.5), second, -2);
      assertClose(found[i]!.data, wanted.data, { relative: 1e-5 }, `${which} layer ${i}`);
    });
    const data = await gpu.download(out.flat);
    assertEquals([...data.slice(5, 64)], Array(59).fill(0));
  }
});

Deno.test("tallFactors() refuses ranks above 256", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("rank");
  assertThrows(
    () => tallFactors(gpu, [gpu.zeros([257, 300], "A")], "A"),
    RangeError,
    "Cannot decompose factors of rank 257: at most 256 is supported",
  );
});
