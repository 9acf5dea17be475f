/** @file Named model sizes: architecture, what they accept, and how their base checkpoint is made. */
import type { Gpu } from "../gpu/gpu.ts";
import { readSafetensors, take } from "./checkpoint.ts";
import { createDecoder, type DecoderConfig, decoderParameters } from "./decoder.ts";
import type { Model, ModelFamily } from "./model.ts";
import { createVision, type VisionConfig, visionParameters } from "./vision.ts";
import type { ParameterList, WeightSource } from "./weights.ts";

/** How a base checkpoint is made: full fine-tuning of seeded random weights on a corpus. */
export interface PretrainingRecipe {
  /** A name from the registry of pretraining corpora. */
  readonly task: string;
  /** Optimizer steps. */
  readonly steps: number;
  /** Examples of a step. */
  readonly batchSize: number;
  /** Peak learning rate of a cosine schedule that ends at a hundredth. */
  readonly peak: number;
  /** Steps of warm-up. */
  readonly warmup: number;
  /** Decoupled weight decay. */
  readonly weightDecay: number;
  /** Decay of AdamW's second moment. */
  readonly beta2: number;
  /** Largest gradient norm. */
  readonly clip: number;
  /** Seeds weights and data order. */
  readonly seed: number;
}

/** A model as the registry lists it. */
export interface ModelEntry {
  /** Name in configs, files and charts, e.g. "decoder-tiny". */
  readonly id: string;
  /** For people. */
  readonly title: string;
  /** The kind of batch that it takes. */
  readonly family: ModelFamily;
  /** Vocabulary size of a text model, or classes of a vision one. */
  readonly outputs: number;
  /** Longest sequence in tokens, or the image's side in pixels. */
  readonly inputSize: number;
  /** How its base checkpoint is made. */
  readonly recipe: PretrainingRecipe;
  /** Names and shapes of all parameters, without a GPU. */
  readonly parameters: ParameterList;
  /** The linear maps that may be adapted, without a GPU. */
  sites(): readonly { readonly name: string; readonly in: number; readonly out: number }[];
  /** Builds the model in the caller's scope. */
  create(gpu: Gpu, source: WeightSource): Model;
}

/** Where a model's base checkpoint lies. */
export function pretrainedPath(id: string): URL {
  return new URL(`./pretrained/${id}.safetensors`, import.meta.url);
}

/** Weights of a model's base checkpoint. @throws {CheckpointError} where it is missing or does not fit */
export async function pretrainedWeights(entry: ModelEntry): Promise<WeightSource> {
  const { pathname } = pretrainedPath(entry.id);
  const checkpoint = await readSafetensors(decodeURIComponent(pathname));
  return (name, shape) => take(checkpoint, name, shape);
}

function decoder(
  size: {
    readonly id: string;
    readonly title: string;
    readonly config: DecoderConfig;
    readonly recipe: PretrainingRecipe;
  },
): ModelEntry {
  const { config } = size;
  const parameters = decoderParameters(config);
  return {
    ...size,
    family: "decoder",
    outputs: config.vocabulary,
    inputSize: config.length,
    parameters,
    sites: () => sitesOf(parameters, /^model\.(layers\..*_proj)\.weight$/),
    create: (gpu, source) => createDecoder(gpu, config, source) as Model,
  };
}

function vision(
  size: {
    readonly id: string;
    readonly title: string;
    readonly config: VisionConfig;
    readonly recipe: PretrainingRecipe;
  },
): ModelEntry {
  const { config } = size;
  const parameters = visionParameters(config);
  return {
    ...size,
    family: "vision",
    outputs: config.outputs,
    inputSize: config.image,
    parameters,
    sites: () => sitesOf(parameters, /^vision_model\.encoder\.(layers\..*(?:_proj|fc1|fc2))\.weight$/),
    create: (gpu, source) => createVision(gpu, config, source) as Model,
  };
}

function sitesOf(parameters: ParameterList, pattern: RegExp): { name: string; in: number; out: number }[] {
  return parameters.flatMap(({ name, shape }) => {
    const site = pattern.exec(name)?.[1];
    return site ? [{ name: site, out: shape[0]!, in: shape[1]! }] : [];
  });
}

/** A Llama-like decoder of 167,360 parameters over characters, for arithmetic in words. */
export const decoderTiny: ModelEntry = decoder({
  id: "decoder-tiny",
  title: "Decoder, 3 layers of width 64",
  config: {
    vocabulary: 56,
    width: 64,
    layers: 3,
    heads: 4,
    keyValueHeads: 4,
    headSize: 16,
    hidden: 192,
    length: 64,
    normEpsilon: 1e-5,
    ropeTheta: 10000,
    tiedHead: false,
  },
  recipe: {
    task: "arithmetic-base",
    steps: 3000,
    batchSize: 16,
    peak: 3e-3,
    warmup: 100,
    weightDecay: 0.01,
    beta2: 0.98,
    clip: 1,
    seed: 1,
  },
});

/** A vision transformer with 16 patches of 7 x 7 pixels, for handwritten digits. */
export const vitTiny: ModelEntry = vision({
  id: "vit-tiny",
  title: "Vision transformer, 3 layers of width 64",
  config: {
    image: 28,
    channels: 1,
    patch: 7,
    width: 64,
    layers: 3,
    heads: 4,
    hidden: 192,
    outputs: 10,
    activation: "gelu",
    normEpsilon: 1e-5,
  },
  recipe: {
    task: "digits-upright",
    steps: 1200,
    batchSize: 32,
    peak: 2e-3,
    warmup: 50,
    weightDecay: 0.01,
    beta2: 0.98,
    clip: 1,
    seed: 1,
  },
});
