/** @file What a transformer multiplies, moves and keeps, by formula and without a GPU: what costs are counted from. */
import type { DecoderConfig } from "./decoder.ts";
import type { EncoderDecoderConfig } from "./encoder_decoder.ts";
import type { Gpt2Config } from "./gpt2.ts";
import { type ImageClassifierConfig, pooledWidth } from "./image_classifier.ts";
import { type TextClassifierConfig, usedPositions } from "./text_classifier.ts";
import { type UseLiteConfig, useLiteInput } from "./use_lite.ts";
import type { ParameterList } from "./weights.ts";
import type { VisionConfig } from "./vision.ts";

/** A linear map as one example goes through it. */
export interface CountedMap {
  /** The target module's name where the map may be adapted. */
  readonly name: string;
  /** Columns of W. */
  readonly in: number;
  /** Rows of W. */
  readonly out: number;
  /** Rows of x that one example brings. */
  readonly rows: number;
  /** Rows of x that all examples of a pass share, such as relative positions; 0 where absent. */
  readonly shared?: number;
  /**
   * Place in the forward pass; maps that read the same input share one. Gradients flow back to the first stage at
   * which something is trained and no further. Stage 0 reads the data or a table of embeddings.
   */
  readonly stage: number;
  /**
   * Stages that lie upstream of the input, from one to before another, where these are not all earlier ones: a decoder
   * begins beside its encoder, and looks at its output again and again.
   */
  readonly upstream?: readonly [first: number, end: number];
  /** True where W is no parameter, but given with the data, such as the shares of a mean. */
  readonly isGiven?: true;
  /** True where W comes from earlier maps as x does: a backward pass forms the gradients of both. */
  readonly isComputed?: true;
}

/** Scaled dot-product attentions of one example that are alike. */
export interface CountedAttention {
  /** How many of them there are: layers. */
  readonly count: number;
  /** Query heads times the width of a head. */
  readonly width: number;
  /** Query heads. */
  readonly heads: number;
  /** Positions that ask. */
  readonly queries: number;
  /** Positions that are looked at. */
  readonly keys: number;
}

/** Tokens of the rows of a batch: what examples are padded to. */
export interface RowLengths {
  /** What is read; of a decoder the whole text. */
  readonly input: number;
  /** What an encoder-decoder writes; 0 for other models. */
  readonly target: number;
}

/** A model as costs are counted from it, by example. */
export interface Architecture {
  /** Rows that a block works on: tokens of a text, patches and class token of an image. */
  readonly tokens: number;
  /** Numbers that the model consists of. */
  readonly parameters: number;
  /** Every linear map, in the order of the forward pass. */
  readonly maps: readonly CountedMap[];
  /** Every attention. */
  readonly attentions: readonly CountedAttention[];
  /** Elements that norms, residuals, biases and activation functions read and write in a forward pass. */
  readonly elementwise: number;
  /** Elements that a forward pass leaves for the backward pass: not the logits of a vocabulary, which are freed before. */
  readonly activations: number;
}

/** Numbers in a list of parameters. */
export function countParameters(list: ParameterList): number {
  return list.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
}

/** Makes the maps of one block, each of which has four stages: attention's inputs, its output, and the two of the MLP. */
function mapsOf(layer: number, rows: number, stack = "layers") {
  return (name: string, inputs: number, out: number, stage: number): CountedMap => ({
    name: `${stack}.${layer}.${name}`,
    in: inputs,
    out,
    rows,
    stage: 1 + 4 * layer + stage,
  });
}

