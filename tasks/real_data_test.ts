import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { optdigitsFile, withDataFolder } from "../tests/support/data_folder.ts";
import { testOnPublic } from "../tests/support/public_files.ts";
import { arithmetic } from "./math/arithmetic.ts";
import { DataError } from "./data/data_error.ts";
import { dialogueState } from "./dialogue/dialogue_state.ts";
import { digits } from "./images/digits.ts";
import { acceptability } from "./understanding/acceptability.ts";
import { answering } from "./understanding/answering.ts";
import { paraphrase } from "./understanding/paraphrase.ts";
import { wordSenses } from "./understanding/word_senses.ts";
import { decodeWords, encodeWords, END } from "./understanding/words.ts";
import { writingPredictor } from "../tests/support/scripted_predictor.ts";
import { FILES, testNeeding } from "../tests/support/test_needing.ts";
import { wordPieceFiles } from "../tests/support/tokenizer_folder.ts";
import type { Predictor } from "./task.ts";
import { type Batch, IGNORE } from "../models/model.ts";
import { decode, encode, STOP } from "./text/tokenizer.ts";

const test = testNeeding(FILES);

const options = { seed: 0, trainExamples: 20, validationExamples: 4, testExamples: 5 };

test("digits says how many real images there are where more are asked for", async () => {
  await withDataFolder(
    { "optdigits.tra": optdigitsFile(17), "optdigits.tes": optdigitsFile(9) },
    async (data) => {
      await assertRejects(
        () => digits.load({ ...options, data }),
        DataError,
        `Cannot take 20 training examples of "digits": there are `,
      );
    },
  );
});

testOnPublic(
  ["optdigits"],
  "digits takes real images: resized, from -1 to 1, with a record of what it read",
  async (path) => {
    const data = await digits.load({
      ...options,
      trainExamples: 1400,
      testExamples: 179,
      data: path,
      trainOnTest: true,
    });
    assertEquals(data.needs, { family: "vision", outputs: 10, inputSize: 28 });
    assertEquals(data.source!.title, "optdigits");
    assertEquals(Object.values(data.source!.records).reduce((sum, { read }) => sum + read, 0), 1797);
    const batch = data.trainBatch(1, 7);
    assert(batch.family === "vision");
    assertEquals(batch.pixels.shape, [7, 1, 28, 28]);
    assert(
      batch.pixels.data.every((value) => value >= -1 && value <= 1) && new Set(batch.pixels.data).size > 20,
    );
    assertEquals(data.source!.fingerprint, await digits.realData!.fingerprint(path));
  },
);

test("digits refuses more classes than the model has, and a folder without images, by name", async () => {
  await withDataFolder({ "optdigits.tra": optdigitsFile(200, (i) => i % 12) }, async (data) => {
    await assertRejects(
      () => digits.load({ ...options, data }),
      DataError,
      `Cannot use ${data} for "digits": it has 12 classes, 10 at most are needed`,
    );
  });
  await withDataFolder({ "train.tsv": "a\tb\n" }, async (data) => {
    await assertRejects(() => digits.load({ ...options, data }), DataError, `Cannot find data in ${data}`);
  });
});

