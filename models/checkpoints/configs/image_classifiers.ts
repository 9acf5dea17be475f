/** @file ViT and DINOv2 as image classifiers. */
import { z } from "zod";
import type { ImageClassifierConfig } from "../../image_classifier.ts";
import { check, positive, size, unpacked } from "./fields.ts";

/** Names of classes by number; where files leave them out there are two, as Hugging Face has it. */
export const classes = { id2label: z.record(z.string(), z.string()).default({ 0: "LABEL_0", 1: "LABEL_1" }) };
/** The erf GELU is what files call "gelu". */
export const gelu = z.literal("gelu", '"gelu" is needed').default("gelu");
const fields = {
  ...unpacked,
  ...classes,
  hidden_size: size.default(768),
  num_hidden_layers: size.default(12),
  num_attention_heads: size.default(12),
  num_channels: size.default(3),
  hidden_act: gelu,
  qkv_bias: z.literal(true, "queries, keys and values with biases (true) are needed").default(true),
};
const headsFit = (read: { readonly hidden_size: number; readonly num_attention_heads: number }) =>
  read.hidden_size % read.num_attention_heads === 0;
const headsNeed = { path: ["num_attention_heads"], error: "a divisor of hidden_size is needed" };
const patchesFit = (read: { readonly image_size: number; readonly patch_size: number }) =>
  read.image_size % read.patch_size === 0;
const patchesNeed = { path: ["patch_size"], error: "a divisor of image_size is needed" };

const Vit = z.object({
  ...fields,
  model_type: z.literal("vit"),
  image_size: size.default(224),
  patch_size: size.default(16),
  intermediate_size: size.default(3072),
  layer_norm_eps: positive.default(1e-12),
}).refine(headsFit, headsNeed).refine(patchesFit, patchesNeed);

const Dinov2 = z.object({
  ...fields,
  model_type: z.literal("dinov2"),
  image_size: size.default(224),
  patch_size: size.default(14),
  mlp_ratio: size.default(4),
  layer_norm_eps: positive.default(1e-6),
  use_swiglu_ffn: z.literal(false, "a feed-forward part of GELU (false) is needed").default(false),
}).refine(headsFit, headsNeed).refine(patchesFit, patchesNeed);

function sizesOf(read: {
  readonly image_size: number;
  readonly patch_size: number;
  readonly num_channels: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly layer_norm_eps: number;
  readonly id2label: Readonly<Record<string, string>>;
}): Omit<ImageClassifierConfig, "kind" | "hidden"> {
  return {
    image: read.image_size,
    channels: read.num_channels,
    patch: read.patch_size,
    width: read.hidden_size,
    layers: read.num_hidden_layers,
    heads: read.num_attention_heads,
    activation: "gelu",
    normEpsilon: read.layer_norm_eps,
    outputs: Object.keys(read.id2label).length,
  };
}

/** Sizes of a ViT checkpoint. @throws {CheckpointError} for other families and for what our classifier does not have */
export function vitConfig(json: unknown, name: string): ImageClassifierConfig {
  const read = check(Vit, json, name);
  return { kind: "vit", ...sizesOf(read), hidden: read.intermediate_size };
}

/** Sizes of a DINOv2 checkpoint. @throws {CheckpointError} for other families and for what our classifier does not have */
export function dinov2Config(json: unknown, name: string): ImageClassifierConfig {
  const read = check(Dinov2, json, name);
  return { kind: "dinov2", ...sizesOf(read), hidden: read.mlp_ratio * read.hidden_size };
}
