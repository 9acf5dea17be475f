/** @file What differs between two outcomes of one config, bit for bit, and from which step on. */
import { canonicalJson } from "../../files/canonical_json.ts";
import type { Point, RunResult } from "../../training/run.ts";
import type { DoneRun } from "./study.ts";

/** How two outcomes differ. Times are left out: no two runs have the same. */
export interface RunDifference {
  /** What of the findings differs, e.g. "scores"; empty where all is equal, bit for bit. */
  readonly what: readonly string[];
  /** Where the losses part; null where they don't. Step 0 is before the first one. */
  readonly first: { readonly curve: "training loss" | "validation loss"; readonly step: number } | null;
  /** Largest difference of two losses of one step; null where no step has both. */
  readonly largestLoss: number | null;
}

type Discrepancy = DoneRun["outcome"]["discrepancies"][number];

/**
 * Compares two outcomes. What one of the two did not measure, being older, is no difference.
 *
 * @throws {RangeError} where one of the runs failed: it has no outcome
 */
export function differenceOf(here: RunResult, there: RunResult): RunDifference {
  if (here.status === "failed" || there.status === "failed") {
    throw new RangeError(`Cannot compare run ${here.id}: it failed`);
  }
  const ours = curvesOf(here), theirs = curvesOf(there);
  const both = here.status === "done" && there.status === "done";
  const training = firstDifference(ours.training, theirs.training);
  // A run that diverged has kept no validation loss.
  const validation = both ? firstDifference(ours.validation, theirs.validation) : null;
  const what = [
    ...here.status === there.status ? [] : [`${here.status}, there ${there.status}`],
    ...here.status === "diverged" && there.status === "diverged" && here.step !== there.step
      ? ["the step that it diverged at"]
      : [],
    ...training === null ? [] : ["training loss"],
    ...validation === null ? [] : ["validation loss"],
    ...both ? findingsThatDiffer(here.outcome, there.outcome) : [],
  ];
  // A validation loss is taken after its step, so a training loss of the same step comes first.
  const first = training !== null && (validation === null || training <= validation)
    ? { curve: "training loss" as const, step: training }
    : validation !== null
    ? { curve: "validation loss" as const, step: validation }
    : null;
  const gaps = [gapOf(ours.training, theirs.training), gapOf(ours.validation, theirs.validation)]
    .filter((gap) => gap !== null);
  return { what, first, largestLoss: gaps.length > 0 ? Math.max(...gaps) : null };
}

function curvesOf(result: RunResult): Readonly<Record<"training" | "validation", readonly Point[]>> {
  if (result.status === "done") {
    return { training: result.outcome.trainLoss, validation: result.outcome.validationLoss };
  }
  return { training: result.status === "diverged" ? result.trainLoss : [], validation: [] };
}

function findingsThatDiffer(here: DoneRun["outcome"], there: DoneRun["outcome"]): string[] {
  const measures = common(here.measures ?? {}, there.measures ?? {});
  const same = (one: unknown, other: unknown) => canonicalJson(one) === canonicalJson(other);
  const measured = here.measures !== undefined && there.measures !== undefined;
  return [
    ...same(here.scores, there.scores) ? [] : ["scores"],
    ...here.forgetting && there.forgetting && !same(here.forgetting, there.forgetting) ? ["forgetting"] : [],
    ...here.changes && there.changes && !same(here.changes, there.changes) ? ["changes of weights"] : [],
    ...measured ? measures.flatMap(([name, one, other]) => same(one, other) ? [] : [`"${name}"`]) : [],
    ...sameDiscrepancies(here.discrepancies, there.discrepancies) ? [] : ["telemetry"],
    ...same(here.inspected, there.inspected) ? [] : ["inspected curves"],
  ];
}

function sameDiscrepancies(here: readonly Discrepancy[], there: readonly Discrepancy[]): boolean {
  return here.length === there.length &&
    here.every((one, i) => common(one, there[i]!).every(([, mine, other]) => Object.is(mine, other)));
}

/** Entries that both have. */
function common<T extends object>(here: T, there: T): [string, unknown, unknown][] {
  const theirs = new Map<string, unknown>(Object.entries(there));
  return Object.entries(here).flatMap(([name, value]): [string, unknown, unknown][] =>
    theirs.has(name) ? [[name, value, theirs.get(name)]] : []
  );
}

/** The first step at which two curves differ, or that one of them lacks; null where they are equal. */
function firstDifference(here: readonly Point[], there: readonly Point[]): number | null {
  const ours = new Map(here.map(({ step, value }) => [step, value]));
  const theirs = new Map(there.map(({ step, value }) => [step, value]));
  const steps = [...new Set([...ours.keys(), ...theirs.keys()])].sort((a, b) => a - b);
  return steps.find((step) => !Object.is(ours.get(step), theirs.get(step))) ?? null;
}

function gapOf(here: readonly Point[], there: readonly Point[]): number | null {
  const theirs = new Map(there.map(({ step, value }) => [step, value]));
  const gaps = here.flatMap(({ step, value }) =>
    theirs.has(step) ? [Math.abs(value - theirs.get(step)!)] : []
  );
  return gaps.length > 0 ? gaps.reduce((most, gap) => Math.max(most, gap), 0) : null;
}