/** A Llama-like decoder on texts of `tokens` tokens. */
export function decoderArchitecture(config: DecoderConfig, tokens: number, parameters: number): Architecture {
  const { width, layers, heads, keyValueHeads, headSize, hidden, vocabulary } = config;
  const asked = heads * headSize, looked = keyValueHeads * headSize;
  const maps = Array.from({ length: layers }, (_, layer): CountedMap[] => {
    const map = mapsOf(layer, tokens);
    return [
      map("self_attn.q_proj", width, asked, 0),
      map("self_attn.k_proj", width, looked, 0),
      map("self_attn.v_proj", width, looked, 0),
      map("self_attn.o_proj", asked, width, 1),
      map("mlp.gate_proj", width, hidden, 2),
      map("mlp.up_proj", width, hidden, 2),
      map("mlp.down_proj", hidden, width, 3),
    ];
  }).flat();
  const head = { name: "head", in: width, out: vocabulary, rows: tokens, stage: 1 + 4 * layers };
  // By row and layer: two norms, two residuals and two outputs of the width; q, k, v and their mix; swiglu.
  const { biases, headNorms, outputNorms } = config, inner = asked + looked;
  const ofNorms = (headNorms ? 2 * inner : 0) + (outputNorms ? 4 * width : 0);
  const moved = 10 * width + 3 * hidden + (biases ? 2 * (inner + looked) : 0) + ofNorms;
  const kept = 4 * width + 2 * inner + 3 * hidden + 2 * heads + ofNorms / 2;
  return {
    tokens,
    parameters,
    maps: [...maps, head],
    attentions: [{ count: layers, width: asked, heads, queries: tokens, keys: tokens }],
    elementwise: tokens * layers * moved,
    activations: tokens * (layers * kept + 2 * width),
  };
}

/** GPT-2 on texts of `tokens` tokens. */
export function gpt2Architecture(config: Gpt2Config, tokens: number, parameters: number): Architecture {
  const { width, layers, heads, hidden, vocabulary } = config;
  const maps = Array.from({ length: layers }, (_, layer): CountedMap[] => {
    const map = mapsOf(layer, tokens, "h");
    return [
      map("attn.c_attn", width, 3 * width, 0),
      map("attn.c_proj", width, width, 1),
      map("mlp.c_fc", width, hidden, 2),
      map("mlp.c_proj", hidden, width, 3),
    ];
  }).flat();
  const head = { name: "head", in: width, out: vocabulary, rows: tokens, stage: 1 + 4 * layers };
  // As in a vision transformer; queries, keys and values are moved apart.
  const moved = 10 * width + 2 * hidden + 2 * (5 * width + hidden) + 6 * width;
  const kept = 11 * width + 2 * hidden + 2 * heads;
  return {
    tokens,
    parameters,
    maps: [...maps, head],
    attentions: [{ count: layers, width, heads, queries: tokens, keys: tokens }],
    elementwise: tokens * layers * moved,
    activations: tokens * (layers * kept + 4 * width),
  };
}

/** A T5-like encoder-decoder on examples of the config's lengths. */
export function encoderDecoderArchitecture(config: EncoderDecoderConfig, parameters: number): Architecture {
  const { vocabulary, width, encoderLayers, decoderLayers, heads, headSize, hidden } = config;
  const { inputLength: read, targetLength: written } = config, inner = heads * headSize;
  const gates = config.feedForward === "relu" ? ["wi"] : ["wi_0", "wi_1"];
  type Place = Pick<CountedMap, "rows" | "stage" | "upstream">;
  const attentionAt = (root: string, into: Place, keys: Place, out: Place): CountedMap[] => [
    { name: `${root}.q`, in: width, out: inner, ...into },
    { name: `${root}.k`, in: width, out: inner, ...keys },
    { name: `${root}.v`, in: width, out: inner, ...keys },
    { name: `${root}.o`, in: inner, out: width, ...out },
  ];
  const feedForwardAt = (root: string, rows: number, stage: number): CountedMap[] => [
    ...gates.map((name) => ({ name: `${root}.${name}`, in: width, out: hidden, rows, stage })),
    { name: `${root}.wo`, in: hidden, out: width, rows, stage: stage + 1 },
  ];
  const encoder = Array.from({ length: encoderLayers }, (_, layer) => {
    const root = `encoder.block.${layer}.layer`, stage = 1 + 4 * layer;
    const into = { rows: read, stage }, out = { rows: read, stage: stage + 1 };
    return [
      ...attentionAt(`${root}.0.SelfAttention`, into, into, out),
      ...feedForwardAt(`${root}.1.DenseReluDense`, read, stage + 2),
    ];
  }).flat();
  const first = 1 + 4 * encoderLayers;
  const decoder = Array.from({ length: decoderLayers }, (_, layer) => {
    const root = `decoder.block.${layer}.layer`;
    const at = (stage: number): Place => ({
      rows: written,
      stage: first + 6 * layer + stage,
      // Until it first looks there, the encoder is not upstream.
      ...layer === 0 && stage < 3 ? { upstream: [first, first + stage] } : {},
    });
    const encoded: Place = { rows: read, stage: at(2).stage, upstream: [0, first] };
    return [
      ...attentionAt(`${root}.0.SelfAttention`, at(0), at(0), at(1)),
      ...attentionAt(`${root}.1.EncDecAttention`, at(2), encoded, at(3)),
      ...feedForwardAt(`${root}.2.DenseReluDense`, written, at(4).stage),
    ];
  }).flat();
  const head = { name: "head", in: width, out: vocabulary, rows: written, stage: first + 6 * decoderLayers };
  // By row and layer: two norms and residuals of the encoder, three of the decoder; the activation function; by layer
  // the bias of each score.
  const active = (gates.length + 1) * hidden;
  const moved = read * encoderLayers * (10 * width + active) +
    written * decoderLayers * (15 * width + active) +
    heads * (encoderLayers * read ** 2 + decoderLayers * written ** 2);
  const keptByEncoder = read * (encoderLayers * (4 * width + 4 * inner + active + 2 * heads) + 2 * width);
  const keptByDecoder = written * (decoderLayers * (6 * width + 6 * inner + active + 4 * heads) + 2 * width) +
    read * decoderLayers * 2 * inner;
  const shared = { width: inner, heads };
  return {
    tokens: read + written,
    parameters,
    maps: [...encoder, ...decoder, head],
    attentions: [
      { ...shared, count: encoderLayers, queries: read, keys: read },
      { ...shared, count: decoderLayers, queries: written, keys: written },
      { ...shared, count: decoderLayers, queries: written, keys: read },
    ],
    elementwise: moved,
    activations: keptByEncoder + keptByDecoder,
  };
}

