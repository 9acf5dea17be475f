/** @file Every method follows PyTorch's float64 for five steps: see golden/methods.py. */
import { assert, assertEquals } from "@std/assert";
import { createGradients } from "../autodiff/mod.ts";
import type { Parameter } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import * as optimizers from "../optimizers/mod.ts";
import type { Optimizer, OptimizerModule } from "../optimizers/optimizer.ts";
import { assertClose } from "./support/assert_close.ts";
import {
  goldenProblem,
  type GoldenTensor,
  type GoldenTensors,
  goldenTrajectories,
  type GoldenTrajectory,
} from "./golden/methods.ts";
import { testGpu } from "./support/test_gpu.ts";
import { attachToToy, bytesOf, joinMaps, type ToyModel, trainToy } from "../contract/toy_model.ts";

const modules = new Map(
  (Object.values(optimizers) as OptimizerModule[]).map((module) => [module.id, module]),
);

/** The recorded network, in the caller's scope. */
function createGoldenModel(gpu: Gpu): ToyModel {
  const upload = ({ shape, data }: GoldenTensor, label: string) =>
    gpu.upload(Float32Array.from(data), "f32", shape, label);
  const { weights, biases } = goldenProblem;
  const entries = Object.keys(weights).flatMap((targetModule) => [
    { label: `${targetModule}.weight`, ...weights[targetModule]! },
    { label: `${targetModule}.bias`, ...biases[targetModule]! },
  ]);
  const { parts } = gpu.pack(entries, "golden weights");
  const parameters = parts.map((value, i): Parameter => {
    gpu.write(value, Float32Array.from(entries[i]!.data));
    return { name: value.label, value };
  });
  const x = upload(goldenProblem.x, "x"), target = upload(goldenProblem.target, "target");
  return { gpu, parameters, head: [parameters[3]!], x, target, ...joinMaps(parameters, x) };
}

/** What is trained by name, and what is not but belongs to a start: LoRA-FA's A, and what a recorded start has of the state. */
function startOf(model: ToyModel, optimizer: Optimizer, start: GoldenTensors): Map<string, Parameter> {
  const factors = model.targetModules.flatMap((targetModule) => {
    const pair = optimizer.factors(targetModule);
    return pair ? [pair.a, pair.b] : [];
  });
  const kept = factors.filter((factor) =>
    optimizer.trainable.includes(factor) || optimizer.state.includes(factor)
  );
  const drawn = optimizer.state.filter(({ name }) => Object.hasOwn(start, name));
  return new Map([...kept, ...drawn, ...optimizer.trainable].map((parameter) => [parameter.name, parameter]));
}

/** |found - wanted| / |wanted - from|, in Frobenius norms; |found - wanted| where `wanted` is `from`. */
function errorOf(found: ArrayLike<number>, wanted: GoldenTensor, from: ArrayLike<number>): number {
  assertEquals(found.length, wanted.data.length);
  const norm = (other: ArrayLike<number>) =>
    Math.sqrt(wanted.data.reduce((sum, value, i) => sum + (value - other[i]!) ** 2, 0));
  return norm(found) / (norm(from) || 1);
}

/** Passes where the errors of all named arrays are at most 1e-5: see `errorOf`. */
function assertFollows(
  found: ReadonlyMap<string, ArrayLike<number>>,
  wanted: GoldenTensors,
  from: (name: string) => ArrayLike<number>,
  label: string,
): void {
  assertEquals([...found.keys()].sort(), Object.keys(wanted).sort());
  for (const [name, values] of found) {
    const error = errorOf(values, wanted[name]!, from(name));
    assert(error <= 1e-5, `${name} ${label}: error ${error.toExponential(2)}, at most 1e-5 is wanted`);
  }
}

async function weightsOf({ gpu, targetModules }: ToyModel, optimizer: Optimizer) {
  using _ = gpu.scope("effective weights");
  const data = await gpu.downloadAll(
    targetModules.map((targetModule) => optimizer.effectiveWeight(targetModule)),
  );
  return new Map(targetModules.map(({ name }, i) => [name, data[i]!]));
}

async function follow(trajectory: GoldenTrajectory): Promise<void> {
  const { method, options, learningRate, computed, start, startWeights, steps, weights } = trajectory;
  const gpu = await testGpu(), module = modules.get(method);
  assert(module, `method "${method}" is not in the registry`);
  using _ = gpu.scope("golden");
  const model = createGoldenModel(gpu), { targetModules } = model;
  assertEquals(module.validate({ ...module.defaults, ...options }, targetModules, steps.length), null);
  const optimizer = await attachToToy(model, module, options, { steps: steps.length });
  const parameters = startOf(model, optimizer, start);
  assertEquals([...parameters.keys()].sort(), Object.keys(start).sort());
  const before = await weightsOf(model, optimizer);
  if (computed) {
    const found = await bytesOf(gpu, [...parameters.values()]);
    assertFollows(found, start, (name) => new Float32Array(start[name]!.data.length), "at the start");
    for (const [targetModule, weight] of before) {
      assertClose(
        weight,
        startWeights![targetModule]!.data,
        { relative: 1e-6 },
        `${targetModule} at the start`,
      );
    }
  } else {
    for (const [name, { value }] of parameters) gpu.write(value, Float32Array.from(start[name]!.data));
  }
  const store = createGradients(gpu, optimizer.trainable);
  for (const [i, { loss, trained }] of steps.entries()) {
    const label = `after step ${i + 1}`;
    const [found] = await trainToy(model, optimizer, store, learningRate, [i + 1, i + 1]);
    assertClose([found!], [loss], { relative: 1e-5 }, `loss before step ${i + 1}`);
    assertFollows(await bytesOf(gpu, optimizer.trainable), trained, (name) => start[name]!.data, label);
  }
  assertFollows(
    await weightsOf(model, optimizer),
    weights,
    (targetModule) => goldenProblem.weights[targetModule]!.data,
    "after the last step",
  );
}

for (const [name, trajectory] of Object.entries(goldenTrajectories)) {
  Deno.test(`${name}: five steps are PyTorch's in float64`, () => follow(trajectory));
}

const recorded = new Set(Object.values(goldenTrajectories).map(({ method }) => method));
for (const id of modules.keys()) {
  // tests/golden/methods.py records with PyTorch: what it has not is told, and asks nothing of whoever adds a method.
  if (!recorded.has(id)) Deno.test({ name: `${id}: no trajectory is recorded`, ignore: true, fn() {} });
}

Deno.test("fifteen methods have a recorded trajectory, those of the paper among them", () => {
  assert(recorded.size >= 15 && recorded.has("lora-pro"), [...recorded].join(", "));
});
