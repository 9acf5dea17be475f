/** @file The typing of a kernel and of one launch of it. */
import type { DType, Tensor } from "./tensor.ts";

/** What one WGSL file declares, restated once so that the compiler can check each launch. */
export interface KernelSpec {
  /** Same as the file's name without ".wgsl"; labels pipelines, errors and timings. */
  readonly name: string;
  /** The WGSL text, imported with `with { type: "text" }`. Its entry point is `main`. */
  readonly source: string;
  /** Storage buffers in binding order: the first is `@binding(0)`. */
  readonly buffers: Readonly<Record<string, "read" | "read_write">>;
  /** Fields of the WGSL struct `Uniforms`, in order; it is the binding after the last buffer. At most 64. */
  readonly uniforms: Readonly<Record<string, "u32" | "i32" | "f32">>;
  /** The WGSL `override` constants with their defaults. Each distinct set compiles one pipeline. */
  readonly constants: Readonly<Record<string, number | boolean>>;
  /** Bytes of `var<workgroup>` under a set of constants; 0 where absent. Deno does not check them, so we do. */
  readonly workgroupBytes?: (constants: Readonly<Record<string, number | boolean>>) => number;
}

/** A declared kernel; the object's identity is the key of its pipelines. */
export interface Kernel<S extends KernelSpec = KernelSpec> {
  /** What was declared. */
  readonly spec: S;
  /** The same kernel adding up over lanes by subgroups, in another order: taken where `Gpu.useSubgroups` says so. */
  readonly inSubgroups?: Kernel<S>;
}

/** One use of a kernel. Every name here is checked against the kernel's spec. */
export interface Launch<S extends KernelSpec> {
  /** A tensor for each buffer. */
  readonly buffers: { readonly [K in keyof S["buffers"]]: Tensor<DType> };
  /** A value for each uniform. */
  readonly uniforms: { readonly [K in keyof S["uniforms"]]: number };
  /** Constants that differ from their defaults. */
  readonly constants?: { readonly [K in keyof S["constants"]]?: number | boolean };
  /** Workgroup counts along x, y and z, each from 1 to 65,535. */
  readonly workgroups: readonly [x: number, y?: number, z?: number];
}

/** Declares a kernel. Compiles nothing: pipelines are built on first launch and cached per device. */
export function defineKernel<const S extends KernelSpec>(spec: S): Kernel<S> {
  return { spec };
}

/** Most workgroups that WebGPU allows along one dimension. */
export const MAX_GROUPS = 65535;

/**
 * Workgroups for a kernel that counts its groups in one line.
 *
 * WebGPU allows 65,535 workgroups per dimension, so a longer line is folded along y: a kernel finds its place as
 * `group.x + group.y * groups.x` and must leave when that lies beyond the end.
 */
export function lineOfGroups(count: number): readonly [number, number] {
  if (count <= MAX_GROUPS) return [Math.max(count, 1), 1];
  const rows = Math.ceil(count / MAX_GROUPS);
  return [Math.ceil(count / rows), rows];
}
