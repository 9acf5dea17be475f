/** @file How many steps, seconds and FLOPs each run took to a loss that was fixed beforehand, and which never got there. */
import { finalValidationLoss } from "../../rates/choose.ts";
import { median } from "../../statistics/statistics.ts";
import type { Chart } from "./chart.ts";
import type { Study, TaskLabel } from "../../study/study.ts";
import { short } from "../drawing/curves.ts";
import { BESIDE_NAMES, SERIES, seriesChannel } from "../drawing/dots.ts";
import { runRows } from "../drawing/filters.ts";
import { GROUP, meansOverRuns, ONE_A_GROUP, runTooltip } from "../drawing/means.ts";
import { grid } from "../drawing/panels.ts";
import { methodScales, NUMBERS } from "../drawing/scales.ts";

const MEASURES = ["Steps", "Training, s", "FLOPs"];
/** In the place of what no run reached: larger than any cost. */
const NEVER = 1e300;

/** Cost to a target loss by method and rank. */
export const costToTarget: Chart = {
  id: "cost-to-target",
  title: "What does it cost to reach a given validation loss?",
  caption:
    "Steps, seconds of training and FLOPs until a run's validation loss first reaches a target. Each task's " +
    "target is the median of the last validation losses of LoRA's runs at its own rate, all ranks together; " +
    "without LoRA, of full fine-tuning's runs. So about half of LoRA's runs reach it at their very end. " +
    "Dots are runs; open triangles stand at the end of runs that never got there and would need more. The " +
    "bar is the median over seeds, where more than half of the runs got there. The numbers on the left say " +
    "how many got there, of those that finished or diverged. Seconds and FLOPs leave out validation; FLOPs " +
    "are counted by formula.",
  draw(study) {
    const targets = new Map(study.tasks.flatMap((task) => {
      const target = targetOf(study, task);
      return target === null ? [] : [[task.id, target] as const];
    }));
    const done = runRows(study, ({ config, outcome: { validationLoss, cost } }, { task, predicted }) => {
      const target = targets.get(task.id);
      if (target === undefined || validationLoss.length === 0) return null;
      const reached = validationLoss.find(({ value }) => value <= target);
      const steps = reached?.step ?? config.steps;
      // What was not measured has no place.
      const costs = [
        steps,
        cost.medianStepMs === null ? null : short((cost.attachMs + steps * cost.medianStepMs) / 1000),
        predicted === null ? null : short(steps * predicted.flops),
      ];
      return {
        reached: reached !== undefined,
        target: short(target),
        measure: MEASURES.filter((_, i) => costs[i] !== null),
        cost: costs.filter((one) => one !== null) as (number | null)[],
      };
    });
    if (done.length === 0) return null;
    const measured = MEASURES.filter((measure) => done.some((run) => run.measure.includes(measure)));
    const diverged = study.cells.flatMap((cell) =>
      cell.grid.flatMap(({ learningRate, diverged }) =>
        diverged.filter(() => targets.has(cell.task.id)).map((seed) => ({
          task: cell.task.id,
          method: cell.method.label,
          rank: cell.rank,
          seed,
          rate: learningRate,
          best: learningRate === cell.learningRate,
          reached: false,
          target: short(targets.get(cell.task.id)!),
          measure: measured,
          cost: measured.map(() => null),
        }))
      )
    );
    const rows = [...done, ...diverged];
    const { color, shape } = methodScales(study, rows);
    const look = { ...color, legend: null };
    const x = {
      field: "cost",
      type: "quantitative",
      title: null,
      scale: { zero: true, nice: false, padding: 12 },
      axis: { tickCount: 4, ...NUMBERS, labelOverlap: true, grid: false },
    };
    const y = seriesChannel(study);
    const run = runTooltip([
      { heading: "Target", field: "target" },
      { heading: "Cost", field: "cost" },
      { heading: "Cost is", field: "measure", format: "" },
    ]);
    return grid(study, {
      title: costToTarget.title,
      subtitle: "Dots: runs; bars: medians; open triangles: never reached",
      rows,
      transform: [
        { flatten: ["measure", "cost"] },
        SERIES,
        { calculate: "datum.reached ? 1 : 0", as: "got" },
        { calculate: `datum.reached ? datum.cost : ${NEVER}`, as: "needed" },
        ...meansOverRuns([], [...GROUP, "series", "measure"]),
        {
          joinaggregate: [{ op: "sum", field: "got", as: "gotThere" }, {
            op: "median",
            field: "needed",
            as: "median",
          }],
          groupby: [...GROUP, "series", "measure"],
        },
        { calculate: "datum.gotThere + '/' + datum.n", as: "share" },
      ],
      width: BESIDE_NAMES,
      height: { step: 17 },
      layer: [
        {
          transform: [{ filter: "datum.reached && isValid(datum.cost)" }],
          mark: { type: "point", filled: true, size: 45, opacity: 0.75, aria: false, tooltip: run },
          encoding: { x, y, color: look, shape: { ...shape, legend: null } },
        },
        {
          transform: [{ filter: "!datum.reached && isValid(datum.cost)" }],
          mark: {
            type: "point",
            shape: "triangle-right",
            filled: false,
            size: 55,
            strokeWidth: 1.5,
            opacity: 1,
            aria: false,
            tooltip: run,
          },
          encoding: { x, y, color: look },
        },
        {
          transform: [ONE_A_GROUP, { filter: `isValid(datum.median) && datum.median < ${NEVER} / 4` }],
          mark: {
            type: "tick",
            orient: "vertical",
            size: 15,
            thickness: 2.5,
            opacity: 1,
            aria: false,
            tooltip: null,
          },
          encoding: { x: { ...x, field: "median" }, y, color: look },
        },
        {
          transform: [ONE_A_GROUP, { filter: `datum.measure === '${MEASURES[0]}'` }],
          mark: {
            type: "text",
            align: "left",
            dx: 3,
            fontSize: 11,
            color: "#333333",
            aria: false,
            tooltip: null,
          },
          encoding: { x: { value: 0 }, y, text: { field: "share", type: "nominal" } },
        },
      ],
    }, { field: "measure", order: MEASURES, orient: "bottom", x: "independent", y: "shared" });
  },
};

/** Median of the last validation losses of the first variant of LoRA, else of full fine-tuning, at the rate that speaks for it. */
export function targetOf({ cells, methods }: Study, task: TaskLabel): number | null {
  for (const id of ["lora", "full"]) {
    const method = methods.find(({ optimizer }) => optimizer === id);
    const losses = cells.filter((cell) => cell.task === task && cell.method === method)
      .flatMap(({ runs }) => runs.map(finalValidationLoss)).filter((loss) => loss !== null);
    if (losses.length > 0) return median(losses);
  }
  return null;
}
