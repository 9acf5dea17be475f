/** @file From results to a report. Pure: no clock, no disk; the same results give the same report, byte for byte. */
import { describeRecord } from "../../tasks/data/read_record.ts";
import type { Registries } from "../../training/configuration.ts";
import type { BaseResult, Environment, RunResult } from "../../training/run.ts";
import { choose } from "../rates/choose.ts";
import { a100, type GpuRates } from "../cost/growth/predict.ts";
import { HEADS } from "../sweep/method.ts";
import type { Plan } from "../sweep/plan.ts";
import type { StoredVerdict } from "../study/verdict_file.ts";
import type { ChosenRate } from "../rates/rates.ts";
import { compareSweeps } from "./against/against.ts";
import type { ComparedSweep } from "./against/compared_sweep.ts";
import { answer, type Findings } from "./answer/answer.ts";
import { caveats } from "./caveats.ts";
import { EVERYTHING } from "./drawing/filters.ts";
import { type Drawing, layOut } from "./drawing/lay_out.ts";
import { axisCharts } from "./charts/by_axis.ts";
import { charts } from "./charts/mod.ts";
import type { PeftRuns } from "./exports/from_peft.ts";
import { peftCaveats, peftTable, scoreBesidePeft } from "./exports/peft_beside.ts";
import { forestOf, forestOfSettled } from "./forest.ts";
import { forgettingAnswer } from "./answer/forgetting.ts";
import { growthAnswer } from "./answer/growth.ts";
import { type Headline, headlineOf, headlineOfClaim, sentences } from "./headline.ts";
import { closedGaps } from "../study/gaps.ts";
import { evidenceOf } from "./page/evidence.ts";
import { describeRuns } from "./page/runs.ts";
import { compareOthers, comparePairs } from "../study/pairs.ts";
import { overTasks } from "../study/over_tasks.ts";
import { describeProtocol } from "./protocol.ts";
import { rankingsOf } from "../study/rankings.ts";
import type { Report, ReportedChart } from "./report.ts";
import { makeStudy, sourceOf } from "../study/make_study.ts";
import { ofMainSettings } from "../study/settings.ts";
import { scoreboardOf } from "./scoreboard.ts";
import { anyTwoTable } from "./tables/any_two.ts";
import { axesTable } from "./tables/axes.ts";
import { changesTable } from "./tables/changes.ts";
import { sharpnessTable } from "./tables/sharpness.ts";
import { comparisonsTable } from "./tables/comparisons.ts";
import { costsTable } from "./tables/costs.ts";
import { discrepanciesTable, kindsTable } from "./tables/discrepancies.ts";
import { forgotten } from "../study/forgetting.ts";
import { forgettingTable } from "./tables/forgetting.ts";
import { gapSharesTable } from "./tables/gap_shares.ts";
import {
  growthTable,
  memoryModelTable,
  overheadsTable,
  sizesTable,
  timeModelTable,
} from "./tables/growth.ts";
import { measuresTable } from "./tables/measures.ts";
import { middlesTable, pooledTable } from "./tables/over_tasks.ts";
import { predictedTable } from "./tables/predicted.ts";
import { predictionsTable } from "./tables/predictions.ts";
import { rankingsTable } from "./tables/rankings.ts";
import { ratesTable } from "./tables/rates.ts";
import { scoresTable } from "./tables/scores.ts";
import { seedsTable } from "./tables/seeds.ts";
import { separationTable } from "./tables/separation.ts";
import { sourcesTable } from "./tables/sources.ts";
import { summaryTable } from "./tables/summary.ts";

/** What a report is made from. */
export interface ReportInput {
  readonly plan: Plan | null;
  /** What the claim came to that the plan's question tests; null or absent where it tests none. */
  readonly verdict?: StoredVerdict | null;
  /** Everything in the store. */
  readonly stored: readonly RunResult[];
  /** Scores of base checkpoints in the store. */
  readonly bases?: readonly BaseResult[];
  /** Sentences about files that can't be used. */
  readonly faults: readonly string[];
  /** Names of files that were set aside. */
  readonly setAside: readonly string[];
  /** What predictions are for; the plan's GPU where absent, and an A100 where that has none. */
  readonly gpu?: GpuRates;
  /** True differences of scores of less are "the same"; the plan's where absent, and `MARGIN` where that has none. */
  readonly margin?: number;
  /** Results of PEFT's method comparison to show beside. */
  readonly peft?: PeftRuns;
  /** The sweep that this one is compared with. */
  readonly against?: ComparedSweep;
}