test("arithmetic takes the real questions that fit, counts the others, and scores final answers", async () => {
  const line = (question: string, answer: string) => `${JSON.stringify({ question, answer })}\n`;
  const fitting = Array.from(
    { length: 40 },
    (_, i) => line(`Tom has ${i}, gets 2.`, `${i}+2=<<${i}+2=${i + 2}>>${i + 2}\n#### ${i + 2}`),
  );
  const file = [
    ...fitting,
    line("How much is $5?", "#### 5"),
    line("why ".repeat(30), "#### 1"),
    line("x", "no"),
  ].join("");
  await withDataFolder({ "train.jsonl": file }, async (path) => {
    const data = await arithmetic.load({ ...options, testExamples: 4, data: path });
    const records = Object.values(data.source!.records);
    assertEquals(records.reduce((sum, { read }) => sum + read, 0), 43);
    assertEquals(data.source!.records["train"]!.skipped, {
      "longer than 80 tokens": 1,
      "with characters that the tokenizer lacks": 1,
      "without a final answer behind ####": 1,
    });
    const batch = data.trainBatch(1, 3);
    assert(batch.family === "decoder");
    const row = [...batch.tokens.data.subarray(0, 80)];
    const text = decode(row.slice(0, row.indexOf(STOP)));
    const [, start] = /^tom has (\d+), gets 2\. /.exec(text)!;
    assertEquals(text, `tom has ${start}, gets 2. ${start}+2=${Number(start) + 2} = ${Number(start) + 2}`);
    // Loss on the answer and the stop token alone.
    const learned = [...batch.targets.data.subarray(0, 80)].filter((target) => target !== IGNORE);
    assertEquals(decode(learned), `${start}+2=${Number(start) + 2} = ${Number(start) + 2}\n`);
    /** Scores and measure of what is written. */
    const judge = async (write: (start: number) => string) => {
      const predictor = writingPredictor((prompt) =>
        encode(`${write(Number(/has (\d+)/.exec(decode(prompt))![1]))}\n`)
      );
      const { "flexible match": flexible } = await data.measure!(predictor, "test");
      return [[...await data.score(predictor, "test")], Array.from(flexible!.values)];
    };
    const [right, wrong] = [[1, 1, 1, 1], [0, 0, 0, 0]];
    assertEquals(await judge((start) => `${start}+2=${start + 2} = ${start + 2}`), [right, right]);
    assertEquals(await judge((start) => `so = ${start + 2}.0`), [right, right]);
    assertEquals(await judge((start) => `so the answer is: ${start + 2}`), [right, right]);
    assertEquals(await judge((start) => `so ${start + 2}.0`), [wrong, right]);
    assertEquals(await judge((start) => `${start + 2} or ${start}`), [wrong, wrong]);
    assertEquals(await judge(() => "no"), [wrong, wrong]);
  });
});

testOnPublic(
  ["gsm8k"],
  "arithmetic does not pretend: of GSM8K's real questions hardly any fits, and that is said",
  async (data) => {
    await assertRejects(
      () => arithmetic.load({ ...options, data, trainOnTest: true }),
      DataError,
      "200 read, 0 kept, 200 skipped",
    );
  },
);

