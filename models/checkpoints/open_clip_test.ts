import { assertEquals, assertThrows } from "@std/assert";
import { withDataFolder } from "../../tests/support/data_folder.ts";
import { SMALL, smallWeights, writeSmall } from "../../tests/support/small_folders.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { baseWeights } from "../base_weights.ts";
import { CheckpointError } from "./checkpoint.ts";
import { parseSafetensors } from "./read_safetensors.ts";
import { encodeSafetensors, type WritableTensor } from "./write_safetensors.ts";
import { readModelFolder } from "./model_folder.ts";
import { openClipTensors } from "./open_clip.ts";

const test = testNeeding(FILES);

/** What OpenCLIP calls the tensors that it has as they are. */
const NAMES: readonly (readonly [ours: string | RegExp, theirs: string])[] = [
  [/^vision_model\.encoder\.layers\./, "visual.transformer.resblocks."],
  [/^text_model\.encoder\.layers\./, "transformer.resblocks."],
  ["self_attn.out_proj", "attn.out_proj"],
  ["layer_norm", "ln_"],
  ["mlp.fc1", "mlp.c_fc"],
  ["mlp.fc2", "mlp.c_proj"],
  ["vision_model.embeddings.class_embedding", "visual.class_embedding"],
  ["vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"],
  ["vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"],
  ["vision_model.pre_layrnorm", "visual.ln_pre"],
  ["vision_model.post_layernorm", "visual.ln_post"],
  ["text_model.embeddings.token_embedding.weight", "token_embedding.weight"],
  ["text_model.embeddings.position_embedding.weight", "positional_embedding"],
];

/** The same weights as OpenCLIP keeps them: queries, keys and values one below the other, projections turned. */
function asOpenClip(tensors: ReadonlyMap<string, WritableTensor>): Map<string, WritableTensor> {
  const out = new Map<string, WritableTensor>();
  for (const [name, tensor] of tensors) {
    const [, root, map, kind] = /^(.*)self_attn\.([qkv])_proj\.(weight|bias)$/.exec(name) ?? [];
    const final = /^text_model\.final_layer_norm\.(.*)$/.exec(name);
    const renamed = final
      ? `ln_final.${final[1]}`
      : NAMES.reduce((text, [ours, theirs]) => text.replace(ours, theirs), name);
    if (map === "q") {
      const parts = ["q", "k", "v"].map((one) => tensors.get(`${root}self_attn.${one}_proj.${kind}`)!.data);
      const [rows, ...columns] = tensor.shape;
      out.set(renamed.replace("self_attn.q_proj.", "attn.in_proj_"), {
        shape: [3 * rows!, ...columns],
        data: Float32Array.from(parts.flatMap((part) => [...part])),
      });
    } else if (map === undefined && /projection/.test(name)) {
      const [rows, columns] = tensor.shape as [number, number];
      const data = Float32Array.from(
        tensor.data,
        (_, i) => tensor.data[(i % rows) * columns + Math.floor(i / rows)]!,
      );
      out.set(name === "text_projection.weight" ? "text_projection" : "visual.proj", {
        shape: [columns, rows],
        data,
      });
    } else if (map === undefined) out.set(renamed, tensor);
  }
  return out;
}

const CONFIG = {
  model_cfg: {
    embed_dim: 6,
    quick_gelu: true,
    vision_cfg: { image_size: 8, patch_size: 4, width: 12, layers: 1, head_width: 4, mlp_ratio: 4 / 3 },
    text_cfg: { context_length: 32, vocab_size: 30, width: 8, heads: 2, layers: 1, mlp_ratio: 1.5 },
  },
};

test("openClipTensors() gives every weight of Hugging Face's layout, bit by bit, and a folder of either is the same model", async () => {
  const weights = smallWeights(SMALL.clip.parameters);
  const file = encodeSafetensors(asOpenClip(weights));
  const { tensors } = openClipTensors(parseSafetensors(file, "x"));
  const sorted = (map: ReadonlyMap<string, Pick<WritableTensor, "shape" | "data">>) =>
    [...map].map(([name, { shape, data }]) => [name, [...shape], [...data]] as const)
      .toSorted(([a], [b]) => a < b ? -1 : 1);
  assertEquals(sorted(tensors), sorted(weights));

  await withDataFolder({
    "open/open_clip_config.json": JSON.stringify(CONFIG),
    "open/open_clip_model.safetensors": file,
    "hugging-face/note": "",
  }, async (folder) => {
    await writeSmall(`${folder}/hugging-face`, SMALL.clip.config, weights);
    const [open, other] = [
      await readModelFolder(`${folder}/open`, "mine"),
      await readModelFolder(`${folder}/hugging-face`, "mine"),
    ];
    assertEquals(open.parameters, other.parameters);
    assertEquals(open.vision, other.vision);
    assertEquals({ ...open.text, endToken: 0 }, { ...other.text, endToken: 0 });
    const [source, wanted] = [await baseWeights(open), await baseWeights(other)];
    for (const { name, shape } of open.parameters) {
      assertEquals(source(name, shape), wanted(name, shape), name);
    }
  });
});

Deno.test("openClipTensors() refuses names that its towers don't have, and leaves odd shapes for the model to refuse", () => {
  const one = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });
  const read = (name: string, tensor: WritableTensor) =>
    openClipTensors(parseSafetensors(encodeSafetensors(new Map([[name, tensor]])), "x")).tensors;
  const root = "visual.transformer.resblocks.0";
  for (
    const name of [
      `${root}.ls_1.gamma`,
      `${root}.mlp.c_fc.lora_A.weight`,
      "visual.trunk.norm.weight",
      "__proto__",
    ]
  ) {
    assertThrows(
      () => read(name, one(2)),
      CheckpointError,
      `Cannot read checkpoint "x": OpenCLIP's towers have no tensor "${name}"`,
    );
  }
  assertEquals([...read("attn_mask", one(2, 2))], []);
  assertEquals([...read(`${root}.attn.in_proj_weight`, one(4, 2)).values()].map(({ shape }) => [...shape]), [
    [4, 2],
    [4, 2],
    [4, 2],
  ]);
  for (const shape of [[3], [], [2, 2, 2]]) {
    assertEquals(read("visual.proj", one(...shape)).get("visual_projection.weight")!.shape, shape);
  }
});
