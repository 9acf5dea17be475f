/** @file Tables of what differs between two sweeps. */
import type { RunResult } from "../../../training/run.ts";
import { warmStepMs } from "../../../training/telemetry/meters.ts";
import { FEWEST_SEEDS } from "../../statistics/comparison.ts";
import { mean, medianOfMeasured } from "../../statistics/statistics.ts";
import {
  formatBytes,
  formatDifference,
  formatInterval,
  formatMeasured,
  formatNumber,
  formatProbability,
  formatSignificant,
  formatVerdict,
} from "../format.ts";
import type { DoneRun } from "../../study/study.ts";
import { MARGIN } from "../../statistics/verdicts.ts";
import type { Table } from "../table.ts";
import { type Cell, type ComparedPair, donePairs } from "./cells.ts";
import type { Namer } from "./names.ts";
import { describeChanges } from "./pairing.ts";

/** What titles begin with, beside a report's own tables. */
export const PREFIX = "Against the other sweep";
const start = ["Task", "Rank", "Method", "Learning rate"];

/** Scores of runs of one config, then of those with another. */
export function scoresTable(cells: readonly Cell[], changed: readonly Cell[], name: Namer): Table {
  const row = (cell: Cell) => {
    const { pairs, comparison, equal } = cell, scored = donePairs(pairs);
    const equalRuns = pairs.filter(({ difference }) => difference.what.length === 0).length;
    const over = (side: 0 | 1) =>
      scored.length === 0 ? "—" : formatNumber(mean(scored.map((pair) => pair[side].outcome.score)));
    return [
      ...name.row(pairs[0]!.here.config),
      describeChanges(pairs[0]!.changes) || "the same",
      `${equalRuns} of ${pairs.length}`,
      over(0),
      over(1),
      ...comparison === null ? ["—", "—", "—", "—", "—", "—", "not compared"] : [
        formatDifference(comparison.mean),
        ...equal ? ["—", "—", "—"] : [
          formatInterval(comparison.interval, formatDifference),
          formatProbability(comparison.pValue),
          formatProbability(comparison.corrected),
        ],
        String(comparison.seeds),
        String(comparison.examples),
        equal ? "equal" : formatVerdict(comparison),
      ],
    ];
  };
  return {
    title: `${PREFIX}: scores`,
    note:
      "Runs of one config here and there, paired by seed and example; below them those with another config, whose scores are " +
      "compared where they are about the same examples. Differences are here less there, with 95% intervals for new examples " +
      "and the seeds that were run, which both sweeps have; of another config for new seeds, too, and with fewer than " +
      `${FEWEST_SEEDS} undecided. p goes with the interval; the verdict is by p after Holm's ` +
      "correction for all comparisons of its kind, at 5%. Equal is equal on every example; " +
      `same is a difference that was shown to be less than ${MARGIN}, by two one-sided tests at 5% after Holm's correction. ` +
      "Runs are equal where losses, scores and measurements are, bit for bit.",
    columns: [
      ...start,
      "Config",
      "Equal runs",
      "Here",
      "There",
      "Difference",
      "95% interval",
      "p",
      "p, Holm",
      "Seeds",
      "Examples",
      "Verdict",
    ],
    rows: [...cells, ...changed].map(row),
  };
}

/** Each run of one config that found something else. */
export function runsTable(differing: readonly ComparedPair[], name: Namer): Table {
  const score = (result: RunResult) =>
    result.status === "done" ? formatNumber(result.outcome.score) : result.status;
  return {
    title: `${PREFIX}: runs that differ`,
    note:
      "Runs of one config with other outcomes, and the first step whose loss differs: step 0 is before training, where the " +
      "base checkpoint or the data differ.",
    columns: [
      ...start,
      "Seed",
      "What differs",
      "First differing loss",
      "Largest difference of a loss",
      "Here",
      "There",
    ],
    rows: differing.map(({ here, there, difference: { what, first, largestLoss } }) => [
      ...name.row(here.config),
      String(here.config.seed),
      what.join(", "),
      first === null ? "—" : `${first.curve}, step ${first.step}`,
      largestLoss === null ? "—" : formatSignificant(largestLoss),
      score(here),
      score(there),
    ]),
  };
}

/** Bytes and times of runs of one config. */
export function costsTable(cells: readonly Cell[], name: Namer): Table {
  return {
    title: `${PREFIX}: costs`,
    note:
      "Medians over seeds of runs of one config, here and there. Bytes are exact; times are those of steps that compiled nothing, and worth most from machines that do nothing else.",
    columns: [
      ...start,
      "Peak, here",
      "there",
      "State, here",
      "there",
      "Step, ms, here",
      "there",
      "Here / there",
    ],
    rows: cells.flatMap(({ pairs }) => {
      const both = donePairs(pairs);
      if (both.length === 0) return [];
      const of = (side: 0 | 1, read: (run: DoneRun) => number | null) =>
        medianOfMeasured(both.map((pair) => read(pair[side])));
      const bytes = (read: (run: DoneRun) => number | null) =>
        ([0, 1] as const).map((side) => formatMeasured(of(side, read), formatBytes));
      const stepMs = (run: DoneRun) => warmStepMs(run.outcome.cost),
        here = of(0, stepMs),
        there = of(1, stepMs);
      return [[
        ...name.row(pairs[0]!.here.config),
        ...bytes((run) => run.outcome.cost.peakBytes),
        ...bytes((run) => run.outcome.cost.stateBytes),
        formatMeasured(here, (ms) => ms.toFixed(1)),
        formatMeasured(there, (ms) => ms.toFixed(1)),
        here !== null && there !== null ? (here / there).toFixed(2) : "—",
      ]];
    }),
  };
}
