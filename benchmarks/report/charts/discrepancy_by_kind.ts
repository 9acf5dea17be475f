/** @file How far each method's equivalent gradient is from the full gradient, by what a linear map is for. */
import { WEIGHT_KINDS, weightKindOf } from "../../../models/weight_kind.ts";
import type { Chart } from "./chart.ts";
import { EXACT, meansBy, short } from "../drawing/curves.ts";
import { BESIDE_NAMES, SERIES, seriesChannel } from "../drawing/dots.ts";
import { runRows } from "../drawing/filters.ts";
import { GROUP, meansOverRuns, meansTooltip, ONE_A_GROUP, runTooltip } from "../drawing/means.ts";
import { grid } from "../drawing/panels.ts";
import { methodScales, NUMBERS } from "../drawing/scales.ts";

const ERROR = "‖g̃ − G‖ / ‖G‖";

/** Gradient discrepancy by kind of weight, against the least that each method's factors could reach. */
export const discrepancyByKind: Chart = {
  id: "discrepancy-by-kind",
  title: "Which kinds of weight are farthest from the full gradient?",
  caption:
    "‖g̃ − G‖ / ‖G‖ by kind of weight: the four of attention, and the feed-forward part. Means over a " +
    "kind's maps and the measured steps, on a logarithmic axis. Small marks are single runs, large ones " +
    "means over seeds. The upright bar is the least that any low-rank step from the same factors could " +
    "reach. Methods that follow the full gradient exactly are left out.",
  draw(study) {
    const rows = runRows(study, ({ outcome: { discrepancies } }) => {
      const known = discrepancies.filter(({ targetModule }) => weightKindOf(targetModule) !== null);
      const errors = meansBy(
        known,
        ({ targetModule }) => weightKindOf(targetModule)!,
        (one) => one.gradientError,
      );
      const bounds = meansBy(
        known,
        ({ targetModule }) => weightKindOf(targetModule)!,
        (one) => one.lowerBound,
      );
      const far = WEIGHT_KINDS.filter((kind) => (errors.get(kind) ?? 0) > EXACT);
      if (far.length === 0) return null;
      return {
        kind: far,
        error: far.map((kind) => short(errors.get(kind)!)),
        bound: far.map((kind) => {
          const bound = bounds.get(kind);
          return bound !== undefined && bound > EXACT ? short(bound) : null;
        }),
      };
    });
    if (rows.length === 0) return null;
    const { color, shape } = methodScales(study, rows);
    const look = { ...color, legend: null };
    const x = {
      field: "error",
      type: "quantitative",
      title: ERROR,
      scale: { type: "log", nice: false, padding: 10 },
      axis: { ...NUMBERS, tickCount: 4, labelOverlap: true, grid: false },
    };
    const y = seriesChannel(study);
    return grid(study, {
      title: discrepancyByKind.title,
      subtitle: "Upright bars: the least possible with the same factors",
      rows,
      transform: [
        { flatten: ["kind", "error", "bound"] },
        SERIES,
        ...meansOverRuns(["error", "bound"], [...GROUP, "series", "kind"]),
      ],
      width: BESIDE_NAMES,
      height: { step: 17 },
      layer: [
        {
          mark: {
            type: "point",
            filled: true,
            size: 12,
            opacity: 0.45,
            aria: false,
            tooltip: runTooltip([{ heading: ERROR, field: "error" }]),
          },
          encoding: { x, y, color: look },
        },
        {
          transform: [ONE_A_GROUP, { filter: "isValid(datum.boundMean)" }],
          mark: { type: "tick", orient: "vertical", size: 14, thickness: 2, aria: false, tooltip: null },
          encoding: { x: { ...x, field: "boundMean" }, y, color: look },
        },
        {
          transform: [ONE_A_GROUP],
          mark: {
            type: "point",
            filled: true,
            size: 55,
            opacity: 1,
            aria: false,
            tooltip: meansTooltip([{ heading: ERROR, field: "error" }, {
              heading: "Least possible",
              field: "bound",
            }]),
          },
          encoding: { x: { ...x, field: "errorMean" }, y, color: look, shape: { ...shape, legend: null } },
        },
      ],
    }, { field: "kind", order: WEIGHT_KINDS, x: "shared", y: "shared" });
  },
};
