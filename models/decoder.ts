/**
 * @file The Llama-like decoder: RMS norm, rotary position embedding, a gated feed-forward part, grouped-query attention. What
 * Qwen, Mistral and Gemma have beside Llama is a field of the config each.
 */
import { add, addRmsNorm, embed, geglu, mapRows, reshape, rmsNorm, scale, swiglu } from "../autodiff/mod.ts";
import type { Parameter, Tape, Var } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { DecoderBatch, Model, TargetModule } from "./model.ts";
import { type AttentionKind, type TextNetwork, textWriter } from "./text_writer.ts";
import { loadParameters, type ParameterList, type Precisions, type WeightSource } from "./weights.ts";

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
  /** What all rotary frequencies are divided by, but for those of `windowRopeTheta`; 1 where absent. */
  readonly ropeDivisor?: number;
  /** True where the output layer is the embedding itself. */
  readonly tiedHead: boolean;
  /** True where queries, keys and values have biases: Qwen2. */
  readonly biases?: true;
  /** True where each head of queries and of keys is normed before it is rotated: Qwen3 and Gemma 3. */
  readonly headNorms?: true;
  /**
   * Tokens that a layer's queries see at most, their own and those before, or null for all, by layer and over again where
   * there are more: Mistral has one window for all layers, Gemma 2 one for every other.
   */
  readonly windows?: readonly (number | null)[];
  /** Base of the rotary frequencies of layers with a window, where that is another: Gemma 3. */
  readonly windowRopeTheta?: number;
  /** Of the gate of the feed-forward part; SiLU where absent, gelu by its tanh approximation in Gemma. */
  readonly activation?: "silu" | "gelu-tanh";
  /** What queries' products with keys are multiplied by; headSize^(-1/2) where absent. */
  readonly scoreScale?: number;
  /** What the scores of attention are bent below: Gemma 2. */
  readonly scoreCap?: number;
  /** What the logits are bent below: Gemma 2. */
  readonly logitCap?: number;
  /** What embeddings are multiplied by on their way in, not in the output layer: Gemma. */
  readonly embeddingScale?: number;
  /** True where norms multiply by 1 + their weight, which is near 0 then: Gemma. */
  readonly normsFromOne?: true;
  /** True where what attention and feed-forward part give is normed, too, before it is added: Gemma 2 and 3. */
  readonly outputNorms?: true;
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
  const list = [{ name: "model.embed_tokens.weight", shape: [vocabulary, width] }], norms = normNames(config);
  for (let layer = 0; layer < layers; layer++) {
    const add = (part: string, ...shape: number[]) =>
      list.push({ name: `model.layers.${layer}.${part}`, shape });
    const input = (name: string, out: number) => {
      add(`self_attn.${name}.weight`, out, width);
      if (config.biases) add(`self_attn.${name}.bias`, out);
    };
    add(`${norms.attention}.weight`, width);
    input("q_proj", heads * headSize);
    input("k_proj", keyValueHeads * headSize);
    input("v_proj", keyValueHeads * headSize);
    if (config.headNorms) {
      add("self_attn.q_norm.weight", headSize);
      add("self_attn.k_norm.weight", headSize);
    }
    add("self_attn.o_proj.weight", width, heads * headSize);
    if (norms.attended) add(`${norms.attended}.weight`, width);
    add(`${norms.feedForward}.weight`, width);
    add("mlp.gate_proj.weight", hidden, width);
    add("mlp.up_proj.weight", hidden, width);
    add("mlp.down_proj.weight", width, hidden);
    if (norms.fed) add(`${norms.fed}.weight`, width);
  }
  list.push({ name: "model.norm.weight", shape: [width] });
  if (!tiedHead) list.push({ name: "lm_head.weight", shape: [vocabulary, width] });
  return list;
}

