/** @file Gradients of the trainable parameters: packed, for the whole run. */
import type { Gpu } from "../gpu/gpu.ts";
import type { GradientStore, Parameter } from "./tape.ts";

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
