/** @file Intervals that a chart has room for: what is far wider than all values is cut, and its end has an arrow. */

/** An SVG path that points up: triangles are some methods' own. */
export const ARROWHEAD = "M-1,0.9L0,-1.1L1,0.9L0,0.2Z";

/**
 * Transforms that cut a field's interval, `<field>Low` to `<field>High` of `meansOverRuns`, to "low" and "high": half the
 * range of all values beyond it says as much. "lowEnd" and "highEnd" are where it really ends.
 *
 * @param most an expression for what no value can be above; below 0 is none
 */
export function cutInterval(field: string, groupby: readonly string[], most: string): readonly object[] {
  return [
    {
      joinaggregate: [{ op: "min", field, as: "leastOfAll" }, { op: "max", field, as: "mostOfAll" }],
      groupby: [...groupby],
    },
    { calculate: "(datum.mostOfAll - datum.leastOfAll) / 2", as: "beyond" },
    { calculate: `max(0, datum.${field}Low)`, as: "lowEnd" },
    { calculate: `min(${most}, datum.${field}High)`, as: "highEnd" },
    { calculate: `min(datum.${field}Mean, max(datum.lowEnd, datum.leastOfAll - datum.beyond))`, as: "low" },
    { calculate: `max(datum.${field}Mean, min(datum.highEnd, datum.mostOfAll + datum.beyond))`, as: "high" },
  ];
}

/**
 * Layers with an arrow at each end that was cut.
 *
 * @param axis along which the interval lies
 * @param channel that of its values, without a field
 * @param others the other channels of its marks
 */
export function cutEnds(
  axis: "x" | "y",
  where: readonly object[],
  channel: object,
  others: object,
  mark: object = {},
): readonly object[] {
  const quiet = { aria: false, tooltip: null };
  const arrow = (end: "low" | "high", cut: string, angle: number) => ({
    transform: [...where, { filter: cut }],
    mark: { type: "point", shape: ARROWHEAD, angle, filled: true, size: 70, opacity: 1, ...quiet, ...mark },
    encoding: { [axis]: { ...channel, field: end }, ...others },
  });
  return [
    arrow("low", "datum.lowEnd < datum.low", axis === "x" ? 270 : 180),
    arrow("high", "datum.highEnd > datum.high", axis === "x" ? 90 : 0),
  ];
}
