/** @file Checks of what goes into a run and what comes out, where JSON enters: the types of run.ts at run time. */
import { z } from "zod";
import { LOW_PRECISIONS } from "../gpu/tensor.ts";
import { COLUMN_ROLES, KINDS, SCORES } from "../tasks/own/layout.ts";
import type * as run from "./run.ts";

const id = z.string().regex(/^[a-z0-9][a-z0-9-]*$/, "lower-case letters, digits and hyphens are needed");
const count = z.int().min(1);
const finite = z.number();

/** How the learning rate changes over a run. */
export const Schedule = z.strictObject({
  kind: z.enum(["constant", "linear", "cosine"]),
  learningRate: finite.positive(),
  warmup: z.int().min(0),
  floor: finite.min(0).max(1),
});
/** See run.ts. */
export type Schedule = run.Schedule;

/** Settings of a method, by name. */
export const OptionValues = z.record(z.string(), z.union([z.number(), z.boolean(), z.string()]));

const fingerprint = z.string().regex(/^[0-9a-f]{64}$/, "64 hex digits are needed");

const hub = z.string().regex(/^[^@]+@[0-9a-f]{40}$/, "a name and a commit are needed, as in org/name@0123…");

/** The file of the user's that a method, a task or a model is from. */
export const ModuleSource = z.strictObject({ path: z.string().min(1), fingerprint });
/** See run.ts. */
export type ModuleSource = run.ModuleSource;

const name = z.string().min(1), files = z.array(name).min(1);
const columns = Object.fromEntries(COLUMN_ROLES.map((role) => [role, name.exactOptional()])) as Record<
  typeof COLUMN_ROLES[number],
  z.ZodExactOptional<z.ZodString>
>;

/** How data of the user's are read. */
export const DataLayout = z.strictObject({
  kind: z.enum(KINDS),
  columns: z.strictObject(columns),
  prompt: name.exactOptional(),
  answer: name.exactOptional(),
  labels: z.record(z.string(), name).exactOptional(),
  classes: z.array(z.string()).exactOptional(),
  score: z.enum(SCORES).exactOptional(),
  maxTokens: z.int().min(2).exactOptional(),
  files: z.strictObject({
    train: files.exactOptional(),
    validation: files.exactOptional(),
    test: files.exactOptional(),
  }).exactOptional(),
});

/** Which task a run trains on, and how many examples it takes. */
export const TaskChoice = z.strictObject({
  id,
  trainExamples: count,
  validationExamples: count,
  testExamples: count,
  testSlice: z.int().min(1).exactOptional(),
  data: z.string().min(1).exactOptional(),
  trainOnTest: z.literal(true).exactOptional(),
  fingerprint: fingerprint.exactOptional(),
  hub: hub.exactOptional(),
  layout: DataLayout.exactOptional(),
  module: ModuleSource.exactOptional(),
});

/** Which model a run begins with. */
export const ModelChoice = z.strictObject({
  id,
  path: z.string().min(1).exactOptional(),
  fingerprint: fingerprint.exactOptional(),
  hub: hub.exactOptional(),
  width: count.exactOptional(),
  layers: count.exactOptional(),
  head: z.enum(["adapter", "zero-shot", "new"]).exactOptional(),
  adapter: z.strictObject({
    path: z.string().min(1),
    fingerprint: fingerprint.exactOptional(),
    hub: hub.exactOptional(),
  }).exactOptional(),
  module: ModuleSource.exactOptional(),
});

/** How a run spends less memory. */
export const MemoryOptions = z.strictObject({
  frozenWeights: z.enum(["f32", ...LOW_PRECISIONS]).exactOptional(),
  frozenEmbeddings: z.enum(["f32", ...LOW_PRECISIONS]).exactOptional(),
  loftq: z.int().min(0).max(100).exactOptional(),
  checkpointing: z.enum(["none", "blocks", "blocks-f16"]).exactOptional(),
  activations: z.enum(["f32", "f16"]).exactOptional(),
});
/** See run.ts. */
export type MemoryOptions = run.MemoryOptions;

