/** @file Frozen random bases whose rows are scaled by trained numbers, and the gradients of these. */
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import { elementCount, type Tensor } from "../../gpu/tensor.ts";
import { composeKernel } from "../../kernels/wgsl/compose.ts";
import { groupsFor } from "../../kernels/wgsl/groups.ts";
import { rowGroups, rowLanes, type RowOptions } from "../../kernels/wgsl/rows.ts";
import { snippets } from "../../kernels/wgsl/snippets.ts";
import gainsSource from "./basis_gains.wgsl" with { type: "text" };
import scalesSource from "./basis_scales.wgsl" with { type: "text" };
import source from "./scale_basis.wgsl" with { type: "text" };

const uniforms = { rows: "u32", columns: "u32", rank: "u32", stride: "u32", accumulate: "u32" } as const;
const kernel = defineKernel({
  name: "scale_basis",
  source,
  buffers: { basis: "read", scales: "read", gains: "read", out: "read_write" },
  uniforms,
  constants: { GAINS: false },
});
const scalesKernel = composeKernel({
  name: "basis_scales",
  source: scalesSource,
  buffers: { basis: "read", g: "read", gains: "read", out: "read_write" },
  uniforms,
  constants: { LANES: 1, GAINS: false },
  workgroupBytes: () => 64 * 4,
}, { snippets });
const gainsKernel = defineKernel({
  name: "basis_gains",
  source: gainsSource,
  buffers: { basis: "read", g: "read", scales: "read", out: "read_write" },
  uniforms,
  constants: {},
});

/**
 * What scales a basis `[rank, at least columns]`: a number for each row of it, N times over, and where there are `gains` one for
 * each of its columns, N times too.
 */
export interface Scales {
  /** `[N · rank]`. */
  readonly scales: Tensor;
  /** `[N, columns]`; 1 where absent. */
  readonly gains?: Tensor;
}

/** Where a result goes. */
interface Target {
  readonly into: Tensor;
  readonly accumulate?: boolean;
}

/**
 * into[j · rank + i, c] (+)= scales[j, i] · basis[i, c] · gains[j, c], `[N · rank, columns]`: of the basis the first columns.
 *
 * @throws {RangeError} where sizes do not fit
 */
export function scaleBasis(
  gpu: Gpu,
  basis: Tensor,
  { scales, gains }: Scales,
  { into, accumulate = false }: Target,
): Tensor {
  const sizes = sizesOf(basis, scales, gains, into);
  gpu.launch(kernel, {
    buffers: { basis, scales, gains: gains ?? scales, out: into },
    uniforms: { ...sizes, accumulate: Number(accumulate) },
    constants: { GAINS: gains !== undefined },
    workgroups: groupsFor(sizes.rows * sizes.columns),
  });
  return into;
}

/** The gradient of the scales, from that of the scaled basis, `[N · rank, columns]`. */
export function scalesGradient(
  gpu: Gpu,
  basis: Tensor,
  gradient: Tensor,
  { into, accumulate = false }: Target,
  { gains, ...options }: Pick<Scales, "gains"> & RowOptions = {},
): void {
  const sizes = sizesOf(basis, into, gains, gradient), lanes = rowLanes(gpu, options);
  gpu.launch(scalesKernel, {
    buffers: { basis, g: gradient, gains: gains ?? basis, out: into },
    uniforms: { ...sizes, accumulate: Number(accumulate) },
    constants: { LANES: lanes, GAINS: gains !== undefined },
    workgroups: rowGroups(sizes.rows, lanes),
  });
}

/** The gradient of the gains, from that of the scaled basis, `[N · rank, columns]`. */
export function gainsGradient(
  gpu: Gpu,
  basis: Tensor,
  gradient: Tensor,
  scales: Tensor,
  { into, accumulate = false }: Target,
): void {
  const { columns, rank, stride } = sizesOf(basis, scales, into, gradient), rows = into.shape[0]!;
  gpu.launch(gainsKernel, {
    buffers: { basis, g: gradient, scales, out: into },
    uniforms: { rows, columns, rank, stride, accumulate: Number(accumulate) },
    workgroups: groupsFor(rows * columns),
  });
}

/** @throws {RangeError} where sizes do not fit */
function sizesOf(basis: Tensor, scales: Tensor, gains: Tensor | undefined, scaled: Tensor) {
  const [rank, stride] = basis.shape as [number, number], [rows, columns] = scaled.shape as [number, number];
  const isWhole = elementCount(scales.shape) === rows && rows % rank === 0 && columns <= stride;
  if (!isWhole || (gains && elementCount(gains.shape) !== rows / rank * columns)) {
    throw new RangeError(
      `Cannot scale "${basis.label}" [${basis.shape}] by "${scales.label}" [${scales.shape}]${
        gains ? ` and "${gains.label}" [${gains.shape}]` : ""
      } into [${scaled.shape}]`,
    );
  }
  return { rows, columns, rank, stride };
}
