/** @file A sweep from its name to its report: what the command "bench" does, without the printing. */
import { parseWith, type Registries } from "../../training/configuration.ts";
import { joinEntries } from "../../training/registry.ts";
import { openFolders, type ResolvedRun, resolveRuns, withOwnTasks } from "../../training/resolve/resolve.ts";
import type { Cache } from "../../files/fetched.ts";
import { canonicalJson } from "../../files/canonical_json.ts";
import {
  type BaseConfig,
  type BaseResult,
  recordId,
  type RunConfig,
  type RunResult,
} from "../../training/run.ts";
import { UserError } from "../../errors/user_error.ts";
import { baseOf, basesOf, scoreBases } from "../sweep/bases.ts";
import { choose, withShipped } from "../rates/choose.ts";
import type { Forecast } from "../cost/estimate.ts";
import { prepareFolder, writeWhole } from "../../files/write_file.ts";
import { describe } from "../sweep/described.ts";
import { expandRuns } from "../sweep/expand_runs.ts";
import { readRuns, type Role, type SharedFolder, workIn, type WorkParts } from "../sweep/folder.ts";
import { namesLeft, requireKnown } from "../sweep/known_names.ts";
import { isSamePlan, makePlan, type Plan, type PlannedRun, readPlan, writePlan } from "../sweep/plan.ts";
import { KeptGpu } from "../sweep/kept_gpu.ts";
import { keepTrained, keptIn } from "../sweep/trained_store.ts";
import { prepareRuns } from "../sweep/prepare_runs.ts";
import { inAllOf } from "../sweep/progress.ts";
import { forecastFor } from "../cost/known_paces.ts";
import { reportedResults } from "../report/build.ts";
import { ofMainSettings } from "../study/settings.ts";
import { isStoredRun, planRerun } from "../sweep/rerun.ts";
import { writeReport, type WrittenReport } from "../report/write.ts";
import type { WorkOf } from "../cost/run_work.ts";
import { isFinished, runSweep, type SweepOutcome } from "../sweep/runner.ts";
import { searchedRuns } from "../rates/search.ts";
import { checkpointsOf, openBases, openStore, type Stored } from "../sweep/store.ts";
import { areSameFiles, type ChosenRates } from "../rates/rates.ts";
import { override, ratesNeeded, type SweepOverrides, SweepSpec } from "../sweep/sweep.ts";
import { CHOSEN, hasChosen, readChosen, readChosenIn, readSweep, withFilesOf } from "../sweep/sweep_files.ts";

/** What was asked for. */
export interface BenchRequest {
  /** Name of a sweep, path of its file or of a stored run's, or what such a file says. */
  readonly sweep: string | Readonly<Record<string, unknown>>;
  readonly overrides: SweepOverrides;
  /** What was typed, for the report. */
  readonly command: string;
  /** True where nothing is to be run: what costs can be told of, even where rates are missing. */
  readonly dryRun?: boolean;
  /** Files that bring methods, tasks and models, beside those that the sweep's file names. */
  readonly with?: readonly string[];
  /** What else is to be known before trusting the runs. */
  readonly notes?: readonly string[];
  /** Where what a sweep's file or a stored run names of the Hub's lies; absent where paths alone are taken. */
  readonly cache?: Cache | null;
}

/** A bench that can be run. */
export interface PlannedBench<R extends Registries = Registries> {
  readonly plan: Plan;
  /** What the plan's runs name, one for each of them, in the same order. */
  readonly runs: readonly ResolvedRun<R>[];
  /** With the entries of files. */
  readonly registries: R;
}

/** The rate at which runs are listed whose own is missing. */
const STAND_IN = 1e-3;

/** What is ahead, before anything has run. */
export interface Outlook {
  /** Ids of runs that are stored already. */
  readonly finished: ReadonlySet<string>;
  /** Milliseconds for the others, and for scoring their base checkpoints; null where nothing is known. */
  readonly estimateMs: number | null;
  /** Where the paces behind the estimate are from, for people; null where there are none. */
  readonly pacesFrom: string | null;
  /** Most bytes on the GPU, predicted by formula, by run id. */
  readonly peakBytes: ReadonlyMap<string, number>;
}

/** How a bench went. */
export interface BenchOutcome {
  /** Results of the plan's runs, in its order, as far as there are. */
  readonly results: readonly RunResult[];
  /** Runs that this process made. */
  readonly ran: number;
  /** Runs that others made meanwhile, or are at. */
  readonly others: number;
  readonly interrupted: boolean;
  /** Null where the sweep was interrupted, and for a worker. */
  readonly report: WrittenReport | null;
  /** The rates that a tuning sweep chose; null where this isn't one, or it isn't done. */
  readonly chosen: ChosenFile | null;
}

