/** @file Qwen3: Yang et al., arXiv 2505.09388. Llama with a norm on each head of queries and keys. */
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
  silu,
  sizesOf,
  unbiased,
  windowFields,
  windowFits,
  windowNeeds,
} from "./decoder_fields.ts";
import { check } from "./fields.ts";
import { qwenWindow, qwenWindows } from "./qwen2.ts";

const Config = z.object({
  ...decoderFields,
  ...silu,
  ...unbiased,
  ...windowFields,
  ...qwenWindow,
  model_type: z.literal("qwen3"),
  tie_word_embeddings: z.boolean().default(false),
}).refine(headsFit, headsNeed).refine(headSizeFits, headSizeNeeds).refine(layersFit, layersNeed)
  .refine(windowFits, windowNeeds);

/** Sizes of a Qwen3 checkpoint. @throws {CheckpointError} for other families and for what our decoder does not have */
export function qwen3Config(json: unknown, name: string): DecoderConfig {
  const read = check(Config, json, name);
  return {
    ...sizesOf(read, 128),
    ...rotaryOf(read, 10000),
    ...qwenWindows(read),
    tiedHead: read.tie_word_embeddings,
    headNorms: true,
  };
}
