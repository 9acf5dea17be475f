/** @file What a report found, in sentences: only numbers that are in its tables, and how much they weigh. */
import { mean, type Verdict } from "../statistics.ts";
import { formatCount, formatDifference, formatNumber } from "./format.ts";
import { baselines, type Pair } from "./pairs.ts";
import type { Cell, MethodLabel, Study } from "./report.ts";
import { stepRatio } from "./tables/costs.ts";
import { meanDiscrepancy } from "./tables/discrepancies.ts";

/** The answer, a sentence or two an entry. */
export function answer(study: Study, pairs: readonly Pair[]): string[] {
  if (study.cells.every((cell) => cell.runs.length === 0)) {
    return ["No run has finished: there is nothing to say yet."];
  }
  return [
    ...study.tasks.map((task) => scoresOf(study, task)),
    ...baselines.flatMap((id) => verdictsAgainst(study, pairs, id)),
    ...discrepancySentence(study),
    ...stepSentence(study),
    evidence(study, pairs),
  ].filter((sentence) => sentence !== "");
}

function scoresOf(study: Study, task: Study["tasks"][number]): string {
  const cells = study.cells.filter((cell) => cell.task === task && cell.runs.length > 0);
  if (cells.length === 0) return `${task.title}: no run has finished.`;
  const groups = [null, ...study.ranks].flatMap((rank) => {
    const own = cells.filter((cell) => cell.rank === rank);
    if (own.length === 0) return [];
    const scores = own.map((cell) => `${cell.method.label} ${formatNumber(scoreOf(cell))}`).join(", ");
    return [rank === null ? scores : `at rank ${rank}: ${scores}`];
  });
  const chance = task.chance === null ? "" : `, ${formatNumber(task.chance)} by chance`;
  return `${task.title} (${task.metric}${chance}): ${groups.join("; ")}.`;
}

function verdictsAgainst(study: Study, pairs: readonly Pair[], baseline: string): string[] {
  return study.methods.flatMap((method: MethodLabel) => {
    const own = pairs.filter((pair) =>
      pair.ours.method === method && pair.theirs.method.optimizer === baseline
    );
    if (own.length === 0) return [];
    const count = (verdict: Verdict) => own.filter((pair) => pair.comparison.verdict === verdict).length;
    const differences = own.map((pair) => pair.comparison.mean);
    const range = own.length === 1
      ? formatDifference(differences[0]!)
      : `${formatDifference(Math.min(...differences))} to ${formatDifference(Math.max(...differences))}`;
    return [
      `${method.label} against ${own[0]!.theirs.method.label}: better in ${count("better")}, tied in ${
        count("tie")
      }, ` +
      `worse in ${count("worse")} of ${formatCount(own.length, "comparison")} (differences ${range}).`,
    ];
  });
}

function discrepancySentence(study: Study): string[] {
  const parts = study.methods.flatMap((method) => {
    const found = study.cells.filter((cell) => cell.method === method).map(meanDiscrepancy)
      .filter((one) => one !== null && one.bound !== null);
    if (found.length === 0) return [];
    const error = mean(found.map((one) => one!.error)), bound = mean(found.map((one) => one!.bound!));
    return [`${method.label} ${formatNumber(error)} (bound ${formatNumber(bound)})`];
  });
  if (parts.length === 0) return [];
  return [`Mean distance of the equivalent gradient from the full one, ‖g̃ − G‖ / ‖G‖: ${parts.join(", ")}.`];
}

function stepSentence(study: Study): string[] {
  return study.methods.filter((method) => method.optimizer !== "lora").flatMap((method) => {
    const ratios = study.cells.filter((cell) => cell.method === method).map((cell) => stepRatio(study, cell))
      .filter((ratio) => ratio !== null);
    if (ratios.length === 0) return [];
    const low = Math.min(...ratios).toFixed(2), high = Math.max(...ratios).toFixed(2);
    return [
      `A step of ${method.label} takes ${
        low === high ? low : `${low} to ${high}`
      } times as long as one of LoRA.`,
    ];
  });
}

function evidence(study: Study, pairs: readonly Pair[]): string {
  const seeds = study.cells.map((cell) => cell.runs.length).filter((count) => count > 0);
  const fewest = Math.min(...seeds), most = Math.max(...seeds);
  const n = fewest === most ? `n = ${formatCount(fewest, "seed")}` : `n = ${fewest} to ${most} seeds`;
  const weight = most === 1
    ? "says nothing about other seeds"
    : most < 5
    ? "weak evidence about other seeds"
    : "some evidence about other seeds";
  const corrected = pairs.length > 1
    ? ` With ${pairs.length} comparisons at 95%, one in twenty would look like a difference where there is none.`
    : "";
  return `${n}: ${weight}.${corrected}`;
}

function scoreOf(cell: Cell): number {
  return mean(cell.runs.map((run) => run.outcome.score));
}
