import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { type Batch, IGNORE } from "../../models/model.ts";
import { NEW_VERBS } from "./arithmetic.ts";
import { arithmeticBase, BASE_VERBS } from "./arithmetic_base.ts";
import type { Predictor, TaskOptions } from "../task.ts";
import { decode, encode } from "../text/tokenizer.ts";
import { writingPredictor } from "../../tests/support/scripted_predictor.ts";

const options: TaskOptions = { seed: 0, trainExamples: 1, validationExamples: 200, testExamples: 100 };

/** Rows of 81 characters: the tokens and the last target. */
function rowsOf(batch: Batch): string[] {
  assert(batch.family === "decoder");
  const { tokens, targets } = batch;
  const rows = Array.from({ length: tokens.shape[0]! }, (_, row) => row * 80);
  return rows.map((start) => decode([tokens.data[start]!, ...targets.data.subarray(start, start + 80)]));
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

Deno.test("arithmeticBase's verbs and corpus hold none of the verbs to be learnt", async () => {
  const data = await arithmeticBase.load(options);
  const words = new Set(rowsOf(data.trainBatch(1, 3000)).flatMap((row) => row.match(/[a-z]+/g) ?? []));
  assertEquals(Object.keys(NEW_VERBS).filter((verb) => words.has(verb) || verb in BASE_VERBS), []);
  assertEquals(Object.keys(BASE_VERBS).filter((verb) => !words.has(verb)), []);
  assertEquals(Object.keys(NEW_VERBS).length, 30);
});

Deno.test("arithmeticBase makes every position count, each target being the next token", async () => {
  const batch = (await arithmeticBase.load(options)).trainBatch(1, 32);
  assert(batch.family === "decoder");
  assertEquals(batch.tokens.shape, [32, 80]);
  assert(batch.targets.data.every((target) => target !== IGNORE));
  for (let row = 0; row < 32; row++) {
    const [start, end] = [row * 80, row * 80 + 79];
    assertEquals(batch.tokens.data.subarray(start + 1, end + 1), batch.targets.data.subarray(start, end));
  }
});

Deno.test("arithmeticBase's sums are right, and from 0 to 99", async () => {
  const data = await arithmeticBase.load(options);
  const operations = { "+": (a: number, b: number) => a + b, "-": (a: number, b: number) => a - b };
  const known = { ...operations, "*": (a: number, b: number) => a * b };
  let sums = 0;
  for (const row of rowsOf(data.trainBatch(1, 2000))) {
    for (const [, a, sign, b, c] of row.matchAll(/(\d+)([-+*])(\d+)=(\d+)(?=[-+.])/g)) {
      assertEquals(known[sign as keyof typeof known](Number(a), Number(b)), Number(c), row);
      assert(Number(a) <= 99 && Number(b) <= 99 && Number(c) <= 99, row);
      sums++;
    }
  }
  assert(sums > 4000, `only ${sums} sums`);
});

Deno.test("arithmeticBase is an endless function of seed and step, whatever the batch size", async () => {
  const [first, again, other] = await Promise.all(
    [0, 0, 1].map((seed) => arithmeticBase.load({ ...options, seed })),
  );
  assertEquals(first!.trainBatch(5000, 8), again!.trainBatch(5000, 8));
  assertNotEquals(first!.trainBatch(5000, 8), other!.trainBatch(5000, 8));
  assertNotEquals(first!.trainBatch(5000, 8), first!.trainBatch(5001, 8));
  assertEquals(
    rowsOf(first!.trainBatch(1, 8)),
    [...rowsOf(first!.trainBatch(1, 4)), ...rowsOf(first!.trainBatch(2, 4))],
  );
});

Deno.test("arithmeticBase never trains on a problem that it scores on, and scores the same for all seeds", async () => {
  const [zero, one] = await Promise.all(
    [0, 1].map((seed) =>
      arithmeticBase.load({ seed, trainExamples: 1, validationExamples: 1000, testExamples: 1000 })
    ),
  );
  const [asked, askedOne] = [replying(() => ""), replying(() => "")];
  for (const split of ["validation", "test"] as const) {
    await zero!.score(asked.predictor, split);
    await one!.score(askedOne.predictor, split);
  }
  assertEquals(asked.prompts, askedOne.prompts);
  const numbersAndVerbs = (prompt: string) => prompt.replace(/^[a-z]+ has (\d+) [a-z]+/, "$1");
  const heldOut = new Set(asked.prompts.map(numbersAndVerbs));
  assertEquals(heldOut.size, 2000);
  const trained = rowsOf(zero!.trainBatch(1, 20000)).flatMap((row) => row.match(/^[a-z]+ has [^:]*:/) ?? []);
  assert(trained.length > 9000, `only ${trained.length} word problems`);
  assertEquals(trained.filter((prompt) => heldOut.has(numbersAndVerbs(prompt))), []);
  for (const steps of [1, 2, 3]) {
    const share = trained.filter((prompt) => prompt.split(",").length === steps + 1).length / trained.length;
    assertAlmostEquals(share, 1 / 3, 0.02);
  }
});

Deno.test("arithmeticBase scores exact answers to word problems", async () => {
  const data = await arithmeticBase.load(options);
  const work = (prompt: string): string => {
    let written = prompt.match(/\d+/)![0], value = Number(written);
    for (const [, verb, amount] of prompt.matchAll(/, ([a-z]+) (\d+)/g)) {
      value += BASE_VERBS[verb!] === "+" ? Number(amount) : -Number(amount);
      written += `${BASE_VERBS[verb!]}${amount}=${value}`;
    }
    return `${written}.`;
  };
  const right = await data.score(replying(work).predictor, "validation");
  assertEquals(right, new Float32Array(200).fill(1));
  const wrong = await data.score(replying((prompt) => `0${work(prompt)}`).predictor, "test");
  assertEquals(wrong, new Float32Array(100));
});

Deno.test("arithmeticBase validates on fixed rows", async () => {
  const [zero, one] = await Promise.all([0, 1].map((seed) => arithmeticBase.load({ ...options, seed })));
  const batches = [...zero!.validationBatches(64)];
  assertEquals(batches.map(({ targets }) => targets.shape), [[64, 80], [64, 80], [64, 80], [8, 80]]);
  assertEquals(batches, [...one!.validationBatches(64)]);
});

Deno.test("arithmeticBase says how many held-out problems there are where too many are asked for", async () => {
  const load = (count: Partial<TaskOptions>) => arithmeticBase.load({ ...options, ...count });
  await assertRejects(() => load({ validationExamples: 1001 }), RangeError, "there are 1000");
  await assertRejects(() => load({ testExamples: 1001 }), RangeError, "there are 1000");
});
