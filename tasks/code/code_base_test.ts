import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { type Batch, IGNORE } from "../../models/model.ts";
import { writingPredictor } from "../../tests/support/scripted_predictor.ts";
import { READING, testNeeding } from "../../tests/support/test_needing.ts";
import { codeBase } from "./code_base.ts";
import { binary, choice, type Expression, larger, smaller, toJavaScript } from "./expressions.ts";
import { HIDDEN_INPUTS, hiddenOutputs } from "./hidden_inputs.ts";
import { runPrograms } from "./javascript_sandbox.ts";
import type { Predictor, TaskOptions } from "../task.ts";
import { decode, encode } from "../text/tokenizer.ts";

const test = testNeeding(READING);

const options: TaskOptions = { seed: 0, trainExamples: 1, validationExamples: 200, testExamples: 100 };

const WORDS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
  .split(" ");

/** Rows of 65 characters: the tokens and the last target. */
function rowsOf(batch: Batch): string[] {
  assert(batch.family === "decoder");
  const { tokens, targets } = batch;
  const rows = Array.from({ length: tokens.shape[0]! }, (_, row) => row * 64);
  return rows.map((start) => decode([tokens.data[start]!, ...targets.data.subarray(start, start + 64)]));
}

/** Whole lines: the row's end cuts the last. */
function linesOf(batch: Batch): string[] {
  return rowsOf(batch).flatMap((row) => row.split("\n").slice(0, -1));
}

/** What prefix notation means, without its colon. */
function read(prefix: string): Expression {
  const words = prefix.split(" ");
  const operators = { add: "+", sub: "-", mul: "*", mod: "%", lt: "<", gt: ">", eq: "==" } as const;
  const next = (): Expression => {
    const word = words.shift()!;
    if (word === "x" || word === "y") return word;
    if (word in operators) return binary(operators[word as keyof typeof operators], next(), next());
    if (word === "sq") return binary("**", next(), 2);
    if (word === "max") return larger(next(), next());
    if (word === "min") return smaller(next(), next());
    if (word === "if") return choice(next(), next(), next());
    const value = WORDS.includes(word) ? WORDS.indexOf(word) : Number(word);
    assert(Number.isInteger(value), `"${word}" of "${prefix}"`);
    return value;
  };
  const expression = next();
  assertEquals(words, [], prefix);
  return expression;
}

/** A predictor that replies in turn, and what it was asked. */
function replying(reply: (prompt: string) => string): { predictor: Predictor; prompts: string[] } {
  const prompts: string[] = [];
  return {
    prompts,
    predictor: writingPredictor((tokens) => {
      prompts.push(decode(tokens));
      return encode(`${reply(decode(tokens))}\n`);
    }),
  };
}

Deno.test("codeBase's corpus holds no word that code says an operation with", async () => {
  const words = new Set(
    rowsOf((await codeBase.load(options)).trainBatch(1, 2000)).flatMap((row) => row.match(/[a-z]+/g) ?? []),
  );
  const taught =
    "sum difference product remainder plus minus times more less larger smaller twice thrice square " +
    "doubled tripled squared modulo taken whether equals added subtracted increased decreased multiplied";
  assertEquals(taught.split(" ").filter((word) => words.has(word)), []);
});

test("codeBase's programs do what their prefix notation says, in the sandbox", async () => {
  const lines = new Set(linesOf((await codeBase.load(options)).trainBatch(1, 400)));
  const programs = [...lines].filter((line) => line.includes(":")).map((line) => line.split(":", 2)[0]!);
  const answers = [...lines].filter((line) => line.includes(":")).map((line) =>
    line.slice(line.indexOf(":") + 1)
  );
  assert(programs.length > 500, `only ${programs.length} programs`);
  const outcomes = await runPrograms(
    answers.map((answer) => ({ source: `(x,y)=>${answer}`, calls: HIDDEN_INPUTS })),
  );
  outcomes.forEach((outcome, i) => {
    assert(outcome.kind === "returned", answers[i]);
    const wanted = hiddenOutputs(read(programs[i]!));
    // -0 is 0.
    assertEquals(outcome.values.map((v) => v || +v), wanted.map((v) => v || +v), programs[i]);
  });
  const used = new Set(programs.flatMap((program) => program.match(/[a-z]{2,}/g) ?? []));
  for (const name of "add sub mul mod lt gt eq sq max min if".split(" ")) assert(used.has(name), name);
});

