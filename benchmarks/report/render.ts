/** @file From a chart's specification to an SVG, without a browser. */
import * as vega from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { VegaLiteSpec } from "./drawing/lay_out.ts";

/**
 * Draws a chart. The same specification gives the same text.
 *
 * @param prefix for the ids inside, which must differ between charts on one page
 */
export async function renderSvg(spec: VegaLiteSpec, prefix: string): Promise<string> {
  const view = new vega.View(vega.parse(compileChart(spec)), { renderer: "none", logger: silent });
  try {
    const svg = await view.toSVG();
    return renameIds(svg, prefix);
  } finally {
    view.finalize();
  }
}

/** A chart's specification as Vega takes it. */
export function compileChart(spec: VegaLiteSpec): vega.Spec {
  // The compiler's own type wants literal unions that a plain JSON object doesn't have.
  return compile(spec as unknown as TopLevelSpec, { logger: silent }).spec;
}

/** Vega counts its clip paths and gradients over the life of the process: here they count from 0 in each chart. */
function renameIds(svg: string, prefix: string): string {
  const names = new Map([...svg.matchAll(/ id="([^"]+)"/g)].map(([, id], i) => [id!, `${prefix}-${i}`]));
  return svg
    .replaceAll(/ id="([^"]+)"/g, (_, id: string) => ` id="${names.get(id)}"`)
    .replaceAll(/url\(#([^)]+)\)/g, (_, id: string) => `url(#${names.get(id)})`)
    .replaceAll(/href="#([^"]+)"/g, (_, id: string) => `href="#${names.get(id)}"`);
}

const silent: vega.LoggerInterface = {
  level: () => silent,
  error: () => silent,
  warn: () => silent,
  info: () => silent,
  debug: () => silent,
} as unknown as vega.LoggerInterface;
