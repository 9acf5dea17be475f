/** @file Runs that diverge. */
import { assert, assertEquals } from "@std/assert";
import * as optimizers from "../optimizers/mod.ts";
import { READING, testNeeding } from "../tests/support/test_needing.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { complete, partsOf, tiny } from "../tests/support/tiny_runs.ts";
import { runSession } from "./loop/session.ts";
import { RunResult } from "./schemas.ts";
import { train } from "./train.ts";

const test = testNeeding(READING);

/** Rates that are absurd for methods whose large numbers a norm divides again: theirs must overflow. */
const ABSURD: Readonly<Record<string, number>> = { ia3: 3e38 };

for (const module of Object.values(optimizers)) {
  test(`train() ends ${module.id} as "diverged" at the step where an absurd rate tells`, async () => {
    const gpu = await testGpu();
    const before = gpu.memory.liveBytes;
    const result = await train(gpu, {
      ...tiny,
      optimizer: { id: module.id, options: "rank" in module.defaults ? { rank: 4 } : {} },
      schedule: { kind: "constant", learningRate: ABSURD[module.id] ?? 1e30, warmup: 0, floor: 1 },
      steps: 6,
      validateEvery: 6,
      telemetryEvery: 4,
    });
    assertEquals(gpu.memory.liveBytes, before);
    assertEquals<unknown>(RunResult.parse(JSON.parse(JSON.stringify(result))), result);
    assert(result.status === "diverged", result.status);
    // The first step is taken at sound weights and ruins them; the run ends when its losses are next read.
    assertEquals([result.step, result.trainLoss.length], [2, 1]);
  });

  test(`train() never fails on a rate of 1e6: ${module.id} diverges, or is done with finite losses`, async () => {
    const gpu = await testGpu();
    const result = await train(gpu, {
      ...tiny,
      optimizer: { id: module.id, options: "rank" in module.defaults ? { rank: 4 } : {} },
      schedule: { kind: "constant", learningRate: 1e6, warmup: 0, floor: 1 },
      clip: 0,
    });
    assert(result.status === "diverged" || result.status === "done");
    assertEquals<unknown>(RunResult.parse(JSON.parse(JSON.stringify(result))), result);
  });
}

test("train() ends LoRA-Pro at full rank from B = 0 as diverged where its loss leaves, in every mode", async () => {
  const gpu = await testGpu();
  for (const mode of ["full", "efficient", "sgd"]) {
    for (const [learningRate, wanted] of [[1e30, ["diverged"]], [10, ["diverged", "done"]]] as const) {
      const result = await train(gpu, {
        ...tiny,
        // [64, 64].
        targetModules: ["layers.0.self_attn.q_proj"],
        optimizer: { id: "lora-pro", options: { rank: 64, mode, relativeDamping: 0 } },
        schedule: { kind: "constant", learningRate, warmup: 0, floor: 1 },
        steps: 6,
        clip: 0,
      });
      assert(wanted.some((status) => status === result.status), `${mode} ${learningRate}: ${result.status}`);
      // JSON has no NaN: whatever is told is finite.
      assertEquals<unknown>(RunResult.parse(JSON.parse(JSON.stringify(result))), result);
    }
  }
});

test("train() ends a run with activations in 16 bits as diverged where one is too large for them, and not where 32 hold it", async () => {
  const gpu = await testGpu();
  for (const [activations, wanted] of [["f16", 1], ["f32", null]] as const) {
    const config = complete({ memory: { activations }, steps: 1, validateEvery: 1 });
    const parts = await partsOf(config);
    const session = await runSession(gpu, config, {
      ...parts,
      source: (name, shape) => {
        const values = parts.source(name, shape);
        return name.endsWith("layers.1.mlp.fc1.weight") ? values.map((value) => 1e7 * value) : values;
      },
    }, {});
    assertEquals(session.divergedAt, wanted, activations);
  }
});

test("train() ends a run whose weights are poisoned as diverged at step 1, with no loss", async () => {
  const gpu = await testGpu();
  for (const poison of [NaN, Infinity]) {
    const config = complete({}), parts = await partsOf(config);
    const session = await runSession(gpu, config, {
      ...parts,
      source: (name, shape) => {
        const values = parts.source(name, shape);
        return name.endsWith("layers.1.mlp.fc1.weight") ? values.fill(poison, 0, 1) : values;
      },
    }, {});
    assertEquals([session.divergedAt, session.trainLoss, session.scores, session.validationLoss], [
      1,
      [],
      [],
      [],
    ]);
  }
});

test("train() ends a run that its last step breaks as diverged, not as done with a senseless score", async () => {
  const gpu = await testGpu();
  const result = await train(gpu, {
    ...tiny,
    schedule: { kind: "constant", learningRate: 1e30, warmup: 0, floor: 1 },
    optimizer: { id: "full", options: {} },
    steps: 1,
    telemetryEvery: 0,
  });
  assert(result.status === "diverged", result.status);
  assertEquals(result.step, 1);
  assertEquals(result.trainLoss.length, 1);
});