/** The results that a report is about: the plan's, in its order; all of them by id where there is no plan. */
export function reportedResults(plan: Plan | null, stored: readonly RunResult[]): RunResult[] {
  const byId = new Map(stored.map((result) => [result.id, result]));
  if (!plan) return [...byId.values()].sort((a, b) => a.id < b.id ? -1 : 1);
  return plan.runs.flatMap(({ id }) => byId.get(id) ?? []);
}

/** Builds a report. */
export function buildReport(
  input: ReportInput,
  registries: Registries,
): Report {
  const { plan, verdict = null, stored, peft = { runs: [], faults: [] } } = input;
  const results = reportedResults(plan, stored);
  const configs = plan?.runs.map((run) => run.config) ?? results.map((result) => result.config);
  const byId = new Map(results.map((result) => [result.id, result]));
  const name = plan?.name ?? "report";
  // A search compares settings by their losses; elsewhere the other ones have rates of their own.
  const compared = plan?.search ? results : ofMainSettings(configs, results);
  const tuned = choose(name, compared).rates.filter((rate) => rate.evidence.length > 1);
  const rates: readonly ChosenRate[] = [...tuned, ...plan?.rates ?? []];
  const study = makeStudy(
    configs,
    results,
    rates,
    registries,
    input.gpu ?? plan?.gpu ?? a100,
    input.bases,
    input.margin ?? plan?.within,
    plan?.equal,
  );
  const pairs = comparePairs(study);
  const findings: Findings = {
    pairs,
    others: compareOthers(study, pairs),
    overTasks: overTasks(study, pairs),
    gaps: closedGaps(study, pairs),
    rankings: rankingsOf(study),
    protocol: describeProtocol(study, configs, tuned.length > 0 ? null : plan?.ratesFrom ?? null),
  };
  const forgot = forgotten(study);
  const tables = [
    pooledTable(study, findings.overTasks),
    middlesTable(findings.overTasks),
    scoresTable(study),
    axesTable(study),
    seedsTable(study),
    measuresTable(study),
    sourcesTable(study),
    separationTable(study),
    comparisonsTable(pairs, study.margin),
    gapSharesTable(findings.gaps),
    forgettingTable(forgot),
    anyTwoTable(study, [...pairs, ...findings.others]),
    rankingsTable(findings.rankings),
    costsTable(study),
    discrepanciesTable(study),
    kindsTable(study),
    changesTable(study),
    sharpnessTable(study),
    ratesTable(study, tuned.length > 0 ? null : plan?.ratesFrom ?? null),
    growthTable(study),
    overheadsTable(study),
    timeModelTable(study),
    memoryModelTable(study),
    predictionsTable(study),
    sizesTable(study),
    peftTable(peft.runs),
  ];
  const bases = input.bases ?? [], { faults } = input;
  const against = input.against
    ? compareSweeps({ plan, results, bases, faults }, input.against, registries)
    : null;
  const beside = scoreBesidePeft.draw(study, peft.runs, registries.optimizers);
  const headline: Headline = plan?.settled
    ? { ...plan.settled.headline, claim: null, command: plan.command }
    : headlineOf(study, pairs, findings.overTasks, plan?.command ?? null);
  return {
    name,
    question: plan?.question ?? "Which of the stored runs' methods scores best?",
    against,
    headline: verdict ? headlineOfClaim(headline, verdict) : headline,
    predicted: predictedTable(verdict?.predictions),
    forgetting: forgettingAnswer(forgot),
    forest: plan?.settled ? forestOfSettled(plan.settled.pairs) : forestOf(study, pairs, findings.overTasks),
    scoreboard: scoreboardOf(study, [...pairs, ...findings.others]),
    // A sweep that only varies sizes has no scores to speak of.
    answer: [
      ...against?.sentences ?? [],
      ...verdict ? [sentences([verdict.line])] : [],
      // Pairs that ran until it was decided have a rule of their own: this one takes their number for fixed.
      ...plan?.settled?.lines ??
        (study.growth.length > 0 && study.cells.length === 0 ? [] : answer(study, findings)),
      ...growthAnswer(study),
    ],
    charts: [
      ...axisCharts(study).flatMap((chart) => laidOut(chart, chart.draw(study))),
      ...charts.flatMap((chart) => laidOut(chart, chart.draw(study))),
      ...laidOut(scoreBesidePeft, beside),
    ],
    tables: [...tables, ...against?.tables ?? []].filter((table) => table !== null && table.rows.length > 0)
      .map((table) => table!),
    summary: summaryTable(study, pairs, findings.overTasks.pairs),
    caveats: [
      ...caveats(study, findings, { ...input, results, leftOut: stored.length - results.length }),
      ...peftCaveats(peft),
    ],
    methods: study.methods,
    runs: describeRuns(
      study,
      (plan?.runs ?? results).map(({ id, config }) => ({ id, config, result: byId.get(id) ?? null })),
    ),
    evidence: evidenceOf(name, results),
    environment: describeEnvironment(results),
    command: plan?.command ?? null,
  };
}

