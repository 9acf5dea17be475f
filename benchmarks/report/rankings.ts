/** @file How methods rank at their own learning rates, and how at one rate that all share. */
import type { RateEvidence } from "../rates.ts";
import { compare, type Comparison, correct, mean } from "../statistics.ts";
import { contestsOf, pairedScores } from "./pairs.ts";
import type { Cell, Study, TaskLabel } from "./report.ts";
import { isFor } from "./study.ts";

/** A method's place at one rate. */
export interface Place {
  readonly peak: number;
  /** Mean score, or mean validation loss at the end; null where it was not run there or diverged. */
  readonly value: number | null;
  /** 1 for the best; null without a value. Equal values share a place. */
  readonly place: number | null;
  /** Against the first at these rates, corrected for all such comparisons of the report; null for the first itself. */
  readonly againstFirst: Comparison | null;
  readonly seeds: number;
  /** Of each seed; null for validation losses, whose examples were not kept apart. */
  readonly examples: number | null;
}

/** A method's places. */
export interface Standing {
  readonly cell: Cell;
  readonly own: Place;
  readonly shared: Place;
}

/** The methods on a task at a rank, by their place at their own rates. */
export interface Ranking {
  readonly task: TaskLabel;
  readonly rank: number | null;
  /** What places are by: scores where the sweep itself ran the grids, else the validation losses of the tuning. */
  readonly by: "score" | "validation loss";
  /** The one rate for all, see `sharedRate`. */
  readonly peak: number;
  readonly standings: readonly Standing[];
}

/**
 * The rate that serves all methods best: each ranks all rates of the union of their grids by its validation loss, those
 * where it diverged or was not run last, and the rate with the least mean rank is taken; of equal ones the smaller. Every
 * method has one voice, whatever its scale, and no test score has any.
 */
export function sharedRate(grids: readonly (readonly RateEvidence[])[]): number {
  const union = [...new Set(grids.flatMap((grid) => grid.map(({ peak }) => peak)))].sort((a, b) => a - b);
  const ranks = grids.map((grid) => {
    const losses = union.map((peak) => lossAt(grid, peak) ?? Infinity);
    // Equal ones share the mean of their ranks.
    return losses.map((loss) =>
      losses.filter((other) => other < loss).length +
      (losses.filter((other) => other === loss).length - 1) / 2
    );
  });
  const means = union.map((_, i) => mean(ranks.map((own) => own[i]!)));
  return union[means.indexOf(Math.min(...means))]!;
}

/** Rankings of each task and rank at which two methods or more were tuned over several rates. */
export function rankingsOf(study: Study): Ranking[] {
  const rankings = contestsOf(study).flatMap(({ task, rank, cells }): Ranking[] => {
    // A rate that was taken over has the losses of other runs behind it.
    const tuned = cells.filter((cell) => isOwn(cell) && cell.chosen!.evidence.length > 1);
    if (tuned.length < 2) return [];
    const peak = sharedRate(tuned.map(({ chosen }) => chosen!.evidence));
    const by = tuned.every(({ grid }) => grid.length > 1) ? "score" : "validation loss";
    const measured = (rateOf: (cell: Cell) => number) =>
      placesOf(tuned.map((cell) => measuredAt(cell, rateOf(cell), by)), by === "score");
    const own = measured((cell) => cell.chosen!.peak), shared = measured(() => peak);
    const standings = tuned.map((cell, i) => ({ cell, own: own[i]!, shared: shared[i]! }))
      .toSorted((a, b) => (a.own.place ?? Infinity) - (b.own.place ?? Infinity));
    return [{ task, rank, by, peak, standings }];
  });
  return withCorrection(rankings);
}

function isOwn({ task, method, rank, chosen }: Cell): boolean {
  return chosen !== null && isFor(chosen, task, method, rank);
}

/** What a method came to at a rate: `[seed][example]`, one mean loss in place of examples. */
interface Measured {
  readonly peak: number;
  readonly runs: Cell["runs"];
  readonly losses: readonly number[];
}

function measuredAt(cell: Cell, peak: number, by: Ranking["by"]): Measured {
  const at = cell.grid.find((one) => one.peak === peak);
  const whole = at !== undefined && at.diverged.length === 0;
  return by === "score"
    ? { peak, runs: whole ? at.runs : [], losses: [] }
    : { peak, runs: [], losses: lossesAt(cell.chosen!.evidence, peak) };
}

function placesOf(measured: readonly Measured[], byScore: boolean): Place[] {
  const values = measured.map(({ runs, losses }) => {
    const all = byScore ? runs.map(({ outcome }) => outcome.score) : losses;
    return all.length > 0 ? mean(all) : null;
  });
  const isBetter = (a: number, b: number) => byScore ? a > b : a < b;
  const places = values.map((value) =>
    value === null ? null : 1 + values.filter((other) => other !== null && isBetter(other, value)).length
  );
  const first = measured[places.indexOf(1)];
  return measured.map((one, i): Place => ({
    peak: one.peak,
    value: values[i]!,
    place: places[i]!,
    againstFirst: values[i] === null || !first || one === first ? null : comparisonOf(one, first, byScore),
    seeds: byScore ? one.runs.length : one.losses.length,
    examples: byScore ? one.runs[0]?.outcome.scores.length ?? null : null,
  }));
}

function comparisonOf(one: Measured, first: Measured, byScore: boolean): Comparison | null {
  if (byScore) {
    const [mine, best] = pairedScores([one, first]);
    return mine!.length > 0 ? compare(mine!, best!) : null;
  }
  // Losses of a tuning go by seed, and the same seeds in the same order.
  const negative = ({ losses }: Measured) => losses.map((loss) => [-loss]);
  return one.losses.length === first.losses.length ? compare(negative(one), negative(first)) : null;
}

function withCorrection(rankings: readonly Ranking[]): Ranking[] {
  const all = rankings.flatMap(({ standings }) =>
    standings.flatMap(({ own, shared }) => [own.againstFirst, shared.againstFirst])
  ).filter((one) => one !== null);
  const corrected = new Map(correct(all).map((one, i) => [all[i]!, one]));
  const fix = (place: Place): Place => ({
    ...place,
    againstFirst: place.againstFirst && corrected.get(place.againstFirst)!,
  });
  return rankings.map((ranking) => ({
    ...ranking,
    standings: ranking.standings.map(({ cell, own, shared }) => ({
      cell,
      own: fix(own),
      shared: fix(shared),
    })),
  }));
}

/** Last validation losses by seed at a rate; none where a run diverged or the rate was not run. */
function lossesAt(grid: readonly RateEvidence[], peak: number): number[] {
  const losses = grid.find((one) => one.peak === peak)?.validationLosses ?? [];
  return losses.every((loss) => loss !== null) ? losses : [];
}

function lossAt(grid: readonly RateEvidence[], peak: number): number | null {
  const losses = lossesAt(grid, peak);
  return losses.length > 0 ? mean(losses) : null;
}
