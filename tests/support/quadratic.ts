/** @file Methods at work on L(W) = |W - target|² / 2, whose gradient W - target is known in closed form. */
import { createGradients, Tape } from "../../autodiff/mod.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { add as addTensors } from "../../kernels/mod.ts";
import type { TargetModule } from "../../models/model.ts";
import { createRandom } from "../../numerics/random.ts";
import type { Optimizer, OptimizerModule, Options, Setup } from "../../optimizers/optimizer.ts";
import { trainableWeight } from "../../optimizers/module_weight.ts";
import {
  add,
  fromFloat32,
  identity,
  type Matrix,
  multiply,
  norm,
  scale as times,
  subtract,
  toFloat32,
  transpose,
  zeros,
} from "../reference/matrix.ts";

/** One map W, or W = base + scale · B A where it starts from given factors. */
export interface Quadratic {
  readonly base: Matrix;
  readonly target: Matrix;
  readonly a?: Matrix;
  readonly b?: Matrix;
}

/** The same by a name that tells a method what the map is for; "map 0" and so on where absent. */
export type NamedQuadratic = Quadratic & { readonly name?: string };

/** What a map is after a step; A and B are `[0, 0]` where the method has no factors. */
export interface QuadraticState {
  /** The effective weight. */
  readonly weight: Matrix;
  /** The frozen weight, or the trained one of full fine-tuning. */
  readonly base: Matrix;
  readonly a: Matrix;
  readonly b: Matrix;
}

/** Several maps that one method trains together. */
export interface QuadraticRun {
  readonly gpu: Gpu;
  readonly optimizer: Optimizer;
  readonly targetModules: readonly TargetModule[];
  /** Takes one step from the gradients at the current weights. */
  step(step: number, learningRate: number): void | Promise<void>;
  read(): Promise<QuadraticState[]>;
  /** The first map's state. */
  readOne(): Promise<QuadraticState>;
  /** The equivalent gradient of each map at the current weights, and the full one. */
  gradients(): Promise<{ readonly equivalent: Matrix; readonly full: Matrix }[]>;
}

