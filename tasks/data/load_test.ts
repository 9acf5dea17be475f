import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { encode as encodePng } from "fast-png";
import { parquetWriteBuffer } from "hyparquet-writer";
import { gzip, optdigitsFile, withDataFolder } from "../../tests/support/data_folder.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import type { TaskFamily } from "../task.ts";
import type { Question } from "./contents.ts";
import { DataError } from "./data_error.ts";
import { dataSetsOf, findData, fingerprintData, loadData, type Taking } from "./load.ts";
import * as dataSets from "./mod.ts";
import { createTally, describeRecord } from "./read_record.ts";

const test = testNeeding(FILES);

const taking: Taking<Question, Question> = {
  convert: (question) =>
    question.question.includes("odd") ? { skip: { kind: "other", words: "with something odd" } } : question,
  keyOf: ({ question }) => question,
};

function gsm8kFile(from: number, to: number, more: readonly string[] = []): string {
  const questions = [...Array.from({ length: to - from }, (_, i) => `question ${from + i}`), ...more];
  return questions.map((question) => JSON.stringify({ question, answer: "so\n#### 1" }) + "\n").join("");
}

const sizes = (
  pools: { train: readonly unknown[]; validation: readonly unknown[]; test: readonly unknown[] },
) => [
  pools.train.length,
  pools.validation.length,
  pools.test.length,
];

test("loadData() keeps the published test examples, cuts validation from training, and shares none", async () => {
  const files = {
    "train.jsonl": gsm8kFile(0, 100, ["odd one", "question 3", "question 205"]),
    "test.jsonl": gsm8kFile(200, 230, ["odd two"]),
  };
  await withDataFolder(files, async (path) => {
    const data = await loadData("math", path, taking);
    assertEquals([data.title, sizes(data)[2]], ["GSM8K", 30]);
    const questions = [...data.train, ...data.validation, ...data.test].map(({ question }) => question);
    assertEquals([questions.length, new Set(questions).size], [130, 130]);
    assertEquals(data.records.test, { read: 31, kept: 30, skipped: { "with something odd": 1 } });
    const { train, validation } = data.records;
    assertEquals(train!.read + validation!.read, 103);
    assertEquals(train!.kept + validation!.kept, 100);
    // In an order of chance, always the same.
    assertNotEquals(data.test.map(({ question }) => question), questions.slice(100).toSorted());
    assertEquals((await loadData("math", path, taking)).train, data.train);
  });
});

test("loadData() cuts all three pools where there is one file, and takes a single file for a folder", async () => {
  for (const [name, asked] of [["train.jsonl", {}], ["test-200.jsonl", { trainOnTest: true }]] as const) {
    await withDataFolder({ [name]: gsm8kFile(0, 200) }, async (path) => {
      for (const given of [path, `${path}/`, `${path}/${name}`]) {
        assertEquals(sizes(await loadData("math", given, taking, asked)), [160, 20, 20]);
      }
    });
  }
});

test("loadData() names the folder, what might be there, and the counts where nothing can be used", async () => {
  await withDataFolder({ "notes.md": "", "train.jsonl": '{"a": 1}\n' }, async (path) => {
    await assertRejects(
      () => loadData("math", path, taking),
      DataError,
      `Cannot find data in ${path}: none of its 2 files is of GSM8K (train.jsonl, test.jsonl); MetaMathQA (`,
    );
    await assertRejects(
      () => findData("math", path, ["gsm8k"]),
      DataError,
      "none of its 2 files is of GSM8K (train.jsonl, test.jsonl)",
    );
    await assertRejects(() => findData("math", `${path}/none`), DataError, "there is no such file or folder");
  });
  await withDataFolder({ "train.jsonl": gsm8kFile(0, 0, ["odd", "odder"]) }, async (path) => {
    await assertRejects(
      () => loadData("math", path, taking),
      DataError,
      `Cannot use ${path}/train.jsonl: no example is left, train: 2 read, 0 kept, 2 skipped (2 with something odd)`,
    );
  });
});

