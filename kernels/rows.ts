/** @file How row kernels share out rows: a workgroup of 64 lanes holds 64 / lanes rows. */
import type { Gpu } from "../gpu/gpu.ts";
import { lineOfGroups } from "../gpu/kernel.ts";
import type { Tensor } from "../gpu/tensor.ts";

/** Lanes of a workgroup of every row kernel. */
export const ROW_GROUP = 64;

/** What a row kernel may be told; absent, the adapter's kind decides. */
export interface RowOptions {
  /** Lanes that share a row: a power of two from 1 to 64. */
  readonly lanes?: number;
}

/**
 * Lanes a row: on a GPU neighbours should read neighbouring elements; a software adapter gains nothing from that and
 * pays for every barrier.
 */
export function rowLanes(gpu: Gpu, options: RowOptions): number {
  const lanes = options.lanes ?? (gpu.info.software ? 1 : 32);
  if (!(Number.isInteger(Math.log2(lanes)) && lanes >= 1 && lanes <= ROW_GROUP)) {
    throw new RangeError(
      `Cannot share a row among ${lanes} lanes: a power of two from 1 to ${ROW_GROUP} is needed`,
    );
  }
  return lanes;
}

/** Workgroups for `rows` rows. */
export function rowGroups(rows: number, lanes: number): readonly [number, number] {
  return lineOfGroups(Math.ceil(rows * lanes / ROW_GROUP));
}

/** Rows and columns of a tensor whose last axis is a row. */
export function rowSizes(x: Tensor): { readonly rows: number; readonly columns: number } {
  const columns = x.shape.at(-1) ?? 1;
  return { rows: x.shape.slice(0, -1).reduce((product, size) => product * size, 1), columns };
}
