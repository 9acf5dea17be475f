import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Batch, IGNORE } from "../../models/model.ts";
import { withDataFolder } from "../../tests/support/data_folder.ts";
import { writingPredictor } from "../../tests/support/scripted_predictor.ts";
import { testOnPublic } from "../../tests/support/public_files.ts";
import { byteLevelTokenizer, tokenizerFiles, unigramFiles } from "../../tests/support/tokenizer_folder.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { DataError } from "../data/data_error.ts";
import { dialogueState } from "../dialogue/dialogue_state.ts";
import { arithmetic } from "../math/arithmetic.ts";
import type { Task, TaskData } from "../task.ts";
import { acceptability } from "../understanding/acceptability.ts";
import { inference } from "../understanding/inference.ts";
import { sentiment } from "../understanding/sentiment.ts";
import { readTokenizer } from "./hugging_face_tokenizer.ts";
import { conversationPrompt, instructionPrompt } from "./prompt_templates.ts";
import type { Tokenizer } from "./tokenizer.ts";

const test = testNeeding(FILES);

/** Two tokens more than the byte-level tokenizer has. */
const OUTPUTS = 260;
const options = { seed: 0, trainExamples: 20, validationExamples: 4, testExamples: 4 };

const lines = (rows: readonly unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
const write = (text: string) => [...byteLevelTokenizer.encode(text), byteLevelTokenizer.stop];
const count = (total: number, made: (i: number) => unknown) =>
  Array.from({ length: total }, (_, i) => made(i));

/** A decoder's rows: the text up to the stop token, and the part of it that counts, at the places before it. */
function rowsOf(batch: Batch): { text: string; learned: string }[] {
  assert(batch.family === "decoder");
  const [rows, length] = batch.tokens.shape as [number, number];
  return Array.from({ length: rows }, (_, row) => {
    const cut = (all: Int32Array) => all.subarray(row * length, (row + 1) * length);
    const tokens = cut(batch.tokens.data), targets = cut(batch.targets.data);
    const end = tokens.indexOf(byteLevelTokenizer.stop);
    assert(end > 0 && tokens.subarray(end + 1).every((token) => token === byteLevelTokenizer.stop));
    const first = targets.findIndex((target) => target !== IGNORE);
    assertEquals([...targets.subarray(first, end)], [...tokens.subarray(first + 1, end + 1)]);
    assert(targets.subarray(end).every((target) => target === IGNORE));
    return {
      text: byteLevelTokenizer.decode(tokens.subarray(0, end)),
      learned: byteLevelTokenizer.decode(tokens.subarray(first + 1, end)),
    };
  });
}

/** Tokens of a row of every batch. */
function rowLengths(data: TaskData): number[] {
  return [data.trainBatch(1, 20), ...data.validationBatches(3)].map((batch) => {
    assert(batch.family === "decoder" || batch.family === "encoder-decoder");
    return (batch.family === "decoder" ? batch.tokens : batch.inputs).shape[1]!;
  });
}

test("arithmetic takes real questions in the user's model's tokens, by the template, and scores what is written as text", async () => {
  const LENGTH = 260;
  const problem = (i: number) => ({
    question: `Tom has $${i},\ngets 2. How much?`,
    answer: `He has ${i}+2=<<${i}+2=${i + 2}>>${i + 2}.\n#### ${i + 2}`,
  });
  const answer = (i: number) => problem(i).answer.replace(/<<.*>>/, "");
  await withDataFolder({
    "data/train.jsonl": lines([
      ...count(24, problem),
      { question: "Why? ".repeat(40), answer: "#### 1" },
      { question: "What is <|stop|>?", answer: "#### 1" },
      { question: "None.", answer: "none" },
    ]),
    "data/test.jsonl": lines(count(4, (i) => problem(1000 + i))),
    ...tokenizerFiles("model"),
    ...tokenizerFiles("other", ["Tom has $"]),
  }, async (folder) => {
    const path = `${folder}/data`, model = { outputs: OUTPUTS, inputSize: LENGTH, folder: `${folder}/model` };
    const given = { ...options, validationExamples: 2, data: path };
    const data = await arithmetic.load(given, model);
    assertEquals(data.needs, { family: "decoder", outputs: OUTPUTS, inputSize: LENGTH });
    assertEquals(data.source!.fingerprint, await arithmetic.realData!.fingerprint(path));
    assertEquals(data.source!.records["train"], {
      read: 25,
      kept: 22,
      skipped: {
        [`longer than ${LENGTH} tokens`]: 1,
        "with characters that the tokenizer lacks": 1,
        "without a final answer behind ####": 1,
      },
    });
    const batches = [data.trainBatch(1, 20), ...data.validationBatches(3)], rows = batches.flatMap(rowsOf);
    for (const { text, learned } of rows) {
      const i = Number(/has \$(\d+),/.exec(text)![1]);
      assertEquals(text, `${instructionPrompt(problem(i).question)}${answer(i)}`);
      assertEquals(learned, answer(i));
    }
    assertEquals(new Set(rows.map(({ text }) => text)).size, 22);
    const longest = Math.max(...rows.map(({ text }) => text.length + 1));
    assert(longest < LENGTH);
    assertEquals(rowLengths(data), [longest, longest]);

    /** Scores and flexible match of what is written for the problem of each number. */
    const judge = async (reply: (i: number) => ArrayLike<number>) => {
      const predictor = writingPredictor((prompt) => {
        const [, number] = /has \$(\d+),\ngets 2\. How much\?\n\n### Response:\n$/.exec(
          byteLevelTokenizer.decode(prompt),
        )!;
        return reply(Number(number));
      });
      const { "flexible match": flexible } = await data.measure!(predictor, "test");
      return [[...await data.score(predictor, "test")], Array.from(flexible!.values)];
    };
    const [right, wrong] = [[1, 1, 1, 1], [0, 0, 0, 0]];
    assertEquals(await judge((i) => write(answer(i))), [right, right]);
    assertEquals(await judge((i) => write(`Hm.\nThe answer is: $1,00${i - 998}.00`)), [right, right]);
    assertEquals(await judge((i) => write(`so ${i + 2}`)), [wrong, right]);
    assertEquals(await judge((i) => write(answer(i + 1))), [wrong, wrong]);
    assertEquals(await judge((i) => i % 2 ? write(answer(i)) : []).then(([scores]) => scores!.toSorted()), [
      0,
      0,
      1,
      1,
    ]);
    // A token that only the model has is no text.
    assertEquals(await judge((i) => [258, ...write(answer(i))]), [wrong, wrong]);

    // Another tokenizer, other tokens; and a model of the project's takes none of it.
    const other = await arithmetic.load(given, { ...model, folder: `${folder}/other` });
    const own = await readTokenizer(`${folder}/other`);
    assertEquals(rowLengths(other), [longest - 1, longest - 1]);
    assert([...own.encode("Tom has $")].length < byteLevelTokenizer.encode("Tom has $").length);
    await assertRejects(
      () => arithmetic.load(given, { outputs: 56, inputSize: 80 }),
      DataError,
      `Cannot use ${path}/test.jsonl: no example is left, test: 4 read, 0 kept`,
    );
    assertEquals(rowLengths(await arithmetic.load(given, model)), [longest, longest]);
  });
});

