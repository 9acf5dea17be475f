/**
 * @file The models and batches of the LoRA-Pro paper (arXiv 2407.18242, section 4 and appendix), as its code runs them.
 * Sizes are those of the models' published configurations.
 */
import {
  type Architecture,
  type CountedMap,
  decoderArchitecture,
  visionArchitecture,
} from "../../../models/architecture.ts";

/** One of the paper's fine-tuning jobs. */
export interface PaperSize {
  readonly title: string;
  readonly architecture: Architecture;
  /** True for the maps that low-rank methods adapt there. */
  readonly adapts: (map: CountedMap) => boolean;
  readonly rank: number;
  /** Examples of a step. */
  readonly batchSize: number;
  /** Parts that they come in on one GPU. */
  readonly accumulate: number;
  /** Optimizer steps of one run; null where the paper has many of different lengths. */
  readonly steps: number | null;
}

/** Llama 2, 7B: Touvron et al., arXiv 2307.09288. */
function llama(tokens: number): Architecture {
  const size = { vocabulary: 32000, width: 4096, layers: 32, heads: 32, headSize: 128, hidden: 11008 };
  const block = 4 * size.width ** 2 + 3 * size.width * size.hidden + 2 * size.width;
  const parameters = size.layers * block + 2 * size.vocabulary * size.width + size.width;
  return decoderArchitecture(
    { ...size, keyValueHeads: 32, length: 4096, normEpsilon: 1e-5, ropeTheta: 10000, tiedHead: false },
    tokens,
    parameters,
  );
}

/** CLIP's image tower, ViT-B/16: Radford et al., arXiv 2103.00020. */
function clip(): Architecture {
  const config = {
    image: 224,
    channels: 3,
    patch: 16,
    width: 768,
    layers: 12,
    heads: 12,
    hidden: 3072,
    outputs: 512,
    activation: "quick-gelu",
    normEpsilon: 1e-5,
  } as const;
  const { width, hidden, layers } = config;
  const block = 4 * (width ** 2 + width) + 2 * width * hidden + hidden + width + 4 * width;
  return visionArchitecture(config, layers * block + (3 * 16 ** 2 + 1 + 197 + 4 + 512) * width);
}

/** T5 v1.0, base: Raffel et al., arXiv 1910.10683. `asked` tokens in, `answered` out. */
function t5(asked: number, answered: number): Architecture {
  const width = 768, hidden = 3072, layers = 12, heads = 12, vocabulary = 32128;
  const maps: CountedMap[] = [];
  let stage = 1;
  const add = (rows: number, inputs: number, out: number, ...names: string[]) => {
    for (const name of names) maps.push({ name, in: inputs, out, rows, stage });
    stage++;
  };
  for (let layer = 0; layer < layers; layer++) {
    const block = `encoder.block.${layer}`;
    add(asked, width, width, `${block}.q`, `${block}.k`, `${block}.v`);
    add(asked, width, width, `${block}.o`);
    add(asked, width, hidden, `${block}.wi`);
    add(asked, hidden, width, `${block}.wo`);
  }
  for (let layer = 0; layer < layers; layer++) {
    const block = `decoder.block.${layer}`;
    add(answered, width, width, `${block}.q`, `${block}.k`, `${block}.v`);
    add(answered, width, width, `${block}.o`, `${block}.cross.q`);
    add(asked, width, width, `${block}.cross.k`, `${block}.cross.v`);
    add(answered, width, width, `${block}.cross.o`);
    add(answered, width, hidden, `${block}.wi`);
    add(answered, hidden, width, `${block}.wo`);
  }
  maps.push({ name: "head", in: width, out: vocabulary, rows: answered, stage });
  // As a decoder's blocks, with one feed-forward map less and, in the decoder, a second attention.
  const moved = 10 * width + 2 * hidden, kept = 10 * width + 2 * hidden + 2 * heads;
  const cross = answered * 6 * width + asked * 2 * width;
  const weights = maps.reduce((sum, map) => sum + map.in * map.out, 0);
  return {
    tokens: asked + answered,
    // The head is the embedding; norms and position tables come on top.
    parameters: weights + (2 * layers + 3 * layers + 2) * width + 2 * 32 * heads,
    maps,
    attentions: [
      { count: layers, width, heads, queries: asked, keys: asked },
      { count: layers, width, heads, queries: answered, keys: answered },
      { count: layers, width, heads, queries: answered, keys: asked },
    ],
    elementwise: layers * ((asked + answered) * moved + answered * 5 * width),
    activations: layers * ((asked + answered) * kept + cross) + answered * vocabulary,
  };
}

const notHead = ({ name }: CountedMap) => name !== "head";
const insideBlocks = ({ name }: CountedMap) => name.startsWith("layers.");

/** Every job whose cost is foretold. */
export const paperSizes: readonly PaperSize[] = [
  {
    title: "Llama-2-7B, mathematics: 32 × 512 tokens",
    architecture: llama(512),
    adapts: notHead,
    rank: 8,
    batchSize: 32,
    accumulate: 32,
    steps: 3125,
  },
  {
    title: "Llama-2-7B, code: 32 × 1,024 tokens",
    architecture: llama(1024),
    adapts: notHead,
    rank: 8,
    batchSize: 32,
    accumulate: 32,
    steps: 3125,
  },
  {
    title: "Llama-2-7B, dialogue: 32 × 1,024 tokens",
    architecture: llama(1024),
    adapts: notHead,
    rank: 8,
    batchSize: 32,
    accumulate: 32,
    steps: 1625,
  },
  {
    title: "T5-base, GLUE (MNLI): 32 × 128 tokens",
    architecture: t5(128, 4),
    adapts: notHead,
    rank: 8,
    batchSize: 32,
    accumulate: 1,
    steps: 12272,
  },
  {
    title: "CLIP ViT-B/16: 64 images of 197 tokens",
    architecture: clip(),
    adapts: insideBlocks,
    rank: 8,
    batchSize: 64,
    accumulate: 1,
    steps: null,
  },
];
