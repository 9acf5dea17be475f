/** @file Scaled dot-product attention on the tape. */
import type { Tensor } from "../../gpu/tensor.ts";
import {
  attention as fused,
  attentionBackward,
  type AttentionSizes,
  relativeBias as spread,
  relativeBiasBackward,
  type RelativeOperands,
  type RelativeRows,
  relativeScores as positional,
  relativeScoresBackward,
} from "../../kernels/mod.ts";
import type { Tape, Var } from "../tape.ts";

export { type RelativeOperands, type RelativeRows, relativeRows } from "../../kernels/mod.ts";

/** Sizes and kind of an attention. */
export interface AttentionOptions {
  /** Queries of a sequence. */
  readonly length: number;
  /** Keys and values of a sequence; as many as queries where absent. */
  readonly keys?: number;
  /** Query heads. */
  readonly heads: number;
  /** Divides `heads`; query head h uses key-value head floor(h · keyValueHeads / heads). */
  readonly keyValueHeads: number;
  /** Width of a head. */
  readonly size: number;
  /** True where query i sees the keys up to i + keys − length: itself and what is before it, the last one all. */
  readonly causal: boolean;
  /** Where given, a query sees no more than its last `window` keys up to the causal limit, from 1; `causal` is true then. */
  readonly window?: number;
  /** Usually 1 / sqrt(size). */
  readonly scale: number;
  /** Where given, scaled scores s become cap · tanh(s / cap), before bias and mask. */
  readonly softCap?: number;
  /** Rotary angles for queries and keys, `[keys or more, size / 2, 2]`; the last query is rotated as the last key. */
  readonly angles?: Tensor;
  /** `[batch, keys]`: 0 for a key that takes no part, such as padding. A query that sees none gives zeros. */
  readonly mask?: Tensor<"u32">;
  /** Added to the scaled scores, `[heads, length, keys]` for the whole batch, or `[batch, heads, length, keys]`. */
  readonly bias?: Var;
}

/**
 * softmax(scale Q Kᵀ + bias) V, head by head; the scores are never stored, backward forms them again.
 *
 * q is `[batch · length, heads · size]`, k and v `[batch · keys, keyValueHeads · size]`; the result has q's shape.
 */
export function attention(tape: Tape, q: Var, k: Var, v: Var, options: AttentionOptions): Var {
  const { gpu } = tape, { length, keys = length, bias, ...rest } = options;
  const sizes: AttentionSizes = { ...rest, queries: length, keys, ...(bias ? { bias: bias.value } : {}) };
  const { out, statistics } = fused(gpu, q.value, k.value, v.value, sizes);
  return tape.record({
    name: "attention",
    inputs: bias ? [q, k, v, bias] : [q, k, v],
    keeps: { q: q.value, k: k.value, v: v.value, out, bias: bias ? bias.value : null },
    output: out,
    backward(gradient, inputs, { q, k, v, out, bias }) {
      const target = (input: number) => inputs.wanted(input) ? inputs.target(input) : null;
      const own = { ...sizes, ...(bias && { bias }) };
      attentionBackward(gpu, q, k, v, { out, statistics }, gradient, own, {
        q: target(0),
        k: target(1),
        v: target(2),
        bias: bias ? target(3) : null,
      });
    },
  });
}

/**
 * A bias for `attention` that depends on head and distance alone: out[h, q, k] = values[k − q + queries − 1, h],
 * `[heads, queries, keys]`. `values` is `[queries + keys − 1, heads]`.
 */
export function relativeBias(tape: Tape, values: Var, queries: number, keys: number): Var {
  return tape.record({
    name: "relativeBias",
    inputs: [values],
    keeps: {},
    output: spread(tape.gpu, values.value, queries, keys),
    backward(gradient, inputs) {
      const { into, accumulate } = inputs.target(0);
      relativeBiasBackward(tape.gpu, gradient, into, accumulate);
    },
  });
}

/**
 * A bias for `attention` of each text's own: scale (q · kr + k · qr) at the row of the distance between query and key,
 * `[batch, heads, length, length]`; see the kernel of that name.
 */
export function relativeScores(
  tape: Tape,
  { q, k, qr, kr }: RelativeOperands<Var>,
  heads: number,
  scale: number,
  map: RelativeRows,
): Var {
  const operands = { q: q.value, k: k.value, qr: qr.value, kr: kr.value };
  return tape.record({
    name: "relativeScores",
    inputs: [q, k, qr, kr],
    keeps: operands,
    output: positional(tape.gpu, operands, heads, scale, map),
    backward(gradient, inputs, operands) {
      const target = (input: number) => inputs.wanted(input) ? inputs.target(input) : null;
      relativeScoresBackward(tape.gpu, operands, heads, scale, map, gradient, {
        q: target(0),
        k: target(1),
        qr: target(2),
        kr: target(3),
      });
    },
  });
}
