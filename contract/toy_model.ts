/** @file A two-layer network on a fixed regression batch: small enough to check every byte of a method's run. */
import { activation, createGradients, type GradientStore, Tape, type Var } from "../autodiff/mod.ts";
import type { Parameter } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { type LowPrecision, lowPrecision, type Shape, type Tensor } from "../gpu/tensor.ts";
import { add, dotInto, type StoredType } from "../kernels/mod.ts";
import type { Forward, TargetModule } from "../models/model.ts";
import { isOfKind } from "../models/parameter_kind.ts";
import { fromInt8 } from "../numerics/int8.ts";
import { fromNf4 } from "../numerics/nf4.ts";
import { createRandom } from "../numerics/random.ts";
import type { Optimizer, OptimizerModule, Options } from "../optimizers/optimizer.ts";
import { adaptedForward, measuredForward, momentsForward, plainForward } from "../training/loop/forward.ts";
import { add as sum, type Matrix, multiply, randomMatrix, toFloat32 } from "../numerics/matrix.ts";

/** Examples of the batch: more than inputs, so that it determines both maps. */
const ROWS = 32;
/** `[out, in]` of the two maps. */
const SHAPES = { "layers.0": [8, 12], "layers.1": [10, 8] } as const;

/** Parameters on the GPU, and the batch: y = V gelu(W x + b) + c should become `target`. */
export interface ToyModel {
  readonly gpu: Gpu;
  /** Weight and bias of each map in turn. */
  readonly parameters: readonly Parameter[];
  readonly targetModules: readonly TargetModule[];
  /** c. */
  readonly head: readonly Parameter[];
  readonly x: Tensor;
  readonly target: Tensor;
  /** y, `[rows, out]` of the last map. */
  output(forward: Forward): Var;
}

/**
 * Always the same network, in the caller's scope. The targets are those of a network whose maps differ by a change of
 * rank 2 and whose c differs, so every method with rank 2 or more can reach them. The maps are kept in
 * `precision`, as frozen weights may be, and the change is one of what they stand for then.
 */
export async function createToyModel(
  gpu: Gpu,
  { precision = "f32" }: { readonly precision?: StoredType } = {},
): Promise<ToyModel> {
  const random = createRandom(7);
  const names = Object.keys(SHAPES) as (keyof typeof SHAPES)[];
  const entries = names.flatMap((name) => [
    { label: `${name}.weight`, shape: [...SHAPES[name]] },
    { label: `${name}.bias`, shape: [SHAPES[name][0]] },
  ]);
  const frozen = new Map<string, Tensor<LowPrecision>>();
  /** What the numbers of a map stand for once they are kept. */
  const keep = (label: string, shape: Shape, { data }: Matrix): Float64Array => {
    if (precision === "f32") return data;
    const numbers = Float32Array.from(data), words = lowPrecision(numbers, precision);
    if (!frozen.has(label)) frozen.set(label, gpu.upload(words, precision, shape, label));
    if (precision === "f16") return Float64Array.from(new Float16Array(numbers));
    return (precision === "int8" ? fromInt8 : fromNf4)(lowPrecision(numbers, precision), numbers.length);
  };
  const load = (change: number) => {
    const { parts } = gpu.pack(entries, "toy weights");
    return parts.map((value): Parameter => {
      const [out, inputs] = value.shape as [number, number | undefined];
      const own = random.fork(value.label), other = random.fork(`${value.label} change`);
      if (inputs === undefined) {
        gpu.write(value, own.normal(out, 0.1).map((b, i) => b + change * other.normal(out, 1)[i]!));
      } else {
        const product = multiply(
          randomMatrix(out, 2, other.fork("left"), 0.5),
          randomMatrix(2, inputs, other.fork("right"), 0.5),
        );
        const base = randomMatrix(out, inputs, own, inputs ** -0.5);
        const data = keep(value.label, value.shape, base);
        gpu.write(value, toFloat32(sum({ ...base, data }, product, change)));
      }
      return { name: value.label, value };
    });
  };
  const x = gpu.upload(random.fork("x").normal(ROWS * 12, 1), "f32", [ROWS, 12], "x");
  // The middle bias stays as it is: methods other than full fine-tuning do not train it.
  const goal = load(1), parameters = load(0);
  gpu.copy(parameters[1]!.value, goal[1]!.value);
  const target = gpu.empty([ROWS, 10], "target");
  {
    using _ = gpu.scope("targets");
    const { output } = joinMaps(goal, x);
    gpu.copy(output(plainForward(new Tape(gpu, createGradients(gpu, [])))).value, target);
  }
  await gpu.flush();
  return { gpu, parameters, head: [parameters[3]!], x, target, ...joinMaps(parameters, x, frozen) };
}

/**
 * The network over weight and bias of two maps, named "<target module>.weight" and "<target module>.bias": V gelu(W x + b) + c for the rows
 * of x `[rows, in]`.
 */
