/**
 * @file Sweeps from a program: planned, run, read again and reported, as `./run bench` and `./run report` do it, without
 * printing. What they are done with is loaded when needed: who trains one run waits for no charts.
 */
import type { Gpu } from "../gpu/gpu.ts";
import type { Library } from "../training/configuration.ts";
import type { OwnEntries } from "../training/registry.ts";
import type { BaseResult, RunConfig, RunResult } from "../training/run.ts";
import type { PlannedBench } from "./command_line/bench.ts";
import { MARGIN } from "./statistics/verdicts.ts";
import type { Apart, Display } from "./sweep/progress.ts";
import type { RunDeps } from "./sweep/runner.ts";

/** What may be changed about a sweep, as the command's options do it. */
export interface SweepChanges {
  /** Only these tasks, by id. */
  readonly tasks?: readonly string[];
  /** Only these methods, by id. */
  readonly optimizers?: readonly string[];
  /** At these ranks, from 1. */
  readonly ranks?: readonly number[];
  /** At each of these peak learning rates, instead of the chosen ones. */
  readonly learningRates?: readonly number[];
  /** With these seeds, from 0 to 4294967295. */
  readonly seeds?: readonly number[];
  /** For so many steps; warm-up, validation and telemetry scale along. */
  readonly steps?: number;
  /** Path of real data for every task that is left. */
  readonly data?: string;
  /** So many examples for every task that is left. */
  readonly examples?: Pick<RunConfig["task"], "trainExamples" | "validationExamples" | "testExamples">;
  /** The folder of the model that every task which is left begins with, or "use-lite". */
  readonly model?: string;
  /** The folder of a tuning sweep, at whose rates to run. */
  readonly rates?: string;
}

/** Data of one's own, as `--data FILE` takes them. */
export interface OwnDataRequest {
  /** Path of a file of rows (JSONL, JSON, CSV, TSV, Parquet), or of a folder of them. */
  readonly path: string;
  /** Which column is what, e.g. `{ text: "review", label: "stars" }`; told by their names where absent. */
  readonly columns?: NonNullable<RunConfig["task"]["layout"]>["columns"];
  /** The prompt's template, e.g. "Question: {question}\nAnswer:". */
  readonly prompt?: string;
  /** How answers are scored; told by the answers where absent. */
  readonly score?: "exact" | "numbers" | "choice" | "loss";
  /** Most tokens of an example, from 2: longer ones are cut. */
  readonly maxTokens?: number;
}

/** A sweep, as it is asked for. */
export interface SweepRequest {
  /** A name that ships, the path of a sweep's JSON file, or what such a file says. */
  readonly sweep: string | Readonly<Record<string, unknown>>;
  /** What to change about it. */
  readonly changes?: SweepChanges;
  /** Data of one's own to run it on, in place of its tasks. */
  readonly data?: OwnDataRequest;
  /** Files that bring methods, tasks and models, as `--with` names them. */
  readonly with?: readonly string[];
  /** Methods, tasks and models of the program's own, which join the sweep as those of files do. */
  readonly entries?: OwnEntries;
}

/** A sweep's runs, before any is made. */
export interface PlannedSweep {
  /** The sweep's name. */
  readonly name: string;
  /** What it is to answer. */
  readonly question: string;
  /** In the order in which they run; ids are those of their results. */
  readonly runs: readonly { readonly id: string; readonly config: RunConfig }[];
  /** What to know before trusting them: rates that were tuned otherwise, methods that are left out at some ranks. */
  readonly notes: readonly string[];
}

/** How far a sweep is. */
export interface SweepProgress {
  /** What is under way, for people: "Reading data and counting what runs take", or a run, "digits, lora r8, lr 0.001, seed 0". */
  readonly at: string;
  /** Runs that are made. */
  readonly done: number;
  /** Runs that there will be; 0 before that is known. */
  readonly total: number;
  /** Steps that the run at work has taken; 0 between runs. */
  readonly step: number;
  /** Steps that it will take; 0 between runs. */
  readonly steps: number;
  /** Its latest loss in nats; null before the first. */
  readonly loss: number | null;
  /** Milliseconds until all runs are made; null where nobody knows. */
  readonly toGo: number | null;
}