test("loadData() refuses a file of a published name that holds nothing, by name: it never stands back for the test set", async () => {
  const image = (value: number) => new Uint8Array([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, value, 1]);
  const labels = new Uint8Array([0, 0, 8, 1, 0, 0, 0, 2, 3, 4]);
  const question = gsm8kFile(0, 30);
  const parquet = (rows: readonly string[]) =>
    new Uint8Array(parquetWriteBuffer({
      columnData: [{ name: "question", data: [...rows], type: "STRING" }, {
        name: "answer",
        data: rows.map(() => "#### 1"),
        type: "STRING",
      }],
    }));
  const nothing = "it holds no record (an interrupted download?)";
  const none = "no example is there (an interrupted download?)";
  const faults: [TaskFamily, string, Record<string, string | Uint8Array>, string][] = [
    ["math", "train.jsonl", { "test.jsonl": question, "train.jsonl": "" }, nothing],
    ["math", "train.jsonl.gz", { "test.jsonl": question, "train.jsonl.gz": await gzip("") }, nothing],
    ["math", "train.jsonl", { "test.jsonl": question, "train.jsonl": "[]\n" }, nothing],
    ["math", "train.jsonl", {
      "test.jsonl": question,
      "train.jsonl": '{"question": "a", "answer": ""}\n',
    }, 'no example is left, train: 1 read, 0 kept, 1 skipped (1 "answer" is empty)'],
    ["math", "train.parquet", { "test.parquet": parquet(["a", "b"]), "train.parquet": parquet([]) }, nothing],
    ["math", "MetaMathQA-395K.json", { "test.jsonl": question, "MetaMathQA-395K.json": "\n" }, nothing],
    ["math", "test.jsonl", { "test.jsonl": "", "train.jsonl": question }, nothing],
    [
      "code",
      "CodeFeedback-Filtered-Instruction.jsonl",
      { "CodeFeedback-Filtered-Instruction.jsonl": "" },
      nothing,
    ],
    ["dialogue", "alpaca_data.json", { "alpaca_data.json": "[" }, "it ends within its array, at line 1"],
    [
      "understanding",
      "CoLA/train.tsv",
      { "CoLA/train.tsv": "", "CoLA/dev.tsv": "gj04\t1\t\tHe left.\n" },
      nothing,
    ],
    [
      "understanding",
      "train.tsv",
      { "train.tsv": "sentence\tlabel\n", "dev.tsv": "sentence\tlabel\na\t1\n" },
      none,
    ],
    ["vision", "mnist_train.csv", { "mnist_train.csv": "label,1x1\n", "mnist_test.csv": "1,0\n2,0\n" }, none],
    ["vision", "optdigits.tra", { "optdigits.tra": "", "optdigits.tes": optdigitsFile(9) }, none],
    ["vision", "(images as IDX, 2 files)", {
      "train-images-idx3-ubyte": image(0).fill(0, 7, 8).subarray(0, 16),
      "train-labels-idx1-ubyte": labels.subarray(0, 8).fill(0, 7, 8),
      "t10k-images-idx3-ubyte": image(7),
      "t10k-labels-idx1-ubyte": Uint8Array.from([0, 0, 8, 1, 0, 0, 0, 2, 3, 4]),
    }, none],
  ];
  for (const [family, name, files, wanted] of faults) {
    await withDataFolder(files, async (path) => {
      let count = 0;
      const load = () =>
        loadData<TaskFamily, object>(family, path, { convert: (one) => one, keyOf: () => String(count++) });
      const { message } = await assertRejects(load, DataError);
      assert(message.includes(name) && message.includes(wanted), message);
    });
  }
});

test("loadData() trains on what is published to test on only where it is asked to, and then on nothing else", async () => {
  const files = { "test.jsonl": gsm8kFile(0, 100) };
  await withDataFolder(files, async (path) => {
    const load = (options?: { readonly trainOnTest?: boolean }) => loadData("math", path, taking, options);
    const alone = "which are trained on only where --train-on-test asks for it";
    await assertRejects(
      load,
      DataError,
      `Cannot train on GSM8K in ${path}: it has test examples alone (test.jsonl), ${alone}`,
    );
    assertEquals(sizes(await load({ trainOnTest: true })), [80, 10, 10]);
    // A download that goes on under another name is none yet.
    await Deno.writeTextFile(`${path}/train.jsonl.part`, gsm8kFile(200, 230));
    await assertRejects(load, DataError, alone);
    await Deno.rename(`${path}/train.jsonl.part`, `${path}/train.jsonl`);
    assertEquals(sizes(await load()), [27, 3, 100]);
    await assertRejects(
      () => load({ trainOnTest: true }),
      DataError,
      `Cannot train on the test examples in ${path}: others are there to train on (train.jsonl)`,
    );
  });
  await withDataFolder({
    "val/a/1.png": encodePng({ width: 1, height: 1, channels: 1, data: Uint8Array.of(1) }),
    "val/b/1.png": encodePng({ width: 1, height: 1, channels: 1, data: Uint8Array.of(2) }),
  }, async (path) => {
    await assertRejects(
      () => loadData("vision", path, { convert: (image) => image, keyOf: ({ label }) => String(label) }),
      DataError,
      "it has validation examples alone (val/a/1.png, val/b/1.png)",
    );
  });
});