/** An image classifier with a head of its own. */
export function imageClassifierArchitecture(config: ImageClassifierConfig, parameters: number): Architecture {
  const { image, channels, patch, width, layers, heads, hidden, outputs, kind } = config;
  const patches = (image / patch) ** 2, tokens = patches + 1;
  const [into, outOf] = kind === "vit" ? ["intermediate.dense", "output.dense"] : ["mlp.fc1", "mlp.fc2"];
  const maps = Array.from({ length: layers }, (_, layer): CountedMap[] => {
    const map = mapsOf(layer, tokens, "layer");
    return [
      ...["query", "key", "value"].map((name) => map(`attention.attention.${name}`, width, width, 0)),
      map("attention.output.dense", width, width, 1),
      map(into!, width, hidden, 2),
      map(outOf!, hidden, width, 3),
    ];
  }).flat();
  const embedding = {
    name: "patch_embedding",
    in: channels * patch ** 2,
    out: width,
    rows: patches,
    stage: 0,
  };
  const head = { name: "classifier", in: pooledWidth(config), out: outputs, rows: 1, stage: 1 + 4 * layers };
  const scaled = kind === "vit" ? 0 : 2 * width;
  return {
    tokens,
    parameters,
    maps: [embedding, ...maps, head],
    attentions: [{ count: layers, width, heads, queries: tokens, keys: tokens }],
    elementwise: tokens * layers * (20 * width + 4 * hidden + 2 * scaled),
    activations: tokens * (layers * (8 * width + 2 * hidden + 2 * heads + scaled) + 6 * width),
  };
}