/** How a sweep is run. */
export interface SweepOptions {
  /** Called now and then, never from inside a step. */
  readonly onProgress?: (progress: SweepProgress) => void;
  /** Called after each run that is made. */
  readonly onResult?: (result: RunResult) => void;
  /** Called with a sentence for people, e.g. about a broken file. */
  readonly say?: (sentence: string) => void;
  /** Where it aborts, the sweep stops, and the same call goes on from there. */
  readonly signal?: AbortSignal;
}

/** What a sweep came to. */
export interface SweepResults {
  /** Of all its runs that have one, in their order, whether they were made now or before. */
  readonly results: readonly RunResult[];
  /** True where a signal stopped it. */
  readonly interrupted: boolean;
  /** Path of the report's page; null where the sweep was stopped. */
  readonly page: string | null;
}

/** A question about methods, as `./run settle` takes it. */
export interface SettleRequest {
  /** Two at least, or one with `against`: the first is compared with each of the others. */
  readonly methods: readonly string[];
  /** The method that each of `methods` is compared with, instead. */
  readonly against?: string;
  /** By id. */
  readonly tasks: readonly string[];
  /** From 1. */
  readonly ranks: readonly number[];
  /** The largest difference that counts as none, as a share; 0.02 where absent. */
  readonly within?: number;
  /** For the runs of all calls on one folder together, such as "90s" or "2h"; "30m" where absent. */
  readonly budget?: string;
  /** Fewest pairs that decide, 4 to 128; 4 where absent. 23 where one method may fail in a few seeds. */
  readonly atLeast?: number;
  /** What to change about the tasks' shipped settings. */
  readonly changes?: Pick<SweepChanges, "learningRates" | "steps" | "data" | "examples" | "model" | "rates">;
  /** Files that bring methods, tasks and models, as `--with` names them. */
  readonly with?: readonly string[];
  /** Methods, tasks and models of the program's own. */
  readonly entries?: OwnEntries;
}

/** What is known of a pair of methods on one task at one rank. */
export interface Verdict {
  /** By id. */
  readonly task: string;
  /** From 1. */
  readonly rank: number;
  /** The method that is compared, by id. */
  readonly of: string;
  /** The method that it is compared with, by id. */
  readonly against: string;
  /** "score", or "log loss", where a lower loss is a positive difference. */
  readonly outcome: string;
  /** As docs/settle.md defines it. */
  readonly verdict: "better" | "worse" | "same" | "identical" | "undecided";
  /** Mean over pairs, in units of the outcome; null before the first pair. */
  readonly difference: number | null;
  /** Holds the true difference in 95% of questions; null below four pairs. */
  readonly interval: readonly number[] | null;
  /** Paired seeds that were judged. */
  readonly pairs: number;
  /** About how many more pairs would decide it, 0 where it is; null for losses, and where nobody knows. */
  readonly more: number | null;
}

/** What a question came to. */
export interface SettledQuestion {
  /** One for each pair of methods on each task at each rank, of the score, and of the loss where there is one. */
  readonly verdicts: readonly Verdict[];
  /** For people, at most four lines. */
  readonly answer: readonly string[];
  /** True where a signal stopped it. */
  readonly interrupted: boolean;
  /** Path of the report's page; null where it was stopped. */
  readonly page: string | null;
}

/** What lies in a sweep's folder. */
export interface StoredSweep {
  /** Every run that can be used, of this plan or of another. */
  readonly results: readonly RunResult[];
  /** Scores of base checkpoints before fine-tuning. */
  readonly bases: readonly BaseResult[];
  /** Sentences about files that can't be used. */
  readonly faults: readonly string[];
}

/** A chart of a report. In a notebook of Deno's kernel a cell that ends in one shows it. */
export interface SweepChart {
  /** As in the names of its files, e.g. "score-by-rank". */
  readonly id: string;
  /** For people. */
  readonly title: string;
  /** What it shows, in a sentence or two. */
  readonly caption: string;
  /** A Vega-Lite v6 specification with its data inline. */
  readonly spec: { readonly $schema: string } & Readonly<Record<string, unknown>>;
}

/** A report of a sweep's folder. */
export interface SweepReport {
  /** The sentences that it opens with. */
  readonly answer: readonly string[];
  /** What to know before trusting them. */
  readonly caveats: readonly string[];
  /** In the order of the page. */
  readonly charts: readonly SweepChart[];
  /** Its files by path below the report's folder: the page, a summary, CSV files, charts. */
  readonly files: ReadonlyMap<string, string>;
  /** Sentences about files that can't be used. */
  readonly faults: readonly string[];
}

