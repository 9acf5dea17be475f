/** @file Scaled dot-product attention on the tape. */
import type { Tensor } from "../../gpu/tensor.ts";
import { withShape } from "../../gpu/tensor.ts";
import {
  type HeadSizes,
  matmul,
  mergeHeads,
  softmaxBackwardInPlace,
  softmaxInPlace,
  splitHeads,
} from "../../kernels/mod.ts";
import type { Tape, Var } from "../tape.ts";

/** Sizes and kind of an attention. */
export interface AttentionOptions {
  /** Positions of a sequence. */
  readonly length: number;
  /** Query heads. */
  readonly heads: number;
  /** Divides `heads`; query head h uses key-value head floor(h · keyValueHeads / heads). */
  readonly keyValueHeads: number;
  /** Width of a head. */
  readonly size: number;
  /** True where a position sees only itself and what is before it. */
  readonly causal: boolean;
  /** Usually 1 / sqrt(size). */
  readonly scale: number;
  /** Rotary angles for queries and keys, `[length or more, size / 2, 2]`. */
  readonly angles?: Tensor;
}

/**
 * softmax(scale Q Kᵀ) V, head by head.
 *
 * q is `[batch · length, heads · size]`, k and v `[batch · length, keyValueHeads · size]`; the result has q's shape.
 * The heads of a group share a key-value head, so a group's queries are one tall matrix: grouped attention needs no
 * kernel of its own.
 */
export function attention(tape: Tape, q: Var, k: Var, v: Var, options: AttentionOptions): Var {
  const { gpu } = tape;
  const { length, heads, keyValueHeads, size, causal, scale, angles } = options;
  if (heads % keyValueHeads !== 0) {
    throw new RangeError(
      `Cannot share ${keyValueHeads} key-value heads among ${heads} heads: it must divide`,
    );
  }
  const group = heads / keyValueHeads;
  const turned: HeadSizes = { length, heads, size, ...(angles ? { angles } : {}) };
  const keyed: HeadSizes = { ...turned, heads: keyValueHeads };
  const plain: HeadSizes = { length, heads: keyValueHeads, size };

  const byHeads = splitHeads(gpu, q.value, turned);
  const batch = byHeads.shape[0]! / group;
  const tall = (x: Tensor, columns: number) => withShape(x, [batch, group * length, columns]);
  const queries = tall(byHeads, size);
  const keys = splitHeads(gpu, k.value, keyed);
  const values = splitHeads(gpu, v.value, plain);
  const weights = matmul(gpu, queries, keys, { transposeB: true, scale });
  softmaxInPlace(gpu, weights, causal ? { causalQueries: length } : {});
  const mixed = matmul(gpu, weights, values);

  return tape.record({
    name: "attention",
    inputs: [q, k, v],
    output: mergeHeads(gpu, mixed, { length, heads, size }),
    backward(gradient, inputs) {
      const mixedGradient = tall(splitHeads(gpu, gradient, { length, heads, size }), size);
      if (inputs.wanted(2)) {
        const d = matmul(gpu, weights, mixedGradient, { transposeA: true });
        mergeHeads(gpu, d, plain, inputs.target(2));
      }
      if (!inputs.wanted(0) && !inputs.wanted(1)) return;
      const scores = matmul(gpu, mixedGradient, values, { transposeB: true });
      softmaxBackwardInPlace(gpu, weights, scores);
      if (inputs.wanted(0)) {
        mergeHeads(gpu, matmul(gpu, scores, keys, { scale }), turned, { inverse: true, ...inputs.target(0) });
      }
      if (inputs.wanted(1)) {
        const d = matmul(gpu, scores, queries, { transposeA: true, scale });
        mergeHeads(gpu, d, keyed, { inverse: true, ...inputs.target(1) });
      }
    },
  });
}
