/** @file What the configs of Llama and of those that came after it have in common, and what is made of it. */
import { z } from "zod";
import type { DecoderConfig, RopeScaling } from "../../decoder.ts";
import { length, positive, size, unpacked } from "./fields.ts";

/** What newer files have of rotary positions in one place, and older ones of their scaling alone. */
export const Rope = z.discriminatedUnion("rope_type", [
  z.object({ rope_type: z.literal("default"), rope_theta: positive.optional() }),
  z.object({ rope_type: z.literal("linear"), rope_theta: positive.optional(), factor: positive }),
  z.object({
    rope_type: z.literal("llama3"),
    rope_theta: positive.optional(),
    factor: positive,
    low_freq_factor: positive,
    high_freq_factor: positive,
    original_max_position_embeddings: size,
  }).refine(({ low_freq_factor: low, high_freq_factor: high }) => high > low, {
    path: ["high_freq_factor"],
    error: "more than low_freq_factor is needed",
  }),
], 'an object whose rope_type is "default", "linear" or "llama3" is needed');

/** Sizes and rotary positions. */
export const decoderFields = {
  ...unpacked,
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  max_position_embeddings: length,
  rms_norm_eps: positive,
  rope_theta: positive.optional(),
  rope_scaling: Rope.nullish(),
  rope_parameters: Rope.nullish(),
  partial_rotary_factor: z.literal(1, "rotary positions on whole heads (1) are needed").default(1),
};

/** The feed-forward part of Llama. */
export const silu = { hidden_act: z.literal("silu", '"silu" is needed') };
/** Maps of attention without biases. */
export const unbiased = {
  attention_bias: z.literal(false, "attention without biases (false) is needed").default(false),
};

const LAYER_TYPES = ["full_attention", "sliding_attention"] as const;
/** A window, and which layers have it where the file says so. */
export const windowFields = {
  sliding_window: size.nullish(),
  layer_types: z.array(z.enum(LAYER_TYPES, '"full_attention" or "sliding_attention" is needed')).nullish(),
};

interface Heads {
  readonly hidden_size: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads?: number | null | undefined;
  readonly head_dim?: number | null | undefined;
}

/** Whether heads can share key-value heads. */
export const headsFit = ({ num_attention_heads: heads, num_key_value_heads: shared }: Heads) =>
  heads % (shared ?? heads) === 0;
/** What is said where they can't. */
export const headsNeed = {
  path: ["num_key_value_heads"],
  error: "a divisor of num_attention_heads is needed",
};
/** Whether heads can be rotated by halves. */
export const headSizeFits = ({ head_dim, hidden_size, num_attention_heads: heads }: Heads) =>
  (head_dim ?? hidden_size / heads) % 2 === 0;
/** What is said where they can't. */
export const headSizeNeeds = {
  path: ["head_dim"],
  error: "an even width of heads is needed, by default hidden_size / num_attention_heads",
};

interface Layers {
  readonly num_hidden_layers: number;
  readonly sliding_window?: number | null | undefined;
  readonly layer_types?: readonly typeof LAYER_TYPES[number][] | null | undefined;
}

/** Whether `layer_types` names a kind for each layer. */
export const layersFit = ({ layer_types: types, num_hidden_layers: layers }: Layers) =>
  !types || types.length === layers;
/** What is said where it doesn't. */
export const layersNeed = { path: ["layer_types"], error: "a kind for each of num_hidden_layers is needed" };
/** Whether sliding layers have a window. */
export const windowFits = ({ layer_types: types, sliding_window: window }: Layers) =>
  !types?.includes("sliding_attention") || typeof window === "number";
/** What is said where they have none. */
export const windowNeeds = {
  path: ["sliding_window"],
  error: 'a window is needed where layer_types has "sliding_attention"',
};

/**
 * The window of each layer: as `layer_types` says, or where it is absent as `isSliding` does. Nothing where none has one.
 */
export function windowsOf(
  { num_hidden_layers: layers, sliding_window: window, layer_types: types }: Layers,
  isSliding: (layer: number) => boolean,
): Pick<DecoderConfig, "windows"> {
  const windows = Array.from({ length: layers }, (_, layer) => {
    const slides = types ? types[layer] === "sliding_attention" : isSliding(layer);
    return slides ? window ?? null : null;
  });
  return windows.every((one) => one === null) ? {} : { windows };
}

/** What a config says of rotary positions. */
export interface RotaryFields {
  readonly rope_theta?: number | undefined;
  readonly rope_scaling?: z.output<typeof Rope> | null | undefined;
  readonly rope_parameters?: z.output<typeof Rope> | null | undefined;
}

/** The parts of a decoder that turn its positions. @param theta the base where the file has none */
export function rotaryOf(
  read: RotaryFields,
  theta: number,
): Pick<DecoderConfig, "ropeTheta" | "ropeScaling" | "ropeDivisor"> {
  const rope = read.rope_parameters ?? read.rope_scaling;
  return {
    ropeTheta: rope?.rope_theta ?? read.rope_theta ?? theta,
    ...(rope?.rope_type === "llama3" ? { ropeScaling: scalingOf(rope) } : {}),
    ...(rope?.rope_type === "linear" ? { ropeDivisor: rope.factor } : {}),
  };
}

function scalingOf(rope: z.output<typeof Rope> & { readonly rope_type: "llama3" }): RopeScaling {
  return {
    factor: rope.factor,
    lowFrequencyFactor: rope.low_freq_factor,
    highFrequencyFactor: rope.high_freq_factor,
    originalLength: rope.original_max_position_embeddings,
  };
}

/** What `decoderFields` say, but for rotary positions. @param headSize where the file has none */
export function sizesOf(
  read: Heads & {
    readonly vocab_size: number;
    readonly intermediate_size: number;
    readonly num_hidden_layers: number;
    readonly max_position_embeddings: number;
    readonly rms_norm_eps: number;
  },
  headSize: number = read.hidden_size / read.num_attention_heads,
): Omit<DecoderConfig, "ropeTheta" | "tiedHead"> {
  return {
    vocabulary: read.vocab_size,
    width: read.hidden_size,
    layers: read.num_hidden_layers,
    heads: read.num_attention_heads,
    keyValueHeads: read.num_key_value_heads ?? read.num_attention_heads,
    headSize: read.head_dim ?? headSize,
    hidden: read.intermediate_size,
    length: read.max_position_embeddings,
    normEpsilon: read.rms_norm_eps,
  };
}
