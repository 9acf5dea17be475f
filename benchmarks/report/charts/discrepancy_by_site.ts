/** @file How far each method's equivalent gradient is from the full gradient, map by map. */
import { WEIGHT_KINDS, weightKindOf } from "../../../models/weight_kind.ts";
import { mean } from "../../statistics.ts";
import type { Chart } from "../report.ts";
import { taskRows } from "../styles.ts";
import { EXACT, panelOrder, panelsOf } from "./by_step.ts";

/** A row's height in pixels. */
const ROW = 17;

/** Gradient discrepancy of each linear map: by kind of weight and depth. */
export const discrepancyBySite: Chart = {
  id: "discrepancy-by-site",
  title: "Gradient discrepancy by linear map",
  caption:
    "‖g̃ − G‖ / ‖G‖ of each linear map, mean over measured steps and seeds: maps of a kind side by side, each from the " +
    "first layer to the last. Dark is near the full gradient; the scale of colours is logarithmic and a task's own. " +
    "Methods that follow the full gradient exactly are left out.",
  draw(study) {
    const values = study.cells.flatMap((cell) => {
      const found = cell.runs.flatMap((run) => run.outcome.discrepancies);
      return [...Map.groupBy(found, (one) => one.site)].flatMap(([site, ones]) => {
        const discrepancy = mean(ones.map((one) => one.gradientError));
        if (discrepancy <= EXACT) return [];
        const row = { task: cell.task.id, method: cell.method.label, site, discrepancy };
        return panelsOf(study, cell).map((column) => ({ ...row, column, map: nameOf(site) }));
      });
    });
    if (values.length === 0) return null;
    const methods = study.methods.map(({ label }) => label).filter((label) =>
      values.some(({ method }) => method === label)
    );
    const sites = [...new Set(values.map(({ site }) => site))].sort((a, b) => compareSites(a, b));
    return taskRows(study, discrepancyBySite.title, values, { order: panelOrder(study), sharedX: true }, [{
      mark: { type: "rect", tooltip: true },
      encoding: {
        x: {
          field: "map",
          type: "nominal",
          title: null,
          sort: [...new Set(sites.map(nameOf))],
          axis: { labelAngle: -90, labelOverlap: true, labelFontSize: 10, grid: false },
        },
        y: {
          field: "method",
          type: "nominal",
          title: null,
          sort: methods,
          axis: { labelLimit: 480, grid: false },
        },
        color: {
          field: "discrepancy",
          type: "quantitative",
          title: "‖g̃ − G‖ / ‖G‖",
          scale: { type: "log", scheme: "viridis", nice: false },
          legend: { format: "~g", tickCount: 5 },
        },
      },
    }], { height: ROW * methods.length });
  },
};

/** "gate 2" for "layers.2.mlp.gate_proj". */
function nameOf(site: string): string {
  return `${lastOf(site).replace(/_proj$/, "")} ${layerOf(site)}`;
}

function compareSites(a: string, b: string): number {
  return kindOf(a) - kindOf(b) || lastOf(a).localeCompare(lastOf(b), "en") || layerOf(a) - layerOf(b);
}

function kindOf(site: string): number {
  const kind = weightKindOf(site);
  return kind === null ? WEIGHT_KINDS.length : WEIGHT_KINDS.indexOf(kind);
}

function lastOf(site: string): string {
  return site.split(".").at(-1)!;
}

function layerOf(site: string): number {
  return Number(/\d+/.exec(site)?.[0] ?? 0);
}
