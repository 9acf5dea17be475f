/** @file What each method costs in memory, work and time. */
import { warmStepMs } from "../../../training/telemetry/meters.ts";
import { median, medianOfMeasured } from "../../statistics/statistics.ts";
import { formatBytes, formatMeasured, formatN, formatRank, formatSignificant } from "../format.ts";
import type { Cost } from "../../../training/run.ts";
import type { Cell, Study } from "../../study/study.ts";
import type { Table } from "../table.ts";

/** Memory, work and time of all methods, measured and by formula, and work and time of a step over those of LoRA. */
export function costsTable(study: Study): Table {
  const cells = study.cells.filter((cell) => cell.runs.length > 0);
  return {
    title: "Costs",
    note:
      "Medians over seeds, beside what formulas say. State is what the method keeps between steps besides the trained " +
      "parameters; peak is the most that was alive on the GPU at once, predicted for rows as long as the " +
      "runs', or of the model's full length for results from before runs noted them. " +
      "FLOPs are counted, a multiplication and an addition being two; the method's are gradients of weights or products " +
      "with factors, and the update. The host's part of a step is making the batch and recording it. “/ LoRA's” is " +
      "over plain LoRA's at the same task and rank. The peak and the time of a step are of steps without telemetry: where it " +
      "measured each, as in short runs, they were not measured. A run with a single window of steps compiled its kernels " +
      `in that window: its time is marked “with compilation” and enters no ratio. ${
        formatN(cells)
      }; seeds count.`,
    columns: [
      "Task",
      "Rank",
      "Method",
      "Trained parameters",
      "State",
      "predicted",
      "Peak",
      "predicted",
      "MFLOP a step",
      "the method's",
      "/ LoRA's",
      "Attach, ms",
      "Step, ms",
      "Of it host, ms",
      "Step / LoRA's",
    ],
    rows: cells.map((cell) => {
      const costs = cell.runs.map((run) => run.outcome.cost), { predicted } = cell;
      return [
        cell.task.title,
        formatRank(cell.rank),
        cell.method.label,
        String(median(costs.map((cost) => cost.trainableParameters))),
        formatBytes(median(costs.map((cost) => cost.stateBytes))),
        predicted ? formatBytes(predicted.stateBytes) : "—",
        formatMeasured(medianOfMeasured(costs.map((cost) => cost.peakBytes)), formatBytes),
        predicted ? formatBytes(predicted.peakBytes) : "—",
        predicted ? formatSignificant(predicted.flops / 1e6) : "—",
        predicted ? formatSignificant(predicted.methodFlops / 1e6) : "—",
        formatRatio(flopsRatio(study, cell), 3),
        median(costs.map((cost) => cost.attachMs)).toFixed(0),
        formatTime(costs, (cost) => cost.medianStepMs),
        formatTime(costs, (cost) => cost.medianHostMs),
        formatRatio(stepRatio(study, cell), 2),
      ];
    }),
  };
}

/**
 * A method's median step time over LoRA's at the same task and rank, of runs that timed steps without compilation; null
 * where there are none of either.
 */
export function stepRatio(study: Study, cell: Cell): number | null {
  const lora = loraBeside(study, cell), own = stepMs(cell), theirs = lora ? stepMs(lora) : null;
  return own === null || theirs === null ? null : own / theirs;
}

function flopsRatio(study: Study, cell: Cell): number | null {
  const lora = loraBeside(study, cell);
  return lora?.predicted && cell.predicted ? cell.predicted.flops / lora.predicted.flops : null;
}

function loraBeside(study: Study, cell: Cell): Cell | undefined {
  return study.cells.find((other) =>
    other.method.optimizer === "lora" && other.task === cell.task && other.rank === cell.rank &&
    other.runs.length > 0
  );
}

/** Null where no run timed a step without compilation. */
function stepMs(cell: Cell): number | null {
  return medianOfMeasured(cell.runs.map((run) => warmStepMs(run.outcome.cost)));
}

/** The median of runs whose steps compiled nothing; of the others, and marked so, where all compiled. */
function formatTime(costs: readonly Cost[], read: (cost: Cost) => number | null): string {
  const write = (some: readonly Cost[]) =>
    formatMeasured(medianOfMeasured(some.map(read)), (ms) => ms.toFixed(1));
  const warm = costs.filter((cost) => warmStepMs(cost) !== null);
  if (warm.length > 0 || costs.every((cost) => read(cost) === null)) return write(warm);
  return `${write(costs)} with compilation`;
}

function formatRatio(ratio: number | null, digits: number): string {
  return ratio === null ? "—" : ratio.toFixed(digits);
}
