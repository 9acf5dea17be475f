/** @file Made-up results for tests: shaped like real ones, measured nowhere. */
import { createRandom } from "../../../numerics/random.ts";
import {
  type BaseConfig,
  type BaseResult,
  type Environment,
  type Point,
  recordId,
  type RunConfig,
  runId,
  type RunResult,
} from "../../../training/run.ts";
import { rankOf } from "../../../benchmarks/sweep/method.ts";

/** Marks every made-up result. */
export const fakeEnvironment: Environment = {
  commit: "0000000000000000000000000000000000000000",
  deno: "2.9.6",
  adapter: "SYNTHETIC, measured nowhere",
  backend: "none",
  features: [],
  limits: {},
  startedAt: "2026-01-01T00:00:00.000Z",
};

/** Where telemetry measures. */
const targetModules = ["layers.0.q", "layers.1.k"];
const strengths: Readonly<Record<string, number>> = { full: 1, "lora-pro": 0.8, "lora-ga": 0.72, lora: 0.55 };
const bestLearningRates: Readonly<Record<string, number>> = {
  full: 2e-3,
  "lora-pro": 2e-3,
  "lora-ga": 4e-3,
  lora: 1e-2,
};

/** A finished run that looks like one: better methods and ranks end lower, the wrong rate ends higher. */
export async function fakeDone(config: RunConfig): Promise<Extract<RunResult, { status: "done" }>> {
  const { id: optimizer } = config.optimizer;
  const rank = rankOf(config.optimizer);
  const id = await runId(config);
  const random = createRandom(Number.parseInt(id.slice(0, 8), 16));
  const miss = Math.abs(Math.log10(config.schedule.learningRate / (bestLearningRates[optimizer] ?? 1e-3)));
  const strength = (strengths[optimizer] ?? 0.5) + (rank === null ? 0 : 0.06 * Math.log2(rank)) - 0.25 * miss;
  const hard = config.task.id === "digits" ? 1 : 1.6;
  const lossAt = (step: number) => 0.15 + 2.2 * Math.exp(-4 * strength * step / (config.steps * hard));
  const noise = random.fork("loss").normal(config.steps + 1, 0.06);
  const steps = Array.from({ length: config.steps }, (_, i) => i + 1);
  const measured = [0, ...steps.filter((step) => step % config.validateEvery === 0 || step === config.steps)];
  const examples = config.scoreOn === "test" ? config.task.testExamples : config.task.validationExamples;
  const hardness = hardnessOf(config.task.id, examples);
  const luck = random.fork("scores").uniform(examples, -0.25, 0.25);
  const ability = 0.35 + 0.5 * strength / hard;
  const scores = Array.from(hardness, (value, i) => value + luck[i]! < ability ? 1 : 0);
  const telemetry = config.telemetryEvery === 0
    ? []
    : steps.filter((step) => (step - 1) % config.telemetryEvery === 0);
  const bound = rank === null ? null : 0.95 - 0.09 * Math.log2(rank);
  const excess = optimizer === "lora-pro" ? 0.01 : optimizer === "lora-ga" ? 0.35 : 0.6;
  const size = 160_000, factors = rank === null ? size : 2_300 * rank;
  const stepMs = 40 + (rank ?? 0) * 0.6 + (optimizer === "lora-pro" ? 11 : optimizer === "full" ? 6 : 0);
  return {
    schema: 1,
    id,
    config,
    environment: fakeEnvironment,
    status: "done",
    outcome: {
      score: scores.reduce<number>((sum, score) => sum + score, 0) / scores.length,
      scores,
      testLoss: config.scoreOn === "test" ? lossAt(config.steps) * (1 + 0.2 * noise[0]!) : null,
      forgetting: {
        corpus: "made-up",
        before: 0.5,
        after: 0.5 + 0.4 * strength * config.schedule.learningRate / 1e-3,
      },
      trainLoss: steps.filter((step) => step % 2 === 0).map((step) => ({
        step,
        value: lossAt(step) * (1 + noise[step]!),
      })),
      validationLoss: measured.map((step) => ({ step, value: lossAt(step) * (1 + 0.2 * noise[step]!) })),
      discrepancies: telemetry.flatMap((step) =>
        targetModules.map((targetModule, i) => ({
          step,
          targetModule,
          gradientError: bound === null
            ? 0
            : Math.min(1, bound + excess * 0.2 * Math.exp(-step / config.steps) + 0.02 * i),
          lowerBound: bound === null ? null : bound - 0.05 * step / config.steps + 0.02 * i,
          gradientCosine: bound === null ? 1 : Math.sqrt(Math.max(0, 1 - bound ** 2)),
          updateCosine: 0.4,
          secondOrderShare: bound === null ? null : 0.3 * (strengths[optimizer] ?? 0.5) / Math.sqrt(step),
          effectiveRank: bound === null ? 30 + i : 1 + rank! * step / (step + 10),
          moveOfA: bound === null ? null : 0.3 / step,
        }))
      ),
      ...telemetry.length > 0 && {
        changes: targetModules.map((targetModule) => ({
          targetModule,
          norm: 1.25,
          relativeNorm: 0.1 * strength,
          intruders: rank === null ? 0 : 1,
          singularValues: [1, 0.5],
        })),
      },
      inspected: inspectedOf(optimizer, rank, telemetry),
      kernels: ["adamw", "matmul_tiled"],
      cost: {
        trainableParameters: factors,
        stateBytes: optimizer === "lora-pro" ? size * 8 : factors * 8,
        peakBytes: 9_000_000 + factors * 12,
        peakBytesByCategory: {},
        attachMs: 20,
        medianStepMs: stepMs + (config.seed % 5),
        medianHostMs: 2,
        totalMs: config.steps * stepMs * 1.4 + 800,
      },
    },
  };
}

