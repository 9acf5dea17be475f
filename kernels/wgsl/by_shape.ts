/** @file Kernels whose text depends on a shape: each is made when it is first asked for, and once. */
import type { Kernel, KernelSpec } from "../../gpu/kernel.ts";

/** `declare` of a flat shape, whose kernel is kept: an equal shape gets the same one, and with it the same pipelines. */
export function kernelsByShape<Shape extends object, S extends KernelSpec>(
  declare: (shape: Shape) => Kernel<S>,
): (shape: Shape) => Kernel<S> {
  const known = new Map<string, Kernel<S>>();
  return (shape) => {
    const key = JSON.stringify(shape, Object.keys(shape).sort());
    let kernel = known.get(key);
    if (!kernel) known.set(key, kernel = declare(shape));
    return kernel;
  };
}
