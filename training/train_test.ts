import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLess,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import type { Parameter } from "../autodiff/tape.ts";
import { UserError } from "../errors/user_error.ts";
import { type Gpu, openGpu } from "../gpu/gpu.ts";
import { decoderTiny, vitTiny } from "../models/sizes.ts";
import type { OptimizerModule, Setup } from "../optimizers/optimizer.ts";
import type { Task, TaskData } from "../tasks/task.ts";
import { assertClose } from "../tests/support/assert_close.ts";
import { READING, testNeeding } from "../tests/support/test_needing.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { complete, partsOf, tiny, watched } from "../tests/support/tiny_runs.ts";
import type { Progress } from "./loop/progress.ts";
import { type RunParts, runSession, type Session } from "./loop/session.ts";
import type { RunConfig } from "./run.ts";
import { RunResult } from "./schemas.ts";
import { train } from "./train.ts";

const test = testNeeding(READING);

test("train() takes the loss of the test examples that it scores, and changes nothing else by it", async () => {
  const gpu = await testGpu();
  const config = complete({ steps: 3, telemetryEvery: 0 }), parts = await partsOf(config);
  const loading = (change: (data: TaskData) => Partial<TaskData>): RunParts => ({
    ...parts,
    task: {
      ...parts.task,
      load: async (options, model) => {
        const data = await parts.task.load(options, model);
        return { ...data, ...change(data) };
      },
    },
  });
  const bits = ({ cost: _, testLoss: _loss, ...rest }: Session) => rest;
  const plain = await runSession(gpu, config, parts, {});
  assertGreater(plain.testLoss!, 0);
  // Of the validation examples it is the last validation loss, to the bit.
  const validating = loading(({ validationBatches }) => ({ testBatches: validationBatches }));
  const twin = await runSession(gpu, config, validating, {});
  assertEquals(twin.testLoss, plain.validationLoss.at(-1)!.value);
  assertNotEquals(plain.testLoss, twin.testLoss);
  const untested = await parts.task.load({ ...config.task, seed: config.seed });
  delete (untested as { testBatches?: unknown }).testBatches;
  const none = await runSession(gpu, config, {
    ...parts,
    task: { ...parts.task, load: () => Promise.resolve(untested) },
  }, {});
  assertEquals(none.testLoss, null);
  assertEquals(bits(none), bits(plain));
  const onValidation = await runSession(gpu, { ...config, scoreOn: "validation" }, parts, {});
  assertEquals(onValidation.testLoss, null);
});

test("train() gives another seed another order and another start", async () => {
  const gpu = await testGpu();
  const config = complete({ steps: 2, telemetryEvery: 0 }), parts = await partsOf(config);
  const run = async (seed: number) => {
    const drawn: number[] = [];
    const attach = ({ random }: Setup) => void drawn.push(...random.uniform(4, 0, 1));
    return { drawn, session: await runSession(gpu, { ...config, seed }, watched(parts, { attach }), {}) };
  };
  const [first, again, other] = [await run(3), await run(3), await run(4)];
  assertEquals(again.drawn, first.drawn);
  assertNotEquals(other.drawn, first.drawn);
  assertEquals(again.session.trainLoss, first.session.trainLoss);
  assertNotEquals(other.session.trainLoss, first.session.trainLoss);
  // The held-out examples are the same for all seeds, and B = 0 changes nothing.
  assertEquals(other.session.validationLoss[0], first.session.validationLoss[0]);
});

/** A GPU that packs gradients into two buffers, as any does where one binding would grow too large. */
async function gpuOfTwoPacks(): Promise<Gpu> {
  const gpu = await openGpu(), pack = gpu.pack.bind(gpu);
  gpu.pack = (entries, label, dtype) => {
    if (label !== "gradients") return pack(entries, label, dtype);
    const half = Math.ceil(entries.length / 2);
    const packs = [entries.slice(0, half), entries.slice(half)].map((some) => pack(some, label, dtype));
    return { parts: packs.flatMap(({ parts }) => parts), flats: packs.flatMap(({ flats }) => flats) };
  };
  return gpu;
}

