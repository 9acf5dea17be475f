import { assertThrows } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { checkGradients } from "../../tests/gradient_check.ts";
import { type Matrix, randomMatrix } from "../../tests/reference/matrix.ts";
import * as reference from "../../tests/reference/network.ts";
import { testGpu } from "../../tests/test_gpu.ts";
import { uploadAngles } from "../../tests/upload.ts";
import { createGradients } from "../gradients.ts";
import { Tape } from "../tape.ts";
import { attention } from "./attention.ts";

/** Batch, length, query heads, key-value heads and size. */
const SHAPES = [[1, 1, 1, 1, 2], [2, 5, 2, 2, 4], [1, 7, 4, 2, 6], [2, 3, 6, 1, 2], [
  1,
  13,
  1,
  1,
  10,
]] as const;
const THETA = 50;

Deno.test("attention() has the gradients of central differences: causal or not, grouped heads, with and without rotary", async () => {
  const gpu = await testGpu();
  for (const [batch, length, heads, keyValueHeads, size] of SHAPES) {
    for (const causal of [false, true]) {
      for (const rotary of [false, true]) {
        using _ = gpu.scope("angles");
        const angles = rotary ? { angles: uploadAngles(gpu, length, size, THETA) } : {};
        const random = createRandom(length), scale = 1 / Math.sqrt(size);
        const turn = (x: Matrix, heads: number) =>
          rotary ? reference.rotary(x, { batch, length, heads, headSize: size, theta: THETA }) : x;
        await checkGradients({
          inputs: [heads, keyValueHeads, keyValueHeads].map((count, i) =>
            randomMatrix(batch * length, count * size, random.fork(`${i}`))
          ),
          operation: (tape, [q, k, v]) =>
            attention(tape, q!, k!, v!, { length, heads, keyValueHeads, size, causal, scale, ...angles }),
          reference: ([q, k, v]) =>
            reference.attention(turn(q!, heads), turn(k!, keyValueHeads), v!, {
              ...{ batch, length, heads, keyValueHeads, headSize: size, causal, scale },
            }),
          label:
            `${batch} x ${length}, ${heads} and ${keyValueHeads} heads of ${size}, causal ${causal}, rotary ${rotary}`,
        });
      }
    }
  }
});

Deno.test("attention() refuses key-value heads that do not divide the heads", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refusal");
  const tape = new Tape(gpu, createGradients(gpu, [])), x = tape.input(gpu.empty([4, 6], "x"));
  assertThrows(
    () =>
      attention(tape, x, x, x, { length: 4, heads: 3, keyValueHeads: 2, size: 2, causal: true, scale: 1 }),
    RangeError,
    "Cannot share 2 key-value heads among 3 heads",
  );
});
