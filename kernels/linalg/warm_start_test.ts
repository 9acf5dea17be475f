import { assert, assertEquals, assertLess } from "@std/assert";
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
  withSingularValues,
  zeros,
} from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { smallStride } from "./layout.ts";
import { keepOrthonormal, tallFactors, thinSvdsInto } from "./tall_matrices.ts";
import { createWarmStart, type WarmStart } from "./warm_start.ts";

type TestGpu = Awaited<ReturnType<typeof testGpu>>;

/** U, s and V of matrices `[rows, rank]` in one buffer, begun at `warm`. */
async function decomposed(gpu: TestGpu, matrices: readonly Matrix[], warm: WarmStart | null, lanes?: number) {
  using _ = gpu.scope("decomposed");
  const { parts } = gpu.pack(matrices.map((m) => ({ label: "X", shape: [m.rows, m.columns] })), "X");
  parts.forEach((part, i) => gpu.write(part, toFloat32(matrices[i]!)));
  const tall = tallFactors(gpu, parts, "B"), { rank } = tall, stride = smallStride(rank);
  const place = rank * stride / 4, block = (3 * rank + 1) * stride / 4;
  const left = gpu.empty(tall.flat.shape, "left"), small = gpu.empty([matrices.length, 4 * block], "small");
  thinSvdsInto(gpu, tall, { left, small, block, vAt: place, rAt: 2 * place, sAt: 3 * place, warm }, lanes);
  const [lefts, smalls] = await gpu.downloadAll([left, small]) as [Float32Array, Float32Array];
  return matrices.map(({ rows }, i) => {
    const own = smalls.subarray(4 * block * i);
    return {
      u: fromFloat32(
        lefts.slice((parts[i]!.offset - parts[0]!.offset) / 4).slice(0, rows * rank),
        rows,
        rank,
      ),
      s: [...own.slice(12 * place).slice(0, rank)],
      v: fromFloat32(
        Float32Array.from(
          { length: rank ** 2 },
          (_, e) => own[4 * place + e % rank * stride + Math.floor(e / rank)]!,
        ),
        rank,
        rank,
      ),
    };
  });
}

async function downloaded(gpu: TestGpu, { bases }: WarmStart): Promise<readonly Matrix[]> {
  const [count, rank, stride] = bases.flat.shape as [number, number, number];
  const values = await gpu.download(bases.flat) as Float32Array;
  return Array.from({ length: count }, (_, i) =>
    fromFloat32(
      Float32Array.from(
        { length: rank ** 2 },
        (_, e) => values[(i * rank + Math.floor(e / rank)) * stride + e % rank]!,
      ),
      rank,
      rank,
    ));
}

const offIdentity = (m: Matrix) =>
  Math.max(
    ...multiply(m, m, { transposeA: true }).data.map((value, e) => {
      const i = Math.floor(e / m.columns), j = e % m.columns;
      return Math.abs(value - Number(i === j));
    }),
  );
/** How far U diag(s) Vᵀ is from X, and U and V from orthonormal. */
function errorsOf(
  { u, s, v }: { readonly u: Matrix; readonly s: readonly number[]; readonly v: Matrix },
  x: Matrix,
): Record<string, number> {
  const scaled = { ...u, data: u.data.map((value, e) => value * s[e % u.columns]!) };
  return {
    product: norm(subtract(multiply(scaled, v, { transposeB: true }), x)) / norm(x),
    u: offIdentity(u),
    v: offIdentity(v),
  };
}
const identity = (rank: number): Matrix => ({
  ...zeros(rank, rank),
  data: zeros(rank, rank).data.map((_, e) => Number(Math.floor(e / rank) === e % rank)),
});

/** Of U, either way of a single draw may be nearly twice as far as the other, as rounding falls. */
const DRAWS = 5;

