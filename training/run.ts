/** @file What goes into a run and what comes out: plain JSON on both sides, checked by these schemas. */
import { z } from "zod";

const id = z.string().regex(/^[a-z0-9][a-z0-9-]*$/, "lower-case letters, digits and hyphens are needed");
const count = z.int().min(1);
const finite = z.number();

/** How the learning rate changes over a run. */
export const Schedule = z.strictObject({
  kind: z.enum(["constant", "linear", "cosine"]),
  /** Largest learning rate, reached at the end of the warm-up. */
  peak: finite.positive(),
  /** Steps of linear warm-up from 0. */
  warmup: z.int().min(0),
  /** Last learning rate as a share of the peak. */
  floor: finite.min(0).max(1),
});
export type Schedule = z.infer<typeof Schedule>;

/** Settings of a method, by name. */
export const OptionValues = z.record(z.string(), z.union([z.number(), z.boolean(), z.string()]));

/** Which task a run trains on, and how many examples it takes. */
export const TaskChoice = z.strictObject({
  id,
  trainExamples: count,
  validationExamples: count,
  testExamples: count,
});

/** Everything that decides a run's outcome. Two runs with equal configs are the same run. */
export const RunConfig = z.strictObject({
  schema: z.literal(1),
  task: TaskChoice,
  /** A name from the model registry; it fixes the architecture and the pretrained weights. */
  model: z.strictObject({ id }),
  /** Patterns of site names to adapt, e.g. ["*.self_attn.*"]. Full fine-tuning trains all anyway. */
  sites: z.array(z.string().min(1)).min(1),
  optimizer: z.strictObject({ id, options: OptionValues }),
  steps: count,
  batchSize: count,
  /** Batches are split into this many parts, whose gradients add up. */
  accumulate: count,
  schedule: Schedule,
  /** Largest global gradient norm; 0 leaves gradients alone. */
  clip: finite.min(0),
  /** Steps between validation losses; the first is taken before step 1, the last after the last step. */
  validateEvery: count,
  /** Steps between measurements of the full gradient; 0 measures nothing. */
  telemetryEvery: z.int().min(0),
  /** The examples that `score` is about: sweeps that choose settings must not look at test data. */
  scoreOn: z.enum(["validation", "test"]),
  seed: z.int().min(0).max(0xffffffff),
});
export type RunConfig = z.infer<typeof RunConfig>;

/** One measurement at one site: how a method's step compares with the full gradient G. */
export const Discrepancy = z.strictObject({
  step: count,
  site: z.string(),
  /** ‖g̃ − G‖ / ‖G‖, g̃ the equivalent gradient. 0 for full fine-tuning. */
  gradientError: finite.min(0),
  /** The least that any g̃ = s (B dA + dB A) can reach: ‖(I−P_B) G (I−P_A)‖ / ‖G‖. Null where a method has no factors. */
  lowerBound: finite.min(0).nullable(),
  /** cos(g̃, G). */
  gradientCosine: finite,
  /** cos(W_eff before − W_eff after, G): what the step did, moments and all. */
  updateCosine: finite,
});
export type Discrepancy = z.infer<typeof Discrepancy>;

/** A value at a step. */
export const Point = z.strictObject({ step: z.int().min(0), value: finite });
export type Point = z.infer<typeof Point>;

/** Where a run was made. */
export const Environment = z.strictObject({
  /** The commit of the checkout, "-dirty" is not told; "unknown" outside a git checkout. */
  commit: z.string(),
  deno: z.string(),
  adapter: z.string(),
  backend: z.string(),
  features: z.array(z.string()),
  limits: z.record(z.string(), z.number()),
  startedAt: z.string(),
});
export type Environment = z.infer<typeof Environment>;

/** What a run cost. Times leave out pipeline compilation, validation and telemetry. */
export const Cost = z.strictObject({
  trainableParameters: count,
  /** Bytes of the method's moments and other state, without the trained parameters themselves. */
  stateBytes: z.int().min(0),
  peakBytes: z.int().min(0),
  peakBytesByCategory: z.record(z.string(), z.int().min(0)),
  attachMs: finite.min(0),
  /** Median over windows of steps between two read-backs. */
  medianStepMs: finite.min(0),
  /** The whole run: loading, training, validation, scoring. */
  totalMs: finite.min(0),
});
export type Cost = z.infer<typeof Cost>;

/** What a finished run found. */
export const RunOutcome = z.strictObject({
  /** Mean of `scores`. */
  score: finite.min(0).max(1),
  /** One per example of `config.scoreOn`, so that reports can resample and pair them. */
  scores: z.array(finite.min(0).max(1)).min(1),
  trainLoss: z.array(Point),
  validationLoss: z.array(Point),
  discrepancies: z.array(Discrepancy),
  /** Curves from `Optimizer.inspect`, by name. */
  inspected: z.record(z.string(), z.array(Point)),
  cost: Cost,
});
export type RunOutcome = z.infer<typeof RunOutcome>;

const header = {
  schema: z.literal(1),
  /** First 16 hex digits of the SHA-256 of the config's canonical JSON. */
  id: z.string().regex(/^[0-9a-f]{16}$/),
  config: RunConfig,
  environment: Environment,
};

/** How a run ended. */
export const RunResult = z.discriminatedUnion("status", [
  z.strictObject({ ...header, status: z.literal("done"), outcome: RunOutcome }),
  /** The loss or a gradient stopped being finite: a finding about the method, kept in reports. */
  z.strictObject({ ...header, status: z.literal("diverged"), step: count, trainLoss: z.array(Point) }),
  /** Anything else: a fault of ours, kept out of reports and tried again. */
  z.strictObject({ ...header, status: z.literal("failed"), error: z.string() }),
]);
export type RunResult = z.infer<typeof RunResult>;

/** JSON with sorted keys and no white space: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined).sort(([a], [b]) => a < b ? -1 : 1);
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

/** Name of a run: the first 16 hex digits of the SHA-256 of its config's canonical JSON. */
export async function runId(config: RunConfig): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(canonicalJson(config)));
  return Array.from(new Uint8Array(digest).subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
