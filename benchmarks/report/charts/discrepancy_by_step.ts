/** @file How far each method's equivalent gradient is from the full gradient, over training. */
import type { Discrepancy, Point } from "../../../training/run.ts";
import { mean } from "../../statistics.ts";
import type { Chart } from "../report.ts";
import { methodScales, taskRows } from "../styles.ts";
import { meanCurve, panelOrder, panelsOf } from "./by_step.ts";

/** Gradient discrepancy by step, against the least that each method's factors could reach. */
export const discrepancyByStep: Chart = {
  id: "discrepancy-by-step",
  title: "Gradient discrepancy by step",
  caption:
    "‖g̃ − G‖ / ‖G‖, the distance of a method's equivalent gradient g̃ from the full gradient G: mean over sites " +
    "and seeds, logarithmic. It grows with the scale of g̃ too: a gradient of the right direction but ten times as long " +
    "is far off. Thin and dashed in the same colour: the least that any low-rank step from the same factors could reach. " +
    "Full fine-tuning is 0 by definition and not drawn.",
  draw(study) {
    const values = study.cells.flatMap((cell) => {
      const runs = cell.runs.map((run) => run.outcome.discrepancies);
      const { task: { id: task }, method: { label: method } } = cell;
      const bounds = meanCurve(runs.map((found) => overSites(found, (one) => one.lowerBound)));
      if (bounds.length === 0) return [];
      const curves = [
        {
          kind: "measured",
          points: meanCurve(runs.map((found) => overSites(found, (one) => one.gradientError))),
        },
        { kind: "bound", points: bounds },
      ];
      return panelsOf(study, cell).flatMap((column) =>
        curves.flatMap(({ kind, points }) =>
          // A logarithm has no place for a discrepancy of 0, which a rank as large as the weight reaches.
          points.filter(({ value }) => value > 0)
            .map(({ step, value }) => ({ kind, task, column, method, step, discrepancy: value }))
        )
      );
    });
    if (values.length === 0) return null;
    const { color, shape } = methodScales(study, new Set(values.map(({ method }) => method)));
    const x = { field: "step", type: "quantitative", title: "Step", axis: { grid: false } };
    const y = {
      field: "discrepancy",
      type: "quantitative",
      title: "‖g̃ − G‖ / ‖G‖",
      scale: { type: "log", nice: false, padding: 10 },
      axis: { tickCount: 5, format: "~g" },
    };
    const only = (kind: string) => [{ filter: `datum.kind === '${kind}'` }];
    return taskRows(study, "Gradient discrepancy by step, and its lower bound (dashed)", values, {
      order: panelOrder(study),
      sharedX: true,
    }, [
      {
        transform: only("bound"),
        mark: { type: "line", strokeWidth: 1.5, strokeDash: [4, 3], opacity: 0.8 },
        encoding: { x, y, color },
      },
      { transform: only("measured"), mark: { type: "line", strokeWidth: 2 }, encoding: { x, y, color } },
      {
        transform: only("measured"),
        mark: { type: "point", filled: true, size: 50, opacity: 1 },
        encoding: { x, y, color, shape },
      },
    ]);
  },
};

/** Mean over the sites that have the number, by step. */
export function overSites(found: readonly Discrepancy[], read: (one: Discrepancy) => number | null): Point[] {
  const bySteps = Map.groupBy(found, (one) => one.step);
  return [...bySteps].flatMap(([step, ones]) => {
    const numbers = ones.map(read).filter((value) => value !== null);
    return numbers.length > 0 ? [{ step, value: mean(numbers) }] : [];
  });
}
