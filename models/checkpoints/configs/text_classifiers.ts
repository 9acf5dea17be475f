/** @file BERT, RoBERTa and DistilBERT as text classifiers. */
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
