/** @file How well each method's equivalent gradient follows the full gradient. */
import { mean } from "../../statistics.ts";
import { formatNumber, formatRank } from "../format.ts";
import type { Cell, Study, Table } from "../report.ts";

/** A cell's measurements, averaged over sites, steps and seeds; null where nothing was measured. */
export function meanDiscrepancy(
  cell: Cell,
):
  | {
    readonly error: number;
    readonly bound: number | null;
    readonly cosine: number;
    readonly update: number;
  }
  | null {
  const found = cell.runs.flatMap((run) => run.outcome.discrepancies);
  if (found.length === 0) return null;
  const bounds = found.map((one) => one.lowerBound).filter((bound) => bound !== null);
  return {
    error: mean(found.map((one) => one.gradientError)),
    bound: bounds.length > 0 ? mean(bounds) : null,
    cosine: mean(found.map((one) => one.gradientCosine)),
    update: mean(found.map((one) => one.updateCosine)),
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
    ]];
  });
  if (rows.length === 0) return null;
  return {
    title: "Gradient discrepancy",
    note:
      "Means over sites, measured steps and seeds. G is the full gradient, g̃ the method's equivalent gradient; the " +
      "bound is the least that any low-rank step from the same factors could reach. The distance grows with the scale " +
      "of g̃, the cosines don't. The last column is about what the step did to the weights, moments and all.",
    columns: ["Task", "Rank", "Method", "‖g̃ − G‖ / ‖G‖", "lower bound", "cos(g̃, G)", "cos(step, G)"],
    rows,
  };
}
