/** @file Which linear maps a method that shares out a budget of ranks, as AdaLoRA does, leaves how many. */
import type { Chart } from "./chart.ts";
import { runRows } from "../drawing/filters.ts";
import { heatLayers } from "../drawing/heat.ts";
import { GROUP, meansOverRuns, meansTooltip, ONE_A_GROUP } from "../drawing/means.ts";
import { grid, rankColumns } from "../drawing/panels.ts";

/** What AdaLoRA calls its curves: "rank/layers.0.mlp.up_proj". */
const RANK = "rank/";

/** Ranks at the end of training, by layer and map. */
export const ranksKept: Chart = {
  id: "ranks-kept",
  title: "Which linear maps keep how many ranks?",
  caption:
    "Ranks that AdaLoRA's budget leaves each linear map at the end of training, mean over seeds. A column " +
    "is a layer, a row a map within it, a panel a target rank. Light maps keep more. The chart “What do " +
    "methods tell of themselves?” shows how it came to that.",
  draw(study) {
    const rows = runRows(study, ({ outcome: { inspected } }) => {
      const last = Object.entries(inspected).filter(([name, points]) =>
        name.startsWith(RANK) && points.length > 0
      )
        .map(([name, points]) => ({ ...placeOf(name.slice(RANK.length)), kept: points.at(-1)!.value }));
      if (last.length === 0) return null;
      return {
        layer: last.map(({ layer }) => layer),
        map: last.map(({ map }) => map),
        kept: last.map(({ kept }) => kept),
      };
    });
    if (rows.length === 0) return null;
    return grid(study, {
      title: ranksKept.title,
      subtitle: "Mean rank over seeds at the end of training",
      rows,
      transform: [
        { flatten: ["layer", "map", "kept"] },
        ...meansOverRuns(["kept"], [...GROUP, "layer", "map"]),
        ONE_A_GROUP,
        { joinaggregate: [{ op: "max", field: "keptMean", as: "mostKept" }], groupby: [] },
      ],
      height: { step: 24 },
      layer: heatLayers({
        x: {
          field: "layer",
          title: "Layer",
          sort: [...new Set(rows.flatMap(({ layer }) => layer))],
          axis: { labelAngle: 0 },
        },
        y: { field: "map", sort: [...new Set(rows.flatMap(({ map }) => map))] },
        color: {
          field: "keptMean",
          scale: { domainMin: 0 },
          legend: { title: "rank" },
        },
        text: { field: "keptMean", format: ".2~f", dark: "datum.keptMean < 0.6 * datum.mostKept" },
        tooltip: meansTooltip([{ heading: "Rank", field: "kept" }], [
          { heading: "Layer", field: "layer", format: "" },
          { heading: "Map", field: "map", format: "" },
        ]),
      }),
    }, { ...rankColumns(study), x: "independent", y: "shared" });
  },
};

/** "0" and "mlp.up_proj" for "layers.0.mlp.up_proj", "encoder 0" for an encoder's. */
function placeOf(targetModule: string): { readonly layer: string; readonly map: string } {
  const found = /^(?:(.+)\.)?(?:layers?|blocks?)\.(\d+)\.(.+)$/.exec(targetModule);
  if (!found) return { layer: "—", map: targetModule };
  return { layer: [found[1], found[2]].filter((part) => part !== undefined).join(" "), map: found[3]! };
}
