import { assert, assertEquals, assertGreater } from "@std/assert";
import type { Task } from "../task.ts";
import { understandingBase } from "./understanding_base.ts";
import { understandingPairsBase } from "./understanding_pairs_base.ts";
import { decodeWords, END } from "./words.ts";

const options = { seed: 1, trainExamples: 1, validationExamples: 600, testExamples: 600 };

/** What the rows of some steps read. */
async function readIn(task: Task, steps: number): Promise<string[]> {
  const data = await task.load(options), texts: string[] = [];
  for (let step = 1; step <= steps; step++) {
    const batch = data.trainBatch(step, 48);
    assert(batch.family === "encoder-decoder");
    const [rows, length] = batch.inputs.shape as [number, number];
    for (let row = 0; row < rows; row++) {
      const tokens = batch.inputs.data.subarray(row * length, (row + 1) * length);
      texts.push(decodeWords(tokens.subarray(0, tokens.indexOf(END))));
    }
  }
  return texts;
}

const STARTS = new Map<Task, readonly string[]>([
  [understandingBase, ["cola", "sst", "mnli", "wordnet", "main", "plain", "question", "correct"]],
  [understandingPairsBase, ["mrpc", "qnli", "different", "plain", "question"]],
]);

for (const [task, starts] of STARTS) {
  Deno.test(`${task.id}: all that it asks comes up, glosses and sentences have gaps, and no question is held out`, async () => {
    const texts = await readIn(task, 36);
    for (const start of starts) {
      assertGreater(texts.filter((text) => text.startsWith(`${start} `)).length, 10, start);
    }
    assertGreater(texts.filter((text) => text.includes("<gap-")).length, 36 / 6 * 40);
    const data = await task.load(options), seen = new Set(texts);
    let heldOut = 0;
    for (const batch of data.validationBatches(100)) {
      assert(batch.family === "encoder-decoder");
      const [rows, length] = batch.inputs.shape as [number, number];
      for (let row = 0; row < rows; row++, heldOut++) {
        const tokens = batch.inputs.data.subarray(row * length, (row + 1) * length);
        const text = decodeWords(tokens.subarray(0, tokens.indexOf(END)));
        // Others may be alike once rare words are classes.
        assert(!seen.has(text) || text.includes("<"), text);
      }
    }
    assertEquals(heldOut, 600);
  });
}