/** What Hugging Face calls the norms of a block; Gemma's "post_attention_layernorm" is not where Llama's is. */
function normNames({ outputNorms }: DecoderConfig) {
  return outputNorms
    ? {
      attention: "input_layernorm",
      attended: "post_attention_layernorm",
      feedForward: "pre_feedforward_layernorm",
      fed: "post_feedforward_layernorm",
    }
    : { attention: "input_layernorm", attended: null, feedForward: "post_attention_layernorm", fed: null };
}

/**
 * Builds a decoder on the GPU, in the caller's scope. Its logits are `[batch · length, vocabulary]`. Target modules'
 * weights are kept in the precisions that are given, by name.
 */
export function createDecoder(
  gpu: Gpu,
  config: DecoderConfig,
  source: WeightSource,
  precisions: Precisions = new Map(),
): Model<DecoderBatch> {
  const { vocabulary, width, heads, keyValueHeads, headSize, layers, length, normEpsilon: epsilon } = config;
  const weightName = (name: string) => name.endsWith(".weight") ? name : `model.${name}.weight`;
  const { parameters, frozen } = loadParameters(
    gpu,
    decoderParameters(config),
    source,
    new Map([...precisions].map(([name, type]) => [weightName(name), type])),
  );
  const parameter = (name: string): Parameter => parameters.get(`${name}.weight`)!;
  const targetModule = (name: string): TargetModule => {
    const weight = frozen.get(weightName(name)) ?? parameter(`model.${name}`);
    const bias = parameters.get(`model.${name}.bias`);
    return {
      name,
      weight,
      ...(bias ? { bias } : {}),
      out: weight.value.shape[0]!,
      in: weight.value.shape[1]!,
    };
  };
  const names = normNames(config), kinds = attentionKinds(gpu, config);
  const blocks = Array.from({ length: layers }, (_, layer) => {
    const at = (name: string) => parameter(`model.layers.${layer}.${name}`);
    return {
      norms: {
        attention: at(names.attention),
        attended: names.attended === null ? null : at(names.attended),
        feedForward: at(names.feedForward),
        fed: names.fed === null ? null : at(names.fed),
        q: config.headNorms && at("self_attn.q_norm"),
        k: config.headNorms && at("self_attn.k_norm"),
      },
      q: targetModule(`layers.${layer}.self_attn.q_proj`),
      k: targetModule(`layers.${layer}.self_attn.k_proj`),
      v: targetModule(`layers.${layer}.self_attn.v_proj`),
      o: targetModule(`layers.${layer}.self_attn.o_proj`),
      gate: targetModule(`layers.${layer}.mlp.gate_proj`),
      up: targetModule(`layers.${layer}.mlp.up_proj`),
      down: targetModule(`layers.${layer}.mlp.down_proj`),
    };
  });
  const table = (name: string) => frozen.get(`${name}.weight`) ?? parameter(name);
  const embedding = table("model.embed_tokens"), finalNorm = parameter("model.norm");
  const head = config.tiedHead ? embedding : table("lm_head");
  const one = config.normsFromOne &&
    new Map([width, headSize].map((count) => [
      count,
      gpu.upload(new Float32Array(count).fill(1), "f32", [count], "ones"),
    ]));

  /** What a norm multiplies by. */
  const factors = (tape: Tape, weight: Parameter): Var => {
    const own = tape.parameter(weight);
    return one ? add(tape, tape.constant(one.get(weight.value.shape[0]!)!), own) : own;
  };
  const normed = (tape: Tape, x: Var, weight: Parameter): Var =>
    rmsNorm(tape, x, factors(tape, weight), epsilon);
  const outputNormed = (tape: Tape, x: Var, weight: Parameter | null): Var =>
    weight ? normed(tape, x, weight) : x;
  /** The same for each head of a row by itself. */
  const headNormed = (tape: Tape, x: Var, weight: Parameter | undefined): Var => {
    if (!weight) return x;
    const { shape } = x.value, [rows, columns] = shape as [number, number];
    const each = reshape(tape, x, [rows * columns / headSize, headSize]);
    return reshape(tape, normed(tape, each, weight), shape);
  };
  const gated = config.activation === "gelu-tanh" ? geglu : swiglu;

  const network: TextNetwork = (forward, { tokens, attend, last }) => {
    const { tape } = forward;
    let x = embed(tape, tape.parameter(embedding), tokens);
    if (config.embeddingScale) x = scale(tape, x, config.embeddingScale);
    for (const [layer, { norms, ...maps }] of blocks.entries()) {
      x = forward.block([x], ({ tape, linear }, [x]) => {
        const y = normed(tape, x, norms.attention);
        const q = headNormed(tape, linear(maps.q, y), norms.q);
        const k = headNormed(tape, linear(maps.k, y), norms.k);
        const mixed = attend(tape, layer, q, k, linear(maps.v, y));
        const attended = outputNormed(tape, linear(maps.o, mixed), norms.attended);
        const weight = factors(tape, norms.feedForward);
        const next = addRmsNorm(tape, x, attended, weight, epsilon, { overwrite: true });
        const inner = gated(tape, linear(maps.gate, next.normed), linear(maps.up, next.normed));
        const fed = outputNormed(tape, linear(maps.down, inner), norms.fed);
        return add(tape, next.sum, fed, { overwrite: true });
      });
    }
    if (last) x = mapRows(tape, x, last);
    const weight = tape.parameter(head);
    const map = { weight, ...(config.logitCap === undefined ? {} : { cap: config.logitCap }) };
    return { states: normed(tape, x, finalNorm), map };
  };

  return {
    family: "decoder",
    parameters: [...parameters.values()],
    targetModules: blocks.flatMap(({ q, k, v, o, gate, up, down }) => [q, k, v, o, gate, up, down]),
    head: [],
    ...textWriter(gpu, { network, vocabulary, length, kinds, heads, keyValueHeads, headSize }),
  };
}