/** A file with a text. */
export const TextFile = z.strictObject({
  path: z.string().min(1),
  fingerprint: fingerprint.exactOptional(),
});
/** See run.ts. */
export type TextFile = run.TextFile;

/** Everything that decides a run's outcome. Two runs with equal configs are the same run. */
export const RunConfig = z.strictObject({
  schema: z.literal(1),
  task: TaskChoice,
  model: ModelChoice,
  targetModules: z.array(z.string().min(1)).min(1),
  alsoTrain: z.array(z.string().min(1)).exactOptional(),
  optimizer: z.strictObject({ id, options: OptionValues, module: ModuleSource.exactOptional() }),
  steps: count,
  batchSize: count,
  accumulate: count,
  schedule: Schedule,
  clip: finite.min(0),
  validateEvery: count,
  telemetryEvery: z.int().min(0),
  scoreOn: z.enum(["validation", "test"]),
  seed: z.int().min(0).max(0xffffffff),
  memory: MemoryOptions.exactOptional(),
  retain: TextFile.exactOptional(),
  sharpness: z.int().min(1).max(64).exactOptional(),
});
/** See run.ts. */
export type RunConfig = run.RunConfig;

/** One measurement at one target module: how a method's step compares with the full gradient G. */
export const Discrepancy = z.strictObject({
  step: count,
  targetModule: z.string(),
  gradientError: finite.min(0),
  lowerBound: finite.min(0).nullable(),
  gradientCosine: finite,
  updateCosine: finite,
  // Results from before these were measured go without.
  secondOrderShare: finite.min(0).nullable().exactOptional(),
  moveOfA: finite.min(0).nullable().exactOptional(),
  effectiveRank: finite.min(1).nullable().exactOptional(),
});
/** See run.ts. */
export type Discrepancy = run.Discrepancy;

/** A value at a step. */
export const Point = z.strictObject({ step: z.int().min(0), value: finite });
/** See run.ts. */
export type Point = run.Point;

/** Where a run was made. */
export const Environment = z.strictObject({
  commit: z.string(),
  deno: z.string(),
  adapter: z.string(),
  hardware: z.strictObject({ vendor: z.string(), architecture: z.string(), device: z.string() })
    .exactOptional(),
  backend: z.string(),
  features: z.array(z.string()),
  limits: z.record(z.string(), z.number()),
  checked: z.strictObject({ ok: z.boolean(), at: z.string(), commit: z.string() }).exactOptional(),
  startedAt: z.string(),
});
/** See run.ts. */
export type Environment = run.Environment;

/**
 * What a run cost; see run.ts for what times leave out. Results from before null was for what was not measured say 0 for the
 * time of a step, and a peak of what was there without one: they are read as null.
 */
export const Cost = z.strictObject({
  trainableParameters: count,
  stateBytes: z.int().min(0),
  peakBytes: z.int().min(0).nullable(),
  peakBytesByCategory: z.record(z.string(), z.int().min(0)),
  attachMs: finite.min(0),
  medianStepMs: finite.min(0).nullable(),
  medianHostMs: finite.min(0).nullable(),
  onlyFirstWindow: z.literal(true).exactOptional(),
  totalMs: finite.min(0),
  // Results from before it was told apart go without.
  scoringMs: finite.min(0).exactOptional(),
}).transform((cost) =>
  cost.medianStepMs === 0
    ? { ...cost, medianStepMs: null, medianHostMs: null, peakBytes: null, peakBytesByCategory: {} }
    : cost
);
/** See run.ts. */
export type Cost = run.Cost;

/** A measure beside the score. */
export const MeasuredOutcome = z.strictObject({
  value: finite.nullable(),
  values: z.array(finite).min(1),
  labels: z.array(finite).min(1).exactOptional(),
});
/** See run.ts. */
export type MeasuredOutcome = run.MeasuredOutcome;
/** Real data that a task took its examples from. */
export const DataSource = z.strictObject({
  title: z.string(),
  fingerprint: z.string(),
  records: z.record(
    z.string(),
    z.strictObject({
      read: z.int().min(0),
      kept: z.int().min(0),
      skipped: z.record(z.string(), z.int().min(1)),
    }),
  ),
});

