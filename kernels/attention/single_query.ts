/** @file Launches attention of one query for each text: tiles of queries would be empty but for one row. */
import type { Gpu } from "../../gpu/gpu.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { groupsFor } from "../wgsl/groups.ts";
import { softBound } from "../pointwise/soft_bound.ts";
import { defineRowKernel, rowKernel } from "../wgsl/rows.ts";
import mixSource from "./single_query_mix.wgsl" with { type: "text" };
import scoresSource from "./single_query_scores.wgsl" with { type: "text" };

const uniforms = {
  texts: "u32",
  heads: "u32",
  group: "u32",
  size: "u32",
  keys: "u32",
  keyRows: "u32",
} as const;

const scoresKernels = defineRowKernel({
  name: "single_query_scores",
  source: scoresSource,
  buffers: { q: "read", k: "read", mask: "read", bias: "read", scores: "read_write" },
  uniforms: { ...uniforms, scale: "f32", cap: "f32" },
  constants: { BIASED: false, CAPPED: false },
}, { single: { soft_bound: softBound("f32") }, fourfold: { soft_bound: softBound("f32") } });

const mixKernels = defineRowKernel({
  name: "single_query_mix",
  source: mixSource,
  buffers: { scores: "read", v: "read", mask: "read", out: "read_write" },
  uniforms,
  constants: {},
});

/** Sizes and kind of an attention of single queries. */
export interface SingleQuerySizes {
  /** Keys, and values, that count: the first of each text. */
  readonly keys: number;
  /** Query heads. */
  readonly heads: number;
  /** Divides `heads`; query head h uses key-value head floor(h · keyValueHeads / heads). */
  readonly keyValueHeads: number;
  /** Width of a head. */
  readonly size: number;
  /** Of the scores, before softmax. */
  readonly scale: number;
  /** Where given, above 0, scaled scores s become cap · tanh(s / cap), before bias and mask. */
  readonly softCap?: number;
  /** `[texts, rows]`, rows of k and v for each text, `keys` or more: 0 for a key that takes no part, whatever it holds. */
  readonly mask: Tensor<"u32">;
  /** Added to the scaled scores of every text, `[heads, 1, keys]`. */
  readonly bias?: Tensor;
}

/**
 * softmax(scale q Kᵀ + bias) V, head by head, `[texts, heads · size]`: q is `[texts, heads · size]`, k and v are
 * `[texts · rows, keyValueHeads · size]`. A query that sees no key gives zeros; one whose score is not finite gives none
 * that are. Scores must lie within ±1e37.
 *
 * @throws {RangeError} where a tensor does not fit the sizes
 */
export function singleQueryAttention(
  gpu: Gpu,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  sizes: SingleQuerySizes,
): Tensor {
  const { keys, heads, keyValueHeads, size, scale, softCap, mask, bias } = sizes;
  const [texts, keyRows] = mask.shape as [number, number];
  const kept = texts * keyRows * keyValueHeads * size;
  if (
    elementCount(q.shape) !== texts * heads * size || elementCount(k.shape) !== kept ||
    elementCount(v.shape) !== kept || !(keys >= 1 && keys <= keyRows) || heads % keyValueHeads !== 0 ||
    (bias && elementCount(bias.shape) !== heads * keys)
  ) {
    throw new RangeError(
      `Cannot look from "${q.label}" [${q.shape}] at ${keys} keys of "${k.label}" [${k.shape}] and "${v.label}" ` +
        `[${v.shape}] with a mask [${mask.shape}]${bias ? ` and a bias [${bias.shape}]` : ""}: ` +
        `${heads} heads on ${keyValueHeads}, of ${size}`,
    );
  }
  const out = gpu.empty([texts, heads * size], `attention(${q.label}, ${k.label}, ${v.label})`);
  using _ = gpu.scope("single queries", "scratch");
  const scores = gpu.empty([texts, heads, keys], "scores");
  const shape = { texts, heads, group: heads / keyValueHeads, size, keys, keyRows };
  gpu.launch(rowKernel(scoresKernels, size).kernel, {
    buffers: { q, k, mask, bias: bias ?? q, scores },
    uniforms: { ...shape, scale, cap: softCap ?? 1 },
    constants: { BIASED: bias !== undefined, CAPPED: softCap !== undefined },
    workgroups: groupsFor(elementCount(scores.shape)),
  });
  const { kernel, width } = rowKernel(mixKernels, size);
  gpu.launch(kernel, {
    buffers: { scores, v, mask, out },
    uniforms: shape,
    workgroups: groupsFor(texts * heads * size / width),
  });
  return out;
}
