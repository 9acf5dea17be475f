/** @file An entry of the registry of models: what it accepts, and how each family makes one of its config. */
import type { Gpu } from "../gpu/gpu.ts";
import type { Random } from "../numerics/random.ts";
import {
  type Architecture,
  countParameters,
  decoderArchitecture,
  encoderDecoderArchitecture,
  gpt2Architecture,
  imageClassifierArchitecture,
  type RowLengths,
  textClassifierArchitecture,
  useLiteArchitecture,
  visionArchitecture,
} from "./architecture.ts";
import type { ClipTextConfig } from "./clip_text.ts";
import { createDecoder, type DecoderConfig, decoderParameters } from "./decoder.ts";
import {
  createEncoderDecoder,
  type EncoderDecoderConfig,
  encoderDecoderParameters,
  initialEncoderDecoderWeights,
} from "./encoder_decoder.ts";
import { createGpt2, type Gpt2Config, gpt2Parameters } from "./gpt2.ts";
import {
  CLASSIFIER,
  createImageClassifier,
  type ImageClassifierConfig,
  imageClassifierParameters,
} from "./image_classifier.ts";
import {
  createTextClassifier,
  newHeadParameters,
  type TextClassifierConfig,
  textClassifierParameters,
} from "./text_classifier.ts";
import type { CheckpointConfig } from "./checkpoints/hugging_face.ts";
import type { ImageInput, Model, ModelFamily } from "./model.ts";
import {
  decoderMemory,
  encoderDecoderMemory,
  gpt2Memory,
  imageClassifierMemory,
  type ModelMemory,
  textClassifierMemory,
  useLiteMemory,
  visionMemory,
} from "./tape_tensors.ts";
import { createUseLite, type UseLiteConfig, useLiteHead, useLiteParameters } from "./use_lite.ts";
import { createVision, PROJECTION, type VisionConfig, visionParameters } from "./vision.ts";
import {
  type HeadValues,
  initialWeights,
  type ParameterList,
  type Precisions,
  type WeightSource,
} from "./weights.ts";

