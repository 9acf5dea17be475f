import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describeLook } from "../../benchmarks/command_line/data_look.ts";
import { openAskedData } from "../../benchmarks/command_line/own_data.ts";
import { plain } from "../../benchmarks/command_line/terminal.ts";
import { t5Tiny } from "../../models/sizes.ts";
import { UserError } from "../../errors/user_error.ts";
import { DataError } from "../../tasks/data/data_error.ts";
import { withDataFolder } from "../../tests/support/data_folder.ts";
import { fixture } from "../../tests/support/public_files.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { unigramFiles, wordPieceFiles } from "../../tests/support/tokenizer_folder.ts";
import { completeConfig } from "../configuration.ts";
import { runId } from "../run.ts";
import { shipped } from "../shipped.ts";
import { train } from "../train.ts";
import { type DataLook, lookAtData } from "./look_at_data.ts";
import { openOwnTask } from "./own_data.ts";
import { openFolders } from "./resolve.ts";

const test = testNeeding(FILES);

/** Reviews of which a third are good. */
const REVIEWS = `body,kind\n${
  Array.from({ length: 90 }, (_, i) => `"movie, number ${i}",${i % 3 ? "bad" : "good"}`).join("\n")
}\n`;
const asked = { columns: { text: "body", label: "kind" } };

test("Own data are a task with settings, and a run's config alone brings it back", async () => {
  await withDataFolder({ "reviews.csv": REVIEWS, "other.csv": `${REVIEWS}x,bad\n` }, async (folder) => {
    const path = `${folder}/reviews.csv`, gpu = await testGpu();
    const { data: { id, layout }, registries, notes } = await openOwnTask(path, asked, undefined, shipped);
    const task = Object.values(registries.tasks).find((one) => one.id === "reviews")!;
    assertEquals(task.shipped, {
      ...{ model: "t5-tiny", batchSize: 16, steps: 50 },
      ...{ trainExamples: 72, validationExamples: 9, testExamples: 9 },
    });
    assertEquals(notes, [
      `"reviews" is of ${path}: "body" with "kind", one of 2 classes; ./run data shows them`,
    ]);
    const config = {
      schema: 1,
      task: { id, data: path, layout, trainExamples: 60, validationExamples: 8, testExamples: 9 },
      model: { id: "t5-tiny" },
      targetModules: ["*"],
      optimizer: { id: "lora", options: { rank: 2 } },
      steps: 2,
      batchSize: 4,
      accumulate: 1,
      schedule: { kind: "constant", learningRate: 1e-3, warmup: 0, floor: 1 },
      clip: 1,
      validateEvery: 2,
      telemetryEvery: 0,
      scoreOn: "test",
      seed: 0,
    } as const;
    const result = await train(gpu, config);
    assert(result.status === "done");
    assertEquals([result.outcome.scores.length, result.outcome.data!.title], [9, "reviews.csv"]);
    assertEquals(Object.keys(result.outcome.measures!), ["loss a token"]);
    const again = { ...result.config, task: { ...result.config.task, data: `${folder}/other.csv` } };
    await assertRejects(() => train(gpu, again), UserError, "its files changed");
    // Read in another way, it is another run.
    const known = await openFolders([config], shipped);
    const other = { ...config, task: { ...config.task, layout: { ...layout, prompt: "{body}?" } } };
    assert(await runId(completeConfig(other, known)) !== await runId(completeConfig(config, known)));
  });
});

test("a class that is held out alone is told, and its examples stay", async () => {
  const rows = (classes: readonly string[], count: number, start: number) =>
    `text,label\n${
      Array.from({ length: count }, (_, i) => `movie ${start + i},${classes[i % classes.length]}`).join("\n")
    }\n`;
  const files = {
    "x/train.csv": rows(["bad", "good"], 40, 0),
    "x/validation.csv": rows(["bad", "good"], 10, 100),
    "x/test.csv": rows(["bad", "good", "odd", "new", "odd"], 10, 200),
    "y/train.csv": rows(["bad", "good"], 40, 0),
    "y/validation.csv": rows(["bad", "good", "odd"], 3, 100),
    "y/test.csv": rows(["bad", "good", "odd"], 6, 200),
  };
  await withDataFolder(files, async (folder) => {
    for (
      const [name, said, test] of [
        [
          "x",
          'Classes "new", "odd" have no example to train on: they stay among the 4 classes, and their 6 test examples count as all others do',
          [2, 2, 2, 4],
        ],
        [
          "y",
          'Class "odd" has no example to train on: it stays among the 3 classes, and its 1 validation example and 2 test examples count as all others do',
          [2, 2, 2],
        ],
      ] as const
    ) {
      const path = `${folder}/${name}`,
        { notes, registries, data } = await openOwnTask(path, {}, undefined, shipped);
      assertEquals(notes.slice(1), [said]);
      assert(describeLook(await lookAtData(path, {}, undefined, shipped), plain, 80).includes(said));
      const task = Object.values(registries.tasks).find(({ id }) => id === data.id)!;
      const amounts = {
        trainExamples: 40,
        validationExamples: 3,
        testExamples: test.reduce((sum, one) => sum + one, 0),
      };
      const loaded = await task.load({ seed: 0, data: path, ...amounts }, t5Tiny);
      assertEquals([...loaded.classCounts!("test")], [...test]);
    }
  });
});

