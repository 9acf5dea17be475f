import { assert, assertAlmostEquals, assertEquals, assertGreater } from "@std/assert";
import { pretrainedPath } from "../../models/base_weights.ts";
import { readSafetensors } from "../../models/checkpoints/read_safetensors.ts";
import { vitTiny } from "../../models/sizes.ts";
import { READING, testNeeding } from "../../tests/support/test_needing.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { corpusOf } from "../resolve/corpus.ts";
import type { RunConfig } from "../run.ts";
import { train } from "../train.ts";

const test = testNeeding(READING);

const config: RunConfig = {
  schema: 1,
  task: { id: "digits", trainExamples: 64, validationExamples: 200, testExamples: 8 },
  model: { id: "vit-tiny" },
  targetModules: ["*"],
  optimizer: { id: "lora", options: { rank: 2 } },
  steps: 2,
  batchSize: 32,
  accumulate: 1,
  schedule: { kind: "constant", learningRate: 1e-2, warmup: 0, floor: 0 },
  clip: 1,
  validateEvery: 2,
  telemetryEvery: 0,
  scoreOn: "validation",
  seed: 0,
};

test("train() tells how much worse a run makes the model on what its checkpoint was pre-trained on", async () => {
  const gpu = await testGpu();
  const forgettingAt = async (learningRate: number) => {
    const result = await train(gpu, { ...config, schedule: { ...config.schedule, learningRate } });
    assert(result.status === "done");
    return result.outcome.forgetting!;
  };
  // A step that is too small to change a weight changes no loss.
  const still = await forgettingAt(1e-30);
  assertEquals(still.corpus, "digits-upright");
  assertAlmostEquals(still.after!, still.before, 1e-6 * still.before);
  // The checkpoint's file tells what pre-training found on all of them, before its weights were rounded to 16 bits.
  const { metadata } = await readSafetensors(decodeURIComponent(pretrainedPath(vitTiny).pathname));
  assertAlmostEquals(still.before, Number(metadata["validationLoss"]), 1e-3 * still.before);
  const moved = await forgettingAt(1e-2);
  assertEquals(moved.before, still.before);
  assertGreater(moved.after!, 1.01 * moved.before);
});

test("what weights were pre-trained on is told of checkpoints of the project's alone", () => {
  const of = (entry: Parameters<typeof corpusOf>[0], model: RunConfig["model"] = { id: "vit-tiny" }) =>
    corpusOf(entry, model)?.id ?? null;
  assertEquals(of(vitTiny), "digits-upright");
  assertEquals(of(vitTiny.resize({ width: 32 })), null);
  assertEquals(of({ ...vitTiny, folder: "/models/mine" }), null);
  assertEquals(of({ ...vitTiny, adapter: "/adapters/mine" }), null);
  assertEquals(of(vitTiny, { id: "vit-tiny", head: "new" }), null);
  assertEquals(of({ ...vitTiny, recipe: { task: "somebody's" } }), null);
});
