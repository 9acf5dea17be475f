/** @file LoRA from other starts than its own: methods that differ from it by how A and B begin, and in nothing else. */
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { truncatedSvd } from "../../kernels/mod.ts";
import type { TargetModule } from "../../models/model.ts";
import { type Matrix, matrix, multiply } from "../../numerics/matrix.ts";
import {
  divideRowsOnHost,
  type HostMatrix,
  smallestEigenvectorsOnHost,
  thinQrOnHost,
  type TruncatedSvd,
  truncatedSvdOnHost,
} from "../../numerics/svd.ts";
import {
  attachLowRank,
  foldProductOut,
  lowRankDefaults,
  lowRankFootprint,
  type LowRankOptions,
  type LowRankParts,
  lowRankWork,
  validateLowRank,
} from "../low_rank.ts";
import { copyWeight } from "../module_weight.ts";
import {
  defineOptimizer,
  type Factors,
  type InputsOf,
  type OptimizerModule,
  type Setup,
} from "../optimizer.ts";
import { startFromTriplets } from "../pissa.ts";

/** What a method of this file says of itself. */
type Start<O extends LowRankOptions> =
  & Pick<OptimizerModule<O>, "id" | "title" | "source" | "paper" | "defaults">
  & Required<Pick<LowRankParts<O>, "initialize">>;

/** LoRA with its A and B filled by `initialize`. */
function startsBy<O extends LowRankOptions>({ initialize, ...said }: Start<O>): OptimizerModule<O> {
  return defineOptimizer({
    ...said,
    validate: (options, targetModules) => validateLowRank(options, targetModules),
    describe: ({ scaling }) => scaling,
    stepWork: (options, sizes) => lowRankWork(options, sizes),
    footprint: (options, model) => lowRankFootprint(options, model),
    attach: (setup, options) => attachLowRank(setup, options, { initialize }),
  });
}

/**
 * MiLoRA: with W = U S Vᵀ, B = U √(S / s) and A = √(S / s) Vᵀ of the r smallest singular values, and the base weight reduced
 * by s B A: PiSSA from the other end. From there on it is LoRA.
 *
 * The whole decomposition is needed, in float64 on the host. The largest entry of each right vector is positive. Where W lacks
 * ranks, columns of B and rows of A are 0, and then so are their gradients: they stay unused.
 * Source: Wang et al., arXiv 2406.09044.
 */
export const milora: OptimizerModule<LowRankOptions> = startsBy({
  id: "milora",
  title: "MiLoRA",
  source: "https://arxiv.org/abs/2406.09044",
  paper: {
    title: "MiLoRA: Harnessing Minor Singular Components for Parameter-Efficient LLM Finetuning",
    authors: ["Hanqing Wang", "Yixia Li", "Shuo Wang", "Guanhua Chen", "Yun Chen"],
    year: 2024,
  },
  defaults: { ...lowRankDefaults },
  async initialize({ gpu }, factors, { rank }) {
    for (const pair of factors) {
      await startFromTriplets(gpu, pair, lastTriplets(await weightOf(gpu, pair.targetModule), rank));
    }
  },
});

/**
 * OLoRA: with W = Q R, Q's columns orthonormal, B is the first r columns of Q and A the first r rows of R, and the base weight is
 * reduced by s B A. From there on it is LoRA. Unlike PiSSA's factors these are not divided by s, so that s B A is s times what
 * W is in the span of its first r columns.
 *
 * The diagonal of R is positive, which leaves no choice of signs. The decomposition is in float64 on the host. Weights in low
 * precision are rounded after they are reduced, so where s is large they are rounded coarsely.
 * Source: Büyükakyüz, arXiv 2406.01775; PEFT's `init_lora_weights="olora"`.
 */
export const olora: OptimizerModule<LowRankOptions> = startsBy({
  id: "olora",
  title: "OLoRA",
  source: "https://arxiv.org/abs/2406.01775",
  paper: {
    title: "OLoRA: Orthonormal Low-Rank Adaptation of Large Language Models",
    authors: ["Kerim Büyükakyüz"],
    year: 2024,
  },
  defaults: { ...lowRankDefaults },
  async initialize({ gpu }, factors, { rank }) {
    for (const pair of factors) {
      const { q, r } = thinQrOnHost(await weightOf(gpu, pair.targetModule), rank);
      gpu.write(pair.a.value, Float32Array.from(r));
      gpu.write(pair.b.value, Float32Array.from(q));
      await foldProductOut(gpu, pair);
    }
  },
});

