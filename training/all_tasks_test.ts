/** @file train() takes every method through a task, and LoRA-Pro through every task. */
import { assert, assertEquals, assertGreater, assertGreaterOrEqual } from "@std/assert";
import * as models from "../models/mod.ts";
import * as tasks from "../tasks/mod.ts";
import type { Task } from "../tasks/task.ts";
import { READING, testNeeding } from "../tests/support/test_needing.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { methodsFor, tiny } from "../tests/support/tiny_runs.ts";
import type { RunConfig } from "./run.ts";
import { RunResult } from "./schemas.ts";
import { train } from "./train.ts";

const test = testNeeding(READING);

/** What two runs of one config must have in common: all but when, how long and where. */
function reproducible(result: RunResult): unknown {
  if (result.status !== "done") return { ...result, environment: null };
  const { attachMs: _a, medianStepMs: _m, medianHostMs: _h, totalMs: _t, scoringMs: _s, ...cost } =
    result.outcome.cost;
  return { ...result, environment: null, outcome: { ...result.outcome, cost } };
}

/** The share of the maps that a method moves, where it is not all. */
const MOVED: Readonly<Record<string, number>> = { biases: 0, ia3: 0.5, norms: 0 };

for (const task of Object.values(tasks) as Task[]) {
  for (const module of methodsFor(task.id, ["lora-pro"])) {
    // Of digits each method's bits are made again where runs are interrupted: see checkpoint/resume_test.ts.
    const twice = task.id !== "digits";
    test(`train() takes ${module.id} through ${task.id}: ${twice ? "twice the same bits, " : ""}nothing left on the GPU`, async () => {
      const gpu = await testGpu();
      const before = gpu.memory.liveBytes;
      const config: RunConfig = {
        ...tiny,
        task: { ...tiny.task, id: task.id },
        model: { id: task.shipped!.model },
        optimizer: { id: module.id, options: "rank" in module.defaults ? { rank: 4 } : {} },
      };
      const result = await train(gpu, config);
      assertEquals(gpu.memory.liveBytes, before);
      assertEquals<unknown>(RunResult.parse(JSON.parse(JSON.stringify(result))), result);
      if (twice) assertEquals(reproducible(await train(gpu, config)), reproducible(result));

      assert(result.status === "done");
      const { outcome } = result;
      assertEquals(outcome.scores.length, 10);
      assertEquals(outcome.trainLoss.map(({ step }) => step), [1, 2, 3, 4]);
      assertEquals(outcome.validationLoss.map(({ step }) => step), [0, 2, 4]);
      const targetModules = Object.values(models).find(({ id }) => id === config.model.id)!.targetModules();
      const measured = [1, 2, 3].flatMap((step) => targetModules.map(({ name }) => [step, name]));
      const found = outcome.discrepancies.map(({ step, targetModule }) => [step, targetModule]);
      // A map that a step does not move is left out of it.
      assertEquals(
        found,
        measured.filter(([step, targetModule]) =>
          found.some(([s, name]) => s === step && name === targetModule)
        ),
      );
      assertGreaterOrEqual(found.length, 0.8 * (MOVED[module.id] ?? 1) * measured.length);
      for (const { step, targetModule, effectiveRank: rank, ...found } of outcome.discrepancies) {
        // At step 1 the change may be one of rounding alone.
        assert(step === 1 || rank! >= 1 && rank! <= 64, `effective rank ${rank} at step ${step}`);
        // Factors that tell a bound are those that the weight moves by.
        assertEquals(
          found.secondOrderShare === null,
          found.lowerBound === null,
          `${targetModule} at step ${step}`,
        );
      }
      assertGreater(outcome.cost.medianStepMs, 0);
      assertGreater(outcome.cost.peakBytes, 0);
    });
  }
}