test("lookAtData() counts what a tokenizer does not know, and shows the first of it", async () => {
  const rows = Array.from({ length: 40 }, (_, i) => `good ${i},${i % 2 ? "yes" : "no"}`);
  const texts = ["good caf☃ ☃,yes", `bad ☃,no`].join("\n");
  const files = {
    "known.csv": `text,label\n${rows.join("\n")}\n`,
    "odd.csv": `text,label\n${rows.join("\n")}\n${texts}\n`,
    "ask.csv": `prompt,answer\n${rows.join("\n")}\ngood 50,no☃\n`,
    ...wordPieceFiles("bert", ["good", "bad"]),
    ...unigramFiles("t5", ["\u2581good"]),
  };
  await withDataFolder(files, async (folder) => {
    for (const name of ["bert", "t5"]) {
      for (const file of ["config.json", "model.safetensors"]) {
        await Deno.copyFile(fixture(`hf/tiny-${name}/${file}`), `${folder}/${name}/${file}`);
      }
    }
    const look = (file: string, name: string) =>
      lookAtData(`${folder}/${file}`, {}, { id: "mine", path: `${folder}/${name}` }, shipped);
    const lineOf = (found: DataLook) =>
      describeLook(found, plain, 80).filter((line) => line.startsWith("Unknown to the tokenizer"));
    const odd = await look("odd.csv", "bert");
    // "[CLS] good 1 2 [SEP]" and so on: a word of which a part is unknown is one token.
    assertEquals(odd.unknown!, {
      ...{ tokens: 3, ofTokens: 10 * 4 + 30 * 5 + 5 + 4, examples: 2, ofExamples: 42 },
      first: odd.unknown!.first,
    });
    assert(["caf☃", "☃"].includes(odd.unknown!.first!.word), JSON.stringify(odd.unknown));
    const line = "Unknown to the tokenizer: 3 of 199 tokens (1.5%), in 2 of 42 examples, such as";
    const named = odd.unknown!.first!.word === "☃" ? '"☃"' : '"☃" in "caf☃"';
    assertEquals(lineOf(odd), [`${line} ${named}`]);
    const known = await look("known.csv", "bert");
    assertEquals([known.unknown!.tokens, known.unknown!.first, lineOf(known)], [0, null, []]);
    // Answers count too.
    const asked = await look("ask.csv", "t5");
    assertEquals([asked.unknown!.tokens, asked.unknown!.examples, asked.unknown!.first], [1, 1, {
      word: "no☃",
      character: "☃",
    }]);
    // A byte is never unknown, and the project's own tokenizers have no such token.
    assertEquals((await lookAtData(`${folder}/known.csv`, {}, undefined, shipped)).unknown, null);
  });
});

test("words that may stand for missing values are told where they are taken as texts, and numbers that are none are left out", async () => {
  const rows = Array.from({ length: 40 }, (_, i) => `a ${i},${i % 2 ? "yes" : "no"}`);
  const lines = ["None,yes", " NaN ,no", "Nano,no", ",yes", "a 50,N/A", "a 51,N/A", "a 52,N/A"];
  const numbers = new Uint8Array(parquetWriteBuffer({
    columnData: [
      { name: "text", data: rows, type: "STRING" },
      { name: "label", data: rows.map((_, i) => i % 4 === 0 ? NaN : i % 2), type: "DOUBLE" },
    ],
  }));
  const files = {
    "words.csv": ["text,label", ...rows, ...lines].join("\n"),
    "plain.csv": ["text,label", ...rows].join("\n"),
    "numbers.parquet": numbers,
  };
  await withDataFolder(files, async (folder) => {
    const path = `${folder}/words.csv`, look = await lookAtData(path, {}, undefined, shipped);
    assertEquals(look.doubtful.toSorted((a, b) => a.column < b.column ? 1 : -1), [
      { column: "text", words: ["NaN", "None"], examples: 2 },
      { column: "label", words: ["N/A"], examples: 3 },
    ]);
    const { notes } = await openOwnTask(path, {}, undefined, shipped);
    const said = notes.find((note) => note.startsWith("Taken as a text, where nothing may be meant: "))!;
    assert(said.includes('"text" is "NaN" or "None" in 2 examples'), said);
    assert(said.includes('"label" is "N/A" in 3 examples'), said);
    assert(describeLook(look, plain, 80).includes(said));
    const clean = await lookAtData(`${folder}/plain.csv`, {}, undefined, shipped);
    assertEquals(clean.doubtful, []);
    assertEquals((await openOwnTask(`${folder}/plain.csv`, {}, undefined, shipped)).notes.length, 1);
    const { classes, records } = await lookAtData(`${folder}/numbers.parquet`, {}, undefined, shipped);
    assertEquals(classes.map(({ name }) => name), ["0", "1"]);
    const left = Object.values(records).map(({ skipped }) => skipped["without a label"] ?? 0);
    assertEquals(left.reduce((sum, count) => sum + count, 0), 10);
  });
});

