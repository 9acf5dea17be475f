import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { lora } from "../../optimizers/lora.ts";
import { full } from "../../optimizers/full.ts";
import { altlora } from "../../optimizers/altlora.ts";
import type { OptimizerModule } from "../../optimizers/optimizer.ts";
import { add } from "../../kernels/mod.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import {
  findings,
  interruptAll,
  methods,
  type PreparedRun,
  prepareRun,
  session,
  withSteps,
} from "../../tests/support/interrupted_runs.ts";
import { runSession } from "../loop/session.ts";
import { train } from "../train.ts";
import { type BaseConfig, runId } from "../run.ts";
import { scoreBase } from "../scoring/score_base.ts";
import { Interrupted } from "./interrupted.ts";
import { inFolder } from "../../tests/support/in_folder.ts";
import { PROGRAMS, testNeeding } from "../../tests/support/test_needing.ts";

const test = testNeeding(PROGRAMS);

async function undisturbed({ config, parts }: PreparedRun): Promise<unknown> {
  return findings(await runSession(await testGpu(), config, parts, {}));
}

// After each of its steps: tests/kills/interruptions.ts.
test("every method, interrupted after some of 12 steps, goes on with equal bits, in a new process from step 8 on", async () => {
  await inFolder(async (folder) => {
    const { wanted, found, said } = await interruptAll(await testGpu(), folder, [1, 5, 9]);
    for (const module of methods) {
      assertEquals(found[module.id], wanted[module.id], module.id);
      const id = await runId((await prepareRun(module)).config);
      assertEquals(said.get(module.id), [`Run ${id} goes on after step 1 of 12`], module.id);
    }
  });
});

test("a run that is killed goes on from its last checkpoint by time, of which two are kept; train() gives the same result", async () => {
  await inFolder(async (folder) => {
    const gpu = await testGpu(), run = await prepareRun(altlora as unknown as OptimizerModule);
    const wanted = await undisturbed(run), said: string[] = [];
    const killed = withSteps(run.parts.module, (step) => {
      if (step === 9) throw new Error("killed");
    });
    const own = { folder, everyMs: 0, say: (sentence: string) => said.push(sentence) };
    await assertRejects(
      () => session(gpu, { ...run, parts: { ...run.parts, module: killed } }, own),
      Error,
      "killed",
    );
    const id = await runId(run.config),
      names = () => [...Deno.readDirSync(`${folder}/${id}`)].map(({ name }) => name);
    assertEquals(names().sort(), ["7.safetensors", "8.safetensors"]);
    const found = await session(gpu, run, { ...own, everyMs: Infinity });
    assertEquals(findings(found!), wanted);
    assertEquals(said, [`Run ${id} goes on after step 8 of 12`]);
    // Until the result is stored.
    assertEquals(names().length, 2);
    const result = await train(gpu, run.config, { checkpoints: own });
    assert(result.status === "done");
    assertEquals(result.outcome.scores, found!.scores);
    assertGreater(result.outcome.cost.totalMs, found!.earlierMs);
  });
});

test("a run that is interrupted in a validation or in its scoring goes on there, and asks the model nothing twice", async () => {
  await inFolder(async (folder) => {
    const gpu = await testGpu(),
      run = await prepareRun(lora as unknown as OptimizerModule, {
        task: { id: "arithmetic", trainExamples: 40, validationExamples: 12, testExamples: 70 },
        model: { id: "decoder-tiny" },
        targetModules: ["layers.0.self_attn.q_proj"],
      });
    const wanted = await undisturbed(run), id = await runId(run.config);
    for (const [phase, count] of [["training", 2], ["scoring", 4], ["scoring", 20]] as const) {
      const said: string[] = [], interruption = new AbortController();
      let reports = 0;
      const own = { folder: `${folder}/${phase}-${count}`, say: (sentence: string) => said.push(sentence) };
      const first = await session(gpu, run, {
        ...own,
        signal: interruption.signal,
        // The second report of training comes before the validation after step 5.
        onProgress: (progress) => {
          if (progress.phase === phase && ++reports === count) interruption.abort();
        },
      });
      assertEquals(first, null);
      let passes = 0;
      const found = await session(gpu, run, {
        ...own,
        onProgress: (progress) => passes += progress.phase === "scoring" ? 1 : 0,
      });
      assertEquals(findings(found!), wanted, phase);
      assertEquals(said, [`Run ${id} goes on after step ${phase === "training" ? 5 : 12} of 12`]);
      assertGreater(passes, 1);
    }
  });
});

