import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import * as registeredModels from "../../models/mod.ts";
import {
  decoder as decoderOf,
  gpt2,
  imageClassifier,
  type ModelEntry,
  textClassifier,
  useLite,
} from "../../models/entry.ts";
import { initialWeights } from "../../models/weights.ts";
import { createRandom } from "../../numerics/random.ts";
import * as optimizers from "../../optimizers/mod.ts";
import type { OptimizerModule, Options } from "../../optimizers/optimizer.ts";
import * as registeredTasks from "../../tasks/mod.ts";
import type { Task } from "../../tasks/task.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { withoutScoring } from "../../tests/support/tiny_runs.ts";
import { classification } from "../../tests/support/fakes/classification_task.ts";
import { translation } from "../../tests/support/translation_task.ts";
import { completeConfig, resolveModel } from "../configuration.ts";
import { type PredictedMemory, predictMemory } from "./memory.ts";
import type { Cost, RunConfig } from "../run.ts";
import { runSession } from "../loop/session.ts";

/** A decoder with every part that Qwen and Gemma have beside Llama. */
const parts = decoderOf({
  id: "decoder-parts",
  title: "Decoder of all parts",
  config: {
    ...registeredModels.decoderTiny.decoder!,
    ...{ keyValueHeads: 2, biases: true, headNorms: true, outputNorms: true, normsFromOne: true },
    ...{ windows: [9, null], windowRopeTheta: 50, scoreCap: 5, logitCap: 8, embeddingScale: 8 },
  },
  recipe: null,
});
/** Of a vocabulary whose logits come in parts of 64 rows. */
const wordy = decoderOf({
  id: "decoder-wordy",
  title: "Decoder of many words",
  config: {
    ...registeredModels.decoderTiny.decoder!,
    ...{ vocabulary: 131_100, width: 16, heads: 2, keyValueHeads: 2, headSize: 8, tiedHead: true },
  },
  recipe: null,
});
/** Of sizes of which none is another. */
const gpt = gpt2({
  id: "gpt2-tiny",
  title: "GPT-2",
  config: {
    ...{ vocabulary: 56, width: 60, layers: 3, heads: 4, hidden: 100, length: 80, normEpsilon: 1e-5 },
    activation: "gelu-tanh",
    tiedHead: true,
  },
  recipe: null,
});
const classifiers = (["vit", "dinov2"] as const).map((kind) =>
  imageClassifier({
    id: kind,
    title: kind,
    config: {
      ...{ image: 28, channels: 1, patch: 7, width: 64, layers: 3, heads: 4, hidden: 100, outputs: 10 },
      ...{ kind, activation: "gelu", normEpsilon: 1e-6 } as const,
      ...(kind === "dinov2" ? { positionsFor: 42 } : {}),
    },
    recipe: null,
  })
);
const encoders = (["bert", "roberta", "distilbert", "deberta"] as const).map((kind) =>
  textClassifier({
    id: kind,
    title: kind,
    config: {
      ...{ vocabulary: 50, width: 60, layers: 3, heads: 4, hidden: 100, length: 24, outputs: 3 },
      ...{ kind, activation: "gelu", normEpsilon: 1e-12 } as const,
      ...{ types: kind === "distilbert" || kind === "deberta" ? 0 : 2, paddingToken: 1 },
      ...(kind === "deberta" ? { relative: { buckets: 8, maxPosition: 24 } } : {}),
    },
    recipe: null,
  })
);
const sentenceEncoder = useLite({
  id: "sentences",
  title: "Sentence encoder",
  config: {
    ...{ vocabulary: 50, embedding: 36, width: 60, layers: 3, heads: 4, hidden: 100, length: 24 },
    normEpsilon: 1e-6,
  },
  recipe: null,
}).withNewHead!(3);
encoders.push(sentenceEncoder);
const models: Readonly<Record<string, ModelEntry>> = {
  ...registeredModels,
  ...{ parts, wordy, gpt, vit: classifiers[0]!, dinov2: classifiers[1]! },
  ...Object.fromEntries(encoders.map((entry) => [entry.id, entry])),
};
/** Arithmetic for a model of many words, most of which it never meets. */
const wordyTask: Task = {
  ...registeredTasks.arithmetic,
  id: "wordy",
  async load(...given) {
    const data = await registeredTasks.arithmetic.load(...given), { vocabulary } = wordy.decoder!;
    return { ...data, needs: { ...data.needs, outputs: vocabulary } };
  },
};
// Tasks for models that no sweep has a use for yet.
const tasks: Readonly<Record<string, Task>> = { ...registeredTasks, translation, classification, wordyTask };

