/** @file Loss and gradients of one batch. */
import { crossEntropy, linearCrossEntropy } from "../../autodiff/mod.ts";
import type { GradientStore } from "../../autodiff/tape.ts";
import { Tape, type Var } from "../../autodiff/tape.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { DType, Tensor } from "../../gpu/tensor.ts";
import { accumulate } from "../../kernels/mod.ts";
import type { Batch, Forward, HostTensor, Model } from "../../models/model.ts";
import type { ForwardOf } from "./forward.ts";

/** How a batch is differentiated. */
export interface DifferentiateOptions {
  /** Parts that the batch is split into; their gradients add up. */
  readonly parts: number;
  /** The gradient that arrives at the loss, `[1]`: 1 for the batch's own gradient. */
  readonly seed: Tensor;
  /** The forward of a part's tape. */
  readonly forward: ForwardOf;
}

/**
 * Adds the gradients of the batch's mean loss to `store` and returns the loss, `[1]`, in the caller's scope.
 *
 * The mean is over all targets of the batch, whatever the number of parts. What a part leaves on its tape is freed before
 * the next part begins, and before this returns.
 */
export function differentiate(
  gpu: Gpu,
  model: Model,
  batch: Batch,
  store: GradientStore,
  options: DifferentiateOptions,
): Tensor {
  const count = targetCount(batch);
  let total: Tensor | null = null;
  for (const part of splitBatch(batch, options.parts)) {
    using scope = gpu.scope("part of a batch");
    const tape = new Tape(gpu, store);
    const loss = lossOf(gpu, model, options.forward(tape), part, { count, gradient: options.seed });
    tape.backward(loss, options.seed);
    if (total) accumulate(gpu, total, loss.value);
    else total = scope.keep(loss.value);
  }
  return total!;
}

/** Σ of the batch's losses over `count`. `gradient` is what will arrive at it, `[1]`; needed where it is to be differentiated. */
export function lossOf(
  gpu: Gpu,
  model: Model,
  forward: Forward,
  batch: Batch,
  { count, gradient }: { readonly count: number; readonly gradient?: Tensor },
): Var {
  // Host data goes first: an upload between dispatches would end the command buffer.
  const targets = gpu.upload(batch.targets.data, "i32", [batch.targets.data.length], "targets");
  if (!model.lastHidden) return crossEntropy(forward.tape, model.logits(forward, batch), targets, count);
  const { states, map } = model.lastHidden(forward, batch);
  return linearCrossEntropy(forward.tape, states, map, targets, { count, ...(gradient && { gradient }) });
}

/** Targets of a batch that take part in the loss. @throws {RangeError} where there are none */
export function targetCount(batch: Batch): number {
  let count = 0;
  for (const target of batch.targets.data) if (target >= 0) count++;
  if (count === 0) throw new RangeError("Cannot take the loss of a batch without targets");
  return count;
}

/** The batch in `parts` parts along its first axis, as equal as possible. */
export function splitBatch(batch: Batch, parts: number): Batch[] {
  if (parts === 1) return [batch];
  const rows = batch.targets.shape[0]!;
  if (parts > rows) throw new RangeError(`Cannot split a batch of ${rows} into ${parts} parts`);
  const edges = Array.from({ length: parts + 1 }, (_, i) => Math.floor(rows * i / parts));
  return edges.slice(1).map((end, i) => {
    const begin = edges[i]!;
    const targets = rowsOf(batch.targets, begin, end);
    switch (batch.family) {
      case "decoder":
        return { ...batch, tokens: rowsOf(batch.tokens, begin, end), targets };
      case "encoder-decoder":
        return {
          ...batch,
          inputs: rowsOf(batch.inputs, begin, end),
          inputMask: rowsOf(batch.inputMask, begin, end),
          targets,
        };
      case "encoder":
        return {
          ...batch,
          tokens: rowsOf(batch.tokens, begin, end),
          mask: rowsOf(batch.mask, begin, end),
          ...(batch.types && { types: rowsOf(batch.types, begin, end) }),
          targets,
        };
      case "vision":
        return { ...batch, pixels: rowsOf(batch.pixels, begin, end), targets };
    }
  });
}

function rowsOf<D extends DType>(tensor: HostTensor<D>, begin: number, end: number): HostTensor<D> {
  const row = tensor.data.length / tensor.shape[0]!;
  return {
    data: tensor.data.slice(begin * row, end * row) as HostTensor<D>["data"],
    shape: [end - begin, ...tensor.shape.slice(1)],
  };
}
