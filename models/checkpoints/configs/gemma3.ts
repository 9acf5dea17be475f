/**
 * @file Gemma 3, the model of texts: Gemma Team, arXiv 2503.19786. Gemma 2 with norms on heads in place of the scores' cap, and
 * rotary positions of another base where there is a window.
 */
import { z } from "zod";
import type { DecoderConfig } from "../../decoder.ts";
import {
  headsFit,
  headSizeFits,
  headSizeNeeds,
  headsNeed,
  layersFit,
  layersNeed,
  Rope,
  rotaryOf,
  sizesOf,
  windowFits,
  windowNeeds,
  windowsOf,
} from "./decoder_fields.ts";
import { check, positive, size } from "./fields.ts";
import { gemmaFields, gemmaParts } from "./gemma2.ts";

/** Newer files have both kinds of positions in one place. */
const Both = z.object({ full_attention: Rope, sliding_attention: Rope });

const Config = z.object({
  ...gemmaFields,
  model_type: z.literal("gemma3_text"),
  sliding_window: gemmaFields.sliding_window.default(4096),
  sliding_window_pattern: size.nullish(),
  _sliding_window_pattern: size.nullish(),
  rope_local_base_freq: positive.default(10000),
  rope_parameters: z.union([Both, Rope]).nullish(),
}).refine(headsFit, headsNeed).refine(headSizeFits, headSizeNeeds).refine(layersFit, layersNeed)
  .refine(windowFits, windowNeeds)
  .refine(({ rope_parameters: ropes }) => !isBoth(ropes) || ropes.sliding_attention.rope_type === "default", {
    path: ["rope_parameters", "sliding_attention", "rope_type"],
    error: '"default" is needed',
  });

function isBoth(ropes: unknown): ropes is z.output<typeof Both> {
  return typeof ropes === "object" && ropes !== null && "full_attention" in ropes;
}

/** Sizes of a Gemma 3 checkpoint. @throws {CheckpointError} for other families and for what our decoder does not have */
export function gemma3Config(json: unknown, name: string): DecoderConfig {
  const { rope_parameters: ropes, ...read } = check(Config, json, name);
  const every = read._sliding_window_pattern ?? read.sliding_window_pattern ?? 6;
  const local = isBoth(ropes) ? ropes.sliding_attention.rope_theta : undefined;
  return {
    ...sizesOf(read),
    ...rotaryOf({ ...read, rope_parameters: isBoth(ropes) ? ropes.full_attention : ropes }, 1e6),
    ...windowsOf(read, (layer) => (layer + 1) % every !== 0),
    ...gemmaParts(read),
    windowRopeTheta: local ?? read.rope_local_base_freq,
    headNorms: true,
  };
}
