/** @file What a step of the paper's sizes should cost on a given GPU: a prediction, not a measurement. */
import { z } from "zod";
import type { KnownOptimizer } from "../../../training/configuration.ts";
import type { RunConfig } from "../../../training/run.ts";
import { countStep, flopsOf, type StepCount } from "../../../training/cost/work.ts";
import type { Fit } from "./fit.ts";
import { type PaperSize, paperSizes } from "./paper_sizes.ts";

const rate = z.number().positive();

/** What a GPU can do, and how much of it a step is taken to reach. */
export const GpuRates = z.strictObject({
  /** Where the rates are from. */
  name: z.string().min(1),
  /** Learning rate of products of 16-bit floats, in 10¹² FLOP/s. */
  tflops: rate,
  /** Learning rate of memory, in 10⁹ bytes/s. */
  gbs: rate,
  /** Share of both that is reached. */
  efficiency: rate.max(1),
});
export type GpuRates = z.infer<typeof GpuRates>;

/** NVIDIA's published peak rates of the A100 80 GB SXM: bfloat16 products, dense; HBM2e. The efficiency is assumed. */
export const a100: GpuRates = {
  name: "NVIDIA A100 80 GB SXM (published peak rates)",
  tflops: 312,
  gbs: 2039,
  efficiency: 0.4,
};

/** A predicted cost. */
export interface Prediction {
  readonly size: PaperSize;
  readonly flops: number;
  /** One step. */
  readonly seconds: number;
  /** Weights, factors, gradients and state. */
  readonly persistentBytes: number;
  /** All of these and the activations of one part of the batch. */
  readonly peakBytes: number;
}

/** Weights, activations and their traffic are in 16-bit floats, what training adds in 32-bit ones. */
const HALF = 2, SINGLE = 4;

/**
 * Predicts every paper size for one method.
 *
 * Time is FLOPs over the GPU's rate plus traffic over its bandwidth, the terms of the fit with the machine's
 * coefficients exchanged; its constants, what a dispatch costs, are left out. Memory keeps the fit's own coefficients,
 * how many bytes are alive for each that is counted: those belong to the program.
 */
export function predict(
  method: Pick<KnownOptimizer, "stepWork">,
  options: RunConfig["optimizer"]["options"],
  memory: Fit,
  gpu: GpuRates,
): Prediction[] {
  return paperSizes.map((size) => {
    const count = countPaperSize(size, method, options);
    const flops = flopsOf(count);
    const bytes = HALF * count.elements + SINGLE * count.updateElements;
    const persistentBytes = HALF * count.parameters + SINGLE * count.added;
    return {
      size,
      flops,
      seconds: (flops / (gpu.tflops * 1e12) + bytes / (gpu.gbs * 1e9)) / gpu.efficiency,
      persistentBytes,
      peakBytes: memory.coefficients["persistent"]! * persistentBytes +
        memory.coefficients["activations"]! * HALF * count.activations,
    };
  });
}

/** Counts a step of a paper size at the paper's rank. */
export function countPaperSize(
  { architecture, adapts, rank, batchSize, accumulate }: PaperSize,
  method: Pick<KnownOptimizer, "stepWork">,
  options: RunConfig["optimizer"]["options"],
): StepCount {
  return countStep({
    architecture,
    batchSize,
    accumulate,
    targetModules: new Set(architecture.maps.filter(adapts).map(({ name }) => name)),
    method,
    options: "rank" in options ? { ...options, rank } : options,
  });
}
