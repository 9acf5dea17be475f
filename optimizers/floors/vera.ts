/** @file VeRA: random A and B that all target modules share and that stay as they are, between trained vectors. */
import type { Parameter, Tape, Var } from "../../autodiff/tape.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { matmul } from "../../kernels/mod.ts";
import type { TargetModule } from "../../models/model.ts";
import type { Random } from "../../numerics/random.ts";
import {
  ADAMW_WORK,
  adamwDefaults,
  type AdamwOptions,
  adamwState,
  createAdamw,
  validateAdamw,
} from "../adamw.ts";
import { lowRankDefaults, lowRankWork } from "../low_rank.ts";
import { copyWeight } from "../module_weight.ts";
import {
  defineOptimizer,
  type Footprint,
  type ModelShapes,
  noHostState,
  type Optimizer,
  type OptimizerModule,
  type Setup,
  type StepSizes,
  type StepWork,
} from "../optimizer.ts";
import { scaleBasis, scalesGradient } from "./scaled_basis.ts";

/** Settings of VeRA. */
export type VeraOptions = AdamwOptions & {
  /** r: rows of A and columns of B, up to 4,096; it may be more than the sides of a map. */
  rank: number;
  /** Every number of d at the start, not 0. */
  dInitial: number;
};
const defaults: VeraOptions = { rank: 256, dInitial: 0.1, ...adamwDefaults };

/** Four times the largest rank of the paper's tables. */
const MOST_RANK = 4096;

/**
 * VeRA: W + diag(b) B diag(d) A. A `[r, in]` and B `[out, r]` are random, frozen, and the same for all target modules: they are drawn
 * once for the widest and cut, the first columns of A and the first rows of B. AdamW follows b `[out]`, which starts at 0, and
 * d `[r]`, which starts at `dInitial`. So a run trains r + out numbers for each map, and r may be more than the map's sides.
 *
 * A and B are uniform within ±√(6 / columns), as PEFT's are (its `_kaiming_init`, where the gain is √2). They come of the run's
 * seed; PEFT's come of a key of their own, which is 0 for all seeds. They count as state: without them a run cannot go on.
 *
 * There is no alpha. The paper's ranks are 256 and 1,024. Rates are some ten times LoRA's and more.
 *
 * diag(d) A and diag(b) B are formed where they are needed, in room that all target modules share.
 *
 * The equivalent gradient is diag(b) B diag(gd) A + diag(gb) B diag(d) A.
 * Source: Kopiczko et al., arXiv 2310.11454; PEFT's `VeraConfig`.
 */
export const vera: OptimizerModule<VeraOptions> = defineOptimizer({
  id: "vera",
  title: "VeRA",
  source: "https://arxiv.org/abs/2310.11454",
  paper: {
    title: "VeRA: Vector-based Random Matrix Adaptation",
    authors: ["Dawid J. Kopiczko", "Tijmen Blankevoort", "Yuki M. Asano"],
    year: 2023,
  },
  defaults,
  validate(options) {
    const { rank, dInitial } = options;
    if (!(Number.isInteger(rank) && rank >= 1 && rank <= MOST_RANK)) {
      return `rank is ${rank}, a whole number from 1 to ${MOST_RANK} is needed`;
    }
    if (!(dInitial > 0 && Number.isFinite(dInitial))) {
      return `dInitial is ${dInitial}, a positive number is needed`;
    }
    return validateAdamw(options);
  },
  describe: () => "shared random A and B",
  stepWork,
  footprint,
  attach: (setup, options) => Promise.resolve(attach(setup, options)),
});

/** The widest inputs and outputs among target modules. */
function widest(targetModules: readonly { readonly in: number; readonly out: number }[]) {
  return {
    in: Math.max(...targetModules.map((targetModule) => targetModule.in)),
    out: Math.max(...targetModules.map((targetModule) => targetModule.out)),
  };
}

