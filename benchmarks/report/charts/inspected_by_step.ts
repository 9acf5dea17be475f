/** @file What methods tell of themselves over training, e.g. the ranks that AdaLoRA leaves each map. */
import type { Point } from "../../../training/run.ts";
import { mean } from "../../statistics.ts";
import type { Cell, Chart, Study } from "../report.ts";
import { panelRows } from "../styles.ts";
import { meanCurve, panelOrder, panelsOf } from "./by_step.ts";

/** Curves of `Optimizer.inspect` by step. */
export const inspectedByStep: Chart = {
  id: "inspected-by-step",
  title: "What methods tell of themselves",
  caption:
    "Curves that a method reports itself, named by the method, one row each; means over seeds. What it reports by linear " +
    "map is drawn faint for each map and strong for their mean.",
  draw(study) {
    const curves = study.cells.flatMap((cell) =>
      quantitiesOf(cell).flatMap(({ quantity, parts }) =>
        parts.flatMap(({ part, points }) =>
          panelsOf(study, cell).flatMap((column) =>
            points.map(({ step, value }) => ({
              row: JSON.stringify([cell.task.id, cell.method.label, quantity]),
              column,
              part,
              kind: part === MEAN ? "mean" : "part",
              step,
              value,
            }))
          )
        )
      )
    );
    if (curves.length === 0) return null;
    const rows = rowsOf(study, new Set(curves.map(({ row }) => row)));
    const x = { field: "step", type: "quantitative", title: "Step", axis: { grid: false } };
    const y = { field: "value", type: "quantitative", title: null, scale: { zero: false } };
    const only = (kind: string) => [{ filter: `datum.kind === '${kind}'` }];
    const strong = { field: "color", type: "nominal", scale: null };
    const colored = curves.map((curve) => ({
      ...curve,
      color: rows.find(({ id }) => id === curve.row)!.color,
    }));
    return panelRows(inspectedByStep.title, rows, colored, { order: panelOrder(study), sharedX: true }, [
      {
        transform: only("part"),
        mark: { type: "line", strokeWidth: 1, opacity: 0.35 },
        encoding: { x, y, color: strong, detail: { field: "part" } },
      },
      {
        transform: only("mean"),
        mark: { type: "line", strokeWidth: 2.5, point: { filled: true, size: 30 } },
        encoding: { x, y, color: strong },
      },
    ], { height: 150 });
  },
};

const MEAN = "mean";

/** A cell's quantities: "rank" of "rank/layers.0.q", with a curve for each map and one for their mean. */
function quantitiesOf({ runs }: Cell) {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.outcome.inspected)))];
  const groups = Map.groupBy(names, (name) => name.split("/")[0]!);
  return [...groups].map(([quantity, ofIt]) => {
    const parts = ofIt.map((name) => ({
      part: name,
      points: meanCurve(runs.map((run) => run.outcome.inspected[name] ?? [])),
    }));
    const whole = { part: MEAN, points: meanAt(parts.flatMap(({ points }) => points)) };
    return { quantity, parts: parts.length > 1 ? [...parts, whole] : [whole] };
  });
}

function meanAt(points: readonly Point[]): Point[] {
  return [...Map.groupBy(points, ({ step }) => step)].map(([step, ones]) => ({
    step,
    value: mean(ones.map(({ value }) => value)),
  }));
}

function rowsOf(study: Study, present: ReadonlySet<string>) {
  return [...present].map((id) => {
    const [taskId, label, quantity] = JSON.parse(id) as [string, string, string];
    const task = study.tasks.find((one) => one.id === taskId)!;
    const method = study.methods.find((one) => one.label === label)!;
    return { id, title: `${task.title}: ${quantity} of ${label}`, color: method.color };
  });
}