Deno.test("a warm start leaves thin SVDs as exact as they are without one, and holds the right singular vectors, the largest first, however often it is renewed", async () => {
  const gpu = await testGpu();
  for (const condition of [1e1, 1e4]) {
    for (const [rank, rows, lanes] of [[13, 40, 64], [33, 80, 8], [32, 32, undefined]] as const) {
      const sums = { product: [0, 0], u: [0, 0], v: [0, 0] } as Record<string, [number, number]>;
      for (let draw = 0; draw < DRAWS; draw++) {
        using _ = gpu.scope("warm starts");
        const random = createRandom(rank + 1000 * draw), label = `[${rows}, ${rank}] condition ${condition}`;
        const ones = gpu.upload(Float32Array.of(1, 1), "f32", [2], "ones");
        const warm = createWarmStart(gpu, rank, ones, "warm")!;
        const wanted = Array.from({ length: rank }, (_, i) => condition ** (-i / (rank - 1)));
        let x = withSingularValues(rows, rank, wanted, random);
        // Steps of a thousandth of the matrix, and one that leaves nothing of it.
        for (let step = 0; step < 10; step++) {
          const other = randomMatrix(rows, rank, random), size = step === 6 ? 1 : 1e-3 / condition;
          x = subtract(x, { ...other, data: other.data.map((value) => size * value / Math.sqrt(rows)) });
          const rounded = roundToFloat32(x);
          keepOrthonormal(gpu, warm, step);
          const found = await decomposed(gpu, [rounded, zeros(rows, rank)], warm, lanes);
          const cold = await decomposed(gpu, [rounded, zeros(rows, rank)], null, lanes);
          const errors = errorsOf(found[0]!, rounded), allowed = errorsOf(cold[0]!, rounded);
          for (const [what, error] of Object.entries(errors)) {
            sums[what]![0] += error;
            sums[what]![1] += allowed[what]!;
          }
          assert([...found[1]!.u.data, ...found[1]!.v.data, ...found[1]!.s].every((value) => value === 0));
          const [basis, ofZeros] = await downloaded(gpu, warm) as [Matrix, Matrix];
          assertEquals(ofZeros, identity(rank));
          assertLess(offIdentity(basis), 2e-6, `${label} basis ${step}`);
          const turned = multiply(rounded, basis),
            grams = multiply(turned, turned, { transposeA: true }).data;
          const lengths = Array.from({ length: rank }, (_, j) => Math.sqrt(grams[j * rank + j]!));
          for (const [j, length] of lengths.entries()) {
            assertLess(length, lengths[Math.max(j - 1, 0)]! + 1e-5 * lengths[0]!, `${label} order ${step}`);
            assertLess(
              Math.max(...lengths.map((_, i) => i === j ? 0 : Math.abs(grams[i * rank + j]!))) /
                lengths[0]! ** 2,
              2e-6,
              `${label} cosines ${step}`,
            );
          }
        }
      }
      for (const [what, [warmly, coldly]] of Object.entries(sums)) {
        assertLess(
          warmly / DRAWS,
          1.5 * coldly / DRAWS + 15e-6,
          `[${rows}, ${rank}] condition ${condition} ${what}`,
        );
      }
    }
  }
});

Deno.test("a warm start begins at the identity, which changes no bit, is repeated bit by bit, and returns to the identity where a matrix lacks ranks", async () => {
  const gpu = await testGpu(), random = createRandom(3), rank = 20;
  using _ = gpu.scope("warm starts");
  const ones = gpu.upload(Float32Array.of(1, 1), "f32", [2], "ones");
  const matrices = [50, 31].map((rows) => roundToFloat32(randomMatrix(rows, rank, random)));
  const warm = createWarmStart(gpu, rank, ones, "warm")!, cold = await decomposed(gpu, matrices, null);
  assertEquals(await decomposed(gpu, matrices, warm), cold);
  const again = await decomposed(gpu, matrices, warm);
  const other = createWarmStart(gpu, rank, ones, "other")!;
  await decomposed(gpu, matrices, other);
  assertEquals(await decomposed(gpu, matrices, other), again);
  assertEquals(await downloaded(gpu, other), await downloaded(gpu, warm));
  const low = roundToFloat32(multiply(randomMatrix(31, 5, random), randomMatrix(5, rank, random)));
  const lacks = (await decomposed(gpu, [matrices[0]!, low], warm))[1]!;
  assertEquals(lacks.s.filter((value) => value > 0).length, 5);
  const bases = await downloaded(gpu, warm);
  assertEquals(bases[1], identity(rank));
  assertLess(0.5, norm(subtract(bases[0]!, identity(rank))));
  assertEquals(createWarmStart(gpu, 12, ones, "none"), null);
});

Deno.test("keepOrthonormal() makes bases orthonormal to rounding at one step of four, and leaves them alone at others", async () => {
  const gpu = await testGpu(), random = createRandom(4);
  for (const rank of [13, 32]) {
    using _ = gpu.scope("warm starts");
    const ones = gpu.upload(Float32Array.of(1, 1, 1), "f32", [3], "ones");
    const warm = createWarmStart(gpu, rank, ones, "warm")!, { flat } = warm.bases;
    const identities = await gpu.download(flat) as Float32Array, stride = smallStride(rank);
    const noise = random.normal(identities.length, 1e-4);
    const off = identities.map((value, e) => e % stride < rank ? value + noise[e]! : value);
    gpu.write(flat, off);
    keepOrthonormal(gpu, warm, 3);
    assertEquals(await gpu.download(flat), off);
    for (const basis of await downloaded(gpu, warm)) assertLess(1e-4, offIdentity(basis));
    keepOrthonormal(gpu, warm, 4);
    for (const basis of await downloaded(gpu, warm)) {
      assertLess(offIdentity(basis), 2e-6);
      assertLess(norm(subtract(basis, identity(rank))), 3e-4 * rank);
    }
  }
});
