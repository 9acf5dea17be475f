/** @file Llama: Touvron et al., arXiv 2302.13971 and 2307.09288; Llama Team, arXiv 2407.21783. */
import { z } from "zod";
import type { DecoderConfig } from "../../decoder.ts";
import {
  decoderFields,
  headsFit,
  headSizeFits,
  headSizeNeeds,
  headsNeed,
  rotaryOf,
  silu,
  sizesOf,
  unbiased,
} from "./decoder_fields.ts";
import { check } from "./fields.ts";

const Config = z.object({
  ...decoderFields,
  ...silu,
  ...unbiased,
  model_type: z.literal("llama"),
  tie_word_embeddings: z.boolean().default(false),
  mlp_bias: z.literal(false, "a feed-forward part without biases (false) is needed").default(false),
}).refine(headsFit, headsNeed).refine(headSizeFits, headSizeNeeds);

/** Sizes of a Llama checkpoint. @throws {CheckpointError} for other families and for what our decoder does not have */
export function llamaConfig(json: unknown, name: string): DecoderConfig {
  const read = check(Config, json, name);
  return { ...sizesOf(read), ...rotaryOf(read, 10000), tiedHead: read.tie_word_embeddings };
}
