import { assert, assertEquals } from "@std/assert";
import { createGradients } from "../../autodiff/mod.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import {
  type Architecture,
  countParameters,
  decoderArchitecture,
  visionArchitecture,
} from "../../models/architecture.ts";
import { decoderParameters } from "../../models/decoder.ts";
import * as models from "../../models/mod.ts";
import { gpt2, imageClassifier, type ModelEntry, textClassifier, useLite } from "../../models/entry.ts";
import { t5Base, t5BaseGated, t5Small, t5Tiny } from "../../models/sizes.ts";
import { visionParameters } from "../../models/vision.ts";
import { initialWeights } from "../../models/weights.ts";
import { createRandom } from "../../numerics/random.ts";
import * as optimizers from "../../optimizers/mod.ts";
import type { OptimizerModule, Options } from "../../optimizers/optimizer.ts";
import { trainableWeight } from "../../optimizers/module_weight.ts";
import * as tasks from "../../tasks/mod.ts";
import type { Task } from "../../tasks/task.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { givenMoments } from "../../tests/support/quadratic.ts";
import { classification } from "../../tests/support/fakes/classification_task.ts";
import { translation } from "../../tests/support/translation_task.ts";
import { matchTargetModules } from "../configuration.ts";
import { differentiate } from "../loop/differentiate.ts";
import { adaptedForward } from "../loop/forward.ts";
import { countStep, flopsOf, type StepCount } from "./work.ts";

const BATCH = 3;

/** FLOPs of the matrix products that `work` asks for, launching nothing. Attentions have kernels of their own. */
async function productFlops(gpu: Gpu, work: () => Promise<void>): Promise<number> {
  let flops = 0;
  const { info } = gpu;
  // The tiled variant launches each product once, whatever its sizes.
  Object.assign(gpu, { info: { ...info, software: false } });
  gpu.launch = (kernel, launch) => {
    const { rows, inner, columns, splits, epilogueInner = 0 } = launch.uniforms as Record<string, number>;
    if (kernel.spec.name.startsWith("matmul_")) {
      const batch = launch.workgroups[2]! / splits!;
      flops += 2 * batch * rows! * (inner! + epilogueInner) * columns!;
    }
  };
  try {
    await work();
    await gpu.flush();
  } finally {
    Reflect.deleteProperty(gpu, "launch");
    Object.assign(gpu, { info });
  }
  return flops;
}

function count(entry: ModelEntry, module: OptimizerModule, options: Options, patterns: string[]): StepCount {
  const targetModules = new Set(matchTargetModules(patterns, entry.targetModules()).map(({ name }) => name));
  return countStep({
    architecture: entry.architecture,
    batchSize: BATCH,
    accumulate: 1,
    targetModules,
    method: module,
    options: { ...module.defaults, ...options },
  });
}

/** Nine products, two of them forward. */
function attentionFlops({ architecture: { attentions } }: { readonly architecture: Architecture }): number {
  return BATCH *
    attentions.reduce((sum, one) => sum + 9 * 2 * one.count * one.queries * one.keys * one.width, 0);
}

/** One step on a small batch, products counted as they are launched. */
async function launched(
  entry: ModelEntry,
  task: Task,
  module: OptimizerModule,
  options: Options,
  patterns: string[],
): Promise<number> {
  const gpu = await testGpu();
  using _ = gpu.scope("run", "weights");
  const model = entry.create(gpu, initialWeights(createRandom(1)));
  const targetModules = matchTargetModules(patterns, model.targetModules);
  const optimizer = await module.attach({
    gpu,
    targetModules,
    parameters: model.parameters,
    head: model.head,
    steps: 1,
    random: createRandom(2),
    fullGradients: () => {
      throw new Error("not needed here");
    },
    inputMoments: () => {
      throw new Error("not needed here");
    },
  }, { ...module.defaults, ...options });
  const data = await task.load({ seed: 0, trainExamples: 8, validationExamples: 1, testExamples: 1 });
  const store = createGradients(gpu, optimizer.trainable);
  return await productFlops(gpu, async () => {
    using _ = gpu.scope("step", "activations");
    const seed = gpu.upload(Float32Array.of(1), "f32", [1], "loss gradient");
    differentiate(gpu, model, data.trainBatch(1, BATCH), store, {
      parts: 1,
      seed,
      forward: (tape) => adaptedForward(tape, optimizer, new Set(targetModules)),
    });
    await optimizer.step(store, { step: 1, learningRate: 1e-3 });
  });
}

