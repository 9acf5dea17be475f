/** @file How far each method's equivalent gradient is from the full gradient, from the first layer to the last. */
import type { Discrepancy } from "../../../training/run.ts";
import type { Chart } from "./chart.ts";
import { drawCurves, EXACT, meansBy, short } from "../drawing/curves.ts";
import { runRows } from "../drawing/filters.ts";

/** Gradient discrepancy by layer, against the least that each method's factors could reach. */
export const discrepancyByLayer: Chart = {
  id: "discrepancy-by-layer",
  title: "How far from the full gradient is each method, layer by layer?",
  caption:
    "‖g̃ − G‖ / ‖G‖ by layer, in the order of the model (an encoder's before the decoder's): mean over a layer's maps and " +
    "the measured steps, logarithmic, each run faint and the mean over seeds strong. Dashed: the least that any low-rank " +
    "step from the same factors could reach. Maps outside layers have no place here. Of many methods each has a panel, " +
    "with LoRA's mean behind in grey.",
  draw: (study) =>
    drawCurves(study, {
      title: discrepancyByLayer.title,
      subtitle: "Dashed: the least possible with the same factors",
      rows: runRows(study, ({ outcome: { discrepancies } }) => {
        const inLayers = discrepancies.filter((one) => layerOf(one) !== null);
        const layers = [...new Set(inLayers.map(layerOf))];
        const errors = meansBy(inLayers, layerOf, (one) => one.gradientError);
        const bounds = meansBy(inLayers, layerOf, (one) => one.lowerBound);
        const far = layers.filter((layer) => errors.get(layer)! > EXACT);
        if (far.length === 0) return null;
        return {
          step: far.map((layer) => layers.indexOf(layer) + 1),
          value: far.map((layer) => short(errors.get(layer)!)),
          bound: far.map((layer) => {
            const bound = bounds.get(layer);
            return bound !== undefined && bound > EXACT ? short(bound) : null;
          }),
        };
      }),
      x: { title: "Layer", axis: { tickMinStep: 1 }, scale: { zero: false, padding: 8 } },
      y: { title: "‖g̃ − G‖ / ‖G‖" },
    }),
};

/** "encoder.layers.2" of "encoder.layers.2.mlp.gate_proj"; null where a name has no number. */
function layerOf({ targetModule }: Discrepancy): string | null {
  return /^.*?\.\d+(?=\.|$)/.exec(targetModule)?.[0] ?? null;
}
