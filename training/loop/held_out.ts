/** @file The loss on examples that are not trained on. */
import { createGradients, Tape } from "../../autodiff/mod.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import { accumulate } from "../../kernels/mod.ts";
import type { Batch, Model } from "../../models/model.ts";
import type { RunConfig } from "../run.ts";
import { lossOf, targetCount } from "./differentiate.ts";
import type { ForwardOf } from "./forward.ts";

/** Fewest examples of a batch: small training batches would waste the GPU there. */
const FEWEST = 64;

/** Examples of a batch of a run's held-out examples. */
export function heldOutSize({ batchSize }: Pick<RunConfig, "batchSize">): number {
  return Math.max(batchSize, FEWEST);
}

/**
 * Mean loss of all targets of the batches, in nats. What it allocates is in the caller's scope.
 *
 * @param onBatch is waited for before each batch
 */
export async function heldOutLoss(
  gpu: Gpu,
  model: Model,
  forward: ForwardOf,
  batches: Iterable<Batch>,
  onBatch: () => Promise<void> = () => Promise.resolve(),
): Promise<number> {
  const all = [...batches], count = all.reduce((sum, batch) => sum + targetCount(batch), 0);
  const total = gpu.zeros([1], "held-out loss"), store = createGradients(gpu, []);
  for (const batch of all) {
    await onBatch();
    using _ = gpu.scope("held-out batch");
    accumulate(gpu, total, lossOf(gpu, model, forward(new Tape(gpu, store)), batch, { count }).value);
  }
  const [value] = await gpu.download(total);
  return value!;
}
