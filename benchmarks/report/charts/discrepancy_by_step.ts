/** @file How far each method's equivalent gradient is from the full gradient, over training. */
import type { Chart } from "../report.ts";
import { methodScales, taskRows } from "../styles.ts";
import { EXACT, meanCurve, overSites, panelOrder, panelsOf } from "./by_step.ts";
import { GREY, methodPanels, MOST_CURVES, own, rankColor, reference } from "./method_panels.ts";

/** Gradient discrepancy by step, against the least that each method's factors could reach. */
export const discrepancyByStep: Chart = {
  id: "discrepancy-by-step",
  title: "Gradient discrepancy by step",
  caption:
    "‖g̃ − G‖ / ‖G‖, the distance of a method's equivalent gradient g̃ from the full gradient G: mean over sites " +
    "and seeds, logarithmic. It grows with the scale of g̃ too: a gradient of the right direction but ten times as long " +
    "is far off. Thin and dashed in the same colour: the least that any low-rank step from the same factors could reach. " +
    "Full fine-tuning is 0 by definition and not drawn. Of many methods each has a panel, with LoRA's curves behind in grey.",
  draw(study) {
    const values = study.cells.flatMap((cell) => {
      const runs = cell.runs.map((run) => run.outcome.discrepancies);
      const { task: { id: task }, method: { label: method }, rank } = cell;
      const bounds = meanCurve(runs.map((found) => overSites(found, (one) => one.lowerBound)));
      const measured = meanCurve(runs.map((found) => overSites(found, (one) => one.gradientError)));
      return [{ curve: "measured", points: measured }, { curve: "bound", points: bounds }].flatMap(
        ({ curve, points }) =>
          points.filter(({ value }) => value > EXACT)
            .map(({ step, value }) => ({ curve, task, cell, method, rank, step, discrepancy: value })),
      );
    });
    if (values.length === 0) return null;
    const methods = new Set(values.map(({ method }) => method));
    const x = { field: "step", type: "quantitative", title: "Step", axis: { grid: false, tickCount: 5 } };
    const y = {
      field: "discrepancy",
      type: "quantitative",
      title: "‖g̃ − G‖ / ‖G‖",
      scale: { type: "log", nice: false, padding: 10 },
      axis: { tickCount: 5, format: "~g" },
    };
    const title = "Gradient discrepancy by step, and its lower bound (dashed)";
    const measured = { filter: "datum.curve === 'measured'" }, bound = { filter: "datum.curve === 'bound'" };
    if (methods.size > MOST_CURVES) {
      const color = rankColor(study, values);
      return methodPanels(study, title, values.map(({ cell: _, ...value }) => value), [
        {
          transform: [...reference.transform, measured],
          mark: { type: "line", strokeWidth: 1.5, color: GREY },
          encoding: { x, y, detail: { field: "series" } },
        },
        {
          transform: [...own.transform, bound],
          mark: { type: "line", strokeWidth: 1.5, strokeDash: [4, 3], opacity: 0.8 },
          encoding: { x, y, color },
        },
        {
          transform: [...own.transform, measured],
          mark: { type: "line", strokeWidth: 2, point: { filled: true, size: 24 } },
          encoding: { x, y, color },
        },
      ]);
    }
    const { color, shape } = methodScales(study, methods);
    const placed = values.flatMap(({ cell, ...value }) =>
      panelsOf(study, cell).map((column) => ({ ...value, column }))
    );
    return taskRows(study, title, placed, { order: panelOrder(study), sharedX: true }, [
      {
        transform: [bound],
        mark: { type: "line", strokeWidth: 1.5, strokeDash: [4, 3], opacity: 0.8 },
        encoding: { x, y, color },
      },
      { transform: [measured], mark: { type: "line", strokeWidth: 2 }, encoding: { x, y, color } },
      {
        transform: [measured],
        mark: { type: "point", filled: true, size: 50, opacity: 1 },
        encoding: { x, y, color, shape },
      },
    ]);
  },
};