test("lookAtData() tells counts, lengths, classes, and shows what is read and learned", async () => {
  await withDataFolder(
    { "reviews.csv": `${REVIEWS}"movie, number 0",bad\n${"long ".repeat(50)},bad\n` },
    async (folder) => {
      const path = `${folder}/reviews.csv`, look = await lookAtData(path, asked, undefined, shipped);
      assertEquals(look.fault, null);
      assertEquals(look.duplicates.elsewhere + look.duplicates.twice, 1);
      assertEquals(look.lengths!.prompt, { least: 4, median: 4, high: 4, most: 50 });
      const counts = look.classes.map(({ name, counts: { train, validation, test } }) =>
        [name, train + validation + test] as const
      );
      assertEquals(counts.map(([name]) => name), ["bad", "good"]);
      assertEquals(counts.reduce((sum, [, count]) => sum + count, 0), 90);
      const lines = describeLook(look, plain, 80);
      for (
        const wanted of [
          /^train +\d+ read/,
          /1 longer than 40 tokens/,
          /^Ways out: --model DIR/,
          /^ {2}\| movie, number/,
          /^ {2}> (good|bad)⏎$/,
        ]
      ) {
        assert(lines.some((line) => wanted.test(line)), `${wanted}: ${lines.join("\n")}`);
      }
      // Nothing moves the terminal's cursor.
      const odd = { ...look, examples: [{ ...look.examples[0]!, prompt: "red\x1b[2J\r" }] };
      assert(describeLook(odd, plain, 80).includes("  | red␛[2J␍"));
      const cut = await lookAtData(path, { ...asked, maxTokens: 20 }, undefined, shipped);
      assertEquals([cut.cut, cut.waysOut], [1, null]);
      await Deno.writeTextFile(`${folder}/same.csv`, `text,label\n${"so,a\nso,b\n".repeat(20)}`);
      const same = await lookAtData(`${folder}/same.csv`, {}, undefined, shipped);
      assertMatch(
        same.fault!,
        /^Cannot use it: there is no example for .*, as all that was read of it is left out$/,
      );
      // Who runs it is told the same.
      const few = `${folder}/few.csv`,
        lack = "there is no example for validation and test, of 10 or more a tenth";
      await Deno.writeTextFile(few, "text,label\na,so\nb,no\n");
      assertEquals(
        (await lookAtData(few, {}, undefined, shipped)).fault,
        `Cannot use it: ${lack} is held out for each`,
      );
      await assertRejects(
        () => openOwnTask(few, {}, undefined, shipped),
        DataError,
        `Cannot use ${few} for "few": ${lack} is held out for each; of few.csv in ${few}, train: 2 read, 2 kept`,
      );
      const alike = `${folder}/alike.csv`,
        rows = ["so", "no", "No"].flatMap((label) => Array(20).fill(label));
      await Deno.writeTextFile(alike, `text,label\n${rows.map((label, i) => `a ${i},${label}\n`).join("")}`);
      const own =
        `Cannot use ${alike} for "alike": the model's tokenizer can't tell its classes "No" and "no" apart`;
      for (const id of ["t5-tiny", "decoder-tiny-dialogue"]) {
        const { fault, settings } = await lookAtData(alike, {}, { id }, shipped);
        assertEquals([fault?.split(";")[0], settings], [own, null]);
        await assertRejects(() => openOwnTask(alike, {}, { id }, shipped), DataError, fault!);
      }
      await Deno.writeTextFile(`${folder}/pets.csv`, "image,label\na.png,cat\nb.png,dog\n");
      const pets = lookAtData(`${folder}/pets.csv`, {}, { id: "t5-tiny" }, shipped);
      await assertRejects(() => pets, DataError, "its examples are images, the model takes texts");
      const none = await lookAtData(
        path,
        { ...asked, columns: { prompt: "kind", answer: "body" }, score: "exact" },
        { id: "vit-tiny" },
        shipped,
      ).catch((error) => error);
      assert(none.message.endsWith("its examples are texts, the model takes images"), none.message);
    },
  );
});