const base: RunConfig = {
  schema: 1,
  task: { id: "digits", trainExamples: 40, validationExamples: 1, testExamples: 1 },
  model: { id: "vit-tiny" },
  targetModules: ["*"],
  optimizer: { id: "lora", options: {} },
  steps: 2,
  batchSize: 12,
  accumulate: 1,
  schedule: { kind: "constant", learningRate: 1e-4, warmup: 0, floor: 1 },
  clip: 1,
  validateEvery: 2,
  telemetryEvery: 0,
  scoreOn: "validation",
  seed: 0,
};
const decoder: Partial<RunConfig> = {
  task: { ...base.task, id: "arithmetic" },
  model: { id: "decoder-tiny" },
  batchSize: 4,
};

const classifying: Partial<RunConfig> = { task: { ...base.task, id: "classification" } };
const halved = { activations: "f16" } as const;
const wordyRun: Partial<RunConfig> = {
  task: { ...base.task, id: "wordy" },
  model: { id: "decoder-wordy" },
};
const encoderDecoder: Partial<RunConfig> = {
  task: { ...base.task, id: "translation" },
  model: { id: "t5-tiny" },
  batchSize: 4,
};

/** What a run takes, predicted and measured. */
async function bothOf(
  changes: Partial<RunConfig>,
): Promise<{ readonly predicted: PredictedMemory; readonly cost: Omit<Cost, "totalMs"> }> {
  const config = completeConfig({ ...base, ...changes }, { tasks, models, optimizers });
  const entry = resolveModel(config.model, models);
  const module = Object.values(optimizers).find(({ id }) =>
    id === config.optimizer.id
  ) as unknown as OptimizerModule;
  const task = Object.values(tasks).find(({ id }) => id === config.task.id)!;
  const gpu = await testGpu();
  const source = initialWeights(createRandom(1));
  // What is written to be scored is no part of a step.
  const parts = withoutScoring({ task, entry, module, source });
  const { cost } = await runSession(gpu, config, parts, {});
  return { predicted: predictMemory(config, entry, module), cost };
}