/** Rates that a tuning sweep chose. */
export interface ChosenFile {
  readonly path: string;
  /** True where they are of the project's own methods, tasks, data and models, so that they can be shipped. */
  readonly isOurs: boolean;
}

/**
 * Finds the sweep, applies the command line's changes, lists its runs, and resolves each.
 *
 * @throws {UserError} for unknown names, wrong values, files that bring nothing, and rates that nobody chose yet
 * @throws {CheckpointError} for folders of models that can't be read
 * @throws {DataError} for data that can't be read
 */
export async function planBench<R extends Registries>(
  request: BenchRequest,
  registries: R,
): Promise<PlannedBench<R>> {
  const { sweep, overrides, command, with: files = [], notes = [], cache = null } = request;
  if (typeof sweep === "string" && isStoredRun(sweep)) {
    const joined = await withEntries(files, registries), changes = Object.keys(overrides);
    const { plan, registries: known } = await planRerun(sweep, command, changes, joined, cache);
    const configs = plan.runs.map(({ config }) => config), opened = await openFolders(configs, known);
    return { plan, runs: await resolveRuns(configs, opened), registries: known };
  }
  const isNamed = typeof sweep === "string";
  const written = isNamed ? await readSweep(sweep, cache) : parseWith(SweepSpec, sweep, "the sweep");
  const joined = await withEntries([...files, ...withFilesOf(written, isNamed ? sweep : "")], registries);
  const known = await withOwnTasks(written.tasks, joined);
  if (isNamed) requireKnown(namesLeft(written, overrides), known, sweep);
  const { spec, chosen } = await withRates(override(written, overrides, known), overrides);
  const { runs, ...found } = await expandRuns(spec, known, chosen, request.dryRun ? STAND_IN : undefined);
  const expansion = { ...found, notes: [...notes, ...found.notes] };
  const described = describe(expansion.configs, known);
  const plan = await makePlan(spec, expansion, command, chosen?.sweep ?? null, described);
  return { plan, runs, registries: known };
}

/**
 * The registries with what files bring.
 *
 * @throws {UserError} where a file can't be read, throws, brings nothing, or what is there already
 */
export async function withEntries<R extends Registries>(files: readonly string[], registries: R): Promise<R> {
  if (files.length === 0) return registries;
  // Loaded when needed: what loads files knows the GPU's part of the program.
  const { loadModules } = await import("../../training/resolve/modules.ts");
  return joinEntries(registries, await loadModules(files));
}

/**
 * The sweep as it takes its rates, and the choice that they are from; null where all are stated.
 *
 * @throws {UserError} where a choice can't be read, and where one is named that nothing asks for
 */
async function withRates(
  spec: SweepSpec,
  { rates: folder, learningRates }: SweepOverrides,
): Promise<{ readonly spec: SweepSpec; readonly chosen: ChosenRates | null }> {
  if (folder === undefined) {
    const from = ratesNeeded(spec);
    return { spec, chosen: from === null ? null : await readChosen(from) };
  }
  const asking = { ...spec, rates: { chosenBy: folder } };
  if (ratesNeeded(asking) === null) {
    throw new UserError(
      `Cannot take the rates in ${folder}: ` +
        (learningRates
          ? "--learning-rates states others"
          : `sweep "${spec.name}" states those of all its methods`),
    );
  }
  return { spec: asking, chosen: await readChosenIn(folder) };
}

/**
 * Looks into the output folder, changing nothing.
 *
 * @throws as `bench` does before anything runs
 */
export async function lookAhead(planned: PlannedBench, out: string): Promise<Outlook> {
  const { plan, registries } = planned, workOf = await prepareRuns(planned.runs);
  const { results } = await openStore(out).read();
  const finished = new Set(plan.runs.map(({ id }) => id).filter((id) => isFinished(results.get(id))));
  const left = plan.runs.filter(({ id }) => !finished.has(id)).map(({ config }) => config);
  const { forecast, from } = await forecastFor(plan, { results }, registries, workOf);
  const runsMs = forecast.estimateAllMs(left);
  const basesMs = runsMs === null ? null : await estimateBases(plan, out, workOf, forecast);
  return {
    finished,
    estimateMs: runsMs === null || basesMs === null ? null : runsMs + basesMs,
    pacesFrom: from,
    peakBytes: new Map(plan.runs.map(({ id, config }) => [id, workOf(config).peakBytes])),
  };
}

/** Milliseconds for the scores of base checkpoints that are not stored. */
async function estimateBases(plan: Plan, out: string, workOf: WorkOf, forecast: Forecast): Promise<number> {
  const { results } = await openBases(out).read();
  const kinds = kindsOf(plan, workOf), runOf = runsByBase(kinds);
  let sum = 0;
  for (const base of basesOf(kinds)) {
    if (results.get(await recordId(base))?.status === "done") continue;
    sum += forecast.baseMs(runOf.get(canonicalJson(base))!);
  }
  return sum;
}

