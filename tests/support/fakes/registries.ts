/** @file Made-up registries for tests: two tasks or ten, two models, four methods or fifteen, no GPU. */
import type { KnownModel, KnownOptimizer, Registries } from "../../../training/configuration.ts";
import type { Batch, ModelFamily } from "../../../models/model.ts";
import type { Predictor, Split, Task, TaskOptions } from "../../../tasks/task.ts";

const TOKENS = 10, OUTPUTS = 10;
/** Examples that there are of every kind. */
const EXAMPLES = 4096;

/** Made-up examples in which every element is 0. */
function loaderOf(id: string, family: "vision" | "decoder"): Task["load"] {
  const zeros = (...shape: number[]) => ({ data: new Int32Array(shape.reduce((a, b) => a * b)), shape });
  const batchOf = (size: number): Batch =>
    family === "vision"
      ? { family, pixels: { data: new Float32Array(size), shape: [size, 1, 1, 1] }, targets: zeros(size) }
      : { family, tokens: zeros(size, TOKENS), targets: zeros(size, TOKENS) };
  const amount = (split: Split, options: TaskOptions) =>
    split === "test" ? options.testExamples : options.validationExamples;
  return (options) => {
    const most = Math.max(options.trainExamples, options.validationExamples, options.testExamples);
    if (most > EXAMPLES) {
      throw new RangeError(`Cannot take ${most} examples of "${id}": there are ${EXAMPLES}`);
    }
    return Promise.resolve({
      needs: { family, outputs: OUTPUTS, inputSize: TOKENS },
      trainBatch: (_, size) => batchOf(size),
      validationBatches: (size) => [batchOf(size)],
      async score(predictor: Predictor, split: Split) {
        const batch = batchOf(amount(split, options));
        return Float32Array.from(await predictor.classify(batch), Number);
      },
    });
  };
}

function model(
  id: string,
  title: string,
  family: ModelFamily,
  size: KnownModel["size"] = { width: 8, layers: 2 },
): KnownModel {
  const { width, layers } = size;
  const maps = ["q", "k"].flatMap((name, i) =>
    Array.from({ length: layers }, (_, layer) => ({
      name: `layers.${layer}.${name}`,
      in: width,
      out: 1.5 * width,
      rows: TOKENS,
      stage: 1 + 2 * layer + i,
    }))
  );
  const ofLength = (tokens: number): Pick<KnownModel, "architecture" | "memory"> => ({
    architecture: {
      tokens,
      parameters: maps.reduce((sum, map) => sum + map.in * map.out, 0),
      maps: maps.map((map) => ({ ...map, rows: tokens })),
      attentions: [{ count: layers, width, heads: 2, queries: tokens, keys: tokens }],
      elementwise: 20 * layers * tokens * width,
      activations: 15 * layers * tokens * width,
    },
    memory: {
      constants: [],
      blockOf: (targetModule) => Number(targetModule.split(".")[1]),
      tape: (examples) => ({
        rows: () => examples * tokens,
        blocks: Array.from({ length: layers }, (_, layer) => ({
          input: layer === 0 ? null : layer - 1,
          stream: examples * tokens * width,
          forward: [[10, examples * tokens * width]],
          backward: [[5, examples * tokens * width]],
          exact: [],
          inputGradient: [],
        })),
        around: [[2, examples * tokens * width]],
        below: [],
      }),
    },
  });
  return {
    id,
    title,
    family,
    outputs: OUTPUTS,
    inputSize: TOKENS,
    size,
    ...ofLength(TOKENS),
    ofLengths: ({ input }) => ofLength(input),
    parameters: maps.map((map) => ({ name: `${map.name}.weight`, shape: [map.out, map.in] })),
    resize(other) {
      const wanted = { ...size, ...other };
      if (wanted.width % 4 !== 0) {
        throw new RangeError(`Cannot resize "${id}" to width ${wanted.width}: a multiple of 4 is needed`);
      }
      return model(id, title, family, wanted);
    },
    targetModules: () => maps,
  };
}

