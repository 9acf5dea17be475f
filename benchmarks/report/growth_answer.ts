/** @file What a report found about growth, in sentences. */
import { exponentOf } from "../cost/growth/fit.ts";
import { AXES, type GrowthPoint } from "../cost/growth/points.ts";
import type { Study } from "../study/study.ts";

/** One sentence about growth a task and cost, and one about how far the fits can be trusted. */
export function growthAnswer(study: Study): string[] {
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