/**
 * Lists a sweep's runs. Opens no GPU and writes nothing.
 *
 * @throws {UserError} for what a run would refuse, for unknown names, and for methods without a rate
 * @throws {DataError} for real data that can't be read
 * @throws {CheckpointError} for a model's folder that can't be read
 */
export async function planSweep(request: SweepRequest): Promise<PlannedSweep> {
  const { plan: { name, question, runs, notes } } = await planned(request);
  return { name, question, runs, notes };
}

/**
 * Runs what a folder lacks of a sweep, on a GPU that it opens, and writes its report. Results are stored as they come, one
 * JSON file a run: the same call goes on where it was stopped, and repeats nothing.
 *
 * @param out the sweep's folder
 * @throws as `planSweep` does, and `UserError` where the folder can't be written
 */
export async function runSweep(
  request: SweepRequest,
  out: string,
  options: SweepOptions = {},
): Promise<SweepResults> {
  const { say = () => {}, signal = new AbortController().signal } = options;
  const [{ bench }, { isFinished }] = await Promise.all([
    import("./command_line/bench.ts"),
    import("./sweep/runner.ts"),
  ]);
  const sweep = await planned(request), deps = await openRunDeps(say, sweep.registries);
  const parts = { deps, display: await quiet(options), signal, say, checkpointEveryMs: Infinity };
  const { results, interrupted, report } = await bench(sweep, out, parts);
  return { results: results.filter(isFinished), interrupted, page: report?.page ?? null };
}

/**
 * Runs what deciding a question needs, until it is decided or the budget is used, and writes the report. The same call goes
 * on where it was stopped.
 *
 * @param out the question's folder
 * @throws as `runSweep` does, and `UserError` where the folder holds another question
 */
export async function settle(
  question: SettleRequest,
  out: string,
  options: SweepOptions = {},
): Promise<SettledQuestion> {
  const { say = () => {}, signal = new AbortController().signal } = options;
  const [
    { withEntries },
    { askQuestion, specOf },
    { answerToJson },
    engine,
    { readChosen, readChosenIn },
    sweeps,
  ] = await Promise.all([
    import("./command_line/bench.ts"),
    import("./settle/question.ts"),
    import("./settle/answer.ts"),
    import("./settle/settle.ts"),
    import("./sweep/sweep_files.ts"),
    import("./sweep/sweep.ts"),
  ]);
  const { methods, tasks, ranks, within = MARGIN, budget = "30m", changes = {}, with: files = [] } = question;
  const registries = await withEntries(files, await libraryWith(question.entries));
  const asked = {
    methods,
    tasks,
    ranks,
    within,
    budget,
    ...(question.against && { against: question.against }),
    ...(question.atLeast !== undefined && { atLeast: question.atLeast }),
  };
  const spec = sweeps.override(specOf(asked, registries), changes, registries),
    from = sweeps.ratesNeeded(spec);
  const given = changes.rates === undefined ? null : await readChosenIn(changes.rates);
  const ready = await askQuestion(
    spec,
    registries,
    given ?? (from === null ? null : await readChosen(from)),
    given !== null,
  );
  const parts = { deps: await openRunDeps(say, registries), display: await quiet(options), signal, say };
  const outcome = await engine.settle(ready, out, "settle()", registries, {
    ...parts,
    role: "whole",
    checkpointEveryMs: Infinity,
    keepsTrained: false,
  });
  const { verdicts } = answerToJson(ready, out, outcome);
  return {
    verdicts,
    answer: outcome.answer,
    interrupted: outcome.interrupted,
    page: outcome.report?.page ?? null,
  };
}

/**
 * Reads a sweep's folder.
 *
 * @throws {UserError} where there is nothing of a sweep in it
 */
export async function readSweepFolder(out: string): Promise<StoredSweep> {
  const { readOutputFolder } = await import("./report/output_folder.ts");
  const { stored, bases, faults } = await readOutputFolder(out, "read");
  return { results: stored, bases, faults };
}

/**
 * Builds the report of a sweep's folder from its stored runs, and writes nothing.
 *
 * @param entries methods and tasks of the program's own, where the report is to tell what only their code knows
 * @throws {UserError} where there is nothing to report on
 */