const GPT = gpt2({
  id: "gpt2-tiny",
  title: "GPT-2",
  config: {
    ...{ vocabulary: 56, width: 20, layers: 2, heads: 4, hidden: 28, length: 80, normEpsilon: 1e-5 },
    activation: "relu",
    tiedHead: true,
  },
  recipe: null,
});
const CLASSIFIER = imageClassifier({
  id: "vit",
  title: "ViT",
  config: {
    ...{ image: 28, channels: 1, patch: 7, width: 20, layers: 2, heads: 4, hidden: 28, outputs: 10 },
    ...{ kind: "vit", activation: "gelu", normEpsilon: 1e-6 } as const,
  },
  recipe: null,
});
const ENCODER = textClassifier({
  id: "bert",
  title: "BERT",
  config: {
    ...{ vocabulary: 50, width: 20, layers: 2, heads: 4, hidden: 28, length: 24, outputs: 3 },
    ...{ kind: "bert", activation: "gelu", normEpsilon: 1e-12, types: 2, paddingToken: 0 } as const,
  },
  recipe: null,
});
const SENTENCES = useLite({
  id: "sentences",
  title: "Sentence encoder",
  config: {
    ...{ vocabulary: 50, embedding: 12, width: 20, layers: 2, heads: 4, hidden: 28, length: 24 },
    normEpsilon: 1e-6,
  },
  recipe: null,
});
const DEBERTA = textClassifier({
  id: "deberta",
  title: "DeBERTa",
  config: {
    ...{ vocabulary: 50, width: 20, layers: 2, heads: 4, hidden: 28, length: 24, outputs: 3, types: 0 },
    ...{ kind: "deberta", activation: "gelu", normEpsilon: 1e-7, paddingToken: 0 } as const,
    relative: { buckets: 8, maxPosition: 24 },
  },
  recipe: null,
});
const UPPER = {
  encoder: ["layer.1.*"],
  decoder: ["layers.1.*"],
  vision: ["layers.1.*"],
  "encoder-decoder": ["decoder.block.1.*"],
};
const upperOf = (entry: ModelEntry) =>
  entry === GPT ? ["h.1.*"] : entry === CLASSIFIER ? ["layer.1.*"] : UPPER[entry.family];
/** Where the encoder alone is trained, or what looks at it, gradients go some ways and not others. */
const PARTS = [["encoder.*"], ["encoder.block.1.*"], ["*.EncDecAttention.*"], ["*.EncDecAttention.k"], [
  "decoder.*",
]];

for (
  const [entry, task] of [
    [models.decoderTiny.resize({ width: 32, layers: 2 }), tasks.arithmetic],
    [GPT, tasks.arithmetic],
    [CLASSIFIER, tasks.digits],
    [ENCODER, classification],
    [SENTENCES, classification],
    [DEBERTA, classification],
    [models.vitTiny.resize({ width: 32, layers: 2 }), tasks.digits],
    [t5Tiny.resize({ width: 32, layers: 2 }), translation],
  ] as const
) {
  for (
    const [module, options, patterns] of [
      [optimizers.full, {}, ["*"]],
      [optimizers.full, { trains: "targetModules" }, ["*"]],
      [optimizers.lora, { rank: 3 }, ["*"]],
      [optimizers.lora, { rank: 3 }, upperOf(entry)],
      [optimizers.loraPro, { rank: 5 }, ["*"]],
      [optimizers.adalora, { rank: 3 }, ["*"]],
      [optimizers.adalora, { rank: 2 }, upperOf(entry)],
      [optimizers.loraFa, { rank: 3 }, ["*"]],
      [optimizers.loraFa, { rank: 3 }, upperOf(entry)],
      ...(entry.family === "encoder-decoder" ? PARTS : []).map((some) =>
        [optimizers.lora, { rank: 3 }, some] as const
      ),
    ] as const
  ) {
    Deno.test(`countStep() is what a step of ${entry.id} launches: ${module.id} ${JSON.stringify(options)} on ${patterns}`, async () => {
      const method = module as unknown as OptimizerModule;
      const counted = count(entry, method, options, [...patterns]);
      const found = await launched(entry, task, method, options, [...patterns]);
      assertEquals(found, counted.wideFlops - attentionFlops(entry) + counted.factorFlops);
    });
  }
}

Deno.test("countStep() gives 6 N FLOPs a token with trained weights and 4 N with frozen ones, attention aside", () => {
  const entry = models.decoderTiny;
  const products = entry.architecture.maps.reduce((sum, map) => sum + map.in * map.out, 0);
  const attention = attentionFlops(entry);
  const full = count(entry, optimizers.full as unknown as OptimizerModule, {}, ["*"]);
  assertEquals(full.wideFlops - attention, 6 * products * entry.inputSize * BATCH);
  const lora = count(entry, optimizers.lora as unknown as OptimizerModule, { rank: 8 }, ["*"]);
  // Nothing asks for the gradient of the first layer's input.
  assertEquals(lora.wideFlops - attention, (4 * products - 2 * 3 * 64 * 64) * entry.inputSize * BATCH);
  assert(flopsOf(lora) < flopsOf(full));
});

