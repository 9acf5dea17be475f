import { assert, assertEquals, assertRejects } from "@std/assert";
import * as tasks from "../../tasks/mod.ts";
import type { Task } from "../../tasks/task.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { READING, testNeeding } from "../../tests/support/test_needing.ts";
import type { BaseConfig, RunConfig } from "../run.ts";
import { BaseResult } from "../schemas.ts";
import { scoreBase } from "./score_base.ts";
import { train } from "../train.ts";
import { UserError } from "../../errors/user_error.ts";

const test = testNeeding(READING);

for (const { id, shipped, metric } of Object.values(tasks) as Task[]) {
  test(`scoreBase() of ${id} scores what a run that moves no weight scores, example for example`, async () => {
    const gpu = await testGpu();
    const base: BaseConfig = {
      schema: 1,
      task: { id, trainExamples: 16, validationExamples: 8, testExamples: 12 },
      model: { id: shipped!.model },
      scoreOn: "test",
    };
    const live = gpu.memory.liveBytes;
    const found = await scoreBase(gpu, base);
    assertEquals(gpu.memory.liveBytes, live);
    assertEquals<unknown>(BaseResult.parse(JSON.parse(JSON.stringify(found))), found);
    assert(found.status === "done");
    assertEquals(found.commonest !== undefined, metric.chance > 0);
    const config: RunConfig = {
      ...base,
      targetModules: ["*"],
      optimizer: { id: "full", options: {} },
      steps: 1,
      batchSize: 2,
      accumulate: 1,
      // Less than any weight's last bit.
      schedule: { kind: "constant", learningRate: 1e-30, warmup: 0, floor: 1 },
      clip: 1,
      validateEvery: 1,
      telemetryEvery: 0,
      seed: 3,
    };
    const run = await train(gpu, config);
    assert(run.status === "done" && found.status === "done");
    assertEquals([found.score, found.scores], [run.outcome.score, run.outcome.scores]);
    assertEquals(found.measures, run.outcome.measures);
    assertEquals(await scoreBase(gpu, base).then(({ id }) => id), found.id);
  });
}

Deno.test("scoreBase() refuses unknown names, and models that can't take the task", async () => {
  const gpu = await testGpu();
  const base: BaseConfig = {
    schema: 1,
    task: { id: "digits", trainExamples: 1, validationExamples: 1, testExamples: 1 },
    model: { id: "vit-tiny" },
    scoreOn: "test",
  };
  await assertRejects(() => scoreBase(gpu, { ...base, model: { id: "vit-tyni" } }), UserError, "vit-tyni");
  await assertRejects(
    () => scoreBase(gpu, { ...base, model: { id: "decoder-tiny" } }),
    UserError,
    'Cannot train model "decoder-tiny"',
  );
});
