import { assertThrows } from "@std/assert";
import type { Gpu, Tensor } from "../../gpu/mod.ts";
import { createRandom } from "../../numerics/random.ts";
import { checkGradients } from "../../tests/support/gradient_check.ts";
import {
  add,
  fromRows,
  type Matrix,
  matrix,
  multiply,
  randomMatrix,
  scale as times,
  sliceRows,
  toRows,
} from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { createGradients } from "../gradients.ts";
import { Tape } from "../tape.ts";
import { adaptedLinear, linearWith, matmul } from "./matmul.ts";

Deno.test("matmul() has the gradients of central differences: plain, transposed and scaled", async () => {
  for (const [rows, inner, columns] of [[1, 1, 1], [5, 7, 3], [8, 4, 12], [17, 9, 2]] as const) {
    for (const transposeB of [false, true]) {
      for (const scale of [1, -0.5]) {
        const random = createRandom(rows);
        await checkGradients({
          inputs: [
            randomMatrix(rows, inner, random.fork("a")),
            transposeB
              ? randomMatrix(columns, inner, random.fork("b"))
              : randomMatrix(inner, columns, random.fork("b")),
          ],
          operation: (tape, [a, b]) => matmul(tape, a!, b!, { transposeB, scale }),
          reference: ([a, b]) => times(multiply(a!, b!, { transposeB }), scale),
          label: `${rows} x ${inner} x ${columns}, ${transposeB}, ${scale}`,
        });
      }
    }
  }
});

Deno.test("adaptedLinear() has the gradients of central differences by x, A, B and the weight", async () => {
  for (
    const [rows, inside, outside, rank] of [[1, 1, 1, 1], [5, 7, 3, 1], [8, 12, 4, 4], [6, 9, 5, 3], [
      7,
      20,
      18,
      17,
    ]] as const
  ) {
    const random = createRandom(rank);
    await checkGradients({
      inputs: [
        randomMatrix(rows, inside, random.fork("x")),
        randomMatrix(outside, inside, random.fork("weight")),
        randomMatrix(rank, inside, random.fork("a")),
        randomMatrix(outside, rank, random.fork("b")),
      ],
      operation: (tape, [x, weight, a, b]) => adaptedLinear(tape, x!, weight!, a!, b!, -1.5),
      reference: ([x, weight, a, b]) =>
        add(
          multiply(x!, weight!, { transposeB: true }),
          multiply(multiply(x!, a!, { transposeB: true }), b!, { transposeB: true }),
          -1.5,
        ),
      label: `${outside} x ${inside}, rank ${rank}`,
    });
  }
});

Deno.test("linearWith() has the gradients of central differences by x, the addition, B and the weight", async () => {
  for (const [rows, inside, outside, rank] of [[1, 1, 1, 1], [5, 7, 3, 2], [7, 20, 18, 17]] as const) {
    const random = createRandom(rank);
    await checkGradients({
      inputs: [
        randomMatrix(rows, inside, random.fork("x")),
        randomMatrix(outside, inside, random.fork("weight")),
        randomMatrix(rows, rank, random.fork("inner")),
        randomMatrix(outside, rank, random.fork("b")),
      ],
      operation: (tape, [x, weight, inner, b]) =>
        linearWith(tape, x!, weight!, { inner: inner!, b: b!, scale: -1.5 }),
      reference: ([x, weight, inner, b]) =>
        add(
          multiply(x!, weight!, { transposeB: true }),
          multiply(inner!, b!, { transposeB: true }),
          -1.5,
        ),
      label: `${outside} x ${inside}, rank ${rank}`,
    });
  }
});

Deno.test("matmul() and adaptedLinear() multiply by frozen weights of 16-bit floats, and refuse to train them", async () => {
  const rows = 6, inside = 7, outside = 5, random = createRandom(8);
  // Whole numbers, which 16 bits can hold.
  const weight = matrix(
    outside,
    inside,
    randomMatrix(outside, inside, random).data.map((v) => Math.round(8 * v)),
  );
  const half = (gpu: Gpu) =>
    gpu.upload(Float16Array.from(weight.data), "f16", [outside, inside], "half weight");
  await checkGradients({
    inputs: [
      randomMatrix(rows, inside, random.fork("x")),
      randomMatrix(2, inside, random.fork("a")),
      randomMatrix(outside, 2, random.fork("b")),
    ],
    operation: (tape, [x, a, b]) => adaptedLinear(tape, x!, { value: half(tape.gpu) }, a!, b!, 2),
    reference: ([x, a, b]) =>
      add(
        multiply(x!, weight, { transposeB: true }),
        multiply(multiply(x!, a!, { transposeB: true }), b!, { transposeB: true }),
        2,
      ),
  });
  await checkGradients({
    inputs: [randomMatrix(rows, inside, random.fork("x"))],
    operation: (tape, [x]) => matmul(tape, x!, { value: half(tape.gpu) }, { transposeB: true }),
    reference: ([x]) => multiply(x!, weight, { transposeB: true }),
  });
  const gpu = await testGpu();
  using _ = gpu.scope("half weights");
  const tape = new Tape(gpu, createGradients(gpu, []));
  const wanted: { value: Tensor<"f16">; needsGradient: boolean } = { value: half(gpu), needsGradient: true };
  assertThrows(
    () => matmul(tape, tape.input(gpu.zeros([rows, inside], "x")), wanted, { transposeB: true }),
    TypeError,
    'Cannot differentiate by "half weight": it is kept as f16, which cannot be trained',
  );
});

Deno.test("matmul() of batches has the gradients of central differences", async () => {
  const batch = 3, rows = 5, inner = 7, columns = 2, random = createRandom(4);
  for (const transposeB of [false, true]) {
    const [rowsB, columnsB] = transposeB ? [columns, inner] : [inner, columns];
    await checkGradients({
      inputs: [
        randomMatrix(batch * rows, inner, random.fork("a")),
        randomMatrix(batch * rowsB, columnsB, random.fork("b")),
      ],
      shapes: [[batch, rows, inner], [batch, rowsB, columnsB]],
      operation: (tape, [a, b]) => matmul(tape, a!, b!, { transposeB, scale: 2 }),
      reference: ([a, b]) => {
        const part = (m: Matrix, size: number, i: number) => sliceRows(m, i * size, (i + 1) * size);
        const products = Array.from(
          { length: batch },
          (_, i) => multiply(part(a!, rows, i), part(b!, rowsB, i), { transposeB }),
        );
        return times(fromRows(products.flatMap(toRows)), 2);
      },
      label: `batches, ${transposeB}`,
    });
  }
});
