/** @file A made-up sweep for tests. */
import { expand, type SweepSpec } from "../../../benchmarks/sweep/sweep.ts";
import { makePlan, type Plan } from "../../../benchmarks/sweep/plan.ts";
import { fakeRegistries } from "./registries.ts";

/** Two tasks, four methods, two ranks, two seeds. */
export const fakeSweep: SweepSpec = {
  name: "fake",
  question: "Do made-up methods differ?",
  base: {
    targetModules: ["*"],
    steps: 40,
    batchSize: 16,
    accumulate: 1,
    schedule: { kind: "cosine", warmup: 4, floor: 0 },
    clip: 1,
    validateEvery: 8,
    telemetryEvery: 5,
    scoreOn: "test",
  },
  tasks: [
    {
      task: { id: "digits", trainExamples: 256, validationExamples: 64, testExamples: 200 },
      model: { id: "vit-tiny" },
    },
    {
      task: { id: "arithmetic", trainExamples: 256, validationExamples: 64, testExamples: 100 },
      model: { id: "decoder-tiny" },
      steps: 60,
    },
  ],
  optimizers: [{ id: "full", learningRates: [0.002] }, { id: "lora" }, { id: "lora-ga" }, { id: "lora-pro" }],
  rates: { shared: 0.004 },
  ranks: [2, 8],
  seeds: [0, 1],
};

/** The plan of a made-up sweep. */
export async function fakePlan(spec: SweepSpec = fakeSweep): Promise<Plan> {
  return await makePlan(spec, expand(spec, fakeRegistries), "./run bench fake", null);
}
