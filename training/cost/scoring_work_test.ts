import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { decoderTiny, t5Tiny } from "../../models/mod.ts";
import { IGNORE } from "../../models/model.ts";
import { arithmetic, code, sentiment } from "../../tasks/mod.ts";
import type { TaskData } from "../../tasks/task.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { READING, testNeeding } from "../../tests/support/test_needing.ts";
import { scoreBase } from "../scoring/score_base.ts";
import { countScoring } from "./scoring_work.ts";
import { forwardFlopsOf } from "./work.ts";

const test = testNeeding(READING);

const flopsOf = (input: number) =>
  forwardFlopsOf(decoderTiny.ofLengths({ input, target: 0 }).architecture, 1);
const prompts = [5, 5, 3].map((length) => new Int32Array(length).fill(1));

/** Texts of up to 12 tokens whose answers have 3 tokens. */
const data: TaskData = {
  needs: { family: "decoder", outputs: decoderTiny.outputs, inputSize: 12 },
  trainBatch(_, size) {
    const shape = [size, 12], tokens = new Int32Array(size * 12);
    const targets = new Int32Array(tokens.length).fill(IGNORE).map((_, i) => i % 12 < 3 ? 1 : IGNORE);
    return { family: "decoder", tokens: { data: tokens, shape }, targets: { data: targets, shape } };
  },
  validationBatches: () => [],
  async score(predictor) {
    const right = await predictor.follows(prompts, prompts.map(() => Int32Array.of(1, 2)));
    const asked = prompts.filter((_, i) => !right[i]);
    await predictor.generate(asked, { maxTokens: 10, stop: 0 });
    throw new Error("what is done with texts is not asked for");
  },
};

Deno.test("countScoring() counts guesses as wrong and texts as far as they may go, or as long as the longest answer", async () => {
  const count = (endsTexts: boolean) => countScoring({}, data, "test", decoderTiny, endsTexts);
  const [guesses, read, written, ...others] = await count(false);
  assertEquals(others, []);
  // The last token of a guess need not be read.
  assertEquals(guesses, { count: 1, flops: 3 * flopsOf(6) });
  assertEquals(read, { count: 1, flops: 3 * flopsOf(5) });
  // Of a prompt of 3 tokens there is room for 10, of 5 for 8; the first comes with the prompts.
  assertEquals(written!.count, 9);
  assertGreater(written!.flops, (8 + 8 + 10) * flopsOf(1));
  assertEquals((await count(true)).map(({ count }) => count), [1, 1, 2]);
});

Deno.test("countScoring() asks each task of the registry what it asks a model, and runs no program", async () => {
  const amounts = { seed: 0, trainExamples: 64, validationExamples: 8, testExamples: 8 };
  const counts = async (task: typeof code, model: typeof t5Tiny, endsTexts = false) =>
    (await countScoring(task, await task.load(amounts, model), "test", model, endsTexts))
      .map(({ count }) => count);
  // One pass that classifies; nothing beside it.
  assertEquals(await counts(sentiment, t5Tiny), [1]);
  // Eight programs, then ten of each: as many as are written together, token by token.
  const programs = await counts(code, decoderTiny);
  assertEquals(programs, [1, 23, 1, 23, 1, 23]);
  // A trained model ends the one that it is surest of; of those that are drawn, some go on.
  const [read, greedy, ...drawn] = await counts(code, decoderTiny, true);
  assertEquals([read, ...drawn], [1, 1, 23, 1, 23]);
  assertLess(greedy!, 20);
});

test("a base checkpoint's score takes as many passes as were counted, within a factor of 1.5", async () => {
  const gpu = await testGpu();
  const task = { id: "arithmetic", trainExamples: 64, validationExamples: 8, testExamples: 16 };
  const config = { schema: 1, task, model: { id: "decoder-tiny" }, scoreOn: "test" } as const;
  const { id: _, ...amounts } = task, examples = await arithmetic.load({ seed: 0, ...amounts }, decoderTiny);
  const counted = await countScoring(arithmetic, examples, "test", decoderTiny, true);
  gpu.resetWork();
  await scoreBase(gpu, config);
  const { downloads } = gpu.work, most = counted.reduce((sum, { count }) => sum + count, 0);
  assert(downloads < 1.5 * most && downloads > most / 1.5, `${downloads} waits, ${most} were counted`);
});