test("train() gives each step the gradients of its own batch alone, clipped to the global norm, in however many packs", async () => {
  await using apart = await gpuOfTwoPacks();
  for (const [gpu, clip] of [[await testGpu(), 0], [await testGpu(), 0.5], [apart, 0.5]] as const) {
    // The whole training set is one batch and the rate is next to nothing, so all steps are alike.
    const config = complete({
      task: { ...tiny.task, trainExamples: 5, testExamples: 1 },
      schedule: { kind: "constant", learningRate: 1e-30, warmup: 0, floor: 1 },
      clip,
      telemetryEvery: 3,
    });
    const parts = await partsOf(config), norms: number[] = [];
    let trainable: readonly Parameter[] = [];
    const module: OptimizerModule = {
      ...parts.module,
      attach: async (setup, options) => {
        const optimizer = await parts.module.attach(setup, options);
        ({ trainable } = optimizer);
        return optimizer;
      },
    };
    await runSession(
      gpu,
      config,
      watched({ ...parts, module }, {
        async step(gradients) {
          const values = await gpu.downloadAll(trainable.map((parameter) => gradients.of(parameter)));
          norms.push(Math.hypot(...values.map((value) => Math.hypot(...value))));
        },
      }),
      {},
    );
    assertEquals(norms.length, 4);
    // The batch comes in another order each epoch.
    assertClose(norms, norms.map(() => clip || norms[0]!), { relative: 1e-5 }, `clip ${clip}`);
    assertGreater(norms[0]!, 0.4);
  }
});

test("train() gives the same losses in one part and in three", async () => {
  const gpu = await testGpu();
  for (const id of ["full", "lora-ga"]) {
    const losses: number[][] = [];
    for (const accumulate of [1, 3]) {
      const options = id === "full" ? {} : { rank: 4 };
      const config = complete({ accumulate, optimizer: { id, options }, telemetryEvery: 1 });
      const session = await runSession(gpu, config, await partsOf(config), {});
      losses.push([...session.trainLoss, ...session.validationLoss].map(({ value }) => value));
      assertEquals(session.discrepancies.length, 4 * vitTiny.targetModules().length);
    }
    // Adam's first direction is steep: a gradient that rounds otherwise may turn an entry's step.
    assertClose(losses[1]!, losses[0]!, { relative: 1e-3 }, id);
  }
});

test("train() finds the same with blocks computed again, telemetry included, in less memory", async () => {
  const gpu = await testGpu();
  for (const id of ["full", "lora-ga"]) {
    const optimizer = { id, options: id === "full" ? {} : { rank: 4 } };
    const plain = complete({ optimizer, accumulate: 2 });
    const frugal = complete({ optimizer, accumulate: 2, memory: { checkpointing: "blocks" } });
    const [kept, again] = [
      await runSession(gpu, plain, await partsOf(plain), {}),
      await runSession(gpu, frugal, await partsOf(frugal), {}),
    ];
    const { cost: costKept, ...found } = kept, { cost, ...foundAgain } = again;
    assertEquals(foundAgain, found);
    assertLess(cost.peakBytes, costKept.peakBytes);
    assertLess(cost.peakBytesByCategory["activations"]!, 0.7 * costKept.peakBytesByCategory["activations"]!);
  }
});

test("train() with frozen weights in f16 differs by their rounding alone, and not where they are 16-bit floats already", async () => {
  const gpu = await testGpu();
  for (const id of ["lora", "lora-ga", "lora-pro"]) {
    const optimizer = { id, options: { rank: 4 } };
    const whole = complete({ optimizer }), half = complete({ optimizer, memory: { frozenWeights: "f16" } });
    const parts = await partsOf(whole);
    const [kept, found] = [await runSession(gpu, whole, parts, {}), await runSession(gpu, half, parts, {})];
    const losses = (points: typeof kept.trainLoss) => points.map(({ value }) => value);
    const [trained, wanted] = [losses(found.trainLoss), losses(kept.trainLoss)];
    // Base checkpoints hold 16-bit floats. LoRA-GA's start takes s B A out of them: half of the last of 11 bits is lost.
    const isExact = id !== "lora-ga", tolerance = { relative: isExact ? 1e-5 : 5e-3 };
    if (isExact) assertEquals(trained, wanted, id);
    else assertClose(trained, wanted, tolerance, id);
    // Weights in 32 bits are merged for validation.
    assertClose(losses(found.validationLoss), losses(kept.validationLoss), tolerance, id);
    assertEquals(found.discrepancies.length, kept.discrepancies.length);
    assertEquals(found.scores.length, kept.scores.length);
    const weights = ({ cost }: typeof kept) => cost.peakBytesByCategory["weights"]!;
    assertLess(weights(found), 0.6 * weights(kept));
    assertLess(found.cost.peakBytes, kept.cost.peakBytes);
  }
});

