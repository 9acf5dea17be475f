/**
 * @file Gemma 2: Gemma Team, arXiv 2408.00118. Norms from 1 on, four in a block; soft caps; a window in every other layer;
 * scaled embeddings; gelu.
 */
import { z } from "zod";
import type { DecoderConfig } from "../../decoder.ts";
import {
  decoderFields,
  headsFit,
  headSizeFits,
  headSizeNeeds,
  headsNeed,
  layersFit,
  layersNeed,
  rotaryOf,
  sizesOf,
  unbiased,
  windowFields,
  windowFits,
  windowNeeds,
  windowsOf,
} from "./decoder_fields.ts";
import { check, positive } from "./fields.ts";

/** What both generations have. Files also have a `hidden_act`, which nothing reads. */
export const gemmaFields = {
  ...decoderFields,
  ...unbiased,
  ...windowFields,
  head_dim: decoderFields.head_dim.default(256),
  hidden_activation: z.literal("gelu_pytorch_tanh", '"gelu_pytorch_tanh" is needed')
    .default("gelu_pytorch_tanh"),
  query_pre_attn_scalar: positive.default(256),
  final_logit_softcapping: positive.nullish(),
  tie_word_embeddings: z.literal(true, "an output layer that is the embedding (true) is needed").default(
    true,
  ),
  use_bidirectional_attention: z.literal(false, "attention to what came before (false) is needed").nullish(),
};

type GemmaParts = Pick<
  DecoderConfig,
  | "tiedHead"
  | "activation"
  | "embeddingScale"
  | "normsFromOne"
  | "outputNorms"
  | "scoreScale"
  | "logitCap"
>;

/** The parts that both have. */
export function gemmaParts(read: {
  readonly hidden_size: number;
  readonly query_pre_attn_scalar: number;
  readonly final_logit_softcapping?: number | null | undefined;
}): GemmaParts {
  return {
    tiedHead: true,
    activation: "gelu-tanh",
    embeddingScale: Math.fround(Math.sqrt(read.hidden_size)),
    normsFromOne: true,
    outputNorms: true,
    scoreScale: read.query_pre_attn_scalar ** -0.5,
    ...(read.final_logit_softcapping ? { logitCap: read.final_logit_softcapping } : {}),
  };
}

const Config = z.object({
  ...gemmaFields,
  model_type: z.literal("gemma2"),
  sliding_window: gemmaFields.sliding_window.default(4096),
  attn_logit_softcapping: positive.nullish(),
}).refine(headsFit, headsNeed).refine(headSizeFits, headSizeNeeds).refine(layersFit, layersNeed)
  .refine(windowFits, windowNeeds);

/** Sizes of a Gemma 2 checkpoint. @throws {CheckpointError} for other families and for what our decoder does not have */
export function gemma2Config(json: unknown, name: string): DecoderConfig {
  const read = check(Config, json, name);
  return {
    ...sizesOf(read),
    ...rotaryOf(read, 10000),
    ...windowsOf(read, (layer) => layer % 2 === 0),
    ...gemmaParts(read),
    ...(read.attn_logit_softcapping ? { scoreCap: read.attn_logit_softcapping } : {}),
  };
}
