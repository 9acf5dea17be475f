import { assertEquals, assertThrows } from "@std/assert";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { type Matrix, matrix, multiply, randomMatrix, scale as times } from "../../tests/reference/matrix.ts";
import * as reference from "../../tests/reference/network.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { upload } from "../../tests/support/upload.ts";
import { createGradients } from "../gradients.ts";
import { Tape } from "../tape.ts";
import { crossEntropy } from "./cross_entropy.ts";
import { linearCrossEntropy, outputLogits, rowsAtOnce } from "./output.ts";

/** One loss, on the GPU and in float64. */
interface Case {
  readonly rows: number;
  readonly width: number;
  readonly vocabulary: number;
  readonly scale?: number;
  readonly cap?: number;
}

/** Odd sizes beside even ones; rows that fill parts and that do not. */
const CASES: readonly Case[] = [
  { rows: 1, width: 3, vocabulary: 5 },
  { rows: 63, width: 9, vocabulary: 70, scale: -0.5 },
  { rows: 65, width: 12, vocabulary: 67, cap: 3 },
  { rows: 130, width: 33, vocabulary: 129, scale: 0.25, cap: 1.5 },
  // The whole fills the adapter, and its parts by themselves would be split along the inner axis.
  { rows: 300, width: 200, vocabulary: 600 },
];

function inputsOf({ rows, width, vocabulary }: Case) {
  const random = createRandom(rows + vocabulary);
  const targets = Array.from(
    random.integers(rows, vocabulary),
    (target, row) => row % 3 === 1 ? -100 : target,
  );
  const x = randomMatrix(rows, width, random.fork("x")),
    w = randomMatrix(vocabulary, width, random.fork("w"));
  return { x, w, targets, count: rows + 2 };
}

/** Loss and gradients in float64; the loss's own gradient is 0.5. */
function exact({ scale = 1, cap, ...sizes }: Case) {
  const { x, w, targets, count } = inputsOf({ scale, ...sizes });
  const logits = times(multiply(x, w, { transposeB: true }), scale);
  const bend = (f: (value: number) => number): Matrix =>
    matrix(logits.rows, logits.columns, logits.data.map(f));
  const bent = cap === undefined ? logits : bend((value) => cap * Math.tanh(value / cap));
  const dBent = times(reference.crossEntropyGradient(bent, targets, count), 0.5);
  const slopes = cap === undefined ? null : bend((value) => 1 - Math.tanh(value / cap) ** 2);
  const data = dBent.data.map((value, i) => value * (slopes?.data[i] ?? 1) * scale);
  const dLogits = matrix(logits.rows, logits.columns, data);
  return {
    loss: reference.crossEntropy(bent, targets, count),
    dX: multiply(dLogits, w),
    dW: multiply(dLogits, x, { transposeA: true }),
  };
}

/** The same on the GPU, in parts of so many rows, or by whole logits where there are none. */
async function onGpu(gpu: Gpu, { scale = 1, cap, ...sizes }: Case, rows: number | null) {
  using _ = gpu.scope("linear cross entropy");
  const { x, w, targets, count } = inputsOf({ scale, ...sizes });
  const on = gpu.upload(Int32Array.from(targets), "i32", [targets.length], "targets");
  const gradient = gpu.upload(Float32Array.of(0.5), "f32", [1], "seed");
  const weight = { name: "w", value: upload(gpu, w, "w") }, store = createGradients(gpu, [weight]);
  const tape = new Tape(gpu, store), states = tape.input(upload(gpu, x, "x"));
  const map = { weight: tape.parameter(weight), scale, ...(cap === undefined ? {} : { cap }) };
  const loss = rows === null
    ? crossEntropy(tape, outputLogits(tape, states, map), on, count)
    : linearCrossEntropy(tape, states, map, on, { count, gradient, rows });
  tape.backward(loss, gradient);
  const found = [loss.value, tape.gradientOf(states)!, store.of(weight)];
  const [[value], dX, dW] = await gpu.downloadAll(found) as [Float32Array, Float32Array, Float32Array];
  return { loss: value!, dX, dW };
}

Deno.test("linearCrossEntropy() and its gradients agree with float64, in parts of rows of any shape, scaled and bent", async () => {
  const gpu = await testGpu();
  for (const one of CASES) {
    const wanted = exact(one), found = await onGpu(gpu, one, 64), label = JSON.stringify(one);
    assertClose([found.loss], [wanted.loss], { relative: 2e-6 }, label);
    assertClose(found.dX, wanted.dX.data, { relative: 5e-6 }, label);
    assertClose(found.dW, wanted.dW.data, { relative: 5e-6 }, label);
  }
});

