/** @file What a report found, in sentences: only numbers that are in its tables, and how much they weigh. */
import { mean, type Verdict } from "../statistics.ts";
import { formatCount, formatDifference, formatNumber, formatRate } from "./format.ts";
import { baselinesOf, type Pair } from "./pairs.ts";
import type { Cell, MethodLabel, Study } from "./report.ts";
import { stepRatio } from "./tables/costs.ts";
import { meanDiscrepancy } from "./tables/discrepancies.ts";

/** The answer: the verdicts first, then what they weigh, then the numbers behind them. A paragraph an entry. */
export function answer(study: Study, pairs: readonly Pair[]): string[] {
  if (study.cells.every((cell) => cell.runs.length === 0)) {
    return ["No run has finished: there is nothing to say yet."];
  }
  return [
    ...baselinesOf(study).flatMap((method) => verdictsAgainst(study, pairs, method)),
    evidence(study, pairs),
    ...study.tasks.map((task) => scoresOf(study, task)),
    ...study.tasks.flatMap((task) => ratesOf(study, task)),
    ...discrepancySentence(study),
    ...stepSentence(study),
  ];
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

/**
 * What the methods of a tuning sweep come to at their own rates, the best first, and all at LoRA's: how much of a
 * difference is one of rates.
 */
function ratesOf(study: Study, task: Study["tasks"][number]): string[] {
  return (study.ranks.length > 0 ? study.ranks : [null]).flatMap((rank) => {
    const found = study.cells.flatMap((cell) => {
      if (cell.task !== task || (cell.rank !== null && cell.rank !== rank) || cell.grid.length < 2) return [];
      const losses = new Map(cell.grid.flatMap(({ peak, runs, diverged }) => {
        const last = runs.flatMap((run) => run.outcome.validationLoss.at(-1)?.value ?? []);
        return last.length > 0 && diverged.length === 0 ? [[peak, mean(last)] as const] : [];
      }));
      return losses.has(cell.peak) ? [{ cell, losses }] : [];
    });
    if (found.length < 2) return [];
    const list = (rateOf: (cell: Cell) => number, ending: (rate: number) => string) =>
      found.flatMap(({ cell, losses }) => {
        const rate = rateOf(cell), loss = losses.get(rate);
        return loss === undefined
          ? []
          : [{ loss, text: `${cell.method.label} ${formatNumber(loss)}${ending(rate)}` }];
      }).toSorted((a, b) => a.loss - b.loss).map(({ text }) => text).join(", ");
    const at = `${task.title}${rank === null ? "" : ` at rank ${rank}`}`;
    const lora = found.find(({ cell }) => cell.method.optimizer === "lora")?.cell;
    return [
      `Validation loss on ${at}, each method at its own rate: ${
        list(({ peak }) => peak, (rate) => ` (${formatRate(rate)})`)
      }.`,
      ...lora
        ? [
          `All at the rate of ${lora.method.label}, ${formatRate(lora.peak)}: ${
            list(() => lora.peak, () => "")
          }.`,
        ]
        : [],
    ];
  });
}

function verdictsAgainst(study: Study, pairs: readonly Pair[], baseline: MethodLabel): string[] {
  const against = pairs.filter((pair) => pair.theirs.method === baseline);
  const parts = study.methods.flatMap((method) => {
    const own = against.filter((pair) => pair.ours.method === method);
    if (own.length === 0) return [];
    const count = (verdict: Verdict) => own.filter((pair) => pair.comparison.verdict === verdict).length;
    const counts = [["better", count("better")], ["tied", count("tie")], ["worse", count("worse")]] as const;
    const verdicts = counts.filter(([, n]) => n > 0).map(([name, n]) => `${name} in ${n}`).join(", ");
    const differences = own.map((pair) => pair.comparison.mean);
    return [
      `${method.label} ${verdicts} of ${own.length} (difference ${
        formatRange(differences, formatDifference)
      })`,
    ];
  });
  const [first] = against;
  return first ? [`Against ${first.theirs.method.label}: ${parts.join("; ")}.`] : [];
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
  const parts = study.methods.filter((method) => method.optimizer !== "lora").flatMap((method) => {
    const ratios = study.cells.filter((cell) => cell.method === method).map((cell) => stepRatio(study, cell))
      .filter((ratio) => ratio !== null);
    return ratios.length > 0 ? [`${method.label} ${formatRange(ratios, (ratio) => ratio.toFixed(2))}`] : [];
  });
  return parts.length > 0 ? [`Time of a step over that of LoRA: ${parts.join(", ")}.`] : [];
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
    ? ` Of ${pairs.length} comparisons at 95%, one in twenty may look like a difference where there is none.`
    : "";
  return `${n}: ${weight}.${corrected}`;
}

function scoreOf(cell: Cell): number {
  return mean(cell.runs.map((run) => run.outcome.score));
}

function formatRange(values: readonly number[], write: (value: number) => string): string {
  const low = write(Math.min(...values)), high = write(Math.max(...values));
  return low === high ? low : `${low} to ${high}`;
}
