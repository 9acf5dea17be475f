/** @file Shipped models as Hugging Face keeps them: a folder with a config and the weights. */
import { type WritableTensor, writeSafetensors } from "../../models/checkpoints/write_safetensors.ts";
import { pretrainedWeights } from "../../models/base_weights.ts";
import type { ModelEntry } from "../../models/entry.ts";
import type { WeightSource } from "../../models/weights.ts";

/** decoder-tiny's sizes, as Hugging Face writes them. */
export const LLAMA = {
  model_type: "llama",
  vocab_size: 56,
  hidden_size: 64,
  intermediate_size: 192,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  max_position_embeddings: 80,
  rms_norm_eps: 1e-5,
  hidden_act: "silu",
};
/** vit-tiny's. */
export const CLIP = {
  model_type: "clip_vision_model",
  image_size: 28,
  num_channels: 1,
  patch_size: 7,
  hidden_size: 64,
  intermediate_size: 192,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  projection_dim: 10,
  hidden_act: "gelu",
};

/** Writes a folder with a config and weights, a shipped model's own or `source`, in one file or in two. */
export async function writeModel(
  folder: string,
  config: unknown,
  entry: ModelEntry,
  { sharded = false, change = (tensors) => tensors, source: given }: {
    readonly sharded?: boolean;
    readonly change?: (tensors: Map<string, WritableTensor>) => Map<string, WritableTensor>;
    readonly source?: WeightSource;
  } = {},
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
  const source = given ?? await pretrainedWeights(entry);
  const tensors = change(
    new Map(entry.parameters.map(({ name, shape }) => [name, { shape, data: source(name, shape) }])),
  );
  if (!sharded) return await writeSafetensors(`${folder}/model.safetensors`, tensors);
  const places: Record<string, string> = {};
  for (
    const [shard, name] of ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"].entries()
  ) {
    const own = [...tensors].filter((_, i) => i % 2 === shard);
    for (const [tensor] of own) places[tensor] = name;
    await writeSafetensors(`${folder}/${name}`, new Map(own));
  }
  await Deno.writeTextFile(`${folder}/model.safetensors.index.json`, JSON.stringify({ weight_map: places }));
}
