import { assert, assertEquals, assertGreater, assertGreaterOrEqual } from "@std/assert";
import { createGradients } from "../../autodiff/mod.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { add as addTensors } from "../../kernels/mod.ts";
import type { Model, TargetModule } from "../../models/model.ts";
import { effectiveRank } from "../../numerics/effective_rank.ts";
import { createRandom } from "../../numerics/random.ts";
import { full } from "../../optimizers/full.ts";
import { lora } from "../../optimizers/lora.ts";
import { loraPro } from "../../optimizers/lora_pro/lora_pro.ts";
import type { Optimizer, OptimizerModule, Options } from "../../optimizers/optimizer.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { svd } from "../../tests/reference/decompositions.ts";
import {
  discrepancy,
  equivalentGradient,
  factorGradients,
  lowerBound,
} from "../../tests/reference/low_rank.ts";
import {
  add,
  dot,
  fromFloat32,
  type Matrix,
  multiply,
  norm,
  subtract,
} from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { imageBatch, tinyVision } from "../../tests/support/tiny_models.ts";
import { differentiate } from "../loop/differentiate.ts";
import { adaptedForward, measuredForward } from "../loop/forward.ts";
import type { Discrepancy } from "../run.ts";
import { beginMeasurement, readWeights } from "./telemetry.ts";

const RANK = 3;

interface Measured {
  readonly found: Discrepancy[];
  /** In the target modules' order: G, and weights and factors at the start and from before and after the measured step. */
  readonly gradients: Matrix[];
  readonly start: Weights[];
  readonly before: Weights[];
  readonly after: Weights[];
}

interface Weights {
  readonly weight: Matrix;
  readonly a: Matrix | null;
  readonly b: Matrix | null;
  readonly scale: number;
}

/** Attaches a method to the tiny vision transformer, takes two steps and measures the third. */
async function measureThirdStep(module: unknown, options: Options, parts = 1): Promise<Measured> {
  const gpu = await testGpu();
  using _ = gpu.scope("telemetry");
  const model = tinyVision(gpu), { targetModules } = model;
  const known = module as OptimizerModule;
  const optimizer = await known.attach({
    gpu,
    targetModules,
    parameters: model.parameters,
    head: [],
    steps: 3,
    random: createRandom(1),
    fullGradients: () => {
      throw new Error("Cannot give full gradients here");
    },
    inputMoments: () => {
      throw new Error("Cannot give input moments here");
    },
  }, { ...known.defaults, ...options });
  for (const targetModule of targetModules) {
    // From B = 0, Adam's first steps make columns that are equal up to sign and 1e-6: no bound is well defined there.
    const factors = optimizer.factors(targetModule);
    if (factors) {
      gpu.write(
        factors.b.value,
        createRandom(2).fork(targetModule.name).normal(targetModule.out * RANK, 0.3),
      );
    }
  }
  const starts = await readWeights(
    gpu,
    targetModules,
    (targetModule) => optimizer.effectiveWeight(targetModule),
  );
  const start = await readAll(gpu, targetModules, optimizer);
  const store = createGradients(gpu, optimizer.trainable);
  let gradients = zeroGradients(gpu, targetModules);
  for (let step = 1; step <= 3; step++) {
    store.clear();
    gradients = zeroGradients(gpu, targetModules);
    gradientsOfBatch(gpu, model, optimizer, store, gradients, parts);
    if (step < 3) optimizer.step(store, { step, learningRate: 0.02 });
  }
  const before = await readAll(gpu, targetModules, optimizer);
  const measurement = beginMeasurement(gpu, optimizer, gradients, store, starts);
  optimizer.step(store, { step: 3, learningRate: 0.02 });
  const found = await measurement.finish(3);
  assertEquals([...gradients.keys()].map(({ name }) => name), targetModules.map(({ name }) => name));
  return {
    found,
    gradients: await download(gpu, [...gradients.values()]),
    start,
    before,
    after: await readAll(gpu, targetModules, optimizer),
  };
}