/** LoRA's products, since the scaled A and B are factors; these are formed twice in each part, and their gradients summed up. */
function stepWork({ rank }: VeraOptions, sizes: StepSizes): StepWork {
  const { targetModules, parts } = sizes, most = widest(targetModules);
  const numbers = targetModules.reduce((sum, { out }) => sum + rank + out, 0);
  const factors = targetModules.reduce((sum, { in: columns, out }) => sum + rank * (columns + out), 0);
  const work = lowRankWork({ ...lowRankDefaults, rank }, sizes);
  return {
    ...work,
    factorFlops: work.factorFlops + 4 * parts * factors,
    updateFlops: ADAMW_WORK.flops * numbers,
    elements: work.elements + 6 * parts * factors,
    updateElements: ADAMW_WORK.elements * numbers,
    trained: numbers,
    added: numbers,
    state: ADAMW_WORK.state * numbers + rank * (most.in + most.out),
  };
}

/** Vectors with their moments, A and B as state; room for both as they are scaled, and for a gradient of one. */
function footprint({ rank }: VeraOptions, { targetModules, head }: ModelShapes): Footprint {
  const d = targetModules.map(() => rank), b = targetModules.map(({ out }) => out);
  const trained = [...d, ...b, ...head], most = widest(targetModules);
  const a = [rank * most.in], outputs = [rank * most.out];
  return {
    adapters: [d, b],
    trained,
    state: [a, outputs, ...adamwState(trained)],
    tables: [a, outputs, [rank * Math.max(most.in, most.out)]],
    scratch: [],
    // What is between the factors, and its gradient.
    linear: () => ({ forward: [rank], backward: [rank] }),
    trainsWeights: false,
    trainsAll: false,
    fullGradients: false,
  };
}

/** What scales A and B. */
interface Vectors<T> {
  /** `[r]`. */
  readonly d: T;
  /** `[out]`. */
  readonly b: T;
}

/** A and B as they are shared, and room for those of one target module. */
interface Bases {
  /** `[r, widest in]`. */
  readonly a: Tensor;
  /** `[widest out, r]`. */
  readonly b: Tensor;
  /** For diag(d) A, diag(b) B and the gradient of one of them. */
  readonly rooms: { readonly a: Tensor; readonly b: Tensor; readonly gradient: Tensor };
}

function attach({ gpu, targetModules, head, random }: Setup, options: VeraOptions): Optimizer {
  const { rank, dInitial } = options;
  const pack = (kind: "d" | "b", sizeOf: (targetModule: TargetModule) => number) => {
    using _ = gpu.countAs("adapters");
    const entries = targetModules.map((targetModule) => ({
      label: `${targetModule.name}.${kind}`,
      shape: [sizeOf(targetModule)],
    }));
    return gpu.pack(entries, kind).parts.map((value): Parameter => ({ name: value.label, value }));
  };
  const d = pack("d", () => rank), b = pack("b", ({ out }) => out);
  for (const { value } of d) gpu.write(value, new Float32Array(rank).fill(dInitial));
  const vectors = new Map(targetModules.map((targetModule, i) => [targetModule, { d: d[i]!, b: b[i]! }]));
  using _ = gpu.countAs("state");
  const bases = drawBases(gpu, random, rank, widest(targetModules));
  const trainable = [...d, ...b, ...head], adamw = createAdamw(gpu, trainable, options);
  const vectorsOf = (targetModule: TargetModule): Vectors<Parameter> => {
    const found = vectors.get(targetModule);
    if (found) return found;
    throw new Error(
      `Cannot find vectors of target module "${targetModule.name}": it is not adapted in this run`,
    );
  };
  /** into += diag(b) B diag(d) A. */
  const addProduct = (targetModule: TargetModule, by: Vectors<Tensor>, into: Tensor): Tensor => {
    const scaled = scaledBases(gpu, bases, targetModule, by);
    return matmul(gpu, scaled.b, scaled.a, { into, accumulate: true, reuse: true });
  };
  return {
    trainable,
    state: [...[bases.a, bases.b].map((value) => ({ name: value.label, value })), ...adamw.state],
    hostState: noHostState,
    changesWhole: true,
    linear: (tape, targetModule, x) => veraLinear(tape, x, targetModule, bases, vectorsOf(targetModule)),
    step: (gradients, at) => adamw.step(gradients, at),
    effectiveWeight(targetModule) {
      const { d, b } = vectorsOf(targetModule);
      return addProduct(targetModule, { d: d.value, b: b.value }, copyWeight(gpu, targetModule));
    },
    equivalentGradients: (gradients) =>
      new Map(targetModules.map((targetModule) => {
        const { name, in: columns, out } = targetModule, { d, b } = vectorsOf(targetModule);
        const into = gpu.zeros([out, columns], `${name} equivalent gradient`);
        addProduct(targetModule, { d: gradients.of(d), b: b.value }, into);
        return [targetModule, addProduct(targetModule, { d: d.value, b: gradients.of(b) }, into)];
      })),
    factors: () => null,
    inspect: () => Promise.resolve({}),
  };
}