test("loadData() needs all of several numbered files, or takes the one that is named by itself", async () => {
  const part = (from: number) =>
    new Uint8Array(parquetWriteBuffer({
      columnData: ["question", "answer"].map((name) => ({
        name,
        data: Array.from({ length: 20 }, (_, i) => name === "answer" ? "#### 1" : `question ${from + i}`),
        type: "STRING",
      })),
    }));
  const name = (i: number) => `main/train-0000${i}-of-00003.parquet`;
  await withDataFolder({ [name(0)]: part(0), [name(2)]: part(40) }, async (path) => {
    await assertRejects(
      () => loadData("math", path, taking),
      DataError,
      `Cannot use ${path}/${
        name(0)
      }: it is one of 3 files of which 2 are there (an interrupted download? name it by itself`,
    );
    assertEquals(sizes(await loadData("math", `${path}/${name(0)}`, taking)), [16, 2, 2]);
    await Deno.writeFile(`${path}/${name(1)}`, part(20));
    assertEquals(sizes(await loadData("math", path, taking)), [48, 6, 6]);
  });
});

test("loadData() takes one data set a pool, and names those that lie beside it", async () => {
  const two = { "main/test.jsonl": gsm8kFile(0, 9), "socratic/test.jsonl": gsm8kFile(20, 29) };
  await withDataFolder({ "train.jsonl": gsm8kFile(100, 140), ...two }, async (path) => {
    await assertRejects(
      () => loadData("math", path, taking),
      DataError,
      `Cannot use ${path}: it has test examples of GSM8K (main/test.jsonl) and GSM8K (socratic/test.jsonl), and each score`,
    );
  });
  const csv = (label: number) => Array.from({ length: 40 }, (_, i) => `${label},${i}\n`).join("");
  const images = { "mnist_train.csv": csv(1), "fashion_train.csv": csv(2) };
  await withDataFolder({
    ...images,
    "mnist_test.csv": csv(3),
    "one/b_train.csv": csv(1),
    "one/b_test.csv": csv(2),
  }, async (path) => {
    const load = (path: string) =>
      loadData("vision", path, {
        convert: (image) => image,
        keyOf: ({ label, pixels }) => `${label} ${pixels}`,
      });
    await assertRejects(
      () => load(path),
      DataError,
      "training examples of images as CSV (fashion_train.csv) and images as CSV (mnist_train.csv) and images as CSV (one/b_",
    );
    assertEquals((await load(`${path}/one`)).title, "images as CSV");
  });
  // Several files of one data set, in one folder, are one.
  await withDataFolder(
    { "train-1.jsonl": gsm8kFile(0, 20), "train-2.jsonl": gsm8kFile(20, 40) },
    async (path) => {
      assertEquals(sizes(await loadData("math", path, taking)), [32, 4, 4]);
    },
  );
});

test("fingerprintData() tells content and names, not places, and only of files that are read", async () => {
  const file = gsm8kFile(0, 3);
  const prints: string[] = [];
  const files: Record<string, string>[] = [
    { "train.jsonl": file },
    { "train.jsonl": file, "readme.md": "x" },
    { "train.jsonl": file.replace("question 2", "question 7") },
    { "train-2.jsonl": file },
  ];
  for (const some of files) {
    await withDataFolder(some, async (path) => {
      const print = await fingerprintData("math", path);
      assertEquals(print, (await loadData("math", path, taking)).fingerprint);
      prints.push(print);
    });
  }
  assertEquals(prints[0], prints[1]);
  assertEquals(new Set(prints).size, 3);
  assert(/^[0-9a-f]{64}$/.test(prints[0]!));
});

Deno.test("every data set has an id of its own, names for people, and a family that lists it", () => {
  const all = Object.values(dataSets);
  assertEquals(new Set(all.map(({ id }) => id)).size, all.length);
  for (const set of all) {
    assert(set.files.length > 0 && set.source.startsWith("http"), set.id);
    assertEquals(dataSetsOf(set.family, [set.id]).map(({ id }) => id), [set.id]);
  }
});

Deno.test("describeRecord() says how many were left out and why", () => {
  const tally = createTally();
  for (let i = 0; i < 1200; i++) tally.keep();
  const [long, none] = [{ kind: "too-long", most: 64 }, { kind: "no-label" }] as const;
  for (const reason of [none, long, none, long, none]) tally.skip({ ...reason });
  assertEquals(
    describeRecord(tally.record()),
    "1,205 read, 1,200 kept, 5 skipped (2 longer than 64 tokens, 3 without a label)",
  );
  assertEquals(tally.reasons(), [none, long]);
  assertEquals(describeRecord(createTally().record()), "0 read, 0 kept, 0 skipped");
});
