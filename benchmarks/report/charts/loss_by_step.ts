/** @file Losses over training. */
import type { Chart } from "../report.ts";
import { methodScales, taskRows } from "../styles.ts";
import { meanCurve, panelOrder, panelsOf } from "./by_step.ts";
import { GREY, methodPanels, MOST_CURVES, own, rankColor, reference } from "./method_panels.ts";

/** Validation loss by step, the training loss faint behind it. */
export const lossByStep: Chart = {
  id: "loss-by-step",
  title: "Loss by step",
  caption:
    "Mean over seeds, logarithmic: the validation loss with its points of measurement; faint, the training " +
    "loss. Methods without a rank are drawn in every panel. Of many methods each has a panel with its validation loss " +
    "alone, and LoRA's behind in grey.",
  draw(study) {
    const values = study.cells.flatMap((cell) => {
      const { task: { id: task }, method: { label: method }, rank } = cell;
      const curves = [
        { curve: "validation", points: meanCurve(cell.runs.map((run) => run.outcome.validationLoss)) },
        { curve: "training", points: meanCurve(cell.runs.map((run) => run.outcome.trainLoss)) },
      ];
      return curves.flatMap(({ curve, points }) =>
        // A logarithm has no place for a loss of 0.
        points.filter(({ value }) => value > 0)
          .map(({ step, value }) => ({ curve, task, cell, method, rank, step, loss: value }))
      );
    });
    if (values.length === 0) return null;
    const methods = new Set(values.map(({ method }) => method));
    const x = { field: "step", type: "quantitative", title: "Step", axis: { grid: false, tickCount: 5 } };
    const y = {
      field: "loss",
      type: "quantitative",
      title: "Loss",
      scale: { type: "log", nice: false },
      axis: { tickCount: 5, format: "~g" },
    };
    if (methods.size > MOST_CURVES) {
      const validation = values.filter(({ curve }) => curve === "validation");
      return methodPanels(
        study,
        "Validation loss by step",
        validation.map(({ cell: _, ...value }) => value),
        [
          {
            ...reference,
            mark: { type: "line", strokeWidth: 1.5, color: GREY },
            encoding: { x, y, detail: { field: "series" } },
          },
          {
            ...own,
            mark: { type: "line", strokeWidth: 2, point: { filled: true, size: 24 } },
            encoding: { x, y, color: rankColor(study, values) },
          },
        ],
      );
    }
    const { color, shape, strokeDash } = methodScales(study, methods);
    const placed = values.flatMap(({ cell, ...value }) =>
      panelsOf(study, cell).map((column) => ({ ...value, column }))
    );
    const only = (curve: string) => [{ filter: `datum.curve === '${curve}'` }];
    return taskRows(study, "Loss by step", placed, { order: panelOrder(study), sharedX: true }, [
      {
        transform: only("training"),
        mark: { type: "line", strokeWidth: 1, opacity: 0.25 },
        encoding: { x, y, color },
      },
      {
        transform: only("validation"),
        mark: { type: "line", strokeWidth: 2 },
        encoding: { x, y, color, strokeDash },
      },
      {
        transform: only("validation"),
        mark: { type: "point", filled: true, size: 36, opacity: 1 },
        encoding: { x, y, color, shape },
      },
    ]);
  },
};