const full = { id: "full", options: {} };
const method = (id: string, options: Options) => ({ id, options });
/** A rank that is no multiple of four, where the method has one, and as little to start from as it can do with. */
const smallest = { rank: 3, gradientBatches: 1, inputBatches: 1 };
const CASES: Readonly<Record<string, Partial<RunConfig>>> = {
  // Ten steps, for methods that have a schedule of their own.
  ...Object.fromEntries(
    Object.values(optimizers).map(({ id, defaults }) => {
      const options = Object.entries(smallest).filter(([name]) => name in defaults);
      return [`${id} as it is`, { steps: 10, optimizer: method(id, Object.fromEntries(options)) }];
    }),
  ),
  "full on vision": { optimizer: full },
  "full on a decoder": { ...decoder, optimizer: full },
  "full, target modules alone, on vision": { optimizer: method("full", { trains: "targetModules" }) },
  "lora with head, embeddings, norms and biases on vision": {
    alsoTrain: ["head", "embeddings", "norms", "biases"],
  },
  "lora-pro with the head, checkpointed, on a decoder": {
    ...decoder,
    alsoTrain: ["head"],
    optimizer: method("lora-pro", { rank: 4 }),
    memory: { checkpointing: "blocks", frozenWeights: "f16" },
  },
  "dora with embeddings and norms on an encoder-decoder": {
    ...encoderDecoder,
    alsoTrain: ["embeddings", "norms"],
    optimizer: method("dora", { rank: 4 }),
  },
  "lora-muon in the tangent space, on vision": {
    optimizer: method("lora-muon", { rank: 7, form: "tangent" }),
  },
  "loft in its simple form, on vision": { optimizer: method("loft", { rank: 5, simple: true }) },
  "loft with the transposed transport, on vision": {
    optimizer: method("loft", { rank: 5, transport: "transposed" }),
  },
  "lora of rank 1 on vision": { optimizer: method("lora", { rank: 1 }) },
  "lora of rank 8 on a decoder": { ...decoder, optimizer: method("lora", { rank: 8 }) },
  "lora on the upper blocks of a decoder": { ...decoder, targetModules: ["layers.1.*", "layers.2.*"] },
  "full on a decoder of all parts": { ...decoder, model: { id: "decoder-parts" }, optimizer: full },
  "lora on a decoder of all parts, checkpointed": {
    ...decoder,
    model: { id: "decoder-parts" },
    memory: { checkpointing: "blocks" },
  },
  "lora with the embeddings on a decoder of many words, checkpointed": {
    ...decoder,
    ...wordyRun,
    alsoTrain: ["embeddings"],
    memory: { checkpointing: "blocks" },
  },
  "full on GPT-2": { ...decoder, model: { id: "gpt2-tiny" }, optimizer: full },
  "lora on the upper blocks of GPT-2": {
    ...decoder,
    model: { id: "gpt2-tiny" },
    targetModules: ["h.1.*", "h.2.*"],
  },
  "lora, checkpointed, on GPT-2": {
    ...decoder,
    model: { id: "gpt2-tiny" },
    memory: { checkpointing: "blocks" },
  },
  ...Object.fromEntries(
    classifiers.flatMap(({ id }) => [
      [`full on ${id}`, { model: { id }, optimizer: full }],
      [`lora on upper blocks of ${id}`, { model: { id }, targetModules: ["layer.1.*", "layer.2.*"] }],
    ]),
  ),
  ...Object.fromEntries(
    encoders.flatMap(({ id }) => {
      const on = { ...classifying, model: { id } };
      return [
        [`full on ${id}`, { ...on, optimizer: full }],
        [`lora on upper blocks of ${id}`, { ...on, targetModules: ["layer.1.*", "layer.2.*"] }],
        [`lora with frozen embeddings in nf4 on ${id}`, { ...on, memory: { frozenEmbeddings: "nf4" } }],
      ];
    }),
  ),
  "lora on the attention of vision": { targetModules: ["*.self_attn.*"] },
  "lora-ga on vision": { optimizer: method("lora-ga", { rank: 4, gradientBatches: 1 }) },
  "lora-ga on a decoder": { ...decoder, optimizer: method("lora-ga", { rank: 8, gradientBatches: 1 }) },
  "lora-pro of rank 16 on vision": { optimizer: method("lora-pro", { rank: 16 }) },
  "lora-rite of rank 18 on vision": { optimizer: method("lora-rite", { rank: 18 }) },
  "lora-pro on vision": { optimizer: method("lora-pro", { rank: 4 }) },
  "lora-pro, efficient, on a decoder": {
    ...decoder,
    optimizer: method("lora-pro", { rank: 8, mode: "efficient" }),
  },
  "lora-pro, sgd, on one image at a time": {
    batchSize: 1,
    optimizer: method("lora-pro", { rank: 16, mode: "sgd" }),
  },
  "adalora of initial rank 18 on vision": { optimizer: method("adalora", { rank: 12 }) },
  "dora on vision": { optimizer: method("dora", { rank: 4 }) },
  "dora with frozen weights in f16, checkpointed, in two parts on a decoder": {
    ...decoder,
    accumulate: 2,
    optimizer: method("dora", { rank: 8 }),
    memory: { frozenWeights: "f16", checkpointing: "blocks" },
  },
  "pissa with frozen weights in f16 on vision": {
    optimizer: method("pissa", { rank: 4 }),
    memory: { frozenWeights: "f16" },
  },
  "lora-plus on vision": { optimizer: method("lora-plus", { rank: 4 }) },
  "lora-fa on vision": { optimizer: method("lora-fa", { rank: 8 }) },
  "scaled-adamw on a decoder": { ...decoder, optimizer: method("scaled-adamw", { rank: 3 }) },
  "altlora, with a second moment, on one image at a time": {
    batchSize: 1,
    optimizer: method("altlora", { rank: 16, secondMoment: true }),
  },
  "lora-rite on one image at a time": { batchSize: 1, optimizer: method("lora-rite", { rank: 16 }) },
  "lora-pro on one image at a time": { batchSize: 1, optimizer: method("lora-pro", { rank: 16 }) },
  "full in three parts": { optimizer: full, batchSize: 10, accumulate: 3 },
  "lora in four parts on a decoder": { ...decoder, accumulate: 4 },
  "full, checkpointed, on vision": { optimizer: full, memory: { checkpointing: "blocks" } },
  "lora, checkpointed, in two parts on a decoder": {
    ...decoder,
    accumulate: 2,
    memory: { checkpointing: "blocks" },
  },
  "lora on vision, checkpointed in 16 bits": { memory: { checkpointing: "blocks-f16" } },
  "full on an encoder-decoder, checkpointed in 16 bits": {
    ...encoderDecoder,
    optimizer: full,
    memory: { checkpointing: "blocks-f16" },
  },
  "lora on the upper blocks of a deep vision transformer, checkpointed in 16 bits": {
    model: { id: "vit-tiny", width: 32, layers: 7 },
    targetModules: ["layers.5.*", "layers.6.*"],
    memory: { checkpointing: "blocks-f16" },
  },
  ...Object.fromEntries(
    (["lora", "lora-pro", "dora", "full"] as const).flatMap((id) =>
      Object.entries({ vision: {}, "a decoder": decoder, "an encoder-decoder": encoderDecoder }).map((
        [family, changes],
      ) => [
        `${id} with activations in f16 on ${family}`,
        { ...changes, optimizer: method(id, id === "full" ? {} : { rank: 8 }), memory: halved },
      ])
    ),
  ),
  ...Object.fromEntries(
    ([[{}, classifiers], [classifying, encoders], [decoder, [gpt, parts]]] as const).flatMap((
      [task, entries],
    ) => entries.map(({ id }) => ({ ...task, model: { id } }))).flatMap((on) => {
      const upper = ["*.1.*", "*.2.*"], { id } = on.model;
      return [
        [`full with activations in f16 on ${id}`, { ...on, optimizer: full, memory: halved }],
        [`lora with activations in f16 on upper blocks of ${id}`, {
          ...on,
          targetModules: upper,
          memory: halved,
        }],
      ];
    }),
  ),
  "lora on a decoder that looks at an encoder, activations in f16": {
    ...encoderDecoder,
    targetModules: ["decoder.*"],
    memory: halved,
  },
  "lora-ga with frozen weights in nf4 and activations in f16, in two parts, on a decoder": {
    ...decoder,
    accumulate: 2,
    optimizer: method("lora-ga", { rank: 4, gradientBatches: 1 }),
    memory: { ...halved, frozenWeights: "nf4" },
  },
  "lora-ga, checkpointed, on vision": {
    optimizer: method("lora-ga", { rank: 2, gradientBatches: 1 }),
    memory: { checkpointing: "blocks" },
  },
  "lora with frozen weights in f16 on vision": { memory: { frozenWeights: "f16" } },
  "lora-ga, frozen attention weights in f16, checkpointed, on a decoder": {
    ...decoder,
    targetModules: ["*.self_attn.*"],
    optimizer: method("lora-ga", { rank: 4, gradientBatches: 1 }),
    memory: { frozenWeights: "f16", checkpointing: "blocks" },
  },
  "lora with frozen weights in nf4, checkpointed, on a decoder": {
    ...decoder,
    memory: { frozenWeights: "nf4", checkpointing: "blocks" },
  },
  "lora with frozen embeddings in nf4 on GPT-2": {
    ...decoder,
    model: { id: "gpt2-tiny" },
    memory: { frozenEmbeddings: "nf4" },
  },
  "lora with all that is frozen in int8 on an encoder-decoder": {
    ...encoderDecoder,
    memory: { frozenWeights: "int8", frozenEmbeddings: "int8" },
  },
  "lora from LoftQ's start with frozen weights in int8 on vision": {
    optimizer: method("lora", { rank: 4 }),
    memory: { frozenWeights: "int8", loftq: 2 },
  },
  "pissa with frozen encoder weights in int8 on an encoder-decoder": {
    ...encoderDecoder,
    targetModules: ["encoder.*"],
    optimizer: method("pissa", { rank: 4 }),
    memory: { frozenWeights: "int8" },
  },
  "lora-pro with frozen weights in f16 on a decoder": {
    ...decoder,
    optimizer: method("lora-pro", { rank: 4 }),
    memory: { frozenWeights: "f16" },
  },
  "full on a wide decoder of one layer": {
    ...decoder,
    model: { id: "decoder-tiny", width: 128, layers: 1 },
    optimizer: full,
  },
  "full on an encoder-decoder": { ...encoderDecoder, optimizer: full },
  "full, target modules alone, on an encoder-decoder": {
    ...encoderDecoder,
    optimizer: method("full", { trains: "targetModules" }),
  },
  "full, checkpointed, in two parts on an encoder-decoder": {
    ...encoderDecoder,
    optimizer: full,
    accumulate: 2,
    memory: { checkpointing: "blocks" },
  },
  "lora of rank 8 on an encoder-decoder": { ...encoderDecoder, optimizer: method("lora", { rank: 8 }) },
  "lora on an encoder alone": { ...encoderDecoder, targetModules: ["encoder.*"] },
  "lora on the upper blocks of an encoder": { ...encoderDecoder, targetModules: ["encoder.block.1.*"] },
  "lora on a decoder that looks at an encoder": { ...encoderDecoder, targetModules: ["decoder.*"] },
  "lora on the upper blocks of that decoder": {
    ...encoderDecoder,
    targetModules: ["decoder.block.1.*"],
  },
  "lora, checkpointed, on an encoder-decoder": {
    ...encoderDecoder,
    memory: { checkpointing: "blocks" },
  },
  "lora, checkpointed, on a decoder that looks at an encoder": {
    ...encoderDecoder,
    targetModules: ["decoder.*"],
    memory: { checkpointing: "blocks" },
  },
  "lora, checkpointed, on an encoder alone": {
    ...encoderDecoder,
    targetModules: ["encoder.*"],
    memory: { checkpointing: "blocks" },
  },
  "lora-ga, frozen weights in f16, on an encoder-decoder": {
    ...encoderDecoder,
    optimizer: method("lora-ga", { rank: 4, gradientBatches: 1 }),
    memory: { frozenWeights: "f16" },
  },
  "lora-pro on a deep encoder-decoder": {
    ...encoderDecoder,
    model: { id: "t5-tiny", width: 32, layers: 5 },
    optimizer: method("lora-pro", { rank: 4 }),
  },
  "adalora with frozen weights in f16, in two parts, checkpointed, on a decoder": {
    ...decoder,
    optimizer: method("adalora", { rank: 8 }),
    accumulate: 2,
    memory: { frozenWeights: "f16", checkpointing: "blocks" },
  },
  "lora-ga-pro on a decoder": {
    ...decoder,
    optimizer: method("lora-ga-pro", { rank: 4, gradientBatches: 1 }),
  },
  "lora on a deep vision transformer, checkpointed": {
    model: { id: "vit-tiny", width: 32, layers: 7 },
    memory: { checkpointing: "blocks" },
  },
};