test("dialogueState takes the real conversations that fit, the last reply of each, and scores it to the letter", async () => {
  const instructed = (instruction: string, output: string, input = "") => ({ instruction, input, output });
  const said = (from: string, value: string) => ({ from, value });
  const conversations = [
    said("system", "Be brief."),
    said("human", "Hi"),
    said("gpt", "Yes?"),
    said("human", "Bye"),
    said("gpt", "Bye!"),
  ];
  const file = JSON.stringify([
    { conversations },
    ...Array.from({ length: 40 }, (_, i) => instructed(`Double\nthis:`, `It is\n\n${2 * i}.`, `${i}`)),
    instructed("Say nothing.", " \n "),
    instructed("Name a currency.", "The €"),
    instructed("Why? ".repeat(20), "So."),
    instructed("Double this:", "again", "7"),
  ]);
  await withDataFolder({ "WizardLM_evol_instruct_V2_143k.json": file }, async (path) => {
    const taken = { ...options, trainExamples: 33, testExamples: 4, data: path };
    const data = await dialogueState.load(taken);
    assertEquals(data.needs, { family: "decoder", outputs: 56, inputSize: 96 });
    const { title, fingerprint, records } = data.source!;
    assertEquals(title, "WizardLM");
    assertEquals(fingerprint, await dialogueState.realData!.fingerprint(path));
    assertEquals(records["train"], {
      read: 37,
      kept: 33,
      skipped: {
        '"output" is empty': 1,
        "held out elsewhere or there twice": 1,
        "longer than 96 tokens": 1,
        "with characters that the tokenizer lacks": 1,
      },
    });
    assertEquals(records["test"], { read: 4, kept: 4, skipped: {} });

    const batch = data.trainBatch(1, 33);
    assert(batch.family === "decoder");
    const texts = Array.from({ length: 33 }, (_, row) => {
      const cut = (all: Int32Array) => all.subarray(96 * row, 96 * (row + 1));
      const learned = decode(cut(batch.targets.data).filter((target) => target !== IGNORE));
      const [text] = decode(cut(batch.tokens.data)).split("\0");
      assert(text!.endsWith(`=${learned}`), text);
      return text!;
    });
    assertEquals(new Set(texts).size, 33);
    for (const text of texts) {
      const [, number] = /^>double this: (\d+)=it is \d+\.\n$/.exec(text) ?? [];
      const wanted = number === undefined
        ? ">be brief.>hi<yes?>bye=bye!\n"
        : `>double this: ${number}=it is ${2 * Number(number)}.\n`;
      assert(text === wanted || text === ">double this: 7=again\n", text);
    }
    // Another seed gives the same examples in another order.
    assertNotEquals((await dialogueState.load({ ...taken, seed: 1 })).trainBatch(1, 33), batch);

    const doubled = (end: string) => (prompt: Int32Array) => {
      const [, number] = /: (\d+)=$/.exec(decode(prompt)) ?? [];
      return encode(`it is ${2 * Number(number)}${end}`);
    };
    const right = writingPredictor(doubled(".\n"));
    assertEquals([...await data.score(right, "test")], [1, 1, 1, 1]);
    const measured = await data.measure!(right, "test");
    assertEquals([...Array.from(measured["exact reply"]!.values)], [1, 1, 1, 1]);
    assertEquals([...Array.from(measured["loss a token"]!.values)], [0, 0, 0, 0]);
    for (const end of [".", "", ".!\n"]) {
      assertEquals([...await data.score(writingPredictor(doubled(end)), "test")], [0, 0, 0, 0]);
    }
  });
});

testOnPublic(
  ["mtbench"],
  "dialogueState says what MT-Bench's questions lack, where there is nothing else",
  async (data) => {
    await assertRejects(
      () => dialogueState.load({ ...options, data, trainOnTest: true }),
      DataError,
      "test: 80 read, 0 kept, 80 skipped (80 without a reply, as a judge is to score it)",
    );
  },
);

test("data that changed since a run was planned is refused", async () => {
  await withDataFolder({ "optdigits.tra": optdigitsFile(200) }, async (data) => {
    const fingerprint = await digits.realData!.fingerprint(data);
    assertEquals((await digits.load({ ...options, data, fingerprint })).source!.fingerprint, fingerprint);
    await Deno.writeTextFile(`${data}/optdigits.tra`, optdigitsFile(201));
    await assertRejects(() => digits.load({ ...options, data, fingerprint }), DataError, "its files changed");
  });
});

test("acceptability takes CoLA as T5 asks it, and counts sentences that are too long", async () => {
  const line = (i: number, sentence: string) => `gj04\t${i % 2}\t${i % 2 ? "" : "*"}\t${sentence}\n`;
  const fitting = Array.from({ length: 60 }, (_, i) => line(i, `The dog ${1000 + i} chased "the cat.`));
  const dev = Array.from({ length: 9 }, (_, i) => line(i, `A cat slept ${"well ".repeat(i)}.`)).join("");
  const file = [...fitting, line(0, "word ".repeat(36)), line(1, "word ".repeat(37))].join("");
  await withDataFolder(
    { "CoLA/train.tsv": file, "CoLA/dev.tsv": dev },
    async (path) => {
      const data = await acceptability.load({ ...options, data: path });
      assertEquals(data.needs, { family: "encoder-decoder", outputs: 2048, inputSize: 40 });
      // "cola sentence :", 36 words and the end are 40 tokens.
      assertEquals(data.source!.records["train"]!.skipped, {
        "longer than 40 tokens": 1,
      });
      const batch = data.trainBatch(1, 8);
      assert(batch.family === "encoder-decoder");
      for (let row = 0; row < 8; row++) {
        const tokens = [...batch.inputs.data.subarray(40 * row, 40 * row + 40)];
        const text = decodeWords(tokens.slice(0, tokens.indexOf(END)));
        assert(
          /^cola sentence : (the dog <number> chased <other> the cat|(<word> )+)/.test(text),
          text,
        );
      }
      const scores = await data.score(
        writingPredictor(() => Int32Array.of(...encodeWords("acceptable"), END)),
        "test",
      );
      const { values, labels } = (await data.measure!(
        writingPredictor(() => encodeWords("acceptable")),
        "test",
      ))["Matthews correlation"]!;
      assertEquals([[...Array.from(values)], labels!.length], [[1, 1, 1, 1, 1], 5]);
      assertEquals(Array.from(labels!), [...scores]);
    },
  );
});

