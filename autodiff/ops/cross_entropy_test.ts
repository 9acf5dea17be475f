import { createRandom } from "../../numerics/random.ts";
import { checkGradients } from "../../tests/support/gradient_check.ts";
import { matrix, randomMatrix } from "../../tests/reference/matrix.ts";
import * as reference from "../../tests/reference/network.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { crossEntropy } from "./cross_entropy.ts";

Deno.test("crossEntropy() has the gradients of central differences, with ignored targets and any count", async () => {
  const gpu = await testGpu();
  for (const [rows, columns] of [[1, 2], [7, 5], [19, 67]] as const) {
    for (const count of [rows, 100]) {
      using _ = gpu.scope("targets");
      const targets = Array.from(
        createRandom(rows).integers(rows, columns),
        (target, row) => row % 3 === 2 ? -100 : target,
      );
      const on = gpu.upload(Int32Array.from(targets), "i32", [rows], "targets");
      await checkGradients({
        inputs: [randomMatrix(rows, columns, createRandom(columns), 2)],
        operation: (tape, [logits]) => crossEntropy(tape, logits!, on, count),
        reference: ([logits]) => matrix(1, 1, [reference.crossEntropy(logits!, targets, count)]),
        label: `${rows} x ${columns}, count ${count}`,
      });
    }
  }
});
