/** @file Small models of every family as they lie on disk, for tests that break them. */
import { type WritableTensor, writeSafetensors } from "../../models/checkpoints/write_safetensors.ts";
import { clipTextParameters } from "../../models/clip_text.ts";
import { decoderParameters } from "../../models/decoder.ts";
import { encoderDecoderParameters } from "../../models/encoder_decoder.ts";
import {
  clipConfig,
  clipVisionConfig,
  llamaConfig,
  t5Config,
} from "../../models/checkpoints/hugging_face.ts";
import { visionParameters } from "../../models/vision.ts";
import { initialWeights, type ParameterList } from "../../models/weights.ts";
import { createRandom } from "../../numerics/random.ts";
import { TINY_CLIP } from "./clip_folder.ts";

/** A config as Hugging Face writes it, and the parameters that it describes. */
export interface SmallModel {
  readonly config: Readonly<Record<string, unknown>>;
  readonly parameters: ParameterList;
}

const llama = {
  model_type: "llama",
  vocab_size: 12,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 16,
  rms_norm_eps: 1e-5,
  hidden_act: "silu",
};
const t5 = {
  model_type: "t5",
  vocab_size: 12,
  d_model: 8,
  d_kv: 4,
  d_ff: 12,
  num_layers: 1,
  num_heads: 2,
};
const vision = { model_type: "clip_vision_model", ...TINY_CLIP.vision_config, projection_dim: 6 };

/** By family; `clip` has both towers. */
export const SMALL = {
  llama: { config: llama, parameters: decoderParameters(llamaConfig(llama, "small")) },
  t5: { config: t5, parameters: encoderDecoderParameters(t5Config(t5, "small")) },
  vision: { config: vision, parameters: visionParameters(clipVisionConfig(vision, "small")) },
  clip: {
    config: TINY_CLIP,
    parameters: [
      ...visionParameters(clipConfig(TINY_CLIP, "small").vision),
      ...clipTextParameters(clipConfig(TINY_CLIP, "small").text),
      { name: "logit_scale", shape: [] },
    ],
  },
} satisfies Record<string, SmallModel>;

/** Seeded weights of parameters, by name. */
export function smallWeights(parameters: ParameterList): Map<string, WritableTensor> {
  const source = initialWeights(createRandom(3));
  return new Map(parameters.map(({ name, shape }) => [name, { shape, data: source(name, shape) }]));
}

/** Writes `config.json` and `model.safetensors` into a folder. */
export async function writeSmall(
  folder: string,
  config: unknown,
  tensors: ReadonlyMap<string, WritableTensor>,
): Promise<void> {
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
  await writeSafetensors(`${folder}/model.safetensors`, tensors);
}
