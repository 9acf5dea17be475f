/** @file A sweep from its name to its report: what the command "bench" does, without the printing. */
import type { Registries } from "../../training/configuration.ts";
import { lookup } from "../../training/lookup.ts";
import { canonicalJson } from "../../files/canonical_json.ts";
import { recordId, type RunConfig, type RunResult } from "../../training/run.ts";
import { UserError } from "../../errors/user_error.ts";
import { baseOf, basesOf, scoreBases } from "../sweep/bases.ts";
import { choose, withShipped } from "../rates/choose.ts";
import type { Forecast } from "../cost/estimate.ts";
import { namesIn, prepareFolder, sweepUp, WriteError, writeWhole } from "../../files/write_file.ts";
import { fingerprintSweep, withFingerprints } from "../sweep/fingerprints.ts";
import { type LiveWriter, openLive } from "../sweep/live.ts";
import { makePlan, type Plan, type PlannedRun, writePlan } from "../sweep/plan.ts";
import { type Display, inAllOf } from "../sweep/progress.ts";
import { withFolders } from "../sweep/model_folders.ts";
import { forecastFor } from "../cost/known_paces.ts";
import { reportedResults } from "../report/build.ts";
import { isStoredRun, planRerun } from "../sweep/rerun.ts";
import { writeReport } from "../report/write.ts";
import { countRuns, type WorkOf } from "../cost/run_work.ts";
import { isFinished, runSweep, type SweepOutcome, type Workshop } from "../sweep/runner.ts";
import { searchedRuns } from "../rates/search.ts";
import { openBases, openStore, type Stored } from "../sweep/store.ts";
import { areSameFiles, type ChosenRates } from "../rates/rates.ts";
import { expand, override, ratesNeeded, type SweepOverrides, type SweepSpec } from "../sweep/sweep.ts";
import { CHOSEN, hasChosen, readChosen, readChosenIn, readSweep } from "../sweep/sweep_files.ts";

/** What was asked for. */
export interface BenchRequest {
  /** Name of a sweep, or path of its file or of a stored run's. */
  readonly sweep: string;
  readonly overrides: SweepOverrides;
  /** What was typed, for the report. */
  readonly command: string;
  /** True where nothing is to be run: what costs can be told of, even where rates are missing. */
  readonly dryRun?: boolean;
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
  readonly interrupted: boolean;
  /** Path of the report's page; null where the sweep was interrupted. */
  readonly page: string | null;
  /** The rates that a tuning sweep chose; null where this isn't one, or it isn't done. */
  readonly chosen: ChosenFile | null;
}

/** Rates that a tuning sweep chose. */
export interface ChosenFile {
  readonly path: string;
  /** True where they were tuned on the project's own data and models, so that they can be shipped. */
  readonly isOurs: boolean;
}

/**
 * Finds the sweep, applies the command line's changes, and lists its runs.
 *
 * @throws {UserError} for unknown names, wrong values, and rates that nobody chose yet
 * @throws {CheckpointError} for folders of models that can't be read
 */
export async function planBench(request: BenchRequest, registries: Registries): Promise<Plan> {
  const { sweep, overrides, command } = request;
  if (isStoredRun(sweep)) return await planRerun(sweep, command, Object.keys(overrides));
  const { spec, chosen } = await withRates(
    override(await readSweep(sweep), overrides, registries),
    overrides,
    registries,
  );
  const chosenModels = spec.tasks.flatMap(({ model }) => model ? [{ model }] : []);
  const known = await withFolders(chosenModels, registries);
  const expansion = expand(spec, known, chosen, request.dryRun ? STAND_IN : undefined);
  return await makePlan(spec, await withFingerprints(expansion, known), command, chosen?.sweep ?? null);
}

/**
 * The sweep with what its rates are found by, and the choice that they are from; null where all are stated.
 *
 * @throws {UserError} where a choice can't be read, and where one is named that nothing asks for
 */
