import { createRandom } from "../../numerics/random.ts";
import { checkGradients } from "../../tests/support/gradient_check.ts";
import { randomMatrix } from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { scaleColumns } from "./scale_columns.ts";

Deno.test("scaleColumns() has the gradients of central differences by x and magnitude, at constant norms", async () => {
  const gpu = await testGpu();
  for (const [rows, columns] of [[1, 1], [3, 4], [5, 7], [2, 67], [67, 3]] as const) {
    using _ = gpu.scope("norms");
    const random = createRandom(columns);
    const norms = randomMatrix(1, columns, random.fork("norms")).data.map((v) =>
      Math.fround(Math.abs(v) + 0.5)
    );
    if (columns > 1) norms[1] = 0;
    const tensor = gpu.upload(Float32Array.from(norms), "f32", [columns], "norms");
    await checkGradients({
      inputs: [randomMatrix(rows, columns, random.fork("x")), randomMatrix(1, columns, random.fork("m"))],
      shapes: [undefined, [columns]],
      operation: (tape, [x, magnitude]) => scaleColumns(tape, x!, magnitude!, tensor),
      reference: ([x, magnitude]) => ({
        ...x!,
        data: x!.data.map((value, i) => {
          const j = i % columns;
          return norms[j] === 0 ? 0 : value * magnitude!.data[j]! / norms[j]!;
        }),
      }),
    });
  }
});
