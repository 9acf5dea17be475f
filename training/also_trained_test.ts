import { assertEquals, assertThrows } from "@std/assert";
import * as models from "../models/mod.ts";
import * as optimizers from "../optimizers/mod.ts";
import * as tasks from "../tasks/mod.ts";
import { UserError } from "../errors/user_error.ts";
import { shortRun } from "../tests/support/interrupted_runs.ts";
import type { OptimizerModule } from "../optimizers/optimizer.ts";
import { alsoTrained, matchParameters } from "./also_trained.ts";
import { completeConfig } from "./configuration.ts";
import { runId } from "./run.ts";

const registries = { models, optimizers, tasks };
const { decoderTiny, t5Tiny, vitTiny } = models;

/** Names of what patterns mean, with all maps adapted. */
function meant(model: typeof decoderTiny, ...patterns: string[]): string[] {
  const found = alsoTrained({ alsoTrain: patterns }, {}, model, model.targetModules());
  return [...new Set(found.map(({ name }) => name.replaceAll(/\.\d+\./g, ".*.")))];
}

Deno.test("alsoTrained() knows embeddings, head, norms and biases in each family, and names as PEFT has them", () => {
  assertEquals(meant(decoderTiny, "embeddings"), ["model.embed_tokens.weight"]);
  assertEquals(meant(decoderTiny, "lm_head"), meant(decoderTiny, "head"));
  assertEquals(meant(decoderTiny, "norms"), [
    "model.layers.*.input_layernorm.weight",
    "model.layers.*.post_attention_layernorm.weight",
    "model.norm.weight",
  ]);
  assertEquals(meant(decoderTiny, "model.norm"), ["model.norm.weight"]);
  assertEquals(meant(t5Tiny, "embeddings"), ["shared.weight"]);
  assertEquals(meant(t5Tiny, "*.relative_attention_bias").length, 2);
  assertEquals(meant(vitTiny, "head"), ["visual_projection.weight"]);
  assertEquals(meant(vitTiny, "embeddings"), [
    "vision_model.embeddings.class_embedding",
    "vision_model.embeddings.patch_embedding.weight",
    "vision_model.embeddings.position_embedding.weight",
  ]);
  assertEquals(meant(vitTiny, "q_proj.bias"), ["vision_model.encoder.layers.*.self_attn.q_proj.bias"]);
  const biases = meant(vitTiny, "biases"), norms = meant(vitTiny, "norms");
  assertEquals(norms.filter((name) => biases.includes(name)).length, norms.length / 2);
  // A new head is trained anyway.
  const own = vitTiny.withNewHead!(4);
  assertEquals(alsoTrained({ alsoTrain: ["head"] }, {}, own, own.targetModules()), []);
});

Deno.test("alsoTrained() refuses what is not there, and what is adapted", () => {
  const refused = (pattern: string, sentence: string) =>
    assertThrows(() => meant(decoderTiny, pattern), UserError, sentence);
  refused("biases", 'Cannot also train "biases": the model has none of its own');
  refused(
    "lm_haed",
    "the model has no such module, its parameters are model.embed_tokens.weight, model.layers.*.",
  );
  refused("q_proj", "model.layers.0.self_attn.q_proj.weight is adapted already");
  refused("*", "is adapted already");
  const parameters = [{ name: "a.weight" }, { name: "b.weight" }];
  assertEquals(matchParameters(["a"], parameters, ["b"]), [{ name: "a.weight" }]);
});

Deno.test("What is trained beside adapters is part of a run's name, and where nothing is, names stay", async () => {
  const config = shortRun(optimizers.lora as unknown as OptimizerModule, { model: { id: "vit-tiny" } });
  const idOf = async (changes: object) => await runId(completeConfig({ ...config, ...changes }, registries));
  const plain = await idOf({});
  assertEquals(await idOf({ alsoTrain: [] }), plain);
  assertEquals(
    await idOf({ alsoTrain: ["head", "norms"] }),
    await idOf({ alsoTrain: ["norms", "head", "head"] }),
  );
  assertEquals(await idOf({ alsoTrain: ["head"] }) === plain, false);
  assertThrows(
    () => completeConfig({ ...config, alsoTrain: ["lm_head"] }, registries),
    UserError,
    'Cannot also train "lm_head"',
  );
});
