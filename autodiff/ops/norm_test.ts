import { createRandom } from "../../numerics/random.ts";
import { checkGradients } from "../../tests/support/gradient_check.ts";
import { add, randomMatrix } from "../../tests/reference/matrix.ts";
import * as reference from "../../tests/reference/network.ts";
import { add as plus } from "./elementwise.ts";
import { addLayerNorm, addRmsNorm, layerNorm, rmsNorm } from "./norm.ts";

const SHAPES = [[1, 2], [5, 7], [19, 12], [2, 67]] as const;
const EPSILON = 1e-3;

Deno.test("rmsNorm() has the gradients of central differences", async () => {
  for (const [rows, columns] of [[1, 1], ...SHAPES] as const) {
    const random = createRandom(rows);
    await checkGradients({
      inputs: [
        randomMatrix(rows, columns, random.fork("x")),
        randomMatrix(1, columns, random.fork("weight")),
      ],
      shapes: [undefined, [columns]],
      operation: (tape, [x, weight]) => rmsNorm(tape, x!, weight!, EPSILON),
      reference: ([x, weight]) => reference.rmsNorm(x!, weight!.data, EPSILON),
      label: `${rows} x ${columns}`,
      // A row's gradient is a difference of larger terms: alone in its row, x leaves a share of epsilon.
      relative: columns === 1 ? 1e-3 : 5e-6,
    });
  }
});

Deno.test("layerNorm() has the gradients of central differences", async () => {
  for (const [rows, columns] of SHAPES) {
    const random = createRandom(rows + 1);
    await checkGradients({
      inputs: ["x", "weight", "bias"].map((label) =>
        randomMatrix(label === "x" ? rows : 1, columns, random.fork(label))
      ),
      shapes: [undefined, [columns], [columns]],
      operation: (tape, [x, weight, bias]) => layerNorm(tape, x!, weight!, bias!, EPSILON),
      reference: ([x, weight, bias]) => reference.layerNorm(x!, weight!.data, bias!.data, EPSILON),
      label: `${rows} x ${columns}`,
      // With two columns the normalized row is (1, -1) but for epsilon, and so is little of the gradient left.
      relative: columns === 2 ? 1e-3 : 5e-6,
    });
  }
});

Deno.test("addRmsNorm() and addLayerNorm() have the gradients of central differences, where both results go on", async () => {
  for (const [rows, columns] of SHAPES) {
    const random = createRandom(rows + 2);
    const draw = (label: string) => randomMatrix(label.length > 1 ? 1 : rows, columns, random.fork(label));
    // With two columns the normalized row is (1, -1) but for epsilon, and so is little of the gradient left.
    const relative = columns === 2 ? 1e-3 : 5e-6;
    await checkGradients({
      inputs: ["x", "y", "weight"].map(draw),
      shapes: [undefined, undefined, [columns]],
      operation(tape, [x, y, weight]) {
        const { sum, normed } = addRmsNorm(tape, x!, y!, weight!, EPSILON);
        return plus(tape, sum, normed);
      },
      reference([x, y, weight]) {
        const sum = add(x!, y!);
        return add(sum, reference.rmsNorm(sum, weight!.data, EPSILON));
      },
      label: `RMS, ${rows} x ${columns}`,
      relative,
    });
    await checkGradients({
      inputs: ["x", "y", "weight", "bias"].map(draw),
      shapes: [undefined, undefined, [columns], [columns]],
      operation(tape, [x, y, weight, bias]) {
        const { sum, normed } = addLayerNorm(tape, x!, y!, weight!, bias!, EPSILON);
        return plus(tape, sum, normed);
      },
      reference([x, y, weight, bias]) {
        const sum = add(x!, y!);
        return add(sum, reference.layerNorm(sum, weight!.data, bias!.data, EPSILON));
      },
      label: `layer, ${rows} x ${columns}`,
      relative,
    });
  }
});
