/** @file What each learning rate of a grid came to: the evidence behind the rates in use. */
import { mean } from "../../statistics.ts";
import type { Chart } from "../report.ts";
import { isFor } from "../study.ts";
import { methodScales, taskRows } from "../styles.ts";
import { panelOrder, panelsOf } from "./by_step.ts";
import { GREY, methodPanels, MOST_CURVES, own, rankColor, reference } from "./method_panels.ts";

/** Final validation loss by peak learning rate, the chosen rate ringed. */
export const lossByRate: Chart = {
  id: "loss-by-rate",
  title: "Validation loss by learning rate",
  caption:
    "The tuning behind this sweep: validation loss at the end of training, by peak learning rate. The ringed " +
    "rate was chosen; where it is the first or last of its line, a wider grid may hold a better one. Diverged runs " +
    "have no point. Of many methods each has a panel, with LoRA's curves behind in grey.",
  draw(study) {
    const values = study.cells.flatMap((cell) => {
      const rate = study.rates.find((known) => isFor(known, cell.task, cell.method, cell.rank));
      if (!rate || rate.evidence.length < 2) return [];
      const points = rate.evidence.flatMap(({ peak, validationLosses }) => {
        const losses = validationLosses.filter((loss) => loss !== null);
        return losses.length === validationLosses.length ? [{ peak, loss: mean(losses) }] : [];
      });
      return panelsOf(study, cell).flatMap((column) =>
        points.map(({ peak, loss }) => ({
          task: cell.task.id,
          column,
          method: cell.method.label,
          rank: cell.rank,
          peak,
          loss,
          chosen: peak === rate.peak,
        }))
      );
    });
    if (values.length === 0) return null;
    const methods = new Set(values.map(({ method }) => method));
    const { color, shape, strokeDash } = methodScales(study, methods);
    const x = {
      field: "peak",
      type: "quantitative",
      title: "Peak learning rate",
      scale: { type: "log", nice: false, padding: 16 },
      axis: { grid: false, format: "~e", labelOverlap: true },
    };
    const y = {
      field: "loss",
      type: "quantitative",
      title: "Validation loss",
      scale: { type: "log", nice: false, padding: 10 },
      axis: { tickCount: 5, format: "~g" },
    };
    const ring = { type: "point", shape: "circle", filled: false, strokeWidth: 1.5, opacity: 1 };
    const title = "Validation loss by learning rate";
    if (methods.size > MOST_CURVES) {
      const color = rankColor(study);
      const points = [
        ...new Map(values.map((value) => [JSON.stringify({ ...value, column: "" }), value])).values(),
      ];
      return methodPanels(study, title, points, [
        {
          ...reference,
          mark: { type: "line", strokeWidth: 1.5, color: GREY },
          encoding: { x, y, detail: { field: "series" } },
        },
        {
          ...own,
          mark: { type: "line", strokeWidth: 2, point: { filled: true, size: 30 } },
          encoding: { x, y, color },
        },
        {
          transform: [...own.transform, { filter: "datum.chosen" }],
          mark: { ...ring, size: 140 },
          encoding: { x, y, color },
        },
      ]);
    }
    return taskRows(
      study,
      title,
      values,
      { order: panelOrder(study), sharedX: true },
      [
        { mark: { type: "line", strokeWidth: 2 }, encoding: { x, y, color, strokeDash } },
        { mark: { type: "point", filled: true, size: 50, opacity: 1 }, encoding: { x, y, color, shape } },
        {
          transform: [{ filter: "datum.chosen" }],
          mark: { ...ring, size: 220 },
          encoding: { x, y, color },
        },
      ],
    );
  },
};
