/** @file OpenCLIP's checkpoints under Hugging Face's names: its files join and turn some of the tensors. */
import { type Checkpoint, CheckpointError, type CheckpointTensor } from "./checkpoint.ts";
import { third } from "./joined.ts";
import { turned } from "./turned.ts";
import { quote } from "../../errors/quote.ts";

/** Root of a tower's blocks there and here. */
const TOWERS = [
  ["visual.transformer.resblocks.", "vision_model.encoder.layers."],
  ["transformer.resblocks.", "text_model.encoder.layers."],
] as const;

const RENAMED: Readonly<Record<string, string>> = {
  "visual.class_embedding": "vision_model.embeddings.class_embedding",
  "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
  "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
  "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",
  "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
  "visual.ln_post.weight": "vision_model.post_layernorm.weight",
  "visual.ln_post.bias": "vision_model.post_layernorm.bias",
  "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
  "positional_embedding": "text_model.embeddings.position_embedding.weight",
  "ln_final.weight": "text_model.final_layer_norm.weight",
  "ln_final.bias": "text_model.final_layer_norm.bias",
  "logit_scale": "logit_scale",
};

/** Matrices that are applied from the right there, `[width, outputs]`. */
const TURNED: Readonly<Record<string, string>> = {
  "visual.proj": "visual_projection.weight",
  "text_projection": "text_projection.weight",
};

const BLOCK_PARTS: Readonly<Record<string, string>> = {
  "ln_1": "layer_norm1",
  "ln_2": "layer_norm2",
  "attn.out_proj": "self_attn.out_proj",
  "mlp.c_fc": "mlp.fc1",
  "mlp.c_proj": "mlp.fc2",
};

/** The three maps that OpenCLIP keeps as one, one below the other. */
const JOINED = ["q_proj", "k_proj", "v_proj"] as const;

/**
 * The same checkpoint with the names and shapes of Hugging Face's CLIP. Elements are converted when they are asked for.
 * Constants that are no weights, such as a stored `attn_mask`, are left out.
 *
 * @throws {CheckpointError} where it has a tensor that OpenCLIP's towers don't have
 */
export function openClipTensors(checkpoint: Checkpoint): Checkpoint {
  const tensors = new Map<string, CheckpointTensor>();
  for (const [name, tensor] of checkpoint.tensors) {
    if (name === "attn_mask") continue;
    for (const [own, converted] of convert(name, tensor, checkpoint.name)) tensors.set(own, converted);
  }
  return { ...checkpoint, tensors };
}

function convert(
  name: string,
  tensor: CheckpointTensor,
  checkpoint: string,
): readonly (readonly [string, CheckpointTensor])[] {
  const renamed = RENAMED[name];
  if (renamed !== undefined) return [[renamed, tensor]];
  const own = TURNED[name];
  if (own !== undefined) return [[own, turned(tensor)]];
  for (const [theirs, ours] of TOWERS) {
    if (!name.startsWith(theirs)) continue;
    const [, layer, part, kind] = /^(\d+)\.(.+?)[._](weight|bias)$/.exec(name.slice(theirs.length)) ?? [];
    if (part === "attn.in_proj") {
      return JOINED.map((map, place) => [`${ours}${layer}.self_attn.${map}.${kind}`, third(tensor, place)]);
    }
    const own = part === undefined ? undefined : BLOCK_PARTS[part];
    if (own !== undefined) return [[`${ours}${layer}.${own}.${kind}`, tensor]];
  }
  throw new CheckpointError(
    `Cannot read checkpoint "${checkpoint}": OpenCLIP's towers have no tensor ${quote(name)}`,
  );
}
