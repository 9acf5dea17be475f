/** @file Settles a question: chooses rates, runs pairs from look to look until all is decided or time is over, and tells. */
import type { Registries } from "../../training/configuration.ts";
import type { RunConfig, RunResult } from "../../training/run.ts";
import type { Trained } from "../../training/loop/trained.ts";
import { UserError } from "../../errors/user_error.ts";
import { writeWhole } from "../../files/write_file.ts";
import { choose } from "../rates/choose.ts";
import { lateValidationLoss, meanLogLoss } from "../rates/late_loss.ts";
import type { ChosenRate } from "../rates/rates.ts";
import type { Forecast } from "../cost/estimate.ts";
import { forecastFor } from "../cost/known_paces.ts";
import { predictCost } from "../cost/predicted_cost.ts";
import { writeReport, type WrittenReport } from "../report/write.ts";
import { mean } from "../statistics/statistics.ts";
import { describe } from "../sweep/described.ts";
import type { Claims } from "../sweep/claims.ts";
import { readRuns, type Role, workIn, type WorkParts } from "../sweep/folder.ts";
import { methodKey, rankOf } from "../sweep/method.ts";
import { type Plan, type PlannedRun, writePlan } from "../sweep/plan.ts";
import { KeptGpu } from "../sweep/kept_gpu.ts";
import { keepTrained } from "../sweep/trained_store.ts";
import { prepareRuns } from "../sweep/prepare_runs.ts";
import { inAllOf } from "../sweep/progress.ts";
import { isFinished, runSweep } from "../sweep/runner.ts";
import { checkpointsOf, type Store } from "../sweep/store.ts";
import { CHOSEN } from "../sweep/sweep_files.ts";
import { answerOf, type Found, settledPairs } from "./answer.ts";
import { chooseRate, ratesAsked, type Tried } from "./fair_rates.ts";
import { type Cell, type Comparison, type Contender, type Question, statedSpec } from "./question.ts";
import { pairedRuns, tuningRuns } from "./runs.ts";
import { type Choice, hasFile, openFile, type SettleFile, writeFile } from "./settle_file.ts";
import { type Judged, nextOf, type Results, standingOf } from "./standing.ts";

/** How a question went. */
export interface SettleOutcome extends Found {
  /** For people, at most four lines. */
  readonly answer: readonly string[];
  /** Null where it was interrupted, and for a worker or a plan. */
  readonly report: WrittenReport | null;
}

/**
 * Settles a question in an output folder, or goes on with it. What is stored is not run again, and what was decided stays.
 *
 * @param command what was typed, for the report
 * @param conclude stores what else an answer comes to: the report, which is made from the folder, is made after it
 * @throws {UserError} where the folder holds another question, a run can't be made, or the folder can't be written
 */
