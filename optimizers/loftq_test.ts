import { assert, assertRejects } from "@std/assert";
import { type LowPrecision, lowPrecision, type Tensor } from "../gpu/tensor.ts";
import { fromInt8, toInt8 } from "../numerics/int8.ts";
import { fromNf4, toNf4 } from "../numerics/nf4.ts";
import { createRandom } from "../numerics/random.ts";
import { toFloat } from "../kernels/mod.ts";
import type { TargetModule } from "../models/model.ts";
import { assertClose } from "../tests/support/assert_close.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import {
  type Matrix,
  matrix,
  multiply,
  norm,
  randomMatrix,
  roundToFloat32,
  scale as times,
  subtract,
  toFloat32,
} from "../tests/reference/matrix.ts";
import * as optimizers from "./mod.ts";
import type { OptimizerModule, Options } from "./optimizer.ts";

const TYPES = ["int8", "nf4"] as const;
type Type = typeof TYPES[number];
/** What quantizing keeps, in float64; both ways of it have tests of their own. */
const quantized = (m: Matrix, type: Type): Matrix => {
  const data = toFloat32(m), count = data.length;
  const kept = type === "int8" ? fromInt8(toInt8(data), count) : fromNf4(toNf4(data), count);
  return matrix(m.rows, m.columns, kept);
};

/** A module's start on weights `given`, quantized: the effective weights, factors' products and bases. */
async function started(module: OptimizerModule, given: readonly Matrix[], type: LowPrecision, options: {
  readonly steps: number;
  readonly options?: Options;
}) {
  const gpu = await testGpu();
  using _ = gpu.scope("LoftQ");
  const targetModules = given.map((m, i): TargetModule => {
    const value = gpu.empty([m.rows, m.columns], `map ${i}`, type);
    gpu.write(value, lowPrecision(toFloat32(m), type));
    return { name: `map ${i}`, weight: { name: `map ${i}`, value }, in: m.columns, out: m.rows };
  });
  const optimizer = await module.attach({
    ...{ gpu, targetModules, parameters: [], head: [], steps: 3, random: createRandom(1) },
    async *fullGradients() {},
    async *inputMoments() {},
    ...options.steps > 0 && {
      loftq: {
        steps: options.steps,
        weightOf: (targetModule) => toFloat32(given[targetModules.indexOf(targetModule)]!),
      },
    },
  }, { ...module.defaults, ...options.options });
  const out = [];
  for (const [i, targetModule] of targetModules.entries()) {
    const { rows, columns } = given[i]!, factors = optimizer.factors(targetModule)!;
    const weight = await gpu.download(optimizer.effectiveWeight(targetModule));
    const base = await gpu.download(toFloat(gpu, targetModule.weight.value as Tensor<Type>));
    const [a, b] = await gpu.downloadAll([factors.a.value, factors.b.value]) as [Float32Array, Float32Array];
    const rank = factors.a.value.shape[0]!;
    out.push({
      weight: matrix(rows, columns, weight),
      base: matrix(rows, columns, base),
      product: times(multiply(matrix(rows, rank, b), matrix(rank, columns, a)), factors.scale),
    });
  }
  return out;
}

/** The best approximation of rank r in float64, by power iterations of a subspace: no decomposition that the start uses. */
function best(m: Matrix, rank: number): Matrix {
  let basis = orthonormal(multiply(m, randomMatrix(m.columns, m.rows, createRandom(7))));
  for (let i = 0; i < 400; i++) basis = orthonormal(multiply(m, multiply(m, basis, { transposeA: true })));
  const first = matrix(
    m.rows,
    rank,
    Float64Array.from(
      { length: m.rows * rank },
      (_, i) => basis.data[Math.floor(i / rank) * basis.columns + i % rank]!,
    ),
  );
  return multiply(first, multiply(first, m, { transposeA: true }));
}

/** Gram-Schmidt, twice. */
function orthonormal({ rows, columns, data }: Matrix): Matrix {
  const out = Float64Array.from(data), at = (i: number, j: number) => i * columns + j;
  for (let j = 0; j < columns; j++) {
    for (let again = 0; again < 2; again++) {
      for (let k = 0; k < j; k++) {
        let dot = 0;
        for (let i = 0; i < rows; i++) dot += out[at(i, j)]! * out[at(i, k)]!;
        for (let i = 0; i < rows; i++) out[at(i, j)]! -= dot * out[at(i, k)]!;
      }
    }
    let square = 0;
    for (let i = 0; i < rows; i++) square += out[at(i, j)]! ** 2;
    for (let i = 0; i < rows; i++) out[at(i, j)]! /= Math.sqrt(square) || 1;
  }
  return matrix(rows, columns, out);
}

/** Algorithm 1 in float64. */
function wantedStart(given: Matrix, rank: number, steps: number, type: Type) {
  let product = matrix(given.rows, given.columns, new Float64Array(given.rows * given.columns));
  let base = product;
  for (let step = 0; step < steps; step++) {
    base = quantized(roundToFloat32(subtract(given, product)), type);
    product = best(subtract(given, base), rank);
  }
  return { base, product };
}

const lora = optimizers.lora as unknown as OptimizerModule;
const given = [[12, 20], [33, 9], [10, 7]].map(([rows, columns], i) =>
  roundToFloat32(randomMatrix(rows!, columns!, createRandom(i)))
);

Deno.test("LoftQ's start is algorithm 1 in float64, for both kinds of quantized weights, ranks and odd shapes", async () => {
  for (const type of TYPES) {
    for (const [rank, steps] of [[1, 1], [3, 1], [2, 3]] as const) {
      const found = await started(lora, given, type, { steps, options: { rank, alpha: 5 } });
      found.forEach(({ base, product, weight }, i) => {
        const wanted = wantedStart(given[i]!, rank, steps, type),
          label = `${type}, map ${i}, rank ${rank}, ${steps}`;
        // From the second step on a rounding may take a number to the next code: none does here.
        assertClose(base.data, wanted.base.data, { relative: 1e-6 }, `Q ${label}`);
        const lost = norm(subtract(given[i]!, wanted.base));
        assert(norm(subtract(product, wanted.product)) < 2e-4 * lost, `B A ${label}`);
        const whole = wanted.base.data.map((value, at) => value + product.data[at]!);
        assertClose(weight.data, whole, { relative: 1e-6 }, `effective weight ${label}`);
      });
    }
  }
});

Deno.test("LoftQ's start comes nearer to the weight than quantizing does, with a higher rank nearer still, in every method that takes it", async () => {
  const taking = (Object.values(optimizers) as unknown as OptimizerModule[]).filter(({ takesLoftq }) =>
    takesLoftq
  );
  assert(taking.length >= 10);
  for (const module of taking) {
    const distances = [];
    for (const [steps, rank] of [[0, 2], [1, 2], [1, 6]] as const) {
      const [{ weight }] = await started(module, [given[0]!], "nf4", { steps, options: { rank } }) as [
        Awaited<ReturnType<typeof started>>[number],
      ];
      distances.push(norm(subtract(weight, given[0]!)));
    }
    const [none, some, more] = distances as [number, number, number];
    assert(more < some && some < none, `${module.id}: ${distances}`);
  }
});

Deno.test("LoftQ's start refuses weights that are not quantized, by name", async () => {
  await assertRejects(
    () => started(lora, [given[0]!], "f16", { steps: 1 }),
    Error,
    'Cannot start target module "map 0" by LoftQ: it is kept as f16',
  );
});
