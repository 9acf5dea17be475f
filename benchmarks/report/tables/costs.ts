/** @file What each method costs in memory and time. */
import { median } from "../../statistics.ts";
import { formatBytes, formatRank } from "../format.ts";
import type { Cell, Study, Table } from "../report.ts";

/** Memory and time of all methods, and the time of a step over that of LoRA. */
export function costsTable(study: Study): Table {
  return {
    title: "Costs",
    note:
      "Medians over seeds. State is what the method keeps between steps besides the trained parameters; peak is the " +
      "most that was alive on the GPU at once. The host's part of a step is making the batch and recording it. The last column is the step's time over LoRA's at the same task and rank.",
    columns: [
      "Task",
      "Rank",
      "Method",
      "Trained parameters",
      "State",
      "Peak",
      "Attach, ms",
      "Step, ms",
      "Of it host, ms",
      "Step / LoRA's",
    ],
    rows: study.cells.filter((cell) => cell.runs.length > 0).map((cell) => {
      const costs = cell.runs.map((run) => run.outcome.cost);
      const ratio = stepRatio(study, cell);
      return [
        cell.task.title,
        formatRank(cell.rank),
        cell.method.label,
        String(median(costs.map((cost) => cost.trainableParameters))),
        formatBytes(median(costs.map((cost) => cost.stateBytes))),
        formatBytes(median(costs.map((cost) => cost.peakBytes))),
        median(costs.map((cost) => cost.attachMs)).toFixed(0),
        stepMs(cell).toFixed(1),
        median(costs.map((cost) => cost.medianHostMs)).toFixed(1),
        ratio === null ? "—" : ratio.toFixed(2),
      ];
    }),
  };
}

/** A method's median step time over LoRA's at the same task and rank; null where there is no such LoRA. */
export function stepRatio(study: Study, cell: Cell): number | null {
  const lora = study.cells.find((other) =>
    other.method.optimizer === "lora" && other.task === cell.task && other.rank === cell.rank &&
    other.runs.length > 0
  );
  if (!lora || cell.runs.length === 0 || stepMs(lora) === 0) return null;
  return stepMs(cell) / stepMs(lora);
}

function stepMs(cell: Cell): number {
  return median(cell.runs.map((run) => run.outcome.cost.medianStepMs));
}