/** How each layer's queries look at keys; layers that are alike share one kind. */
function attentionKinds(gpu: Gpu, config: DecoderConfig): AttentionKind[] {
  const { layers, length, headSize, windows = [null], windowRopeTheta, scoreScale, scoreCap } = config;
  const local = windowRopeTheta === undefined ? config : { length, headSize, ropeTheta: windowRopeTheta };
  const angles = new Map<RotarySizes, Tensor>(), kinds = new Map<number | null, AttentionKind>();
  const anglesOf = (sizes: RotarySizes) => {
    const known = angles.get(sizes) ??
      gpu.upload(rotaryAngles(sizes), "f32", [length, headSize / 2, 2], "rotary angles");
    angles.set(sizes, known);
    return known;
  };
  return Array.from({ length: layers }, (_, layer) => {
    const window = windows[layer % windows.length]!, known = kinds.get(window);
    if (known) return known;
    const kind = {
      scale: scoreScale ?? headSize ** -0.5,
      angles: anglesOf(window === null ? config : local),
      ...(window === null ? {} : { window }),
      ...(scoreCap === undefined ? {} : { softCap: scoreCap }),
    };
    kinds.set(window, kind);
    return kind;
  });
}

/** What rotary angles are made of. */
export type RotarySizes = Pick<
  DecoderConfig,
  "length" | "headSize" | "ropeTheta" | "ropeScaling" | "ropeDivisor"
>;

/**
 * (cosine, sine) of position · frequency for each pair of a head: `[length, headSize / 2, 2]`.
 *
 * Sources: Su et al., arXiv 2104.09864; the scaling of Llama 3.1.
 */
export function rotaryAngles(config: RotarySizes): Float32Array<ArrayBuffer> {
  const { length, headSize, ropeTheta, ropeScaling, ropeDivisor = 1 } = config;
  const pairs = headSize / 2;
  const out = new Float32Array(length * headSize);
  for (let pair = 0; pair < pairs; pair++) {
    let frequency = ropeTheta ** (-2 * pair / headSize) / ropeDivisor;
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
