/** @file Where a model's parameters get their values: a checkpoint, or seeded random numbers. */
import type { HalfParameter, Parameter } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { elementCount, type Shape } from "../gpu/tensor.ts";
import type { Random } from "../numerics/random.ts";
import { CheckpointError } from "./checkpoints/checkpoint.ts";

/** Values of a parameter, by its name in the checkpoint and its shape. */
export type WeightSource = (name: string, shape: Shape) => Float32Array<ArrayBuffer>;

/** Name and shape of each parameter of an architecture, in order. */
export type ParameterList = readonly { readonly name: string; readonly shape: Shape }[];

/** Parameters by name, side by side on the GPU. */
export interface LoadedParameters {
  /** Those that may be trained. */
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** Those in 16-bit floats. */
  readonly halves: ReadonlyMap<string, HalfParameter>;
}

/**
 * Loads parameters into the caller's scope. Those that `half` names are rounded to the nearest 16-bit float on the way, so
 * they never take 32 bits on the GPU.
 *
 * @throws {CheckpointError} where a value lies beyond 16-bit floats
 */
export function loadParameters(
  gpu: Gpu,
  list: ParameterList,
  source: WeightSource,
  half: ReadonlySet<string> = new Set(),
): LoadedParameters {
  const entries = (some: ParameterList) => some.map(({ name, shape }) => ({ label: name, shape }));
  const whole = list.filter(({ name }) => !half.has(name)),
    halved = list.filter(({ name }) => half.has(name));
  const wholes = gpu.pack(entries(whole), "weights").parts;
  const parameters = new Map(whole.map(({ name }, i) => [name, { name, value: wholes[i]! }]));
  const halfParts = gpu.pack(entries(halved), "half weights", "f16").parts;
  const halves = new Map(halved.map(({ name }, i) => [name, { name, value: halfParts[i]! }]));
  for (const { name, shape } of list) {
    const data = source(name, shape), parameter = parameters.get(name);
    if (parameter) gpu.write(parameter.value, data);
    else gpu.write(halves.get(name)!.value, toFloat16(name, data));
  }
  return { parameters, halves };
}

function toFloat16(name: string, data: Float32Array<ArrayBuffer>): Float16Array<ArrayBuffer> {
  const rounded = new Float16Array(data);
  const at = rounded.findIndex((value, i) => !Number.isFinite(value) && Number.isFinite(data[i]));
  if (at >= 0) {
    throw new CheckpointError(
      `Cannot keep "${name}" in 16-bit floats: element ${at} is ${data[at]}, 65504 is the most`,
    );
  }
  return rounded;
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