/** AdaLoRA's ranks fall from 1.5 times the target, a target module's further than the other's. */
function inspectedOf(
  optimizer: string,
  rank: number | null,
  steps: readonly number[],
): Record<string, Point[]> {
  if (optimizer !== "adalora" || rank === null) return {};
  const curve = (share: number) =>
    steps.map((step) => ({ step, value: Math.round(rank * (1.5 - share * Math.min(1, step / 20))) }));
  return {
    ...Object.fromEntries(
      targetModules.map((targetModule, i) => [`rank/${targetModule}`, curve(0.3 + 0.5 * i)]),
    ),
    orthogonality: steps.map((step) => ({ step, value: 1 / step })),
  };
}

/** A run that diverged halfway. */
export async function fakeDiverged(config: RunConfig): Promise<RunResult> {
  return {
    schema: 1,
    id: await runId(config),
    config,
    environment: fakeEnvironment,
    status: "diverged",
    step: Math.ceil(config.steps / 2),
    trainLoss: [{ step: 1, value: 2 }],
  };
}

/** A run that a fault ended. */
export async function fakeFailed(config: RunConfig): Promise<RunResult> {
  return {
    schema: 1,
    id: await runId(config),
    config,
    environment: fakeEnvironment,
    status: "failed",
    error: "Cannot go on: the device was lost",
  };
}

/** A base checkpoint that knows a little: a fifth of the examples, the easiest. */
export async function fakeBase(config: BaseConfig): Promise<Extract<BaseResult, { status: "done" }>> {
  const { task, scoreOn } = config;
  const examples = scoreOn === "test" ? task.testExamples : task.validationExamples;
  const scores = Array.from(hardnessOf(task.id, examples), (value) => value < 0.2 ? 1 : 0);
  return {
    schema: 1,
    id: await recordId(config),
    config,
    environment: fakeEnvironment,
    status: "done",
    score: scores.reduce<number>((sum, score) => sum + score, 0) / scores.length,
    scores,
  };
}

/** The same examples are hard for all methods, as in real life: that is what pairing is for. */
function hardnessOf(task: string, examples: number): Float32Array {
  return createRandom(7).fork(task).uniform(examples, 0, 1);
}
