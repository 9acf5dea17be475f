import { assert, assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../errors/user_error.ts";
import { describeFiles } from "../../benchmarks/sweep/expand_runs.ts";
import { encodeSafetensors } from "../../models/checkpoints/write_safetensors.ts";
import { readSafetensors } from "../../models/checkpoints/read_safetensors.ts";
import { lora } from "../../optimizers/lora.ts";
import type { OptimizerModule } from "../../optimizers/optimizer.ts";
import { withDataFolder } from "../../tests/support/data_folder.ts";
import { shortRun } from "../../tests/support/interrupted_runs.ts";
import { fixture } from "../../tests/support/public_files.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { wordPieceFiles } from "../../tests/support/tokenizer_folder.ts";
import { openLayout } from "../../tasks/own/open_layout.ts";
import { exportRun } from "../export/export_run.ts";
import type { DoneRun } from "../export/model_card.ts";
import { encodeTrained } from "../loop/trained_file.ts";
import type { RunConfig } from "../run.ts";
import { scoreBase } from "../scoring/score_base.ts";
import { shipped } from "../shipped.ts";
import { train } from "../train.ts";
import { resolveRun } from "./resolve.ts";

const test = testNeeding(FILES);

/** Texts of which the second word alone tells the class. */
const textsOf = (classes: readonly string[]) =>
  `text,label\n${
    Array.from({ length: 90 }, (_, i) =>
      `the ${classes[i % classes.length]} ${i},${classes[i % classes.length]}`)
      .join("\n")
  }\n`;

/** A run on texts of `folder` with its model, few steps at a high rate. */
async function runOn(
  folder: string,
  file: string,
  model: Partial<RunConfig["model"]> = {},
): Promise<RunConfig> {
  const data = `${folder}/${file}`, { layout } = await openLayout(data);
  return shortRun(lora as unknown as OptimizerModule, {
    ...{ steps: 12, batchSize: 16, validateEvery: 12, telemetryEvery: 0, scoreOn: "test" },
    targetModules: ["*.query", "*.value"],
    task: {
      id: file.split(".")[0]!,
      data,
      layout,
      trainExamples: 60,
      validationExamples: 8,
      testExamples: 9,
    },
    model: { id: "my-bert", path: `${folder}/bert`, ...model },
    schedule: { kind: "constant", learningRate: 3e-2, warmup: 0, floor: 1 },
  });
}

/** The adapter that a run with a new classifier trained, as `./run export` writes it, and the run. */
async function trainAdapter(folder: string, config: RunConfig): Promise<DoneRun> {
  const trained = `${folder}/trained.safetensors`;
  let bytes: ((id: string, run: RunConfig) => Uint8Array) | null = null;
  const run = await train(await testGpu(), config, {
    onTrained(found) {
      bytes = (id, config) => encodeTrained({ id, config }, found);
      return Promise.resolve();
    },
  });
  assert(run.status === "done");
  await Deno.writeFile(trained, bytes!(run.id, run.config));
  await exportRun(run, shipped, { trained, to: folder, forms: ["native"], baseScore: null });
  return run;
}

/** Rewrites an adapter's tensors. */
async function change(folder: string, tensors: (name: string) => boolean, saved: readonly string[] | null) {
  const path = `${folder}/adapter_model.safetensors`, read = (await readSafetensors(path)).tensors;
  const kept = new Map(
    [...read].flatMap(([name, { shape, data }]) =>
      tensors(name) ? [[name, { shape, data: Float32Array.from(data) }] as const] : []
    ),
  );
  await Deno.writeFile(path, encodeSafetensors(kept, { format: "pt" }));
  const config = JSON.parse(await Deno.readTextFile(`${folder}/adapter_config.json`));
  await Deno.writeTextFile(
    `${folder}/adapter_config.json`,
    JSON.stringify({ ...config, modules_to_save: saved }),
  );
}

test("an adapter's own classifier classifies data of as many classes; the score before fine-tuning is base plus adapter's", async () => {
  const files = {
    "two.csv": textsOf(["bad", "good"]),
    "three.csv": textsOf(["bad", "good", "odd"]),
    ...wordPieceFiles("bert", ["the", "good", "bad", "odd"]),
  };
  await withDataFolder(files, async (folder) => {
    for (const file of ["config.json", "model.safetensors"]) {
      await Deno.copyFile(fixture(`hf/tiny-bert/${file}`), `${folder}/bert/${file}`);
    }
    const gpu = await testGpu(), run = await trainAdapter(folder, await runOn(folder, "two.csv"));
    assertEquals(run.config.model.head, "new");
    const adapter = { path: `${folder}/native` };
    const noteOf = async (config: RunConfig) => {
      const found = await resolveRun(config, shipped);
      const notes = await describeFiles([found]),
        note = notes.find((one) => one.includes("is classified by"));
      return [found.config.model.head, note!.slice(note!.indexOf("classified"))];
    };
    const onNetwork = `on the network in ${folder}/bert`;
    const own = await runOn(folder, "two.csv", { adapter });
    assertEquals(await noteOf(own), [
      "adapter",
      `classified by the adapter's classifier (trained further) ${onNetwork}, which names no classes: they are taken in the ` +
      "data's order, bad, good",
    ]);
    // Before fine-tuning it scores what the run did that made it, and with a new classifier something else.
    const scoresOf = async (config: RunConfig) => {
      const { task, model, scoreOn } = (await resolveRun(config, shipped)).config;
      const base = await scoreBase(gpu, { schema: 1, task, model, scoreOn });
      assert(base.status === "done");
      return base.measures!["loss a token"]!.values;
    };
    const before = await scoresOf(own), after = run.outcome.measures!["loss a token"]!.values;
    before.forEach((loss, i) => assert(Math.abs(loss - after[i]!) < 1e-4, `${loss} and ${after[i]}`));
    const asked = await runOn(folder, "two.csv", { adapter, head: "new" });
    assert((await scoresOf(asked)).some((loss, i) => Math.abs(loss - after[i]!) > 1e-2));
    const random = "so the score before fine-tuning is that of random numbers",
      plain = "classified by a new head (trained)";
    assertEquals(await noteOf(asked), [
      "new",
      `${plain} ${onNetwork}: the adapter's classifier is left out as asked, ${random}`,
    ]);
    // A run trains it on.
    const further = await train(gpu, { ...own, steps: 1, validateEvery: 1 });
    assert(further.status === "done" && further.id !== run.id);
    assertEquals(further.config.model.head, "adapter");
    assertEquals(further.outcome.cost.trainableParameters, run.outcome.cost.trainableParameters);
    assert(further.outcome.trainLoss[0]!.value! < run.outcome.trainLoss[0]!.value! / 2);

    const other = await runOn(folder, "three.csv", { adapter }),
      of = "the adapter's classifier is of 2 classes, and the data have 3";
    assertEquals(await noteOf(other), ["new", `${plain} ${onNetwork}: ${of}, ${random}`]);
    const named = { ...other, model: { ...other.model, head: "adapter" as const } };
    const refused = await assertRejects(() => resolveRun(named, shipped), UserError);
    assertEquals(refused.message, `Cannot use head "adapter" with model "my-bert": ${of}`);
    const { adapter: _, ...bare } = named.model;
    const lacking = await assertRejects(() => resolveRun({ ...named, model: bare }, shipped), UserError);
    assertEquals(
      lacking.message,
      'Cannot use head "adapter" with model "my-bert": a model with an adapter is needed, --adapter DIR',
    );

    await change(adapter.path, (name) => name !== "base_model.model.classifier.bias", ["classifier"]);
    assertEquals(await noteOf(own), [
      "new",
      `${plain} ${onNetwork}: the adapter's classifier lacks "classifier.bias", ${random}`,
    ]);
    await change(adapter.path, (name) => name.includes("lora_"), null);
    assertEquals(await noteOf(own), [
      "new",
      `${plain} ${onNetwork}: the adapter brings no classifier, ${random}`,
    ]);
  });
});
