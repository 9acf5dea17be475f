/** @file Launches fused attention and its gradients. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel, lineOfGroups, MAX_GROUPS } from "../../gpu/kernel.ts";
import { type DType, elementCount, type Tensor } from "../../gpu/tensor.ts";
import { forwardText } from "./forward_source.ts";
import { keyGradientText, knownText, queryGradientText } from "./gradient_source.ts";
import { ATTENTION_UNIFORMS, type AttentionShape, type AttentionText } from "./text.ts";

/** Sizes and kind of an attention. */
export interface AttentionSizes {
  readonly queries: number;
  /** Keys, and values. */
  readonly keys: number;
  readonly heads: number;
  /** Divides `heads`; query head h uses key-value head floor(h · keyValueHeads / heads). */
  readonly keyValueHeads: number;
  /** Width of a head; even where `angles` are given. */
  readonly size: number;
  /** True where query i sees the keys up to i + keys − queries: the last one sees all. */
  readonly causal: boolean;
  /** Where given, a query sees no more than its last `window` keys up to the causal limit, from 1; `causal` is true then. */
  readonly window?: number;
  /** Of the scores, before softmax. */
  readonly scale: number;
  /** Where given, above 0, scaled scores s become cap · tanh(s / cap), before bias and mask. */
  readonly softCap?: number;
  /**
   * (cosine, sine) by position and pair, `[keys or more, size / 2, 2]`: rotates pair (i, i + size / 2) of each head of
   * queries and keys. Key j is at position j, query i at i + keys − queries, which must not be negative.
   */
  readonly angles?: Tensor;
  /** `[batch, keys]`: 0 for a key that takes no part, whatever it holds. */
  readonly mask?: Tensor<"u32">;
  /**
   * Added to the scaled scores, `[heads, queries, keys]` for all batches or `[batch, heads, queries, keys]`; finite also where
   * the mask hides the key.
   */
  readonly bias?: Tensor;
}

/** A gradient to write, or to add to what is there. */
export interface GradientTarget {
  readonly into: Tensor;
  readonly accumulate: boolean;
}

/** Gradients that are wanted; k and v are computed together, so that one alone is not faster. */
export interface AttentionTargets {
  readonly q: GradientTarget | null;
  readonly k: GradientTarget | null;
  readonly v: GradientTarget | null;
  readonly bias: GradientTarget | null;
}

/** What the backward pass needs of the forward pass. */
export interface AttentionResult {
  /** `[batch · queries, heads · size]`. */
  readonly out: Tensor;
  /** `[batch · queries, heads, 2]`: first the logarithm to base 2 of the sum of the powers of a row's scores. */
  readonly statistics: Tensor;
}

/** Dots in a kernel's text at most, since time to compile grows with it: a thousand take about a second. */
const MAX_DOTS = 1024;
/** Bytes of workgroup memory that every adapter has. */
const MAX_BYTES = 16384;
/** Lanes of a workgroup and rows of a tile. Few of them, since each needs a kernel of its own. */
const STEPS = [8, 24, 64];
/** Lanes on a GPU with cores of its own, where 32 or 64 run together anyway. */
const WIDE_STEPS = [32, 64];

type AttentionKernel = ReturnType<typeof declare>;
const kernels = new Map<string, AttentionKernel>();

function declare(name: string, { source, buffers, workgroupBytes }: AttentionText) {
  return defineKernel({
    name,
    source,
    buffers,
    uniforms: ATTENTION_UNIFORMS,
    constants: {},
    workgroupBytes: () => workgroupBytes,
  });
}

/** The kernel of a name and shape: text and pipelines are made once. */
function kernelOf(
  name: string,
  shape: Pick<AttentionShape, "size"> & Partial<AttentionShape>,
  text: () => AttentionText,
): AttentionKernel {
  const key = `${name},${Object.values(shape).join()}`;
  let kernel = kernels.get(key);
  if (!kernel) kernels.set(key, kernel = declare(`${name}_${shape.size}`, text()));
  return kernel;
}

/** The smallest step that takes `count` rows at once, or the largest. */
function stepFor(count: number, steps: readonly number[]): number {
  return steps.find((step) => step >= count) ?? steps.at(-1)!;
}

