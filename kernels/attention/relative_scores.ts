/** @file Launches scores of contents and relative positions, as disentangled attention adds them, and their gradients. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel, lineOfGroups } from "../../gpu/kernel.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { matmul } from "../matmul/matmul.ts";
import type { GradientTarget } from "./attention.ts";
import headsSource from "./heads.wgsl" with { type: "text" };
import source from "./relative_scores.wgsl" with { type: "text" };
import backwardSource from "./relative_scores_backward.wgsl" with { type: "text" };

const sizes = { length: "u32", heads: "u32", count: "u32", texts: "u32", first: "u32" } as const;

const kernel = defineKernel({
  name: "relative_scores",
  source,
  buffers: { ofQueries: "read", ofKeys: "read", rows: "read", out: "read_write" },
  uniforms: sizes,
  constants: {},
});

const backwardKernel = defineKernel({
  name: "relative_scores_backward",
  source: backwardSource,
  buffers: { g: "read", starts: "read", out: "read_write" },
  uniforms: { ...sizes, ofKeys: "u32" },
  constants: {},
});

const headsKernel = defineKernel({
  name: "heads",
  source: headsSource,
  buffers: { x: "read", out: "read_write" },
  uniforms: { rows: "u32", heads: "u32", size: "u32", first: "u32", accumulate: "u32" },
  constants: { MERGE: false },
});

/**
 * Numbers of the products with a whole table that are there at a time: of texts that have more, one is. A table has a row for
 * nearly each distance, so that they are up to twice as many as the scores.
 */
const MOST_PRODUCTS = 2 ** 21;

/** Which row of a table each distance i − j of a query i and a key j has, and how long texts are. */
export interface RelativeRows {
  /** Queries and keys of a text. */
  readonly length: number;
  /** Rows of the table. */
  readonly count: number;
  /** The row of distance i − j at i − j + length − 1, `[2 length − 1]`: never less than that of the distance before. */
  readonly rows: Tensor<"u32">;
  /** The place in `rows` at which each row begins, and the end, `[count + 1]`. */
  readonly starts: Tensor<"u32">;
}

/**
 * The rows of distances on the GPU.
 *
 * @param rowOf the row of distance i − j, 0 to `count` − 1, never less than that of a smaller distance
 * @throws {RangeError} where it is otherwise
 */
export function relativeRows(
  gpu: Gpu,
  length: number,
  count: number,
  rowOf: (distance: number) => number,
): RelativeRows {
  const rows = Uint32Array.from({ length: 2 * length - 1 }, (_, i) => rowOf(i - length + 1));
  const wrong = rows.findIndex((row, i) => row >= count || (i > 0 && row < rows[i - 1]!));
  if (wrong >= 0) {
    throw new RangeError(
      `Cannot take row ${rows[wrong]} of ${count} for distance ${wrong - length + 1}: rows never fall`,
    );
  }
  const starts = Uint32Array.from({ length: count + 1 }, (_, row) => {
    const first = rows.findIndex((own) => own >= row);
    return first < 0 ? rows.length : first;
  });
  return {
    length,
    count,
    rows: gpu.upload(rows, "u32", [rows.length], "rows of distances"),
    starts: gpu.upload(starts, "u32", [starts.length], "first distances of rows"),
  };
}

/** What scores are of, each with `heads` · size columns. */
export interface RelativeOperands<T = Tensor> {
  /** `[batch · length, heads · size]`. */
  readonly q: T;
  /** As q. */
  readonly k: T;
  /** Queries of positions, `[rows, heads · size]`: keys look at them. */
  readonly qr: T;
  /** Keys of positions, as `qr`: queries look at them. */
  readonly kr: T;
}

/**
 * out[b, h, i, j] = scale (q[b, i, h] · kr[r, h] + k[b, j, h] · qr[r, h]), r the row of i − j, `[batch, heads, length, length]`.
 *
 * Source: He et al., arXiv 2006.03654, equation 4, without the products of queries and keys.
 *
 * @throws {RangeError} where a tensor does not fit the others
 */
