/** @file Named model sizes: architecture, what they accept, and how their base checkpoint is made. */
import type { Gpu } from "../gpu/gpu.ts";
import { createRandom, type Random } from "../numerics/random.ts";
import {
  type Architecture,
  countParameters,
  decoderArchitecture,
  encoderDecoderArchitecture,
  visionArchitecture,
} from "./architecture.ts";
import { readSafetensors } from "./checkpoint.ts";
import { checkpointWeights, readCheckpointFolder } from "./checkpoint_folder.ts";
import { createDecoder, type DecoderConfig, decoderParameters } from "./decoder.ts";
import {
  createEncoderDecoder,
  type EncoderDecoderConfig,
  encoderDecoderParameters,
  initialEncoderDecoderWeights,
} from "./encoder_decoder.ts";
import type { CheckpointConfig } from "./hugging_face.ts";
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
  /** The folder with its checkpoint, where that is the user's and not the project's. */
  readonly folder?: string;
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
   * @throws {RangeError} where the width is no multiple of the head size, the layers are not 1 or more, or the weights are
   * the user's
   */
  resize(size: Partial<ModelSize>): ModelEntry;
  /** Seeded random weights, as the family is pretrained from. */
  initial(random: Random): WeightSource;
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
 * The weights that fine-tuning starts from: the base checkpoint, the user's or the project's, or seeded random numbers where there is none.
 *
 * @throws {CheckpointError} where the checkpoint is missing or does not fit
 */
export async function baseWeights(entry: ModelEntry): Promise<WeightSource> {
  if (entry.folder !== undefined) return checkpointWeights(await readCheckpointFolder(entry.folder));
  if (entry.pretrained) return await pretrainedWeights(entry);
  return entry.initial(createRandom(entry.recipe?.seed ?? SEED).fork("weights"));
}

/** A model of a checkpoint that lies in a folder. @param path the folder */
export function checkpointEntry(id: string, path: string, read: CheckpointConfig): ModelEntry {
  const given = { id, recipe: null, pretrained: true };
  return { ...entryOf(given, read), folder: path, resize: refuseResize };

  function refuseResize(): never {
    throw new RangeError(`Cannot resize "${id}": its weights, from ${path}, have the sizes of its config`);
  }
}

function entryOf(
  given: { readonly id: string; readonly recipe: null; readonly pretrained: boolean },
  { family, config }: CheckpointConfig,
): ModelEntry {
  switch (family) {
    case "decoder":
      return decoder({ ...given, title: decoderTitle(config), config });
    case "encoder-decoder":
      return encoderDecoder({
        ...given,
        title: encoderDecoderTitle(config.width, config.encoderLayers),
        config,
      });
    case "vision":
      return vision({ ...given, title: visionTitle(config), config });
  }
}

/** What the entries of a family are made of. */
interface Given<C> {
  readonly id: string;
  readonly title: string;
  readonly config: C;
  readonly recipe: PretrainingRecipe | null;
  /** Where absent, what has a recipe ships with a checkpoint. */
  readonly pretrained?: boolean;
}

function decoder(given: Given<DecoderConfig>): ModelEntry {
  const { config } = given;
  const parameters = decoderParameters(config);
  return {
    pretrained: given.recipe !== null,
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
        title: decoderTitle(scaled),
        config: { ...config, ...scaled, heads, keyValueHeads },
        pretrained: false,
      });
    },
    outputs: config.vocabulary,
    inputSize: config.length,
    parameters,
    sites: () => sitesOf(parameters, /^model\.(layers\..*_proj)\.weight$/),
    initial: initialWeights,
    create: (gpu, source, half) => createDecoder(gpu, config, source, half) as Model,
  };
}

function decoderTitle({ layers, width }: ModelSize): string {
  return `Decoder, ${layers} layers of width ${width}`;
}

function vision(given: Given<VisionConfig>): ModelEntry {
  const { config } = given;
  const parameters = visionParameters(config);
  return {
    pretrained: given.recipe !== null,
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
        title: visionTitle(scaled),
        config: { ...config, ...scaled, heads: scaled.width / headSize },
        pretrained: false,
      });
    },
    outputs: config.outputs,
    inputSize: config.image,
    parameters,
    sites: () => sitesOf(parameters, /^vision_model\.encoder\.(layers\..*(?:_proj|fc1|fc2))\.weight$/),
    initial: initialWeights,
    create: (gpu, source, half) => createVision(gpu, config, source, half) as Model,
  };
}