Deno.test("linearCrossEntropy() has the bits of whole logits: all in one part, but for the weight's gradient in several", async () => {
  const gpu = await testGpu();
  for (const one of CASES) {
    const whole = await onGpu(gpu, one, null), label = JSON.stringify(one);
    assertEquals(await onGpu(gpu, one, 320), whole, label);
    const { loss, dX } = await onGpu(gpu, one, 64);
    assertEquals({ loss, dX }, { loss: whole.loss, dX: whole.dX }, label);
  }
});

Deno.test("linearCrossEntropy() gives a gradient to those alone that want one, and adds to a parameter's", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("who gets a gradient");
  const { x, w, targets, count } = inputsOf(CASES[1]!), wanted = exact({ ...CASES[1]!, scale: 1 });
  const on = gpu.upload(Int32Array.from(targets), "i32", [targets.length], "targets");
  const gradient = gpu.upload(Float32Array.of(0.5), "f32", [1], "seed");
  const options = { count, gradient, rows: 64 };
  const tapeOf = () => new Tape(gpu, createGradients(gpu, []));
  const [states, weight] = [upload(gpu, x, "x"), upload(gpu, w, "w")];
  for (const [wantsX, wantsW] of [[true, false], [false, true]] as const) {
    const tape = tapeOf();
    const [x, w] = [[wantsX, states], [wantsW, weight]].map(([wants, value]) =>
      wants ? tape.input(value as Tensor) : tape.constant(value as Tensor)
    );
    tape.backward(linearCrossEntropy(tape, x!, { weight: w! }, on, options), gradient);
    assertEquals([tape.gradientOf(x!) !== null, tape.gradientOf(w!) !== null], [wantsX, wantsW]);
  }
  const parameter = { name: "w", value: weight }, store = createGradients(gpu, [parameter]);
  for (let part = 0; part < 2; part++) {
    const tape = new Tape(gpu, store), map = { weight: tape.parameter(parameter) };
    tape.backward(linearCrossEntropy(tape, tape.constant(states), map, on, options), gradient);
  }
  assertClose(await gpu.download(store.of(parameter)), times(wanted.dW, 2).data, { relative: 5e-6 });
  // What nobody differentiates needs no gradient, and a frozen weight may be in fewer bits.
  const tape = tapeOf();
  const { value } = linearCrossEntropy(tape, tape.constant(states), { weight: tape.constant(weight) }, on, {
    count,
  });
  assertClose(await gpu.download(value), [wanted.loss], { relative: 2e-6 });
});

Deno.test("linearCrossEntropy() refuses to be differentiated without the gradient that it needs, and with another", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refusals");
  const tape = new Tape(gpu, createGradients(gpu, [])), x = tape.input(gpu.zeros([3, 4], "x"));
  const map = { weight: tape.constant(gpu.zeros([5, 4], "w")) };
  const targets = gpu.upload(Int32Array.of(0, 1, 2), "i32", [3], "targets");
  assertThrows(
    () => linearCrossEntropy(tape, x, map, targets, { count: 3 }),
    TypeError,
    'Cannot differentiate the loss of "x": its own gradient is not given',
  );
  const loss = linearCrossEntropy(tape, x, map, targets, { count: 3, gradient: gpu.zeros([1], "seed") });
  assertThrows(
    () => tape.backward(loss, gpu.zeros([1], "another")),
    Error,
    "Cannot run backward from a loss with another gradient than it was formed with",
  );
});

Deno.test("linearCrossEntropy() holds a part of the logits at a time, whatever the rows", async () => {
  const gpu = await testGpu(), peaks = [];
  for (const rows of [128, 1024]) {
    using _ = gpu.scope("peak");
    const tape = new Tape(gpu, createGradients(gpu, [])), x = tape.input(gpu.zeros([rows, 8], "x"));
    const map = { weight: tape.constant(gpu.zeros([4096, 8], "w")) };
    const targets = gpu.upload(new Int32Array(rows), "i32", [rows], "targets");
    const gradient = gpu.upload(Float32Array.of(1), "f32", [1], "seed");
    gpu.resetPeak();
    const before = gpu.memory.liveBytes;
    linearCrossEntropy(tape, x, map, targets, { count: rows, gradient, rows: 128 });
    peaks.push(gpu.memory.peakBytes - before);
  }
  // Two tensors of 2 MiB; what grows with the rows are their losses and their gradients, 36 KiB at most.
  const [few, many] = peaks as [number, number];
  assertEquals([few, many].map((bytes) => Math.round(bytes / 2 ** 21)), [2, 2]);
});

Deno.test("rowsAtOnce() leaves few logits whole, and takes 64 rows at least", () => {
  assertEquals([56, 32_128, 128_256, 262_144, 10 ** 7].map(rowsAtOnce), [299_584, 512, 128, 64, 64]);
});
