import { assert, assertEquals } from "@std/assert";
import { readSafetensors } from "../models/checkpoints/read_safetensors.ts";
import { lora } from "../optimizers/lora.ts";
import type { OptimizerModule } from "../optimizers/optimizer.ts";
import { shortRun } from "../tests/support/interrupted_runs.ts";
import { withDataFolder } from "../tests/support/data_folder.ts";
import { fixture } from "../tests/support/public_files.ts";
import { FILES, testNeeding } from "../tests/support/test_needing.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { wordPieceFiles } from "../tests/support/tokenizer_folder.ts";
import { exportRun } from "./export/export_run.ts";
import { encodeTrained } from "./loop/trained_file.ts";
import type { DoneRun } from "./export/model_card.ts";
import { shipped } from "./shipped.ts";
import { train } from "./train.ts";

const test = testNeeding(FILES);

test("train() takes MRPC's pairs to BERT: the classifier is new and trained beside the adapter, whose files carry it", async () => {
  const row = (i: number) =>
    [i % 2, i, i, `the dog ${i} ran`, i % 2 ? `a dog ran ${i}` : `no ${i}`].join("\t");
  const rows = Array.from({ length: 60 }, (_, i) => row(i));
  const files = {
    "MRPC/train.tsv": ["Quality\t#1 ID\t#2 ID\t#1 String\t#2 String", ...rows, ""].join("\n"),
    ...wordPieceFiles("bert", ["the", "dog", "ran"]),
  };
  await withDataFolder(files, async (folder) => {
    for (const file of ["config.json", "model.safetensors"]) {
      await Deno.copyFile(fixture(`hf/tiny-bert/${file}`), `${folder}/bert/${file}`);
    }
    const config = shortRun(lora as unknown as OptimizerModule, {
      ...{ steps: 8, batchSize: 8, validateEvery: 8, telemetryEvery: 0 },
      targetModules: ["*.query", "*.value"],
      task: {
        ...{ id: "paraphrase", data: `${folder}/MRPC` },
        ...{ trainExamples: 32, validationExamples: 4, testExamples: 6 },
      },
      model: { id: "my-bert", path: `${folder}/bert` },
      schedule: { kind: "constant", learningRate: 1e-2, warmup: 0, floor: 1 },
    });
    const trained = `${folder}/trained.safetensors`;
    let bytes: ((id: string, run: DoneRun["config"]) => Uint8Array) | null = null;
    const run = await train(await testGpu(), config, {
      onTrained(found) {
        bytes = (id, config) => encodeTrained({ id, config }, found);
        return Promise.resolve();
      },
    });
    assert(run.status === "done");
    assertEquals([run.config.model.head, run.outcome.scores.length], ["new", 6]);
    const losses = run.outcome.trainLoss.map(({ value }) => value!);
    assert(losses.at(-1)! < losses[0]!, String(losses));
    await Deno.writeFile(trained, bytes!(run.id, run.config));

    const to = `${folder}/out`;
    await exportRun(run, shipped, { trained, to, forms: ["native", "merged"], baseScore: null });
    const said = JSON.parse(await Deno.readTextFile(`${to}/native/adapter_config.json`));
    assertEquals([said.task_type, said.modules_to_save], ["SEQ_CLS", ["classifier"]]);
    const { tensors } = await readSafetensors(`${to}/native/adapter_model.safetensors`);
    assertEquals(tensors.get("base_model.model.classifier.weight")!.shape, [2, 32]);
    // Another run starts with a new classifier: what was kept of this one lies in its files.
    const merged = await readSafetensors(`${to}/merged/model.safetensors`);
    assertEquals(
      merged.tensors.get("classifier.weight")!.data,
      tensors.get("base_model.model.classifier.weight")!.data,
    );
  });
});
