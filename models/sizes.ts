/** @file Named model sizes: architecture, what they accept, and how their base checkpoint is made. */
import type { Gpu } from "../gpu/gpu.ts";
import { createRandom } from "../numerics/random.ts";
import {
  type Architecture,
  countParameters,
  decoderArchitecture,
  encoderDecoderArchitecture,
  visionArchitecture,
} from "./architecture.ts";
import { readSafetensors } from "./checkpoint.ts";
import { checkpointWeights } from "./checkpoint_folder.ts";
import { createDecoder, type DecoderConfig, decoderParameters } from "./decoder.ts";
import {
  createEncoderDecoder,
  type EncoderDecoderConfig,
  encoderDecoderParameters,
} from "./encoder_decoder.ts";
import type { Model, ModelFamily } from "./model.ts";
import { decoderMemory, encoderDecoderMemory, type ModelMemory, visionMemory } from "./tape_tensors.ts";
import { createVision, type VisionConfig, visionParameters } from "./vision.ts";
import { initialWeights, type ParameterList, type WeightSource } from "./weights.ts";

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

/** What may be changed about a model of the registry. */
export interface ModelSize {
  /** Width of the residual stream; a multiple of the entry's head size. */
  readonly width: number;
  /** Blocks, from 1. */
  readonly layers: number;
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
  /** Its own size, that of its checkpoint. */
  readonly size: ModelSize;
  /** False for a model without a checkpoint, such as a resized one: it starts from seeded random weights. */
  readonly pretrained: boolean;
  /** How its base checkpoint is made; null where it is not made here. */
  readonly recipe: PretrainingRecipe | null;
  /** Names and shapes of all parameters, without a GPU. */
  readonly parameters: ParameterList;
  /** The linear maps that may be adapted, without a GPU. */
  sites(): readonly { readonly name: string; readonly in: number; readonly out: number }[];
  /** What its costs are counted from, for examples of full length. */
  readonly architecture: Architecture;
  /** What its memory is predicted from. */
  readonly memory: ModelMemory;
  /**
   * The same architecture in another size. Heads keep their size, so their number follows the width, and so does the
   * hidden width. What costs are measured on: it has no checkpoint, and its scores mean nothing.
   *
   * @throws {RangeError} where the width is no multiple of the head size, or the layers are not 1 or more
   */
  resize(size: Partial<ModelSize>): ModelEntry;
  /** Builds the model in the caller's scope, with the weights of the sites that `half` names in 16-bit floats. */
  create(gpu: Gpu, source: WeightSource, half?: ReadonlySet<string>): Model;
}

/** Where a model's base checkpoint lies. */
export function pretrainedPath(id: string): URL {
  return new URL(`./pretrained/${id}.safetensors`, import.meta.url);
}

/** Weights of a model's base checkpoint. @throws {CheckpointError} where it is missing or does not fit */
export async function pretrainedWeights(entry: ModelEntry): Promise<WeightSource> {
  const { pathname } = pretrainedPath(entry.id);
  return checkpointWeights(await readSafetensors(decodeURIComponent(pathname)));
}

/** Seeds the random weights of models that have no recipe. */
const SEED = 1;

/**
 * The weights that fine-tuning starts from: the base checkpoint, or seeded random numbers where there is none.
 *
 * @throws {CheckpointError} where the checkpoint is missing or does not fit
 */
export async function baseWeights(entry: ModelEntry): Promise<WeightSource> {
  if (entry.pretrained) return await pretrainedWeights(entry);
  return initialWeights(createRandom(entry.recipe?.seed ?? SEED).fork("weights"));
}