/** Settings of a start that depends on the inputs of target modules. */
export type InputStartOptions = LowRankOptions & {
  /** Training batches whose inputs the start takes. */
  inputBatches: number;
};
const inputDefaults: InputStartOptions = { ...lowRankDefaults, inputBatches: 8 };

/** As `startsBy`, where `initialize` takes `Setup.inputMoments`. */
function startsByInputs<O extends InputStartOptions>(
  start: Start<O> & {
    /** What is wrong with the options beside the family's, in one sentence, or null. */
    validate?: (options: O) => string | null;
    /** What of them differs from the defaults. */
    describe?: (options: O) => string[];
    /** Whose inputs it takes; the task's where absent. */
    inputsOf?: (options: O) => InputsOf;
  },
): OptimizerModule<O> {
  const { validate, describe, inputsOf, ...said } = start, module = startsBy<O>(said);
  return {
    ...module,
    validate(options, targetModules, steps) {
      const { inputBatches } = options;
      if (!(Number.isInteger(inputBatches) && inputBatches >= 1)) {
        return `inputBatches is ${inputBatches}, a whole number of 1 or more is needed`;
      }
      return validate?.(options) ?? module.validate(options, targetModules, steps);
    },
    describe: (options) => [options.scaling, ...describe?.(options) ?? []].join(", "),
    footprint: (options, model) => ({
      ...module.footprint(options, model),
      inputMoments: inputsOf?.(options) ?? "task",
    }),
  };
}

/**
 * EVA: A is the r first right singular vectors of the target module's inputs X in `inputBatches` training batches, the first
 * eigenvectors of XᵀX, and B is 0. From there on it is LoRA. The largest entry of each row of A is positive.
 *
 * Every target module has the rank r: the ranks that the paper moves between them by explained variance (ρ = 2) are ρ = 1 here. PEFT
 * takes the mean of the inputs out before, goes on until the vectors stay, and takes all tokens that are not padding; what X is here
 * is told at `Setup.inputMoments`.
 * Source: Paischer et al., arXiv 2410.07170, section 3.
 */
export const eva: OptimizerModule<InputStartOptions> = startsByInputs({
  id: "eva",
  title: "EVA",
  source: "https://arxiv.org/abs/2410.07170",
  paper: {
    title: "Parameter Efficient Fine-tuning via Explained Variance Adaptation",
    authors: [
      "Fabian Paischer",
      "Lukas Hauzenberger",
      "Thomas Schmied",
      "Benedikt Alkin",
      "Marc Peter Deisenroth",
      "Sepp Hochreiter",
    ],
    year: 2024,
  },
  defaults: { ...inputDefaults },
  async initialize({ gpu, inputMoments, random }, factors, { rank, inputBatches }) {
    for await (const { targetModule, moments } of inputMoments(inputBatches)) {
      const { right } = await truncatedSvd(gpu, moments, rank, random.fork(`svd ${targetModule.name}`));
      gpu.write(pairOf(factors, targetModule).a.value, Float32Array.from(right));
    }
  },
});

const SOURCES: readonly InputsOf[] = ["task", "pretraining"];

/** Settings of a start that may spare what a model has learned before. */
export type KnowledgeStartOptions = InputStartOptions & {
  /** "task", or "pretraining" for batches that the weights were pre-trained on. */
  inputsOf: string;
};

/** Whose inputs options ask for, once they are valid. */
const sourceOf = ({ inputsOf }: KnowledgeStartOptions) => inputsOf as InputsOf;

function validateSource({ inputsOf }: KnowledgeStartOptions): string | null {
  return SOURCES.some((known) => known === inputsOf)
    ? null
    : `inputsOf is "${inputsOf}", known are ${SOURCES.join(", ")}`;
}

const MODES = ["ipm", "kpm"] as const;