test("train() with quantized frozen weights trains a base near the given one, in less memory, the same every time", async () => {
  const gpu = await testGpu(), optimizer = { id: "lora", options: { rank: 4 } };
  const whole = complete({ optimizer }), parts = await partsOf(whole);
  const kept = await runSession(gpu, whole, parts, {});
  const weights = ({ cost }: typeof kept) => cost.peakBytesByCategory["weights"]!;
  const lossOf = ({ validationLoss }: typeof kept) => validationLoss[0]!.value;
  for (const [frozenWeights, share, apart] of [["int8", 0.35, 0.02], ["nf4", 0.25, 0.3]] as const) {
    const config = complete({ optimizer, telemetryEvery: 0, memory: { frozenWeights } });
    const [found, again] = [
      await runSession(gpu, config, parts, {}),
      await runSession(gpu, config, parts, {}),
    ];
    assertLess(weights(found), share * weights(kept));
    // Without measurements nothing becomes 32 bits, not even where the model is scored.
    assertEquals(found.kernels.filter((kernel) => kernel.startsWith("to_float")), []);
    assertLess(Math.abs(lossOf(found) - lossOf(kept)), apart * lossOf(kept), frozenWeights);
    assert(lossOf(found) !== lossOf(kept));
    const started = await runSession(
      gpu,
      complete({
        ...{ optimizer, telemetryEvery: 0, memory: { frozenWeights, loftq: 1 } },
      }),
      parts,
      {},
    );
    assertEquals(weights(started), weights(found));
    assertLess(Math.abs(lossOf(started) - lossOf(kept)), apart * lossOf(kept), `${frozenWeights}, LoftQ`);
    assert(lossOf(started) !== lossOf(found));
    assertEquals([again.trainLoss, again.validationLoss], [found.trainLoss, found.validationLoss]);
  }
});

test("train() learns: twenty steps lower the loss on the training examples of digits", async () => {
  const gpu = await testGpu();
  const config = complete({
    task: { ...tiny.task, trainExamples: 8, testExamples: 1 },
    steps: 20,
    batchSize: 8,
    telemetryEvery: 0,
    validateEvery: 20,
    schedule: { ...tiny.schedule, learningRate: 5e-3 },
  });
  const { trainLoss } = await runSession(gpu, config, await partsOf(config), {});
  assertLess(trainLoss.at(-1)!.value, 0.5 * trainLoss[0]!.value);
});

test("train() does not touch telemetry's or validation's time or memory: losses are the same without", async () => {
  const gpu = await testGpu();
  const often = complete({ telemetryEvery: 1, validateEvery: 1 }),
    never = complete({ telemetryEvery: 0, validateEvery: 4 });
  const first = await runSession(gpu, often, await partsOf(often), {});
  const second = await runSession(gpu, never, await partsOf(never), {});
  assertEquals(first.trainLoss, second.trainLoss);
  assertEquals([first.validationLoss[0], first.validationLoss.at(-1)], [...second.validationLoss]);
  assertEquals(second.discrepancies, []);
  assertEquals(first.scores, second.scores);
});

test("train() counts what LoRA trains and keeps, and peaks by use", async () => {
  const gpu = await testGpu();
  const rank = 4, config = complete({ optimizer: { id: "lora", options: { rank } }, telemetryEvery: 0 });
  const { cost } = await runSession(gpu, config, await partsOf(config), {});
  const trained = vitTiny.targetModules().reduce(
    (sum, targetModule) => sum + rank * (targetModule.in + targetModule.out),
    0,
  );
  assertEquals([cost.trainableParameters, cost.stateBytes], [trained, 2 * 4 * trained]);
  const parts = cost.peakBytesByCategory;
  assertGreater(parts["activations"]!, 0);
  assertGreater(parts["state"]!, cost.stateBytes - 1);
  assertGreater(cost.peakBytes!, parts["weights"]! + parts["activations"]!);
});

test("train() knows no time and no peak of a step where telemetry measured each, and no stored 0 stands for one", async () => {
  const gpu = await testGpu();
  const result = await train(gpu, { ...tiny, steps: 2, telemetryEvery: 1 });
  assert(result.status === "done");
  const { cost } = result.outcome;
  assertEquals([cost.medianStepMs, cost.medianHostMs, cost.peakBytes, cost.peakBytesByCategory], [
    null,
    null,
    null,
    {},
  ]);
  assertGreater(cost.totalMs, cost.scoringMs!);
  assertEquals<unknown>(RunResult.parse(JSON.parse(JSON.stringify(result))), result);
  const { scoringMs: _, ...before } = cost;
  const older = { ...before, medianStepMs: 0, medianHostMs: 0, peakBytes: 4_215_000 };
  const read = RunResult.parse({ ...result, outcome: { ...result.outcome, cost: older } });
  assert(read.status === "done");
  assertEquals(read.outcome.cost, before);
});

