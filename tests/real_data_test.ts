/** @file Real data from the command line: `--data` and `--examples`, from the plan to the report. */
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { checkpointConfig } from "../models/checkpoints/hugging_face.ts";
import { checkpointEntry } from "../models/entry.ts";
import { createRandom } from "../numerics/random.ts";
import { BaseResult, RunResult } from "../training/schemas.ts";
import { imageFiles, writeClip } from "./support/clip_folder.ts";
import { optdigitsFile, withDataFolder } from "./support/data_folder.ts";
import { LLAMA, writeModel } from "./support/model_writer.ts";
import { testWithPython } from "./support/python.ts";
import { tokenizerFiles } from "./support/tokenizer_folder.ts";
import { PROGRAMS, testNeeding } from "./support/test_needing.ts";

const test = testNeeding(PROGRAMS);

const repository = new URL("../", import.meta.url).pathname;

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[]): Promise<Outcome> {
  return deno(["run", "--no-prompt", "--allow-read", "--allow-write", "cli.ts", ...args]);
}

async function deno(args: readonly string[]): Promise<Outcome> {
  const { code, stdout, stderr } = await new Deno.Command("deno", {
    args: [...args],
    cwd: repository,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Takes 20 examples to train on, 4 to validate with and 5 to test on, where nothing else is said. */
const bench = (data: string, out: string, ...more: string[]) => [
  ...["bench", "smoke", "--tasks", "digits", "--optimizers", "lora", "--steps", "3"],
  ...["--data", data, "--out", out, "--json", ...more],
  ...more.includes("--examples") ? [] : ["--examples", "20,4,5"],
];

test("bench trains digits on a folder of images, and its report tells which and how much was kept", async () => {
  await withDataFolder({
    "images/optdigits.tra": optdigitsFile(60) + optdigitsFile(3),
    "images/notes.md": "",
  }, async (folder) => {
    const out = `${folder}/out`;
    const { code, stdout, stderr } = await run(bench(`${folder}/images`, out));
    assertEquals(code, 0, stderr);
    assertStringIncludes(stderr, `"digits" takes its examples from ${folder}/images (fingerprint `);
    const [{ id }] = JSON.parse(stdout).runs;
    const { digest: _, ...stored } = JSON.parse(await Deno.readTextFile(`${out}/runs/${id}.json`));
    const result = RunResult.parse(stored);
    assert(result.status === "done");
    assertEquals([result.outcome.trainLoss.length, result.outcome.scores.length], [3, 5]);
    const { task } = result.config, { data } = result.outcome;
    assertEquals([task.trainExamples, task.validationExamples, task.testExamples], [20, 4, 5]);
    assertEquals([task.data, task.fingerprint], [`${folder}/images`, data!.fingerprint]);
    const records = Object.values(data!.records);
    assertEquals(records.reduce((sum, { read }) => sum + read, 0), 63);
    assertEquals(records.reduce((sum, { kept }) => sum + kept, 0), 60);
    const summary = await Deno.readTextFile(`${out}/report/summary.md`);
    assertStringIncludes(summary, `optdigits, fingerprint ${data!.fingerprint.slice(0, 16)}; `);
    assertStringIncludes(summary, "held out elsewhere or there twice");
    assert(!summary.includes("Turned, inverted digits"), "the task's own title is of its own images");

    // The same files in another place are the same run, and it is stored.
    await Deno.rename(`${folder}/images`, `${folder}/moved`);
    const moved = await run(bench(`${folder}/moved`, out, "--dry-run"));
    assertEquals(moved.code, 0, moved.stderr);
    assertEquals(JSON.parse(moved.stdout).counts, { total: 1, finished: 1, left: 0 });
    // Other content is another run, and so are other counts of examples and the task's own data.
    await Deno.writeTextFile(`${folder}/moved/optdigits.tra`, optdigitsFile(61));
    const ids = [id];
    for (
      const args of [
        bench(`${folder}/moved`, out, "--dry-run"),
        bench(`${folder}/moved`, out, "--dry-run", "--examples", "20,4,4"),
        bench(`${folder}/moved`, out, "--dry-run").toSpliced(8, 2),
      ]
    ) {
      const outlook = JSON.parse((await run(args)).stdout);
      assertEquals(outlook.counts, { total: 1, finished: 0, left: 1 });
      ids.push(outlook.runs[0].id);
    }
    assertEquals(new Set(ids).size, 4);
    assertNotEquals(ids[1], id);

    // Of the same images, published to test on: another run, where it is asked for.
    const tests = `${folder}/tests`;
    await Deno.mkdir(tests);
    await Deno.rename(`${folder}/moved/optdigits.tra`, `${tests}/optdigits.tes`);
    const asked = await run(bench(tests, `${folder}/asked`, "--train-on-test"));
    assertEquals(asked.code, 0, asked.stderr);
    assertEquals(JSON.parse(asked.stdout).counts.done, 1);
    const told = await Deno.readTextFile(`${folder}/asked/report/summary.md`);
    assertStringIncludes(told, "Runs on optdigits were trained on examples that are published to test on");
    assertStringIncludes(told, "Always the commonest class");
  });
});

test("bench refuses data that is missing, not the task's or too little, in one sentence, before it trains", async () => {
  await withDataFolder(
    {
      "few/optdigits.tra": optdigitsFile(12),
      "texts/train.tsv": "a\tb\n",
      "tests/optdigits.tes": optdigitsFile(60),
      "cut/optdigits.tra": "",
      "cut/optdigits.tes": optdigitsFile(60),
    },
    async (folder) => {
      for (
        const [path, wanted] of [
          ["none", `Cannot read ${folder}/none: there is no such file or folder`],
          ["texts", `Cannot find data in ${folder}/texts: none of its 1 file is of `],
          [
            "tests",
            `Cannot train on optdigits in ${folder}/tests: it has test examples alone (optdigits.tes), `,
          ],
          ["cut", `Cannot use ${folder}/cut/optdigits.tra: no example is there (an interrupted download?)`],
          ["few", 'Cannot take 20 training examples of "digits": there are 10; of optdigits in '],
        ] as const
      ) {
        const { code, stderr } = await run(bench(`${folder}/${path}`, `${folder}/out`));
        assertEquals(code, 2, stderr);
        assertStringIncludes(stderr, wanted);
        assert(!/\n\s+at /.test(stderr), stderr);
      }
      // A plan refuses what a run would, of the task's own examples too, and leaves nothing behind.
      const own = [
        ...["bench", "smoke", "--tasks", "digits", "--optimizers", "lora"],
        ...["--examples", "200000,4,5", "--out", `${folder}/out`],
      ];
      for (
        const [args, wanted] of [
          [own, 'Cannot take 200000 training examples of "digits": there are 3500'],
          [[...own, "--dry-run"], 'Cannot take 200000 training examples of "digits": there are 3500'],
          [
            bench(`${folder}/tests`, `${folder}/out`, "--dry-run"),
            "it has test examples alone (optdigits.tes), ",
          ],
        ] as const
      ) {
        const { code, stderr } = await run(args);
        assertEquals(code, 2, stderr);
        assertStringIncludes(stderr, wanted);
      }
      assert(![...Deno.readDirSync(folder)].some(({ name }) => name === "out"), "something ran");
      for (
        const [examples, wanted] of [["20,4", "three numbers"], ["20,0,5", "whole numbers from 1"]] as const
      ) {
        const { code, stderr } = await run(bench(`${folder}/few`, `${folder}/out`, "--examples", examples));
        assertEquals(code, 2, stderr);
        assertStringIncludes(stderr, wanted);
      }
    },
  );
});

test("bench transfers from one set of real images to another, and takes CLIP's zero-shot head; its report says which", async () => {
  const files = {
    ...imageFiles("first", ["cat", "dog"], 15),
    ...imageFiles("second", ["fox", "ox", "yak"], 10),
  };
  await withDataFolder(files, async (folder) => {
    const made = await run([
      ...["pretrain", "vit-tiny", "--steps", "2", "--out", `${folder}/base`],
      ...["--data", `${folder}/first`, "--examples", "20,3,1"],
    ]);
    assertEquals(made.code, 0, made.stderr);
    assertStringIncludes(made.stdout, `Pretrained vit-tiny: ${folder}/base, score `);
    await writeClip(`${folder}/clip`);
    const heads = { base: "a new head (trained)", clip: "a zero-shot head (frozen, from the text tower)" };
    for (const [name, head] of Object.entries(heads)) {
      const out = `${folder}/${name}-out`, model = `${folder}/${name}`;
      const { code, stdout, stderr } = await run(
        bench(`${folder}/second`, out, "--examples", "20,3,3", "--model", model),
      );
      assertEquals(code, 0, stderr);
      assertStringIncludes(stderr, "), images of 3 classes: fox, ox, yak");
      assertStringIncludes(stderr, `"digits" is classified by ${head} on the network in ${model}`);
      const [{ id }] = JSON.parse(stdout).runs;
      const { digest: _, ...stored } = JSON.parse(await Deno.readTextFile(`${out}/runs/${id}.json`));
      const result = RunResult.parse(stored);
      assert(result.status === "done");
      assertEquals(result.config.model.head, name === "clip" ? "zero-shot" : "new");
      const [base] = [...Deno.readDirSync(`${out}/bases`)];
      const { digest: _digest, ...before } = JSON.parse(
        await Deno.readTextFile(`${out}/bases/${base!.name}`),
      );
      assertEquals(BaseResult.parse(before).config.model, result.config.model);
      const summary = await Deno.readTextFile(`${out}/report/summary.md`);
      assertStringIncludes(summary, `${name}: ${head}`);
    }
  });
});

/** A sweep of one run: two steps of LoRA on programs. */
const programs = {
  name: "programs",
  question: "Do real programs run?",
  base: {
    targetModules: ["*"],
    steps: 2,
    batchSize: 3,
    accumulate: 1,
    schedule: { kind: "constant", warmup: 0, floor: 1 },
    clip: 1,
    validateEvery: 2,
    telemetryEvery: 0,
    scoreOn: "test",
  },
  tasks: [{
    task: { id: "code", trainExamples: 7, validationExamples: 1, testExamples: 2 },
    model: { id: "decoder-tiny-code" },
  }],
  optimizers: [{ id: "lora" }],
  rates: { shared: 0.001 },
  ranks: [2],
  seeds: [0],
};

testWithPython("bench-python trains on real programs and runs what is written; bench may not", async () => {
  const line = (row: unknown) => `${JSON.stringify(row)}\n`;
  const requests = Array.from({ length: 11 }, (_, i) => line({ query: `Add ${i}.`, answer: `x + ${i}` }));
  const problems = ["one", "two"].map((name) =>
    line({
      task_id: `HumanEval/${name}`,
      prompt: `def ${name}():\n`,
      entry_point: name,
      canonical_solution: "    return 1\n",
      // Whatever the model writes passes the first, and nothing the second.
      test: name === "one" ? "def check(_):\n    pass\n" : "def check(_):\n    assert False\n",
    })
  );
  await withDataFolder({
    "programs.json": JSON.stringify(programs),
    "data/CodeFeedback-Filtered-Instruction.jsonl": requests.join(""),
    "data/HumanEval.jsonl": problems.join(""),
    ...tokenizerFiles("model"),
  }, async (folder) => {
    const model = `${folder}/model`, out = `${folder}/out`;
    const config = {
      ...LLAMA,
      vocab_size: 264,
      hidden_size: 16,
      intermediate_size: 24,
      num_hidden_layers: 1,
      // Prompt and answer, and little more: each token that is written costs a read-back.
      max_position_embeddings: 230,
    };
    const entry = checkpointEntry("mine", model, checkpointConfig(config, model));
    await writeModel(model, config, entry, { source: entry.initial(createRandom(1)) });
    const args = [
      ...[`${folder}/programs.json`, "--data", `${folder}/data`, "--model", model],
      ...["--out", out, "--json"],
    ];

    const refused = await run(["bench", ...args]);
    assertEquals(refused.code, 2, refused.stderr);
    assertStringIncludes(refused.stderr, `Cannot use ${folder}/data for "code": `);
    assertStringIncludes(refused.stderr, '"./run bench-python" allows it');
    assert(!/\n\s+at /.test(refused.stderr), refused.stderr);
    assert(![...Deno.readDirSync(folder)].some(({ name }) => name === "out"), "something ran");

    const { code, stdout, stderr } = await deno(["task", "bench-python", ...args]);
    assertEquals(code, 0, stderr);
    const [{ id }] = JSON.parse(stdout).runs;
    const read = async (path: string) => {
      const { digest: _, ...stored } = JSON.parse(await Deno.readTextFile(path));
      return stored;
    };
    const result = RunResult.parse(await read(`${out}/runs/${id}.json`));
    assert(result.status === "done");
    const { scores, measures, trainLoss, data } = result.outcome;
    assertEquals([trainLoss.length, scores.length, measures!["pass@5"]!.values.length], [2, 2, 2]);
    assertEquals(data!.title, "CodeFeedback and HumanEval");
    const [base] = [...Deno.readDirSync(`${out}/bases`)];
    const before = BaseResult.parse(await read(`${out}/bases/${base!.name}`));
    assert(before.status === "done" && before.measures!["pass@5"]!.values.length === 2);
    const summary = await Deno.readTextFile(`${out}/report/summary.md`);
    assertStringIncludes(summary, "CodeFeedback and HumanEval, fingerprint ");
    assertStringIncludes(summary, "pass@5");
    assertStringIncludes(await Deno.readTextFile(`${out}/sweep.json`), '"./run bench-python ');

    // Texts in another tokenizer's tokens are another run.
    const left = async () =>
      JSON.parse((await deno(["task", "bench-python", ...args, "--dry-run"])).stdout).counts.left;
    assertEquals(await left(), 0);
    // A dry run may no more than its run.
    const dry = await run(["bench", ...args, "--dry-run"]);
    assert(
      dry.code === 2 && refused.stderr.endsWith(dry.stderr.split("\n").slice(-2).join("\n")),
      dry.stderr,
    );
    const other = tokenizerFiles("model", ["Response"]);
    await Deno.writeTextFile(`${model}/tokenizer.json`, other["model/tokenizer.json"]!);
    assertEquals(await left(), 1);
  });
});
