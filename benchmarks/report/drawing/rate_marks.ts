/** @file What the charts of learning rates add to their curves: the rate that speaks for a method, edges, divergence. */

/** An axis of rates. */
export const RATE_AXIS = {
  title: "Peak learning rate",
  axis: { tickCount: 4 },
  scale: { type: "log", padding: 14 },
};

/**
 * A ring around the rate that speaks for a method, the word "edge" where it is the first or last that was tried, and a
 * cross at the top of the panel where runs diverged. Rows have the fields "edge" and "diverged".
 */
export function rateMarks(x: object, y: object, where: readonly object[], look: object): readonly object[] {
  const best = [...where, { filter: "datum.member === 1 && datum.best && isValid(datum.valueMean)" }];
  const quiet = { aria: false, tooltip: null };
  return [
    {
      transform: best,
      mark: {
        type: "point",
        shape: "circle",
        filled: false,
        size: 170,
        strokeWidth: 1.5,
        opacity: 1,
        ...quiet,
      },
      encoding: { x, y, ...look },
    },
    {
      transform: [...best, { filter: "datum.edge" }],
      mark: { type: "text", text: "edge", dy: -13, fontSize: 11, ...quiet },
      encoding: { x, y, ...look },
    },
    {
      transform: [...where, { filter: "datum.diverged" }],
      mark: { type: "point", shape: "cross", angle: 45, filled: true, size: 50, opacity: 1, ...quiet },
      encoding: { x: { ...x, field: "x" }, y: { value: 6 }, ...look },
    },
  ];
}
