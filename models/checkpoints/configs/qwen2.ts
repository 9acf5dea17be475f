/** @file Qwen2: Yang et al., arXiv 2407.10671 and 2412.15115 (Qwen2.5). Llama with biases on queries, keys and values. */
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
  windowFields,
  windowFits,
  windowNeeds,
  windowsOf,
} from "./decoder_fields.ts";
import { check } from "./fields.ts";

/** A window, which released files have a number for and don't use. */
export const qwenWindow = {
  use_sliding_window: z.boolean().default(false),
  max_window_layers: z.int().min(0).default(28),
};

/** Where there is one, the layers from `max_window_layers` on have it. */
export function qwenWindows(
  read: {
    readonly use_sliding_window: boolean;
    readonly max_window_layers: number;
    readonly num_hidden_layers: number;
  } & Parameters<typeof windowsOf>[0],
): Pick<DecoderConfig, "windows"> {
  return windowsOf(read, (layer) => read.use_sliding_window && layer >= read.max_window_layers);
}

const Config = z.object({
  ...decoderFields,
  ...silu,
  ...windowFields,
  ...qwenWindow,
  model_type: z.literal("qwen2"),
  tie_word_embeddings: z.boolean().default(false),
}).refine(headsFit, headsNeed).refine(headSizeFits, headSizeNeeds).refine(layersFit, layersNeed)
  .refine(windowFits, windowNeeds);

/** Sizes of a Qwen2 checkpoint. @throws {CheckpointError} for other families and for what our decoder does not have */
export function qwen2Config(json: unknown, name: string): DecoderConfig {
  const read = check(Config, json, name);
  return {
    ...sizesOf(read),
    ...rotaryOf(read, 10000),
    ...qwenWindows(read),
    tiedHead: read.tie_word_embeddings,
    biases: true,
  };
}
