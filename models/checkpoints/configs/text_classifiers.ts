/** @file BERT, RoBERTa, DistilBERT and DeBERTa-v3 as text classifiers. */
import { z } from "zod";
import type { TextClassifierConfig } from "../../text_classifier.ts";
import { check, length, positive, size, token, unpacked } from "./fields.ts";
import { classes, gelu } from "./image_classifiers.ts";

const shared = {
  ...unpacked,
  ...classes,
  vocab_size: size.default(30522),
  max_position_embeddings: length.default(512),
  problem_type: z.literal("single_label_classification", "classes that exclude each other are needed")
    .nullish(),
};
const fields = {
  ...shared,
  hidden_size: size.default(768),
  num_hidden_layers: size.default(12),
  num_attention_heads: size.default(12),
  intermediate_size: size.default(3072),
  hidden_act: gelu,
  layer_norm_eps: positive.default(1e-12),
  type_vocab_size: size.default(2),
  pad_token_id: token.default(0),
  position_embedding_type: z.literal("absolute", '"absolute" is needed').default("absolute"),
  is_decoder: z.literal(false, "attention to the whole text (false) is needed").default(false),
};
const headsFit = (read: { readonly hidden_size: number; readonly num_attention_heads: number }) =>
  read.hidden_size % read.num_attention_heads === 0;
const headsNeed = { path: ["num_attention_heads"], error: "a divisor of hidden_size is needed" };

const Bert = z.object({ ...fields, model_type: z.literal("bert") }).refine(headsFit, headsNeed);
const Roberta = z.object({
  ...fields,
  model_type: z.literal("roberta"),
  vocab_size: size.default(50265),
  pad_token_id: token.default(1),
}).refine(headsFit, headsNeed).refine(
  ({ max_position_embeddings: rows, pad_token_id: pad }) => rows > pad + 1,
  { path: ["max_position_embeddings"], error: "more than pad_token_id and 1 are needed" },
);
const BOTH = '["p2c","c2p"] is needed', EVEN = "an even number from 2 is needed";
const needed = <T extends string | number | boolean>(value: T) =>
  z.literal(value, `${JSON.stringify(value)} is needed`);
const DebertaV2 = z.object({
  ...shared,
  model_type: z.literal("deberta-v2"),
  vocab_size: size.default(128100),
  hidden_size: size.default(1536),
  embedding_size: size.nullish(),
  num_hidden_layers: size.default(24),
  num_attention_heads: size.default(24),
  attention_head_size: size.nullish(),
  intermediate_size: size.default(6144),
  hidden_act: gelu,
  layer_norm_eps: positive.default(1e-7),
  type_vocab_size: needed(0).default(0),
  pad_token_id: token.default(0),
  relative_attention: needed(true),
  position_biased_input: needed(false),
  // Two of the three kinds; the paper's third, of positions alone, no published model has.
  pos_att_type: z.preprocess(
    (value) => typeof value === "string" ? value.toLowerCase().split("|") : value,
    z.array(z.string(), BOTH).refine((kinds) => [...kinds].sort().join() === "c2p,p2c", BOTH),
  ),
  share_att_key: needed(true),
  norm_rel_ebd: needed("layer_norm"),
  position_buckets: z.int(EVEN).min(2, EVEN).multipleOf(2, EVEN),
  max_relative_positions: z.int().default(-1),
  conv_kernel_size: z.literal(0, "no convolution (0) is needed").nullish(),
  pooler_hidden_size: size.nullish(),
  pooler_hidden_act: gelu,
}).refine(headsFit, headsNeed).refine(
  (read) => (read.embedding_size ?? read.hidden_size) === read.hidden_size,
  { path: ["embedding_size"], error: "as many as hidden_size are needed" },
).refine(
  (read) => (read.pooler_hidden_size ?? read.hidden_size) === read.hidden_size,
  { path: ["pooler_hidden_size"], error: "as many as hidden_size are needed" },
).refine(
  (read) =>
    (read.attention_head_size ?? 0) * read.num_attention_heads ===
      (read.attention_head_size ? read.hidden_size : 0),
  { path: ["attention_head_size"], error: "hidden_size / num_attention_heads is needed" },
).refine((read) => farthest(read) - 1 > read.position_buckets / 2, {
  path: ["max_relative_positions"],
  error: "more than half of position_buckets and 1 are needed, or -1 for max_position_embeddings",
});

