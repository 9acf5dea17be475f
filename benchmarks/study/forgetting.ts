/** @file What runs forgot of their base checkpoint's pretraining, told at equal score. */
import { FEWEST_SEEDS } from "../statistics/comparison.ts";
import { type Interval, mean, studentInterval } from "../statistics/statistics.ts";
import type { Cell, DoneRun, Study } from "./study.ts";

/** What a method forgot on a task at a rank, at the rate that speaks for it. */
export interface Forgot {
  readonly cell: Cell;
  /** The corpus's id. */
  readonly corpus: string;
  /** Loss of the base checkpoint on the pretraining examples, in nats a target. */
  readonly before: number;
  /** Mean rise over seeds. */
  readonly rise: number;
  /** For new seeds: Student's t at 95%. Null with one seed. */
  readonly interval: Interval | null;
  readonly seeds: number;
  /** Against the first variant of LoRA at the same rank, or at the only one; null where that can't be told. */
  readonly atEqualScore: EqualScore | null;
}

/** Two methods at one score: what each reaches by its own learning rates. */
export interface EqualScore {
  /** The score, mean over seeds: of each seed the lower of the two methods' best ones. */
  readonly score: number;
  /** Mean rise of the loss at that score. */
  readonly ours: number;
  readonly theirs: number;
  /** Ours less theirs, mean over seeds. */
  readonly difference: number;
  /** For new seeds: Student's t at 95%. Null with one seed. */
  readonly interval: Interval | null;
  readonly seeds: number;
  /**
   * Whether ours forgets less or more than theirs: corrected for all comparisons of the task (Bonferroni), so that at most one
   * task in twenty shows a difference where there is none. Null with fewer than `FEWEST_SEEDS`.
   */
  readonly verdict: "less" | "more" | "undecided" | null;
}

/** How much the loss on pretraining examples rose in a run, in nats a target; null where nobody knows. */
export function riseOf({ outcome: { forgetting } }: DoneRun): number | null {
  return forgetting === undefined || forgetting.after === null ? null : forgetting.after - forgetting.before;
}

/** Every cell of which it is known, in the study's order. */
export function forgotten(study: Study): Forgot[] {
  const lora = study.methods.find(({ optimizer }) => optimizer === "lora");
  const families = new Map<Cell["task"], number>();
  const found = study.cells.flatMap((cell) => {
    const known = cell.runs.flatMap((run) => riseOf(run) ?? []), first = cell.runs[0]?.outcome.forgetting;
    if (known.length === 0 || !first) return [];
    const beside = study.cells.filter(({ method, task }) => method === lora && task === cell.task);
    const theirs = beside.find(({ rank }) => rank === cell.rank) ??
      (beside.length === 1 ? beside[0] : undefined);
    const differences = theirs && theirs !== cell ? differencesAtEqualScore(cell, theirs) : [];
    if (differences.length > 0) families.set(cell.task, (families.get(cell.task) ?? 0) + 1);
    return [{
      cell,
      corpus: first.corpus,
      before: first.before,
      rise: mean(known),
      interval: studentInterval(known),
      seeds: known.length,
      differences,
    }];
  });
  return found.map(({ differences, ...forgot }) => ({
    ...forgot,
    atEqualScore: differences.length > 0 ? summarize(differences, families.get(forgot.cell.task)!) : null,
  }));
}

/** A run as a point of its method's front. */
interface Trade {
  readonly score: number;
  readonly rise: number;
}

/** Two methods at one score on one seed. */
interface SeedAtEqualScore {
  readonly score: number;
  readonly ours: number;
  readonly theirs: number;
}

/**
 * Compares two methods that ran at two rates or more, seed by seed, at the lower of their two best scores: peaks of unequal
 * height would say nothing of what a score costs. None where no seed has finished runs of both.
 */
function differencesAtEqualScore(ours: Cell, theirs: Cell): SeedAtEqualScore[] {
  if (ours.grid.length < 2 || theirs.grid.length < 2) return [];
  return seedsOf(ours).flatMap((seed) => {
    const [a, b] = [frontOf(ours, seed), frontOf(theirs, seed)];
    if (a.length === 0 || b.length === 0) return [];
    const score = Math.min(a.at(-1)!.score, b.at(-1)!.score);
    return [{ score, ours: riseAt(a, score), theirs: riseAt(b, score) }];
  });
}

function summarize(pairs: readonly SeedAtEqualScore[], family: number): EqualScore {
  const differences = pairs.map(({ ours, theirs }) => ours - theirs);
  const certain = pairs.length < FEWEST_SEEDS ? null : studentInterval(differences, 1 - 0.05 / family);
  return {
    score: mean(pairs.map(({ score }) => score)),
    ours: mean(pairs.map(({ ours }) => ours)),
    theirs: mean(pairs.map(({ theirs }) => theirs)),
    difference: mean(differences),
    interval: studentInterval(differences),
    seeds: pairs.length,
    verdict: certain && (certain.high < 0 ? "less" : certain.low > 0 ? "more" : "undecided"),
  };
}

function seedsOf({ grid }: Cell): number[] {
  return [...new Set(grid.flatMap(({ runs }) => runs.map(({ config }) => config.seed)))];
}

/** A seed's runs at which no other rate scores as high and forgets as little, by score. */
function frontOf({ grid }: Cell, seed: number): Trade[] {
  const all = grid.flatMap(({ runs }) => runs.filter(({ config }) => config.seed === seed)).flatMap(
    (run): Trade[] => {
      const rise = riseOf(run);
      return rise === null ? [] : [{ score: run.outcome.score, rise }];
    },
  ).sort((a, b) => a.rise - b.rise || b.score - a.score);
  const front: Trade[] = [];
  for (const one of all) if (one.score > (front.at(-1)?.score ?? -1)) front.push(one);
  return front;
}

/** What a front forgets at a score that it reaches: between two rates, on the straight line between them. */
function riseAt(front: readonly Trade[], score: number): number {
  const above = front.findIndex((one) => one.score >= score), high = front[above]!, low = front[above - 1];
  if (!low) return high.rise;
  return low.rise + (high.rise - low.rise) * (score - low.score) / (high.score - low.score);
}
