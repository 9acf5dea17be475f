/** @file How well each method's equivalent gradient follows the full gradient, and what its steps are made of. */
import { WEIGHT_KINDS, type WeightKind, weightKindOf } from "../../../models/weight_kind.ts";
import type { Discrepancy } from "../../../training/run.ts";
import { mean } from "../../statistics/statistics.ts";
import { formatCounts, formatNumber, formatRank, formatSignificant } from "../format.ts";
import type { Cell, Study } from "../../study/study.ts";
import type { Table } from "../table.ts";

/** A cell's measurements, averaged over target modules, steps and seeds; null where nothing was measured. */
export function meanDiscrepancy(
  cell: Cell,
):
  | {
    readonly error: number;
    readonly bound: number | null;
    readonly cosine: number;
    readonly update: number;
    readonly secondOrder: number | null;
    /** At the last measured step. */
    readonly effectiveRank: number | null;
  }
  | null {
  const found = measurementsOf(cell);
  if (found.length === 0) return null;
  const last = Math.max(...found.map(({ step }) => step));
  return {
    error: mean(found.map((one) => one.gradientError)),
    bound: meanOf(found, (one) => one.lowerBound),
    cosine: mean(found.map((one) => one.gradientCosine)),
    update: mean(found.map((one) => one.updateCosine)),
    secondOrder: meanOf(found, (one) => one.secondOrderShare),
    effectiveRank: meanOf(found.filter(({ step }) => step === last), (one) => one.effectiveRank),
  };
}

/** Mean discrepancies; null where no run measured any. */
export function discrepanciesTable(study: Study): Table | null {
  const rows = study.cells.flatMap((cell) => {
    const found = meanDiscrepancy(cell);
    return found === null ? [] : [[
      cell.task.title,
      formatRank(cell.rank),
      cell.method.label,
      formatNumber(found.error),
      found.bound === null ? "—" : formatNumber(found.bound),
      formatNumber(found.cosine),
      formatNumber(found.update),
      found.secondOrder === null ? "—" : formatShare(found.secondOrder),
      found.effectiveRank === null ? "—" : found.effectiveRank.toFixed(1),
    ]];
  });
  if (rows.length === 0) return null;
  return {
    title: "Gradient discrepancy",
    note:
      "Means over target modules, measured steps and seeds. G is the full gradient, g̃ the method's equivalent gradient; the " +
      "bound is the least that any low-rank step from the same factors could reach. The distance grows with the scale " +
      "of g̃, the cosines don't. What follows is about what the steps did to the weights, moments and all: cos(step, G); " +
      "‖s dB dA‖ / ‖s (B dA + dB A)‖, the share that is second order; and the effective rank of all steps together, at the " +
      `last one that was measured: exp of the entropy of the singular values of the change (Roy and Vetterli, 2007). ${
        describeMeasurements(study)
      }`,
    columns: [
      "Task",
      "Rank",
      "Method",
      "‖g̃ − G‖ / ‖G‖",
      "lower bound",
      "cos(g̃, G)",
      "cos(step, G)",
      "second order",
      "effective rank",
    ],
    rows,
  };
}

/** Mean discrepancies of each kind of weight; null where no run measured any whose kind is known. */
export function kindsTable(study: Study): Table | null {
  const kinds = WEIGHT_KINDS.filter((kind) =>
    study.cells.some((cell) =>
      measurementsOf(cell).some(({ targetModule }) => weightKindOf(targetModule) === kind)
    )
  );
  if (kinds.length === 0) return null;
  return {
    title: "Gradient discrepancy by kind of weight",
    note:
      "‖g̃ − G‖ / ‖G‖ as in the table before, of an attention's queries, keys, values and output, and of the feed-forward " +
      "part; its lower bound in brackets. " + describeMeasurements(study),
    columns: ["Task", "Rank", "Method", ...kinds],
    rows: study.cells.filter((cell) => measurementsOf(cell).length > 0).map((cell) => [
      cell.task.title,
      formatRank(cell.rank),
      cell.method.label,
      ...kinds.map((kind) => formatKind(cell, kind)),
    ]),
  };
}

/** "n = 2 seeds, 160 measurements of a method." */
function describeMeasurements(study: Study): string {
  const cells = study.cells.filter((cell) => measurementsOf(cell).length > 0);
  const seeds = formatCounts(cells.map(({ runs }) => runs.length), "seed");
  return `n = ${seeds}, ${
    formatCounts(cells.map((cell) => measurementsOf(cell).length), "measurement")
  } a method.`;
}

function formatKind(cell: Cell, kind: WeightKind): string {
  const found = measurementsOf(cell).filter(({ targetModule }) => weightKindOf(targetModule) === kind);
  if (found.length === 0) return "—";
  const bound = meanOf(found, (one) => one.lowerBound);
  const error = formatNumber(mean(found.map((one) => one.gradientError)));
  return bound === null ? error : `${error} (${formatNumber(bound)})`;
}

function measurementsOf(cell: Cell): Discrepancy[] {
  return cell.runs.flatMap((run) => run.outcome.discrepancies);
}

/** Mean of the numbers that are there; null where none is. */
function meanOf(
  found: readonly Discrepancy[],
  read: (one: Discrepancy) => number | null | undefined,
): number | null {
  const numbers = found.map(read).filter((value) => value !== null && value !== undefined);
  return numbers.length > 0 ? mean(numbers) : null;
}

/** "0.0123"; "0" where there is nothing. */
function formatShare(share: number): string {
  return share === 0 ? "0" : formatSignificant(share);
}