/** How a base checkpoint is made: full fine-tuning of seeded random weights on a corpus. */
export interface PretrainingRecipe {
  /** A name from the registry of pretraining corpora. */
  readonly task: string;
  /** Optimizer steps. */
  readonly steps: number;
  /** Examples of a step. */
  readonly batchSize: number;
  /** Peak learning rate of a cosine schedule that ends at a hundredth. */
  readonly learningRate: number;
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

/** A classifier that an adapter brings. */
export interface AdapterHead {
  /** Its classes. */
  readonly classes: number;
  /** A parameter of the model's new head for so many classes that it lacks, or has in another shape; null where it is whole. */
  readonly lacks: string | null;
}

/** A model as the registry lists it. */
export interface ModelEntry {
  /** Name in configs, files and charts, e.g. "decoder-tiny". */
  readonly id: string;
  /** For people. */
  readonly title: string;
  /** The kind of batch that it takes. */
  readonly family: ModelFamily;
  /** Vocabulary size of a model that writes, or classes of one that classifies. */
  readonly outputs: number;
  /** Tokens that an encoder of texts knows; absent for others, of which `outputs` says it. */
  readonly vocabulary?: number;
  /** Kinds of token that an encoder of texts tells apart, such as a first and a second text; 0 where it does not ask. */
  readonly tokenTypes?: number;
  /** Longest sequence in tokens, or the image's side in pixels. */
  readonly inputSize: number;
  /** Most tokens that an encoder-decoder writes; absent for others. */
  readonly targetSize?: number;
  /** Its own size, that of its checkpoint. */
  readonly size: ModelSize;
  /** False for a model without a checkpoint, such as a resized one: it starts from seeded random weights. */
  readonly pretrained: boolean;
  /** Where its base checkpoint lies, where that is beside a file of the user's and not with ours. */
  readonly checkpoint?: URL;
  /** The folder with its checkpoint, where that is the user's and not the project's, or where `locate` found it. */
  readonly folder?: string;
  /** Finds the folder of a registered model whose weights are brought when they are asked for. @throws {CheckpointError} */
  readonly locate?: () => Promise<string>;
  /** The folder of an adapter in PEFT's format, whose change its weights begin with. */
  readonly adapter?: string;
  /** How it takes real images, where it is an image tower in a folder. */
  readonly image?: ImageInput;
  /** Sizes of an image tower. */
  readonly vision?: VisionConfig;
  /** Sizes of a decoder. */
  readonly decoder?: DecoderConfig;
  /** Sizes of an encoder-decoder. */
  readonly encoderDecoder?: EncoderDecoderConfig;
  /** Sizes of the text tower that its checkpoint has beside the image tower, and the scale of both. */
  readonly text?: ClipTextConfig;
  /** How its base checkpoint is made; null where it is not made here. */
  readonly recipe: PretrainingRecipe | null;
  /** Names and shapes of all parameters, without a GPU. */
  readonly parameters: ParameterList;
  /**
   * Names of the tables of its vocabulary, embedding and output map, which may be kept in low precision where they are frozen;
   * absent where none may.
   */
  readonly tables?: readonly string[];
  /** The linear maps that may be adapted, without a GPU. */
  targetModules(): readonly { readonly name: string; readonly in: number; readonly out: number }[];
  /** What its costs are counted from, for examples of full length. */
  readonly architecture: Architecture;
  /** What its memory is predicted from, for examples of full length. */
  readonly memory: ModelMemory;
  /** The same for rows of so many tokens. Images have one size. */
  ofLengths(lengths: RowLengths): Pick<ModelEntry, "architecture" | "memory">;
  /**
   * The same architecture in another size. Heads keep their size, so their number follows the width, and so does the
   * hidden width. What costs are measured on: it has no checkpoint, and its scores mean nothing.
   *
   * @throws {RangeError} where the width is no multiple of the head size or above 65,536, the layers are not from 1 to 1,024,
   * or the weights are the user's
   */
  resize(size: Partial<ModelSize>): ModelEntry;
  /**
   * The same model with a new head for so many classes, see `VisionConfig.newHead`; absent for models that write.
   *
   * @param values seeded random numbers where absent
   */
  withNewHead?(classes: number, values?: HeadValues): ModelEntry;
  /** Parameters of its new head, which every method trains; absent where it has none. */
  readonly newHead?: ParameterList;
  /** The classifier that its adapter brings; absent where that brings none. */
  readonly adapterHead?: AdapterHead;
  /** Seeded random weights, as the family is pretrained from. */
  initial(random: Random): WeightSource;
  /** Builds the model in the caller's scope, with target modules' weights in these precisions. */
  create(gpu: Gpu, source: WeightSource, precisions?: Precisions): Model;
}

/** A model of a checkpoint that lies in a folder. @param path the folder */
export function checkpointEntry(id: string, path: string, read: CheckpointConfig): ModelEntry {
  const given = { id, recipe: null, pretrained: true };
  return { ...entryOf(given, read), folder: path, resize: validateResize };

  function validateResize(): never {
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
    case "text-classifier":
      return textClassifier({
        ...given,
        title: `Encoder, ${config.layers} layers of width ${config.width}`,
        config,
      });
    case "image-classifier":
      return imageClassifier({ ...given, title: visionTitle(config), config });
    case "use-lite":
      return useLite({ ...given, title: useLiteTitle(config), config });
    case "gpt2":
      return gpt2({ ...given, title: `GPT-2, ${config.layers} layers of width ${config.width}`, config });
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
export interface EntryOf<C> {
  /** As in `ModelEntry`. */
  readonly id: string;
  /** As in `ModelEntry`. */
  readonly title: string;
  /** Its sizes. */
  readonly config: C;
  /** As in `ModelEntry`. */
  readonly recipe: PretrainingRecipe | null;
  /** Where absent, what has a recipe ships with a checkpoint. */
  readonly pretrained?: boolean;
  /** As in `ModelEntry`, e.g. `new URL("./narrow.safetensors", import.meta.url)`. */
  readonly checkpoint?: URL;
}

/** A decoder of the config given. */
export function decoder(given: EntryOf<DecoderConfig>): ModelEntry {
  const { config } = given;
  const parameters = decoderParameters(config);
  const ofLength = (tokens: number) => ({
    memory: decoderMemory(config, tokens),
    architecture: decoderArchitecture(config, tokens, countParameters(parameters)),
  });
  return {
    pretrained: given.recipe !== null,
    ...given,
    family: "decoder",
    decoder: config,
    size: { width: config.width, layers: config.layers },
    ...ofLength(config.length),
    ofLengths: ({ input }) => ofLength(input),
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
    tables: tablesOf(parameters),
    targetModules: () => targetModulesOf(parameters, /^model\.(layers\..*_proj)\.weight$/),
    initial: initialWeights,
    create: (gpu, source, precisions) => createDecoder(gpu, config, source, precisions) as Model,
  };
}

/** GPT-2 of the config given. */
export function gpt2(given: EntryOf<Gpt2Config>): ModelEntry {
  const { config } = given;
  const parameters = gpt2Parameters(config);
  const ofLength = (tokens: number) => ({
    memory: gpt2Memory(config, tokens),
    architecture: gpt2Architecture(config, tokens, countParameters(parameters)),
  });
  return {
    pretrained: given.recipe !== null,
    ...given,
    family: "decoder",
    size: { width: config.width, layers: config.layers },
    ...ofLength(config.length),
    ofLengths: ({ input }) => ofLength(input),
    resize(size) {
      const headSize = config.width / config.heads, scaled = scale(given.id, config, headSize, size);
      return gpt2({
        ...given,
        config: { ...config, ...scaled, heads: scaled.width / headSize },
        pretrained: false,
      });
    },
    outputs: config.vocabulary,
    inputSize: config.length,
    parameters,
    tables: tablesOf(parameters),
    targetModules: () => targetModulesOf(parameters, /^transformer\.(h\..*\.c_(?:attn|proj|fc))\.weight$/),
    initial: initialWeights,
    create: (gpu, source, precisions) => createGpt2(gpu, config, source, precisions) as Model,
  };
}

/** A decoder's sizes for people. */
export function decoderTitle({ layers, width }: ModelSize): string {
  return `Decoder, ${layers} layers of width ${width}`;
}

/** An image tower of the config given. */
export function vision(given: EntryOf<VisionConfig>): ModelEntry {
  const { config } = given;
  const parameters = visionParameters(config);
  const counted = {
    memory: visionMemory(config),
    architecture: visionArchitecture(config, countParameters(parameters)),
  };
  return {
    pretrained: given.recipe !== null,
    ...given,
    family: "vision",
    vision: config,
    size: { width: config.width, layers: config.layers },
    ...counted,
    ofLengths: () => counted,
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
    withNewHead: (classes, newHead = "seeded") => ({
      ...vision({ ...given, config: { ...config, outputs: classes, newHead } }),
      newHead: [{ name: PROJECTION, shape: [classes, config.width] }],
    }),
    outputs: config.outputs,
    inputSize: config.image,
    parameters,
    targetModules: () =>
      targetModulesOf(parameters, /^vision_model\.encoder\.(layers\..*(?:_proj|fc1|fc2))\.weight$/),
    initial: initialWeights,
    create: (gpu, source, precisions) => createVision(gpu, config, source, precisions) as Model,
  };
}

/** An image tower's sizes for people. */
export function visionTitle({ layers, width }: ModelSize): string {
  return `Vision transformer, ${layers} layers of width ${width}`;
}

/** An image classifier of the config given. */
export function imageClassifier(given: EntryOf<ImageClassifierConfig>): ModelEntry {
  const { config } = given;
  const parameters = imageClassifierParameters(config);
  const counted = {
    memory: imageClassifierMemory(config),
    architecture: imageClassifierArchitecture(config, countParameters(parameters)),
  };
  return {
    pretrained: given.recipe !== null,
    ...given,
    family: "vision",
    size: { width: config.width, layers: config.layers },
    ...counted,
    ofLengths: () => counted,
    resize(size) {
      const headSize = config.width / config.heads, scaled = scale(given.id, config, headSize, size);
      return imageClassifier({
        ...given,
        title: visionTitle(scaled),
        config: { ...config, ...scaled, heads: scaled.width / headSize },
        pretrained: false,
      });
    },
    withNewHead(classes, newHead = "seeded") {
      const own = imageClassifier({ ...given, config: { ...config, outputs: classes, newHead } });
      return { ...own, newHead: own.parameters.filter(({ name }) => CLASSIFIER.some((one) => one === name)) };
    },
    outputs: config.outputs,
    inputSize: config.image,
    parameters,
    targetModules: () => targetModulesOf(parameters, /\.encoder\.(layer\..*)\.weight$/),
    initial: initialWeights,
    create: (gpu, source, precisions) => createImageClassifier(gpu, config, source, precisions) as Model,
  };
}

/** An encoder of texts with a classifier, of the config given. */
export function textClassifier(given: EntryOf<TextClassifierConfig>): ModelEntry {
  const { config } = given;
  const parameters = textClassifierParameters(config);
  const ofLength = (tokens: number) => ({
    memory: textClassifierMemory(config, tokens),
    architecture: textClassifierArchitecture(config, tokens, countParameters(parameters)),
  });
  return {
    pretrained: given.recipe !== null,
    ...given,
    family: "encoder",
    size: { width: config.width, layers: config.layers },
    ...ofLength(config.length),
    ofLengths: ({ input }) => ofLength(input),
    resize(size) {
      const headSize = config.width / config.heads, scaled = scale(given.id, config, headSize, size);
      return textClassifier({
        ...given,
        config: { ...config, ...scaled, heads: scaled.width / headSize },
        pretrained: false,
      });
    },
    withNewHead(classes, newHead = "seeded") {
      const own = { ...config, outputs: classes, newHead };
      return { ...textClassifier({ ...given, config: own }), newHead: newHeadParameters(own) };
    },
    outputs: config.outputs,
    vocabulary: config.vocabulary,
    tokenTypes: config.types,
    inputSize: config.length,
    parameters,
    tables: tablesOf(parameters),
    targetModules: () => targetModulesOf(parameters, /\.(?:encoder|transformer)\.(layer\..*)\.weight$/),
    initial: initialWeights,
    create: (gpu, source, precisions) => createTextClassifier(gpu, config, source, precisions) as Model,
  };
}

/** A sentence encoder of the config given, with a classifier where the config has classes. */
export function useLite(given: EntryOf<UseLiteConfig>): ModelEntry {
  const { config } = given;
  const parameters = useLiteParameters(config);
  const ofLength = (tokens: number) => ({
    memory: useLiteMemory(config, tokens),
    architecture: useLiteArchitecture(config, tokens, countParameters(parameters)),
  });
  return {
    pretrained: given.recipe !== null,
    ...given,
    family: "encoder",
    size: { width: config.width, layers: config.layers },
    ...ofLength(config.length),
    ofLengths: ({ input }) => ofLength(input),
    resize(size) {
      const headSize = config.width / config.heads,
        { width, layers, hidden } = scale(
          given.id,
          config,
          headSize,
          size,
        );
      const embedding = wholePart(given.id, width, config.embedding / config.width, "the embeddings' width");
      const scaled = { ...config, width, layers, hidden, embedding, heads: width / headSize };
      return useLite({ ...given, title: useLiteTitle(scaled), config: scaled, pretrained: false });
    },
    withNewHead(classes, newHead = "seeded") {
      const own = { ...config, classes, newHead };
      return { ...useLite({ ...given, config: own }), newHead: useLiteHead(own) };
    },
    outputs: config.classes ?? config.width,
    vocabulary: config.vocabulary,
    inputSize: config.length,
    parameters,
    tables: tablesOf(parameters),
    targetModules: () => targetModulesOf(parameters, /^encoder\.(layer\..*)\.weight$/),
    initial: initialWeights,
    create: (gpu, source, precisions) => createUseLite(gpu, config, source, precisions) as Model,
  };
}

/** A sentence encoder's sizes for people. */
export function useLiteTitle({ layers, width }: ModelSize): string {
  return `Sentence encoder, ${layers} layers of width ${width}`;
}

/** An encoder-decoder of the config given. */
export function encoderDecoder(given: EntryOf<EncoderDecoderConfig>): ModelEntry {
  const { config } = given;
  const parameters = encoderDecoderParameters(config);
  const ofLengths = ({ input, target }: RowLengths) => {
    const cut = { ...config, inputLength: input, targetLength: target };
    return {
      memory: encoderDecoderMemory(cut),
      architecture: encoderDecoderArchitecture(cut, countParameters(parameters)),
    };
  };
  return {
    pretrained: given.recipe !== null,
    ...given,
    family: "encoder-decoder",
    encoderDecoder: config,
    size: { width: config.width, layers: config.encoderLayers },
    ...ofLengths({ input: config.inputLength, target: config.targetLength }),
    ofLengths,
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
    targetSize: config.targetLength,
    parameters,
    tables: tablesOf(parameters),
    targetModules: () =>
      targetModulesOf(parameters, /^((?:encoder|decoder)\.block\..*\.(?:[qkvo]|wi|wi_0|wi_1|wo))\.weight$/),
    initial: (random) => initialEncoderDecoderWeights(config, random),
    create: (gpu, source, precisions) => createEncoderDecoder(gpu, config, source, precisions) as Model,
  };
}

/** An encoder-decoder's sizes for people. */
export function encoderDecoderTitle(width: number, layers: number): string {
  return `Encoder-decoder, twice ${layers} layers of width ${width}`;
}

/** Far more than any network has that this one's costs could stand for: what is counted from a size lists every layer. */
const MOST: ModelSize = { width: 2 ** 16, layers: 1024 };

/** Another width and number of layers, with the hidden width in proportion. */
function scale(
  id: string,
  own: ModelSize & { readonly hidden: number },
  headSize: number,
  size: Partial<ModelSize>,
): ModelSize & { readonly hidden: number } {
  const { width = own.width, layers = own.layers } = size;
  if (!(Number.isInteger(layers) && layers >= 1 && layers <= MOST.layers)) {
    throw new RangeError(
      `Cannot resize "${id}" to ${layers} layers: a whole number from 1 to ${MOST.layers} is needed`,
    );
  }
  if (!(Number.isInteger(width) && width >= 1 && width <= MOST.width && width % headSize === 0)) {
    throw new RangeError(
      `Cannot resize "${id}" to width ${width}: a multiple of its head size, ${headSize}, up to ${MOST.width} is needed`,
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

/** The tables of a vocabulary. */
function tablesOf(parameters: ParameterList): string[] {
  const tables = ["model.embed_tokens.weight", "transformer.wte.weight", "shared.weight", "lm_head.weight"];
  return parameters.map(({ name }) => name).filter((name) =>
    tables.includes(name) || /(?:^|\.)embeddings\.word_embeddings\.weight$/.test(name)
  );
}

/** The linear maps that a pattern names among parameters; norms have one axis alone. */
function targetModulesOf(
  parameters: ParameterList,
  pattern: RegExp,
): { name: string; in: number; out: number }[] {
  return parameters.flatMap(({ name, shape }) => {
    const targetModule = shape.length === 2 ? pattern.exec(name)?.[1] : undefined;
    return targetModule ? [{ name: targetModule, out: shape[0]!, in: shape[1]! }] : [];
  });
}
