import { assert, assertEquals, assertNotEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type Batch, IGNORE } from "../../models/model.ts";
import { arithmetic } from "./arithmetic.ts";
import type { Predictor, TaskData, TaskOptions } from "../task.ts";
import { decode, encode, PAD } from "../text/tokenizer.ts";
import { writingPredictor } from "../../tests/support/scripted_predictor.ts";

const options: TaskOptions = { seed: 0, trainExamples: 300, validationExamples: 70, testExamples: 90 };

/** What a batch's rows say and what of it counts. */
function rowsOf(batch: Batch): { text: string; target: string }[] {
  assert(batch.family === "decoder");
  const [count, length] = batch.tokens.shape;
  return Array.from({ length: count! }, (_, row) => {
    const cut = (data: Int32Array) => [...data.subarray(row * length!, (row + 1) * length!)];
    return {
      text: decode(cut(batch.tokens.data).filter((token) => token !== PAD)),
      target: decode(cut(batch.targets.data).filter((token) => token !== IGNORE)),
    };
  });
}

/** The texts of an epoch, sorted: 300 examples in 30 batches. */
function epoch(data: TaskData): string[] {
  return Array.from({ length: 30 }, (_, i) => rowsOf(data.trainBatch(i + 1, 10))).flat()
    .map(({ text }) => text).sort();
}

/** Answers each prompt with what `reply` makes of it, and stops. */
function replying(reply: (prompt: string) => string): { predictor: Predictor; prompts: string[] } {
  const prompts: string[] = [];
  return {
    prompts,
    predictor: writingPredictor((tokens) => {
      const prompt = decode(tokens);
      prompts.push(prompt);
      return encode(`${reply(prompt)}\n`);
    }),
  };
}

Deno.test("arithmetic counts the answer and its newline, all that follows the prompt", async () => {
  const data = await arithmetic.load(options);
  for (const { text, target } of rowsOf(data.trainBatch(1, 50))) {
    assertEquals(target, text.slice(text.indexOf(":") + 1));
    assert(/^\d+([+-]\d+=\d+){1,3}\.\n$/.test(target), target);
  }
});

Deno.test("arithmetic keeps one batch shape, in training and in whole validation batches", async () => {
  const data = await arithmetic.load(options);
  assertEquals(data.needs, { family: "decoder", outputs: 56, inputSize: 80 });
  const shapeOf = (batch: Batch) => batch.targets.shape;
  assertEquals([1, 2, 40].map((step) => shapeOf(data.trainBatch(step, 16))), Array(3).fill([16, 80]));
  assertEquals([...data.validationBatches(32)].map(shapeOf), [[32, 80], [32, 80], [6, 80]]);
});

Deno.test("arithmetic shares no problem between train, validation and test", async () => {
  const data = await arithmetic.load({
    seed: 0,
    trainExamples: 16000,
    validationExamples: 2000,
    testExamples: 2000,
  });
  const { predictor, prompts } = replying(() => "");
  await data.score(predictor, "test");
  await data.score(predictor, "validation");
  const train = rowsOf(data.trainBatch(1, 16000)).map(({ text }) => text.slice(0, text.indexOf(":") + 1));
  assertEquals(new Set([...prompts, ...train]).size, 20000);
});

Deno.test("arithmetic's batches are a function of seed and step", async () => {
  const first = await arithmetic.load(options), second = await arithmetic.load(options);
  const late = first.trainBatch(77, 16);
  first.trainBatch(1, 16);
  assertEquals(second.trainBatch(77, 16), late);
  assertEquals(first.trainBatch(77, 16), late);
});