export async function settle<G extends AsyncDisposable>(
  question: Question,
  out: string,
  command: string,
  registries: Registries,
  parts: WorkParts<G>,
  conclude: (found: Found) => Promise<void> = () => Promise.resolve(),
): Promise<SettleOutcome> {
  parts.display.stage("Reading data and counting what runs take");
  const { role = "whole" } = parts;
  // Refused before data are read.
  await openFile(out, question);
  const runs = question.cells.flatMap(({ contenders }) => contenders.map(({ run }) => run));
  // Both kinds of runs: they are scored on different examples.
  const workOf = await prepareRuns([
    ...runs,
    ...runs.map((run) => ({ ...run, config: { ...run.config, scoreOn: "validation" as const } })),
  ]);
  return await workIn(out, parts, async ({ live, claims, alone }) => {
    let file = await agreeOnFile(out, question, role, claims);
    if (role === "report") {
      parts.display.stage("Waiting for those who make runs");
      await alone(parts.signal);
    }
    const { store, stored } = await readRuns(out, parts.say);
    const known = new Map(stored.results), display = inAllOf([parts.display, live.display]);
    const asked = question.cells.flatMap(({ contenders }) =>
      contenders.map(({ id, run: { config } }) => ({ id, config }))
    );
    const { forecast } = await forecastFor({ runs: asked }, { results: new Map() }, registries, workOf);
    const checkpoints = { folder: checkpointsOf(out), everyMs: parts.checkpointEveryMs, say: parts.say };
    const asks = statedSpec(question);
    const plan: Plan = {
      schema: 1,
      name: question.spec.name,
      question: question.spec.question,
      command,
      ratesFrom: null,
      rates: [],
      notes: [...question.notes, ...notesOf(question)],
      ...describedIn(asked.map(({ config }) => config), registries),
      ...(asks && { asks }),
      runs: [],
    };
    const keeping = parts.keepsTrained
      ? { keep: (run: PlannedRun, trained: Trained) => keepTrained(out, run, trained) }
      : {};
    const ledger = new Ledger(known, forecast);
    await using kept = new KeptGpu(parts.deps.open, parts.signal);
    /** Runs what is missing of these, which watchers see as the whole plan. Returns whether it was interrupted. */
    const run = async (runs: readonly PlannedRun[], rates: readonly ChosenRate[]): Promise<boolean> => {
      ledger.note(runs);
      const isMissing = () => runs.some(({ id }) => !isFinished(known.get(id)));
      if (role === "plan" || role === "report") return isMissing();
      await noteOthers(runs, known, store);
      // The folder's plan is left as it is where this look is past: it is a later one's, or the answer's.
      if (!isMissing()) {
        ledger.note(runs);
        return false;
      }
      await writePlan(out, { ...plan, rates: [...rates], runs });
      const { results, interrupted } = await runSweep(
        runs,
        store,
        { ...stored, results: known },
        parts.deps,
        display,
        // What others are at is waited for: the next look follows from all runs before it.
        {
          signal: parts.signal,
          forecast,
          checkpoints,
          sharing: { claims, waits: true, ...(parts.pollMs !== undefined && { pollMs: parts.pollMs }) },
          ...keeping,
          kept,
        },
      );
      for (const [id, result] of results) known.set(id, result);
      ledger.note(runs);
      return interrupted || isMissing();
    };

    const tuned = await chooseRates(question, file, known, ledger, run);
    // Others may have chosen meanwhile, and answered.
    if (tuned && !file.choices) file = await openFile(out, question);
    if (tuned && !file.choices) {
      // Before the choice is fixed: what is killed between the two writes both again.
      if (tuned.rates.length > 0) await writeRates(out, question.spec.name, tuned, known);
      file = { ...file, choices: [...tuned.choices.values()] };
      await writeFile(out, file);
    }
    const found = tuned
      ? await runPairs(question, tuned, known, ledger, run, registries)
      : { judged: [], runs: [] };
    const failed = [...known.values()].filter((result) =>
      result.status === "failed" && ledger.has(result.id)
    );
    const outcome = {
      judged: found.judged,
      choices: tuned?.choices ?? null,
      usedMs: ledger.usedMs(),
      pairMs: new Map(found.judged.map(({ comparison }) => [comparison, ledger.pairMs(comparison)])),
      interrupted: parts.signal.aborted,
      failed,
    };
    const { lines: answer, headline } = answerOf(question, outcome);
    if (outcome.interrupted || role === "worker" || role === "plan") {
      return { ...outcome, answer, report: null };
    }
    live.enter("report");
    parts.display.stage("Writing the report");
    await writeFile(out, { ...file, answer: [...answer] });
    await conclude(outcome);
    await writePlan(out, {
      ...plan,
      rates: [...tuned?.rates ?? []],
      settled: { lines: [...answer], headline, pairs: settledPairs(question, found.judged) },
      runs: found.runs.length > 0 ? found.runs : ledger.runs(),
    });
    return {
      ...outcome,
      answer,
      report: await writeReport(out, registries, parts.site ? { site: parts.site } : {}),
    };
  });
}

/**
 * The question's file, which all processes that fill the folder share: written by the first that is no worker.
 *
 * @throws {UserError} for a worker where there is none
 */