Deno.test("stepWork() of every method counts state and trained numbers as attaching makes them", async () => {
  const gpu = await testGpu();
  for (const module of Object.values(optimizers) as unknown as OptimizerModule[]) {
    using _ = gpu.scope("run", "weights");
    const entry = models.decoderTiny.resize({ width: 32, layers: 1 });
    const model = entry.create(gpu, initialWeights(createRandom(1)));
    const options = { ...module.defaults, ..."rank" in module.defaults ? { rank: 3 } : {} };
    const optimizer = await module.attach({
      gpu,
      targetModules: model.targetModules,
      parameters: model.parameters,
      head: model.head,
      steps: 1,
      random: createRandom(2),
      async *fullGradients() {
        for (const targetModule of model.targetModules) {
          yield await Promise.resolve({ targetModule, gradient: trainableWeight(targetModule).value });
        }
      },
      inputMoments: givenMoments(gpu, model.targetModules),
    }, options);
    const sizes = (parameters: typeof optimizer.trainable) =>
      parameters.reduce((sum, { value }) => sum + value.shape.reduce((a, b) => a * b, 1), 0);
    const work = module.stepWork(options, {
      targetModules: model.targetModules.map((targetModule) => ({
        ...targetModule,
        rows: 1,
        inputGradient: true,
      })),
      others: [],
      parameters: countParameters(entry.parameters),
      parts: 1,
    });
    assertEquals([work.trained, work.state], [sizes(optimizer.trainable), sizes(optimizer.state)], module.id);
    await gpu.flush();
  }
});

Deno.test("decoderArchitecture() and visionArchitecture() have the parameters of Llama-2-7B and CLIP ViT-B/16", () => {
  const llama = {
    vocabulary: 32000,
    width: 4096,
    layers: 32,
    heads: 32,
    keyValueHeads: 32,
    headSize: 128,
    hidden: 11008,
    length: 4096,
    normEpsilon: 1e-5,
    ropeTheta: 10000,
    tiedHead: false,
  };
  const decoder = decoderArchitecture(llama, 1024, countParameters(decoderParameters(llama)));
  assertEquals(decoder.parameters, 6_738_415_616);
  const adapted = decoder.maps.filter(({ name }) => name !== "head");
  assertEquals([adapted.length, adapted.reduce((sum, map) => sum + map.in * map.out, 0)], [
    224,
    6_476_005_376,
  ]);
  const clip = {
    image: 224,
    channels: 3,
    patch: 16,
    width: 768,
    layers: 12,
    heads: 12,
    hidden: 3072,
    outputs: 512,
    activation: "quick-gelu",
    normEpsilon: 1e-5,
  } as const;
  const vision = visionArchitecture(clip, countParameters(visionParameters(clip)));
  assertEquals([vision.tokens, vision.parameters], [197, 86_192_640]);
});

Deno.test("encoderDecoderArchitecture() has the parameters of T5-small and of T5-base in both versions", () => {
  const counts = [t5Small, t5Base, t5BaseGated].map(({ architecture: { parameters, maps } }) => [
    parameters,
    maps.filter(({ name }) => name !== "head").reduce((sum, map) => sum + map.in * map.out, 0),
  ]);
  assertEquals(counts, [
    // 6 blocks of 4 + 8 widths squared, and of 8 + 8.
    [60_506_624, 6 * 28 * 512 ** 2],
    [222_903_552, 12 * 28 * 768 ** 2],
    [247_577_856, 12 * (4 * 768 ** 2 + 8 * 768 ** 2 + 6 * 768 * 2048)],
  ]);
});

Deno.test("The maps of every architecture are its target modules, with their sizes, and what is around them", () => {
  for (const { id, architecture, targetModules } of Object.values(models)) {
    const known = new Map(targetModules().map((targetModule) => [targetModule.name, targetModule]));
    const maps = architecture.maps.filter(({ name }) => known.has(name));
    assertEquals(
      maps.map(({ name, in: inputs, out }) => ({ name, in: inputs, out })),
      targetModules().map(({ name, in: inputs, out }) => ({ name, in: inputs, out })),
      id,
    );
  }
});

Deno.test("countStep() keeps one part's activations alive at a time, and reads the weights once for each part", () => {
  const entry = models.decoderTiny as unknown as ModelEntry;
  const of = (accumulate: number) =>
    countStep({
      architecture: entry.architecture,
      batchSize: 8,
      accumulate,
      targetModules: new Set(entry.targetModules().map(({ name }) => name)),
      method: optimizers.lora as unknown as OptimizerModule,
      options: optimizers.lora.defaults,
    });
  const [whole, parts] = [of(1), of(4)];
  assertEquals(parts.activations, whole.activations / 4);
  // Forward all maps and backward all but the first stage's, three more times each.
  const { maps } = entry.architecture;
  const numbers = (all: typeof maps) => all.reduce((sum, map) => sum + map.in * map.out, 0);
  const first = Math.min(...maps.map(({ stage }) => stage));
  const weights = numbers(maps) + numbers(maps.filter(({ stage }) => stage > first));
  assert(parts.elements - whole.elements >= 3 * weights);
});