export function relativeScores(
  gpu: Gpu,
  { q, k, qr, kr }: RelativeOperands,
  heads: number,
  scale: number,
  map: RelativeRows,
): Tensor {
  const { length, count } = map, width = q.shape.at(-1)!, batch = elementCount(q.shape) / (length * width);
  const fits = Number.isInteger(batch) && width % heads === 0 &&
    elementCount(k.shape) === elementCount(q.shape) &&
    [qr, kr].every(({ shape }) => elementCount(shape) === count * width);
  if (!fits) {
    throw new RangeError(
      `Cannot score "${q.label}" [${q.shape}] and "${k.label}" [${k.shape}] by positions [${qr.shape}] and [${kr.shape}]: ` +
        `${heads} heads, texts of ${length} and ${count} positions are needed`,
    );
  }
  const out = gpu.empty([batch, heads, length, length], "relative scores");
  using _ = gpu.scope("relative scores", "scratch");
  const ofKr = splitHeads(gpu, kr, heads, { first: 0, rows: count });
  const ofQr = splitHeads(gpu, qr, heads, { first: 0, rows: count });
  for (const { first, texts } of partsOfTexts(batch, heads * length * count)) {
    using _ = gpu.scope("some texts' scores", "scratch");
    const products = (x: Tensor, table: Tensor) => {
      const own = splitHeads(gpu, x, heads, { first: first * length, rows: texts * length });
      return matmul(gpu, own, table, { transposeB: true, scale });
    };
    gpu.launch(kernel, {
      buffers: { ofQueries: products(q, ofKr), ofKeys: products(k, ofQr), rows: map.rows, out },
      uniforms: { length, heads, count, texts, first },
      workgroups: lineOfGroups(texts * heads * length),
    });
  }
  return out;
}

/** Gradients of `relativeScores` for those of its operands that have a target, given that of its result. */
export function relativeScoresBackward(
  gpu: Gpu,
  { q, k, qr, kr }: RelativeOperands,
  heads: number,
  scale: number,
  { length, count, starts }: RelativeRows,
  g: Tensor,
  targets: RelativeOperands<GradientTarget | null>,
): void {
  const width = q.shape.at(-1)!, batch = elementCount(q.shape) / (length * width);
  const sides = [
    { x: q, table: kr, ofX: targets.q, ofTable: targets.kr, ofKeys: false },
    { x: k, table: qr, ofX: targets.k, ofTable: targets.qr, ofKeys: true },
  ];
  for (const { x, table, ofX, ofTable, ofKeys } of sides) {
    if (!ofX && !ofTable) continue;
    using _ = gpu.scope("gradients of relative scores", "scratch");
    const all = { first: 0, rows: count }, rowsOfTable = ofX && splitHeads(gpu, table, heads, all);
    const tableGradient = ofTable && gpu.empty([heads, count, width / heads], "d table");
    for (const { first, texts } of partsOfTexts(batch, heads * length * count)) {
      using _ = gpu.scope("some texts' gradients", "scratch");
      const sums = gpu.empty([heads, texts * length, count], "d scores by row");
      gpu.launch(backwardKernel, {
        buffers: { g, starts, out: sums },
        uniforms: { length, heads, count, texts, first, ofKeys: Number(ofKeys) },
        workgroups: lineOfGroups(texts * heads * length),
      });
      const rows = { first: first * length, rows: texts * length };
      if (ofX) mergeHeads(gpu, matmul(gpu, sums, rowsOfTable!, { scale }), ofX, rows);
      if (tableGradient) {
        const own = splitHeads(gpu, x, heads, rows);
        matmul(gpu, sums, own, { transposeA: true, scale, into: tableGradient, accumulate: first > 0 });
      }
    }
    if (ofTable) mergeHeads(gpu, tableGradient!, ofTable, all);
  }
}

/** Texts that are taken together, in order. */
function partsOfTexts(
  batch: number,
  products: number,
): readonly { readonly first: number; readonly texts: number }[] {
  const atOnce = Math.max(Math.floor(MOST_PRODUCTS / products), 1);
  return Array.from(
    { length: Math.ceil(batch / atOnce) },
    (_, part) => ({ first: part * atOnce, texts: Math.min(atOnce, batch - part * atOnce) }),
  );
}

/** Rows of a tensor whose rows have all heads. */
interface Rows {
  readonly first: number;
  readonly rows: number;
}

/** Some rows of x, `[heads, rows, size]`. */
function splitHeads(gpu: Gpu, x: Tensor, heads: number, { first, rows }: Rows): Tensor {
  const width = x.shape.at(-1)!,
    size = width / heads,
    out = gpu.empty([heads, rows, size], `${x.label} by head`);
  gpu.launch(headsKernel, {
    buffers: { x, out },
    uniforms: { rows, heads, size, first, accumulate: 0 },
    workgroups: lineOfGroups(rows),
  });
  return out;
}

/** x `[heads, rows, size]` as some rows of the target. */
function mergeHeads(gpu: Gpu, x: Tensor, { into, accumulate }: GradientTarget, { first, rows }: Rows): void {
  const [heads, , size] = x.shape as [number, number, number];
  gpu.launch(headsKernel, {
    buffers: { x, out: into },
    uniforms: { rows, heads, size, first, accumulate: Number(accumulate) },
    constants: { MERGE: true },
    workgroups: lineOfGroups(rows),
  });
}