async function agreeOnFile(
  out: string,
  question: Question,
  role: Role,
  claims: Claims,
): Promise<SettleFile> {
  // Of two that start at once, the second sees what the first has written.
  const claim = await claims.await("plan");
  try {
    const file = await openFile(out, question), isThere = await hasFile(out);
    if (!isThere && (role === "worker" || role === "report")) {
      throw new UserError(
        `Cannot work in ${out}: no question was begun there, the same command with --plan does`,
      );
    }
    if (!isThere) await writeFile(out, file);
    return file;
  } finally {
    await claim.release();
  }
}

/** Takes in those of these runs that others have brought to their end meanwhile. */
async function noteOthers(
  runs: readonly PlannedRun[],
  known: Map<string, RunResult>,
  store: Store,
): Promise<void> {
  const missing = runs.filter(({ id }) => !isFinished(known.get(id)));
  if (missing.length === 0) return;
  const names = await store.names();
  for (const { id } of missing) {
    const result = names.has(id) ? await store.find(id) : null;
    if (result && isFinished(result)) known.set(id, result);
  }
}

/** What the report must say of how its runs were made. */
function notesOf({ cells, tuningSeeds }: Question): string[] {
  const isSearched = cells.some(({ contenders }) => contenders.some(({ rates }) => rates.length > 1));
  return [
    "Pairs have seeds and test examples of their own and were judged at planned looks, see docs/settle.md: intervals and " +
    "verdicts of the tables take the number of seeds for fixed and the examples for shared",
    ...!isSearched ? [] : [
      `Each method's rate has the least mean log of the last three validation losses over seeds ${
        tuningSeeds.join(", ")
      }, which are not scored`,
    ],
  ];
}

function describedIn(configs: readonly RunConfig[], registries: Registries): Pick<Plan, "described"> {
  const described = describe(configs, registries);
  return described ? { described } : {};
}

/** The runs of a question so far, and what they took. */
class Ledger {
  readonly #known: ReadonlyMap<string, RunResult>;
  readonly #forecast: Forecast;
  readonly #runs = new Map<string, PlannedRun>();
  readonly #noted = new Set<string>();

  constructor(known: ReadonlyMap<string, RunResult>, forecast: Forecast) {
    this.#known = known;
    this.#forecast = forecast;
  }

