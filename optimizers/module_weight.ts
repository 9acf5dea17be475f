/** @file The weight of a target module, in 32-bit or in 16-bit floats: how methods train, read and rewrite it. */
import { isHalf, type Parameter } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { toFloat, toHalf } from "../kernels/mod.ts";
import type { TargetModule } from "../models/model.ts";

/** The target module's weight, for a method that trains it. @throws {Error} where it is frozen in 16-bit floats */
export function trainableWeight({ name, weight }: TargetModule): Parameter {
  if (!isHalf(weight)) return weight;
  throw new Error(
    `Cannot train the weight of target module "${name}": it is kept in 16-bit floats, which are frozen`,
  );
}

/** A copy of the target module's weight in 32-bit floats, in the caller's scope. */
export function copyWeight(gpu: Gpu, { name, weight }: TargetModule): Tensor {
  const copy = gpu.empty(weight.value.shape, `${name} copy`);
  if (isHalf(weight)) return toFloat(gpu, weight.value, copy);
  gpu.copy(weight.value, copy);
  return copy;
}

/**
 * Lets `change` rewrite the target module's weight in place. In 16-bit floats a copy in 32 is rewritten and rounded to the
 * nearest: each number is then off by up to 2^-11 of its size.
 */
export function rewriteWeight(gpu: Gpu, targetModule: TargetModule, change: (weight: Tensor) => void): void {
  const { weight } = targetModule;
  if (!isHalf(weight)) return change(weight.value);
  using _ = gpu.scope("rewritten weight", "scratch");
  const copy = copyWeight(gpu, targetModule);
  change(copy);
  gpu.copy(toHalf(gpu, copy), weight.value);
}