for (const [label, changes] of Object.entries(CASES)) {
  Deno.test(`predictMemory() says what a run takes: ${label}`, async () => {
    const { predicted, cost } = await bothOf(changes);
    const { peakBytesByCategory: found, peakBytes } = cost, wanted = predicted.peakBytesByCategory;
    assertEquals(cost.stateBytes, predicted.stateBytes);
    for (const category of ["weights", "adapters", "state", "gradients"] as const) {
      assertEquals(found[category] ?? 0, wanted[category], category);
    }
    // Partial sums, at most 2 % here, are not predicted; the rest is counted tensor by tensor.
    const near = (a: number, b: number, what: string) =>
      assert(Math.abs(a - b) <= 0.03 * b, `${what}: ${a} bytes, ${b} were predicted`);
    near(found["activations"]!, wanted.activations, "activations");
    near(peakBytes!, predicted.peakBytes, "peak");
  });
}

/** The most bytes that a run's method keeps of each use. */
async function costOf(changes: Partial<RunConfig>): Promise<Omit<Cost, "totalMs">> {
  return (await bothOf(changes)).cost;
}

for (const [family, changes] of [["vision", {}], ["a decoder", decoder]] as const) {
  Deno.test(`LoRA's peak on ${family} is below full fine-tuning's by the moments and gradients that it does not have, less what it has instead`, async () => {
    for (const memory of [{}, { memory: { checkpointing: "blocks" } as const }]) {
      const all = await costOf({ ...changes, ...memory, optimizer: method("full", {}) });
      for (const rank of [1, 2, 4, 8]) {
        const lora = await costOf({ ...changes, ...memory, optimizer: method("lora", { rank }) });
        const of = (cost: typeof lora, category: string) => cost.peakBytesByCategory[category] ?? 0;
        const missing = of(all, "state") + of(all, "gradients") - of(lora, "state") - of(lora, "gradients");
        // What LoRA has instead: the factors, and x Aᵀ with its gradient at each target module.
        const instead = of(lora, "adapters") + Math.max(0, of(lora, "activations") - of(all, "activations"));
        assertGreaterOrEqual(all.peakBytes! - lora.peakBytes!, missing - instead);
      }
    }
  });
}
