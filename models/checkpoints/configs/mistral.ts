/** @file Mistral 7B: Jiang et al., arXiv 2310.06825. Llama with a window in every layer, which later versions do without. */
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
  windowsOf,
} from "./decoder_fields.ts";
import { check } from "./fields.ts";

const Config = z.object({
  ...decoderFields,
  ...silu,
  ...unbiased,
  ...windowFields,
  model_type: z.literal("mistral"),
  tie_word_embeddings: z.boolean().default(false),
}).refine(headsFit, headsNeed).refine(headSizeFits, headSizeNeeds).refine(layersFit, layersNeed)
  .refine(windowFits, windowNeeds);

/** Sizes of a Mistral checkpoint. @throws {CheckpointError} for other families and for what our decoder does not have */
export function mistralConfig(json: unknown, name: string): DecoderConfig {
  const read = check(Config, json, name);
  return {
    ...sizesOf(read),
    ...rotaryOf(read, 10000),
    ...windowsOf(read, () => true),
    tiedHead: read.tie_word_embeddings,
  };
}