function method(
  id: string,
  title: string,
  defaults: KnownOptimizer["defaults"],
  describe = "",
): KnownOptimizer {
  return {
    id,
    title,
    source: "made up",
    defaults,
    validate({ rank }, adapted) {
      if (rank === undefined) return null;
      const most = Math.min(...adapted.map((targetModule) => Math.min(targetModule.in, targetModule.out)));
      return typeof rank === "number" && rank >= 1 && rank <= most
        ? null
        : `rank is ${rank}, 1 to ${most} is needed`;
    },
    describe: () => describe,
    stepWork({ rank }, { targetModules, parameters }) {
      const factors = typeof rank === "number"
        ? targetModules.reduce((sum, targetModule) => sum + rank * (targetModule.in + targetModule.out), 0)
        : 0;
      const rows = targetModules[0]?.rows ?? 0, trained = factors || parameters;
      return {
        trainsAll: factors === 0,
        weightFlops: factors === 0 ? 2 * rows * parameters : 0,
        factorFlops: 6 * rows * factors,
        updateFlops: 12 * trained,
        elements: 3 * factors,
        updateElements: 7 * trained,
        activations: 0,
        trained,
        added: factors,
        state: 2 * trained,
      };
    },
    footprint({ rank }, { targetModules, parameters }) {
      const factors = typeof rank === "number"
        ? targetModules.map((targetModule) => rank * (targetModule.in + targetModule.out))
        : [];
      const trained = factors.length > 0 ? factors : parameters;
      return {
        adapters: [factors],
        trained,
        state: [trained, trained],
        tables: [],
        scratch: [],
        linear: () => ({ forward: [], backward: [] }),
        trainsWeights: defaults["rank"] === undefined,
        trainsAll: true,
        fullGradients: false,
      };
    },
  };
}

/** Methods beyond the four: with them there are as many as a report must hold. */
const others: Readonly<Record<string, string>> = {
  rslora: "rsLoRA",
  "lora-plus": "LoRA+",
  pissa: "PiSSA",
  dora: "DoRA",
  adalora: "AdaLoRA",
  "lora-ga-pro": "LoRA-GA + LoRA-Pro",
  "lora-fa": "LoRA-FA",
  "scaled-adamw": "Scaled AdamW",
  "lora-rite": "LoRA-RITE",
  "lora-one": "LoRA-One",
  altlora: "AltLoRA",
};

/** Made-up registries. */
export const fakeRegistries: Registries = {
  tasks: {
    digits: {
      id: "digits",
      title: "Shifted digits",
      family: "vision",
      metric: { name: "accuracy", chance: 0.1 },
      shipped: {
        model: "vit-tiny",
        steps: 20,
        batchSize: 4,
        trainExamples: 128,
        validationExamples: 32,
        testExamples: 50,
      },
      load: loaderOf("digits", "vision"),
    },
    arithmetic: {
      id: "arithmetic",
      title: "Word problems",
      family: "math",
      metric: { name: "exact match", chance: 0 },
      load: loaderOf("arithmetic", "decoder"),
    },
  },
  models: {
    vision: model("vit-tiny", "A ViT", "vision"),
    decoder: model("decoder-tiny", "A decoder", "decoder"),
  },
  optimizers: {
    full: method("full", "Full fine-tuning", { beta1: 0.9 }),
    lora: method("lora", "LoRA", { alpha: 16, beta1: 0.9, rank: 8 }, "alpha/r"),
    loraGa: method(
      "lora-ga",
      "LoRA-GA",
      { alpha: 16, gamma: 16, rank: 8, scaling: "alpha/sqrt(r)" },
      "alpha/sqrt(r)",
    ),
    loraPro: method(
      "lora-pro",
      "LoRA-Pro",
      { alpha: 16, mode: "full", rank: 8, symmetric: false },
      "alpha/r",
    ),
  },
};

/** The same tasks, which here take real data too: files in a folder called "other" are others. */
export const takingData: Registries = {
  ...fakeRegistries,
  tasks: Object.fromEntries(
    Object.entries(fakeRegistries.tasks).map(([name, task]) => [
      name,
      {
        ...task,
        realData: {
          titles: ["made up"],
          fingerprint: (data: string) => Promise.resolve((data.endsWith("other") ? "1" : "0").repeat(64)),
        },
      },
    ]),
  ),
};

/** The same with fifteen methods. */
export const manyMethods: Registries = {
  ...fakeRegistries,
  optimizers: {
    ...fakeRegistries.optimizers,
    ...Object.fromEntries(
      Object.entries(others).map(([id, title]) => [id, method(id, title, { alpha: 16, rank: 8 }, "alpha/r")]),
    ),
  },
};

/** Fifteen methods and ten tasks. */
export const tenTasks: Registries = {
  ...manyMethods,
  tasks: Object.fromEntries(
    ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"].map(
      (name) => {
        const task = fakeRegistries.tasks["arithmetic"]!;
        return [name, { ...task, id: name, title: `Word problems of the ${name} kind` }];
      },
    ),
  ),
};