function gradientsOfBatch(
  gpu: Gpu,
  model: Model,
  optimizer: Optimizer,
  store: ReturnType<typeof createGradients>,
  into: ReadonlyMap<TargetModule, Tensor>,
  parts: number,
): void {
  const adapted = new Set(model.targetModules);
  differentiate(gpu, model, imageBatch(5), store, {
    parts,
    seed: gpu.upload(Float32Array.of(1), "f32", [1], "seed"),
    forward: measuredForward((tape) => adaptedForward(tape, optimizer, adapted), into),
  });
}

/** A zero gradient for each target module. */
function zeroGradients(gpu: Gpu, targetModules: readonly TargetModule[]): Map<TargetModule, Tensor> {
  return new Map(
    targetModules.map((
      targetModule,
    ) => [targetModule, gpu.zeros([targetModule.out, targetModule.in], `${targetModule.name} full`)]),
  );
}

async function readAll(
  gpu: Gpu,
  targetModules: readonly TargetModule[],
  optimizer: Optimizer,
): Promise<Weights[]> {
  const out: Weights[] = [];
  for (const targetModule of targetModules) {
    using _ = gpu.scope("read");
    const factors = optimizer.factors(targetModule);
    const [weight, a = null, b = null] = await download(gpu, [
      optimizer.effectiveWeight(targetModule),
      ...factors ? [factors.a.value, factors.b.value] : [],
    ]);
    out.push({ weight: weight!, a, b, scale: factors?.scale ?? 1 });
  }
  return out;
}

async function download(gpu: Gpu, tensors: readonly Tensor[]): Promise<Matrix[]> {
  const data = await gpu.downloadAll(tensors);
  return tensors.map(({ shape }, i) => fromFloat32(data[i]!, shape[0]!, shape[1]!));
}

function cosine(x: Matrix, y: Matrix): number {
  return dot(x, y) / norm(x) / norm(y);
}

Deno.test("beginMeasurement() finds full fine-tuning without error, at cosine 1 and without a bound", async () => {
  for (const parts of [1, 3]) {
    const { found, gradients, before, after } = await measureThirdStep(full, {}, parts);
    assertEquals(found.length, gradients.length);
    found.forEach((d, i) => {
      assert(d.gradientError < 1e-6, `${d.targetModule}: ${d.gradientError}`);
      assertClose([d.gradientCosine], [1], { relative: 1e-6 });
      assertEquals([d.step, d.lowerBound], [3, null]);
      // Both weights are read in f32, which rounds a step of 0.02 by 1e-6.
      const move = subtract(before[i]!.weight, after[i]!.weight);
      assertClose([d.updateCosine], [cosine(move, gradients[i]!)], { relative: 0, absolute: 1e-5 });
    });
  }
});

for (
  const [module, mode] of [[lora, ""], [loraPro, "full"], [loraPro, "efficient"], [loraPro, "sgd"]] as const
) {
  Deno.test(`beginMeasurement() agrees with float64 for ${module.id} ${mode}`, async () => {
    const options = { rank: RANK, alpha: 6, ...mode ? { mode } : {} };
    const { found, gradients, before, after } = await measureThirdStep(module, options);
    found.forEach((d, i) => {
      const { a, b, scale } = before[i]!, gradient = gradients[i]!;
      const bound = lowerBound(gradient, a!, b!) / norm(gradient);
      // Condition numbers of the factors are below 10, all in f32.
      assertClose([d.lowerBound!], [bound], { relative: 0, absolute: 2e-6 }, d.targetModule);
      const move = subtract(before[i]!.weight, after[i]!.weight);
      assertClose(
        [d.updateCosine],
        [cosine(move, gradient)],
        { relative: 0, absolute: 1e-5 },
        d.targetModule,
      );
      if (module === loraPro) {
        // Damping of 1e-6 leaves out 1e-4 of the smallest direction at a condition number of 10.
        assertClose([d.gradientError], [bound], { relative: 0, absolute: 1e-5 }, d.targetModule);
      } else {
        const factors = { a: a!, b: b!, scale };
        const wanted = equivalentGradient({ ...factors, ...factorGradients(gradient, factors) });
        assertClose([d.gradientError], [discrepancy(wanted, gradient)], { relative: 1e-5 }, d.targetModule);
        assertClose(
          [d.gradientCosine],
          [cosine(wanted, gradient)],
          { relative: 0, absolute: 1e-5 },
          d.targetModule,
        );
        assertGreater(d.gradientError, d.lowerBound!);
      }
      assertGreaterOrEqual(d.gradientError, d.lowerBound! - 1e-6);
    });
  });

  Deno.test(`beginMeasurement() finds ${module.id} ${mode}'s second order and effective rank as float64 does`, async () => {
    const options = { rank: RANK, alpha: 6, ...mode ? { mode } : {} };
    const { found, start, before, after } = await measureThirdStep(module, options);
    found.forEach((d, i) => {
      const { a, b } = before[i]!, next = after[i]!;
      const dA = subtract(next.a!, a!), dB = subtract(next.b!, b!);
      const share = norm(multiply(dB, dA)) / norm(add(multiply(b!, dA), multiply(dB, a!)));
      // Steps of 0.02 of factors of about 0.3: differences lose four bits of 24.
      assertClose([d.secondOrderShare!], [share], { relative: 1e-4 }, d.targetModule);
      assertClose([d.moveOfA!], [norm(dA) / norm(a!)], { relative: 1e-4 }, d.targetModule);
      assert(share > 1e-5 && share < 1, `${share}`);
      const { values } = svd(subtract(next.weight, start[i]!.weight));
      // The change of a product of rank 3 has rank 6; what lies below is rounding.
      const rank = effectiveRank(values.slice(0, 2 * RANK))!;
      assertClose([d.effectiveRank!], [rank], { relative: 1e-3 }, d.targetModule);
      assert(rank > 1 && rank < 2 * RANK, `${rank}`);
    });
  });
}

