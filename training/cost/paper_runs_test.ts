/** @file Runs of the papers' models in full size on a dry-run GPU, which allocates nothing: costs against predictions. */
import { assert, assertEquals } from "@std/assert";
import * as registered from "../../models/mod.ts";
import type { Batch } from "../../models/model.ts";
import type { ModelEntry } from "../../models/entry.ts";
import * as optimizers from "../../optimizers/mod.ts";
import type { OptimizerModule } from "../../optimizers/optimizer.ts";
import type { Task } from "../../tasks/task.ts";
import { dryRunGpu, zeroWeights } from "../../tests/support/dry_run_gpu.ts";
import { completeConfig } from "../configuration.ts";
import { predictMemory } from "./memory.ts";
import type { RunConfig } from "../run.ts";
import { runSession } from "../loop/session.ts";

const models: Readonly<Record<string, ModelEntry>> = { ...registered };

/** Texts and images of full length in which every element is 0. */
function zerosFor({ family, outputs, inputSize }: ModelEntry): Task {
  const ints = (...shape: number[]) => ({ data: new Int32Array(shape.reduce((a, b) => a * b)), shape });
  const batchOf = (size: number): Batch => {
    const texts = ints(size, inputSize);
    switch (family) {
      case "decoder":
        return { family, tokens: texts, targets: texts };
      case "encoder-decoder": {
        const inputMask = { data: new Uint32Array(texts.data.length).fill(1), shape: texts.shape };
        return { family, inputs: texts, inputMask, targets: texts };
      }
      case "encoder": {
        const mask = { data: new Uint32Array(texts.data.length).fill(1), shape: texts.shape };
        return { family, tokens: texts, mask, targets: ints(size) };
      }
      case "vision": {
        const shape = [size, 3, inputSize, inputSize];
        const pixels = { data: new Float32Array(shape.reduce((a, b) => a * b)), shape };
        return { family, pixels, targets: ints(size) };
      }
    }
  };
  return {
    id: "zeros",
    title: "Zeros",
    family: family === "vision" ? "vision" : "understanding",
    metric: { name: "none", chance: 0 },
    source: "generated",
    load: () =>
      Promise.resolve({
        needs: { family, outputs, inputSize },
        trainBatch: (_, size) => batchOf(size),
        validationBatches: () => [],
        score: () => Promise.resolve(new Float32Array(1)),
      }),
  };
}

function near(found: number, predicted: number, what: string): void {
  assert(
    Math.abs(found - predicted) <= 0.03 * predicted,
    `${what}: ${found} bytes, ${predicted} were predicted`,
  );
}

const lora = { id: "lora", options: { rank: 8 } }, full = { id: "full", options: {} };
const half = { frozenWeights: "f16", checkpointing: "blocks" } as const;

for (
  const [id, optimizer, memory, batchSize] of [
    // With frozen weights in f16 too, rounding seven thousand million zeros alone takes minutes.
    ["llama-2-7b", lora, undefined, 1],
    ["llama-2-7b", full, undefined, 1],
    ["t5-base", lora, undefined, 4],
    ["t5-base", full, undefined, 4],
    ["t5-v1-1-base", lora, half, 4],
    ["clip-vit-b-16", lora, undefined, 16],
    ["clip-vit-b-16", full, undefined, 16],
  ] as const
) {
  const kind = `${optimizer.id}${memory ? ", frozen weights in f16, checkpointed" : ""}`;
  Deno.test(`predictMemory() says what two steps of ${id} take in full size: ${kind}, batches of ${batchSize}`, async () => {
    const entry = Object.values(models).find((model) => model.id === id)!, task = zerosFor(entry);
    const config: RunConfig = completeConfig({
      schema: 1,
      task: { id: "zeros", trainExamples: 1, validationExamples: 1, testExamples: 1 },
      model: { id },
      targetModules: ["*"],
      optimizer,
      steps: 2,
      batchSize,
      accumulate: 1,
      schedule: { kind: "constant", learningRate: 1e-4, warmup: 0, floor: 1 },
      clip: 1,
      validateEvery: 2,
      telemetryEvery: 0,
      scoreOn: "validation",
      seed: 0,
      ...(memory && { memory }),
    }, { tasks: { task }, models, optimizers });
    const module = Object.values(optimizers).find((one) =>
      one.id === optimizer.id
    ) as unknown as OptimizerModule;
    const predicted = predictMemory(config, entry, module);
    await using gpu = dryRunGpu();
    const { cost, divergedAt } = await runSession(
      gpu,
      config,
      { task, entry, module, source: zeroWeights },
      {},
    );
    assertEquals(divergedAt, null);
    assertEquals(cost.stateBytes, predicted.stateBytes);
    for (const category of ["adapters", "state", "gradients"] as const) {
      // Of tensors side by side, those that one binding can't hold together lie apart.
      near(cost.peakBytesByCategory[category] ?? 0, predicted.peakBytesByCategory[category], category);
    }
    near(cost.peakBytesByCategory["activations"]!, predicted.peakBytesByCategory.activations, "activations");
    near(cost.peakBytes!, predicted.peakBytes, "peak");
  });
}

Deno.test("predictMemory() keeps a base of seven thousand million weights below 4.5 GB in NF4, with its tables in 32 bits", () => {
  const entry = Object.values(models).find(({ id }) => id === "llama-2-7b")!;
  const config = completeConfig({
    ...{ schema: 1, model: { id: entry.id }, targetModules: ["*"], optimizer: lora, steps: 2, batchSize: 1 },
    task: { id: "zeros", trainExamples: 1, validationExamples: 1, testExamples: 1 },
    schedule: { kind: "constant", learningRate: 1e-4, warmup: 0, floor: 1 },
    ...{ accumulate: 1, clip: 1, validateEvery: 2, telemetryEvery: 0, scoreOn: "validation", seed: 0 },
    memory: { frozenWeights: "nf4", checkpointing: "blocks" },
  }, { tasks: { task: zerosFor(entry) }, models, optimizers });
  const module = optimizers.lora as unknown as OptimizerModule;
  const { weights } = predictMemory(config, entry, module).peakBytesByCategory;
  assert(weights < 4.5e9, `${weights} bytes`);
  assert(weights > 3.3e9, `${weights} bytes`);
});
