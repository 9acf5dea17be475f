import { assertThrows } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { checkGradients } from "../../tests/support/gradient_check.ts";
import { type Matrix, randomMatrix } from "../../tests/reference/matrix.ts";
import * as reference from "../../tests/reference/network.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { uploadAngles } from "../../tests/support/upload.ts";
import { createGradients } from "../gradients.ts";
import { Tape } from "../tape.ts";
import { attention, relativeBias, relativeRows, relativeScores } from "./attention.ts";

/** Batch, length, query heads, key-value heads, size; causal, rotary. */
const CASES = [
  [1, 1, 1, 1, 2, false, false],
  [2, 5, 2, 2, 4, true, false],
  [1, 7, 4, 2, 6, true, true],
  [2, 3, 6, 1, 2, false, true],
  [1, 13, 1, 1, 8, true, true],
] as const;
const THETA = 50;

Deno.test("attention() has the gradients of central differences: causal or not, grouped heads, with and without rotary", async () => {
  const gpu = await testGpu();
  for (const [batch, length, heads, keyValueHeads, size, causal, rotary] of CASES) {
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
});

Deno.test("attention() has the gradients of central differences over keys of another length, with a mask and a bias", async () => {
  const gpu = await testGpu();
  for (
    const [batch, length, keys, heads, keyValueHeads, size, causal, rotary, masked, biased] of [
      [2, 3, 5, 2, 1, 4, true, true, true, true],
      [2, 4, 3, 2, 2, 3, true, false, false, true],
      [3, 2, 4, 4, 2, 2, false, false, true, true],
      [2, 1, 9, 1, 1, 8, false, true, true, false],
    ] as const
  ) {
    using _ = gpu.scope("angles");
    const random = createRandom(keys), scale = 1 / Math.sqrt(size);
    const mask = random.fork("mask").integers(batch * keys, 2);
    // Nothing of the last sequence takes part.
    mask.fill(0, (batch - 1) * keys);
    const options = {
      ...(rotary ? { angles: uploadAngles(gpu, keys, size, THETA) } : {}),
      ...(masked ? { mask: gpu.upload(mask, "u32", [batch, keys], "mask") } : {}),
    };
    const turn = (x: Matrix, length: number, heads: number) =>
      rotary
        ? reference.rotary(x, { batch, length, heads, headSize: size, theta: THETA, first: keys - length })
        : x;
    const sizes = { length, keys, heads, keyValueHeads, causal, scale };
    await checkGradients({
      inputs: [
        randomMatrix(batch * length, heads * size, random.fork("q")),
        randomMatrix(batch * keys, keyValueHeads * size, random.fork("k")),
        randomMatrix(batch * keys, keyValueHeads * size, random.fork("v")),
        ...(biased ? [randomMatrix(heads * length, keys, random.fork("bias"))] : []),
      ],
      shapes: [undefined, undefined, undefined, [heads, length, keys]],
      operation: (tape, [q, k, v, bias]) =>
        attention(tape, q!, k!, v!, { ...sizes, size, ...options, ...(bias ? { bias } : {}) }),
      reference: ([q, k, v, bias]) =>
        reference.attention(turn(q!, length, heads), turn(k!, keys, keyValueHeads), v!, {
          ...{ ...sizes, batch, headSize: size },
          ...(masked ? { mask } : {}),
          ...(bias ? { bias } : {}),
        }),
      label: `${batch} x ${length} over ${keys}, causal ${causal}, rotary ${rotary}, mask ${masked}`,
    });
  }
});

Deno.test("relativeBias() has the gradients of central differences, alone and through attention", async () => {
  for (const [queries, keys, heads] of [[1, 1, 1], [5, 5, 3], [3, 7, 2], [7, 2, 1], [1, 9, 4]] as const) {
    const random = createRandom(queries);
    const values = randomMatrix(queries + keys - 1, heads, random.fork("values"));
    const spread = (x: Matrix) => reference.relativeBias(x, queries, keys);
    await checkGradients({
      inputs: [values],
      operation: (tape, [x]) => relativeBias(tape, x!, queries, keys),
      reference: ([x]) => spread(x!),
      label: `${queries} x ${keys}, ${heads} heads`,
    });
    // Two sequences, whose scores share the bias; causal ones have no gradient beyond the limit.
    const sizes = { length: queries, keys, heads, keyValueHeads: heads, causal: queries > 1, scale: 1 };
    await checkGradients({
      inputs: [
        randomMatrix(2 * queries, heads * 3, random.fork("q"), 0.5),
        randomMatrix(2 * keys, heads * 3, random.fork("k"), 0.5),
        randomMatrix(2 * keys, heads * 3, random.fork("v")),
        values,
      ],
      operation: (tape, [q, k, v, x]) =>
        attention(tape, q!, k!, v!, { ...sizes, size: 3, bias: relativeBias(tape, x!, queries, keys) }),
      reference: ([q, k, v, x]) =>
        reference.attention(q!, k!, v!, { ...sizes, batch: 2, headSize: 3, bias: spread(x!) }),
      label: `attention, ${queries} x ${keys}, ${heads} heads`,
    });
  }
});

Deno.test("relativeBias() refuses another number of distances", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refusal");
  const tape = new Tape(gpu, createGradients(gpu, [])), x = tape.input(gpu.empty([4, 2], "by distance"));
  assertThrows(
    () => relativeBias(tape, x, 2, 4),
    RangeError,
    'Cannot spread "by distance" [4,2] over 2 queries and 4 keys: 5 rows are needed',
  );
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

Deno.test("attention() by contents and relative positions has the gradients of central differences for all five", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("relative");
  const [batch, length, heads, size, count] = [2, 4, 2, 3, 5], width = heads * size, scale = 0.4;
  const rowOf = (distance: number) => Math.max(0, Math.min(count - 1, distance + 2));
  const map = relativeRows(gpu, length, count, rowOf), random = createRandom(3);
  const draw = (name: string, rows: number) => randomMatrix(rows, width, random.fork(name));
  await checkGradients({
    inputs: [
      ...["q", "k", "v"].map((name) => draw(name, batch * length)),
      ...["qr", "kr"].map((name) => draw(name, count)),
    ],
    operation: (tape, [q, k, v, qr, kr]) => {
      const bias = relativeScores(tape, { q: q!, k: k!, qr: qr!, kr: kr! }, heads, scale, map);
      const sizes = { length, heads, keyValueHeads: heads, size, causal: false, scale };
      return attention(tape, q!, k!, v!, { ...sizes, bias });
    },
    reference: ([q, k, v, qr, kr]) => {
      const out: Matrix = {
        rows: batch * length,
        columns: width,
        data: new Float64Array(batch * length * width),
      };
      for (let b = 0; b < batch; b++) {
        for (let h = 0; h < heads; h++) {
          for (let i = 0; i < length; i++) {
            const dot = (x: Matrix, row: number, y: Matrix, other: number) => {
              let sum = 0;
              for (let d = h * size; d < (h + 1) * size; d++) {
                sum += x.data[row * width + d]! * y.data[other * width + d]!;
              }
              return sum;
            };
            const query = b * length + i;
            const weights = Array.from({ length }, (_, j) => {
              const key = b * length + j, row = rowOf(i - j);
              return Math.exp(
                scale * (dot(q!, query, k!, key) + dot(q!, query, kr!, row) + dot(k!, key, qr!, row)),
              );
            });
            const all = weights.reduce((sum, one) => sum + one, 0);
            for (let d = h * size; d < (h + 1) * size; d++) {
              out.data[query * width + d] = weights.reduce(
                (sum, one, j) => sum + one / all * v!.data[(b * length + j) * width + d]!,
                0,
              );
            }
          }
        }
      }
      return out;
    },
    label: "contents and positions",
  });
});
