/** @file Launches rotations of blocks of columns, made of skew matrices by Cayley's map, and their gradients. */
import type { Tape, Var } from "../../autodiff/tape.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import { defineKernel, lineOfGroups } from "../../gpu/kernel.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { elementCount } from "../../gpu/tensor.ts";
import { lanesOfMatrix } from "../../kernels/mod.ts";
import { groupsFor } from "../../kernels/wgsl/groups.ts";
import productsSource from "./block_products.wgsl" with { type: "text" };
import cayleySource from "./cayley.wgsl" with { type: "text" };
import changeSource from "./cayley_change.wgsl" with { type: "text" };
import rotateSource from "./rotate_blocks.wgsl" with { type: "text" };

/** Largest block that a workgroup inverts. */
export const MAX_BLOCK = 32;

const rotateKernel = defineKernel({
  name: "rotate_blocks",
  source: rotateSource,
  buffers: { x: "read", rotations: "read", y: "read_write" },
  uniforms: { rows: "u32", blocks: "u32", size: "u32", accumulate: "u32" },
  constants: { TURNED: false },
});
const productsKernel = defineKernel({
  name: "block_products",
  source: productsSource,
  buffers: { x: "read", g: "read", out: "read_write" },
  uniforms: { rows: "u32", blocks: "u32", size: "u32" },
  constants: { PARTS: 8 },
  workgroupBytes: () => 256 * 16,
});
const cayleyKernel = defineKernel({
  name: "cayley",
  source: cayleySource,
  buffers: { q: "read", rotations: "read_write" },
  uniforms: { size: "u32" },
  constants: { LANES: 64 },
  workgroupBytes: () => 4 * MAX_BLOCK ** 2,
});
const changeKernel = defineKernel({
  name: "cayley_change",
  source: changeSource,
  buffers: { rotations: "read", x: "read", out: "read_write" },
  uniforms: { size: "u32", accumulate: "u32" },
  constants: { BACKWARD: false, LANES: 64 },
  workgroupBytes: () => 3 * 4 * MAX_BLOCK ** 2,
});

/** Where a gradient goes. */
interface Target {
  readonly into: Tensor;
  readonly accumulate: boolean;
}

/** R = (I − Q)(I + Q)⁻¹ of each block into `rotations` `[blocks, size, size]`; q has upper triangles, row by row. */
export function cayley(gpu: Gpu, q: Tensor, rotations: Tensor): void {
  const [blocks, size] = rotations.shape as [number, number];
  gpu.launch(cayleyKernel, {
    buffers: { q, rotations },
    uniforms: { size },
    constants: { LANES: lanesOfMatrix(gpu) },
    workgroups: [blocks],
  });
}

/** How R moves where q moves by `change`: `[blocks, size, size]` into `out`. */
export function cayleyChange(gpu: Gpu, rotations: Tensor, change: Tensor, out: Tensor): void {
  const [blocks, size] = rotations.shape as [number, number];
  gpu.launch(changeKernel, {
    buffers: { rotations, x: change, out },
    uniforms: { size, accumulate: 0 },
    constants: { LANES: lanesOfMatrix(gpu) },
    workgroups: [blocks],
  });
}

/** dL/dq from dL/dR. */
export function cayleyBackward(
  gpu: Gpu,
  rotations: Tensor,
  gradient: Tensor,
  { into, accumulate }: Target,
): void {
  const [blocks, size] = rotations.shape as [number, number];
  gpu.launch(changeKernel, {
    buffers: { rotations, x: gradient, out: into },
    uniforms: { size, accumulate: Number(accumulate) },
    constants: { BACKWARD: true, LANES: lanesOfMatrix(gpu) },
    workgroups: [blocks],
  });
}

/** x R, or x Rᵀ, for x `[rows, blocks · size]`. */
export function rotateBlocks(
  gpu: Gpu,
  x: Tensor,
  rotations: Tensor,
  { turned = false, target }: { readonly turned?: boolean; readonly target?: Target } = {},
): Tensor {
  const [blocks, size] = rotations.shape as [number, number], rows = elementCount(x.shape) / (blocks * size);
  const y = target?.into ?? gpu.empty(x.shape, `${x.label} rotated`);
  gpu.launch(rotateKernel, {
    buffers: { x, rotations, y },
    uniforms: { rows, blocks, size, accumulate: Number(target?.accumulate ?? false) },
    constants: { TURNED: turned },
    workgroups: groupsFor(Math.ceil(rows / 4) * blocks * Math.ceil(size / 4)),
  });
  return y;
}

/** xᵀ g of each block of columns into `out` `[blocks, size, size]`. */
export function blockProducts(gpu: Gpu, x: Tensor, g: Tensor, out: Tensor): void {
  const [blocks, size] = out.shape as [number, number], rows = elementCount(x.shape) / (blocks * size);
  gpu.launch(productsKernel, {
    buffers: { x, g, out },
    uniforms: { rows, blocks, size },
    workgroups: lineOfGroups(Math.ceil(blocks * Math.ceil(size / 4) ** 2 / 8)),
  });
}

/** What `rotateColumns` needs beside what is differentiated. */
export interface Rotated {
  /** R of `q`, `[blocks, size, size]`, as it is until the backward pass. */
  readonly rotations: Tensor;
  /** Room for dL/dR, of R's shape. */
  readonly room: Tensor;
}

/** x R on the tape; gradients of x and of q. */
export function rotateColumns(tape: Tape, x: Var, q: Var, { rotations, room }: Rotated): Var {
  const { gpu } = tape;
  return tape.record({
    name: "rotateColumns",
    inputs: [x, q],
    keeps: { x: x.value },
    output: rotateBlocks(gpu, x.value, rotations),
    backward(gradient, inputs, { x }) {
      if (inputs.wanted(0)) {
        rotateBlocks(gpu, gradient, rotations, { turned: true, target: inputs.target(0) });
      }
      if (inputs.wanted(1)) {
        blockProducts(gpu, x, gradient, room);
        cayleyBackward(gpu, rotations, room, inputs.target(1));
      }
    },
  });
}