/** A and B, uniform as PEFT's, and room for them. */
function drawBases(gpu: Gpu, random: Random, rank: number, most: { in: number; out: number }): Bases {
  const draw = (kind: string, shape: readonly [number, number]) => {
    const bound = Math.sqrt(6 / shape[1]);
    return gpu.upload(random.fork(kind).uniform(shape[0] * shape[1], -bound, bound), "f32", shape, kind);
  };
  const a = draw("shared A", [rank, most.in]), b = draw("shared B", [most.out, rank]);
  return {
    a,
    b,
    rooms: {
      a: gpu.empty([rank * most.in], "room for A"),
      b: gpu.empty([rank * most.out], "room for B"),
      gradient: gpu.empty([rank * Math.max(most.in, most.out)], "room for a gradient"),
    },
  };
}

/** diag(d) A `[r, in]` and diag(b) B `[out, r]` of a target module, until the next one's are formed. */
function scaledBases(
  gpu: Gpu,
  { a, b, rooms }: Bases,
  { in: columns, out }: TargetModule,
  by: Vectors<Tensor>,
): { readonly a: Tensor; readonly b: Tensor } {
  const rank = a.shape[0]!;
  return {
    a: scaleBasis(gpu, a, { scales: by.d }, { into: { ...rooms.a, shape: [rank, columns] } }),
    b: scaleBasis(gpu, { ...b, shape: [out, rank] }, { scales: by.b }, {
      into: { ...rooms.b, shape: [out, rank] },
    }),
  };
}

/** x Wᵀ + x (diag(d) A)ᵀ (diag(b) B)ᵀ on the tape, as `adaptedLinear` has it; gradients of x, d and b. */
function veraLinear(
  tape: Tape,
  x: Var,
  targetModule: TargetModule,
  bases: Bases,
  vectors: Vectors<Parameter>,
): Var {
  const { gpu } = tape, { in: columns, out } = targetModule, rank = bases.a.shape[0]!;
  const weight = targetModule.weight.value, { gradient: room } = bases.rooms;
  const by = { d: vectors.d.value, b: vectors.b.value };
  const scaled = scaledBases(gpu, bases, targetModule, by);
  const inner = matmul(gpu, x.value, scaled.a, { transposeB: true });
  return tape.record({
    name: "VeRA linear",
    overwritable: true,
    inputs: [x, tape.parameter(vectors.d), tape.parameter(vectors.b)],
    keeps: { x: x.value, inner },
    output: matmul(gpu, x.value, weight, {
      transposeB: true,
      epilogue: { a: inner, b: scaled.b, scale: 1 },
    }),
    backward(gradient, inputs, { x, inner }) {
      const scaled = scaledBases(gpu, bases, targetModule, by);
      const dInner = matmul(gpu, gradient, scaled.b);
      if (inputs.wanted(0)) {
        matmul(gpu, gradient, weight, {
          epilogue: { a: dInner, b: scaled.a, scale: 1 },
          ...inputs.target(0),
        });
      }
      if (inputs.wanted(1)) {
        const into = { ...room, shape: [rank, columns] };
        scalesGradient(
          gpu,
          bases.a,
          matmul(gpu, dInner, x, { transposeA: true, into }),
          inputs.target(1),
        );
      }
      if (inputs.wanted(2)) {
        const into = { ...room, shape: [out, rank] };
        scalesGradient(
          gpu,
          { ...bases.b, shape: [out, rank] },
          matmul(gpu, gradient, inner, { transposeA: true, into }),
          inputs.target(2),
        );
      }
    },
  });
}