/** What a run did to what its base checkpoint could do. */
export const Forgetting = z.strictObject({
  corpus: z.string().min(1),
  before: finite,
  after: finite.nullable(),
});
/** See run.ts. */
export type Forgetting = run.Forgetting;

/** What a whole run did to one weight. */
export const WeightChange = z.strictObject({
  targetModule: z.string(),
  norm: finite.min(0),
  relativeNorm: finite.min(0),
  intruders: z.int().min(0).nullable(),
  singularValues: z.array(finite.min(0)),
});
/** See run.ts. */
export type WeightChange = run.WeightChange;

/** How sharply the loss bends where a run begins. */
export const Sharpness = z.strictObject({ value: finite, error: finite.min(0) });
/** See run.ts. */
export type Sharpness = run.Sharpness;

/** What a finished run found. */
export const RunOutcome = z.strictObject({
  score: finite.min(0).max(1),
  scores: z.array(finite.min(0).max(1)).min(1),
  // Results from before it was taken go without.
  testLoss: finite.nullable().default(null),
  // Results from before tasks had measures go without.
  measures: z.record(z.string(), MeasuredOutcome).exactOptional(),
  forgetting: Forgetting.exactOptional(),
  sharpness: Sharpness.exactOptional(),
  trainLoss: z.array(Point),
  validationLoss: z.array(Point),
  discrepancies: z.array(Discrepancy),
  changes: z.array(WeightChange).exactOptional(),
  inspected: z.record(z.string(), z.array(Point)),
  kernels: z.array(z.string()),
  data: DataSource.exactOptional(),
  // Results from before they were noted go without.
  rows: z.strictObject({ input: count, target: z.int().min(0) }).exactOptional(),
  cost: Cost,
});
/** See run.ts. */
export type RunOutcome = run.RunOutcome;

const header = {
  schema: z.literal(1),
  id: z.string().regex(/^[0-9a-f]{16}$/),
  config: RunConfig,
  environment: Environment,
};

/** How a run ended. */
export const RunResult = z.discriminatedUnion("status", [
  z.strictObject({ ...header, status: z.literal("done"), outcome: RunOutcome }),
  z.strictObject({ ...header, status: z.literal("diverged"), step: count, trainLoss: z.array(Point) }),
  z.strictObject({ ...header, status: z.literal("failed"), error: z.string() }),
]);
/** See run.ts. */
export type RunResult = run.RunResult;

const baseHeader = {
  ...header,
  config: z.strictObject({
    schema: z.literal(1),
    task: TaskChoice,
    model: ModelChoice.omit({ width: true, layers: true }),
    frozenWeights: z.enum(LOW_PRECISIONS).exactOptional(),
    frozenEmbeddings: z.enum(LOW_PRECISIONS).exactOptional(),
    targetModules: RunConfig.shape.targetModules.exactOptional(),
    scoreOn: RunConfig.shape.scoreOn,
  }),
};

/** What a base checkpoint scored. */
export const BaseResult = z.discriminatedUnion("status", [
  z.strictObject({
    ...baseHeader,
    status: z.literal("done"),
    ...RunOutcome.pick({ score: true, scores: true, measures: true }).shape,
    commonest: finite.min(0).max(1).exactOptional(),
  }),
  z.strictObject({ ...baseHeader, status: z.literal("failed"), error: z.string() }),
]);
/** See run.ts. */
export type BaseResult = run.BaseResult;

// Both descriptions must say the same: a difference is an error here.
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;
const same: [
  Same<z.infer<typeof RunConfig>, Mutable<run.RunConfig>>,
  Same<z.infer<typeof RunResult>, Mutable<run.RunResult>>,
  Same<z.infer<typeof BaseResult>, Mutable<run.BaseResult>>,
] = [true, true, true];
void same;
/** Zod's types are mutable, ours are not. */
type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;
