/** @file Every registered task, and every pretraining corpus, is held to what tasks promise. */
import { assert, assertEquals } from "@std/assert";
import { checksOfTask } from "../contract/tasks.ts";
import * as corpora from "../tasks/pretraining.ts";
import type { Task } from "../tasks/task.ts";
import { shipped } from "../training/shipped.ts";
import { testGpu } from "./support/test_gpu.ts";
import { READING, testNeeding } from "./support/test_needing.ts";

const models = Object.values(shipped.models), tasks = Object.values(shipped.tasks);
const all: readonly Task[] = [...tasks, ...Object.values(corpora)];

for (const task of all) {
  // Programs run in a worker, whose own file is read.
  const test = task.id === "code" ? testNeeding(READING) : Deno.test;
  for (const { promise, hold } of checksOfTask(task, models, tasks.includes(task))) {
    test(`${task.id}: ${promise}`, async () => await hold(await testGpu()));
  }
}

Deno.test("every registered task has batches of test examples, from a pool that it tells the size of", async () => {
  for (const { id, load } of tasks) {
    const data = await load({ seed: 0, trainExamples: 4, validationExamples: 4, testExamples: 4 });
    assert(data.testPool !== undefined && data.testBatches, id);
  }
});

Deno.test("no two tasks and corpora share an id, and ids are what configs may say", () => {
  const ids = all.map(({ id }) => id);
  assertEquals(new Set(ids).size, ids.length);
  for (const id of ids) assert(/^[a-z0-9][a-z0-9-]*$/.test(id), id);
});
