/** @file Where a model's parameters get their values: a checkpoint, or seeded random numbers. */
import type { Parameter } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { elementCount, type Shape } from "../gpu/tensor.ts";
import type { Random } from "../numerics/random.ts";

/** Values of a parameter, by its name in the checkpoint and its shape. */
export type WeightSource = (name: string, shape: Shape) => Float32Array<ArrayBuffer>;

/** Name and shape of each parameter of an architecture, in order. */
export type ParameterList = readonly { readonly name: string; readonly shape: Shape }[];

/** Parameters by name, side by side on the GPU, in the caller's scope. */
export function loadParameters(
  gpu: Gpu,
  list: ParameterList,
  source: WeightSource,
): ReadonlyMap<string, Parameter> {
  const { parts } = gpu.pack(list.map(({ name, shape }) => ({ label: name, shape })), "weights");
  return new Map(list.map(({ name, shape }, i) => {
    const value = parts[i]!;
    gpu.write(value, source(name, shape));
    return [name, { name, value }];
  }));
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
