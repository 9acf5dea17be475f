/** @file How far each method's equivalent gradient is from the full gradient, map by map. */
import { WEIGHT_KINDS, weightKindOf } from "../../../models/weight_kind.ts";
import type { Chart } from "./chart.ts";
import { EXACT, meansBy, short } from "../drawing/curves.ts";
import { runRows } from "../drawing/filters.ts";
import { heatLayers } from "../drawing/heat.ts";
import { GROUP, meansOverRuns, meansTooltip, ONE_A_GROUP } from "../drawing/means.ts";
import { grid, rankColumns } from "../drawing/panels.ts";
import { methodOrder, NUMBERS } from "../drawing/scales.ts";

/** Gradient discrepancy of each linear map: by kind of weight and depth. */
export const discrepancyByModule: Chart = {
  id: "discrepancy-by-module",
  title: "How far from the full gradient is each method, map by map?",
  caption:
    "‖g̃ − G‖ / ‖G‖ of each linear map, mean over measured steps and seeds: maps of a kind side by side, each from the " +
    "first layer to the last. Dark is near the full gradient; the scale of colours is logarithmic. " +
    "Methods that follow the full gradient exactly are left out.",
  draw(study) {
    const rows = runRows(study, ({ outcome: { discrepancies } }) => {
      const means = [
        ...meansBy(discrepancies, ({ targetModule }) => targetModule, (one) => one.gradientError),
      ]
        .filter(([, error]) => error > EXACT);
      if (means.length === 0) return null;
      return {
        map: means.map(([targetModule]) => nameOf(targetModule)),
        error: means.map(([, error]) => short(error)),
      };
    });
    if (rows.length === 0) return null;
    const targetModules = study.cells.flatMap(({ grid }) =>
      grid.flatMap(({ runs }) =>
        runs.flatMap(({ outcome }) => outcome.discrepancies.map(({ targetModule }) => targetModule))
      )
    );
    const maps = [...new Set(targetModules)].sort(compareTargetModules).map(nameOf);
    return grid(study, {
      title: discrepancyByModule.title,
      rows,
      transform: [
        { flatten: ["map", "error"] },
        ...meansOverRuns(["error"], [...GROUP, "map"]),
        ONE_A_GROUP,
      ],
      height: { step: 17 },
      layer: heatLayers({
        x: {
          field: "map",
          sort: [...new Set(maps)],
          axis: { labelAngle: -90, labelOverlap: true, labelFontSize: 11 },
        },
        y: { field: "method", sort: methodOrder(study, rows) },
        color: {
          field: "errorMean",
          scale: { type: "log", nice: false },
          legend: { title: "‖g̃ − G‖ / ‖G‖", ...NUMBERS, tickCount: 5 },
        },
        tooltip: meansTooltip([{ heading: "‖g̃ − G‖ / ‖G‖", field: "error" }], [
          { heading: "Map", field: "map", format: "" },
        ]),
      }),
    }, { ...rankColumns(study), x: "independent", y: "shared" });
  },
};

/** "gate 2" for "layers.2.mlp.gate_proj". */
function nameOf(targetModule: string): string {
  return `${lastOf(targetModule).replace(/_proj$/, "")} ${layerOf(targetModule)}`;
}

function compareTargetModules(a: string, b: string): number {
  return kindOf(a) - kindOf(b) || lastOf(a).localeCompare(lastOf(b), "en") || layerOf(a) - layerOf(b);
}

function kindOf(targetModule: string): number {
  const kind = weightKindOf(targetModule);
  return kind === null ? WEIGHT_KINDS.length : WEIGHT_KINDS.indexOf(kind);
}

function lastOf(targetModule: string): string {
  return targetModule.split(".").at(-1)!;
}

function layerOf(targetModule: string): number {
  return Number(/\d+/.exec(targetModule)?.[0] ?? 0);
}