/** What a training batch reads and writes, a row each. */
function rowsOf(batch: Batch): [read: string, written: string][] {
  assert(batch.family === "encoder-decoder");
  const { inputs, targets } = batch,
    [rows, length] = inputs.shape as [number, number],
    target = targets.shape[1]!;
  const wordsOf = (tokens: Int32Array) => decodeWords(tokens.subarray(0, tokens.indexOf(END)));
  return Array.from({ length: rows }, (_, row) => [
    wordsOf(inputs.data.subarray(row * length, (row + 1) * length)),
    wordsOf(targets.data.subarray(row * target, (row + 1) * target)),
  ]);
}

test("paraphrase takes MRPC, with its byte-order mark and lone quotes, as T5 asks it", async () => {
  const lines = Array.from(
    { length: 60 },
    (_, i) => [i % 2, i, i + 1, `The "dog ${i + 10} ran.`, `A dog " ran ${i + 10}.`].join("\t"),
  );
  const file = ["\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String", ...lines, ""].join("\r\n");
  await withDataFolder({ "MRPC/train.tsv": file }, async (path) => {
    const data = await paraphrase.load({ ...options, data: path });
    assertEquals(data.source!.title, "MRPC");
    const rows = rowsOf(data.trainBatch(1, 16));
    for (const [read] of rows) {
      assertEquals(
        read,
        "mrpc sentence 1 : the <other> dog <number> <word> . sentence 2 : a dog <other> <word> <number> .",
      );
    }
    assertEquals(new Set(rows.map(([, written]) => written)), new Set(["equivalent", "not_equivalent"]));
  });
});

test("A model of one's own that classifies takes GLUE: pairs as its tokenizer writes them, and Matthews of its classes", async () => {
  const pair = (i: number) => [i % 2, i, i + 1, `the dog ${i} ran`, `a dog ran ${i}`].join("\t");
  const header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String";
  const sentence = (i: number) => `gj04\t${i % 2}\t\tThe dog ${i} ran.`;
  const files = {
    "MRPC/train.tsv": [header, ...Array.from({ length: 60 }, (_, i) => pair(i)), ""].join("\n"),
    "CoLA/train.tsv": [...Array.from({ length: 60 }, (_, i) => sentence(i)), ""].join("\n"),
    ...wordPieceFiles("bert", ["the", "dog", "ran"]),
  };
  await withDataFolder(files, async (path) => {
    const model = {
      ...{ family: "encoder", outputs: 3, vocabulary: 90, inputSize: 20, tokenTypes: 2 } as const,
      folder: `${path}/bert`,
    };
    const pairs = await paraphrase.load({ ...options, data: `${path}/MRPC` }, model);
    assertEquals(pairs.needs, { family: "encoder", outputs: 2, inputSize: 20 });
    const batch = pairs.trainBatch(1, 4);
    assert(batch.family === "encoder");
    const read = [...batch.tokens.data.subarray(0, batch.tokens.shape[1])];
    const end = read.indexOf(3);
    assertEquals([read.slice(0, 3), read.filter((token) => token === 3).length], [[2, 4, 5], 2]);
    assertEquals([...batch.types!.data.subarray(end - 1, end + 3)], [0, 0, 1, 1]);

    const single = await acceptability.load({ ...options, data: `${path}/CoLA` }, model);
    const texts = single.trainBatch(1, 4);
    assert(texts.family === "encoder" && texts.types === undefined);
    // It takes everything for the second class.
    const predictor = {
      follows: (_: unknown, classes: readonly Int32Array[]) =>
        Promise.resolve(classes.map(([one]) => one === 1)),
    } as unknown as Predictor;
    const scores = await single.score(predictor, "test");
    const { values, labels } = (await single.measure!(predictor, "test"))["Matthews correlation"]!;
    assertEquals(Array.from(values), Array.from(scores, () => 1));
    assertEquals(Array.from(labels!), Array.from(scores));
    assertEquals(new Set(scores).size, 2);
  });
});

