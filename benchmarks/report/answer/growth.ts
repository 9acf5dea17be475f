/** @file What a report found about growth, in sentences. */
import { exponentOf } from "../../cost/growth/fit.ts";
import { AXES, type GrowthPoint } from "../../cost/growth/points.ts";
import type { Study } from "../../study/study.ts";
import { overheadLines } from "../tables/growth.ts";

/**
 * One sentence about growth a task and cost, one about how far the fits can be trusted, and one about where what methods take
 * beyond LoRA's step has doubled.
 */
export function growthAnswer(study: Study): string[] {
  return [...growthOf(study), ...doublings(study)];
}

/** "What a step takes beyond LoRA's doubles: LoRA-Pro at rank 23; at no larger size that was measured: full fine-tuning." */
function doublings(study: Study): string[] {
  const lines = overheadLines(study).filter(({ overheads }) => overheads.length > 0).map(
    ({ name, overheads }) => {
      const at = overheads.flatMap(({ axis, doublesAt }) =>
        doublesAt === null ? [] : [`${axis} ${Math.round(doublesAt)}`]
      );
      return { name, at };
    },
  );
  if (lines.length === 0) return [];
  const doubled = lines.filter(({ at }) => at.length > 0).map(({ name, at }) =>
    `${name} at ${at.join(" and at ")}`
  );
  const not = lines.filter(({ at }) => at.length === 0).map(({ name }) => name);
  return [
    `What a step takes beyond LoRA's doubles${doubled.length === 0 ? "" : `: ${doubled.join("; ")}`}${
      not.length === 0
        ? ""
        : `${doubled.length === 0 ? "" : ";"} at no larger size that was measured: ${not.join(", ")}`
    }.`,
  ];
}

function growthOf(study: Study): string[] {
  return study.growth.flatMap(({ task, methods }) => {
    if (methods.length === 0) return [`${task.title}: no run has finished: there is nothing to say yet.`];
    const exponents = (read: (point: GrowthPoint) => number) =>
      methods.map(({ method, points }) => {
        const parts = AXES.flatMap((axis) => {
          const found = exponentOf(points, axis, read);
          return found ? [`${axis} ${found.overall.toFixed(2)}`] : [];
        });
        return `${method.label} ${parts.join(", ")}`;
      }).join("; ");
    return [
      `${task.title}, exponents of step time over the measured sizes (1 is proportional): ${
        exponents(({ stepMs }) => stepMs)
      }.`,
      `Exponents of peak bytes: ${exponents(({ peakBytes }) => peakBytes)}.`,
      ...methods.some(({ time }) => time)
        ? [
          `The fitted models are off by at most, for time and peak bytes: ${
            methods.flatMap(({ method, time, memory }) =>
              time && memory
                ? [`${method.label} ${share(time.largestError)} and ${share(memory.largestError)}`]
                : []
            ).join("; ")
          }. Without an axis' largest size they foretell it with errors of at most: ${
            methods.flatMap(({ method, time, memory }) =>
              time && memory
                ? [`${method.label} ${share(worst(time.heldOut))} and ${share(worst(memory.heldOut))}`]
                : []
            ).join("; ")
          }.`,
        ]
        : [],
    ];
  });
}

function worst(heldOut: readonly { readonly error: number }[]): number {
  return Math.max(0, ...heldOut.map(({ error }) => Math.abs(error)));
}

function share(value: number): string {
  return `${(100 * value).toFixed(value < 0.1 ? 1 : 0)}%`;
}
