/** @file The Llama-like decoder: RMS norm, rotary position embedding, SwiGLU, grouped-query attention. */
import {
  add,
  addRmsNorm,
  attention,
  gatherMap,
  KeyValueCache,
  mapRows,
  matmul,
  rmsNorm,
  type RowMap,
  swiglu,
} from "../autodiff/mod.ts";
import type { Parameter, Tape, Var } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { DecoderBatch, Forward, Model, TargetModule } from "./model.ts";
import { padRight, scoped } from "./padded_prompts.ts";
import { loadParameters, type ParameterList, type WeightSource } from "./weights.ts";

/** Sizes and constants of a decoder, named as in the text of the Llama papers. */
export interface DecoderConfig {
  /** Tokens that it knows. */
  readonly vocabulary: number;
  /** Width of the residual stream. */
  readonly width: number;
  /** Blocks. */
  readonly layers: number;
  /** Query heads. */
  readonly heads: number;
  /** Key-value heads; divides `heads`. */
  readonly keyValueHeads: number;
  /** Even. Usually width / heads, but checkpoints may say otherwise. */
  readonly headSize: number;
  /** Inner width of the feed-forward part. */
  readonly hidden: number;
  /** Longest sequence. */
  readonly length: number;
  /** Added to the mean square before its root is taken. */
  readonly normEpsilon: number;
  /** Base of the rotary frequencies. */
  readonly ropeTheta: number;
  /** Llama 3's slowing-down of low frequencies; absent in Llama 2. */
  readonly ropeScaling?: RopeScaling;
  /** True where the output layer is the embedding itself. */
  readonly tiedHead: boolean;
}

/** Source: Llama 3.1's model code; the names are those of Hugging Face's `rope_scaling`. */
export interface RopeScaling {
  /** How much slower low frequencies turn. */
  readonly factor: number;
  /** Turns over the original length below which a frequency is slowed in full. */
  readonly lowFrequencyFactor: number;
  /** Turns above which it is left alone. */
  readonly highFrequencyFactor: number;
  /** Length that the model was trained on first. */
  readonly originalLength: number;
}

/** Parameters of a decoder under their Hugging Face names. */
export function decoderParameters(config: DecoderConfig): ParameterList {
  const { vocabulary, width, layers, heads, keyValueHeads, headSize, hidden, tiedHead } = config;
  const list = [{ name: "model.embed_tokens.weight", shape: [vocabulary, width] }];
  for (let layer = 0; layer < layers; layer++) {
    const name = (part: string) => `model.layers.${layer}.${part}.weight`;
    list.push(
      { name: name("input_layernorm"), shape: [width] },
      { name: name("self_attn.q_proj"), shape: [heads * headSize, width] },
      { name: name("self_attn.k_proj"), shape: [keyValueHeads * headSize, width] },
      { name: name("self_attn.v_proj"), shape: [keyValueHeads * headSize, width] },
      { name: name("self_attn.o_proj"), shape: [width, heads * headSize] },
      { name: name("post_attention_layernorm"), shape: [width] },
      { name: name("mlp.gate_proj"), shape: [hidden, width] },
      { name: name("mlp.up_proj"), shape: [hidden, width] },
      { name: name("mlp.down_proj"), shape: [width, hidden] },
    );
  }
  list.push({ name: "model.norm.weight", shape: [width] });
  if (!tiedHead) list.push({ name: "lm_head.weight", shape: [vocabulary, width] });
  return list;
}

/**
 * Builds a decoder on the GPU, in the caller's scope. Its logits are `[batch · length, vocabulary]`. The weights of the
 * target modules that `half` names are kept in 16-bit floats.
 */