test("ways out are told by why texts are left out, whatever their columns are called", async () => {
  const good = Array.from({ length: 40 }, (_, i) => `how is ${i},so`);
  const odd = (answer: string, others: readonly string[]) =>
    [`asked,${answer}`, ...good, ...others].join("\n");
  const long = "word ".repeat(90),
    ways = {
      long: "--model DIR takes a model of longer texts, --max-tokens 96 cuts longer ones",
      strange: "--model DIR takes a model of other characters",
      both:
        "--model DIR takes a model of longer texts and other characters, --max-tokens 96 cuts longer ones",
      neither: null,
    };
  const files = {
    "long.csv": odd("told", [`${long},so`]),
    "strange.csv": odd("told", ["what ☃,so", "what \0,so"]),
    "both.csv": odd("told", [`${long},so`, "what ☃,so", "what \0,so"]),
    // Neither is a word of the harness.
    "neither.csv": odd("1 longer than", ["what 1,", "what 2,"]),
  };
  const own = { id: "decoder-tiny-dialogue" };
  await withDataFolder(files, async (folder) => {
    for (const [name, wanted] of Object.entries(ways)) {
      const path = `${folder}/${name}.csv`;
      const columns = { prompt: "asked", answer: name === "neither" ? "1 longer than" : "told" };
      const look = await lookAtData(path, { columns, score: "exact" }, own, shipped);
      assertEquals(look.waysOut, wanted, name);
      const isStrange = name === "strange" || name === "both";
      assertEquals(look.lacking, isStrange ? ["☃", "\0"] : [], name);
      const named = describeLook(look, plain, 80).filter((line) => line.startsWith("The tokenizer lacks"));
      assertEquals(named, isStrange ? ['The tokenizer lacks, for example: "☃" "\\u0000"'] : [], name);
      const { notes } = await openOwnTask(path, { columns, score: "exact" }, own, shipped);
      assertEquals(notes.length, 2);
      assert(notes[1]!.endsWith(wanted === null ? ")" : `; ${wanted}`), notes[1]);
    }
    // No example is left, and the reason has a name that sounds like another.
    await Deno.writeTextFile(`${folder}/none.csv`, `asked,1 longer than\n${"what,\n".repeat(3)}`);
    const none = { columns: { prompt: "asked", answer: "1 longer than" }, score: "exact" } as const;
    const refused = await assertRejects(
      () => openOwnTask(`${folder}/none.csv`, none, own, shipped),
      DataError,
      "no example is left",
    );
    assert(refused.message.endsWith('3 skipped (3 "1 longer than" is empty)'), refused.message);
    const { fault, waysOut } = await lookAtData(`${folder}/none.csv`, none, own, shipped);
    assertEquals([fault, waysOut], [refused.message, null]);
  });
});

test("--data takes a folder of one's own rows where tasks know no data set in it, whatever its files are called", async () => {
  const rows = (words: readonly string[]) =>
    ["text,label", ...words.map((word) => `a ${word} film,${word === "good" ? "pos" : "neg"}`)].join("\n");
  const many = Array.from({ length: 30 }, (_, i) => i % 2 === 0 ? "good" : `bad${i}`);
  const images = "label,1x1,1x2,2x1,2x2\n5,0,128,255,1\n";
  const files = {
    "reviews/train.csv": rows(many),
    "reviews/test.csv": rows(["good", "dull"]),
    "images/train.csv": images,
    "images/test.csv": images,
    "header/train.csv": "label,1x1,1x2,2x1,2x2\n",
  };
  await withDataFolder(files, async (path) => {
    const idAt = async (name: string, tasks?: readonly string[], canBeOwn = true) =>
      (await openAskedData(new Map(), { data: `${path}/${name}` }, tasks, canBeOwn, shipped))?.data.id ??
        null;
    assertEquals(await idAt("reviews"), "reviews");
    assertEquals(await idAt("reviews", ["sentiment"]), null);
    assertEquals(await idAt("reviews", undefined, false), null);
    assertEquals(await idAt("images"), null);
    assertEquals(await idAt("header"), null);
  });
});
