/** @file What runs take by count, and whether they can be made at all: looked up once for all that are alike. */
import type { RowLengths } from "../../models/architecture.ts";
import type { TaskData } from "../../tasks/task.ts";
import type { KnownModel } from "../../training/configuration.ts";
import type { ResolvedRun } from "../../training/resolve/resolve.ts";
import { predictMemory } from "../../training/cost/memory.ts";
import type { RetainedText } from "../../training/resolve/retained_text.ts";
import { canonicalJson } from "../../files/canonical_json.ts";
import type { RunConfig } from "../../training/run.ts";
import type { Passes } from "../../training/cost/scoring_work.ts";
import { countRunStep, flopsOf, forwardFlopsOf } from "../../training/cost/work.ts";

/** What a run takes by count. */
export interface RunWork {
  /** Its steps, validations and measurements. */
  readonly training: Passes;
  /** Of these, what is done when the loss of a step, from 0, has been read. */
  until(step: number): Passes;
  /** See `countScoring`; the losses on the test examples and on pretraining examples too. */
  readonly scoring: readonly Passes[];
  /** The same of its base checkpoint. */
  readonly baseScoring: readonly Passes[];
  /** Most bytes on the GPU while it trains. */
  readonly peakBytes: number;
}

/** Looks up what a run takes, of runs that were counted. */
export type WorkOf = (config: RunConfig) => RunWork;

/** What runs of one task, model and head have in common. */
interface Counted {
  readonly model: KnownModel;
  /** Once it was trained on many examples, and before it was. */
  readonly scoring: { readonly trained: readonly Passes[]; readonly untrained: readonly Passes[] };
  /** Of the losses on the test examples and on pretraining examples, which are taken of runs alone. */
  readonly losses: readonly Passes[];
}

/** Steps between two waits for the GPU, as training has them. */
const WINDOW = 10;
/** Training examples after which a model of the user's is taken to end its texts as they do. */
const TRAINED = 256;
/** A measured step takes as long as so many: it waits for its comparisons, and the host decomposes every map's change. */
const MEASURED = 4;

/**
 * Counts runs, which can all be made: the examples of each task are loaded and held against their model, as runs do it.
 * What differs in seed, rate and slice of test examples alone is counted once.
 *
 * @throws {UserError} where a model can't take its task's examples, or there are fewer than a run asks for
 * @throws {DataError} where real data can't be read or used
 */
export async function countRuns(runs: Iterable<ResolvedRun>): Promise<WorkOf> {
  const alike = new WeakMap<RunConfig["optimizer"], { readonly config: RunConfig; readonly work: RunWork }>();
  const byConfig = new Map<string, RunWork>(), byExamples = new Map<string, Counted>();
  const find = (config: RunConfig) => {
    // Most runs of a sweep are others with another seed: to tell so takes no JSON.
    const last = alike.get(config.optimizer);
    return last && areAlike(last.config, config) ? last.work : byConfig.get(keyOf(config));
  };
  for (const run of runs) {
    const { config } = run;
    let work = find(config);
    if (!work) {
      const { model, scoreOn, retain } = config,
        key = canonicalJson({
          task: withoutSlice(config),
          model,
          scoreOn,
          ...retain && { retain },
        });
      const counted = byExamples.get(key) ?? await countExamples(run);
      byExamples.set(key, counted);
      work = countRun(config, counted, run.method);
      byConfig.set(keyOf(config), work);
    }
    if (alike.get(config.optimizer)?.work !== work) alike.set(config.optimizer, { config, work });
  }
  return (config) => {
    const found = find(config);
    if (!found) {
      throw new TypeError(`Cannot tell what a run of task "${config.task.id}" takes: it was not counted`);
    }
    return found;
  };
}

/** True where all but seed and schedule are the same objects. */
function areAlike(a: RunConfig, b: RunConfig): boolean {
  const names = Object.keys(a) as (keyof RunConfig)[];
  return names.length === Object.keys(b).length &&
    names.every((name) => name === "seed" || name === "schedule" || a[name] === b[name]);
}

