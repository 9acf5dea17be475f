/** @file Whether an adapter takes a model's tensors: asked before its weights are read. */
import type { Gpu } from "../../gpu/gpu.ts";
import { byteLength } from "../../gpu/tensor.ts";
import type { ModelEntry } from "../../models/entry.ts";
import { UserError } from "../../errors/user_error.ts";

/**
 * Refuses a model with a weight that no kernel could bind on this adapter. Weights kept in 16-bit floats count in full: a
 * merged weight has 32 bits.
 *
 * @throws {UserError} naming the weight, its size and what the adapter allows
 */
export function requireBindings(gpu: Gpu, { id, parameters }: Pick<ModelEntry, "id" | "parameters">): void {
  const most = gpu.mostTensorBytes;
  for (const { name, shape } of parameters) {
    const bytes = byteLength({ shape, dtype: "f32" });
    if (bytes > most) {
      throw new UserError(
        `Cannot use model "${id}" on adapter "${gpu.info.adapter}": its weight "${name}" [${shape}] has ${bytes} bytes, the adapter binds at most ${most}`,
      );
    }
  }
}
