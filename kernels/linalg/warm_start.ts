/** @file The right singular vectors at which decompositions of matrices that change little from step to step begin. */
import type { Gpu } from "../../gpu/gpu.ts";
import { ELEMENT_BYTES, type Tensor } from "../../gpu/tensor.ts";
import { composeKernel } from "../wgsl/compose.ts";
import { snippets } from "../wgsl/snippets.ts";
import {
  GRAM_SCHMIDT_RANK,
  type SmallMatrices,
  smallStride,
  type TallMatrices,
  tallMatrices,
  tallTableWords,
} from "./layout.ts";
import renewSource from "./renew_basis.wgsl" with { type: "text" };

/**
 * Orthonormal bases `[rank, rank]`, one a matrix, in which the matrices' columns are all but orthogonal: then few rotations are
 * left to do. Decompositions that are given it leave their own right singular vectors in it. It is state: results depend on it
 * by rounding.
 */
export interface WarmStart {
  /** Laid out as tall matrices, rows of whole vectors. */
  readonly bases: TallMatrices;
  /** 1 for each matrix. */
  readonly ones: Tensor;
}

/**
 * The identity for each of `ones`, in the caller's scope; null at ranks to 12, where decompositions take no start.
 *
 * @param ones `[count]`
 */
export function createWarmStart(gpu: Gpu, rank: number, ones: Tensor, label: string): WarmStart | null {
  if (rank <= GRAM_SCHMIDT_RANK) return null;
  const count = ones.shape[0]!, stride = smallStride(rank), block = rank * stride;
  const one = Float32Array.from({ length: block }, (_, e) => Number(Math.floor(e / stride) === e % stride));
  const flat = gpu.empty([count, rank, stride], label);
  const layouts = Array.from(
    { length: count },
    (_, i) => ({ offset: i * block, rows: rank, rowStride: stride, columnStride: 1 }),
  );
  for (const { offset } of layouts) {
    gpu.write({ ...flat, offset: flat.offset + ELEMENT_BYTES * offset, shape: [block] }, one);
  }
  return { bases: tallMatrices(gpu, flat, rank, layouts), ones };
}

/** Numbers of a warm start of so many matrices and of its table, by formula; none at ranks to 12. */
export function warmStartSizes(
  rank: number,
  count: number,
): { readonly state: readonly (readonly number[])[]; readonly tables: readonly (readonly number[])[] } {
  if (rank <= GRAM_SCHMIDT_RANK) return { state: [], tables: [] };
  return {
    state: [[count * rank * smallStride(rank)]],
    tables: [[tallTableWords(Array.from({ length: count }, () => rank))]],
  };
}

/** The bases as factors of products. */
export function basesOf({ bases: { flat, rank } }: WarmStart): SmallMatrices {
  const stride = smallStride(rank);
  return { tensor: flat, at: 0, block: rank * stride, row: stride, column: 1 };
}

const renewKernel = composeKernel({
  name: "renew_basis",
  source: renewSource,
  buffers: { svds: "read_write", values: "read", basis: "read_write" },
  uniforms: {
    rank: "u32",
    stride: "u32",
    block: "u32",
    vAt: "u32",
    sAt: "u32",
    valuesBlock: "u32",
    valuesAt: "u32",
  },
  constants: { LANES: 64 },
  workgroupBytes: ({ LANES }) => 4 * Number(LANES) + 4 * 256,
}, { snippets });

/** What renews a warm start: V, by columns, and where s goes beside it; and s. */
export interface Renewal {
  readonly v: SmallMatrices;
  /** Of the first matrix, in `v.tensor`. */
  readonly sAt: number;
  readonly values: Pick<SmallMatrices, "tensor" | "at" | "block">;
}

/** Puts s beside V, and V into the warm start: the identity where V lacks columns. */
export function renewWarmStart(
  gpu: Gpu,
  { bases: { flat, rank, rows } }: WarmStart,
  { v, sAt, values }: Renewal,
  lanes: number,
): void {
  gpu.launch(renewKernel, {
    buffers: { svds: v.tensor, values: values.tensor, basis: flat },
    uniforms: {
      ...{ rank, stride: smallStride(rank), block: v.block, vAt: v.at, sAt },
      ...{ valuesBlock: values.block, valuesAt: values.at },
    },
    constants: { LANES: lanes },
    workgroups: [rows.length],
  });
}