function keyOf({ seed: _, schedule: _schedule, ...config }: RunConfig): string {
  return canonicalJson({ ...config, task: withoutSlice(config) });
}

function withoutSlice({ task: { testSlice: _, ...task } }: Pick<RunConfig, "task">): RunConfig["task"] {
  return task;
}

async function countExamples({ config, task, model }: ResolvedRun): Promise<Counted> {
  // Loaded when needed: what reads texts and images is not needed to list and to report.
  const [
    { loadExamples, rowLengthsOf },
    { corpusOf, retainedExamples },
    { shapedByHead },
    { countScoring },
  ] = await Promise.all([
    import("../../training/resolve/examples.ts"),
    import("../../training/resolve/corpus.ts"),
    import("../../training/resolve/heads.ts"),
    import("../../training/cost/scoring_work.ts"),
  ]);
  const data: TaskData = await loadExamples(task, model, config);
  const shaped = await shapedByHead(config.model, model, data), lengths = rowLengthsOf(data);
  const scoring = (endsTexts: boolean) => countScoring(task, data, config.scoreOn, shaped, endsTexts);
  const trained = await scoring(true), counted = lengths ? ofRows(shaped, lengths) : shaped;
  const text = config.retain && await readText(config.retain, model);
  const lossOf = ({ architecture }: Pick<KnownModel, "architecture">, examples: number): Passes => ({
    count: 1,
    flops: forwardFlopsOf(architecture, examples),
  });
  return {
    model: counted,
    losses: [
      ...config.scoreOn === "test" && data.testBatches ? [lossOf(counted, config.task.testExamples)] : [],
      ...corpusOf(model, config.model) ? [lossOf(shaped, retainedExamples(config))] : [],
      ...text ? [lossOf(ofRows(shaped, { input: text.length, target: 0 }), text.rows)] : [],
    ],
    // The project's own models were pre-trained to end their texts.
    scoring: { trained, untrained: model.folder === undefined ? trained : await scoring(false) },
  };
}

async function readText(file: NonNullable<RunConfig["retain"]>, model: KnownModel): Promise<RetainedText> {
  const { readRetainedText } = await import("../../training/resolve/retained_text.ts");
  return await readRetainedText(file, model);
}

/** A model as its costs are for rows of these lengths. */
export function ofRows(model: KnownModel, lengths: RowLengths): KnownModel {
  return { ...model, ...model.ofLengths(lengths) };
}

function countRun(
  config: RunConfig,
  { model, scoring, losses }: Counted,
  method: ResolvedRun["method"],
): RunWork {
  const { steps, validateEvery, telemetryEvery, task, sharpness = 0 } = config;
  const count = countRunStep(config, model, method);
  const step = flopsOf(count), validation = forwardFlopsOf(model.architecture, task.validationExamples);
  const passes = (done: number, validations: number): Passes => {
    const measured = measuredUntil(done, telemetryEvery);
    return {
      count: done / WINDOW + validations + MEASURED * measured,
      flops: (done + (MEASURED - 1) * measured) * step + validations * validation,
    };
  };
  const validatedBefore = (step: number) => 1 + Math.floor(Math.max(0, step - 1) / validateEvery);
  return {
    training: passes(steps, validatedBefore(steps) + 1),
    until: (step) => step === 0 ? { count: 0, flops: 0 } : passes(step, validatedBefore(step)),
    scoring: [
      ...steps * config.batchSize >= TRAINED ? scoring.trained : scoring.untrained,
      ...losses,
      // Two gradients for each of its steps, and a wait for each.
      ...sharpness > 0 ? [{ count: 2 * sharpness, flops: 2 * sharpness * step }] : [],
    ],
    baseScoring: scoring.untrained,
    peakBytes: predictMemory(config, model, method).peakBytes,
  };
}

/** How many of the first steps are measured: two at the start, and those of every interval. */
function measuredUntil(step: number, telemetryEvery: number): number {
  if (telemetryEvery === 0) return 0;
  return Math.min(step, 2) + Math.floor(step / telemetryEvery) -
    Math.floor(Math.min(step, 2) / telemetryEvery);
}