Deno.test("beginMeasurement() knows no second order where there is no pair, and effective ranks of full fine-tuning", async () => {
  const { found, start, after } = await measureThirdStep(full, {});
  found.forEach((d, i) => {
    assertEquals([d.secondOrderShare, d.moveOfA], [null, null]);
    const { values } = svd(subtract(after[i]!.weight, start[i]!.weight));
    assertClose([d.effectiveRank!], [effectiveRank(values)!], { relative: 1e-4 }, d.targetModule);
  });
});

Deno.test("beginMeasurement() knows no second order where the weight is more than W + s B A", async () => {
  // As a magnitude beside the factors would: the pair tells of half of the move alone.
  const twice = {
    ...lora,
    async attach(...args: Parameters<typeof lora.attach>) {
      const optimizer = await lora.attach(...args);
      return {
        ...optimizer,
        effectiveWeight(targetModule: TargetModule) {
          const weight = optimizer.effectiveWeight(targetModule);
          return addTensors(args[0].gpu, weight, weight, 2, 0);
        },
      };
    },
  };
  const { found } = await measureThirdStep(twice, { rank: RANK });
  assert(found.length > 0);
  for (const { secondOrderShare } of found) assertEquals(secondOrderShare, null);
});

Deno.test("beginMeasurement() leaves out what is not finite, since JSON has no word for it", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("poisoned");
  const model = tinyVision(gpu), { targetModules } = model;
  const optimizer = await (full as OptimizerModule).attach({
    gpu,
    targetModules,
    parameters: model.parameters,
    head: [],
    steps: 1,
    random: createRandom(1),
    fullGradients: () => {
      throw new Error("Cannot give full gradients here");
    },
    inputMoments: () => {
      throw new Error("Cannot give input moments here");
    },
  }, full.defaults);
  const store = createGradients(gpu, optimizer.trainable), gradients = zeroGradients(gpu, targetModules);
  gradientsOfBatch(gpu, model, optimizer, store, gradients, 1);
  const poisoned = gradients.get(targetModules[1]!)!;
  gpu.write(poisoned, new Float32Array(targetModules[1]!.in * targetModules[1]!.out).fill(NaN));
  const measurement = beginMeasurement(gpu, optimizer, gradients, store);
  optimizer.step(store, { step: 1, learningRate: 0.02 });
  const expected = targetModules.filter((_, i) => i !== 1).map(({ name }) => name);
  const found = await measurement.finish(1);
  assertEquals(found.map(({ targetModule }) => targetModule), expected);
  // Without weights of the start there is no change to tell of.
  assertEquals(found.map((d) => d.effectiveRank), expected.map(() => null));
});