Deno.test("codeBase's numbers in words are right, both ways, from 0 to 15", async () => {
  const seen = new Set<string>();
  for (const line of linesOf((await codeBase.load(options)).trainBatch(1, 2000))) {
    const [, left, right] = /^(\w+)=(\w+)$/.exec(line) ?? [];
    if (left === undefined) continue;
    const [word, digits] = /\d/.test(left) ? [right!, left] : [left, right!];
    assertEquals(WORDS.indexOf(word), Number(digits), line);
    seen.add(line);
  }
  assertEquals(seen.size, 2 * WORDS.length);
});

Deno.test("codeBase makes every position count, each target being the next token", async () => {
  const batch = (await codeBase.load(options)).trainBatch(1, 33);
  assert(batch.family === "decoder");
  assertEquals(batch.tokens.shape, [33, 64]);
  assert(batch.targets.data.every((target) => target !== IGNORE));
  for (let row = 0; row < 33; row++) {
    const [start, end] = [row * 64, row * 64 + 63];
    assertEquals(batch.tokens.data.subarray(start + 1, end + 1), batch.targets.data.subarray(start, end));
  }
});

Deno.test("codeBase is an endless function of seed and step, whatever the batch size", async () => {
  const [first, again, other] = await Promise.all(
    [0, 0, 1].map((seed) => codeBase.load({ ...options, seed })),
  );
  assertEquals(first!.trainBatch(5000, 7), again!.trainBatch(5000, 7));
  assertNotEquals(first!.trainBatch(5000, 7), other!.trainBatch(5000, 7));
  assertNotEquals(first!.trainBatch(5000, 7), first!.trainBatch(5001, 7));
  assertEquals(
    rowsOf(first!.trainBatch(1, 6)),
    [...rowsOf(first!.trainBatch(1, 3)), ...rowsOf(first!.trainBatch(2, 3))],
  );
});

Deno.test("codeBase never trains on a program that it scores on, and scores the same for all seeds", async () => {
  const all = { ...options, validationExamples: 1000, testExamples: 1000 };
  const [zero, one] = await Promise.all([0, 1].map((seed) => codeBase.load({ ...all, seed })));
  const [asked, askedOne] = [replying(() => ""), replying(() => "")];
  for (const split of ["validation", "test"] as const) {
    await zero!.score(asked.predictor, split);
    await one!.score(askedOne.predictor, split);
  }
  assertEquals(asked.prompts, askedOne.prompts);
  const heldOut = new Set(asked.prompts);
  assertEquals(heldOut.size, 2000);
  for (const prompt of heldOut) {
    const answer = toJavaScript(read(prompt.slice(0, -1)));
    assert(prompt.length + answer.length < 64, prompt);
  }
  const trained = rowsOf(zero!.trainBatch(1, 8000)).flatMap((row) => row.match(/^[^:\n]+:/gm) ?? []);
  assert(trained.filter((prompt) => prompt.split(" ").length > 3).length > 2000);
  assertEquals(trained.filter((prompt) => heldOut.has(prompt)), []);
});

Deno.test("codeBase scores programs to the letter", async () => {
  const data = await codeBase.load(options);
  const write = (prompt: string) => toJavaScript(read(prompt.slice(0, -1)));
  const right = await data.score(replying(write).predictor, "validation");
  assertEquals(right, new Float32Array(200).fill(1));
  for (
    const rewrite of [
      (answer: string) => `(${answer})`,
      (answer: string) => `${answer} `,
      (answer: string) => answer.slice(0, -1),
      () => "",
    ]
  ) {
    const wrong = await data.score(replying((prompt) => rewrite(write(prompt))).predictor, "test");
    assertEquals(wrong, new Float32Array(100));
  }
});

Deno.test("codeBase validates on fixed rows", async () => {
  const [zero, one] = await Promise.all([0, 1].map((seed) => codeBase.load({ ...options, seed })));
  const batches = [...zero!.validationBatches(64)];
  assertEquals(batches.map(({ targets }) => targets.shape), [[64, 64], [64, 64], [64, 64], [8, 64]]);
  assertEquals(batches, [...one!.validationBatches(64)]);
});

Deno.test("codeBase says how many held-out programs there are where too many are asked for", async () => {
  const load = (count: Partial<TaskOptions>) => codeBase.load({ ...options, ...count });
  await assertRejects(() => load({ validationExamples: 1001 }), RangeError, "there are 1000");
  await assertRejects(() => load({ testExamples: 1001 }), RangeError, "there are 1000");
  await assertRejects(() => load({ testExamples: 0 }), RangeError, "Cannot take 0");
});