export async function buildSweepReport(out: string, entries: OwnEntries = {}): Promise<SweepReport> {
  const { makeReport } = await import("./report/write.ts");
  const [made, { inNotebooks }] = await Promise.all([
    libraryWith(entries).then((library) => makeReport(out, library)),
    import("./report/exports/notebook.ts"),
  ]);
  const { report: { answer, caveats, charts }, files, faults } = made;
  return {
    ...{ answer, caveats, files, faults },
    charts: charts.map(({ chart, spec }) => inNotebooks({ ...chart, spec })),
  };
}

/**
 * Writes the report of a sweep's folder into `<out>/report`. Gives the path of its page.
 *
 * @throws {UserError} where there is nothing to report on, or the folder can't be written
 */
export async function writeSweepReport(out: string, entries: OwnEntries = {}): Promise<string> {
  const { writeReport } = await import("./report/write.ts");
  return (await writeReport(out, await libraryWith(entries))).page;
}

/**
 * What runs are made with: a GPU with the tuning of this machine, where it has one.
 *
 * @param say takes a sentence for people
 */
export async function openRunDeps(
  say: (sentence: string) => void,
  library: Library,
): Promise<RunDeps<Gpu>> {
  const [{ openGpu }, { train }, { scoreBase }, { environmentOf }, { useTuning }, { tuningPath }] =
    await Promise
      .all([
        import("../gpu/mod.ts"),
        import("../training/train.ts"),
        import("../training/scoring/score_base.ts"),
        import("../training/environment.ts"),
        import("./performance/autotune.ts"),
        import("./performance/tuning.ts"),
      ]);
  let said = false;
  return {
    async open() {
      const gpu = await openGpu();
      try {
        const tuning = await useTuning(gpu);
        if (tuning && !said) say(`Kernels as ./run autotune chose them: ${tuningPath(tuning)}`);
        said = true;
      } catch (error) {
        await gpu[Symbol.asyncDispose]();
        throw error;
      }
      return gpu;
    },
    train: (gpu, config, hooks) => train(gpu, config, { ...library, ...hooks }),
    scoreBase: (gpu, config, hooks) => scoreBase(gpu, config, { ...library, ...hooks }),
    environment: environmentOf,
  };
}

/** Shows nothing, and tells a program of each run, and how far all are. */
async function quiet({ onResult = () => {}, onProgress = () => {} }: SweepOptions): Promise<Display> {
  const { nameRun } = await import("./sweep/progress.ts");
  let now: SweepProgress = { at: "", done: 0, total: 0, step: 0, steps: 0, loss: null, toGo: null };
  let apart: Apart = () => "";
  const tell = (change: Partial<SweepProgress>) => onProgress(now = { ...now, ...change });
  const idle = { step: 0, steps: 0, loss: null } as const;
  return {
    stage: (at) => tell({ at, ...idle }),
    begin(sweep) {
      ({ apart = apart } = sweep);
      tell({ done: sweep.done, total: sweep.total });
    },
    count: (done) => tell({ done }),
    start: ({ config }) => tell({ at: nameRun(config, apart), ...idle, steps: config.steps }),
    update: ({ step, steps, loss }, toGo) => tell({ step, steps, loss, toGo }),
    finish(result) {
      onResult(result);
      tell({ done: now.done + 1, ...idle });
    },
    end: () => {},
  };
}

async function planned(
  { sweep, changes = {}, data, entries, with: files }: SweepRequest,
): Promise<PlannedBench<Library>> {
  const command = typeof sweep === "string" ? `runSweep("${sweep}")` : "runSweep()";
  const { planBench } = await import("./command_line/bench.ts");
  const library = await libraryWith(entries), request = { sweep, command, ...(files && { with: files }) };
  if (!data) return await planBench({ ...request, overrides: changes }, library);
  const [{ openOwnTask }, { modelAt }] = await Promise.all([
    import("../training/resolve/own_data.ts"),
    import("./sweep/sweep.ts"),
  ]);
  const { path, ...asked } = data;
  const model = changes.model === undefined ? undefined : modelAt(changes.model, library.models);
  const own = await openOwnTask(path, asked, model, library), { id, layout } = own.data;
  const overrides = { ...changes, data: path, tasks: [id], layout };
  return await planBench({ ...request, overrides, notes: own.notes }, own.registries);
}

async function libraryWith(entries: OwnEntries = {}): Promise<Library> {
  return (await import("../training/shipped.ts")).withShipped(entries);
}