async function withRates(
  spec: SweepSpec,
  { rates: folder, peaks }: SweepOverrides,
  registries: Registries,
): Promise<{ readonly spec: SweepSpec; readonly chosen: ChosenRates | null }> {
  if (folder === undefined) {
    const from = ratesNeeded(spec);
    if (from === null) return { spec, chosen: null };
    return { spec: await fingerprintSweep(spec, registries), chosen: await readChosen(from) };
  }
  const asking = { ...spec, rates: { chosenBy: folder } };
  if (ratesNeeded(asking) === null) {
    throw new UserError(
      `Cannot take the rates in ${folder}: ` +
        (peaks ? "--peaks states others" : `sweep "${spec.name}" states those of all its methods`),
    );
  }
  return { spec: await fingerprintSweep(asking, registries), chosen: await readChosenIn(folder) };
}

/**
 * Looks into the output folder, changing nothing.
 *
 * @throws as `bench` does before anything runs
 */
export async function lookAhead(plan: Plan, out: string, registries: Registries): Promise<Outlook> {
  const { known, workOf } = await prepare(plan, registries);
  const { results } = await openStore(out).read();
  const finished = new Set(plan.runs.map(({ id }) => id).filter((id) => isFinished(results.get(id))));
  const left = plan.runs.filter(({ id }) => !finished.has(id)).map(({ config }) => config);
  const { forecast, from } = await forecastFor(plan, { results }, known, workOf);
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
 * What a run and a dry run begin with: whether the runs of a plan can be made, and what they take.
 *
 * @throws {UserError} where one can't
 * @throws {CheckpointError} for folders of models that can't be read
 * @throws {DataError} for real data that can't be used, and where the process may not do what runs on them need
 */
async function prepare(
  plan: Plan,
  registries: Registries,
): Promise<{ readonly known: Registries; readonly workOf: WorkOf }> {
  const configs = plan.runs.map(({ config }) => config);
  await requirePermissions(plan, registries);
  const known = await withFolders(configs, registries);
  return { known, workOf: await countRuns(configs, known) };
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
  plan: Plan,
  out: string,
  parts: BenchParts<G>,
): Promise<BenchOutcome> {
  const { known: registries, workOf } = await prepare(plan, parts.registries);
  const { folder } = openStore(out);
  await prepareFolder(folder);
  for (const path of [out, folder, openBases(out).folder]) await sweepUp(path);
  const live = await openLive(out, parts.say);
  try {
    const outcome = await carryOut(plan, out, { ...parts, registries }, live, workOf);
    await live.end({ status: outcome.interrupted ? "interrupted" : "done" });
    return outcome;
  } catch (caught) {
    const error = caught instanceof WriteError ? await withKept(caught, folder) : caught;
    await live.end({ status: "failed", error: error instanceof Error ? error.message : String(error) });
    throw error;
  }
}

/** What a sweep that can't write says of what it has. */
async function withKept({ message }: WriteError, folder: string): Promise<UserError> {
  const kept = (await namesIn(folder)).filter((name) => name.endsWith(".json")).length;
  return new UserError(
    `${message}; ${
      kept === 0
        ? "nothing is stored yet"
        : `${kept} ${kept === 1 ? "run is" : "runs are"} stored in ${folder}`
    }, and the same command goes on from there once this is mended`,
  );
}

/** What a bench works with. */
interface BenchParts<G extends AsyncDisposable> {
  readonly registries: Registries;
  readonly workshop: Workshop<G>;
  readonly display: Display;
  readonly signal: AbortSignal;
  readonly say: (sentence: string) => void;
}

async function carryOut<G extends AsyncDisposable>(
  plan: Plan,
  out: string,
  parts: BenchParts<G>,
  live: LiveWriter,
  workOf: WorkOf,
): Promise<BenchOutcome> {
  const { registries, workshop, signal, say } = parts;
  const store = openStore(out);
  const stored = await store.read();
  for (const fault of stored.faults) {
    say(`${fault.sentence}; it was set aside as ${await store.setAside(fault)}`);
  }
  await writePlan(out, plan);
  const bases = openBases(out);
  await prepareFolder(bases.folder);
  const storedBases = await bases.read();
  for (const fault of storedBases.faults) {
    say(`${fault.sentence}; it was set aside as ${await bases.setAside(fault)}`);
  }
  const { forecast } = await forecastFor(plan, stored, registries, workOf);
  const kinds = kindsOf(plan, workOf), runOf = runsByBase(kinds);
  await scoreBases(basesOf(kinds), bases, storedBases, workshop, {
    signal,
    say,
    onScored: (base, ms) => forecast.noteBase(runOf.get(canonicalJson(base))!, ms),
  });
  const display = inAllOf([parts.display, live.display]);
  const run = (runs: readonly PlannedRun[]) =>
    runSweep(runs, store, stored, workshop, display, { signal, forecast });
  const { done, results, interrupted } = plan.search
    ? await searchRates(plan, stored, run)
    : await run(plan.runs).then(({ results, interrupted }) => ({
      done: plan,
      results: reportedResults(plan, [...results.values()]),
      interrupted,
    }));
  if (interrupted) return { results, interrupted, page: null, chosen: null };
  live.enter("report");
  await writePlan(out, done);
  const chosen = await writeChosen(done, out, results);
  const { page } = await writeReport(out, registries);
  return { results, interrupted: false, page, chosen };
}

/**
 * Runs what a search asks for, round by round, and gives the plan of those runs alone. A run that fails counts as no good,
 * and is made again by the next command.
 */
async function searchRates(
  plan: Plan,
  stored: Stored,
  run: (runs: readonly PlannedRun[]) => Promise<SweepOutcome>,
): Promise<{ readonly done: Plan; readonly results: readonly RunResult[]; readonly interrupted: boolean }> {
  const known = new Map([...stored.results].filter(([, result]) => isFinished(result)));
  for (;;) {
    const runs = searchedRuns(plan.runs, known);
    const left = runs.filter(({ id }) => !known.has(id));
    const outcome = left.length > 0 ? await run(left) : null;
    for (const [id, result] of outcome?.results ?? []) known.set(id, result);
    if (!outcome || outcome.interrupted) {
      const done = { ...plan, runs };
      return { done, results: reportedResults(done, [...known.values()]), interrupted: outcome !== null };
    }
  }
}

async function requirePermissions(plan: Plan, { tasks }: Registries): Promise<void> {
  for (const { id, data } of new Set(plan.runs.map(({ config }) => config.task))) {
    if (data !== undefined) await lookup("task", tasks, id).realData?.requirePermission?.(data);
  }
}

/**
 * Writes the choice of a sweep that ran methods at several rates, once it has all its runs. A part of a sweep leaves the
 * rest as it is shipped, so that the file can take the shipped one's place; a choice on files of the user's stands alone.
 */
async function writeChosen(
  plan: Plan,
  out: string,
  results: readonly RunResult[],
): Promise<ChosenFile | null> {
  const { rates, ...rest } = choose(plan.name, results);
  const tuned = rates.filter((rate) => rate.evidence.length > 1);
  const complete = plan.runs.length === results.length && results.every(isFinished);
  if (tuned.length === 0 || !complete) return null;
  // A file that is there and unsound ends this with a sentence: what it holds is not to be dropped unseen.
  const isOurs = tuned.every((rate) => areSameFiles(rate, {}));
  const shipped = isOurs && await hasChosen(plan.name) ? (await readChosen(plan.name)).rates : [];
  const path = `${out}/${CHOSEN}`;
  await writeWhole(path, `${JSON.stringify(withShipped({ ...rest, rates: tuned }, shipped), null, 1)}\n`);
  return { path, isOurs };
}
