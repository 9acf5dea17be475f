import { assertEquals } from "@std/assert";
import { isOfKind, PARAMETER_KINDS } from "./parameter_kind.ts";

Deno.test("isOfKind() tells what a parameter is for by the names that families have", () => {
  const names: Readonly<Record<string, string>> = {
    "model.embed_tokens.weight": "embeddings",
    "transformer.wpe.weight": "embeddings",
    "shared.weight": "embeddings",
    "vit.embeddings.cls_token": "embeddings",
    "vision_model.embeddings.patch_embedding.weight": "embeddings",
    "bert.embeddings.word_embeddings.weight": "embeddings",
    "bert.embeddings.LayerNorm.bias": "norms biases",
    "bert.encoder.layer.0.attention.output.LayerNorm.weight": "norms gains",
    "distilbert.transformer.layer.0.sa_layer_norm.weight": "norms gains",
    "vit.encoder.layer.0.layernorm_before.weight": "norms gains",
    "dinov2.encoder.layer.0.norm1.weight": "norms gains",
    "transformer.h.0.ln_1.bias": "norms biases",
    "model.layers.0.self_attn.q_norm.weight": "norms gains",
    "model.layers.0.self_attn.q_proj.bias": "biases",
    "model.layers.0.self_attn.q_proj.weight": "",
    "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": "",
    "lm_head.weight": "head",
    "classifier.bias": "head biases",
    "classifier.dense.weight": "head",
    "visual_projection.weight": "head",
  };
  for (const [name, kinds] of Object.entries(names)) {
    const own = PARAMETER_KINDS.filter((kind) => isOfKind(kind, name));
    assertEquals(own.toSorted(), kinds.split(" ").filter((kind) => kind !== "").toSorted(), name);
  }
});
