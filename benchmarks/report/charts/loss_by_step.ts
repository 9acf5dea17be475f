/** @file Losses over training. */
import type { Chart } from "../report.ts";
import { methodScales, taskRows } from "../styles.ts";
import { meanCurve, panelOrder, panelsOf } from "./by_step.ts";

/** Validation loss by step, the training loss faint behind it. */
export const lossByStep: Chart = {
  id: "loss-by-step",
  title: "Loss by step",
  caption:
    "Mean over seeds, logarithmic: the validation loss with its points of measurement; faint, the training " +
    "loss. Methods without a rank are drawn in every panel.",
  draw(study) {
    const values = study.cells.flatMap((cell) => {
      const { task: { id: task }, method: { label: method } } = cell;
      const curves = [
        { kind: "validation", points: meanCurve(cell.runs.map((run) => run.outcome.validationLoss)) },
        { kind: "training", points: meanCurve(cell.runs.map((run) => run.outcome.trainLoss)) },
      ];
      return panelsOf(study, cell).flatMap((column) =>
        curves.flatMap(({ kind, points }) =>
          // A logarithm has no place for a loss of 0.
          points.filter(({ value }) => value > 0).map(({ step, value }) => ({
            kind,
            task,
            column,
            method,
            step,
            loss: value,
          }))
        )
      );
    });
    if (values.length === 0) return null;
    const { color, shape, strokeDash } = methodScales(study, new Set(values.map(({ method }) => method)));
    const x = { field: "step", type: "quantitative", title: "Step", axis: { grid: false } };
    const y = {
      field: "loss",
      type: "quantitative",
      title: "Loss",
      scale: { type: "log", nice: false },
      axis: { tickCount: 5, format: "~g" },
    };
    const only = (kind: string) => [{ filter: `datum.kind === '${kind}'` }];
    return taskRows(study, "Loss by step", values, { order: panelOrder(study), sharedX: true }, [
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