/** Settings of CorDA. */
export type CordaOptions = KnowledgeStartOptions & {
  /** "ipm" for the largest triplets, "kpm" for the smallest. */
  mode: string;
  /** Added to C's diagonal, whose mean is 1. */
  damping: number;
};
const cordaDefaults: CordaOptions = { ...inputDefaults, inputsOf: "task", mode: "ipm", damping: 0.01 };

/**
 * CorDA: with C = XᵀX of the target module's inputs in `inputBatches` training batches and W C = U S Vᵀ, B = U √(S / s) and
 * A = √(S / s) Vᵀ C⁻¹ of r triplets, and the base weight reduced by s B A. From there on it is LoRA. Where inputs are white it is
 * PiSSA or MiLoRA.
 *
 * Option `mode`: "ipm" (default, instruction-previewed) takes the r largest triplets, "kpm" (knowledge-preserved) the r smallest. Option
 * `inputsOf`: "task" (default) as the paper's "ipm" has it; its "kpm" takes inputs whose knowledge is to be kept, as "pretraining" does:
 * of batches that the weights were pre-trained on, which are known of checkpoints that ship.
 *
 * C is divided by the mean of its diagonal, so that A and B don't depend on how large inputs are and how many; then `damping` is added
 * to its diagonal. Published code divides each batch's inputs by their largest entry instead, and doubles the damping from 0.01 until
 * the inverse is good enough in 32 bits; here it is in float64, on the host, as the decomposition is. The largest entry of each
 * right vector of W C is positive.
 * Source: Yang et al., arXiv 2406.05223, section 3; PEFT's `init_lora_weights="corda"`.
 */
export const corda: OptimizerModule<CordaOptions> = startsByInputs({
  id: "corda",
  title: "CorDA",
  source: "https://arxiv.org/abs/2406.05223",
  paper: {
    title:
      "CorDA: Context-Oriented Decomposition Adaptation of Large Language Models for Task-Aware Parameter-Efficient Fine-tuning",
    authors: [
      "Yibo Yang",
      "Xiaojie Li",
      "Zhongzhu Zhou",
      "Shuaiwen Leon Song",
      "Jianlong Wu",
      "Liqiang Nie",
      "Bernard Ghanem",
    ],
    year: 2024,
  },
  defaults: cordaDefaults,
  validate({ mode, damping, ...options }) {
    if (!MODES.some((known) => known === mode)) return `mode is "${mode}", known are ${MODES.join(", ")}`;
    if (!(damping > 0 && Number.isFinite(damping))) {
      return `damping is ${damping}, a positive number is needed`;
    }
    return validateSource(options);
  },
  inputsOf: sourceOf,
  describe: ({ mode, inputsOf, damping }) => [
    ...mode === cordaDefaults.mode ? [] : [mode],
    ...inputsOf === cordaDefaults.inputsOf ? [] : [`inputs of ${inputsOf}`],
    ...damping === cordaDefaults.damping ? [] : [`damping ${damping}`],
  ],
  initialize: (setup, factors, options) =>
    startFromInputs(setup, factors, options, (weight, moments) => {
      const { rank, mode, damping } = options;
      const c = scaledMoments(moments, damping), product = multiply(weight, c);
      const { right, ...found } = mode === "kpm"
        ? lastTriplets(product, rank)
        : truncatedSvdOnHost(product, rank);
      return { ...found, right: divideRowsOnHost(right, c) };
    }),
});

/** Eigenvalues below this share of the largest are rounding: moments are sums in 32 bits. */
const NEGLIGIBLE = 1e-6;
const nullDefaults: KnowledgeStartOptions = { ...inputDefaults, inputsOf: "pretraining" };

/**
 * LoRA-Null: with N the r eigenvectors of the smallest eigenvalues of XᵀX, X the target module's inputs in `inputBatches`
 * batches, and W N Nᵀ = U S Vᵀ, B = U √(S / s) and A = √(S / s) Vᵀ, and the base weight reduced by s B A = W N Nᵀ. From there on it is
 * LoRA. Of what A takes in at the start the inputs have least, so that steps of B change little of what W makes of them.
 *
 * Option `inputsOf`: "pretraining" (default) takes batches that the weights were pre-trained on, where the paper takes questions whose
 * answers are to be kept; that is known of checkpoints that ship. "task" takes the task's. The paper's variant that freezes A is not
 * offered.
 * Where inputs leave more than r directions out, N has all of these, those of eigenvalues below 1e-6 of the largest, and the r largest
 * triplets of W N Nᵀ are taken: which r of them a decomposition puts last is rounding. Decompositions are in float64 on the host. The
 * largest entry of each right vector is positive.
 * Source: Tang et al., arXiv 2503.02659, section 4.
 */
