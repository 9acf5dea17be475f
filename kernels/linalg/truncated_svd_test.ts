import { assert, assertEquals, assertRejects } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { truncatedSvdOnHost } from "../../numerics/svd.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import {
  identity,
  type Matrix,
  matrix,
  multiply,
  norm,
  randomMatrix,
  roundToFloat32,
  subtract,
  withSingularValues,
  zeros,
} from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { upload } from "../../tests/support/upload.ts";
import { truncatedSvd, type TruncatedSvdOptions } from "./truncated_svd.ts";

/** The decomposition's factors as matrices; nothing may be left on the GPU. */
async function decompose(m: Matrix, count: number, options: TruncatedSvdOptions = {}) {
  const gpu = await testGpu();
  using _ = gpu.scope("decompose");
  const x = upload(gpu, m, "m"), before = gpu.memory.liveBytes;
  const { left, values, right } = await truncatedSvd(gpu, x, count, createRandom(1), options);
  assertEquals(gpu.memory.liveBytes, before);
  return { left: matrix(m.rows, count, left), values, right: matrix(count, m.columns, right) };
}

/** Sine of the largest angle between two subspaces with orthonormal columns, at most: ‖(I − U Uᵀ) V‖. */
function angle(u: Matrix, v: Matrix): number {
  return norm(subtract(v, multiply(u, multiply(u, v, { transposeA: true }))));
}

Deno.test("truncatedSvd() finds by random subspaces what it finds exactly, where values decay", async () => {
  for (const [rows, columns, count] of [[150, 200, 8], [211, 131, 3], [131, 257, 16]] as const) {
    const decay = Array.from({ length: 40 }, (_, i) => 0.7 ** i);
    const m = roundToFloat32(withSingularValues(rows, columns, decay, createRandom(rows)));
    const exact = await decompose(m, count, { method: "exact" });
    const found = await decompose(m, count, { method: "randomized" });
    // Products in f32: 1e-6 of the largest value, and neighbouring values differ by a factor of 0.7.
    assertClose(found.values, exact.values, { relative: 2e-6 });
    assertClose(found.values, decay.slice(0, count), { relative: 2e-6 });
    for (const k of [1, count]) {
      const first = (u: Matrix) =>
        matrix(
          u.rows,
          k,
          Array.from({ length: u.rows * k }, (_, i) => u.data[Math.floor(i / k) * count + i % k]!),
        );
      const sine = angle(first(exact.left), first(found.left));
      assert(sine < 3e-6 / 0.7 ** k, `${k} of ${count} left vectors are off by ${sine}`);
    }
    // Signs are fixed, so vectors themselves agree.
    assertClose(found.right.data, exact.right.data, { relative: 1e-5 / 0.7 ** count });
    assertClose(multiply(found.left, found.left, { transposeA: true }).data, identity(count).data, {
      relative: 1e-6,
    });
  }
});

Deno.test("truncatedSvd() is close to the best approximation where values hardly decay", async () => {
  const m = randomMatrix(140, 160, createRandom(2)), count = 8;
  const residual = ({ left }: { readonly left: Matrix }) =>
    norm(subtract(m, multiply(left, multiply(left, m, { transposeA: true }))));
  const best = residual(await decompose(m, count, { method: "exact" }));
  const found = residual(await decompose(m, count, { method: "randomized" }));
  // Four iterations on twice the vectors; a random matrix is the worst case for them.
  assert(found < 1.01 * best, `residual ${found}, ${best} is the least`);
});

Deno.test("truncatedSvd() takes odd shapes exactly: vectors, thin and small matrices, and a subspace as large as the matrix", async () => {
  for (
    const [rows, columns, count] of [
      [1, 1, 1],
      [1, 5, 1],
      [5, 1, 1],
      [131, 17, 5],
      [17, 131, 17],
      [7, 3, 2],
      [300, 150, 90],
    ] as const
  ) {
    const m = randomMatrix(rows, columns, createRandom(rows)), host = truncatedSvdOnHost(m, count);
    const found = await decompose(m, count, count === 90 ? { method: "randomized" } : {});
    assertEquals([found.values, found.left.data, found.right.data], [host.values, host.left, host.right]);
  }
});

Deno.test("truncatedSvd() chooses random subspaces by itself for large matrices, alike for equal keys", async () => {
  const m = roundToFloat32(withSingularValues(160, 144, [5, 4, 3, 2, 1], createRandom(3)));
  const [chosen, randomized] = [await decompose(m, 2), await decompose(m, 2, { method: "randomized" })];
  assertEquals(chosen, randomized);
});

Deno.test("truncatedSvd() stays finite for matrices of low rank and for zero", async () => {
  const low = roundToFloat32(withSingularValues(150, 170, [2, 1], createRandom(4)));
  for (const [m, values] of [[low, [2, 1, 0, 0]], [zeros(150, 170), [0, 0, 0, 0]]] as const) {
    const found = await decompose(m, 4, { method: "randomized" });
    assertClose(found.values, values, { relative: 2e-6, absolute: 1e-30 });
    assert([...found.left.data, ...found.right.data].every(Number.isFinite));
  }
});

Deno.test("truncatedSvd() refuses more vectors than there are", async () => {
  await assertRejects(
    () => decompose(zeros(4, 3), 4),
    RangeError,
    "Cannot take 4 singular vectors of a [4, 3] matrix",
  );
});