  /** Takes runs that the question asked for. Those that are stored tell how long others take. */
  note(runs: readonly PlannedRun[]): void {
    for (const run of runs) {
      this.#runs.set(run.id, run);
      const result = this.#known.get(run.id);
      if (result?.status !== "done" || this.#noted.has(run.id)) continue;
      this.#noted.add(run.id);
      this.#forecast.noteResult(run.config, result);
    }
  }

  has(id: string): boolean {
    return this.#runs.has(id);
  }

  runs(): readonly PlannedRun[] {
    return [...this.#runs.values()];
  }

  /** Milliseconds of all runs so far. One that diverged counts as others of its method do. */
  usedMs(): number {
    return this.runs().reduce((sum, { id, config }) => {
      const result = this.#known.get(id);
      return isFinished(result) ? sum + (this.#ownMs(result!) ?? this.runMs(config) ?? 0) : sum;
    }, 0);
  }

  /** About how many milliseconds such a run takes; null where nobody knows. */
  runMs({ task, optimizer, scoreOn }: RunConfig): number | null {
    const alike = this.runs().flatMap(({ id, config }) => {
      const isAlike = config.task.id === task.id && config.scoreOn === scoreOn &&
        methodKey(config.optimizer) === methodKey(optimizer) &&
        rankOf(config.optimizer) === rankOf(optimizer);
      return isAlike ? this.#ownMs(this.#known.get(id)) ?? [] : [];
    });
    return alike.length > 0 ? mean(alike) : null;
  }

  /** About how many milliseconds a pair takes. */
  pairMs({ of, against }: Comparison): number | null {
    const [one, other] = [of, against].map(({ run: { config } }) =>
      this.runMs(config) ?? this.#forecast.estimateMs(config)
    );
    return one === null || other === null ? null : one! + other!;
  }

  /** About how many milliseconds runs take that are yet to be made; 0 where nobody knows. */
  leftMs(runs: readonly PlannedRun[]): number {
    return runs.reduce(
      (sum, { id, config }) =>
        isFinished(this.#known.get(id))
          ? sum
          : sum + (this.runMs(config) ?? this.#forecast.estimateMs(config) ?? 0),
      0,
    );
  }

  #ownMs(result: RunResult | undefined): number | null {
    return result?.status === "done" ? result.outcome.cost.totalMs : null;
  }
}

/** What rates are: by contender's config, for a plan, and the runs that chose them. */
interface Tuned {
  readonly choices: ReadonlyMap<string, Choice>;
  readonly rates: readonly ChosenRate[];
}

/** Runs what is missing. Returns whether that was stopped, or one of them failed. */
type Run = (runs: readonly PlannedRun[], rates: readonly ChosenRate[]) => Promise<boolean>;

/** Chooses the rate of each contender, or takes the one that was chosen. Null where runs are missing for that. */
async function chooseRates(
  { cells, tuningSeeds, spec, budgetMs }: Question,
  file: SettleFile,
  known: ReadonlyMap<string, RunResult>,
  ledger: Ledger,
  run: Run,
): Promise<Tuned | null> {
  const contenders = new Map(cells.flatMap((cell) => cell.contenders.map((one) => [one.id, { cell, one }])));
  const gridOf = async (one: Contender) => {
    const kept = file.choices?.find(({ contender }) => contender === one.id);
    return kept
      ? kept.tried.map(({ learningRate }) => learningRate)
      : one.rates.length === 1
      ? []
      : ratesAsked(one.rates, await triedRates(one, tuningSeeds, known));
  };
  for (;;) {
    const asked = await Promise.all(
      Array.from(
        contenders.values(),
        async ({ one }) => await tuningRuns(one, await gridOf(one), tuningSeeds),
      ),
    );
    const runs = asked.flat();
    ledger.note(runs);
    if (file.choices || runs.every(({ id }) => isFinished(known.get(id)))) break;
    if (ledger.usedMs() >= budgetMs || await run(runs, [])) return null;
  }
  const choices = new Map<string, Choice>(), rates: ChosenRate[] = [];
  for (const { cell, one } of contenders.values()) {
    const tried = await triedRates(one, tuningSeeds, known), grid = await gridOf(one);
    const choice = file.choices?.find(({ contender }) => contender === one.id) ?? {
      contender: one.id,
      method: one.name,
      task: cell.task,
      ...chooseRate(grid, tried) ??
        { learningRate: one.rates[0]!, runnerUp: null, lead: null, atEdge: grid.length > 1 },
      tried: grid.map((learningRate) => ({ learningRate, logLoss: finiteOrNull(tried.get(learningRate)) })),
    };
    choices.set(one.id, choice);
    const results = (await tuningRuns(one, grid, tuningSeeds)).flatMap(({ id }) => known.get(id) ?? []);
    const [rate] = choose(spec.name, results).rates;
    const { learningRate, runnerUp, lead, atEdge } = choice;
    if (rate) rates.push({ ...rate, learningRate, runnerUp, lead, atEdge });
  }
  return { choices, rates };
}

function finiteOrNull(value: number | null | undefined): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** Writes the rates where later sweeps take them from: `--rates DIR`. */
async function writeRates(
  out: string,
  sweep: string,
  { rates }: Tuned,
  known: ReadonlyMap<string, RunResult>,
): Promise<void> {
  const { environment } = choose(sweep, [...known.values()]);
  const text = JSON.stringify({ schema: 1, sweep, environment, rates }, null, 1);
  await writeWhole(`${out}/${CHOSEN}`, `${text}\n`);
}

/** The mean log loss of each rate that has run with every tuning seed. */
async function triedRates(
  contender: Contender,
  seeds: readonly number[],
  known: ReadonlyMap<string, RunResult>,
): Promise<Tried> {
  const tried = new Map<number, number | null>();
  for (;;) {
    const rates = ratesAsked(contender.rates, tried).filter((learningRate) => !tried.has(learningRate));
    if (rates.length === 0) return tried;
    for (const learningRate of rates) {
      const results = (await tuningRuns(contender, [learningRate], seeds)).map(({ id }) => known.get(id));
      const isWhole = results.every((result) => isFinished(result));
      tried.set(
        learningRate,
        isWhole ? meanLogLoss(results.map((result) => lateValidationLoss(result!))) : null,
      );
    }
  }
}

/** Runs pairs from look to look: of the cells that are open the one with the fewest, as long as its next look fits the budget. */
async function runPairs(
  question: Question,
  { choices, rates }: Tuned,
  known: ReadonlyMap<string, RunResult>,
  ledger: Ledger,
  run: Run,
  registries: Registries,
): Promise<{ readonly judged: readonly Judged[]; readonly runs: readonly PlannedRun[] }> {
  const { cells, budgetMs } = question;
  const runsOf = (contender: Contender, pairs: number) =>
    pairedRuns(contender, choices.get(contender.id)!.learningRate, pairs);
  const judge = async (cell: Cell, comparison: Comparison, pairs: number): Promise<Judged> => {
    const [ours, theirs] = [await runsOf(comparison.of, pairs), await runsOf(comparison.against, pairs)];
    const results: Results[number][] = [];
    for (const [i, { id }] of ours.entries()) {
      const [mine, other] = [known.get(id), known.get(theirs[i]!.id)];
      if (!mine || !other || !isFinished(mine) || !isFinished(other)) break;
      results.push([mine, other]);
    }
    return {
      cell,
      comparison,
      standing: standingOf(results, cell, question, flopsOf(results[0], registries)),
    };
  };
  /** The runs of so many pairs of each comparison: seed by seed, so that what was stopped has whole pairs. */
  const allRuns = async (pairs: ReadonlyMap<Comparison, number>) => {
    const wanted = new Map<string, PlannedRun>();
    for (const [{ of, against }, count] of pairs) {
      for (const contender of [of, against]) {
        for (const one of await runsOf(contender, count)) wanted.set(one.id, one);
      }
    }
    return [...wanted.values()].sort((a, b) => a.config.seed - b.config.seed);
  };
  let asked: ReadonlyMap<Comparison, number> = new Map();
  for (;;) {
    const judged = await Promise.all(
      cells.flatMap((cell) => cell.comparisons.map((one) => judge(cell, one, asked.get(one) ?? 0))),
    );
    const open = judged.flatMap(({ cell, comparison, standing }) => {
      const next = nextOf(standing, question);
      return next === null ? [] : [{ cell, comparison, next }];
    });
    const rounds = [...Map.groupBy(open, ({ cell }) => cell).values()].sort((a, b) =>
      a[0]!.next - b[0]!.next
    );
    let isOver = true;
    for (const round of rounds) {
      const more = new Map([...asked, ...round.map(({ comparison, next }) => [comparison, next] as const)]);
      const runs = await allRuns(more);
      // Of what does not fit, a cheaper cell may.
      if (ledger.usedMs() + ledger.leftMs(runs) > budgetMs) continue;
      asked = more;
      isOver = await run(runs, rates);
      break;
    }
    if (isOver) {
      const runs = await allRuns(asked);
      return {
        judged: await Promise.all(
          judged.map(({ cell, comparison }) => judge(cell, comparison, asked.get(comparison) ?? 0)),
        ),
        runs: runs.filter(({ id }) => known.has(id)),
      };
    }
  }
}

/** FLOPs of a step of both; null where nobody knows. */
function flopsOf(
  pair: Results[number] | undefined,
  registries: Registries,
): readonly [number, number] | null {
  const [ours, theirs] = (pair ?? []).map((result) =>
    predictCost(result.config, result.status === "done" ? result.outcome.rows : undefined, registries)?.flops
  );
  return ours === undefined || theirs === undefined ? null : [ours, theirs];
}