/** What buckets count to. */
function farthest(
  read: { readonly max_relative_positions: number; readonly max_position_embeddings: number },
): number {
  return read.max_relative_positions < 1 ? read.max_position_embeddings : read.max_relative_positions;
}

const DistilBert = z.object({
  ...shared,
  model_type: z.literal("distilbert"),
  dim: size.default(768),
  n_layers: size.default(6),
  n_heads: size.default(12),
  hidden_dim: size.default(3072),
  activation: gelu,
  pad_token_id: token.default(0),
}).refine(({ dim, n_heads: heads }) => dim % heads === 0, {
  path: ["n_heads"],
  error: "a divisor of dim is needed",
});

function sizesOf(
  read: z.output<typeof Bert> | z.output<typeof Roberta>,
): Omit<TextClassifierConfig, "kind" | "length"> {
  return {
    vocabulary: read.vocab_size,
    types: read.type_vocab_size,
    paddingToken: read.pad_token_id,
    width: read.hidden_size,
    layers: read.num_hidden_layers,
    heads: read.num_attention_heads,
    hidden: read.intermediate_size,
    activation: "gelu",
    normEpsilon: read.layer_norm_eps,
    outputs: Object.keys(read.id2label).length,
  };
}

/** Sizes of a BERT checkpoint. @throws {CheckpointError} for other families and for what our classifier does not have */
export function bertConfig(json: unknown, name: string): TextClassifierConfig {
  const read = check(Bert, json, name);
  return { kind: "bert", ...sizesOf(read), length: read.max_position_embeddings };
}

/** Sizes of a RoBERTa checkpoint. @throws {CheckpointError} for other families and for what our classifier does not have */
export function robertaConfig(json: unknown, name: string): TextClassifierConfig {
  const read = check(Roberta, json, name);
  // The padding's row and those before it are no text's.
  return {
    kind: "roberta",
    ...sizesOf(read),
    length: read.max_position_embeddings - read.pad_token_id - 1,
  };
}

/** Sizes of a DistilBERT checkpoint. @throws {CheckpointError} for other families and for what our classifier does not have */
export function distilBertConfig(json: unknown, name: string): TextClassifierConfig {
  const read = check(DistilBert, json, name);
  return {
    kind: "distilbert",
    vocabulary: read.vocab_size,
    length: read.max_position_embeddings,
    types: 0,
    paddingToken: read.pad_token_id,
    width: read.dim,
    layers: read.n_layers,
    heads: read.n_heads,
    hidden: read.hidden_dim,
    activation: "gelu",
    normEpsilon: 1e-12,
    outputs: Object.keys(read.id2label).length,
  };
}

/** Sizes of a DeBERTa-v3 checkpoint. @throws {CheckpointError} for other families and for what our classifier does not have */
export function debertaV2Config(json: unknown, name: string): TextClassifierConfig {
  const read = check(DebertaV2, json, name);
  return {
    kind: "deberta",
    vocabulary: read.vocab_size,
    length: read.max_position_embeddings,
    types: 0,
    paddingToken: read.pad_token_id,
    relative: { buckets: read.position_buckets, maxPosition: farthest(read) },
    width: read.hidden_size,
    layers: read.num_hidden_layers,
    heads: read.num_attention_heads,
    hidden: read.intermediate_size,
    activation: "gelu",
    normEpsilon: read.layer_norm_eps,
    outputs: Object.keys(read.id2label).length,
  };
}
