/** @file How far each method's equivalent gradient is from the full gradient, over training. */
import type { Chart } from "./chart.ts";
import { drawCurves, EXACT, meansBy, short, thin } from "../drawing/curves.ts";
import { runRows } from "../drawing/filters.ts";

/** Gradient discrepancy by step, against the least that each method's factors could reach. */
export const discrepancyByStep: Chart = {
  id: "discrepancy-by-step",
  title: "How far from the full gradient is each method, step by step?",
  caption:
    "‖g̃ − G‖ / ‖G‖, the distance of a method's equivalent gradient g̃ from the full gradient G: mean over target modules, " +
    "logarithmic, each run faint and the mean over seeds strong. It grows with the scale of g̃ too: a gradient of the " +
    "right direction but ten times as long is far off. Thin and dashed in the same colour: the least that any low-rank " +
    "step from the same factors could reach. Full fine-tuning is 0 by definition and not drawn. Of many methods each " +
    "has a panel, with LoRA's mean behind in grey.",
  draw: (study) =>
    drawCurves(study, {
      title: discrepancyByStep.title,
      subtitle: "Dashed: the least possible with the same factors",
      rows: runRows(study, ({ outcome: { discrepancies } }) => {
        const errors = meansBy(discrepancies, ({ step }) => step, (one) => one.gradientError);
        const bounds = meansBy(discrepancies, ({ step }) => step, (one) => one.lowerBound);
        const points = thin([...errors].filter(([, error]) => error > EXACT));
        if (points.length === 0) return null;
        return {
          step: points.map(([step]) => step),
          value: points.map(([, error]) => short(error)),
          bound: points.map(([step]) => {
            const bound = bounds.get(step);
            return bound !== undefined && bound > EXACT ? short(bound) : null;
          }),
        };
      }),
      x: { title: "Step" },
      y: { title: "‖g̃ − G‖ / ‖G‖" },
    }),
};
