/** @file Which learning rates were chosen, from what. */
import { mean } from "../../statistics/statistics.ts";
import { formatNumber, formatPercent, formatRank, formatRate, formatWhole } from "../format.ts";
import type { Study } from "../../study/study.ts";
import type { Table } from "../table.ts";
import { isFor } from "../../study/make_study.ts";

/** Chosen rates with the validation losses of the whole grid; null where rates were stated. */
export function ratesTable(study: Study, from: string | null): Table | null {
  const rows = study.rates.flatMap((rate) => {
    const task = study.tasks.find(({ id }) => id === rate.task);
    const method = study.methods.find((known) => task && isFor(rate, task, known, rate.rank));
    if (!task || !method) return [];
    const grid = rate.evidence.map(({ learningRate, validationLosses }) => {
      const losses = validationLosses.filter((loss) => loss !== null);
      const whole = losses.length === validationLosses.length;
      return `${formatRate(learningRate)}: ${whole ? formatNumber(mean(losses)) : "diverged"}`;
    });
    return [[
      task.title,
      formatRank(rate.rank),
      method.label,
      rate.batchSize === undefined
        ? formatRate(rate.learningRate)
        : `${formatRate(rate.learningRate)}, batches of ${rate.batchSize}, ${rate.steps} steps`,
      rate.runnerUp === null ? "none" : `${formatRate(rate.runnerUp)}: ${formatPercent(rate.lead!)} higher`,
      rate.atEdge ? "yes" : "no",
      grid.join(", "),
      formatWhole(rate.evidence.map(({ seeds }) => seeds.length)),
    ]];
  });
  if (rows.length === 0) return null;
  return {
    title: "Learning rates",
    note:
      `Peak rates chosen for each task, rank and method by the least mean log of the last three validation losses` +
      `${
        from === null ? "" : ` in sweep "${from}"`
      }. At the edge means that the best rate is the smallest or largest ` +
      "that was tried: a wider grid may hold a better one. The runner-up is the best of the other rates that ran with as many seeds, with its loss. Seeds are those of " +
      "each rate.",
    columns: [
      "Task",
      "Rank",
      "Method",
      "Chosen",
      "Runner-up",
      "At the edge",
      "Validation loss by rate",
      "Seeds",
    ],
    rows,
  };
}
