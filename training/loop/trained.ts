/** @file What a run trained, copied to the host before the run's memory is freed. */
import type { Parameter } from "../../autodiff/tape.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Shape, Tensor } from "../../gpu/tensor.ts";
import type { TargetModule } from "../../models/model.ts";
import type { Optimizer } from "../../optimizers/optimizer.ts";
import type { StartWeights } from "../telemetry/telemetry.ts";

/** A tensor on the host. */
export interface TrainedTensor {
  /** Sizes of the axes, outermost first. */
  readonly shape: Shape;
  /** The elements, row-major. */
  readonly data: Float32Array<ArrayBuffer>;
}

/** What a run trained. With the base checkpoint it gives the trained model. */
export interface Trained {
  /**
   * By name: what the method trained, e.g. "layers.0.self_attn.q_proj.A", and factors that it left as they were. Of a target
   * module that it changed by something else than A and B, such as rotations, the trained weight itself. Where its
   * start took s·B·A out of a target module's weight, also that A and B, as ".A0" and ".B0": the trained weight is
   * W + s (B A − B0 A0).
   */
  readonly tensors: ReadonlyMap<string, TrainedTensor>;
  /** s by target module, where one has factors. */
  readonly scales: Readonly<Record<string, number>>;
}

/** Remembers the start of a run, to tell what its training made of it. */
export class TrainedKeeper {
  readonly #gpu: Gpu;
  readonly #modules: readonly TargetModule[];
  readonly #given: StartWeights;
  readonly #own: ReadonlySet<Parameter>;
  #starts: ReadonlyMap<string, TrainedTensor> = new Map();

  /**
   * @param given weights of the modules before the method was attached
   * @param parameters the model's own
   */
  constructor(
    gpu: Gpu,
    modules: readonly TargetModule[],
    given: StartWeights,
    parameters: readonly Parameter[],
  ) {
    this.#gpu = gpu;
    this.#modules = modules;
    this.#given = given;
    this.#own = new Set(parameters);
  }

  /**
   * Looks at the method's start, before the first step: factors of modules whose weight it rewrote.
   *
   * @param now weights of the modules
   */
  async begin(optimizer: Optimizer, now: StartWeights): Promise<void> {
    const rewritten = this.#modules.filter((module) => {
      const before = this.#given.get(module)!;
      return now.get(module)!.some((value, i) => value !== before[i]);
    });
    const factors = factorsOf(optimizer, rewritten);
    this.#starts = await this.#read(factors.map(({ name, value }) => ({ name: `${name}0`, value })));
  }

  /** What is trained by now. */
  async read(optimizer: Optimizer): Promise<Trained> {
    const trained = new Map(optimizer.trainable.map(({ name, value }) => [name, value]));
    for (const { name, value } of factorsOf(optimizer, this.#modules)) {
      if (!trained.has(name)) trained.set(name, value);
    }
    using _ = this.#gpu.scope("trained weights");
    for (const module of optimizer.changesWhole ? this.#modules : []) {
      for (const parameter of optimizer.trainable) {
        const { name } = parameter;
        if (name.startsWith(`${module.name}.`) && !this.#own.has(parameter)) trained.delete(name);
      }
      trained.set(module.weight.name, optimizer.effectiveWeight(module));
    }
    const tensors = await this.#read([...trained].map(([name, value]) => ({ name, value })));
    const scales = this.#modules.flatMap((module) => {
      const factors = optimizer.factors(module);
      return factors ? [[module.name, factors.scale] as const] : [];
    });
    return { tensors: new Map([...tensors, ...this.#starts]), scales: Object.fromEntries(scales) };
  }

  async #read(
    tensors: readonly { readonly name: string; readonly value: Tensor }[],
  ): Promise<Map<string, TrainedTensor>> {
    const data = await this.#gpu.downloadAll(tensors.map(({ value }) => value));
    return new Map(tensors.map(({ name, value }, i) => [name, { shape: value.shape, data: data[i]! }]));
  }
}

/** A and B of modules that have them: what trained them, or what a method made of them for its own use, is in them. */
function factorsOf(optimizer: Optimizer, modules: readonly TargetModule[]) {
  return modules.flatMap((module) => {
    const factors = optimizer.factors(module);
    return factors ? [factors.a, factors.b] : [];
  });
}
