/** @file Where a comparison stands: its pairs, judged by score, by loss, and by how soon a loss is reached. */
import type { Point, RunResult } from "../../training/run.ts";
import { median } from "../statistics/statistics.ts";
import {
  type Criterion,
  judgePairs,
  nextLook,
  type Pair,
  pairOf,
  pairsToGo,
  type Settled,
} from "../statistics/sequential.ts";
import type { Cell, Comparison, Question } from "./question.ts";

/** How soon a method's validation loss reaches the other's last one. */
export interface Speed {
  /** Median over pairs of the share of its steps; Infinity where most pairs never reach it. */
  readonly steps: number;
  /** The same of its FLOPs beside those of the other's whole run; null where nobody knows. */
  readonly flops: number | null;
  /** Pairs that reach it. */
  readonly reached: number;
  readonly pairs: number;
}

/** A pair's run that counts as guessing. */
export interface Diverged {
  /** 0 of the first method, 1 of the other. */
  readonly side: 0 | 1;
  readonly seed: number;
}

/** Where a comparison stands. */
export interface Standing {
  /** How much more the first scores. It alone says when the question is settled. */
  readonly score: Settled;
  /** About how many pairs more decide it; null where none of the plan do. */
  readonly more: number | null;
  /** How much lower the logarithm of the first's test loss is; null where it was not taken. */
  readonly loss: Settled | null;
  /** How much shorter the logarithm of the first's step is; null where it was not measured. */
  readonly time: Settled | null;
  readonly speed: Speed | null;
  /** Pairs that both have run. */
  readonly pairs: number;
  /** Of each pair that `score` is told from. */
  readonly scores: readonly (readonly [number, number])[];
  readonly diverged: readonly Diverged[];
  /** Seeds of pairs that lie far from the others. */
  readonly outliers: readonly number[];
}

/** A comparison and where it stands. */
export interface Judged {
  readonly cell: Cell;
  readonly comparison: Comparison;
  readonly standing: Standing;
}

/** Both results of each pair, in the order of the plan. */
export type Results = readonly (readonly [RunResult, RunResult])[];

/** A pair is called an outlier from so many times the median distance from the median on (a normal one: 0.3 %). */
const FAR = 4.45;

/** Losses below it are as good as none: the logarithm needs one. */
const LEAST_LOSS = 1e-12;

/**
 * Judges a comparison of a cell.
 *
 * @param results pairs that have run, from the first without a gap
 * @param flops of a step, of both; null where nobody knows
 */
export function standingOf(
  results: Results,
  cell: Pick<Cell, "chance" | "comparisons">,
  question: Pick<Question, "margin" | "atLeast">,
  flops: readonly [number, number] | null = null,
): Standing {
  const criterion = criterionOf(cell, question);
  const { chance } = cell, scoresOf = (result: RunResult) => scoresAs(result, chance.score);
  const score = judgePairs(
    results.map(([ours, theirs]) => pairOf([scoresOf(ours), scoresOf(theirs)], othersOf(ours, theirs))),
    criterion,
  );
  const told = results.slice(0, score.pairs);
  const scores = told.map(([ours, theirs]) => [meanOf(scoresOf(ours)), meanOf(scoresOf(theirs))] as const);
  return {
    score,
    more: pairsToGo(score, criterion),
    loss: judgeLoss(results, chance.loss, criterion),
    time: judgeTimes(results, criterion),
    speed: speedOf(told, flops),
    pairs: results.length,
    scores,
    diverged: told.flatMap((pair) =>
      pair.flatMap((result, side) =>
        result.status === "diverged" ? [{ side: side as 0 | 1, seed: result.config.seed }] : []
      )
    ),
    outliers: farOnes(scores.map(([ours, theirs]) => ours - theirs)).map((i) => told[i]![0].config.seed),
  };
}

/** What a question asks of the pairs of a cell's comparisons. */
export function criterionOf(
  { comparisons }: Pick<Cell, "comparisons">,
  { margin, atLeast }: Pick<Question, "margin" | "atLeast">,
): Criterion {
  return { margin, comparisons: comparisons.length, atLeast };
}