/** The shape of a kernel whose lanes lie along queries or keys and meet chunks of the others. */
function shapeOf(
  gpu: Gpu,
  sizes: AttentionSizes,
  along: "queries" | "keys",
  dotsPerRow: number,
): AttentionShape {
  const { queries, keys, heads, keyValueHeads, size, angles, causal, window, softCap, mask, bias } = sizes;
  const [rows, others] = along === "queries" ? [queries, keys] : [keys, queries * heads / keyValueHeads];
  const dots = 2 ** Math.floor(Math.log2(MAX_DOTS / (dotsPerRow * Math.ceil(size / 4))));
  // Of both tiles, and of the mask.
  const rowBytes = 32 * Math.ceil(size / 4) + (mask ? 4 : 0);
  const max = Math.max(8, Math.min(dots, Math.floor(MAX_BYTES / rowBytes / 8) * 8));
  return {
    size,
    chunk: Math.min(stepFor(others, STEPS), max),
    lanes: stepFor(rows, gpu.info.software ? STEPS : WIDE_STEPS),
    rotary: angles !== undefined,
    causal,
    windowed: window !== undefined,
    capped: softCap !== undefined,
    masked: mask !== undefined,
    bias: !bias ? "none" : along === "queries" && keys % 4 === 0 ? "vectors" : "elements",
    ownBias: isOwn(sizes),
  };
}

/**
 * softmax(scale Q Kᵀ + bias) V, head by head, without a matrix of scores; the scaled scores bent by a soft cap where there
 * is one.
 *
 * q is `[batch · queries, heads · size]`, k and v are `[batch · keys, keyValueHeads · size]`. A query that sees no key
 * gives zeros. Scores must lie within ±1e37; a NaN or infinity in what a query sees makes its row of `out` non-finite.
 * A key beyond the causal limit has weight 0, which times an infinite value is NaN; one that is masked is never read.
 *
 * Sources: Dao et al., arXiv 2205.14135; online softmax: Milakov and Gimelshein, arXiv 1805.02867; windows: Jiang et al.,
 * arXiv 2310.06825; soft caps: Gemma Team, arXiv 2408.00118.
 *
 * @throws {RangeError} where a tensor does not fit the sizes
 */
export function attention(
  gpu: Gpu,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  sizes: AttentionSizes,
): AttentionResult {
  const batch = batchOf(q, k, v, sizes), { queries, keys, heads, size, causal } = sizes;
  const out = gpu.empty([batch * queries, heads * size], `attention(${q.label}, ${k.label}, ${v.label})`);
  const statistics = gpu.empty([batch * queries, heads, 2], "attention statistics");
  const shape = shapeOf(gpu, sizes, "queries", 2);
  const kernel = kernelOf("attention", shape, () => forwardText(shape));
  for (let first = 0; first < keys; first += shape.chunk) {
    const blocks = blocksOfQueries(sizes, shape, causal ? first : 0);
    launch(gpu, kernel, { q, k, v, out, statistics }, sizes, { ...blocks, batch, heads, first });
  }
  return { out, statistics };
}

