import { assert, assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { type Matrix, matrix, randomMatrix, scale } from "../../tests/reference/matrix.ts";
import * as reference from "../../tests/reference/network.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { stretchOf, upload } from "../../tests/support/upload.ts";
import { crossEntropy, crossEntropyBackward } from "./cross_entropy.ts";

const SHAPES = [[1, 1], [1, 1009], [3, 64], [5, 65], [67, 7], [130, 200], [2, 4099]] as const;
const LANES = [1, 4, 64] as const;

/** Loss and gradient on the GPU; the loss's own gradient is `upstream`. */
async function onGpu(
  logits: Matrix,
  targets: readonly number[],
  count: number,
  upstream = 1,
  lanes?: number,
) {
  const gpu = await testGpu();
  using _ = gpu.scope("cross entropy");
  const x = upload(gpu, logits, "logits"),
    wanted = gpu.upload(Int32Array.from(targets), "i32", [targets.length], "targets");
  const { loss, normalizers } = crossEntropy(gpu, x, wanted, count, lanes ? { lanes } : {});
  const g = gpu.upload(Float32Array.of(upstream), "f32", [1], "g");
  const [value, gradient] = await gpu.downloadAll([
    loss,
    crossEntropyBackward(gpu, x, wanted, normalizers, count, g),
  ]);
  return { loss: value![0]!, gradient: gradient! };
}

Deno.test("crossEntropy() and its gradient agree with float64 for any rows, columns and lanes, ignored targets too", async () => {
  for (const [rows, columns] of SHAPES) {
    const random = createRandom(rows + columns), logits = randomMatrix(rows, columns, random.fork("x"), 3);
    const targets = Array.from(
      random.integers(rows, columns),
      (target, row) => row % 3 === 1 ? -100 : target,
    );
    const count = targets.filter((target) => target >= 0).length;
    const loss = reference.crossEntropy(logits, targets, count);
    const gradient = scale(reference.crossEntropyGradient(logits, targets, count), -0.5);
    for (const lanes of LANES) {
      const found = await onGpu(logits, targets, count, -0.5, lanes);
      // Up to 4,099 exponentials a row in f32, and the mean of up to 130 rows.
      assertClose(
        [found.loss],
        [loss],
        { relative: 1e-6, absolute: 1e-6 },
        `${rows} x ${columns}, ${lanes} lanes`,
      );
      assertClose(found.gradient, gradient.data, { relative: 3e-6 }, `${rows} x ${columns}, ${lanes} lanes`);
    }
  }
});

Deno.test("crossEntropy() of ignored rows alone is 0 with a gradient of 0, for any negative target", async () => {
  const logits = randomMatrix(5, 6, createRandom(1));
  const { loss, gradient } = await onGpu(logits, [-100, -1, -2, -100, -(2 ** 31)], 3);
  assertEquals([loss, gradient.findIndex((value) => value !== 0)], [0, -1]);
});

Deno.test("crossEntropy() stays finite for huge logits and for classes ruled out", async () => {
  const logits = matrix(3, 3, [1e4, -1e4, 9_999, -5e3, -5e3, -5e3, 2, -Infinity, 2]);
  for (const lanes of LANES) {
    const { loss, gradient } = await onGpu(logits, [0, 1, 2], 1, 1, lanes);
    const wanted = reference.crossEntropy(logits, [0, 1, 2], 1);
    // A row's normalizer is kept in two parts, so that probabilities stay exact at any size of logits.
    assertClose([loss], [wanted], { relative: 1e-6 });
    assertClose(gradient, reference.crossEntropyGradient(logits, [0, 1, 2], 1).data, { relative: 1e-6 });
  }
});

Deno.test("crossEntropy() is not finite where a logit is not, so that divergence shows, but ignored rows hide theirs", async () => {
  for (const bad of [NaN, Infinity]) {
    for (const [place, target] of [[0, 1], [1, 1], [2, 1]] as const) {
      const logits = matrix(2, 3, [1, 2, 3, 1, 2, 3].map((value, i) => i === place ? bad : value));
      for (const lanes of LANES) {
        const { loss, gradient } = await onGpu(logits, [target, 0], 2, 1, lanes);
        assert(!Number.isFinite(loss), `${bad} at ${place}: loss ${loss}`);
        assert(!gradient.subarray(0, 3).every(Number.isFinite), `${bad} at ${place}: gradient ${gradient}`);
        assert(gradient.subarray(3).every(Number.isFinite));
        const ignored = await onGpu(logits, [-100, 0], 1, 1, lanes);
        assert(Number.isFinite(ignored.loss) && ignored.gradient.every(Number.isFinite));
      }
    }
  }
});

Deno.test("crossEntropy() and its gradient reach every row beyond 65,535 workgroups", async () => {
  const gpu = await testGpu();
  for (const [rows, lanes] of [[65_535 + 5_003, 64], [65_535 * 64 + 1_777, 1]] as const) {
    using _ = gpu.scope("many rows");
    const data = new Float32Array(2 * rows), targets = new Int32Array(rows);
    let total = 0;
    for (let row = 0; row < rows; row++) {
      data[2 * row] = row % 8_191 / 1_024;
      data[2 * row + 1] = row % 1_021 / 256;
      targets[row] = row % 5 === 0 ? -100 : row % 2;
      const wrong = data[2 * row + 1 - row % 2]! - data[2 * row + row % 2]!;
      total += row % 5 === 0 ? 0 : Math.log1p(Math.exp(wrong));
    }
    const x = gpu.upload(data, "f32", [rows, 2], "logits"),
      on = gpu.upload(targets, "i32", [rows], "targets");
    const { loss, normalizers } = crossEntropy(gpu, x, on, rows, { lanes });
    const gradient = crossEntropyBackward(
      gpu,
      x,
      on,
      normalizers,
      rows,
      gpu.upload(Float32Array.of(rows), "f32", [1], "g"),
    );
    // Each of 64 lanes adds up to 65,564 losses one by one in f32.
    assertClose(await gpu.download(loss), [total / rows], { relative: 1e-4 });
    for (const first of [0, Math.floor(rows / 128) * 64, rows - rows % 32 - 32]) {
      const count = Math.min(64, rows - first),
        logits = matrix(count, 2, data.subarray(2 * first, 2 * (first + count)));
      const wanted = reference.crossEntropyGradient(logits, targets.subarray(first, first + count), 1);
      assertClose(await gpu.download(stretchOf(gradient, 2 * first, 2 * count)), wanted.data, {
        relative: 2e-6,
      });
    }
  }
});

Deno.test("crossEntropy() refuses another number of targets", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refusal");
  const logits = gpu.empty([4, 3], "logits"), targets = gpu.empty([3], "targets", "i32");
  assertThrows(
    () => crossEntropy(gpu, logits, targets, 3),
    RangeError,
    'Cannot score "logits" [4,3] against 3 targets',
  );
});
