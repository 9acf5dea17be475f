/** @file Whether runs that were made again found what somebody's stored ones say. Pure. */
import { createRandom } from "../../../numerics/random.ts";
import type { Registries } from "../../../training/configuration.ts";
import type { Environment, RunResult } from "../../../training/run.ts";
import { compareSweeps } from "./against.ts";
import { namer } from "./names.ts";
import { formatCount, formatNumber, formatSignificant } from "../format.ts";
import type { Table } from "../table.ts";
import { differenceOf } from "../../study/differences.ts";

/** Steps over which another adapter's losses have to agree: later, rounding grows as it may. */
export const FIRST_STEPS = 20;

/** The largest difference of two training losses of one of these steps that rounding explains, as a share of the loss. */
export const TOLERANCE = 2e-5;

/** A stored run, and the same config made again. */
export interface RunAgain {
  readonly stored: RunResult;
  readonly again: RunResult;
}

/** What a check of stored runs came to. */
export interface Verified {
  /**
   * "bit for bit" where every run found the same, "within rounding" where some did so on another adapter as far as rounding
   * allows, "no" where one did not.
   */
  readonly confirmed: "bit for bit" | "within rounding" | "no";
  /** For people. */
  readonly sentence: string;
  /** Runs that differ at all; without rows where none does. */
  readonly table: Table;
}

/**
 * Draws runs to make again, every one as likely as any other, in the order in which they are stored. Runs that failed by a
 * fault of ours found nothing that could be checked.
 *
 * @param count Infinity for all
 */
export function sampleOf(stored: readonly RunResult[], count: number, seed: number): readonly RunResult[] {
  const finished = stored.filter(({ status }) => status !== "failed").toSorted((a, b) =>
    a.id < b.id ? -1 : 1
  );
  const places = [...createRandom(seed).fork("verify").uniform(finished.length, 0, 1)]
    .map((draw, at) => ({ draw, at })).sort((a, b) => a.draw - b.draw).slice(0, count);
  const drawn = new Set(places.map(({ at }) => finished[at]!));
  return stored.filter((run) => drawn.has(run));
}

/**
 * Holds runs against the stored ones. On an equal adapter and backend every loss, score and measurement has to be equal bit
 * for bit. On another one the training losses of the first 20 steps have to agree within rounding, and no comparison of
 * scores may tell the two apart.
 */
export function verify(runs: readonly RunAgain[], registries: Registries): Verified {
  const name = namer(runs.flatMap(({ stored, again }) => [stored, again]), registries);
  const judged = runs.map((run) => ({ ...run, ...judge(run) }));
  const differing = judged.filter(({ found }) => found !== "the same");
  const scoresDiffer = tellsApart(judged.filter(({ found }) => found === "within rounding"), registries);
  const refuted = judged.filter(({ found }) => found === "something else");
  const adapters = [...new Set(runs.map(({ again }) => adapterOf(again.environment)))].join(", ");
  const table: Table = {
    title: "Runs that differ",
    note: "Scores as they are stored, and as they were found here.",
    columns: [
      "Task",
      "Rank",
      "Method",
      "Learning rate",
      "Seed",
      "Differs in",
      "Largest, first 20 steps",
      "Stored",
      "Here",
    ],
    rows: differing.map(({ stored, again, what, gap }) => [
      ...name.row(stored.config),
      String(stored.config.seed),
      what,
      gap === null ? "—" : formatSignificant(gap),
      scoreOf(stored),
      scoreOf(again),
    ]),
  };
  const all = `${formatCount(runs.length, "run")}`;
  if (refuted.length > 0) {
    return {
      confirmed: "no",
      sentence: `Not confirmed: ${refuted.length} of ${all} found something else on ${adapters}`,
      table,
    };
  }
  if (scoresDiffer) {
    return {
      confirmed: "no",
      sentence:
        `Not confirmed: the losses of ${all} agree within rounding at first, but the scores on ${adapters} differ by more ` +
        "than the examples explain",
      table,
    };
  }
  if (differing.length > 0) {
    const [first] = differing;
    return {
      confirmed: "within rounding",
      sentence:
        `Confirmed within rounding: ${all} on ${adapters}, stored from ${
          adapterOf(first!.stored.environment)
        }; losses ` +
        `agree within ${TOLERANCE} of themselves over ${FIRST_STEPS} steps, and no comparison of scores tells the two apart`,
      table,
    };
  }
  return {
    confirmed: "bit for bit",
    sentence: `Confirmed: ${all} found the same, bit for bit, on ${adapters}`,
    table,
  };
}

function judge({ stored, again }: RunAgain): {
  readonly found: "the same" | "within rounding" | "something else";
  readonly what: string;
  /** Of the first steps' training losses, as a share; null where there are none to compare. */
  readonly gap: number | null;
} {
  if (again.status === "failed") {
    return { found: "something else", what: `it failed: ${again.error}`, gap: null };
  }
  const { what } = differenceOf(again, stored), gap = gapOf(stored, again);
  if (what.length === 0) return { found: "the same", what: "", gap };
  const isSameAdapter = adapterOf(stored.environment) === adapterOf(again.environment);
  const isNear = again.status === stored.status && gap !== null && gap <= TOLERANCE;
  return {
    found: !isSameAdapter && isNear ? "within rounding" : "something else",
    what: what.join(", "),
    gap,
  };
}

/** The largest difference of two training losses of the first steps, as a share of the stored one. */
function gapOf(stored: RunResult, again: RunResult): number | null {
  const lossesOf = (run: RunResult) =>
    run.status === "done" ? run.outcome.trainLoss : run.status === "diverged" ? run.trainLoss : [];
  const there = new Map(lossesOf(stored).map(({ step, value }) => [step, value]));
  const gaps = lossesOf(again).flatMap(({ step, value }) => {
    const other = there.get(step);
    return step > FIRST_STEPS || other === undefined ? [] : [Math.abs(value - other) / Math.abs(other)];
  });
  return gaps.length > 0 ? Math.max(...gaps) : null;
}

function tellsApart(runs: readonly RunAgain[], registries: Registries): boolean {
  const side = (results: readonly RunResult[]) => ({ plan: null, results, bases: [], faults: [] });
  const here = side(runs.map(({ again }) => again)), there = side(runs.map(({ stored }) => stored));
  return runs.length > 0 && compareSweeps(here, there, registries).verdict === "different";
}

function adapterOf({ adapter, backend }: Environment): string {
  return `${adapter} (${backend})`;
}

function scoreOf(run: RunResult): string {
  return run.status === "done" ? formatNumber(run.outcome.score) : run.status;
}
