/** @file The weight of a target module, in 32-bit floats or in low precision: how methods train, read and rewrite it. */
import { isLowPrecision, type Parameter } from "../autodiff/tape.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { lowPrecision, type Tensor } from "../gpu/tensor.ts";
import { toFloat, toHalf } from "../kernels/mod.ts";
import type { TargetModule } from "../models/model.ts";

/** The target module's weight, for a method that trains it. @throws {Error} where it is frozen in low precision */
export function trainableWeight({ name, weight }: TargetModule): Parameter {
  if (!isLowPrecision(weight)) return weight;
  throw new Error(
    `Cannot train the weight of target module "${name}": it is kept as ${weight.value.dtype}, which is frozen`,
  );
}

/** A copy of the target module's weight in 32-bit floats, in the caller's scope. */
export function copyWeight(gpu: Gpu, { name, weight }: TargetModule): Tensor {
  const copy = gpu.empty(weight.value.shape, `${name} copy`);
  if (isLowPrecision(weight)) return toFloat(gpu, weight.value, copy);
  gpu.copy(weight.value, copy);
  return copy;
}

/**
 * Lets `change` rewrite the target module's weight in place. Where it is kept in low precision a copy in 32 bits is rewritten
 * and rounded again: in 16-bit floats each number is then off by up to 2^-11 of its size, and what is quantized is
 * quantized anew, on the host, as QPiSSA does (Meng et al., arXiv 2404.02948, section 4).
 */
export async function rewriteWeight(
  gpu: Gpu,
  targetModule: TargetModule,
  change: (weight: Tensor) => void,
): Promise<void> {
  const { weight } = targetModule;
  if (!isLowPrecision(weight)) return change(weight.value);
  using _ = gpu.scope("rewritten weight", "scratch");
  const copy = copyWeight(gpu, targetModule);
  change(copy);
  const { value } = weight;
  if (value.dtype === "f16") gpu.copy(toHalf(gpu, copy), value);
  else gpu.write(value, lowPrecision(await gpu.download(copy), value.dtype));
}
