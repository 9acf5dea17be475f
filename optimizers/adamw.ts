/** @file The AdamW rule over a list of parameters. */
import type { Gradients, Parameter } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { byteLength, ELEMENT_BYTES, type Tensor } from "../gpu/tensor.ts";
import { adamwUpdate } from "../kernels/mod.ts";
import type { PackSizes, StepInfo } from "./optimizer.ts";

/** Settings of AdamW. */
export type AdamwOptions = {
  /** Decay of the first moment, from 0 to below 1. */
  beta1: number;
  /** Decay of the second moment, from 0 to below 1. */
  beta2: number;
  /** Added to the root of the second moment. */
  epsilon: number;
  /** Decoupled weight decay, 0 or more. */
  weightDecay: number;
};
/** PyTorch's defaults, but no decay: none of the paper's runs has any. */
export const adamwDefaults: AdamwOptions = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

/**
 * AdamW's update of one number by formula: six FLOPs for the moments, six for the step; it reads parameter, gradient
 * and both moments, and writes all but the gradient.
 */
export const ADAMW_WORK = { flops: 12, elements: 7, state: 2 } as const;

/** Moments of parameters of these sizes, by formula; see `Footprint.state`. */
export function adamwState(sizes: PackSizes): readonly PackSizes[] {
  return sizes.length > 0 ? [sizes, sizes] : [];
}

/** What is wrong with settings of AdamW, in one sentence, or null. */
export function validateAdamw(options: AdamwOptions): string | null {
  const { beta1, beta2, epsilon, weightDecay } = options;
  if (!(beta1 >= 0 && beta1 < 1)) return `beta1 is ${beta1}, a number from 0 to below 1 is needed`;
  if (!(beta2 >= 0 && beta2 < 1)) return `beta2 is ${beta2}, a number from 0 to below 1 is needed`;
  if (!(epsilon > 0)) return `epsilon is ${epsilon}, a positive number is needed`;
  if (!(weightDecay >= 0)) return `weightDecay is ${weightDecay}, 0 or more is needed`;
  return null;
}

/** AdamW at work on some parameters. */
export interface Adamw {
  /** First and second moments. */
  readonly state: readonly Parameter[];
  /** Follows `gradients`: all in place, few dispatches where parameters and gradients lie side by side. */
  step(gradients: Gradients, at: StepInfo): void;
}

/**
 * Creates zero moments for `parameters` in the caller's scope.
 *
 * @param epsilonAt epsilon of a step; that of the options where absent
 */
export function createAdamw(
  gpu: Gpu,
  parameters: readonly Parameter[],
  options: AdamwOptions,
  epsilonAt: (step: number) => number = () => options.epsilon,
): Adamw {
  const moments = (kind: string) =>
    gpu.pack(parameters.map(({ name, value }) => ({ label: `${name}.${kind}`, shape: value.shape })), kind)
      .parts;
  const m = moments("m"), v = moments("v");
  let stretches: readonly Stretch[] = [];
  let known: Gradients | null = null;
  return {
    state: [...m, ...v].map((value) => ({ name: value.label, value })),
    step(gradients, { step, learningRate }) {
      if (gradients !== known) {
        stretches = joinNeighbours(parameters.map((parameter, i) => ({
          parameter: parameter.value,
          gradient: gradients.of(parameter),
          m: m[i]!,
          v: v[i]!,
        })));
        known = gradients;
      }
      const update = { step, learningRate, ...options, epsilon: epsilonAt(step) };
      for (const stretch of stretches) adamwUpdate(gpu, stretch, update);
    },
  };
}

interface Stretch {
  readonly parameter: Tensor;
  readonly gradient: Tensor;
  readonly m: Tensor;
  readonly v: Tensor;
}

/** Merges parts that lie at equal distances in all four buffers; the zeros between them stay zeros under AdamW. */
function joinNeighbours(parts: readonly Stretch[]): readonly Stretch[] {
  const out: Stretch[] = [];
  for (const part of parts) {
    const last = out.at(-1);
    const distance = last ? part.parameter.offset - last.parameter.offset : 0;
    const follows = last !== undefined && distance > 0 &&
      KEYS.every((key) =>
        part[key].buffer === last[key].buffer && part[key].offset - last[key].offset === distance
      ) && distance < byteLength(last.parameter) + 2 * 256;
    if (!follows) {
      out.push(part);
      continue;
    }
    const shape = [(distance + byteLength(part.parameter)) / ELEMENT_BYTES];
    out[out.length - 1] = {
      parameter: { ...last.parameter, shape },
      gradient: { ...last.gradient, shape },
      m: { ...last.m, shape },
      v: { ...last.v, shape },
    };
  }
  return out;
}
const KEYS = ["parameter", "gradient", "m", "v"] as const;
