/**
 * @file Short runs whose losses are recorded: each method on images, and methods of each kind on text, from the shipped base
 * checkpoints. `deno task record-losses` records them anew.
 */
import { completeConfig, type Library } from "../../training/configuration.ts";
import { train } from "../../training/train.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { RunConfig } from "../../training/run.ts";

/** Methods that stand for all on the families of models whose kernels images do not reach. */
const FEW = ["full", "lora", "dora", "lora-pro"];

/**
 * Learning rates that differ from the others', by what a method's rate is one of. AltLoRA, AdaLoRA and some others would hardly move
 * anything at these; large steps of all weights let roundings grow.
 */
const RATES: Readonly<Record<string, number>> = {
  adalora: 0.032,
  altlora: 16,
  biases: 4e-3,
  full: 1e-4,
  galore: 4e-4,
  hira: 0.01,
  ia3: 0.01,
  loft: 3e-4,
  "lora-muon": 0.01,
  "lora-xs": 4e-3,
  miss: 1e-4,
  norms: 0.01,
  vera: 0.02,
};

/** Methods whose start depends on directions of inputs that 32 bits hardly tell apart: an adapter's roundings turn them. */
const ROUNDED = ["lora-null"];

/** Steps of each run. */
const STEPS = 20;

/** Losses of a run, in the order in which they were taken. */
export interface RecordedLosses {
  /** Before each step. */
  readonly train: readonly number[];
  /** Before the first step, halfway and at the end. */
  readonly validation: readonly number[];
}

/** The runs by name, such as "digits, lora". */
export function recordedRuns(library: Library): ReadonlyMap<string, RunConfig> {
  const methods = Object.values(library.optimizers).map(({ id }) => id).filter((id) => !ROUNDED.includes(id));
  const ranked = new Set(
    Object.values(library.optimizers).flatMap(({ id, defaults }) => "rank" in defaults ? [id] : []),
  );
  const tasks = [
    { task: "digits", model: "vit-tiny", methods, batchSize: 8, rank: 4, learningRate: 1e-3 },
    { task: "arithmetic", model: "decoder-tiny", methods: FEW, batchSize: 4, rank: 4, learningRate: 2.5e-4 },
    {
      ...{ task: "acceptability", model: "t5-tiny", batchSize: 8, rank: 4, learningRate: 1e-4 },
      // Gradients at a label's few tokens have few ranks, so that LoRA-Pro's second step makes roundings large.
      methods: FEW.filter((method) => method !== "lora-pro"),
    },
  ];
  return new Map(
    tasks.flatMap(({ task, model, methods, batchSize, rank, learningRate }) =>
      methods.map((method) => [
        `${task}, ${method}`,
        completeConfig({
          schema: 1,
          task: { id: task, trainExamples: 160, validationExamples: 8, testExamples: 1 },
          model: { id: model },
          targetModules: ["*"],
          optimizer: { id: method, options: ranked.has(method) ? { rank } : {} },
          steps: STEPS,
          batchSize,
          accumulate: 1,
          schedule: { kind: "cosine", learningRate: RATES[method] ?? learningRate, warmup: 2, floor: 0 },
          clip: 1,
          validateEvery: STEPS / 2,
          telemetryEvery: 0,
          scoreOn: "validation",
          seed: 0,
        }, library),
      ])
    ),
  );
}

/** Makes a run. @throws {Error} where it diverges */
export async function lossesOf(gpu: Gpu, config: RunConfig): Promise<RecordedLosses> {
  const result = await train(gpu, config);
  if (result.status !== "done") throw new Error(`the run ended as "${result.status}"`);
  const { trainLoss, validationLoss } = result.outcome;
  return {
    train: trainLoss.map(({ value }) => value),
    validation: validationLoss.map(({ value }) => value),
  };
}
