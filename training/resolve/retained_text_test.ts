import { assert, assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../errors/user_error.ts";
import { decoderParameters } from "../../models/decoder.ts";
import { llamaConfig } from "../../models/checkpoints/hugging_face.ts";
import { withDataFolder } from "../../tests/support/data_folder.ts";
import { SMALL, smallWeights, writeSmall } from "../../tests/support/small_folders.ts";
import { byteLevelTokenizer, tokenizerFiles } from "../../tests/support/tokenizer_folder.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { runId } from "../run.ts";
import { train } from "../train.ts";
import { readRetainedText } from "./retained_text.ts";

const test = testNeeding(FILES);

const model = (folder: string, inputSize = 16) => ({ outputs: 300, inputSize, folder });
const read = (folder: string, name: string, inputSize?: number) =>
  readRetainedText({ path: `${folder}/${name}` }, model(folder, inputSize));

test("a text is cut into rows that lie behind each other, each token the target of the one before", async () => {
  const text = "The quick brown fox jumps over the lazy dog and é.";
  await withDataFolder({ ...tokenizerFiles("."), "a.txt": text }, async (folder) => {
    const rows = await read(folder, "a.txt"), tokens = [...byteLevelTokenizer.encode(text)];
    assertEquals([rows.rows, rows.length], [3, 16]);
    const batches = [...rows.batches()];
    assertEquals(batches.map(({ tokens }) => tokens.shape), [[3, 16]]);
    const row = (i: number, of: ArrayLike<number>) => Array.from(of).slice(i * 16, (i + 1) * 16);
    for (const i of [0, 1, 2]) {
      assertEquals(row(i, batches[0]!.tokens.data), tokens.slice(17 * i, 17 * i + 16));
      assertEquals(row(i, batches[0]!.targets.data), tokens.slice(17 * i + 1, 17 * i + 17));
    }
    // A text shorter than a row is one of its own length.
    const short = await read(folder, "a.txt", 1000);
    assertEquals([short.rows, short.length], [1, tokens.length - 1]);
  });
});

test("of a long text the begin is read, and a file that is no text is refused by its name", async () => {
  const files = { ...tokenizerFiles("."), "long.txt": "é".repeat(200_000), "one.txt": "a", "none.txt": "" };
  await withDataFolder(files, async (folder) => {
    const { rows, batches } = await read(folder, "long.txt");
    assertEquals([rows, [...batches()].map(({ tokens }) => tokens.shape[0]).join()], [32, "4,4,4,4,4,4,4,4"]);
    await Deno.writeFile(`${folder}/bytes.txt`, Uint8Array.of(0x61, 0xff, 0xfe, 0x61));
    const wanted = {
      "one.txt": "it has 1 token, 2 or more are needed",
      "none.txt": "it has 0 tokens, 2 or more are needed",
      "bytes.txt": "it is no text in UTF-8",
      "missing.txt": "there is no such file or folder",
    };
    for (const [name, reason] of Object.entries(wanted)) {
      const error = await assertRejects(() => read(folder, name), UserError);
      assertEquals(error.message, `Cannot tell by ${folder}/${name} what a model forgets: ${reason}`);
    }
  });
});

test("train() tells what a decoder in a folder forgets of a text, which has a part in the run's id by its bytes", async () => {
  const lines = Array.from({ length: 30 }, (_, i) => JSON.stringify({ prompt: `${i}`, answer: `${i % 3}` }));
  const files = {
    ...tokenizerFiles("."),
    "data.jsonl": lines.join("\n"),
    "a.txt": "What the model was trained on before, as far as anybody knows.",
    "b.txt": "What the model was trained on before, as far as anybody knows.",
  };
  await withDataFolder(files, async (folder) => {
    const config = { ...SMALL.llama.config, vocab_size: 300, max_position_embeddings: 512 };
    await writeSmall(folder, config, smallWeights(decoderParameters(llamaConfig(config, "small"))));
    const layout = {
      kind: "answer",
      columns: { prompt: "prompt", answer: "answer" },
      score: "loss",
    } as const;
    const run = {
      schema: 1,
      task: {
        ...{ id: "data", data: `${folder}/data.jsonl`, layout },
        ...{ trainExamples: 8, validationExamples: 2, testExamples: 2 },
      },
      model: { id: "mine", path: folder },
      targetModules: ["*"],
      optimizer: { id: "lora", options: { rank: 2 } },
      steps: 2,
      batchSize: 4,
      accumulate: 1,
      schedule: { kind: "constant", learningRate: 1e-2, warmup: 0, floor: 0 },
      clip: 1,
      validateEvery: 2,
      telemetryEvery: 0,
      scoreOn: "validation",
      seed: 0,
    } as const;
    const gpu = await testGpu();
    const result = await train(gpu, { ...run, retain: { path: `${folder}/a.txt` } });
    assert(result.status === "done");
    const { corpus, before, after } = result.outcome.forgetting!;
    assertEquals(corpus, "a.txt");
    // Random weights say nothing of 300 tokens.
    assert(
      Math.abs(before - Math.log(300)) < 0.3 && after !== null && after !== before,
      `${before} ${after}`,
    );
    const { retain, ...without } = result.config;
    assertEquals(
      await runId({ ...result.config, retain: { ...retain!, path: `${folder}/b.txt` } }),
      result.id,
    );
    assert(await runId(without) !== result.id);
    await Deno.writeTextFile(`${folder}/a.txt`, "Another text.");
    await assertRejects(() => train(gpu, result.config), UserError, "its files changed");
    const refused = { ...run, model: { id: "vit-tiny" }, task: { ...run.task, id: "digits" } };
    const digits = {
      ...refused,
      task: { id: "digits", trainExamples: 8, validationExamples: 2, testExamples: 2 },
    };
    await assertRejects(
      () => train(gpu, { ...digits, retain: { path: `${folder}/b.txt` } }),
      UserError,
      `Cannot tell by ${folder}/b.txt what model "vit-tiny" forgets: a model in a folder is needed, --model DIR`,
    );
  });
});