function decoder(
  given: {
    readonly id: string;
    readonly title: string;
    readonly config: DecoderConfig;
    readonly recipe: PretrainingRecipe;
    readonly pretrained?: boolean;
  },
): ModelEntry {
  const { config } = given;
  const parameters = decoderParameters(config);
  return {
    pretrained: true,
    ...given,
    family: "decoder",
    size: { width: config.width, layers: config.layers },
    memory: decoderMemory(config),
    architecture: decoderArchitecture(config, config.length, countParameters(parameters)),
    resize(size) {
      const { headSize } = config;
      const scaled = scale(given.id, config, headSize, size), heads = scaled.width / headSize;
      const keyValueHeads = wholePart(
        given.id,
        heads,
        config.keyValueHeads / config.heads,
        "key-value heads",
      );
      return decoder({
        ...given,
        title: `Decoder, ${scaled.layers} layers of width ${scaled.width}`,
        config: { ...config, ...scaled, heads, keyValueHeads },
        pretrained: false,
      });
    },
    outputs: config.vocabulary,
    inputSize: config.length,
    parameters,
    sites: () => sitesOf(parameters, /^model\.(layers\..*_proj)\.weight$/),
    create: (gpu, source, half) => createDecoder(gpu, config, source, half) as Model,
  };
}

function vision(
  given: {
    readonly id: string;
    readonly title: string;
    readonly config: VisionConfig;
    readonly recipe: PretrainingRecipe;
    readonly pretrained?: boolean;
  },
): ModelEntry {
  const { config } = given;
  const parameters = visionParameters(config);
  return {
    pretrained: true,
    ...given,
    family: "vision",
    size: { width: config.width, layers: config.layers },
    memory: visionMemory(config),
    architecture: visionArchitecture(config, countParameters(parameters)),
    resize(size) {
      const headSize = config.width / config.heads;
      const scaled = scale(given.id, config, headSize, size);
      return vision({
        ...given,
        title: `Vision transformer, ${scaled.layers} layers of width ${scaled.width}`,
        config: { ...config, ...scaled, heads: scaled.width / headSize },
        pretrained: false,
      });
    },
    outputs: config.outputs,
    inputSize: config.image,
    parameters,
    sites: () => sitesOf(parameters, /^vision_model\.encoder\.(layers\..*(?:_proj|fc1|fc2))\.weight$/),
    create: (gpu, source, half) => createVision(gpu, config, source, half) as Model,
  };
}

function encoderDecoder(
  given: {
    readonly id: string;
    readonly title: string;
    readonly config: EncoderDecoderConfig;
    readonly recipe: PretrainingRecipe | null;
    readonly pretrained: boolean;
  },
): ModelEntry {
  const { config } = given;
  const parameters = encoderDecoderParameters(config);
  return {
    ...given,
    family: "encoder-decoder",
    size: { width: config.width, layers: config.encoderLayers },
    memory: encoderDecoderMemory(config),
    architecture: encoderDecoderArchitecture(config, countParameters(parameters)),
    resize(size) {
      const { headSize } = config, own = { ...config, layers: config.encoderLayers };
      const { width, layers, hidden } = scale(given.id, own, headSize, size);
      const heads = wholePart(given.id, width, config.heads / config.width, "heads");
      return encoderDecoder({
        ...given,
        title: encoderDecoderTitle(width, layers),
        config: {
          ...config,
          width,
          hidden,
          heads,
          encoderLayers: layers,
          decoderLayers: size.layers ?? config.decoderLayers,
        },
        pretrained: false,
      });
    },
    outputs: config.vocabulary,
    inputSize: config.inputLength,
    parameters,
    sites: () =>
      sitesOf(parameters, /^((?:encoder|decoder)\.block\..*\.(?:[qkvo]|wi|wi_0|wi_1|wo))\.weight$/),
    create: (gpu, source, half) => createEncoderDecoder(gpu, config, source, half) as Model,
  };
}

function encoderDecoderTitle(width: number, layers: number): string {
  return `Encoder-decoder, twice ${layers} layers of width ${width}`;
}

