/** @file The check of kernels that read two tensors element by element. */
import { elementCount, type Tensor } from "../../gpu/tensor.ts";

/** @throws {RangeError} where the element counts differ */
export function requireSameCount(action: string, a: Tensor, b: Tensor): void {
  if (elementCount(a.shape) !== elementCount(b.shape)) {
    throw new RangeError(
      `Cannot ${action} "${a.label}" [${a.shape}] and "${b.label}" [${b.shape}]: element counts differ`,
    );
  }
}
