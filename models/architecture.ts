/** @file What a transformer multiplies, moves and keeps, by formula and without a GPU: what costs are counted from. */
import type { DecoderConfig } from "./decoder.ts";
import type { ParameterList } from "./weights.ts";
import type { VisionConfig } from "./vision.ts";

/** A linear map as one example goes through it. */
export interface CountedMap {
  /** The site's name where the map may be adapted. */
  readonly name: string;
  /** Columns of W. */
  readonly in: number;
  /** Rows of W. */
  readonly out: number;
  /** Rows of x that one example brings. */
  readonly rows: number;
  /**
   * Place in the forward pass; maps that read the same input share one. Gradients flow back to the first stage at
   * which something is trained and no further. Stage 0 reads the data or a table of embeddings.
   */
  readonly stage: number;
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

/** Tensors of equal size: how many, and the numbers in each. */
export type Kept = readonly (readonly [count: number, numbers: number])[];

/**
 * The tensors that a training pass over some examples makes, all of which live until it ends unless blocks are computed
 * again. What is left out are partial sums, which kernels free at once.
 */
export interface TapeTensors {
  /** Rows of x that go through each site. */
  readonly rows: number;
  /** Numbers of the stream between two blocks. */
  readonly stream: number;
  /** Of each block: what its forward pass makes, its output included. */
  readonly forward: Kept;
  /** Of each block: what its backward pass makes, the gradient of its input included. */
  readonly backward: Kept;
  /** Of these, what only the gradient of its input needs: nothing where nothing below is trained. */
  readonly inputGradient: Kept;
  /** Inputs, embedding, head and loss, forward and backward down to the last block's output. */
  readonly around: Kept;
  /** What the backward pass makes below the first block, where embeddings are trained. */
  readonly below: Kept;
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
  /** Elements that norms, residuals, activation functions and head splitting read and write in a forward pass. */
  readonly elementwise: number;
  /** Elements that a forward pass leaves for the backward pass. */
  readonly activations: number;
  /** Blocks of the residual stream. */
  readonly layers: number;
  /** Numbers that it keeps beside its parameters, tensor by tensor. */
  readonly constants: readonly number[];
  /** What a training pass over so many examples of full length makes. */
  tape(examples: number): TapeTensors;
}

/** Numbers in a list of parameters. */
export function countParameters(list: ParameterList): number {
  return list.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
}

/** A Llama-like decoder on texts of `tokens` tokens. */
export function decoderArchitecture(config: DecoderConfig, tokens: number, parameters: number): Architecture {
  const { width, layers, heads, keyValueHeads, headSize, hidden, vocabulary } = config;
  const asked = heads * headSize, looked = keyValueHeads * headSize;
  const maps = Array.from({ length: layers }, (_, layer): CountedMap[] => {
    const map = (name: string, inputs: number, out: number, stage: number) => ({
      name: `layers.${layer}.${name}`,
      in: inputs,
      out,
      rows: tokens,
      stage: 1 + 4 * layer + stage,
    });
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
  // By row and layer: two norms and two residuals of the width, q, k, v and the mix moved to heads and back, swiglu.
  const moved = 10 * width + 4 * asked + 4 * looked + 3 * hidden;
  const kept = 5 * width + 4 * asked + 4 * looked + 3 * hidden + heads * tokens;
  return {
    tokens,
    parameters,
    maps: [...maps, head],
    attentions: [{ count: layers, width: asked, heads, queries: tokens, keys: tokens }],
    elementwise: tokens * layers * moved,
    activations: tokens * (layers * kept + 2 * width + vocabulary),
    layers,
    constants: [tokens * headSize],
    tape: (examples) => decoderTape(config, examples, tokens),
  };
}

/** Counted op by op: see decoder.ts and the operations of autodiff/. */
function decoderTape(config: DecoderConfig, examples: number, length: number): TapeTensors {
  const { width, heads, keyValueHeads, headSize, hidden, vocabulary } = config;
  const rows = examples * length, stream = rows * width;
  const asked = rows * heads * headSize, looked = rows * keyValueHeads * headSize;
  const scores = rows * heads * length;
  return {
    rows,
    stream,
    forward: [
      // Two norms, o, down and two sums.
      [6, stream],
      [2, 2 * rows],
      // q, by rows and by heads, and the mix; k and v.
      [4, asked],
      [4, looked],
      [1, scores],
      // gate, up and their product.
      [3, rows * hidden],
    ],
    backward: [[4, stream], [4, asked], [4, looked], [1, scores], [3, rows * hidden]],
    // The first norm's output, and the sum of both ways to the input.
    inputGradient: [[2, stream]],
    around: [
      // Tokens as a choice of rows and its transpose, and targets.
      [4, rows],
      [1, vocabulary + 1],
      // Embedding and last norm; gradients of the norm's output and input.
      [4, stream],
      // The norm's statistics and the loss's normalizers.
      [2, 2 * rows],
      [1, rows],
      [2, rows * vocabulary],
      [1, 1],
    ],
    below: [],
  };
}

/** A vision transformer. */
export function visionArchitecture(config: VisionConfig, parameters: number): Architecture {
  const { image, channels, patch, width, layers, heads, hidden, outputs } = config;
  const patches = (image / patch) ** 2, tokens = patches + 1;
  const maps = Array.from({ length: layers }, (_, layer): CountedMap[] => {
    const map = (name: string, inputs: number, out: number, stage: number) => ({
      name: `layers.${layer}.${name}`,
      in: inputs,
      out,
      rows: tokens,
      stage: 1 + 4 * layer + stage,
    });
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
  const moved = 18 * width + 2 * hidden + 2 * (5 * width + hidden);
  const kept = 13 * width + 2 * hidden + heads * tokens;
  return {
    tokens,
    parameters,
    maps: [embedding, ...maps, head],
    attentions: [{ count: layers, width, heads, queries: tokens, keys: tokens }],
    elementwise: tokens * layers * moved,
    activations: tokens * (layers * kept + 4 * width),
    layers,
    constants: [],
    tape: (examples) => visionTape(config, examples, tokens),
  };
}

/** Counted op by op: see vision.ts and the operations of autodiff/. */
function visionTape(config: VisionConfig, examples: number, tokens: number): TapeTensors {
  const { channels, patch, width, heads, hidden, outputs } = config;
  const rows = examples * tokens, stream = rows * width, patches = examples * (tokens - 1);
  const pixels = channels * patch ** 2, scores = rows * heads * tokens;
  return {
    rows,
    stream,
    forward: [
      // Two norms, two sums; q, k, v, o and fc2 without and with bias; q, k and v by heads; the mix by heads and rows.
      [4 + 10 + 3 + 2, stream],
      [2, 2 * rows],
      [1, scores],
      [3, rows * hidden],
    ],
    backward: [[12, stream], [1, scores], [2, rows * hidden]],
    // The first norm's output, and the sum of both ways to the input.
    inputGradient: [[2, stream]],
    around: [
      [1, patches * pixels],
      // Five choices of rows and their transposes, and targets.
      [5, rows],
      [4, patches],
      [14, examples],
      [1, tokens],
      // Patches and class tokens in place, positions, two sums, the first norm; the gradient of the last block's output.
      [7, stream],
      [1, patches * width],
      // Class tokens before and after, the last norm, and the gradients of the latter two.
      [5, examples * width],
      [1, 2 * rows],
      [2, 2 * examples],
      [2, examples * outputs],
      [1, 1],
    ],
    below: [[1, stream], [1, patches * width], [1, examples * width], [1, width * pixels], [1, width]],
  };
}