test("train() tells the same bytes and the same windows whatever ran before on the device", async () => {
  // The device that other tests use has seen every category.
  await using gpu = await openGpu();
  const bytesOf = async (optimizer: RunConfig["optimizer"]) => {
    const config = complete({ optimizer, steps: 2, validateEvery: 2, telemetryEvery: 0 });
    const { cost } = await runSession(gpu, config, await partsOf(config), {});
    const { attachMs: _1, medianStepMs: _2, medianHostMs: _3, scoringMs: _4, ...rest } = cost;
    return rest;
  };
  const full = { id: "full", options: {} };
  const alone = await bytesOf(full);
  await bytesOf({ id: "lora", options: { rank: 4 } });
  assertEquals(JSON.stringify(await bytesOf(full)), JSON.stringify(alone));
  assert(!("adapters" in alone.peakBytesByCategory));
  // Two steps are one window.
  assertEquals(alone.onlyFirstWindow, true);
});

test("train() reports its phases, steps in order, the latest loss and the losses so far", async () => {
  const gpu = await testGpu();
  const seen: (Omit<Progress, "trainLoss" | "validationLoss" | "discrepancies"> & {
    losses: number;
    validations: number;
  })[] = [];
  const config = complete({ steps: 3, telemetryEvery: 0 });
  const { trainLoss } = await runSession(gpu, config, await partsOf(config), {
    onProgress: ({ trainLoss, validationLoss, discrepancies: _, ...rest }) =>
      seen.push({ ...rest, losses: trainLoss.length, validations: validationLoss.length }),
  });
  const at = (step: number) => trainLoss[step - 1]!.value;
  assertEquals(seen, [
    { phase: "loading", step: 0, steps: 3, loss: null, losses: 0, validations: 0 },
    { phase: "training", step: 2, steps: 3, loss: at(2), losses: 2, validations: 1 },
    { phase: "training", step: 3, steps: 3, loss: at(3), losses: 3, validations: 2 },
    // Once at its begin, and after its one pass.
    ...Array.from({ length: 2 }, () => (
      { phase: "scoring", step: 3, steps: 3, loss: at(3), losses: 3, validations: 3 } as const
    )),
  ]);
});

test("train() leaves nothing on the GPU where the task, the method or the scoring throws", async () => {
  const gpu = await testGpu();
  const before = gpu.memory.liveBytes;
  const config = complete({}), parts = await partsOf(config);
  const failing = (change: (data: Awaited<ReturnType<Task["load"]>>) => object): RunParts => ({
    ...parts,
    task: {
      ...parts.task,
      load: async (options) => {
        const data = await parts.task.load(options);
        return { ...data, ...change(data) };
      },
    },
  });
  const fail = (): never => {
    throw new Error("Broken");
  };
  const cases: RunParts[] = [
    failing(({ trainBatch }) => ({
      trainBatch: (step: number, size: number) => step < 3 ? trainBatch(step, size) : fail(),
    })),
    failing(() => ({ validationBatches: fail })),
    failing(() => ({ score: () => Promise.reject(new Error("Broken")) })),
    { ...parts, module: { ...parts.module, attach: () => Promise.reject(new Error("Broken")) } },
    {
      ...parts,
      module: {
        ...parts.module,
        attach: async (setup, options) => ({
          ...await parts.module.attach(setup, options),
          step: () => Promise.reject(new Error("Broken")),
        }),
      },
    },
    { ...parts, source: fail },
    { ...parts, onTrained: fail },
  ];
  for (const [i, broken] of cases.entries()) {
    await assertRejects(() => runSession(gpu, config, broken, {}), Error, "Broken", `case ${i}`);
    assertEquals(gpu.memory.liveBytes, before, `case ${i}`);
  }
  // The device is still good for a run.
  assertEquals((await runSession(gpu, config, parts, {})).divergedAt, null);
});

test("train() waits for methods whose steps are promises", async () => {
  const gpu = await testGpu();
  const config = complete({ telemetryEvery: 3 }), parts = await partsOf(config);
  let open = 0, steps = 0;
  await runSession(
    gpu,
    config,
    watched(parts, {
      async step() {
        assertEquals(open++, 0);
        await gpu.flush();
        open--;
        steps++;
      },
    }),
    {},
  );
  assertEquals([open, steps], [0, 4]);
});

