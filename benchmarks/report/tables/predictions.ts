/** @file What the paper's sizes would cost on a given GPU. */
import { formatLargeBytes, formatSeconds, formatSignificant } from "../format.ts";
import type { Study } from "../../study/study.ts";
import type { Table } from "../table.ts";

/** Predicted costs by job and method; null where nothing was fitted. */
export function predictionsTable(study: Study): Table | null {
  const [growth] = study.growth;
  const lines = growth?.methods.filter(({ predictions }) => predictions.length > 0) ?? [];
  const jobs = lines[0]?.predictions.map(({ size }) => size) ?? [];
  const rows = jobs.flatMap((job, i) =>
    lines.map(({ method, predictions }) => {
      const { flops, seconds, persistentBytes, peakBytes } = predictions[i]!;
      return [
        job.title,
        method.label,
        formatSignificant(flops / 1e12),
        formatSeconds(seconds),
        job.steps === null ? "—" : formatSeconds(seconds * job.steps),
        formatLargeBytes(persistentBytes),
        formatLargeBytes(peakBytes),
      ];
    })
  );
  if (rows.length === 0) return null;
  const { name, tflops, gbs, efficiency } = study.gpu;
  return {
    title: "What the paper's sizes would cost: a prediction, not a measurement",
    note:
      `Nothing here was run. One GPU: ${name}, ${tflops} TFLOP/s and ${gbs} GB/s, of both of which a share of ` +
      `${efficiency} is assumed to be reached (not measured; --gpu-tflops, --gpu-gbs and --gpu-efficiency set others). ` +
      "Permanent is weights, factors, gradients and state. Rank 8, full batches, one GPU with room for everything, Llama's 32 examples one after the other. Time is " +
      "counted FLOPs and traffic over those rates, without what dispatches, small decompositions and data loading " +
      "cost. Weights and activations are taken as 16-bit floats, factors, gradients and state as 32-bit ones. Peak uses " +
      "the multiples that were fitted to this program's small models, thousands of times smaller: an order of " +
      "magnitude, not a promise.",
    columns: ["Job", "Method", "TFLOP a step", "Step", "One run", "Permanent", "Peak"],
    rows,
  };
}
