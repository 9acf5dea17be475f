import { createRandom } from "../../numerics/random.ts";
import { checkGradients } from "../../tests/gradient_check.ts";
import {
  add,
  fromRows,
  type Matrix,
  multiply,
  randomMatrix,
  scale as times,
  sliceRows,
  toRows,
} from "../../tests/reference/matrix.ts";
import { matmul } from "./matmul.ts";

Deno.test("matmul() has the gradients of central differences: plain, transposed, scaled, and onto another product", async () => {
  for (const [rows, inner, columns] of [[1, 1, 1], [5, 7, 3], [8, 4, 12], [17, 9, 2]] as const) {
    for (const transposeB of [false, true]) {
      for (const scale of [1, -0.5]) {
        for (const onto of [false, true]) {
          const random = createRandom(rows);
          const a = randomMatrix(rows, inner, random.fork("a"));
          const b = transposeB
            ? randomMatrix(columns, inner, random.fork("b"))
            : randomMatrix(inner, columns, random.fork("b"));
          const c = randomMatrix(rows, columns, random.fork("c"));
          await checkGradients({
            inputs: onto ? [a, b, c] : [a, b],
            operation: (tape, [a, b, c]) =>
              matmul(tape, a!, b!, { transposeB, scale, ...(c ? { onto: c } : {}) }),
            reference: ([a, b, c]) => {
              const product = times(multiply(a!, b!, { transposeB }), scale);
              return c ? add(product, c) : product;
            },
            label: `${rows} x ${inner} x ${columns}, ${transposeB}, ${scale}, ${onto}`,
          });
        }
      }
    }
  }
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
