/** @file The cells of a heat map, and what they say. */

/** An axis with a cell for each value. */
export interface HeatAxis {
  readonly field: string;
  readonly sort: readonly string[];
  readonly title?: string;
  /** What else an axis of Vega-Lite has. */
  readonly axis?: object;
}

/** The layers of a heat map. */
export interface Heat {
  readonly x: HeatAxis;
  readonly y: HeatAxis;
  /** From dark to light. */
  readonly color: { readonly field: string; readonly scale?: object; readonly legend: object | null };
  /** A cell's text, on what is dark where the expression `dark` holds. */
  readonly text?: { readonly field: string; readonly format: string; readonly dark: string };
  readonly tooltip: object;
}

/** Cells in viridis, whose lightness grows with the value: it reads in grey, and by all eyes. */
export function heatLayers({ x, y, color, text, tooltip }: Heat): readonly object[] {
  const place = Object.fromEntries(
    Object.entries({ x, y }).map(([channel, { field, sort, title = null, axis }]) => [channel, {
      field,
      type: "nominal",
      title,
      sort,
      axis: { grid: false, domain: false, ticks: false, labelLimit: 480, ...axis },
    }]),
  );
  return [
    {
      mark: { type: "rect", stroke: "white", aria: false, tooltip },
      encoding: {
        ...place,
        color: {
          field: color.field,
          type: "quantitative",
          scale: { scheme: "viridis", ...color.scale },
          legend: color.legend,
        },
      },
    },
    ...text
      ? [{
        mark: { type: "text", fontSize: 12, aria: false, tooltip },
        encoding: {
          ...place,
          text: { field: text.field, type: "quantitative", format: text.format },
          color: { condition: { test: text.dark, value: "white" }, value: "black" },
        },
      }]
      : [],
  ];
}
