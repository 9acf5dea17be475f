import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { createRandom } from "../numerics/random.ts";
import { assertClose } from "../tests/support/assert_close.ts";
import { golden, goldenMatrix } from "../tests/golden/golden.ts";
import { attachToQuadratics, effectiveWeight, type Quadratic } from "../tests/support/quadratic.ts";
import { equivalentGradient, factorGradients } from "../tests/reference/low_rank.ts";
import { randomMatrix, subtract } from "../tests/reference/matrix.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { lora } from "./lora.ts";
import type { OptimizerModule, Options } from "./optimizer.ts";

const module = lora as OptimizerModule;

function map(rows: number, columns: number): Quadratic {
  const random = createRandom(rows);
  return {
    base: randomMatrix(rows, columns, random.fork("base")),
    target: randomMatrix(rows, columns, random.fork("target")),
  };
}

Deno.test("lora follows torch.optim.AdamW on A and B for five steps from B = 0", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("golden");
  const { problem, start, steps, options } = golden.lora_adamw;
  const run = await attachToQuadratics(gpu, module, { rank: 2, alpha: 2 * options.scale }, [{
    base: goldenMatrix(problem.base),
    target: goldenMatrix(problem.target),
    a: goldenMatrix(start.a),
    b: goldenMatrix(start.b),
  }]);
  for (const [i, expected] of steps.entries()) {
    await run.step(i + 1, options.learningRate);
    const { a, b } = await run.readOne();
    // Five f32 steps; 1 - 0.999 in f32 is off by 1e-5, whose root scales the first directions.
    assertClose(a.data, expected.a.data, { relative: 2e-5 }, `A after step ${i + 1}`);
    assertClose(b.data, expected.b.data, { relative: 2e-5 }, `B after step ${i + 1}`);
  }
});

Deno.test("lora starts with A uniform in ±1/√in, drawn by name and seed, and B zero", async () => {
  const gpu = await testGpu();
  const start = async (seed: number, maps: readonly Quadratic[]) => {
    using _ = gpu.scope("start");
    return await (await attachToQuadratics(gpu, module, { rank: 5 }, maps, { random: createRandom(seed) }))
      .read();
  };
  const [first, second] = await start(1, [map(20, 64), map(20, 64)]);
  const bound = 1 / 8;
  for (const { a, b } of [first!, second!]) {
    assert(b.data.every((value) => value === 0));
    assert(a.data.every((value) => Math.abs(value) <= bound));
    // 320 numbers: the mean square is bound² / 3 give or take a tenth.
    const square = a.data.reduce((sum, value) => sum + value ** 2, 0) / a.data.length;
    assertClose([square], [bound ** 2 / 3], { relative: 0.2 });
  }
  assertNotEquals(first!.a.data, second!.a.data);
  assertEquals((await start(1, [map(20, 64)]))[0]!.a.data, first!.a.data);
  assertNotEquals((await start(2, [map(20, 64)]))[0]!.a.data, first!.a.data);
});

Deno.test("lora's equivalent gradient is s (B dA + dB A) at each target module, at both scalings", async () => {
  const gpu = await testGpu();
  for (const [scaling, scale] of [["alpha/r", 4], ["alpha/sqrt(r)", 8]] as const) {
    using _ = gpu.scope("equivalent gradient");
    const random = createRandom(9);
    const maps = ([[7, 12], [30, 5]] as const).map(([rows, columns]) => ({
      ...map(rows, columns),
      a: randomMatrix(4, columns, random.fork(`a ${rows}`)),
      b: randomMatrix(rows, 4, random.fork(`b ${rows}`)),
    }));
    const run = await attachToQuadratics(gpu, module, { rank: 4, alpha: 16, scaling }, maps);
    (await run.gradients()).forEach(({ equivalent }, i) => {
      const factors = { a: maps[i]!.a, b: maps[i]!.b, scale };
      const gradient = subtract(effectiveWeight(maps[i]!.base, factors.a, factors.b, scale), maps[i]!.target);
      const wanted = equivalentGradient({ ...factors, ...factorGradients(gradient, factors) });
      // Three products in a row of f32.
      assertClose(equivalent.data, wanted.data, { relative: 1e-5 }, `${scaling} map ${i}`);
    });
  }
});

Deno.test("lora refuses ranks beyond a target module, scalings that it does not know and settings that AdamW refuses", () => {
  const targetModules = [{ name: "wide", in: 300, out: 200 }, { name: "narrow", in: 6, out: 40 }];
  const refusal = (options: Options) =>
    lora.validate({ ...lora.defaults, rank: 2, ...options }, targetModules, 100);
  assertEquals(refusal({}), null);
  assertEquals(refusal({ rank: 6 }), null);
  assertEquals(refusal({ rank: 7 }), 'rank is 7, at most 6 is possible at target module "narrow" [40, 6]');
  for (const rank of [0, -1, 1.5, NaN]) {
    assertEquals(refusal({ rank }), `rank is ${rank}, a whole number of 1 or more is needed`);
  }
  assertEquals(refusal({ alpha: 0 }), "alpha is 0, a positive number is needed");
  assertEquals(refusal({ scaling: "1/r" }), 'scaling is "1/r", known are alpha/r, alpha/sqrt(r)');
  assertEquals(refusal({ beta1: 1 }), "beta1 is 1, a number from 0 to below 1 is needed");
});