function visionTitle({ layers, width }: ModelSize): string {
  return `Vision transformer, ${layers} layers of width ${width}`;
}

function encoderDecoder(given: Given<EncoderDecoderConfig>): ModelEntry {
  const { config } = given;
  const parameters = encoderDecoderParameters(config);
  return {
    pretrained: given.recipe !== null,
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
    initial: (random) => initialEncoderDecoderWeights(config, random),
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

/** The tiny decoders: one architecture, pre-trained on different corpora. */
const TINY_DECODER: DecoderConfig = {
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
};

/** A Llama-like decoder of 167,360 parameters over characters, for arithmetic in words. */
export const decoderTiny: ModelEntry = decoder({
  id: "decoder-tiny",
  title: "Decoder, 3 layers of width 64",
  config: { ...TINY_DECODER, length: 80 },
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

/** What Llama 2 and its small kin have in common: its tokenizer, and heads that all have keys of their own. */
const LLAMA_2 = { vocabulary: 32000, normEpsilon: 1e-5, ropeTheta: 10000 } as const;

/** The 42M model of llama2.c's tinyllamas: 41,689,600 parameters. */
export const decoderSmall: ModelEntry = decoder({
  id: "decoder-small",
  title: decoderTitle({ layers: 8, width: 512 }),
  config: {
    ...LLAMA_2,
    width: 512,
    layers: 8,
    heads: 8,
    keyValueHeads: 8,
    headSize: 64,
    hidden: 1376,
    length: 1024,
    tiedHead: true,
  },
  recipe: null,
});

/** Llama-2-7B as Touvron et al. have it, arXiv 2307.09288: 6,738,415,616 parameters. */
export const llama2: ModelEntry = decoder({
  id: "llama-2-7b",
  title: decoderTitle({ layers: 32, width: 4096 }),
  config: {
    ...LLAMA_2,
    width: 4096,
    layers: 32,
    heads: 32,
    keyValueHeads: 32,
    headSize: 128,
    hidden: 11008,
    length: 4096,
    tiedHead: false,
  },
  recipe: null,
});

/** The same decoder, pre-trained on JavaScript expressions and their prefix notation. */
export const decoderTinyCode: ModelEntry = decoder({
  id: "decoder-tiny-code",
  title: "Decoder of code, 3 layers of width 64",
  config: TINY_DECODER,
  recipe: {
    task: "code-base",
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
  config: { ...TINY_DECODER, length: 96 },
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

/** What CLIP's image towers for patches of 16 x 16 pixels have in common. */
const CLIP_16 = { image: 224, channels: 3, patch: 16, normEpsilon: 1e-5 } as const;

/** The image tower of OpenCLIP's ViT-S-16, with its projection: 21,813,504 parameters. */
export const vitSmall: ModelEntry = vision({
  id: "vit-small",
  title: visionTitle({ layers: 12, width: 384 }),
  config: {
    ...CLIP_16,
    width: 384,
    layers: 12,
    heads: 6,
    hidden: 1536,
    outputs: 384,
    activation: "gelu",
  },
  recipe: null,
});

/**
 * The image tower of CLIP-ViT-B/16 as Radford et al. have it, arXiv 2103.00020: 86,192,640 parameters, of which the
 * projection into the shared space has 393,216. With the text tower's 63,428,096 and the scale it is CLIP's 149,620,737.
 */
export const clipVitB16: ModelEntry = vision({
  id: "clip-vit-b-16",
  title: visionTitle({ layers: 12, width: 768 }),
  config: {
    ...CLIP_16,
    width: 768,
    layers: 12,
    heads: 12,
    hidden: 3072,
    outputs: 512,
    activation: "quick-gelu",
  },
  recipe: null,
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
    steps: 8000,
    batchSize: 48,
    peak: 2e-3,
    warmup: 200,
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
});

/** T5-base of version 1.1, with gated feed-forward parts and a head of its own: 247,577,856 parameters. */
export const t5BaseGated: ModelEntry = encoderDecoder({
  id: "t5-v1-1-base",
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
});