test("Rows are as long as the longest text that is learned or validated with, and no question is in two pools", async () => {
  const problem = (i: number, answer = i) => ({
    question: `What is ${"really ".repeat(i % 7)}${i}?`,
    answer: `It is so.\n#### ${answer}`,
  });
  await withDataFolder({
    // What is tested on, with another answer.
    "data/train.jsonl": lines([...count(40, (i) => problem(i)), problem(101, 0), problem(103, 0)]),
    "data/test.jsonl": lines(count(4, (i) => problem(100 + i))),
    ...tokenizerFiles("model"),
  }, async (folder) => {
    const model = { outputs: OUTPUTS, inputSize: 400, folder: `${folder}/model` };
    const load = (trainExamples: number, validationExamples: number) =>
      arithmetic.load({ ...options, trainExamples, validationExamples, data: `${folder}/data` }, model);
    const lengthOf = ({ text }: { text: string }) => text.length + 1;
    const data = await load(1, 2);
    const learned = rowsOf(data.trainBatch(1, 1)), validated = [...data.validationBatches(2)].flatMap(rowsOf);
    // Else this tests nothing.
    assert(Math.max(...validated.map(lengthOf)) > Math.max(...learned.map(lengthOf)));
    assertEquals(rowLengths(data)[0], Math.max(...[...learned, ...validated].map(lengthOf)));
    const held = Object.values(data.source!.records).map(({ skipped }) =>
      skipped["held out elsewhere or there twice"] ?? 0
    );
    assertEquals(held.reduce((sum, one) => sum + one), 2);
  });
});

