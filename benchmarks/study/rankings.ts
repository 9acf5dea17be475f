/** @file How methods rank at their own learning rates, and how at one rate that all share. */
import type { RateEvidence } from "../rates/rates.ts";
import { mean } from "../statistics/statistics.ts";
import { contestsOf } from "./pairs.ts";
import type { Cell, Study, TaskLabel } from "./study.ts";
import { isFor } from "./make_study.ts";

/** A method's place at one rate. */
export interface Place {
  readonly learningRate: number;
  /** Mean score, or mean validation loss at the end; null where it was not run there or diverged. */
  readonly value: number | null;
  /** 1 for the best; null without a value. Equal values share a place. No verdict: those are of comparisons. */
  readonly place: number | null;
  readonly seeds: number;
  /** Of each seed; null for validation losses, whose examples were not kept apart. */
  readonly examples: number | null;
}

/** A method's places. */
export interface Standing {
  readonly cell: Cell;
  readonly own: Place;
  /** Null where there is no rate for all. */
  readonly shared: Place | null;
}

/** The methods on a task at a rank, by their place at their own rates. */
export interface Ranking {
  readonly task: TaskLabel;
  readonly rank: number | null;
  /** What places are by: scores where the sweep itself ran the grids, else the validation losses of the tuning. */
  readonly by: "score" | "validation loss";
  /** The one rate for all, see `sharedRate`; null where there is none. */
  readonly learningRate: number | null;
  readonly standings: readonly Standing[];
}

/**
 * The rate at which the method that it serves worst loses least: of the rates that all methods were run at to the end, the
 * one with the least largest excess of a validation loss over the same method's least there; of equal ones the smaller.
 * Where a method was not run says nothing about it, methods that are nearly the same have no more weight than one of them,
 * and no test score has any. Null where no rate is common to all.
 */
export function sharedRate(grids: readonly (readonly RateEvidence[])[]): number | null {
  const common = (grids[0] ?? []).map(({ learningRate }) => learningRate).sort((a, b) => a - b)
    .filter((learningRate) => grids.every((grid) => lossAt(grid, learningRate) !== null));
  const losses = grids.map((grid) => common.map((learningRate) => lossAt(grid, learningRate)!));
  const excess = common.map((_, i) => Math.max(...losses.map((own) => own[i]! - Math.min(...own))));
  return common[excess.indexOf(Math.min(...excess))] ?? null;
}

/** Rankings of each task and rank at which two methods or more were tuned over several rates. */
export function rankingsOf(study: Study): Ranking[] {
  return contestsOf(study).flatMap(({ task, rank, cells }): Ranking[] => {
    // A rate that was taken over has the losses of other runs behind it.
    const tuned = cells.filter((cell) => isOwn(cell) && cell.chosen!.evidence.length > 1);
    if (tuned.length < 2) return [];
    const learningRate = sharedRate(tuned.map(({ chosen }) => chosen!.evidence));
    const by = tuned.every(({ grid }) => grid.length > 1) ? "score" : "validation loss";
    const measured = (rateOf: (cell: Cell) => number) =>
      placesOf(tuned.map((cell) => measuredAt(cell, rateOf(cell), by)), by === "score");
    const own = measured((cell) => cell.chosen!.learningRate),
      shared = learningRate === null ? [] : measured(() => learningRate);
    const standings = tuned.map((cell, i) => ({ cell, own: own[i]!, shared: shared[i] ?? null }))
      .toSorted((a, b) => (a.own.place ?? Infinity) - (b.own.place ?? Infinity));
    return [{ task, rank, by, learningRate, standings }];
  });
}

function isOwn({ task, method, rank, chosen }: Cell): boolean {
  return chosen !== null && isFor(chosen, task, method, rank);
}

/** What a method came to at a rate: `[seed][example]`, one mean loss in place of examples. */
interface Measured {
  readonly learningRate: number;
  readonly runs: Cell["runs"];
  readonly losses: readonly number[];
}

function measuredAt(cell: Cell, learningRate: number, by: Ranking["by"]): Measured {
  const at = cell.grid.find((one) => one.learningRate === learningRate);
  const whole = at !== undefined && at.diverged.length === 0;
  return by === "score"
    ? { learningRate, runs: whole ? at.runs : [], losses: [] }
    : { learningRate, runs: [], losses: lossesAt(cell.chosen!.evidence, learningRate) };
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
  return measured.map((one, i): Place => ({
    learningRate: one.learningRate,
    value: values[i]!,
    place: places[i]!,
    seeds: byScore ? one.runs.length : one.losses.length,
    examples: byScore ? one.runs[0]?.outcome.scores.length ?? null : null,
  }));
}

/** Last validation losses by seed at a rate; none where a run diverged or the rate was not run. */
function lossesAt(grid: readonly RateEvidence[], learningRate: number): number[] {
  const losses = grid.find((one) => one.learningRate === learningRate)?.validationLosses ?? [];
  return losses.every((loss) => loss !== null) ? losses : [];
}

function lossAt(grid: readonly RateEvidence[], learningRate: number): number | null {
  const losses = lossesAt(grid, learningRate);
  return losses.length > 0 ? mean(losses) : null;
}
