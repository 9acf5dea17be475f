/** @file Gradients of the trainable parameters: packed, for the whole run. */
import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Gradients, Parameter } from "./tape.ts";

/** Accumulated gradients of a fixed set of parameters. */
export interface GradientStore extends Gradients {
  /** In the order of the packed gradients. */
  readonly parameters: readonly Parameter[];
  /** All gradients, with zeros in the gaps: few dispatches clip or measure them. */
  readonly flats: readonly Tensor[];
  /** True where `parameter` is among them. */
  has(parameter: Parameter): boolean;
  /** Sets all gradients to 0: once a step, before its first part. */
  clear(): void;
}

/** Gradients for `parameters`, zero at first, in the caller's scope. */
export function createGradients(gpu: Gpu, parameters: readonly Parameter[]): GradientStore {
  const { flats, parts } = gpu.pack(
    parameters.map(({ name, value }) => ({ label: `d ${name}`, shape: value.shape })),
    "gradients",
  );
  const slots = new Map(parameters.map((parameter, i) => [parameter, parts[i]!]));
  return {
    parameters,
    flats,
    has: (parameter) => slots.has(parameter),
    of(parameter) {
      const slot = slots.get(parameter);
      if (!slot) {
        throw new Error(`Cannot find a gradient of "${parameter.name}": it is not trainable in this run`);
      }
      return slot;
    },
    clear: () => flats.forEach((flat) => gpu.clear(flat)),
  };
}