/** Attaches a method with its defaults and `options` to the maps, in the caller's scope. */
export async function attachToQuadratics(
  gpu: Gpu,
  module: OptimizerModule,
  options: Options,
  problems: readonly NamedQuadratic[],
  setup: Partial<Pick<Setup, "fullGradients" | "random" | "steps">> & {
    /** XᵀX of each map's inputs; those of white inputs where absent. */
    readonly moments?: readonly Matrix[];
  } = {},
): Promise<QuadraticRun> {
  const { parts } = gpu.pack(
    problems.map(({ name, base }, i) => ({ label: name ?? `map ${i}`, shape: [base.rows, base.columns] })),
    "weights",
  );
  const targetModules = problems.map(({ base }, i): TargetModule => {
    const value = parts[i]!;
    gpu.write(value, toFloat32(base));
    return { name: value.label, weight: { name: value.label, value }, in: base.columns, out: base.rows };
  });
  const upload = (m: Matrix, label: string) => gpu.upload(toFloat32(m), "f32", [m.rows, m.columns], label);
  const units = problems.map(({ base }) => upload(identity(base.columns), "x"));
  const targets = problems.map(({ target }) => upload(transpose(target), "target"));
  const optimizer = await module.attach({
    gpu,
    targetModules,
    parameters: targetModules.map(trainableWeight),
    head: [],
    steps: setup.steps ?? 100,
    random: setup.random ?? createRandom(0),
    fullGradients: setup.fullGradients ?? (async function* () {
      using _ = gpu.scope("full gradients");
      const gradients = problems.map(({ base, target }, i) =>
        upload(subtract(base, target), `map ${i} full gradient`)
      );
      await gpu.flush();
      for (const [i, targetModule] of targetModules.entries()) {
        yield { targetModule, gradient: gradients[i]! };
      }
    }),
    inputMoments: givenMoments(gpu, targetModules, setup.moments),
  }, { ...module.defaults, ...options });
  problems.forEach(({ a, b }, i) => {
    const factors = optimizer.factors(targetModules[i]!);
    if (a) gpu.write(factors!.a.value, toFloat32(a));
    if (b) gpu.write(factors!.b.value, toFloat32(b));
  });
  const store = createGradients(gpu, optimizer.trainable);
  const differentiate = () => {
    store.clear();
    targetModules.forEach((targetModule, i) => {
      const tape = new Tape(gpu, store);
      // With x = 1, y is the effective weight's transpose.
      const y = optimizer.linear(tape, targetModule, tape.constant(units[i]!));
      tape.backward(y, addTensors(gpu, y.value, targets[i]!, 1, -1));
    });
  };
  const download = async (tensors: readonly Tensor[]) =>
    (await gpu.downloadAll(tensors)).map((data, i) =>
      fromFloat32(data, tensors[i]!.shape[0]!, tensors[i]!.shape[1]!)
    );

  const read = async (): Promise<QuadraticState[]> => {
    using _ = gpu.scope("read");
    const factors = targetModules.map((targetModule) => optimizer.factors(targetModule));
    const tensors = targetModules.flatMap((targetModule, i) => [
      optimizer.effectiveWeight(targetModule),
      trainableWeight(targetModule).value,
      ...factors[i] ? [factors[i].a.value, factors[i].b.value] : [],
    ]);
    const found = await download(tensors), width = tensors.length / targetModules.length;
    return targetModules.map((_, i) => {
      const [weight, base, a = zeros(0, 0), b = zeros(0, 0)] = found.slice(i * width, (i + 1) * width);
      return { weight: weight!, base: base!, a, b };
    });
  };

  return {
    gpu,
    optimizer,
    targetModules,
    read,
    readOne: async () => (await read())[0]!,
    step(step, learningRate) {
      using opened = new DisposableStack();
      opened.use(gpu.scope(`step ${step}`));
      differentiate();
      const waits = optimizer.step(store, { step, learningRate });
      if (!waits) return;
      const open = opened.move();
      return waits.finally(() => open.dispose());
    },
    async gradients() {
      using _ = gpu.scope("gradients");
      differentiate();
      const byTargetModule = optimizer.equivalentGradients(store);
      const equivalents = await download(
        targetModules.map((targetModule) => byTargetModule.get(targetModule)!),
      );
      const weights = await download(
        targetModules.map((targetModule) => optimizer.effectiveWeight(targetModule)),
      );
      return equivalents.map((equivalent, i) => ({
        equivalent,
        full: subtract(weights[i]!, problems[i]!.target),
      }));
    },
  };
}

/** base + scale · B A in float64. */
export function effectiveWeight(base: Matrix, a: Matrix, b: Matrix, scale: number): Matrix {
  return add(base, times(multiply(b, a), scale));
}

/** |found - wanted| / |wanted|, in Frobenius norms. */
export function relativeError(found: Matrix, wanted: Matrix): number {
  return norm(subtract(found, wanted)) / norm(wanted);
}

/** `Setup.inputMoments` that gives each target module what is given for it; where nothing is, those of white inputs. */
export function givenMoments(
  gpu: Gpu,
  targetModules: readonly TargetModule[],
  given: readonly Matrix[] = targetModules.map((targetModule) => identity(targetModule.in)),
): Setup["inputMoments"] {
  return async function* () {
    for (const [i, targetModule] of targetModules.entries()) {
      using _ = gpu.scope("given moments");
      const { rows, columns } = given[i]!;
      const moments = gpu.upload(
        toFloat32(given[i]!),
        "f32",
        [rows, columns],
        `${targetModule.name} moments`,
      );
      await gpu.flush();
      yield { targetModule, moments };
    }
  };
}
