/** @file What the steps of train() make and read back, and where every method begins. */
import { assertEquals, assertGreater } from "@std/assert";
import type { Work } from "../gpu/gpu.ts";
import type { OptimizerModule } from "../optimizers/optimizer.ts";
import * as tasks from "../tasks/mod.ts";
import type { Task } from "../tasks/task.ts";
import { assertClose } from "../tests/support/assert_close.ts";
import { READING, testNeeding } from "../tests/support/test_needing.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { complete, methodsFor, partsOf, tiny, withoutScoring } from "../tests/support/tiny_runs.ts";
import { runSession, type Session } from "./loop/session.ts";

const test = testNeeding(READING);

/** A session, and the work of the GPU for it. */
interface Worked {
  readonly session: Session;
  readonly work: Work;
}

async function sessionOf(task: Task, module: OptimizerModule, steps: number): Promise<Worked> {
  const gpu = await testGpu();
  const config = complete({
    task: { ...tiny.task, id: task.id, testExamples: 1 },
    model: { id: task.shipped!.model },
    optimizer: { id: module.id, options: "rank" in module.defaults ? { rank: 4 } : {} },
    steps,
    validateEvery: steps,
    telemetryEvery: 0,
  });
  // What a model writes when it is scored is as long as its training made it, and no part of a step.
  const session = await runSession(gpu, config, withoutScoring(await partsOf(config)), {});
  return { session, work: gpu.work };
}

/** What both tests of a task look at: a short and a long session of each method. */
async function sessionsOf(task: Task) {
  const all: { readonly module: OptimizerModule; readonly short: Worked; readonly long: Worked }[] = [];
  for (const module of methodsFor(task.id, ["full", "lora-pro"])) {
    const short = await sessionOf(task, module, 3), long = await sessionOf(task, module, 5);
    all.push({ module, short, long });
  }
  return all;
}

for (const task of Object.values(tasks) as Task[]) {
  let made: ReturnType<typeof sessionsOf> | null = null;
  const sessions = () => made ??= sessionsOf(task);

  test(`train() of ${task.id} makes nothing new after the first steps and reads nothing back, whatever the method`, async () => {
    for (const { module, short: { work: short }, long: { work: long } } of await sessions()) {
      const { dispatches: _, submits, ...rest } = long;
      assertEquals(
        { ...rest, submits: submits - 2 },
        {
          ...rest,
          buffers: short.buffers,
          bindGroups: short.bindGroups,
          downloads: short.downloads,
          submits: short.submits,
        },
        module.id,
      );
      assertGreater(rest.kernels.length, 10);
    }
  });

  test(`train() starts every method that keeps the weights from the same validation loss of ${task.id} and the same first batch`, async () => {
    const starts = (await sessions()).filter(({ module }) => !module.startsMoved).map(({ short }) => {
      const { validationLoss, trainLoss } = short.session;
      return [validationLoss[0]!.value, trainLoss[0]!.value];
    });
    assertGreater(starts.length, 0);
    // LoRA-GA takes s B A out of the weights and adds it again, in f32.
    for (const start of starts) assertClose(start, starts[0]!, { relative: 1e-5 });
  });
}
