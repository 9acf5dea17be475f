/** @file What each method's runs did to the weights. */
import { mean } from "../../statistics/statistics.ts";
import { formatMeasured, formatNumber, formatPercent, formatRank } from "../format.ts";
import type { Study } from "../../study/study.ts";
import type { Table } from "../table.ts";

/** A row a task, rank and method; without rows where no run was measured. */
export function changesTable(study: Study): Table {
  return {
    title: "Changes of the weights",
    note:
      "What whole runs changed, W at the end − W at the start, means over linear maps and seeds. The size is ‖change‖ / ‖W‖; " +
      "the first direction is the share of the change's squared norm that its largest singular value has. Intruder dimensions " +
      "are those of a tuned weight's first 10 left singular vectors whose cosine with each of the base weight's is below 0.5 " +
      "(Shuttleworth et al., arXiv 2410.21228); none are counted of maps both of whose sides are longer than 256.",
    columns: ["Task", "Rank", "Method", "Size", "First direction", "Intruders of 10", "Maps", "Seeds"],
    rows: study.cells.flatMap((cell) => {
      const runs = cell.runs.filter(({ outcome }) => (outcome.changes?.length ?? 0) > 0);
      const changes = runs.flatMap(({ outcome }) => outcome.changes ?? []);
      if (changes.length === 0) return [];
      const meanOf = (values: readonly number[]) => values.length > 0 ? mean(values) : null;
      const first = changes.flatMap(({ singularValues: [largest], norm }) =>
        largest === undefined ? [] : [(largest / norm) ** 2]
      );
      return [[
        cell.task.title,
        formatRank(cell.rank),
        cell.method.label,
        formatPercent(mean(changes.map(({ relativeNorm }) => relativeNorm))),
        formatMeasured(meanOf(first), formatPercent),
        formatMeasured(meanOf(changes.flatMap(({ intruders }) => intruders ?? [])), formatNumber),
        String(new Set(changes.map(({ targetModule }) => targetModule)).size),
        String(runs.length),
      ]];
    }),
  };
}
