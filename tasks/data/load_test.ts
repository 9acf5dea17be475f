import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { withDataFolder } from "../../tests/data_folder.ts";
import type { Question } from "./contents.ts";
import { DataError } from "./data_error.ts";
import { dataSetsOf, findData, fingerprintData, loadData, type Taking } from "./load.ts";
import * as dataSets from "./mod.ts";
import { createTally, describeRecord } from "./read_record.ts";

const taking: Taking<Question, Question> = {
  convert: (question) => question.question.includes("odd") ? { skip: "with something odd" } : question,
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

Deno.test("loadData() keeps the published test examples, cuts validation from training, and shares none", async () => {
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

Deno.test("loadData() cuts all three pools where there is one file, and takes a single file for a folder", async () => {
  for (const [name, asked] of [["train.jsonl", {}], ["test-200.jsonl", { trainOnTest: true }]] as const) {
    await withDataFolder({ [name]: gsm8kFile(0, 200) }, async (path) => {
      for (const given of [path, `${path}/`, `${path}/${name}`]) {
        assertEquals(sizes(await loadData("math", given, taking, asked)), [160, 20, 20]);
      }
    });
  }
});

Deno.test("loadData() names the folder, what might be there, and the counts where nothing can be used", async () => {
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

Deno.test("fingerprintData() tells content and names, not places, and only of files that are read", async () => {
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
  tally.skip("too long");
  tally.skip("empty");
  tally.skip("too long");
  assertEquals(describeRecord(tally.record()), "1,203 read, 1,200 kept, 3 skipped (1 empty, 2 too long)");
  assertEquals(describeRecord(createTally().record()), "0 read, 0 kept, 0 skipped");
});