test("train() counts a start that moves weights as change, and other starts as none", async () => {
  const gpu = await testGpu();
  // The start moves by a product of rank 2; the steps, far less, by sums of two such products.
  const config = complete({
    optimizer: { id: "lora", options: { rank: 2 } },
    schedule: { kind: "constant", learningRate: 1e-7, warmup: 0, floor: 1 },
  });
  const parts = await partsOf(config);
  for (const startsMoved of [true, false]) {
    const module: OptimizerModule = {
      ...parts.module,
      startsMoved,
      async attach(setup, options) {
        const optimizer = await parts.module.attach(setup, options);
        for (const targetModule of setup.targetModules) {
          const { b } = optimizer.factors(targetModule)!;
          gpu.write(b.value, setup.random.fork(targetModule.name).normal(2 * targetModule.out, 0.1));
        }
        return optimizer;
      },
    };
    const { discrepancies } = await runSession(gpu, config, { ...parts, module }, {});
    assertEquals(discrepancies.length, 3 * vitTiny.targetModules().length);
    for (const { effectiveRank } of discrepancies) {
      assertEquals(effectiveRank! > 1 && effectiveRank! < 2.01, startsMoved, `${effectiveRank}`);
    }
  }
});

test("RunResult reads results from before second orders and effective ranks were measured", async () => {
  const gpu = await testGpu();
  const result = await train(gpu, { ...tiny, steps: 1 });
  assert(result.status === "done");
  const [one] = result.outcome.discrepancies;
  const { secondOrderShare: _s, effectiveRank: _e, moveOfA: _m, ...old } = one!;
  const discrepancies = [old];
  const parsed = RunResult.parse({ ...result, outcome: { ...result.outcome, discrepancies } });
  assert(parsed.status === "done");
  assertEquals(parsed.outcome.discrepancies, discrepancies);
});

test("train() records what the task measures, and RunResult reads it as it reads results without", async () => {
  const gpu = await testGpu();
  const result = await train(gpu, {
    ...tiny,
    task: { id: "dialogue-state", trainExamples: 8, validationExamples: 3, testExamples: 5 },
    model: { id: "decoder-tiny-dialogue" },
    steps: 1,
    batchSize: 2,
    scoreOn: "validation",
  });
  assert(result.status === "done");
  const { measures, scores, validationLoss } = result.outcome;
  assertEquals(Object.keys(measures!), ["exact reply", "loss a token"]);
  for (const { value, values } of Object.values(measures!)) {
    assertEquals(values.length, 3);
    assertAlmostEquals(value!, values.reduce((sum, one) => sum + one, 0) / 3, 1e-12);
  }
  measures!["exact reply"]!.values.forEach((reply, i) => assert(reply <= scores[i]!));
  // One is the mean over examples, the other over tokens: the same numbers, weighed a little differently.
  const ratio = measures!["loss a token"]!.value! / validationLoss.at(-1)!.value;
  assert(ratio > 0.8 && ratio < 1.25, `${ratio}`);
  assertEquals<unknown>(RunResult.parse(JSON.parse(JSON.stringify(result))), result);
  const { measures: _, ...old } = result.outcome;
  assert(!("measures" in (RunResult.parse({ ...result, outcome: old }) as { outcome: object }).outcome));
});

test("train() refuses what the model cannot take, by the model's and the task's names", async () => {
  const gpu = await testGpu();
  const config = complete({}), parts = await partsOf(config);
  const error = await assertRejects(
    () => runSession(gpu, config, { ...parts, entry: decoderTiny }, {}),
    UserError,
  );
  assert(/"decoder-tiny".*"digits"/.test(error.message));
  await assertRejects(
    () => train(gpu, { ...tiny, targetModules: ["nothing"] }),
    UserError,
    'a target module like "nothing"',
  );
  await assertRejects(
    () => train(gpu, { ...tiny, model: { id: "decoder-tiny" } }),
    UserError,
    '"decoder-tiny" on task "digits"',
  );
});

test("train() scores the split that the config names: the mean of its scores", async () => {
  const gpu = await testGpu();
  const result = await train(gpu, { ...tiny, steps: 1, telemetryEvery: 0, scoreOn: "validation" });
  assert(result.status === "done");
  const { scores, score } = result.outcome;
  assertEquals(scores.length, 12);
  assertAlmostEquals(score, scores.reduce((sum, value) => sum + value, 0) / 12, 1e-12);
});