test("a run goes on from its scoring without asking again what the model answered", async () => {
  await inFolder(async (folder) => {
    const gpu = await testGpu();
    const config: BaseConfig = {
      schema: 1,
      task: { id: "digits", trainExamples: 40, validationExamples: 12, testExamples: 300 },
      model: { id: "vit-tiny" },
      scoreOn: "test",
    };
    const wanted = await scoreBase(gpu, config), interruption = new AbortController();
    gpu.resetWork();
    const whole = await scoreBase(gpu, config).then(() => gpu.work.downloads);
    const place = { folder, everyMs: 0, say: () => {} };
    // Every second download is a batch's classes: stops after one batch.
    const download = gpu.download.bind(gpu);
    gpu.download = (tensor) => {
      interruption.abort();
      return download(tensor);
    };
    try {
      await assertRejects(
        () => scoreBase(gpu, config, { checkpoints: place, signal: interruption.signal }),
        Interrupted,
      );
    } finally {
      gpu.download = download;
    }
    gpu.resetWork();
    const found = await scoreBase(gpu, config, { checkpoints: place });
    assert(found.status === "done" && wanted.status === "done");
    assertEquals(found.scores, wanted.scores);
    assertEquals(gpu.work.downloads, whole);
  });
});

test("a method from outside goes on with tensors that it does not name, or is refused by name and starts again", async () => {
  // Keeps a count of its steps in a tensor that is in no list.
  const counting = (says: boolean): OptimizerModule => ({
    ...(full as unknown as OptimizerModule),
    id: "counting",
    async attach(setup, options) {
      const { gpu } = setup;
      const { hostState, ...optimizer } = await (full as unknown as OptimizerModule).attach(setup, options);
      const hidden = gpu.zeros([4], "hidden count"),
        one = gpu.upload(Float32Array.of(1, 1, 1, 1), "f32", [4], "one");
      return {
        ...optimizer,
        ...(says && { hostState: hostState! }),
        async step(gradients, at) {
          await optimizer.step(gradients, at);
          gpu.copy(add(gpu, hidden, one), hidden);
        },
        async inspect() {
          return { count: (await gpu.download(hidden))[0]! };
        },
      };
    },
  });
  const gpu = await testGpu();
  for (const says of [true, false]) {
    await inFolder(async (folder) => {
      const run = await prepareRun(counting(says)), said: string[] = [];
      const wanted = await undisturbed(run);
      const own = { folder, say: (sentence: string) => said.push(sentence) };
      assertEquals(await session(gpu, run, { ...own, last: 4 }), null);
      const found = await session(gpu, run, own);
      assertEquals(found!.inspected["count"]!.map(({ value }) => value), [1, 2, 7]);
      assertEquals(findings(found!), wanted);
      assertEquals(said.length, 1);
      if (says) return assert(said[0]!.endsWith(" goes on after step 4 of 12"), said[0]);
      assert(said[0]!.includes('runs of "counting"') && said[0]!.includes("hostState"), said[0]);
    });
  }
});

test("a run that diverged before it was interrupted ends as diverged", async () => {
  await inFolder(async (folder) => {
    const gpu = await testGpu();
    const { config, parts } = await prepareRun(full as unknown as OptimizerModule, { telemetryEvery: 0 });
    // Step 6 is the first that finds it, step 10 the first after which the loop looks.
    const module = withSteps(parts.module, (step, { trainable: [first] }) => {
      if (step === 5) gpu.write({ ...first!.value, shape: [1] }, Float32Array.of(NaN));
    });
    const run = { config: { ...config, validateEvery: 12 }, parts: { ...parts, module } };
    const wanted = await undisturbed(run) as { readonly divergedAt: number };
    assertEquals(wanted.divergedAt, 6);
    assertEquals(await session(gpu, run, { folder, last: 7 }), null);
    const found = await session(gpu, run, { folder });
    assertEquals(findings(found!), wanted);
  });
});