/** Gradients of `attention` for those of `targets`, given the gradient of its output. */
export function attentionBackward(
  gpu: Gpu,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { out, statistics }: AttentionResult,
  gradient: Tensor,
  sizes: AttentionSizes,
  targets: AttentionTargets,
): void {
  const batch = batchOf(q, k, v, sizes), { queries, keys, heads, keyValueHeads, size, causal } = sizes;
  using _ = gpu.scope("attention gradients", "scratch");
  const { mask } = sizes, rows = batch * queries * heads, keysOfMask = mask ? batch * keys : 0;
  const known = gpu.empty([rows + keysOfMask, 2], "what gradients know"), about = { size, masked: !!mask };
  gpu.launch(kernelOf("attention_known", about, () => knownText(about)), {
    buffers: { out, gradient, statistics, ...(mask ? { mask } : {}), known },
    uniforms: uniformsOf({ ...sizes, queries: batch * queries, keys: batch * keys }, { firstKey: rows }),
    workgroups: lineOfGroups(Math.ceil(Math.max(rows, keysOfMask) / 64)),
  });

  const buffers = { q, k, v, gradient, known };
  if (targets.q) {
    const shape = shapeOf(gpu, sizes, "queries", 3);
    const kernel = kernelOf("attention_query_gradient", shape, () => queryGradientText(shape, "queries"));
    for (let first = 0; first < keys; first += shape.chunk) {
      const blocks = blocksOfQueries(sizes, shape, causal ? first : 0);
      const accumulate = targets.q.accumulate || first > 0;
      launch(gpu, kernel, { ...buffers, qGradient: targets.q.into }, sizes, {
        ...{ ...blocks, batch, heads, first, firstKey: rows, accumulate },
      });
    }
  }
  if (targets.bias) {
    const { into, accumulate } = targets.bias;
    if (!accumulate) gpu.clear(into);
    const shape = shapeOf(gpu, sizes, "queries", 2);
    const kernel = kernelOf("attention_bias_gradient", shape, () => queryGradientText(shape, "bias"));
    // Batches that share one add to it one after the other.
    const together = shape.ownBias ? batch : 1;
    for (let firstBatch = 0; firstBatch < batch; firstBatch += together) {
      for (let first = 0; first < keys; first += shape.chunk) {
        const blocks = blocksOfQueries(sizes, shape, causal ? first : 0);
        launch(gpu, kernel, { ...buffers, biasGradient: into }, sizes, {
          ...{ ...blocks, batch: together, firstBatch, heads, first, firstKey: rows },
        });
      }
    }
  }
  if (targets.k || targets.v) {
    const unwanted = (like: Tensor) => ({
      into: gpu.empty(like.shape, "unwanted gradient"),
      accumulate: false,
    });
    const toK = targets.k ?? unwanted(k), toV = targets.v ?? unwanted(v);
    const others = queries * heads / keyValueHeads;
    const shape = shapeOf(gpu, sizes, "keys", 4);
    const kernel = kernelOf("attention_key_gradient", shape, () => keyGradientText(shape));
    // From the last chunk on, since all keys are seen from there.
    const last = Math.floor((others - 1) / shape.chunk) * shape.chunk;
    for (let first = last; first >= 0; first -= shape.chunk) {
      launch(gpu, kernel, { ...buffers, kGradient: toK.into, vGradient: toV.into }, sizes, {
        blocks: blocksOfKeys(sizes, shape, first),
        ...{ batch, heads: keyValueHeads, first, firstKey: rows },
        accumulate: toK.accumulate || first < last,
        accumulateV: toV.accumulate || first < last,
      });
    }
  }
}

interface Place {
  readonly blocks: number;
  readonly firstBlock?: number;
  readonly batch: number;
  readonly firstBatch?: number;
  /** Along which workgroups lie. */
  readonly heads: number;
  readonly first: number;
  /** Where in `known` keys begin. */
  readonly firstKey?: number;
  readonly accumulate?: boolean;
  readonly accumulateV?: boolean;
}

function launch(
  gpu: Gpu,
  kernel: AttentionKernel,
  buffers: Readonly<Record<string, Tensor<DType>>>,
  sizes: AttentionSizes,
  place: Place,
): void {
  const { angles, mask, bias } = sizes, { batch, firstBatch = 0 } = place;
  for (let done = 0; done < batch; done += MAX_GROUPS) {
    gpu.launch(kernel, {
      buffers: {
        ...buffers,
        ...(angles ? { angles } : {}),
        ...(mask ? { mask } : {}),
        ...(bias ? { bias } : {}),
      },
      uniforms: uniformsOf(sizes, { ...place, firstBatch: firstBatch + done }),
      workgroups: [place.blocks, place.heads, Math.min(batch - done, MAX_GROUPS)],
    });
  }
}

