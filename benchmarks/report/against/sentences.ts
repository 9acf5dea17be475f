/** @file What changed between two sweeps, in sentences. */
import { canonicalJson } from "../../../files/canonical_json.ts";
import type { BaseResult, RunResult } from "../../../training/run.ts";
import { warmStepMs } from "../../../training/telemetry/meters.ts";
import { nameRun } from "../../sweep/progress.ts";
import { type Interval, median } from "../../statistics/statistics.ts";
import { isJudged, isShown } from "../../statistics/verdicts.ts";
import { formatCount, formatDifference, formatInterval, formatNumber, formatSignificant } from "../format.ts";
import type { DoneRun } from "../../study/study.ts";
import type { AgainstVerdict, ComparedSweep } from "./compared_sweep.ts";
import { type Cell, type ComparedPair, donePairs } from "./cells.ts";
import type { Namer } from "./names.ts";
import { describeChanges, type Pairing } from "./pairing.ts";

/** How many runs found the same, and what differs in the others. */
export function verdictSentence(
  verdict: AgainstVerdict,
  same: readonly ComparedPair[],
  differing: readonly ComparedPair[],
): string {
  if (verdict === "nothing in common") return "No run is in both: nothing can be compared run by run.";
  const all = formatCount(same.length, "run");
  if (verdict === "equal") {
    return same.length === 1
      ? "No run differs: the only run that both have found the same, bit for bit."
      : `No run differs: all ${all} that both have found the same, bit for bit.`;
  }
  const kinds = new Map<string, number>();
  for (const { difference } of differing) {
    for (const what of difference.what) kinds.set(what, (kinds.get(what) ?? 0) + 1);
  }
  const what = Array.from(kinds, ([kind, count]) => `${kind} in ${count}`).join(", ");
  const steps = differing.flatMap(({ difference }) => difference.first?.step ?? []);
  const first = steps.length > 0 ? ` The earliest difference of a loss is at step ${Math.min(...steps)}` : "";
  const gaps = differing.flatMap(({ difference }) => difference.largestLoss ?? []);
  const largest = first !== "" && gaps.length > 0
    ? `, the largest is ${formatSignificant(Math.max(...gaps))}.`
    : first === ""
    ? ""
    : ".";
  return `${differing.length} of ${all} that both have ${
    differing.length === 1 ? "differs" : "differ"
  } in bits: ${what}.${first}${largest}`;
}

/**
 * Whether scores differ by more than chance explains; nothing where none can be compared.
 *
 * @param whose what the sentence begins with: "Scores", "With other configs, scores"
 */
export function scoreSentence(whose: string, cells: readonly Cell[], name: Namer): string[] {
  const compared = cells.flatMap(({ comparison, equal, pairs }) =>
    comparison === null ? [] : [{ comparison, equal, config: pairs[0]!.here.config }]
  );
  const unequal = compared.filter(({ equal }) => !equal);
  if (compared.length === 0) return [];
  if (unequal.length === 0) return [`${whose} are equal on every example.`];
  const count = formatCount(compared.length, "comparison");
  const differences = rangeOf(unequal.map(({ comparison: { mean } }) => ({ low: mean, high: mean })));
  const parted = compared.filter(({ comparison }) => isShown(comparison.verdict));
  if (unequal.every(({ comparison }) => !isJudged(comparison))) {
    return [`${whose} differ, and too few seeds or examples decide nothing: differences are ${differences}.`];
  }
  if (parted.length === 0) {
    const intervals = unequal.flatMap(({ comparison }) => comparison.interval ?? []);
    const within = intervals.length > 0 ? `, their 95% intervals lie within ${rangeOf(intervals)}` : "";
    return [
      `${whose} differ by no more than chance explains: none of ${count} tells the sweeps apart. Where they are not ` +
      `equal, differences are ${differences}${within}.`,
    ];
  }
  const told = parted.slice(0, MOST).map(({ config, comparison }) =>
    `${name.cell(config)} ${formatDifference(comparison.mean)} (${
      formatInterval(comparison.interval, formatDifference)
    })`
  );
  return [`${whose} differ in ${parted.length} of ${count}, here less there: ${list(told, parted.length)}.`];
}

function rangeOf(intervals: readonly Interval[]): string {
  const low = Math.min(...intervals.map((one) => one.low)),
    high = Math.max(...intervals.map((one) => one.high));
  return formatInterval({ low, high }, formatDifference);
}

/** So many things of a kind are told in a sentence; the tables have all. */
const MOST = 12;

/** What is told of so many, and how many more there are. */
function list(told: readonly string[], count: number): string {
  return [...told, ...count > told.length ? [`and ${count - told.length} more`] : []].join("; ");
}