test("answering takes QNLI or RTE, each asked in its own way, and not both for one score", async () => {
  const lines = (first: string, second: string) =>
    Array.from(
      { length: 60 },
      (_, i) => [i, `${first} ${i} ?`, `${second} ${i}.`, i % 2 ? "entailment" : "not_entailment"].join("\t"),
    );
  const qnli = ["index\tquestion\tsentence\tlabel", ...lines("Who", "The dog"), ""].join("\n");
  const rte = ["index\tsentence1\tsentence2\tlabel", ...lines("The cat", "A cat"), ""].join("\n");
  const titles = new Map([
    ["QNLI", { "QNLI/train.tsv": qnli }],
    ["RTE", { "RTE/train.tsv": rte }],
  ]);
  for (const [title, files] of titles) {
    await withDataFolder(files, async (path) => {
      const data = await answering.load({ ...options, data: path });
      assertEquals(data.source!.title, title);
      const asked = new Set(
        rowsOf(data.trainBatch(1, 20)).map(([read]) => read.split(" ").slice(0, 2).join(" ")),
      );
      // "rte" is no word of the list.
      const starts = { QNLI: "qnli question", RTE: "<word> sentence" };
      for (const [set, start] of Object.entries(starts)) {
        assertEquals(asked.has(start), title === set, title);
      }
    });
  }
  await withDataFolder(Object.assign({}, ...titles.values()), async (path) => {
    await assertRejects(
      () => answering.load({ ...options, data: path }),
      DataError,
      `Cannot use ${path}: it has training examples of QNLI (QNLI/train.tsv) and RTE (RTE/train.tsv), and each score is of ` +
        "one data set; name the folder or the file of one, or a folder with one to train on and one to test on",
    );
    assertEquals((await answering.load({ ...options, data: `${path}/RTE` })).source!.title, "RTE");
  });
  // Published to train on alone, and to test on: the score is that of RTE.
  const mixed = { "QNLI/train.tsv": qnli, "RTE/dev.tsv": rte };
  await withDataFolder(mixed, async (path) => {
    assertEquals((await answering.load({ ...options, data: path })).source!.title, "QNLI and RTE");
  });
});

test("acceptability refuses real texts that all have one label, and tells what always answering the commonest scores", async () => {
  const file = (label: (i: number) => number) =>
    Array.from({ length: 80 }, (_, i) => `gj04\t${label(i)}\t\tThe dog ${100 + i} ran.\n`).join("");
  await withDataFolder(
    { "train.tsv": file(() => 1), "three/train.tsv": file((i) => i % 4 === 0 ? 0 : 1) },
    async (path) => {
      await assertRejects(
        () => acceptability.load({ ...options, data: `${path}/train.tsv` }),
        DataError,
        `Cannot use ${path}/train.tsv for "acceptability": all of its examples are "acceptable", two labels are needed`,
      );
      const data = await acceptability.load({ ...options, testExamples: 8, data: `${path}/three` });
      const scores = await data.score(
        writingPredictor(() => Int32Array.of(...encodeWords("acceptable"), END)),
        "test",
      );
      const right = scores.reduce((sum, score) => sum + score, 0) / 8;
      assert(right > 0.5 && right < 1, String(right));
      assertEquals(data.commonest!("test"), right);
    },
  );
});

Deno.test("word-senses has no other real data to take", () => {
  assertEquals(wordSenses.realData, undefined);
});
