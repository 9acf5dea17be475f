/** @file GPT-2: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019. */
import { z } from "zod";
import type { Gpt2Config } from "../../gpt2.ts";
import { check, length, positive, size, unpacked } from "./fields.ts";

/** Our name of what files call an activation function. */
const ACTIVATIONS = {
  gelu: "gelu",
  gelu_new: "gelu-tanh",
  gelu_pytorch_tanh: "gelu-tanh",
  relu: "relu",
} as const;
const KNOWN = Object.keys(ACTIVATIONS) as (keyof typeof ACTIVATIONS)[];

const Config = z.object({
  ...unpacked,
  model_type: z.literal("gpt2"),
  vocab_size: size.default(50257),
  n_positions: length.default(1024),
  n_embd: size.default(768),
  n_layer: size.default(12),
  n_head: size.default(12),
  n_inner: size.nullish(),
  activation_function: z.enum(KNOWN, `one of ${KNOWN.join(", ")} is needed`).default("gelu_new"),
  layer_norm_epsilon: positive.default(1e-5),
  scale_attn_weights: z.literal(true, "scores divided by the root of the heads' width (true) are needed")
    .default(true),
  scale_attn_by_inverse_layer_idx: z.literal(false, "scores that layers don't divide (false) are needed")
    .default(false),
  add_cross_attention: z.literal(false, "attention to the text alone (false) is needed").default(false),
  tie_word_embeddings: z.boolean().default(true),
}).refine(({ n_embd: width, n_head: heads }) => width % heads === 0, {
  path: ["n_head"],
  error: "a divisor of n_embd is needed",
});

/** Sizes of a GPT-2 checkpoint. @throws {CheckpointError} for other families and for what our GPT-2 does not have */
export function gpt2Config(json: unknown, name: string): Gpt2Config {
  const read = check(Config, json, name);
  return {
    vocabulary: read.vocab_size,
    width: read.n_embd,
    layers: read.n_layer,
    heads: read.n_head,
    hidden: read.n_inner ?? 4 * read.n_embd,
    length: read.n_positions,
    activation: ACTIVATIONS[read.activation_function],
    normEpsilon: read.layer_norm_epsilon,
    tiedHead: read.tie_word_embeddings,
  };
}
