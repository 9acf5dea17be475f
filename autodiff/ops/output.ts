/** @file What a model of a vocabulary ends in: the map from hidden states to logits, and the loss of logits that are never there at once. */
import type { Gpu } from "../../gpu/gpu.ts";
import { rowsOf, type Tensor } from "../../gpu/tensor.ts";
import {
  crossEntropyBackward,
  matmul as product,
  rowLosses,
  softCap as cap,
  softCapBackward,
  sumOfLosses,
} from "../../kernels/mod.ts";
import type { Tape, Var } from "../tape.ts";
import { softCap } from "./elementwise.ts";
import { type LowPrecisionWeight, matmul } from "./matmul.ts";

/** How hidden states become logits: cap · tanh(scale · x Wᵀ / cap). */
export interface OutputMap {
  /** W, `[vocabulary, width]`. */
  readonly weight: Var | LowPrecisionWeight;
  /** 1 where absent. */
  readonly scale?: number;
  /** What logits are bent below; they are not where it is absent. */
  readonly cap?: number;
}

/** Scores of a vocabulary, `[rows, vocabulary]`, of hidden states `[rows, width]`. */
export function outputLogits(tape: Tape, x: Var, { weight, scale = 1, cap }: OutputMap): Var {
  const logits = matmul(tape, x, weight, { transposeB: true, scale });
  return cap === undefined ? logits : softCap(tape, logits, cap);
}

/**
 * Logits that are there at once, in numbers: 64 MiB, and their gradient as much again. More come in parts of rows.
 */
const LOGITS_AT_ONCE = 2 ** 24;
/** Parts begin at multiples of so many rows: where tensors can be bound, and tiles of products are full. */
const ROWS = 64;

/** Rows of logits that are formed at once where a vocabulary has so many entries: a multiple of 64. */
export function rowsAtOnce(vocabulary: number): number {
  return Math.max(1, Math.floor(LOGITS_AT_ONCE / vocabulary / ROWS)) * ROWS;
}

/** How a loss is formed. */
export interface LinearCrossEntropyOptions {
  /** As in `crossEntropy`: what the sum is divided by. */
  readonly count: number;
  /** The gradient that will arrive at the loss, `[1]`. Needed where something is to be differentiated. */
  readonly gradient?: Tensor;
  /** Rows of logits that are formed at once, a multiple of 64; as many as `rowsAtOnce` says where absent. */
  readonly rows?: number;
}

/**
 * `crossEntropy(outputLogits(x, map), targets, count)`, of whose logits only a part of the rows is there at a time: each part's
 * logits, its losses and its gradients are formed at once, while the tape is recorded. A trained weight's gradient is
 * added to its parameter's then, so a backward pass must follow.
 *
 * Loss, logits and the gradient of x have the bits of the whole, whatever the parts. The gradient of W is a sum over
 * rows, so its roundings are those of its parts.
 *
 * @throws {TypeError} where something is to be differentiated and `gradient` is absent
 */
export function linearCrossEntropy(
  tape: Tape,
  x: Var,
  map: OutputMap,
  targets: Tensor<"i32">,
  { count, gradient, rows = rowsAtOnce(map.weight.value.shape[0]!) }: LinearCrossEntropyOptions,
): Var {
  const { gpu } = tape, { weight, scale = 1 } = map, wholeRows = x.value.shape[0]!;
  const trained = "needsGradient" in weight && weight.needsGradient ? weight : null;
  const seed = x.needsGradient || trained ? gradient : null;
  if (seed === undefined) {
    throw new TypeError(`Cannot differentiate the loss of "${x.value.label}": its own gradient is not given`);
  }
  const losses = gpu.empty([wholeRows], "row losses");
  const dX = x.needsGradient ? gpu.empty(x.value.shape, `d ${x.value.label}`) : null;
  const sum = trained && tape.gradientOf(trained);
  const dW = trained && (sum ?? gpu.zeros(trained.value.shape, `d ${trained.value.label}`));
  for (let first = 0; first < wholeRows; first += rows) {
    using _ = gpu.scope("part of the logits");
    const part = <T extends "f32" | "i32">(tensor: Tensor<T>) =>
      rowsOf(tensor, first, Math.min(rows, wholeRows - first));
    const own = part(x.value), wanted = part(targets);
    let dLogits: Tensor;
    {
      using scope = gpu.scope("logits");
      const logits = product(gpu, own, weight.value, { transposeB: true, scale, wholeRows });
      const bent = map.cap === undefined ? logits : cap(gpu, logits, map.cap);
      const normalizers = rowLosses(gpu, bent, wanted, part(losses));
      if (!seed) continue;
      const dBent = crossEntropyBackward(gpu, bent, wanted, normalizers, count, seed);
      dLogits = scope.keep(map.cap === undefined ? dBent : unbent(gpu, logits, dBent, map.cap));
    }
    if (dX) product(gpu, dLogits, weight.value, { scale, into: part(dX), wholeRows });
    if (dW) product(gpu, dLogits, own, { transposeA: true, scale, into: dW, accumulate: true });
  }
  return tape.record({
    name: "linearCrossEntropy",
    inputs: trained ? [x, trained] : [x],
    // All has been formed but what it is handed over to.
    keeps: {},
    output: sumOfLosses(gpu, losses, count),
    backward(arrived, inputs) {
      if (arrived !== seed) {
        throw new Error("Cannot run backward from a loss with another gradient than it was formed with");
      }
      if (dX) inputs.pass(0, dX);
      if (dW && !sum) inputs.pass(1, dW);
    },
  });
}

/** The gradient of logits, given that of what they are bent to. */
function unbent(gpu: Gpu, logits: Tensor, gradient: Tensor, bound: number): Tensor {
  const into = gpu.empty(logits.shape, `d ${logits.label}`);
  softCapBackward(gpu, logits, gradient, bound, into, false);
  return into;
}