testOnPublic(
  ["gsm8k"],
  "arithmetic takes all of GSM8K's questions in a model's tokens, and MetaMathQA's answers",
  async (gsm8k) => {
    await withDataFolder(tokenizerFiles("model"), async (folder) => {
      const model = { outputs: OUTPUTS, inputSize: 2048, folder: `${folder}/model` };
      const given = {
        ...options,
        trainExamples: 160,
        validationExamples: 20,
        testExamples: 20,
        data: gsm8k,
        trainOnTest: true,
      } as const;
      const data = await arithmetic.load(given, model);
      const kept = Object.values(data.source!.records).reduce((sum, record) => sum + record.kept, 0);
      assertEquals(kept, 200);
      const [row] = rowsOf(data.trainBatch(1, 1));
      assert(/#### -?[\d,.]+$/.test(row!.learned) && !row!.learned.includes("<<"), row!.learned);
    });
    const answer = (i: number) => `It is ${i}.\nThe answer is: ${i}`;
    await withDataFolder({
      ...tokenizerFiles("model"),
      "data/MetaMathQA-395K.json": JSON.stringify(count(60, (i) => ({
        query: `What is ${i}?`,
        response: answer(i),
      }))),
    }, async (folder) => {
      const model = { outputs: OUTPUTS, inputSize: 300, folder: `${folder}/model` };
      const data = await arithmetic.load({ ...options, data: `${folder}/data` }, model);
      const right = writingPredictor((prompt) =>
        write(answer(Number(/What is (\d+)\?/.exec(byteLevelTokenizer.decode(prompt))![1])))
      );
      assertEquals([...await data.score(right, "test")], [1, 1, 1, 1]);
    });
  },
);

test("dialogueState takes real conversations in the user's model's tokens, and scores the last reply to the letter", async () => {
  const LENGTH = 300;
  const said = (from: string, value: string) => ({ from, value });
  const talk = [
    said("system", "Be brief."),
    said("human", "Hi"),
    said("gpt", "Yes?"),
    said("human", "Bye"),
    said("gpt", "So be it!\n"),
  ];
  const question = { question_id: 1, category: "math", turns: ["Add 1."], reference: ["3"] };
  const doubled = (i: number) => `It is\n\n${2 * i} €.`;
  await withDataFolder({
    "data/WizardLM_evol_instruct_V2_143k.json": JSON.stringify([
      { conversations: talk },
      ...count(40, (i) => ({ instruction: "Double\nTHIS:", input: `${i}`, output: ` ${doubled(i)} ` })),
      { instruction: "Why? ".repeat(60), input: "", output: "So." },
      { instruction: "Repeat.", input: "", output: "I end with <|stop|>" },
    ]),
    "both/alpaca_data.json": JSON.stringify(
      count(40, (i) => ({ instruction: "Add", input: `${i}`, output: "1" })),
    ),
    "both/question.jsonl": lines([question]),
    ...tokenizerFiles("model"),
  }, async (folder) => {
    const model = { outputs: OUTPUTS, inputSize: LENGTH, folder: `${folder}/model` };
    const given = { ...options, trainExamples: 33, data: `${folder}/data` };
    const data = await dialogueState.load(given, model);
    assertEquals(data.needs, { family: "decoder", outputs: OUTPUTS, inputSize: LENGTH });
    assertEquals(data.source!.title, "WizardLM");
    assertEquals(data.source!.records["train"]!.skipped, {
      [`longer than ${LENGTH} tokens`]: 1,
      "with characters that the tokenizer lacks": 1,
    });
    // What MT-Bench asks is not to be scored by replies, and a tenth of Alpaca is no stand-in that nobody asked for.
    await assertRejects(
      () => dialogueState.load({ ...given, data: `${folder}/both` }, model),
      DataError,
      `Cannot use ${folder}/both/question.jsonl: no example is left, test: 1 read, 0 kept, 1 skipped (1 without a reply, ` +
        "as a judge is to score it)",
    );
    const rows = [data.trainBatch(1, 33), ...data.validationBatches(4)].flatMap(rowsOf);
    assertEquals(new Set(rows.map(({ text }) => text)).size, 37);
    for (const { text, learned } of rows) {
      const [, number] = /THIS:\n\n(\d+)\n/.exec(text) ?? [];
      const prompt = number === undefined
        ? conversationPrompt([
          { role: "system", text: "Be brief." },
          { role: "user", text: "Hi" },
          { role: "assistant", text: "Yes?" },
          { role: "user", text: "Bye" },
        ])
        : instructionPrompt(`Double\nTHIS:\n\n${number}`);
      assertEquals(learned, number === undefined ? "So be it!" : doubled(Number(number)));
      assertEquals(text, prompt + learned);
    }
    const bytes = Math.max(...rows.map(({ text }) => new TextEncoder().encode(text).length + 1));
    assertEquals(rowLengths(data).at(-1), bytes);

    const reply = (end: (text: string) => number[]) =>
      writingPredictor((prompt) => {
        const [, number] = /THIS:\n\n(\d+)\n/.exec(byteLevelTokenizer.decode(prompt)) ?? [];
        return end(number === undefined ? "So be it!" : doubled(Number(number)));
      });
    const right = reply(write);
    assertEquals([...await data.score(right, "test")], [1, 1, 1, 1]);
    const measured = await data.measure!(right, "test");
    assertEquals(Array.from(measured["exact reply"]!.values), [1, 1, 1, 1]);
    assertEquals(Array.from(measured["loss a token"]!.values), [0, 0, 0, 0]);
    for (const end of [(text: string) => write(text.toLowerCase()), (text: string) => write(`${text} `)]) {
      assertEquals([...await data.score(reply(end), "test")], [0, 0, 0, 0]);
    }
    const unended = reply((text) => write(text).slice(0, -1));
    const losses = (await data.measure!(unended, "test"))["loss a token"]!.values;
    assert(Array.from(losses).every((loss) => loss > 0 && loss < 0.2));
  });
});

/** Rows of an encoder-decoder: what is read, as far as the mask goes, and what is to be written, as far as it counts. */
function pairsOf(batch: Batch, tokenizer: Tokenizer): [read: string, written: string][] {
  assert(batch.family === "encoder-decoder");
  const { inputs, inputMask, targets } = batch;
  const [rows, length] = inputs.shape as [number, number], target = targets.shape[1]!;
  return Array.from({ length: rows }, (_, row) => {
    const read = inputs.data.subarray(row * length, (row + 1) * length);
    const mask = inputMask.data.subarray(row * length, (row + 1) * length);
    const end = read.indexOf(tokenizer.stop) + 1;
    assert(end > 0 && read.subarray(end).every((token) => token === tokenizer.pad));
    assertEquals([...mask], [...read.keys()].map((at) => Number(at < end)));
    const written = targets.data.subarray(row * target, (row + 1) * target);
    return [tokenizer.decode(read.subarray(0, end)), tokenizer.decode(written.filter((one) => one >= 0))];
  });
}

const T5 = [
  "\u2581cola",
  "\u2581sst2",
  "\u2581mnli",
  "\u2581sentence:",
  "\u2581premise:",
  "\u2581hypothesis:",
];
const LABELS = [
  "\u2581acceptable",
  "\u2581un",
  "acceptable",
  "\u2581positive",
  "\u2581neutral",
  "\u2581entail",
];

test("acceptability takes CoLA in the tokens of the user's T5, in its own case, and measures what is written", async () => {
  const LENGTH = 60;
  const line = (i: number, sentence: string) => `gj04\t${i % 2}\t${i % 2 ? "" : "*"}\t${sentence}\n`;
  const sentence = (i: number) => `The Dog ${1000 + i} ran.`;
  // "▁cola", "▁sentence:", "▁", the letters and the end.
  const letters = (tokens: number) => "x".repeat(tokens - 4);
  await withDataFolder({
    "CoLA/train.tsv": [
      ...Array.from({ length: 60 }, (_, i) => line(i, sentence(i))),
      line(1, letters(LENGTH)),
      line(1, letters(LENGTH + 1)),
      line(1, "It ends </s> here."),
      line(0, "It likes 東."),
    ].join(""),
    "CoLA/dev.tsv": Array.from({ length: 8 }, (_, i) => line(i, `A Cat ${i} sat.`)).join(""),
    ...unigramFiles("t5", [...T5, ...LABELS]),
  }, async (folder) => {
    const tokenizer = await readTokenizer(`${folder}/t5`);
    // Vocabularies of models are padded to a round number.
    const model = { outputs: 128, inputSize: LENGTH, folder: `${folder}/t5` };
    const given = { ...options, trainExamples: 56, validationExamples: 6, data: folder };
    const data = await acceptability.load(given, model);
    assertEquals(data.needs, { family: "encoder-decoder", outputs: 128, inputSize: LENGTH });
    assertEquals(data.source!.records["train"]!.skipped, {
      [`longer than ${LENGTH} tokens`]: 1,
      "with characters that the tokenizer lacks": 1,
    });
    const pairs = [data.trainBatch(1, 56), ...data.validationBatches(6)].flatMap((batch) =>
      pairsOf(batch, tokenizer)
    );
    const wanted = new Map([
      ...Array.from({ length: 60 }, (_, i) => [sentence(i), i % 2] as const),
      [letters(LENGTH), 1],
      // What the vocabulary lacks, T5 was trained with "<unk>" for.
      ["It likes <unk>.", 0],
    ]);
    assertEquals(pairs.length, wanted.size);
    for (const [read, written] of pairs) {
      const [, text] = /^cola sentence: (.*)<\/s>$/.exec(read)!;
      assert(wanted.has(text!), text);
      assertEquals(written, `${wanted.get(text!) ? "" : "un"}acceptable</s>`);
      wanted.delete(text!);
    }
    assertEquals(wanted.size, 0);
    assertEquals(new Set(rowLengths(data)), new Set([LENGTH]));

    const write = (text: string) => [...tokenizer.encode(text), tokenizer.stop];
    const isOdd = (prompt: Int32Array) => Number(/Cat (\d)/.exec(tokenizer.decode(prompt))![1]) % 2 === 1;
    const right = writingPredictor((prompt) => write(isOdd(prompt) ? "acceptable" : "unacceptable"));
    assertEquals([...await data.score(right, "test")], [1, 1, 1, 1]);
    const yes = writingPredictor(() => write("acceptable")), scores = [...await data.score(yes, "test")];
    const { values, labels } = (await data.measure!(yes, "test"))["Matthews correlation"]!;
    assertEquals([Array.from(values), Array.from(labels!)], [[1, 1, 1, 1], scores]);
    // One that goes on, one that is none, one that does not end, a token that only the model has.
    for (
      const reply of [write("acceptable acceptable"), write("fine"), write("acceptable").slice(0, -1), [
        120,
        1,
      ]]
    ) {
      const none = writingPredictor(() => reply);
      assertEquals([...await data.score(none, "test")], [0, 0, 0, 0]);
      const { values } = (await data.measure!(none, "test"))["Matthews correlation"]!;
      const ends = reply.includes(1);
      assertEquals(Array.from(values), ends ? [-1, -1, -1, -1] : [1, 1, 1, 1]);
    }

    // The same files for a model of the project's, in its own words.
    const own = await acceptability.load({ ...given, trainExamples: 20 }, { outputs: 2048, inputSize: 40 });
    assertEquals(own.needs, { family: "encoder-decoder", outputs: 2048, inputSize: 40 });
    assertEquals(new Set(rowLengths(own)), new Set([40]));
  });
});

test("sentiment and inference take SST-2 and MNLI as T5 asks them, rows as long as the longest", async () => {
  const mnli = ["gold_label", "sentence1", "sentence2"].join("\t");
  const pair = (i: number) => [["entailment", "neutral", "contradiction"][i % 3]!, `A ${i}.`, `B ${i}.`];
  await withDataFolder({
    "SST-2/train.tsv": ["sentence\tlabel", ...count(40, (i) => `Fun ${i}\t${(i as number) % 2}`), ""].join(
      "\n",
    ),
    "MNLI/train.tsv": [mnli, ...Array.from({ length: 40 }, (_, i) => pair(i).join("\t")), ""].join("\n"),
    ...unigramFiles("t5", [...T5, ...LABELS]),
  }, async (folder) => {
    const tokenizer = await readTokenizer(`${folder}/t5`);
    const model = { outputs: tokenizer.vocabularySize, inputSize: 512, folder: `${folder}/t5` };
    const load = (task: Task) => task.load({ ...options, data: folder }, model);
    const sst2 = await load(sentiment), asked = pairsOf(sst2.trainBatch(1, 20), tokenizer);
    for (const [read, written] of asked) {
      const [, i] = /^sst2 sentence: Fun (\d+)<\/s>$/.exec(read)!;
      assertEquals(written, Number(i) % 2 ? "positive</s>" : "negative</s>");
    }
    // "▁sst2", "▁sentence:", "▁", "F", "u", "n", "▁", two digits and the end.
    assertEquals(new Set(rowLengths(sst2)), new Set([10]));
    const entailed = await load(inference);
    for (const [read, written] of pairsOf(entailed.trainBatch(1, 20), tokenizer)) {
      const [, i, j] = /^mnli hypothesis: B (\d+)\. premise: A (\d+)\.<\/s>$/.exec(read)!;
      assertEquals([j, written], [i, `${pair(Number(i))[0]}</s>`]);
    }
    assertEquals(entailed.measure, undefined);
  });
});

test("tasks of text refuse real data for a model that can't take it, by name", async () => {
  const question = (i: number) => ({ question: `What is ${i}?`, answer: `#### ${i}` });
  const line = (i: number) => `gj04\t${i % 2}\t\tThe dog ${i} ran.\n`;
  await withDataFolder({
    "math/train.jsonl": lines(count(40, (i) => question(i as number))),
    "dialogue/alpaca_data.json": JSON.stringify(
      count(40, (i) => ({ instruction: `Say ${i}`, input: "", output: `${i}` })),
    ),
    "CoLA/train.tsv": Array.from({ length: 60 }, (_, i) => line(i)).join(""),
    "none/config.json": "{}",
    ...tokenizerFiles("model"),
    ...unigramFiles("lacking", T5, ":.0123456789"),
  }, async (folder) => {
    const model = { outputs: OUTPUTS, inputSize: 512, folder: `${folder}/model` };
    for (
      const [task, name] of [[arithmetic, "math"], [dialogueState, "dialogue"], [
        acceptability,
        "CoLA",
      ]] as const
    ) {
      const data = `${folder}/${name}`;
      const refused = (given: typeof model, wanted: string) =>
        assertRejects(() => task.load({ ...options, data }, given), DataError, wanted);
      assert((await task.load({ ...options, data }, model)).source);
      await refused(
        { ...model, folder: `${folder}/none` },
        `Cannot read ${folder}/none/tokenizer.json: there is no such file or folder`,
      );
      await refused(
        { ...model, outputs: 257 },
        `Cannot use ${data} for "${task.id}": the tokenizer in ${folder}/model has 258 tokens, the model 257`,
      );
      await refused({ ...model, inputSize: 20 }, "no example is left");
      await assertRejects(
        () => task.load({ ...options, trainExamples: 500, data }, model),
        DataError,
        `Cannot take 500 training examples of "${task.id}"`,
      );
    }
    await assertRejects(
      () =>
        acceptability.load({ ...options, data: `${folder}/CoLA` }, { ...model, folder: `${folder}/lacking` }),
      DataError,
      `Cannot use ${folder}/CoLA for "acceptability": the model's tokenizer can't tell unacceptable, acceptable apart`,
    );
  });
});