export function joinMaps(
  parameters: readonly Parameter[],
  x: Tensor,
  frozen: ReadonlyMap<string, Tensor<LowPrecision>> = new Map(),
): Pick<ToyModel, "targetModules" | "output"> {
  const targetModules = [0, 2].map((i): TargetModule => {
    const weight = parameters[i]!, [out, inputs] = weight.value.shape as [number, number];
    const kept = frozen.get(weight.name);
    return {
      name: weight.name.replace(".weight", ""),
      weight: kept ? { name: weight.name, value: kept } : weight,
      bias: parameters[i + 1]!,
      in: inputs,
      out,
    };
  });
  return {
    targetModules,
    output(forward) {
      const hidden = forward.linear(targetModules[0]!, forward.tape.constant(x));
      return forward.linear(targetModules[1]!, activation(forward.tape, hidden, "gelu"));
    },
  };
}

/** What a method trains of the toy's own parameters: c, and what `alsoTrains` names. */
export function headOf({ parameters, head }: ToyModel, { alsoTrains = [] }: OptimizerModule): Parameter[] {
  return parameters.filter((parameter) =>
    head.includes(parameter) || alsoTrains.some((kind) => isOfKind(kind, parameter.name))
  );
}

/** Attaches a method with its defaults and the given options. */
export function attachToToy(
  model: ToyModel,
  module: OptimizerModule,
  options: Options,
  { seed = 0, steps = 60 } = {},
): Promise<Optimizer> {
  const { gpu, targetModules, parameters } = model;
  return module.attach({
    gpu,
    targetModules,
    parameters,
    head: headOf(model, module),
    steps,
    random: createRandom(seed),
    async *fullGradients() {
      using _ = gpu.scope("full gradients");
      const { full } = differentiateToy(model, createGradients(gpu, []), plainForward);
      await gpu.flush();
      for (const targetModule of targetModules) yield { targetModule, gradient: full.get(targetModule)! };
    },
    async *inputMoments() {
      using _ = gpu.scope("input moments");
      const moments = new Map(targetModules.map((targetModule) => {
        const { name, in: columns } = targetModule;
        return [targetModule, gpu.zeros([columns, columns], `${name} input moments`)];
      }));
      differentiateToy(model, createGradients(gpu, []), momentsForward(plainForward, moments));
      await gpu.flush();
      for (const targetModule of targetModules) yield { targetModule, moments: moments.get(targetModule)! };
    },
  }, { ...module.defaults, ...options });
}

/** What a backward pass of the toy found, in the caller's scope. */
export interface ToyGradients {
  /** |y - target|² / (2 rows), `[1]`. */
  readonly loss: Tensor;
  /** dL/dW_eff of each target module, whatever W_eff is made of. */
  readonly full: ReadonlyMap<TargetModule, Tensor>;
}

/** Puts the gradients of the batch's loss into `store`. */
export function differentiateToy(
  model: ToyModel,
  store: GradientStore,
  forwardOf: (tape: Tape) => Forward,
): ToyGradients {
  const { gpu, targetModules, target } = model, rows = target.shape[0]!;
  store.clear();
  const tape = new Tape(gpu, store);
  const full = new Map(
    targetModules.map((
      targetModule,
    ) => [targetModule, gpu.zeros([targetModule.out, targetModule.in], `${targetModule.name} full`)]),
  );
  const forward = measuredForward(forwardOf, full)(tape);
  const y = model.output(forward);
  const error = add(gpu, y.value, target, 1, -1);
  tape.backward(y, add(gpu, y.value, target, 1 / rows, -1 / rows));
  const loss = gpu.empty([1], "loss");
  dotInto(gpu, error, error, loss, 0.5 / rows);
  return { loss, full };
}

/** Takes steps `first` to `last` and returns the loss before each. Nothing outlives a step on the GPU. */
export async function trainToy(
  model: ToyModel,
  optimizer: Optimizer,
  store: GradientStore,
  learningRate: number,
  [first, last]: readonly [number, number],
): Promise<number[]> {
  const { gpu, targetModules } = model, adapted = new Set(targetModules);
  using _ = gpu.scope("toy steps");
  const losses = gpu.zeros([last - first + 1], "losses");
  for (let step = first; step <= last; step++) {
    using _ = gpu.scope(`step ${step}`);
    const { loss } = differentiateToy(model, store, (tape) => adaptedForward(tape, optimizer, adapted));
    await optimizer.step(store, { step, learningRate });
    gpu.copy(loss, { ...losses, offset: losses.offset + 4 * (step - first), shape: [1] });
    gpu.submit();
  }
  return [...await gpu.download(losses)];
}

/** The bytes of some parameters, by name. */
export async function bytesOf(
  gpu: Gpu,
  parameters: readonly Parameter[],
): Promise<Map<string, Float32Array<ArrayBuffer>>> {
  const data = await gpu.downloadAll(parameters.map(({ value }) => value));
  return new Map(parameters.map(({ name }, i) => [name, data[i]!]));
}
