import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { encode as encodePng } from "fast-png";
import { parquetWriteBuffer } from "hyparquet-writer";
import { checksOfTask } from "../../contract/tasks.ts";
import { IGNORE } from "../../models/model.ts";
import { decoderTinyDialogue, t5Tiny, vitTiny } from "../../models/sizes.ts";
import { gzip, withDataFolder } from "../../tests/support/data_folder.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { tokenizerFiles, unigramFiles, wordPieceFiles } from "../../tests/support/tokenizer_folder.ts";
import { DataError } from "../data/data_error.ts";
import type { Predictor, Task, TaskData } from "../task.ts";
import { wordTokenizer } from "../understanding/words.ts";
import { readTokenizer } from "../text/hugging_face_tokenizer.ts";
import { characterTokenizer } from "../text/tokenizer.ts";
import { numberedClasses } from "./layout.ts";
import { type AskedLayout, openLayout } from "./open_layout.ts";
import { ownTask } from "./task.ts";

const test = testNeeding(FILES);

const lines = (rows: readonly unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
const count = <T>(total: number, made: (i: number) => T) => Array.from({ length: total }, (_, i) => made(i));
const amounts = { seed: 0, trainExamples: 20, validationExamples: 3, testExamples: 4 };

/** Layouts of files, each alone in a folder. */
async function layoutOf(file: string, content: string | Uint8Array, asked: AskedLayout = {}, beside = {}) {
  let found: Awaited<ReturnType<typeof openLayout>>;
  await withDataFolder({ [`mine/${file}`]: content, ...beside }, async (folder) => {
    found = await openLayout(`${folder}/mine/${file}`, asked, ["sentiment"]);
  });
  return found!;
}

test("openLayout() tells by names of columns what they hold, in every format", async () => {
  const texts = count(12, (i) => ({ text: `text ${i}`, label: i % 2 ? "bad" : "good", more: 1 }));
  const kinds = { text: "text", label: "label" }, labels = { bad: "bad", good: "good" };
  const columnData = (["text", "label"] as const).map((name) => ({
    name,
    data: texts.map((row) => row[name]),
  }));
  const tsv = (mark: string) =>
    ["text", ...texts.map((row) => row.text)].map((one, i) =>
      `${one}${mark}${i === 0 ? "label" : texts[i - 1]!.label}`
    ).join("\n");
  for (
    const [file, content] of [
      ["a.jsonl", lines(texts)],
      ["a.json", JSON.stringify(texts)],
      ["a.csv", tsv(",")],
      ["a.tsv", tsv("\t")],
      ["a.csv.gz", await gzip(tsv(","))],
      ["a.parquet", new Uint8Array(parquetWriteBuffer({ columnData }))],
    ] as const
  ) {
    const { id, title, layout, isGuessed } = await layoutOf(file, content);
    assertEquals([id, title, isGuessed], ["a", file, true]);
    assertEquals(layout, { kind: "label", columns: kinds, labels }, file);
  }
  const guess = async (row: object) => (await layoutOf("b.jsonl", lines([row, row]))).layout;
  assertEquals(await guess({ Question: "?", answer: "so\n#### 4" }), {
    kind: "answer",
    columns: { prompt: "Question", answer: "answer" },
    score: "numbers",
  });
  assertEquals((await guess({ question: "?", answer: "Paris" })).score, "exact");
  assertEquals((await guess({ question: "?", answer: "long ".repeat(20) })).score, "loss");
  // Rows without an answer are left out, and say nothing of how the others are scored.
  const gaps = [{ question: "?", answer: null }, { question: "?", answer: " " }, {
    question: "?",
    answer: 7,
  }];
  assertEquals((await layoutOf("b.jsonl", lines(gaps))).layout.score, "numbers");
  assertEquals((await guess({ question: "?", choices: ["a", "b"], answer: 1, split: "train" })).columns, {
    ...{ prompt: "question", answer: "answer", choices: "choices", split: "split" },
  });
  assertEquals(await guess({ conversations: [] }), {
    kind: "chat",
    columns: { messages: "conversations" },
    score: "loss",
  });
  // A file of one conversation, or of one question with its choices.
  const turns = [{ role: "user", content: "a" }];
  assertEquals((await layoutOf("c.json", JSON.stringify({ messages: turns }))).layout.kind, "chat");
  const quiz = { question: "?", choices: { text: ["a", "b"], label: ["A", "B"] }, answer: "A" };
  assertEquals((await layoutOf("c.json", JSON.stringify(quiz))).layout.score, "choice");
  const alpaca = await guess({ instruction: "Add", input: "1", output: "2" });
  assertStringIncludes(alpaca.prompt!, "{instruction}\n\n{input}\n");
});

test("openLayout() takes what is said: columns, a template, dataset.json, words for classes; and names of what is general", async () => {
  const csv = "q,a,kind\nhow,so,1\nwhy,no,2\n";
  const asked = await layoutOf("train.csv", csv, {
    columns: { prompt: "q", answer: "a" },
    score: "exact",
    maxTokens: 9,
  });
  assertEquals([asked.id, asked.title, asked.isGuessed], ["mine", "mine/train.csv", false]);
  assertEquals(asked.layout, {
    kind: "answer",
    columns: { prompt: "q", answer: "a" },
    score: "exact",
    maxTokens: 9,
  });
  const described = { columns: { label: "kind" }, prompt: "{q}? {{x}}", labels: { 1: "yes" } };
  const beside = { "mine/dataset.json": JSON.stringify(described) };
  const { id, layout } = await layoutOf("Sentiment.csv", csv, {}, beside);
  // Never called as a task that ships.
  assertEquals(id, "own-sentiment");
  assertEquals(layout, {
    kind: "label",
    columns: { label: "kind" },
    prompt: "{q}? {{x}}",
    labels: { 1: "yes", 2: "2" },
  });
});

test("openLayout() refuses in one sentence what it can't read or understand", async () => {
  const csv = "q,a\nhow,so\nwhy,no\n";
  const refused = async (
    reason: string,
    file: string,
    content: string,
    asked: AskedLayout = {},
    described?: object,
  ) => {
    const beside = described && { "mine/dataset.json": JSON.stringify(described) };
    const error = await assertRejects(() => layoutOf(file, content, asked, beside), DataError);
    assertStringIncludes(error.message, reason);
    assert(!error.message.includes("\n"), error.message);
  };
  await refused("says it, or messages=… or image=…,label=…; its columns are q, a", "x.csv", csv);
  await refused(
    'mine/x.jsonl: line 1 as a class: it is ["so","no"], a word or a number is needed',
    "x.jsonl",
    lines([{ text: "a", label: ["so", "no"] }]),
  );
  await refused(
    "mine/x.jsonl: line 2 is nested more than 100 levels deep",
    "x.jsonl",
    `{"text": "a", "label": 1}\n{"text": "a", "label": ${"[".repeat(5000)}${"]".repeat(5000)}}\n`,
  );
  // Nothing beside it is looked at: reading that is not allowed.
  const ending = "mine/x.xlsx: a file that ends in .jsonl, .json, .csv, .tsv or .parquet is needed";
  await refused(ending, "x.xlsx", csv, {}, { files: 1 });
  await refused('Cannot take "z" of', "x.csv", csv, { columns: { prompt: "z" } });
  await refused("classes need a text", "x.csv", csv, { columns: { label: "a" } });
  await refused('Cannot take "a" of', "x.csv", csv, { columns: { text: "a", label: "a" } });
  await refused("its columns are q, a", "x.csv", csv, { prompt: "{z}", columns: { answer: "a" } });
  await refused("a column in braces is needed, as in {q}", "x.csv", csv, {
    prompt: "z",
    columns: { answer: "a" },
  });
  await refused("a column of choices is needed", "x.csv", csv, {
    columns: { prompt: "q", answer: "a" },
    score: "choice",
  });
  await refused("its classes are scored by the likeliest", "x.csv", csv, {
    columns: { text: "q", label: "a" },
    score: "loss",
  });
  await refused('all of its examples are "so"', "x.csv", "q,a\nhow,so\n", {
    columns: { text: "q", label: "a" },
  });
  await refused("it holds no record", "x.csv", "");
  await refused("line 2 has 1 field, 2 are needed", "x.csv", "text,label\n1\n");
  const tabs = "line 2 has commas between the names of its columns, tabs are needed";
  await refused(tabs, "x.tsv", "\ntext,label\n1,2\n");
  await refused('names the column "text" twice', "x.tsv", "text\tlabel\ttext\n1\t2\t3\n");
  // All records, or all values of each column, in one object.
  const rows = [{ text: "a", label: 1 }, { text: "b", label: 2 }];
  const only = (name: string, what: string) =>
    `line 1 begins the file's only object, whose "${name}" is ${what}: one object for each example is needed`;
  await refused(only("data", "a list of 2"), "x.json", JSON.stringify({ version: "1", data: rows }));
  await refused(only("text", "a list of 2"), "x.json", JSON.stringify({ text: ["a", "b"], label: [1, 2] }));
  await refused(only("text", "an object"), "x.json", JSON.stringify({ text: { 0: "a" }, label: { 0: 1 } }));
  await refused("a file that ends in .jsonl", "x.txt", csv);
  await refused('has the field "column"', "x.csv", csv, {}, { column: {} });
  await refused('names a class "b"', "x.csv", csv, {}, {
    columns: { text: "q", label: "a" },
    labels: { b: "c" },
  });
  const pair = { text: "q", second: "a", label: "k" } as const;
  await refused("a second text needs a first and a class", "x.csv", csv, {
    columns: { second: "a", label: "q" },
  });
  await refused("and has no second one beside it; its", "x.csv", "q,a,k\n1,2,3\n", {
    prompt: "{q}",
    columns: pair,
  });
  const numbers = "q,a,k\nhow,so,1\nwhy,no,3.8\n";
  await refused("it holds numbers such as 3.8, and regression", "x.csv", `${numbers}who,he,NaN\n`, {
    columns: { text: "q", label: "k" },
  });
  await refused("it holds numbers such as 3.8, and regression, as of STS-B,", "x.csv", numbers, {
    columns: pair,
  });
  await layoutOf("x.csv", numbers, { columns: pair }, {
    "mine/dataset.json": JSON.stringify({ labels: { "3.8": "high" } }),
  });
  await assertRejects(() => openLayout("/nowhere/x.csv"), DataError, "there is no such file or folder");
});

/** An oracle: knows how likely each continuation of each prompt is. */
function oracle(lossOf: (prompt: string, continuation: string) => number, write = ""): Predictor {
  const text = (tokens: Int32Array) => characterTokenizer.decode(tokens).replace(/\n$/, "");
  return {
    classify: () => Promise.reject(new Error("is no image")),
    generate: (prompts) => Promise.resolve(prompts.map(() => characterTokenizer.encode(write))),
    follows: (prompts) => Promise.resolve(prompts.map(() => false)),
    losses: (prompts, continuations) =>
      Promise.resolve(
        Float32Array.from(prompts, (prompt, i) =>
          lossOf(text(prompt), text(continuations[i]!)) / continuations[i]!.length),
      ),
  };
}

async function withOwn(
  files: Readonly<Record<string, string | Uint8Array>>,
  path: string,
  asked: AskedLayout,
  use: (load: (options?: object) => Promise<TaskData>, folder: string) => Promise<void>,
  model: Parameters<ReturnType<typeof ownTask>["load"]>[1] = decoderTinyDialogue,
): Promise<void> {
  await withDataFolder(files, async (folder) => {
    const data = `${folder}/${path}`, task = ownTask(await openLayout(data, asked));
    await use((options = {}) => task.load({ ...amounts, ...options, data }, model), folder);
  });
}

test("ownTask() gives an encoder whole texts with their classes, and refuses it answers in words", async () => {
  const texts = count(
    40,
    (i) => ({ text: i % 2 ? "The good one" : `bad ${i}`, label: i % 2 ? "good" : "bad" }),
  );
  const questions = count(40, (i) => ({ prompt: `what is ${i}?`, answer: `${i}` }));
  const files = {
    "x/a.jsonl": lines(texts.map((row, i) => ({ ...row, text: `${row.text} ${i}` }))),
    "x/b.jsonl": lines(questions),
    ...wordPieceFiles("x", ["the", "good", "bad", "one"]),
  };
  await withDataFolder(files, async (folder) => {
    const model = {
      family: "encoder",
      outputs: 2,
      vocabulary: 80,
      inputSize: 9,
      folder: `${folder}/x`,
    } as const;
    const load = async (file: string, changes = {}) => {
      const data = `${folder}/x/${file}`;
      return await ownTask(await openLayout(data)).load({ ...amounts, data }, { ...model, ...changes });
    };
    const data = await load("a.jsonl");
    assertEquals(data.needs, { family: "encoder", outputs: 2, inputSize: 9 });
    const batch = data.trainBatch(1, 6);
    assert(batch.family === "encoder");
    const [rows, length] = batch.tokens.shape as [number, number];
    // "[CLS] the good one 1 [SEP]" is class 1, "[CLS] bad 2 [SEP]" class 0: classes are in the order of their names.
    for (let row = 0; row < rows; row++) {
      const read = [...batch.tokens.data.subarray(row * length, (row + 1) * length)];
      const used = batch.mask.data.subarray(row * length, (row + 1) * length).filter((one) =>
        one === 1
      ).length;
      const isGood = read.includes(5);
      assertEquals([read[0], read[used - 1], batch.targets.data[row]], [2, 3, Number(isGood)]);
      assertEquals(read.slice(1, isGood ? 4 : 2), isGood ? [4, 5, 7] : [6]);
      assertEquals(read.slice(used), new Array(length - used).fill(0));
    }
    const asked: unknown[] = [];
    const predictor = {
      follows: (prompts: Int32Array[], continuations: Int32Array[]) => {
        asked.push(...prompts.map((prompt) => [prompt[0], prompt.at(-1)]));
        return Promise.resolve(continuations.map(([token]) => token === 1));
      },
      losses: (_: unknown, continuations: Int32Array[]) =>
        Promise.resolve(Float32Array.from(continuations, ([token]) => token!)),
    } as unknown as Predictor;
    const scores = await data.score(predictor, "test");
    assertEquals(scores, (await data.measure!(predictor, "test"))["loss a token"]!.values);
    assertEquals(asked, new Array(4).fill([2, 3]));

    await assertRejects(() => load("b.jsonl"), DataError, "the model gives texts one of some classes");
    await assertRejects(() => load("a.jsonl", { vocabulary: 10 }), DataError, "80 tokens, the model 10");
  });
});

test("dataset.json gives the order of classes, that of a classifier which an adapter brings", async () => {
  const texts = count(40, (i) => ({ text: i % 2 ? `good ${i}` : `bad ${i}`, label: i % 2 ? "good" : "bad" }));
  const words = wordPieceFiles("x", ["good", "bad"]);
  const opened = async (
    classes: readonly string[] | undefined,
    rows: readonly Readonly<Record<string, unknown>>[] = texts,
  ) => {
    const files = { "x/train.jsonl": lines(rows), "x/dataset.json": JSON.stringify({ classes }), ...words };
    const found: { order: readonly string[]; isGood: boolean[]; targets: number[] }[] = [];
    await withDataFolder(files, async (folder) => {
      const data = `${folder}/x`, layout = await openLayout(data);
      const model = { family: "encoder", outputs: 2, vocabulary: 80, inputSize: 9, folder: data } as const;
      const batch = (await ownTask(layout).load({ ...amounts, data }, model)).trainBatch(1, 6);
      assert(batch.family === "encoder");
      const [count, length] = batch.tokens.shape as [number, number];
      const isGood = Array.from(
        { length: count },
        (_, i) => batch.tokens.data.subarray(i * length, (i + 1) * length).includes(4),
      );
      found.push({ order: numberedClasses(layout.layout), isGood, targets: [...batch.targets.data] });
    });
    return found[0]!;
  };
  const usual = await opened(undefined), turned = await opened(["good", "bad"]);
  assertEquals([usual.order, turned.order], [["bad", "good"], ["good", "bad"]]);
  assertEquals(usual.targets, usual.isGood.map(Number));
  assertEquals(turned.targets, turned.isGood.map((isGood) => Number(!isGood)));
  for (
    const [classes, fault] of [
      [["good", "bad", "odd"], 'names "odd", which is none of bad, good'],
      [["good"], 'lacks "bad"'],
      [["good", "bad", "good"], "names a class twice"],
    ] as const
  ) await assertRejects(() => opened(classes), DataError, `"classes" ${fault}`);
  const answers = count(40, (i) => ({ prompt: `what is ${i}?`, answer: `${i}` }));
  await assertRejects(
    () => opened(["a", "b"], answers),
    DataError,
    '"classes" gives an order of classes, and the data have none',
  );
});

test("Pairs of texts: an encoder reads both with their kinds, T5 each behind its column's name", async () => {
  const pairs = count(
    40,
    (i) => ({ premise: `The cat ${i}`, hypothesis: i % 2 ? "a cat" : "not", label: i % 2 }),
  );
  const files = {
    "x/a.jsonl": lines(pairs),
    ...wordPieceFiles("x", ["the", "cat", "not"]),
    ...unigramFiles("t5", ["\u2581cat"]),
  };
  await withDataFolder(files, async (folder) => {
    const data = `${folder}/x/a.jsonl`, layout = await openLayout(data);
    assertEquals(layout.layout.columns, { text: "premise", second: "hypothesis", label: "label" });
    const bert = {
      family: "encoder",
      outputs: 3,
      vocabulary: 80,
      inputSize: 9,
      folder: `${folder}/x`,
    } as const;
    const load = (model: object) =>
      ownTask(layout).load({ ...amounts, data }, { ...bert, ...model } as Parameters<Task["load"]>[1]);
    const own = await load({ tokenTypes: 2 }), batch = own.trainBatch(1, 8);
    assert(batch.family === "encoder");
    const length = batch.tokens.shape[1]!;
    for (let row = 0; row < 8; row++) {
      const part = (tensor: { readonly data: Int32Array }) => [
        ...tensor.data.subarray(row * length, (row + 1) * length),
      ];
      const read = part(batch.tokens), first = read.indexOf(3), end = read.lastIndexOf(3);
      assertEquals([read[0], read.slice(1, 3)], [2, [4, 5]]);
      assertEquals(read.slice(first + 1, end), batch.targets.data[row] === 1 ? [7, 5] : [6]);
      assertEquals(part(batch.types!), read.map((_, i) => Number(i > first && i <= end)));
    }
    const asked: unknown[] = [];
    const predictor = {
      follows: (prompts: Int32Array[], _: unknown, types: Int32Array[]) => {
        asked.push(...prompts.map((prompt, i) => [prompt.length, types[i]!.length, types[i]!.at(-1)]));
        return Promise.resolve(prompts.map(() => true));
      },
    } as unknown as Predictor;
    await own.score(predictor, "test");
    for (const [read, kinds, last] of asked as [number, number, number][]) {
      assertEquals([read, last], [kinds, 1]);
    }

    // Its second texts are of a kind that this model has no row for; another asks for none.
    const error = await assertRejects(() => load({ tokenTypes: 1 }), DataError);
    assertStringIncludes(error.message, "40 that are pairs of texts, of which its tokenizer writes none");
    assertEquals((await load({ tokenTypes: 0 })).needs.outputs, 2);

    const t5 = { family: "encoder-decoder", outputs: 90, inputSize: 90, folder: `${folder}/t5` } as const;
    const written = (await ownTask(layout).load({ ...amounts, data }, t5)).trainBatch(1, 1);
    assert(written.family === "encoder-decoder");
    const tokenizer = await readTokenizer(`${folder}/t5`);
    assertMatch(
      tokenizer.decode(written.inputs.data.filter((token) => token > 0)),
      /^premise: The cat \d+ hypothesis: (a cat|not)<\/s>$/,
    );
  });
});

test("openLayout() takes the files of one folder, and refuses several data sets side by side", async () => {
  const csv = "q,a\nhow,so\nwhy,no\n";
  const files = { "d/en/train.csv": csv, "d/de/train.csv": csv, "d/en/test.csv": csv };
  await withDataFolder(files, async (folder) => {
    const asked = { columns: { prompt: "q", answer: "a" } };
    const error = await assertRejects(() => openLayout(`${folder}/d`, asked), DataError);
    assertEquals(
      error.message,
      `Cannot tell what is what in ${folder}/d: examples to train on lie in de, en; name one of these folders, or the ` +
        "files in dataset.json",
    );
    const { id, layout } = await openLayout(`${folder}/d/en`, asked);
    assertEquals([id, layout.files], ["en", { train: ["train.csv"], test: ["test.csv"] }]);
    const place = `${folder}/datasets--o--My.Set/snapshots/${"0".repeat(40)}`;
    await Deno.mkdir(`${place}/data`, { recursive: true });
    await Deno.writeTextFile(`${place}/data/train.csv`, csv);
    const fetched = await openLayout(place, asked);
    assertEquals([fetched.id, fetched.title], ["my-set", "My.Set"]);
  });
});

test("Own answers: batches of prompt and answer, the loss on the answer alone, and each score", async () => {
  const rows = count(
    60,
    (i) => ({
      question: `What IS ${i}\nplus 1?`,
      answer: `It is ${i + 1}`,
      options: [`It is ${i}`, `It is ${i + 1}`],
    }),
  );
  const asked = (score: NonNullable<AskedLayout["score"]>): AskedLayout => ({
    columns: { prompt: "question", answer: "answer", ...(score === "choice" && { choices: "options" }) },
    score,
  });
  const right = (prompt: string) => `it is ${Number(/is (\d+) plus/.exec(prompt)![1]) + 1}`;
  const knows = oracle((prompt, said) => said === right(prompt) ? 0.5 : 7);
  const errs = oracle((prompt, said) => said === right(prompt) ? 7 : 0.5, "so 5 and 41");
  for (const score of ["exact", "numbers", "choice", "loss"] as const) {
    await withOwn({ "sums.jsonl": lines(rows) }, "sums.jsonl", asked(score), async (load) => {
      const data = await load();
      const batch = data.trainBatch(1, 4);
      assert(batch.family === "decoder");
      const [size, length] = batch.tokens.shape as [number, number];
      for (let row = 0; row < size; row++) {
        const tokens = batch.tokens.data.subarray(row * length, (row + 1) * length);
        const targets = batch.targets.data.subarray(row * length, (row + 1) * length);
        const text = characterTokenizer.decode(tokens.subarray(0, tokens.indexOf(1)));
        const prompt = /^what is \d+ plus 1\? /.exec(text)![0];
        assertEquals(text.slice(prompt.length), right(prompt));
        assertEquals([...targets].filter((one) => one !== IGNORE), [
          ...characterTokenizer.encode(right(prompt)),
          1,
        ]);
      }
      const values = async (predictor: Predictor) => [...await data.score(predictor, "test")];
      if (score === "choice") {
        assertEquals([await values(knows), await values(errs)], [[1, 1, 1, 1], [0, 0, 0, 0]]);
      }
      if (score === "loss") {
        const [loss] = (await data.measure!(knows, "test"))["loss a token"]!.values as Float32Array;
        assertEquals((await values(knows))[0], Math.fround(Math.exp(-loss!)));
      }
      if (score === "exact") assertEquals(await values(knows), [0, 0, 0, 0]);
    });
  }
  await withOwn(
    { "sums.csv": `q,a\n${count(60, (i) => `is ${i},${i % 2 ? 41 : "none 40"}`).join("\n")}\n` },
    "sums.csv",
    {
      columns: { prompt: "q", answer: "a" },
      score: "numbers",
    },
    async (load) => {
      const scores = [...await (await load()).score(errs, "test")];
      assert(scores.includes(0) && scores.includes(1));
    },
  );
});

test("Splits go by files, by a column, or by a cut that is always the same; what asks the same is in one pool", async () => {
  const rows = (from: number, total: number, more = {}) =>
    count(total, (i) => ({ question: `is ${from + i}`, answer: "so", ...more }));
  const recordsOf = async (files: Record<string, string>, path: string) => {
    let kept: number[] = [];
    await withOwn(files, path, {}, async (load) => {
      const { source } = await load({ trainExamples: 5, validationExamples: 1, testExamples: 1 });
      kept = ["train", "validation", "test"].map((pool) => source!.records[pool]!.kept);
    });
    return kept;
  };
  assertEquals(await recordsOf({ "a.jsonl": lines(rows(0, 40)) }, "a.jsonl"), [32, 4, 4]);
  // The two that are asked in the test too are left out of training.
  const files = {
    "d/train.jsonl": lines(rows(0, 22)),
    "d/dev.jsonl": lines(rows(50, 6)),
    "d/test.jsonl": lines(rows(20, 5)),
  };
  assertEquals(await recordsOf(files, "d"), [20, 6, 5]);
  const splits = [
    ...rows(0, 20, { split: "train" }),
    ...rows(60, 4, { split: "Validation" }),
    ...rows(70, 3, { split: "test" }),
  ];
  assertEquals(await recordsOf({ "b.jsonl": lines(splits) }, "b.jsonl"), [20, 4, 3]);
  await assertRejects(
    () =>
      recordsOf({ "b.jsonl": lines([...splits, { question: "x", answer: "y", split: "later" }]) }, "b.jsonl"),
    DataError,
    'has "later" as its split, one of train, training, validation',
  );
});

test("Texts that are too long are left out with the ways out, or cut where that was asked, never the answer", async () => {
  const rows = count(60, (i) => ({ text: `${i} ${"word ".repeat(40)}end`, label: i % 2 ? "yes" : "no" }));
  await withOwn({ "a.jsonl": lines(rows) }, "a.jsonl", {}, async (load) => {
    await assertRejects(
      () => load(),
      DataError,
      "--model DIR takes a model of longer texts, --max-tokens 40 cuts longer ones",
    );
  }, t5Tiny);
  await withOwn(
    { "a.jsonl": lines(rows) },
    "a.jsonl",
    { prompt: "say: {text} yes or no?", maxTokens: 20 },
    async (load) => {
      const batch = (await load()).trainBatch(1, 20);
      assert(batch.family === "encoder-decoder");
      assertEquals(batch.inputs.shape, [20, 20]);
      // As much of the text as fits, and the template behind it.
      assertEquals(batch.inputMask.data.reduce((sum, one) => sum + one, 0), 400);
      const text = wordTokenizer.decode(batch.inputs.data.subarray(0, 20));
      assert(/^<word> : <number> word word .* word <-s> or no \? <end>$/.test(text), text);
    },
    t5Tiny,
  );
});

test("Chats are answered with their last reply, by the roles of both ways to write them, in a user's model's tokens", async () => {
  const talk = (
    i: number,
  ) => [{ role: "user", content: `Hi ${i}` }, { role: "assistant", content: "Yes?" }, {
    role: "user",
    content: "Bye",
  }, { role: "assistant", content: `So be ${i}!` }];
  const shared = (i: number) =>
    talk(i).map(({ role, content }) => ({ from: role === "user" ? "human" : "gpt", value: content }));
  const files = {
    "chat.jsonl": lines(count(60, (i) => ({ messages: i % 2 ? talk(i) : shared(i) }))),
    ...tokenizerFiles("model"),
  };
  await withDataFolder(files, async (folder) => {
    const data = `${folder}/chat.jsonl`, task = ownTask(await openLayout(data));
    const model = { family: "decoder", outputs: 260, inputSize: 400, folder: `${folder}/model` } as const;
    const { source, needs } = await task.load({ ...amounts, data }, model);
    assertEquals([source!.title, needs.inputSize], ["chat.jsonl", 400]);
    assertEquals(source!.records["train"]!.kept, 48);
  });
});

test("Chats for a model with a chat template are written by it: every reply is learned, the last one scored", async () => {
  const template = "{% for m in messages %}{{ m.role }}: {{ m.content }}" +
    "{% if m.role == 'assistant' %}<|stop|>{% endif %}{{ '\\n' }}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";
  const talks = count(40, (i) => ({
    messages: [
      { role: "user", content: `a${i}?` },
      { role: "assistant", content: `b${i}.` },
      { role: "user", content: "c?" },
      { role: "assistant", content: `d${i}.` },
    ],
  }));
  const files = { "x/a.jsonl": lines(talks), ...tokenizerFiles("x") };
  const config = JSON.stringify({ eos_token: "<|stop|>", chat_template: template });
  await withDataFolder({ ...files, "x/tokenizer_config.json": config }, async (folder) => {
    const data = `${folder}/x/a.jsonl`, layout = await openLayout(data);
    const model = { family: "decoder", outputs: 260, inputSize: 80, folder: `${folder}/x` } as const;
    const own = await ownTask(layout).load({ ...amounts, data }, model),
      tokenizer = await readTokenizer(`${folder}/x`);
    const batch = own.trainBatch(1, 4);
    assert(batch.family === "decoder");
    const length = batch.tokens.shape[1]!;
    for (let row = 0; row < 4; row++) {
      const targets = [...batch.targets.data.subarray(row * length, (row + 1) * length)];
      const learned = tokenizer.decode(targets.filter((token) => token !== IGNORE));
      assertMatch(learned, /^b(\d+)\.<\|stop\|>d\1\.<\|stop\|>$/);
      // Each target stands one place before its token.
      const read = batch.tokens.data.subarray(row * length);
      targets.forEach((token, i) => token !== IGNORE && assertEquals(token, read[i + 1]));
    }
    const asked: string[] = [];
    const predictor = {
      losses: (prompts: Int32Array[], continuations: Int32Array[]) => {
        prompts.forEach((prompt, i) =>
          asked.push(tokenizer.decode(prompt), tokenizer.decode(continuations[i]!))
        );
        return Promise.resolve(new Float32Array(prompts.length));
      },
    } as unknown as Predictor;
    await own.score(predictor, "test");
    assertMatch(
      asked.slice(0, 2).join("!"),
      /^user: a(\d+)\?\nassistant: b\1\.<\|stop\|>\nuser: c\?\nassistant: !d\1\.<\|stop\|>$/,
    );
    const short = ownTask(layout).load({ ...amounts, data }, { ...model, inputSize: 20 });
    await assertRejects(() => short, DataError, "40 longer than 20 tokens");
  });
});

test("Images go by a list with their classes, whose files are part of the fingerprint", async () => {
  const png = (i: number) =>
    encodePng({
      width: 4,
      height: 4,
      channels: 1,
      depth: 8,
      data: Uint8Array.from({ length: 16 }, (_, k) => (i * 7 + k * k * (i + 1)) % 256),
    });
  const files = Object.fromEntries(count(40, (i) => [`d/pictures/${i}.png`, png(i)]));
  const list = `image,label\n${count(40, (i) => `pictures/${i}.png,${i % 2 ? "cat" : "dog"}`).join("\n")}\n`;
  await withDataFolder({ ...files, "d/pets.csv": list }, async (folder) => {
    const data = `${folder}/d/pets.csv`, task = ownTask(await openLayout(data));
    const options = { seed: 0, data, trainExamples: 10, validationExamples: 2, testExamples: 2 };
    const { needs, source, classCounts } = await task.load(options, vitTiny);
    assertEquals(classCounts!("train").slice(0, 2).reduce((sum, one) => sum + one), 10);
    assertEquals(classCounts!("test").length, 10);
    assertEquals(needs, { family: "vision", outputs: 10, inputSize: 28 });
    assertEquals(await task.realData!.classNames!(data), ["cat", "dog"]);
    await Deno.writeFile(`${folder}/d/pictures/3.png`, png(99));
    assert(await task.realData!.fingerprint(data) !== source!.fingerprint);
    await Deno.remove(`${folder}/d/pictures/3.png`);
    await assertRejects(
      () => task.load(options, vitTiny),
      DataError,
      "pictures/3.png: there is no such file",
    );
  });
});

test("Tasks of own data keep what tasks promise", async () => {
  const rows = count(300, (i) => ({ question: `is ${i} odd?`, answer: i % 2 ? "yes" : "no" }));
  const gpu = await testGpu(), model = decoderTinyDialogue;
  await withDataFolder({ "answers.jsonl": lines(rows) }, async (folder) => {
    const data = `${folder}/answers.jsonl`;
    // What is promised of examples of a task's own holds for those of a file.
    const { realData: _, load, ...task } = ownTask(await openLayout(data));
    const held: Task = { ...task, load: (options) => load({ ...options, data }, model) };
    for (const { promise, hold } of checksOfTask(held, [model], false)) {
      // Real data say in their own way that they are too few.
      if (!promise.startsWith("refuses more examples")) await hold(gpu);
    }
  });
});
