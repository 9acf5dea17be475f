/** @file Where a model's parameters get their values: a checkpoint, or seeded random numbers. */
import type { LowPrecisionParameter, Parameter } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { elementCount, LOW_PRECISIONS, type LowPrecision, lowPrecision, type Shape } from "../gpu/tensor.ts";
import type { Random } from "../numerics/random.ts";
import { CheckpointError, release } from "./checkpoints/checkpoint.ts";

/** Values of a parameter, by its name in the checkpoint and its shape: each time a new array, which is the caller's own. */
export type WeightSource = (name: string, shape: Shape) => Float32Array<ArrayBuffer>;

/** What a new head begins with: seeded random numbers, the same for all runs, or what the source of weights has for it. */
export type HeadValues = "seeded" | "given";

/** Name and shape of each parameter of an architecture, in order. */
export type ParameterList = readonly { readonly name: string; readonly shape: Shape }[];

/** Parameters by name, side by side on the GPU. */
export interface LoadedParameters {
  /** Those that may be trained. */
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** Those that are frozen in low precision. */
  readonly frozen: ReadonlyMap<string, LowPrecisionParameter>;
}

/** What weights are kept in, by the names of their target modules or their own; others take 32 bits. */
export type Precisions = ReadonlyMap<string, LowPrecision>;

/**
 * Loads parameters into the caller's scope, one after the other: the host has the values of one at a time. Those that `precisions` names are rounded on the way, so they never take 32 bits
 * on the GPU.
 *
 * @throws {CheckpointError} where a value lies beyond what it is to be kept in
 */
export function loadParameters(
  gpu: Gpu,
  list: ParameterList,
  source: WeightSource,
  precisions: Precisions = new Map(),
): LoadedParameters {
  const entries = (some: ParameterList) => some.map(({ name, shape }) => ({ label: name, shape }));
  const whole = list.filter(({ name }) => !precisions.has(name));
  const wholes = gpu.pack(entries(whole), "weights").parts;
  const parameters = new Map(whole.map(({ name }, i) => [name, { name, value: wholes[i]! }]));
  const frozen = new Map(LOW_PRECISIONS.flatMap((type) => {
    const some = list.filter(({ name }) => precisions.get(name) === type);
    const { parts } = gpu.pack(entries(some), `weights in ${type}`, type);
    return some.map(({ name }, i) => [name, { name, value: parts[i]! }] as const);
  }));
  for (const { name, shape } of list) {
    const data = source(name, shape), parameter = parameters.get(name);
    if (parameter) gpu.write(parameter.value, data);
    else {
      const { value } = frozen.get(name)!;
      validateRange(name, data, value.dtype);
      gpu.write(value, lowPrecision(data, value.dtype));
    }
    release(data);
  }
  return { parameters, frozen };
}

function validateRange(name: string, data: Float32Array, type: LowPrecision): void {
  // Quantized blocks are scaled by their largest number, which only has to be one.
  const most = type === "f16" ? 65504 : 3.4028234663852886e38;
  // 16-bit floats keep infinities and NaN; 65,520 is the first number that would become one.
  const at = type === "f16"
    ? data.findIndex((value) => Number.isFinite(value) && !Number.isFinite(Math.f16round(value)))
    : data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) {
    throw new CheckpointError(
      `Cannot keep "${name}" as ${type}: element ${at} is ${data[at]}, ${most} is the most`,
    );
  }
}

/**
 * Weights to pretrain from: norms are the identity, biases 0, matrices normal with deviation 1 / sqrt(3 in),
 * tables and positions normal with deviation 0.02.
 */
export function initialWeights(random: Random): WeightSource {
  return (name, shape) => {
    const count = elementCount(shape);
    if (name.endsWith(".bias")) return new Float32Array(count);
    if (/norm\d?\.weight$/.test(name)) return new Float32Array(count).fill(1);
    const inputs = elementCount(shape.slice(1));
    const table = name.includes("embed") && !name.includes("patch");
    return random.fork(name).normal(count, table ? 0.02 : Math.sqrt(1 / (3 * inputs)));
  };
}