/** A chart with its specification for all; nothing where a reader who chose nothing would see nothing. */
export function laidOut(chart: ReportedChart["chart"], drawing: Drawing | null): readonly ReportedChart[] {
  const spec = drawing && layOut(drawing, EVERYTHING);
  return spec ? [{ chart, drawing: drawing!, spec }] : [];
}

function describeEnvironment(results: readonly RunResult[]): (readonly [string, string])[] {
  const environments = results.map((result) => result.environment);
  const all = (read: (one: (typeof environments)[number]) => string) =>
    [...new Set(environments.map(read))].sort().join("; ");
  const days = environments.map((one) => one.startedAt.slice(0, 10)).sort();
  if (environments.length === 0) return [];
  return [
    ["Adapter", all((one) => one.adapter)],
    ["Vendor, architecture, device", all(({ hardware }) => nameHardware(hardware))],
    ["Adapter checked", all(({ checked }) => nameCheck(checked))],
    ["Backend", all((one) => one.backend)],
    ["Deno", all((one) => one.deno)],
    ["Commit", all((one) => one.commit)],
    ["Runs made", days[0] === days.at(-1) ? days[0]! : `${days[0]} to ${days.at(-1)}`],
    ["Runs", String(results.length)],
    ...describeData(results),
    ...describeHeads(results),
    ...describeModules(results),
  ];
}

function nameCheck(checked: Environment["checked"]): string {
  if (!checked) return "no (./run check does it)";
  return `${checked.ok ? "yes, all checks hold" : "yes, and NOT all checks hold"} (${
    checked.at.slice(0, 10)
  }, commit ${checked.commit.slice(0, 10)})`;
}

function nameHardware(hardware: Environment["hardware"]): string {
  if (!hardware) return "not noted";
  return [hardware.vendor, hardware.architecture, hardware.device].map((text) => text || "not told").join(
    ", ",
  );
}

/** The files that methods, tasks and models are from, where they do not ship. */
function describeModules(results: readonly RunResult[]): (readonly [string, string])[] {
  const told = new Map<string, readonly [string, string]>();
  for (const { config: { task, model, optimizer } } of results) {
    for (const { id, module } of [optimizer, task, model]) {
      if (!module) continue;
      const name = module.path.slice(module.path.lastIndexOf("/") + 1),
        brief = module.fingerprint.slice(0, 16);
      told.set(`${id} ${brief}`, [`File of "${id}"`, `${name}, fingerprint ${brief}`]);
    }
  }
  return [...told.values()];
}

/** What classifies the images of each task, where they are real and the tower is the user's. */
function describeHeads(results: readonly RunResult[]): (readonly [string, string])[] {
  const told = new Map<string, readonly [string, string]>();
  for (const { config: { task: { id }, model: { id: model, head } } } of results) {
    if (head !== undefined) {
      told.set(`${id} ${model} ${head}`, [`Head on "${id}"`, `${model}: ${HEADS[head]}`]);
    }
  }
  return [...told.values()];
}

/** The real data of each task: which, and how much of it could be used. */
function describeData(results: readonly RunResult[]): (readonly [string, string])[] {
  const told = new Map<string, readonly [string, string]>();
  for (const result of results) {
    const source = sourceOf(result), { id } = result.config.task;
    if (!source) continue;
    const { title, fingerprint, records } = source;
    const counts = Object.entries(records).map(([pool, record]) => `${pool}: ${describeRecord(record)}`);
    told.set(`${id} ${fingerprint}`, [
      `Data of "${id}"`,
      `${title}, fingerprint ${fingerprint.slice(0, 16)}; ${counts.join("; ")}`,
    ]);
  }
  return [...told.values()];
}
