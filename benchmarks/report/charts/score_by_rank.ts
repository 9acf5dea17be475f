/** @file The score of each method by rank, with full fine-tuning as a band behind. */
import { estimate } from "../../statistics.ts";
import type { Cell, Chart, Study, VegaLiteSpec } from "../report.ts";
import { methodScales, theme } from "../styles.ts";
import { type CurvePoint, GREY, methodPanels, MOST_CURVES, own, reference } from "./method_panels.ts";

/** Score by rank with 95% intervals: one line per method, methods without ranks as bands. */
export const scoreByRank: Chart = {
  id: "score-by-rank",
  title: "Score by rank",
  caption:
    "Mean score over seeds with its 95% interval for new seeds and new examples. Methods without a rank, such " +
    "as full fine-tuning, are a line with a band. Points are moved a little sideways so that intervals can be told apart. " +
    "Of many methods each has a panel, with LoRA's scores behind in grey and full fine-tuning's as a dashed line.",
  draw(study) {
    const cells = study.cells.filter((cell) => cell.runs.length > 0);
    if (cells.length === 0) return null;
    const ranked = study.methods.filter((method) =>
      cells.some((cell) => cell.method === method && cell.rank !== null)
    );
    const many = study.methods.length > MOST_CURVES;
    const sideways = (cell: Cell) =>
      many ? 0 : 0.07 * (ranked.indexOf(cell.method) - (ranked.length - 1) / 2);
    const values = cells.map((cell) => {
      const found = estimate(cell.runs.map((run) => run.outcome.scores));
      return {
        mark: cell.rank === null ? "band" : "point",
        task: cell.task.id,
        title: `${cell.task.title} (${cell.task.metric})`,
        method: cell.method.label,
        rank: cell.rank,
        x: cell.rank === null ? null : Math.log2(cell.rank) + sideways(cell),
        score: found.mean,
        low: Math.max(0, found.interval?.low ?? found.mean),
        high: Math.min(1, found.interval?.high ?? found.mean),
        seeds: found.seeds,
      };
    });
    const at = study.ranks.map((rank) => Math.log2(rank));
    // Without ranks there is still a band to show: any domain will do.
    const domain = at.length > 0 ? [Math.min(...at) - 0.4, Math.max(...at) + 0.4] : [-0.4, 0.4];
    const scales = methodScales(study, new Set(values.map(({ method }) => method)));
    const x = {
      field: "x",
      type: "quantitative",
      title: "Rank",
      scale: { domain, nice: false, zero: false },
      axis: { values: at, labelExpr: "format(pow(2, datum.value), 'd')", grid: false },
    };
    const y = { field: "score", type: "quantitative", title: "Score", scale: { zero: false } };
    const band = { transform: [{ filter: "datum.mark === 'band'" }] };
    const point = { transform: [{ filter: "datum.mark === 'point'" }] };
    const high = { field: "high" };
    if (many) return manyPanels(study, values, { x, y });
    return {
      ...theme,
      title: "Score by rank",
      data: { values },
      facet: {
        field: "title",
        type: "nominal",
        title: null,
        sort: study.tasks.map((task) => `${task.title} (${task.metric})`),
      },
      columns: 2,
      resolve: { scale: { y: "independent" } },
      spec: {
        width: 380,
        height: 280,
        layer: [
          {
            ...band,
            mark: { type: "rect", opacity: 0.13 },
            encoding: { y: { ...y, field: "low" }, y2: high, color: scales.color },
          },
          { ...band, mark: { type: "rule", strokeWidth: 2 }, encoding: { y, color: scales.color } },
          {
            ...point,
            mark: { type: "line", strokeWidth: 2 },
            encoding: { x, y, color: scales.color, strokeDash: scales.strokeDash },
          },
          {
            ...point,
            mark: { type: "rule", strokeWidth: 1.5 },
            encoding: { x, y: { ...y, field: "low" }, y2: high, color: scales.color },
          },
          {
            ...point,
            mark: { type: "point", filled: true, size: 70, opacity: 1 },
            encoding: { x, y, color: scales.color, shape: scales.shape },
          },
        ],
      },
    };
  },
};

/** A panel a method: what has no rank as a band. */
function manyPanels(
  study: Study,
  values: readonly (CurvePoint & { readonly score: number })[],
  { x, y }: { readonly x: unknown; readonly y: Readonly<Record<string, unknown>> },
): VegaLiteSpec {
  const full = study.methods.find(({ optimizer }) => optimizer === "full");
  const scaleY = { ...y, axis: { tickCount: 4 } };
  const color = methodScales(study, new Set(values.map(({ method }) => method))).color;
  const unlabelled = { ...color, legend: null };
  const low = { ...scaleY, field: "low" }, high = { field: "high" };
  const only = (kind: { readonly transform: readonly unknown[] }, mark: string) => ({
    transform: [...kind.transform, { filter: `datum.mark === '${mark}'` }],
  });
  return methodPanels(study, "Score by rank", values, (task) => [
    ...values.filter(({ task: id, method }) => id === task && method === full?.label).slice(0, 1).map((
      { score },
    ) => ({
      data: { values: [{ score }] },
      mark: { type: "rule", strokeDash: [4, 3], color: full!.color },
      encoding: { y: scaleY },
    })),
    {
      ...only(reference, "point"),
      mark: { type: "line", strokeWidth: 1.5, color: GREY },
      encoding: { x, y: scaleY },
    },
    {
      ...only(own, "band"),
      mark: { type: "rect", opacity: 0.13 },
      encoding: { y: low, y2: high, color: unlabelled },
    },
    {
      ...only(own, "point"),
      mark: { type: "rule", strokeWidth: 1.5 },
      encoding: { x, y: low, y2: high, color: unlabelled },
    },
    {
      ...only(own, "point"),
      mark: { type: "line", strokeWidth: 2, point: { filled: true, size: 40 } },
      encoding: { x, y: scaleY, color: unlabelled },
    },
  ]);
}