/** A run of each kind: the others differ from it in seed and rate alone. */
function kindsOf({ runs }: Plan, workOf: WorkOf): readonly RunConfig[] {
  return [...new Map(runs.map(({ config }) => [workOf(config), config])).values()];
}

/** A run that starts from each base, by the base's canonical JSON. */
function runsByBase(kinds: readonly RunConfig[]): ReadonlyMap<string, RunConfig> {
  return new Map(kinds.map((config) => [canonicalJson(baseOf(config)), config]));
}

/**
 * Runs what is missing of a plan and writes the report.
 *
 * @param say takes a sentence for people, e.g. about a broken file
 * @throws {UserError} where a run can't be made, before anything runs, and where the output folder can't be written
 * @throws {CheckpointError} for folders of models that can't be read
 * @throws {DataError} for real data that can't be used, and where the process may not do what runs on them need
 */
export async function bench<G extends AsyncDisposable>(
  planned: PlannedBench,
  out: string,
  parts: WorkParts<G>,
): Promise<BenchOutcome> {
  parts.display.stage("Reading data and counting what runs take");
  const workOf = await prepareRuns(planned.runs), { role } = parts;
  return await workIn(out, parts, async (shared) => {
    await agreeOnPlan(planned.plan, out, role ?? "whole", shared);
    return role === "plan"
      ? { results: [], ran: 0, others: 0, interrupted: false, report: null, chosen: null }
      : await carryOut(planned, out, parts, shared, workOf);
  });
}

/**
 * Writes the plan, which all processes that fill the folder at the same time share.
 *
 * @throws {UserError} where others are at another one, and for a worker where there is none, or another
 */
async function agreeOnPlan(
  plan: Plan,
  out: string,
  role: Role,
  { others, claims }: SharedFolder,
): Promise<void> {
  if (role === "worker" || role === "report") {
    const found = await readPlan(out);
    if (!found) {
      throw new UserError(`Cannot work in ${out}: it has no plan, the same command with --plan makes it`);
    }
    if (isSamePlan(found, plan)) return;
    throw new UserError(
      `Cannot work in ${out}: its plan is another one, of ${found.runs.length} runs of sweep "${found.name}" ` +
        `(made by ${found.command})`,
    );
  }
  // Of two that start at once, the second sees what the first has written.
  const claim = await claims.await("plan");
  try {
    const found = others > 0 ? await readPlan(out) : null;
    if (!found) return await writePlan(out, plan);
    if (isSamePlan(found, plan)) return;
    throw new UserError(
      `Cannot run sweep "${plan.name}" in ${out}: others are at sweep "${found.name}" there, of ${found.runs.length} ` +
        `runs (${found.command}); give another folder with --out, or wait until they are done`,
    );
  } finally {
    await claim.release();
  }
}

async function carryOut<G extends AsyncDisposable>(
  { plan, registries }: PlannedBench,
  out: string,
  parts: WorkParts<G>,
  { live, claims, alone }: SharedFolder,
  workOf: WorkOf,
): Promise<BenchOutcome> {
  const { deps, signal, say, role = "whole", keepsTrained = false } = parts;
  if (role === "report") {
    parts.display.stage("Waiting for those who make runs");
    await alone(signal);
  }
  // A worker leaves to others what they are at; a search tells what comes next only once they are done.
  const sharing = { claims, waits: role === "whole" || plan.search === true, ...pollOf(parts) };
  const checkpoints = { folder: checkpointsOf(out), everyMs: parts.checkpointEveryMs, say };
  const { store, stored } = await readRuns(out, say);
  if (keepsTrained) await sayWhatIsLost(plan, out, stored, say);
  const bases = openBases(out);
  await prepareFolder(bases.folder);
  const storedBases = await bases.read();
  for (const fault of storedBases.faults) {
    say(`${fault.sentence}; it was set aside as ${await bases.setAside(fault)}`);
  }
  const { forecast } = await forecastFor(plan, stored, registries, workOf);
  const kinds = kindsOf(plan, workOf), runOf = runsByBase(kinds);
  await using kept = new KeptGpu(deps.open, signal);
  parts.display.stage("Scoring base checkpoints before fine-tuning");
  const score = async (wanted: readonly BaseConfig[], stored: Stored<BaseResult>, waits: boolean) =>
    await scoreBases(wanted, bases, stored, deps, {
      signal,
      say,
      checkpoints,
      sharing: { ...sharing, waits },
      kept,
      onWait: () => parts.display.stage("Waiting for base checkpoints that others score"),
      onScored: (base, ms) => forecast.noteBase(runOf.get(canonicalJson(base))!, ms),
    });
  if (role !== "report") await score(basesOf(kinds), storedBases, false);
  const display = inAllOf([parts.display, live.display]);
  const run = async (runs: readonly PlannedRun[]): Promise<SweepOutcome> =>
    role === "report"
      ? { results: stored.results, ran: 0, others: 0, interrupted: signal.aborted }
      : await runSweep(runs, store, stored, deps, display, {
        ...{ signal, forecast, checkpoints, sharing, kept },
        ...(keepsTrained && { keep: (run, trained) => keepTrained(out, run, trained) }),
      });
  const { done, results, ran, others, interrupted } = plan.search
    ? await searchRates(plan, stored, run)
    : await run(plan.runs).then(({ results, ...rest }) => ({
      ...rest,
      done: plan,
      results: reportedResults(plan, [...results.values()]),
    }));
  const made = { results, ran, others, interrupted, report: null, chosen: null };
  if (interrupted || role === "worker") return made;
  const scored = await bases.read(), unscored: BaseConfig[] = [];
  for (const base of basesOf(kinds)) {
    // One that failed is tried again by the next command.
    if (!scored.results.has(await recordId(base))) unscored.push(base);
  }
  if (role !== "report") await score(unscored, scored, true);
  if (signal.aborted) return { ...made, interrupted: true };
  live.enter("report");
  parts.display.stage("Writing the report");
  // A search that others go on with has other runs yet.
  if (results.length === done.runs.length) await writePlan(out, done);
  const chosen = await writeChosen(done, out, results);
  const report = await writeReport(out, registries, parts.site ? { site: parts.site } : {});
  return { ...made, report, chosen };
}