export const loraNull: OptimizerModule<KnowledgeStartOptions> = startsByInputs({
  id: "lora-null",
  title: "LoRA-Null",
  source: "https://arxiv.org/abs/2503.02659",
  paper: {
    title: "Put the Space of LoRA Initialization to the Extreme to Preserve Pre-trained Knowledge",
    authors: [
      "Pengwei Tang",
      "Xiaolin Hu",
      "Yong Liu",
      "Lizhong Ding",
      "Dongjie Zhang",
      "Xing Wu",
      "Debing Zhang",
    ],
    year: 2025,
  },
  defaults: nullDefaults,
  validate: validateSource,
  inputsOf: sourceOf,
  describe: ({ inputsOf }) => inputsOf === nullDefaults.inputsOf ? [] : [`inputs of ${inputsOf}`],
  initialize: (setup, factors, options) =>
    startFromInputs(setup, factors, options, (weight, moments) => {
      const { rank } = options;
      const vectors = smallestEigenvectorsOnHost(moments, rank, NEGLIGIBLE), { columns } = moments;
      const n = matrix(vectors.length / columns, columns, vectors);
      return truncatedSvdOnHost(multiply(multiply(weight, n, { transposeB: true }), n), rank);
    }),
});

/** Starts every pair from triplets that `decompose` makes of the weight and its input moments. */
async function startFromInputs(
  { gpu, inputMoments }: Setup,
  factors: readonly Factors[],
  inputs: KnowledgeStartOptions,
  decompose: (weight: Matrix, moments: Matrix) => TruncatedSvd,
): Promise<void> {
  const found: [Factors, TruncatedSvd][] = [];
  for await (const { targetModule, moments } of inputMoments(inputs.inputBatches, sourceOf(inputs))) {
    const pair = pairOf(factors, targetModule);
    found.push([pair, decompose(await weightOf(gpu, targetModule), await onHost(gpu, moments))]);
  }
  // Weights are rewritten once no more inputs are to be taken.
  for (const [pair, triplets] of found) await startFromTriplets(gpu, pair, triplets);
}

/** XᵀX over the mean of its diagonal, with `damping` on it; the unit matrix times that where there are no inputs. */
function scaledMoments({ rows, columns, data }: Matrix, damping: number): Matrix {
  let trace = 0;
  for (let i = 0; i < rows; i++) trace += data[i * columns + i]!;
  const size = trace > 0 ? trace / rows : 1;
  return matrix(
    rows,
    columns,
    // A product in 32 bits need not be symmetric in every bit.
    data.map((value, k) => {
      const i = Math.floor(k / columns), j = k % columns;
      return (value + data[j * columns + i]!) / (2 * size) + (i === j ? damping : 0);
    }),
  );
}

function pairOf(factors: readonly Factors[], targetModule: TargetModule): Factors {
  return factors.find((pair) => pair.targetModule === targetModule)!;
}

/** A target module's weight on the host. */
async function weightOf(gpu: Gpu, targetModule: TargetModule): Promise<Matrix> {
  using _ = gpu.scope("weight on the host", "scratch");
  return await onHost(gpu, copyWeight(gpu, targetModule));
}

async function onHost(gpu: Gpu, tensor: Tensor): Promise<Matrix> {
  const [rows, columns] = tensor.shape as [number, number];
  return matrix(rows, columns, await gpu.download(tensor));
}

/** The triplets of the `count` smallest singular values. */
function lastTriplets(matrix: HostMatrix, count: number): TruncatedSvd {
  const { rows, columns } = matrix, all = Math.min(rows, columns), first = all - count;
  const { left, values, right } = truncatedSvdOnHost(matrix, all);
  return {
    left: Float64Array.from(
      { length: rows * count },
      (_, i) => left[Math.floor(i / count) * all + first + i % count]!,
    ),
    values: values.slice(first),
    right: right.slice(first * columns),
  };
}
