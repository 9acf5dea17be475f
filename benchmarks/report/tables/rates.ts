/** @file Which learning rates were chosen, from what. */
import { mean } from "../../statistics/statistics.ts";
import { formatNumber, formatRank, formatRate, formatWhole } from "../format.ts";
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
      formatRate(rate.learningRate),
      rate.atEdge ? "yes" : "no",
      grid.join(", "),
      formatWhole(rate.evidence.map(({ seeds }) => seeds.length)),
    ]];
  });
  if (rows.length === 0) return null;
  return {
    title: "Learning rates",
    note:
      `Peak rates chosen for each task, rank and method by the least validation loss at the end of training` +
      `${
        from === null ? "" : ` in sweep "${from}"`
      }. At the edge means that the best rate is the smallest or largest ` +
      "that was tried: a wider grid may hold a better one. Seeds are those of each rate.",
    columns: ["Task", "Rank", "Method", "Chosen", "At the edge", "Validation loss by rate", "Seeds"],
    rows,
  };
}
