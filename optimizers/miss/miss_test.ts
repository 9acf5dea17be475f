import { assertEquals, assertLess } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import {
  add,
  matrix,
  multiply,
  randomMatrix,
  subtract,
  transpose,
  zeros,
} from "../../tests/reference/matrix.ts";
import { type AdamMoments, adamwStep } from "../../tests/reference/network.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { onQuadratics } from "../../tests/support/low_rank_problems.ts";
import { relativeError } from "../../tests/support/quadratic.ts";
import { loraFa } from "../lora_fa.ts";
import type { OptimizerModule } from "../optimizer.ts";
import { miss, type MissOptions } from "./miss.ts";

const module = miss as unknown as OptimizerModule;

/** [I I I …], cut at the end. */
function tiled(rank: number, columns: number) {
  return matrix(
    rank,
    columns,
    Array.from(
      { length: rank * columns },
      (_, i) => i % columns % rank === Math.floor(i / columns) ? 1 : 0,
    ),
  );
}

Deno.test("miss follows float64 at ranks 1, 3 and full, from 0 and not, where r divides the inputs and where it doesn't", async () => {
  for (const [rank, rows, columns] of [[1, 9, 30], [3, 20, 13], [6, 6, 6], [5, 5, 14]] as const) {
    const random = createRandom(rank), a = tiled(rank, columns);
    const map = {
      base: randomMatrix(rows, columns, random.fork("base")),
      target: randomMatrix(rows, columns, random.fork("target")),
    };
    for (const start of [zeros(rows, rank), randomMatrix(rows, rank, random.fork("b"))]) {
      await onQuadratics(module, { rank, weightDecay: 0.5 }, [{ ...map, b: start }], async (run) => {
        let d = start, moments: AdamMoments | undefined;
        for (let step = 1; step <= 5; step++) {
          const gradient = subtract(add(map.base, multiply(d, a)), map.target);
          const [found] = await run.gradients();
          const wanted = multiply(multiply(gradient, transpose(a)), a);
          assertClose(found!.equivalent.data, wanted.data, { relative: 1e-5 });
          ({ parameter: d, moments } = adamwStep(d, multiply(gradient, transpose(a)), moments, {
            ...{ step, learningRate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.5 },
          }));
          await run.step(step, 0.05);
          const { weight, a: kept } = await run.readOne();
          assertLess(
            relativeError(weight, add(map.base, multiply(d, a))),
            1e-5,
            `rank ${rank} step ${step}`,
          );
          assertEquals(kept.data, a.data);
        }
      });
    }
  }
});

Deno.test("miss is LoRA-FA without correction at s = 1 from the same A, bit by bit", async () => {
  const random = createRandom(4), rank = 3;
  const map = {
    base: randomMatrix(10, 14, random.fork("base")),
    target: randomMatrix(10, 14, random.fork("target")),
  };
  const trained = (method: OptimizerModule, options: Record<string, number | string>) =>
    onQuadratics(method, options, [{ ...map, a: tiled(rank, 14) }], async (run) => {
      for (let step = 1; step <= 5; step++) await run.step(step, 0.02);
      return await run.readOne();
    });
  const same = { rank, alpha: rank, correction: "none", epsilon: 1e-8 };
  assertEquals(await trained(module, { rank }), await trained(loraFa as unknown as OptimizerModule, same));
});

Deno.test("miss moves every entry of W by the rate in its first step", async () => {
  const random = createRandom(6), base = randomMatrix(8, 15, random.fork("base"));
  await onQuadratics(
    module,
    { rank: 4 },
    [{ base, target: randomMatrix(8, 15, random.fork("t")) }],
    async (run) => {
      await run.step(1, 0.25);
      const moved = subtract((await run.readOne()).weight, base);
      for (const value of moved.data) assertClose([Math.abs(value)], [0.25], { relative: 1e-5 });
    },
  );
});

Deno.test("miss refuses ranks beyond a target module and settings that AdamW refuses", () => {
  const refusal = (options: Partial<MissOptions>) =>
    miss.validate({ ...miss.defaults, ...options }, [{ name: "narrow", in: 6, out: 40 }], 100);
  assertEquals(refusal({ rank: 6 }), null);
  assertEquals(refusal({ rank: 7 }), 'rank is 7, at most 6 is possible at target module "narrow" [40, 6]');
  assertEquals(refusal({ rank: 2, weightDecay: -1 }), "weightDecay is -1, 0 or more is needed");
  assertEquals(miss.describe(miss.defaults), "D repeated along the inputs");
});