/** An encoder of texts with a classifier, on texts of `tokens` tokens. */
export function textClassifierArchitecture(
  { kind, width, layers, heads, hidden, outputs, relative }: TextClassifierConfig,
  tokens: number,
  parameters: number,
): Architecture {
  const [root, names, out, into, outOf] = kind === "distilbert"
    ? ["attention.", ["q_lin", "k_lin", "v_lin"], "attention.out_lin", "ffn.lin1", "ffn.lin2"] as const
    : [
      "attention.self.",
      ["query", "key", "value"].map((name) => kind === "deberta" ? `${name}_proj` : name),
      "attention.output.dense",
      "intermediate.dense",
      "output.dense",
    ] as const;
  const shared = relative ? usedPositions(tokens, relative).count : 0;
  const maps = Array.from({ length: layers }, (_, layer): CountedMap[] => {
    const map = mapsOf(layer, tokens, "layer");
    return [
      ...names.map((name, i) => ({
        ...map(`${root}${name}`, width, width, 0),
        // Relative positions are asked and looked at, too.
        ...(shared > 0 && i < 2 && { shared }),
      })),
      // Of queries with keys of positions, and of keys with queries of positions.
      ...(relative
        ? ["keys", "queries"].map((of) => ({
          ...map(`attention.${of} of positions`, width, shared, 1),
          isComputed: true as const,
        }))
        : []),
      map(out, width, width, 1),
      map(into, width, hidden, 2),
      map(outOf, hidden, width, 3),
    ];
  }).flat();
  const last = 1 + 4 * layers;
  return {
    tokens,
    parameters,
    maps: [
      ...maps,
      { name: "pooler", in: width, out: width, rows: 1, stage: last },
      { name: "classifier", in: width, out: outputs, rows: 1, stage: last + 1 },
    ],
    attentions: [{ count: layers, width, heads, queries: tokens, keys: tokens }],
    elementwise: tokens * layers *
      (20 * width + 4 * hidden + (relative ? 8 * width + 2 * heads * tokens : 0)),
    activations: tokens *
      (layers * (8 * width + 2 * hidden + 2 * heads + (relative ? 5 * width + heads * tokens : 0)) +
        6 * width),
  };
}

/** A sentence encoder, on texts of `tokens` tokens. */
export function useLiteArchitecture(
  config: UseLiteConfig,
  tokens: number,
  parameters: number,
): Architecture {
  const { width, layers, heads, hidden, classes } = config, last = 1 + 4 * layers;
  const inputs = Array.from({ length: layers }, (_, layer) => useLiteInput(config, layer));
  const maps = inputs.map((own, layer): CountedMap[] => {
    const map = mapsOf(layer, tokens, "layer");
    return [
      ...["query", "key", "value"].map((name) => map(`attention.${name}`, own, own, 0)),
      map("attention.output.dense", own, width, 1),
      ...(own === width ? [] : [map("residual", own, width, 0)]),
      map("intermediate.dense", width, hidden, 2),
      map("output.dense", hidden, width, 3),
    ];
  }).flat();
  const read = inputs.reduce((sum, own) => sum + own, 0);
  return {
    tokens,
    parameters,
    maps: [
      ...maps,
      { name: "mean", in: tokens, out: width, rows: 1, stage: last, isGiven: true },
      { name: "pooler", in: width, out: width, rows: 1, stage: last },
      ...(classes === undefined
        ? []
        : [{ name: "classifier", in: width, out: classes, rows: 1, stage: last + 1 }]),
    ],
    attentions: inputs.map((own) => ({ count: 1, width: own, heads, queries: tokens, keys: tokens })),
    elementwise: tokens * (10 * read + layers * (10 * width + 4 * hidden)),
    activations: tokens * (9 * read + layers * (4 * width + 2 * hidden + 2 * heads)),
  };
}

/** A vision transformer. */
export function visionArchitecture(config: VisionConfig, parameters: number): Architecture {
  const { image, channels, patch, width, layers, heads, hidden, outputs } = config;
  const patches = (image / patch) ** 2, tokens = patches + 1;
  const maps = Array.from({ length: layers }, (_, layer): CountedMap[] => {
    const map = mapsOf(layer, tokens);
    return [
      ...["q_proj", "k_proj", "v_proj"].map((name) => map(`self_attn.${name}`, width, width, 0)),
      map("self_attn.out_proj", width, width, 1),
      map("mlp.fc1", width, hidden, 2),
      map("mlp.fc2", hidden, width, 3),
    ];
  }).flat();
  const pixels = channels * patch ** 2;
  const embedding = { name: "patch_embedding", in: pixels, out: width, rows: patches, stage: 0 };
  const head = { name: "visual_projection", in: width, out: outputs, rows: 1, stage: 1 + 4 * layers };
  // As in a decoder, with biases beside the norms and one activation function.
  const moved = 10 * width + 2 * hidden + 2 * (5 * width + hidden);
  const kept = 8 * width + 2 * hidden + 2 * heads;
  return {
    tokens,
    parameters,
    maps: [embedding, ...maps, head],
    attentions: [{ count: layers, width, heads, queries: tokens, keys: tokens }],
    elementwise: tokens * layers * moved,
    activations: tokens * (layers * kept + 4 * width),
  };
}