/** How configs differ, and which runs have no counterpart. */
export function changeSentences(pairing: Pairing, other: readonly ComparedPair[]): string[] {
  const { onlyHere, onlyThere } = pairing;
  const counts = new Map<string, number>();
  for (const { changes } of other) {
    for (const change of changes) {
      const text = describeChanges([change]);
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
  }
  const changes = [...counts].sort(([, a], [, b]) => b - a).slice(0, MOST).map(([text, count]) =>
    count === other.length ? text : `${text} (${formatCount(count, "run")})`
  );
  const named = (results: readonly RunResult[]) =>
    list(results.slice(0, MOST).map(({ config }) => nameRun(config)), results.length);
  return [
    ...other.length > 0
      ? [
        `${formatCount(other.length, "run")} ${
          other.length === 1 ? "has a counterpart" : "have counterparts"
        } of the same method, rank, task and seed with another config: ${list(changes, counts.size)}.`,
      ]
      : [],
    ...onlyHere.length > 0 ? [`${formatCount(onlyHere.length, "run")} only here: ${named(onlyHere)}.`] : [],
    ...onlyThere.length > 0
      ? [`${formatCount(onlyThere.length, "run")} only there: ${named(onlyThere)}.`]
      : [],
  ];
}

/** What is still to run. */
export function missingSentence(here: ComparedSweep, there: ComparedSweep): string[] {
  const missing = ({ plan, results }: ComparedSweep) => plan === null ? 0 : plan.runs.length - results.length;
  const counts = [[missing(here), "here"], [missing(there), "there"]] as const;
  const told = counts.filter(([count]) => count > 0).map(([count, where]) => `${count} ${where}`);
  return told.length > 0 ? [`Planned runs that are missing: ${told.join(", ")}.`] : [];
}

/** Base checkpoints that score otherwise. */
export function baseSentences(here: readonly BaseResult[], there: readonly BaseResult[]): string[] {
  const others = new Map(there.map((base) => [base.id, base]));
  const parted = here.flatMap((base) => {
    const other = others.get(base.id);
    if (base.status !== "done" || other?.status !== "done") return [];
    if (canonicalJson(base.scores) === canonicalJson(other.scores)) return [];
    const { model, task } = base.config;
    return [`${model.id} on ${task.id} ${formatNumber(base.score)}, there ${formatNumber(other.score)}`];
  });
  return parted.length > 0 ? [`Scores before fine-tuning differ: ${parted.join("; ")}.`] : [];
}

/** Bytes and times of runs of one config. */
export function costSentences(same: readonly ComparedPair[]): string[] {
  const both = donePairs(same);
  if (both.length === 0) return [];
  const ratios = (read: (run: DoneRun) => number | null) =>
    both.flatMap(([ours, theirs]) => {
      const [here, there] = [read(ours), read(theirs)];
      return here !== null && there !== null ? [here / there] : [];
    });
  const range = (values: readonly number[]) =>
    `${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)}`;
  const bytes = both.filter(([ours, theirs]) =>
    ours.outcome.cost.peakBytes !== theirs.outcome.cost.peakBytes ||
    ours.outcome.cost.stateBytes !== theirs.outcome.cost.stateBytes
  );
  const steps = ratios((run) => warmStepMs(run.outcome.cost));
  const peaks = ratios((run) => run.outcome.cost.peakBytes);
  const onOther = both.some(([ours, theirs]) => ours.environment.adapter !== theirs.environment.adapter);
  return [
    bytes.length === 0
      ? "Peak bytes and bytes of state are equal."
      : `Bytes differ in ${bytes.length} of ${formatCount(both.length, "run")}${
        peaks.length > 0 ? `: peak bytes here are ${range(peaks)} times those there` : ""
      }.`,
    ...steps.length > 0
      ? [
        `A step takes ${median(steps).toFixed(2)} times as long as there (median of ${
          formatCount(steps.length, "run")
        }, ${range(steps)})${
          onOther ? ", on another adapter" : ""
        }. Times are worth most from machines that do nothing else.`,
      ]
      : [],
  ];
}

/** "sweep "smoke" of 2026-11-25, commit 0123456". */
export function identify({ plan, results }: ComparedSweep): string {
  const days = [...new Set(results.map(({ environment }) => environment.startedAt.slice(0, 10)))].sort();
  const commits = [...new Set(results.map(({ environment }) => environment.commit.slice(0, 10)))].sort();
  const when = days.length > 1 ? `${days[0]} to ${days.at(-1)}` : days.join();
  return `sweep "${plan?.name ?? "unknown"}"${when === "" ? "" : ` of ${when}`}${
    commits.length === 0 ? "" : `, commit ${commits.join(", ")}`
  }`;
}