Deno.test("arithmetic's seed changes the order and nothing else", async () => {
  const [zero, one] = await Promise.all([0, 1].map((seed) => arithmetic.load({ ...options, seed })));
  assertNotEquals(zero!.trainBatch(1, 16), one!.trainBatch(1, 16));
  assertEquals(epoch(zero!), epoch(one!));
  assertEquals([...zero!.validationBatches(70)], [...one!.validationBatches(70)]);
  const [fromZero, fromOne] = [replying(() => ""), replying(() => "")];
  await zero!.score(fromZero.predictor, "test");
  await one!.score(fromOne.predictor, "test");
  assertEquals(fromZero.prompts, fromOne.prompts);
});

Deno.test("arithmetic has problems of one, two and three steps, a third each, the longest filling its row", async () => {
  const data = await arithmetic.load({ ...options, trainExamples: 16000 });
  const rows = rowsOf(data.trainBatch(1, 16000));
  const steps = rows.map(({ target }) => target.split("=").length - 1);
  assertEquals([1, 2, 3].map((count) => steps.filter((own) => own === count).length), [5333, 5334, 5333]);
  assert(Math.max(...rows.map(({ text }) => text.length)) > 75);
  const { predictor, prompts } = replying(() => "");
  await data.score(predictor, "test");
  const asked = [2, 3, 4].map((commas) =>
    [...new Set(prompts)].filter((prompt) => prompt.split(",").length === commas).length
  );
  assertEquals(asked, [30, 30, 30]);
});

Deno.test("arithmetic scores validation on the problems of its validation batches, by the final answer", async () => {
  const data = await arithmetic.load(options);
  const answers = new Map(
    [...data.validationBatches(32)].flatMap(rowsOf).map(({ text, target }) => [
      text.slice(0, -target.length),
      target.slice(0, -1),
    ]),
  );
  /** Score and measure of replies, where all examples have one. */
  const judge = async (reply: (answer: string, prompt: string) => string) => {
    const { predictor } = replying((prompt) => reply(answers.get(prompt)!, prompt));
    const strict = await data.score(predictor, "validation");
    const { "flexible match": flexible, ...others } = await data.measure!(predictor, "validation");
    assertEquals([strict.length, flexible!.values.length, others], [70, 70, {}]);
    return [new Set(strict), new Set(Array.from(flexible!.values))].map((values) =>
      values.size === 1 ? [...values][0] : [...values]
    );
  };
  const asked = replying(() => "");
  await data.score(asked.predictor, "validation");
  assertEquals(new Set(asked.prompts), new Set(answers.keys()));
  assertEquals(await judge((answer) => answer), [1, 1]);
  assertEquals(await judge((answer) => answer.replace(/(\d+)\.$/, "1$1.")), [0, 0]);
  // The final answer alone counts, and its place for the score.
  assertEquals(await judge((answer) => answer.replace(/.*=/, "9-9=0=")), [1, 1]);
  assertEquals(await judge((answer) => `${answer.slice(0, -1)}-`), [0, 1]);
  assertEquals(await judge((answer) => answer.replace(/.*=/, "so ")), [0, 1]);
  assertEquals(await judge((answer) => answer.replace(/.*=(.*)\./, "$1.0 nuts")), [0, 1]);
  assertEquals(await judge((answer) => answer.replace(/=(\d+)\.$/, "=$1 nuts")), [0, 1]);
  assertEquals(await judge((_, prompt) => prompt.includes("tom") ? "" : "no"), [0, 0]);
});

Deno.test("arithmetic scores each test example asked for", async () => {
  const data = await arithmetic.load(options);
  assertEquals((await data.score(replying(() => "1+1=2.").predictor, "test")).length, 90);
});

Deno.test("arithmetic says how many examples there are where too many are asked for", async () => {
  const load = (count: Partial<TaskOptions>) => arithmetic.load({ ...options, ...count });
  const error = await assertRejects(() => load({ trainExamples: 16001 }), RangeError);
  assertStringIncludes(error.message, `Cannot take 16001 training examples of "arithmetic": there are 16000`);
  await assertRejects(() => load({ validationExamples: 2001 }), RangeError, "there are 2000");
  await assertRejects(() => load({ testExamples: 10001 }), RangeError, "there are 10000");
});