/** The planned number of pairs after which a comparison is judged next; null where it is decided, or after the last. */
export function nextOf(
  { score, pairs }: Standing,
  { atLeast, atMost }: Pick<Question, "atLeast" | "atMost">,
): number | null {
  const next = score.verdict === "undecided" ? nextLook(pairs, atLeast) : null;
  return next === null || next > atMost ? null : next;
}

/** As many scores as a run has examples; those of guessing where it diverged. */
function scoresAs(result: RunResult, chance: number): readonly number[] {
  return result.status === "done"
    ? result.outcome.scores
    : new Array<number>(result.config.task.testExamples).fill(chance);
}

/** All else that two runs of the same method would agree in. */
function othersOf(ours: RunResult, theirs: RunResult): (readonly [number | null, number | null])[] {
  if (ours.status !== "done" || theirs.status !== "done") return [[ours.status === theirs.status ? 0 : 1, 0]];
  const [a, b] = [ours.outcome, theirs.outcome];
  const points = (some: readonly Point[], others: readonly Point[]) =>
    Array.from(
      { length: Math.max(some.length, others.length) },
      (_, i) => [some[i]?.value ?? null, others[i]?.value ?? null] as const,
    );
  return [
    [a.testLoss, b.testLoss],
    ...points(a.trainLoss, b.trainLoss),
    ...points(a.validationLoss, b.validationLoss),
  ];
}

function judgeLoss(results: Results, chance: number, criterion: Criterion): Settled | null {
  const logOf = (result: RunResult) =>
    result.status === "done"
      ? result.outcome.testLoss === null ? null : Math.log(Math.max(LEAST_LOSS, result.outcome.testLoss))
      : Math.log(chance);
  const pairs: Pair[] = [];
  for (const [ours, theirs] of results) {
    const [mine, other] = [logOf(ours), logOf(theirs)];
    if (mine === null || other === null) return null;
    const identical = mine === other && othersOf(ours, theirs).every(([a, b]) => a === b);
    pairs.push({ difference: other - mine, examples: 0, squares: 0, identical });
  }
  // The same share of a loss is as little as that share of a score.
  return judgePairs(pairs, { ...criterion, margin: Math.log1p(criterion.margin) });
}

/** Milliseconds of a step: a difference of its logarithms is a share of it, as of losses. */
function judgeTimes(results: Results, criterion: Criterion): Settled | null {
  const pairs: Pair[] = [];
  for (const pair of results) {
    const [mine, other] = pair.map((one) => one.status === "done" ? one.outcome.cost.medianStepMs : null);
    if (!mine || !other) return null;
    pairs.push({ difference: Math.log(other / mine), examples: 0, squares: 0, identical: false });
  }
  return judgePairs(pairs, { ...criterion, margin: Math.log1p(criterion.margin) });
}

function speedOf(results: Results, flops: readonly [number, number] | null): Speed | null {
  const shares = results.flatMap(([ours, theirs]) => {
    const wanted = theirs.status === "done" ? theirs.outcome.validationLoss.at(-1)?.value : undefined;
    if (wanted === undefined) return [];
    return [
      ours.status === "done"
        ? stepReaching(ours.outcome.validationLoss, wanted) / ours.config.steps
        : Infinity,
    ];
  });
  if (shares.length === 0) return null;
  const steps = median(shares), [first] = results;
  const relative = flops &&
    (flops[0] * first![0].config.steps) / (flops[1] * first![1].config.steps);
  return {
    steps,
    flops: relative === null ? null : steps * relative,
    reached: shares.filter((share) => share < Infinity).length,
    pairs: shares.length,
  };
}

/** The step at which a curve first is as low as a loss, on lines from point to point; Infinity where it never is. */
export function stepReaching(curve: readonly Point[], loss: number): number {
  const at = curve.findIndex(({ value }) => value <= loss);
  if (at <= 0) return at === 0 ? curve[0]!.step : Infinity;
  const [before, after] = [curve[at - 1]!, curve[at]!];
  const share = (before.value - loss) / (before.value - after.value);
  return before.step + share * (after.step - before.step);
}

/** Indices of values far from the others. */
function farOnes(values: readonly number[]): number[] {
  if (values.length < 4) return [];
  const center = median(values), distance = median(values.map((value) => Math.abs(value - center)));
  return [...values.keys()].filter((i) => Math.abs(values[i]! - center) > FAR * distance && distance > 0);
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
