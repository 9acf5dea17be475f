/** @file What a method's options change: its variants side by side, e.g. LoRA-Pro's gauges and modes. */
import { finalValidationLoss } from "../../rates/choose.ts";
import { mean } from "../../statistics/statistics.ts";
import type { Chart } from "./chart.ts";
import { short } from "../drawing/curves.ts";
import { BESIDE_NAMES, SERIES, seriesChannel } from "../drawing/dots.ts";
import { runRows } from "../drawing/filters.ts";
import { cutEnds, cutInterval } from "../drawing/intervals.ts";
import { GROUP, meansOverRuns, meansTooltip, ONE_A_GROUP, runTooltip } from "../drawing/means.ts";
import { grid } from "../drawing/panels.ts";
import { methodScales, NUMBERS } from "../drawing/scales.ts";

const MEASURES = ["Score", "Last validation loss", "Mean ‖g̃ − G‖ / ‖G‖"];

/** Score, loss and discrepancy of methods that take part in several variants, with LoRA and full fine-tuning beside. */
export const variants: Chart = {
  id: "variants",
  title: "What do a method's options change?",
  caption:
    "Methods that take part with several settings, e.g. LoRA-Pro with other gauges or modes, each at its " +
    "own rate: test score, last validation loss, and distance from the full gradient over training. Small " +
    "marks are single runs; large ones are means over seeds with their 95% intervals (an arrow cuts off one " +
    "that is far wider than the range of all). LoRA and full fine-tuning stand beside them for comparison.",
  draw(study) {
    const varied = new Set(
      study.methods.map(({ optimizer }) => optimizer).filter((id, i, all) => all.indexOf(id) !== i),
    );
    if (varied.size === 0) return null;
    const beside = ["lora", "full"];
    const rows = runRows(study, (run, { method }) => {
      if (!varied.has(method.optimizer) && !beside.includes(method.optimizer)) return null;
      const { discrepancies, score } = run.outcome, loss = finalValidationLoss(run);
      const far = discrepancies.length > 0 ? mean(discrepancies.map((one) => one.gradientError)) : null;
      const known = [score, loss, far].flatMap((value, i) =>
        value === null ? [] : [{ measure: MEASURES[i]!, value: short(value) }]
      );
      return { measure: known.map(({ measure }) => measure), value: known.map(({ value }) => value) };
    });
    if (rows.length === 0) return null;
    const { color, shape } = methodScales(study, rows);
    const look = { ...color, legend: null };
    const x = {
      field: "value",
      type: "quantitative",
      title: null,
      scale: { zero: false, nice: false, padding: 10 },
      axis: { grid: false, tickCount: 4, ...NUMBERS, labelOverlap: true },
    };
    const y = seriesChannel(study);
    const means = { ...x, field: "valueMean" };
    return grid(study, {
      title: variants.title,
      subtitle: "Small: single runs; large: means over seeds with 95% intervals",
      rows,
      transform: [
        { flatten: ["measure", "value"] },
        SERIES,
        ...meansOverRuns(["value"], [...GROUP, "series", "measure"]),
        ...cutInterval("value", ["task", "measure"], `datum.measure === '${MEASURES[0]}' ? 1 : 1e300`),
      ],
      width: BESIDE_NAMES,
      height: { step: 20 },
      layer: [
        {
          mark: {
            type: "point",
            filled: true,
            size: 14,
            opacity: 0.5,
            aria: false,
            tooltip: runTooltip([{ heading: "Value", field: "value" }]),
          },
          encoding: { x, y, color: look },
        },
        {
          transform: [ONE_A_GROUP],
          mark: { type: "rule", strokeWidth: 1.5, aria: false, tooltip: null },
          encoding: { x: { ...x, field: "low" }, x2: { field: "high" }, y, color: look },
        },
        ...cutEnds("x", [ONE_A_GROUP], x, { y, color: look }),
        {
          transform: [ONE_A_GROUP],
          mark: {
            type: "point",
            filled: true,
            size: 65,
            opacity: 1,
            aria: false,
            tooltip: meansTooltip([{ heading: "Value", field: "value" }], [
              { heading: "Value is", field: "measure", format: "" },
            ]),
          },
          encoding: { x: means, y, color: look, shape: { ...shape, legend: null } },
        },
      ],
    }, { field: "measure", order: MEASURES, orient: "bottom", x: "independent", y: "shared" });
  },
};
