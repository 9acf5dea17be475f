/** @file Launches scores of contents and relative positions, as disentangled attention adds them, and their gradients. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel, lineOfGroups } from "../../gpu/kernel.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { groupsFor } from "../wgsl/groups.ts";
import type { GradientTarget } from "./attention.ts";
import source from "./relative_scores.wgsl" with { type: "text" };
import placesSource from "./relative_scores_places.wgsl" with { type: "text" };
import tableSource from "./relative_scores_table.wgsl" with { type: "text" };

const sizes = { length: "u32", heads: "u32", size: "u32", count: "u32", scale: "f32" } as const;
const gradient = { ...sizes, ofKeys: "u32", accumulate: "u32" } as const;

const kernel = defineKernel({
  name: "relative_scores",
  source,
  buffers: { q: "read", k: "read", qr: "read", kr: "read", rows: "read", out: "read_write" },
  uniforms: sizes,
  constants: {},
});

const placesKernel = defineKernel({
  name: "relative_scores_places",
  source: placesSource,
  buffers: { g: "read", table: "read", rows: "read", out: "read_write" },
  uniforms: gradient,
  constants: {},
});

const tableKernel = defineKernel({
  name: "relative_scores_table",
  source: tableSource,
  buffers: { g: "read", x: "read", starts: "read", out: "read_write" },
  uniforms: { ...gradient, batch: "u32" },
  constants: {},
});

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
  const out = gpu.empty([batch, heads, length, length], "relative scores"), lines = batch * heads * length;
  gpu.launch(kernel, {
    buffers: { q, k, qr, kr, rows: map.rows, out },
    uniforms: { length, heads, size: width / heads, count: lines, scale },
    workgroups: lineOfGroups(lines),
  });
  return out;
}

/** Gradients of `relativeScores` for those of its operands that have a target, given that of its result. */
export function relativeScoresBackward(
  gpu: Gpu,
  { q, k, qr, kr }: RelativeOperands,
  heads: number,
  scale: number,
  { length, count, rows, starts }: RelativeRows,
  g: Tensor,
  targets: RelativeOperands<GradientTarget | null>,
): void {
  const width = q.shape.at(-1)!, batch = elementCount(q.shape) / (length * width);
  const uniformsOf = (count: number, accumulate: boolean, ofKeys: boolean) => ({
    ...{ length, heads, size: width / heads, count, scale },
    ...{ ofKeys: Number(ofKeys), accumulate: Number(accumulate) },
  });
  for (const [target, table, ofKeys] of [[targets.q, kr, false], [targets.k, qr, true]] as const) {
    if (!target) continue;
    const numbers = batch * length * width;
    gpu.launch(placesKernel, {
      buffers: { g, table, rows, out: target.into },
      uniforms: uniformsOf(numbers, target.accumulate, ofKeys),
      workgroups: groupsFor(numbers),
    });
  }
  for (const [target, x, ofKeys] of [[targets.kr, q, false], [targets.qr, k, true]] as const) {
    if (!target) continue;
    gpu.launch(tableKernel, {
      buffers: { g, x, starts, out: target.into },
      uniforms: { ...uniformsOf(count * width, target.accumulate, ofKeys), batch },
      workgroups: groupsFor(count * width),
    });
  }
}
