import { assert, assertEquals } from "@std/assert";
import * as models from "./mod.ts";
import { weightKindOf } from "./weight_kind.ts";

Deno.test("weightKindOf() knows every linear map of every model, and each model has every kind", () => {
  for (const { id, targetModules } of Object.values(models)) {
    const kinds = targetModules().map(({ name }) => weightKindOf(name));
    assert(!kinds.includes(null), id);
    const everywhere = ["q", "k", "v", "o", "mlp"] as const;
    assertEquals(
      new Set(kinds),
      new Set([...everywhere, ...id === "use-lite" ? ["residual"] as const : []]),
      id,
    );
  }
});

Deno.test("weightKindOf() reads the names of Llama, CLIP, T5, GPT-2, ViT and use-lite, and says null for others", () => {
  const names = {
    "layer.0.residual": "residual",
    "layers.0.self_attn.q_proj": "q",
    "layers.10.self_attn.k_proj": "k",
    "layers.1.self_attn.v_proj": "v",
    "layers.1.self_attn.o_proj": "o",
    "layers.1.self_attn.out_proj": "o",
    "layers.1.mlp.gate_proj": "mlp",
    "layers.1.mlp.fc2": "mlp",
    "decoder.block.0.layer.1.EncDecAttention.k": "k",
    "encoder.block.0.layer.1.DenseReluDense.wi_0": "mlp",
    "h.0.attn.c_attn": "qkv",
    "h.0.attn.c_proj": "o",
    "h.0.mlp.c_fc": "mlp",
    "h.0.mlp.c_proj": "mlp",
    "layer.0.attention.attention.key": "k",
    "layer.0.attention.output.dense": "o",
    "layer.0.intermediate.dense": "mlp",
    "layer.0.output.dense": "mlp",
    "layers.0": null,
    "lm_head": null,
    "layers.0.seq": null,
  };
  for (const [name, kind] of Object.entries(names)) assertEquals(weightKindOf(name), kind, name);
});