function uniformsOf(sizes: AttentionSizes, place: Partial<Place>) {
  const { queries, keys, heads, keyValueHeads, scale, softCap = 1, window = 0 } = sizes;
  return {
    queries,
    keys,
    heads,
    group: heads / keyValueHeads,
    scoreScale: scale * Math.LOG2E,
    gradientScale: scale,
    capScale: scale / softCap,
    cap: softCap * Math.LOG2E,
    window,
    firstBatch: place.firstBatch ?? 0,
    firstBlock: place.firstBlock ?? 0,
    first: place.first ?? 0,
    firstKey: place.firstKey ?? 0,
    accumulate: Number(place.accumulate ?? false),
    accumulateV: Number(place.accumulateV ?? false),
    zero: 0,
  };
}

/** Workgroups along the queries, without those whose queries all see less than `first` keys or one more. */
function blocksOfQueries(
  { queries, keys }: AttentionSizes,
  { lanes }: AttentionShape,
  first: number,
): { readonly blocks: number; readonly firstBlock: number } {
  // The first chunk is for all: it also writes.
  const unseeing = first === 0 ? 0 : Math.max(0, first - (keys - queries));
  const firstBlock = Math.floor(unseeing / lanes);
  return { firstBlock, blocks: Math.ceil(queries / lanes) - firstBlock };
}

/** Workgroups along the keys, without those that no query of the chunk sees. */
function blocksOfKeys(
  { queries, keys, causal }: AttentionSizes,
  { lanes, chunk }: AttentionShape,
  first: number,
): number {
  const last = first + chunk - 1;
  const query = Math.floor(first / queries) === Math.floor(last / queries) ? last % queries : queries - 1;
  const seen = causal ? Math.max(1, query + keys - queries + 1) : keys;
  return Math.ceil(seen / lanes);
}

/** True where each batch has a bias of its own. */
function isOwn({ bias }: Pick<AttentionSizes, "bias">): boolean {
  return bias?.shape.length === 4;
}

/** The number of batches. @throws {RangeError} where a tensor does not fit the sizes */
function batchOf(q: Tensor, k: Tensor, v: Tensor, sizes: AttentionSizes): number {
  const { queries, keys, heads, keyValueHeads, size, angles, causal, window, softCap, mask, bias } = sizes;
  if (window !== undefined && !(causal && Number.isInteger(window) && window >= 1)) {
    throw new RangeError(
      `Cannot look at a window of ${window} keys${
        causal ? ": a whole number from 1 is needed" : " where no limit is causal"
      }`,
    );
  }
  if (softCap !== undefined && !(softCap > 0)) {
    throw new RangeError(`Cannot cap scores at ${softCap}: a number above 0 is needed`);
  }
  if (heads % keyValueHeads !== 0) {
    throw new RangeError(
      `Cannot share ${keyValueHeads} key-value heads among ${heads} heads: it must divide`,
    );
  }
  const batch = elementCount(q.shape) / (queries * heads * size);
  if (!Number.isInteger(batch)) {
    throw new RangeError(
      `Cannot split "${q.label}" [${q.shape}] into ${heads} heads of ${size} over ${queries} queries`,
    );
  }
  for (const x of [k, v]) {
    if (elementCount(x.shape) !== batch * keys * keyValueHeads * size) {
      throw new RangeError(
        `Cannot split "${x.label}" [${x.shape}] into ${keyValueHeads} heads of ${size} over ${batch} x ${keys} keys`,
      );
    }
  }
  if (
    angles &&
    (size % 2 !== 0 || queries > keys || angles.shape[0]! < keys ||
      elementCount(angles.shape) !== angles.shape[0]! * size)
  ) {
    throw new RangeError(
      `Cannot rotate heads of ${size}, ${queries} queries and ${keys} keys, by "${angles.label}" [${angles.shape}]`,
    );
  }
  if (mask && elementCount(mask.shape) !== batch * keys) {
    throw new RangeError(
      `Cannot mask ${batch} x ${keys} keys by "${mask.label}" [${mask.shape}]`,
    );
  }
  if (bias && elementCount(bias.shape) !== (isOwn(sizes) ? batch : 1) * heads * queries * keys) {
    throw new RangeError(
      `Cannot add "${bias.label}" [${bias.shape}] to the scores of ${heads} heads, ${queries} queries and ${keys} keys`,
    );
  }
  return batch;
}