/** How often others are looked at, where that was said. */
function pollOf({ pollMs }: Pick<WorkParts<AsyncDisposable>, "pollMs">): { readonly pollMs?: number } {
  return pollMs === undefined ? {} : { pollMs };
}

/** Tells of runs that are stored without what they trained: it is gone, and they are not made again for it. */
async function sayWhatIsLost(
  { runs }: Plan,
  out: string,
  { results }: Stored,
  say: (sentence: string) => void,
): Promise<void> {
  const kept = await keptIn(out);
  const lost = runs.filter(({ id }) => results.get(id)?.status === "done" && !kept.has(id)).length;
  if (lost === 0) return;
  say(
    `What ${lost} of the stored runs trained was not kept, and no run is made twice: another folder, by --out, keeps it`,
  );
}

/**
 * Runs what a search asks for, round by round, and gives the plan of those runs alone. A run that fails counts as no good,
 * and is made again by the next command.
 */
async function searchRates(
  plan: Plan,
  stored: Stored,
  run: (runs: readonly PlannedRun[]) => Promise<SweepOutcome>,
): Promise<Omit<SweepOutcome, "results"> & { readonly done: Plan; readonly results: readonly RunResult[] }> {
  let ran = 0, others = 0;
  const known = new Map([...stored.results].filter(([, result]) => isFinished(result)));
  for (;;) {
    const runs = searchedRuns(plan.runs, known);
    const left = runs.filter(({ id }) => !known.has(id));
    const outcome = left.length > 0 ? await run(left) : null;
    for (const [id, result] of outcome?.results ?? []) known.set(id, result);
    ran += outcome?.ran ?? 0;
    others += outcome?.others ?? 0;
    // Where runs are missing still, this process makes none.
    if (!outcome || outcome.interrupted || left.some(({ id }) => !known.has(id))) {
      const done = { ...plan, runs };
      const results = reportedResults(done, [...known.values()]);
      return { done, results, ran, others, interrupted: outcome?.interrupted ?? false };
    }
  }
}

/**
 * Writes the choice of a sweep that ran methods at several rates, once it has all its runs. A part of a sweep leaves the
 * rest as it is shipped, so that the file can take the shipped one's place; a choice on data or models of the user's stands
 * alone. A method or a task of the user's stands beside what ships.
 */
async function writeChosen(
  plan: Plan,
  out: string,
  results: readonly RunResult[],
): Promise<ChosenFile | null> {
  const configs = plan.runs.map(({ config }) => config);
  const { rates, ...rest } = choose(plan.name, plan.search ? results : ofMainSettings(configs, results));
  const tuned = rates.filter((rate) => rate.evidence.length > 1);
  const complete = plan.runs.length === results.length && results.every(isFinished);
  if (tuned.length === 0 || !complete) return null;
  // A file that is there and unsound ends this with a sentence: what it holds is not to be dropped unseen.
  const isOurs = tuned.every((rate) => areSameFiles(rate, {}));
  const shipped = isOurs && await hasChosen(plan.name) ? (await readChosen(plan.name)).rates : [];
  const path = `${out}/${CHOSEN}`;
  await writeWhole(path, `${JSON.stringify(withShipped({ ...rest, rates: tuned }, shipped), null, 1)}\n`);
  return { path, isOurs: isOurs && tuned.every(({ modules }) => !modules) };
}