/** Another width and number of layers, with the hidden width in proportion. */
function scale(
  id: string,
  own: ModelSize & { readonly hidden: number },
  headSize: number,
  size: Partial<ModelSize>,
): ModelSize & { readonly hidden: number } {
  const { width = own.width, layers = own.layers } = size;
  if (!(Number.isInteger(layers) && layers >= 1)) {
    throw new RangeError(`Cannot resize "${id}" to ${layers} layers: a whole number of 1 or more is needed`);
  }
  if (!(Number.isInteger(width) && width >= 1 && width % headSize === 0)) {
    throw new RangeError(
      `Cannot resize "${id}" to width ${width}: a multiple of its head size, ${headSize}, is needed`,
    );
  }
  return { width, layers, hidden: wholePart(id, width, own.hidden / own.width, "the hidden width") };
}

/** `whole` · `share`, which must come out whole. */
function wholePart(id: string, whole: number, share: number, what: string): number {
  const part = whole * share;
  if (!Number.isInteger(part) || part < 1) {
    throw new RangeError(`Cannot resize "${id}": ${what} would be ${part}, a whole number is needed`);
  }
  return part;
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

/** A decoder of the same widths over longer texts, for conversations about bookings. */
export const decoderTinyDialogue: ModelEntry = decoder({
  id: "decoder-tiny-dialogue",
  title: "Decoder of dialogue, 3 layers of width 64",
  config: {
    vocabulary: 56,
    width: 64,
    layers: 3,
    heads: 4,
    keyValueHeads: 4,
    headSize: 16,
    hidden: 192,
    length: 96,
    normEpsilon: 1e-5,
    ropeTheta: 10000,
    tiedHead: false,
  },
  recipe: {
    task: "dialogue-state-base",
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

/** What T5's sizes have in common; the lengths are those of its pre-training. */
const T5 = {
  vocabulary: 32128,
  headSize: 64,
  buckets: 32,
  maxDistance: 128,
  inputLength: 512,
  targetLength: 512,
  normEpsilon: 1e-6,
  startToken: 0,
  paddingToken: 0,
} as const;

/** A T5-like encoder-decoder of 328,704 parameters over 2,048 words, for tasks of understanding. */
export const t5Tiny: ModelEntry = encoderDecoder({
  id: "t5-tiny",
  title: encoderDecoderTitle(64, 2),
  config: {
    ...T5,
    vocabulary: 2048,
    width: 64,
    encoderLayers: 2,
    decoderLayers: 2,
    heads: 4,
    headSize: 16,
    hidden: 192,
    feedForward: "relu",
    inputLength: 40,
    targetLength: 12,
    tiedHead: true,
  },
  recipe: {
    task: "understanding-base",
    steps: 2000,
    batchSize: 48,
    peak: 3e-3,
    warmup: 100,
    weightDecay: 0.01,
    beta2: 0.98,
    clip: 1,
    seed: 1,
  },
  pretrained: true,
});

/** T5-small as Raffel et al. have it: 60,506,624 parameters. */
export const t5Small: ModelEntry = encoderDecoder({
  id: "t5-small",
  title: encoderDecoderTitle(512, 6),
  config: {
    ...T5,
    width: 512,
    encoderLayers: 6,
    decoderLayers: 6,
    heads: 8,
    hidden: 2048,
    feedForward: "relu",
    tiedHead: true,
  },
  recipe: null,
  pretrained: false,
});

/** T5-base as Raffel et al. have it: 222,903,552 parameters. */
export const t5Base: ModelEntry = encoderDecoder({
  id: "t5-base",
  title: encoderDecoderTitle(768, 12),
  config: {
    ...T5,
    width: 768,
    encoderLayers: 12,
    decoderLayers: 12,
    heads: 12,
    hidden: 3072,
    feedForward: "relu",
    tiedHead: true,
  },
  recipe: null,
  pretrained: false,
});

/** T5-base of version 1.1, with gated feed-forward parts and a head of its own: 247,577,856 parameters. */
export const t5BaseGated: ModelEntry = encoderDecoder({
  id: "t5-v1.1-base",
  title: `${encoderDecoderTitle(768, 12)}, gated`,
  config: {
    ...T5,
    width: 768,
    encoderLayers: 12,
    decoderLayers: 12,
    heads: 12,
    hidden: 2048,
    feedForward: "gated-gelu",
    tiedHead: false,
  },
  recipe: null,
  pretrained: false,
});
