/** @file A low-rank change of a linear map's weight: as two thin matrices, and added to the weight. */
import type { Shape } from "../../gpu/tensor.ts";

/** A matrix or a vector on the host. */
export interface HostValues {
  /** Sizes of the axes, outermost first. */
  readonly shape: Shape;
  /** The elements, row-major. */
  readonly data: Float32Array<ArrayBuffer>;
}

/** Two thin matrices. */
export interface FactorPair {
  /** `[rank, in]`. */
  readonly a: HostValues;
  /** `[out, rank]`. */
  readonly b: HostValues;
}

/** How the weight W of a linear map has changed: to W + s (B A − B0 A0), and beyond that by what else is there. */
export interface LowRankChange extends FactorPair {
  /** Name of the map in the whole model: that of its weight without ".weight". */
  readonly path: string;
  /** s. */
  readonly scale: number;
  /** A and B of the start, where that took s·B0·A0 out of W. */
  readonly start?: FactorPair;
  /** AdaLoRA's E: B diag(E) A stands for B A. */
  readonly e?: HostValues;
  /** DoRA's: each row of W + s·B·A is brought to this length. */
  readonly magnitude?: HostValues;
}

/** What training made of a model's weights. */
export interface TrainedWeights {
  /** Of linear maps, each once. */
  readonly changes: readonly LowRankChange[];
  /** Parameters of the model that were trained themselves, by name: a head, or with full fine-tuning all. */
  readonly whole: ReadonlyMap<string, HostValues>;
}

/**
 * The pair whose product, times s, is the whole change, but for DoRA's lengths: [A; A0] and [B, −B0] where a start was taken out
 * of the weight, and B diag(E) without the columns whose E is 0.
 */
export function pairOf({ a, b, e, start }: LowRankChange): FactorPair {
  if (e) return keptTriplets({ a, b }, e);
  if (!start) return { a, b };
  const [rank, columns] = a.shape as [number, number],
    [rows] = b.shape as [number],
    [more] = start.a.shape as [number];
  const joined = new Float32Array((rank + more) * columns), beside = new Float32Array(rows * (rank + more));
  joined.set(a.data);
  joined.set(start.a.data, a.data.length);
  for (let row = 0; row < rows; row++) {
    beside.set(b.data.subarray(row * rank, (row + 1) * rank), row * (rank + more));
    for (let k = 0; k < more; k++) beside[row * (rank + more) + rank + k] = -start.b.data[row * more + k]!;
  }
  return { a: tensor([rank + more, columns], joined), b: tensor([rows, rank + more], beside) };
}

function keptTriplets({ a, b }: FactorPair, e: HostValues): FactorPair {
  const [rank, columns] = a.shape as [number, number], [rows] = b.shape as [number];
  const kept = Array.from(e.data.keys()).filter((k) => e.data[k] !== 0);
  const ownA = new Float32Array(kept.length * columns), ownB = new Float32Array(rows * kept.length);
  kept.forEach((k, i) => {
    ownA.set(a.data.subarray(k * columns, (k + 1) * columns), i * columns);
    for (let row = 0; row < rows; row++) ownB[row * kept.length + i] = e.data[k]! * b.data[row * rank + k]!;
  });
  return { a: tensor([kept.length, columns], ownA), b: tensor([rows, kept.length], ownB) };
}

/**
 * One change in place of two, the second of which was trained on top of the first: [A; A₁] and [B, B₁ s₁ / s]; null where
 * lengths of rows keep them apart.
 */
export function joined(first: LowRankChange, second: LowRankChange): LowRankChange | null {
  if (first.magnitude || second.magnitude) return null;
  const under = pairOf(first), { path, scale } = second, own = pairOf(second), share = first.scale / scale;
  const b0 = tensor(under.b.shape, under.b.data.map((value) => -share * value));
  return { path, scale, ...pairOf({ path, scale, ...own, start: { a: under.a, b: b0 } }) };
}

/** Writes the trained weight over the weight that the run began with, `[out, in]`. Each row is summed in float64. */
export function addChange(weight: Float32Array, change: LowRankChange): void {
  const { a, b } = pairOf(change),
    [rank, columns] = a.shape as [number, number],
    [rows] = b.shape as [number];
  const sum = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    const own = weight.subarray(row * columns, (row + 1) * columns);
    sum.set(own);
    for (let k = 0; k < rank; k++) {
      const factor = change.scale * b.data[row * rank + k]!, at = k * columns;
      if (factor === 0) continue;
      for (let column = 0; column < columns; column++) sum[column]! += factor * a.data[at + column]!;
    }
    if (change.magnitude) {
      const length = Math.sqrt(sum.reduce((total, value) => total + value * value, 0));
      // A row of length 0 has no direction, and stays 0.
      const stretch = length === 0 ? 0 : change.magnitude.data[row]! / length;
      for (let column = 0; column < columns; column++) sum[column]! *= stretch;
    }
    own.set(sum);
  }
}

function tensor(shape: Shape, data: Float32Array<ArrayBuffer>): HostValues {
  return { shape, data };
}