export function createDecoder(
  gpu: Gpu,
  config: DecoderConfig,
  source: WeightSource,
  half: ReadonlySet<string> = new Set(),
): Model<DecoderBatch> {
  const { vocabulary, heads, keyValueHeads, headSize, layers, length, normEpsilon: epsilon } = config;
  const weightName = (targetModule: string) => `model.${targetModule}.weight`;
  const { parameters, halves } = loadParameters(
    gpu,
    decoderParameters(config),
    source,
    new Set([...half].map(weightName)),
  );
  const parameter = (name: string): Parameter => parameters.get(`${name}.weight`)!;
  const targetModule = (name: string): TargetModule => {
    const weight = halves.get(weightName(name)) ?? parameter(`model.${name}`);
    return { name, weight, out: weight.value.shape[0]!, in: weight.value.shape[1]! };
  };
  const blocks = Array.from({ length: layers }, (_, layer) => ({
    inputNorm: parameter(`model.layers.${layer}.input_layernorm`),
    q: targetModule(`layers.${layer}.self_attn.q_proj`),
    k: targetModule(`layers.${layer}.self_attn.k_proj`),
    v: targetModule(`layers.${layer}.self_attn.v_proj`),
    o: targetModule(`layers.${layer}.self_attn.o_proj`),
    outputNorm: parameter(`model.layers.${layer}.post_attention_layernorm`),
    gate: targetModule(`layers.${layer}.mlp.gate_proj`),
    up: targetModule(`layers.${layer}.mlp.up_proj`),
    down: targetModule(`layers.${layer}.mlp.down_proj`),
  }));
  const embedding = parameter("model.embed_tokens"), finalNorm = parameter("model.norm");
  const head = config.tiedHead ? embedding : parameter("lm_head");
  const angles = gpu.upload(rotaryAngles(config), "f32", [length, headSize / 2, 2], "rotary angles");

  const sizes = { heads, keyValueHeads, size: headSize, scale: headSize ** -0.5, angles };

  /** How the queries of a block's tokens look at keys and values: of the same tokens, or also of those before. */
  type Attend = (tape: Tape, layer: number, q: Var, k: Var, v: Var) => Var;
  /** Scores of what follows each of `tokens`, rows of the embedding, or each of those that `last` picks of them. */
  const network = (forward: Forward, tokens: RowMap, attend: Attend, last?: RowMap): Var => {
    const { tape } = forward;
    let x = mapRows(tape, tape.parameter(embedding), tokens);
    for (const [layer, block] of blocks.entries()) {
      x = forward.block([x], ({ tape, linear }, [x]) => {
        const y = rmsNorm(tape, x, tape.parameter(block.inputNorm), epsilon);
        const mixed = attend(tape, layer, linear(block.q, y), linear(block.k, y), linear(block.v, y));
        const weight = tape.parameter(block.outputNorm);
        const { sum, normed } = addRmsNorm(tape, x, linear(block.o, mixed), weight, epsilon);
        const inner = swiglu(tape, linear(block.gate, normed), linear(block.up, normed));
        return add(tape, sum, linear(block.down, inner));
      });
    }
    if (last) x = mapRows(tape, x, last);
    x = rmsNorm(tape, x, tape.parameter(finalNorm), epsilon);
    return matmul(tape, x, tape.parameter(head), { transposeB: true });
  };

  return {
    family: "decoder",
    parameters: [...parameters.values()],
    targetModules: blocks.flatMap(({ q, k, v, o, gate, up, down }) => [q, k, v, o, gate, up, down]),
    head: [],
    logits(forward, batch) {
      const [, tokens] = batch.tokens.shape as [number, number];
      if (tokens > length) {
        throw new RangeError(`Cannot run a decoder of length ${length} on ${tokens} tokens`);
      }
      const chosen = gatherMap(gpu, batch.tokens.data, vocabulary);
      return network(forward, chosen, (tape, _, q, k, v) => {
        return attention(tape, q, k, v, { ...sizes, length: tokens, causal: true });
      });
    },
    writer: {
      // The last token that is written is not read.
      room: (prompt, longest) => Math.max(0, Math.min(longest, length) - prompt + 1),
      begin(forward, prompts, tokens) {
        const { tokens: read, padded, lengths } = padRight(prompts, length);
        const room = Math.min(length, Math.max(padded, Math.max(...lengths) + tokens - 1));
        const cache = new KeyValueCache(gpu, { ...sizes, layers }, prompts.length, room);
        return {
          prompted: scoped(gpu, "prompts", () => {
            cache.begin(lengths, padded);
            const last = lengths.map((length, text) => text * padded + length - 1);
            const ends = gatherMap(gpu, last, read.length), chosen = gatherMap(gpu, read, vocabulary);
            return network(forward, chosen, (tape, layer, q, k, v) => {
              cache.keep(layer, k, v);
              // Padding lies behind: causal attention never looks there.
              return attention(tape, q, k, v, { ...sizes, length: padded, causal: true });
            }, ends);
          }),
          next(tokens) {
            cache.advance();
            const chosen = gatherMap(gpu, tokens, vocabulary);
            return network(
              forward,
              chosen,
              (tape, layer, q, k, v) => cache.attend(tape, layer, q, k, v),
            );
          },
          select: (texts) => cache.select(texts),
        };
      },
    },
  };
}

/**
 * (cosine, sine) of position · frequency for each pair of a head: `[length, headSize / 2, 2]`.
 *
 * Sources: Su et al., arXiv 2104.09864; the scaling of Llama 3.1.
 */
export function rotaryAngles(
  config: Pick<DecoderConfig, "length" | "headSize" | "ropeTheta" | "ropeScaling">,
): Float32Array<ArrayBuffer> {
  const { length, headSize, ropeTheta, ropeScaling } = config;
  const pairs = headSize / 2;
  const out = new Float32Array(length * headSize);
  for (let pair = 0; pair < pairs; pair++) {
    let frequency = ropeTheta ** (-2 * pair / headSize);
    if (ropeScaling) frequency = slowedDown(frequency, ropeScaling);
    for (let position = 0; position < length; position++) {
      const at = (position * pairs + pair) * 2;
      out[at] = Math.cos(position * frequency);
      out[at + 1] = Math.sin(position * frequency);
    }
  }
  return out;
}

function slowedDown(frequency: number, scaling: RopeScaling): number {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalLength } = scaling;
  const turns = originalLength * frequency / (2 * Math.PI);
  const share = Math.min(1, Math.max(0, (turns - low) / (high - low)));
  return share * frequency + (1 - share) * frequency / factor;
}
