/** @file A chart as notebooks show it: live where they know Vega-Lite, else as an SVG. */
import type { VegaLiteSpec } from "../drawing/lay_out.ts";
import { renderSvg } from "../render.ts";

/** Deno's Jupyter kernel asks a cell's value for this. */
const DISPLAY = Symbol.for("Jupyter.display");

/** The major version of Vega-Lite that Jupyter's frontends read. */
const MIME = "application/vnd.vegalite.v5+json";
const SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json";

/** The same chart, with what it is by MIME type under `Symbol.for("Jupyter.display")`. */
export function inNotebooks<
  C extends { readonly id: string; readonly title: string; readonly spec: VegaLiteSpec },
>(
  chart: C,
): C {
  return {
    ...chart,
    [DISPLAY]: async () => ({
      [MIME]: { ...chart.spec, $schema: SCHEMA },
      "image/svg+xml": await renderSvg(chart.spec, chart.id),
      "text/plain": chart.title,
    }),
  };
}
