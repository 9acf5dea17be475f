/** @file Kernels that load and store four elements at once where rows are whole vectors, and one by one elsewhere. */
import { defineKernel, type Kernel, type KernelSpec } from "../../gpu/kernel.ts";

/** A kernel and its twins by the buffers that they take as vectors, made when first asked for. */
export interface QuadKernels<S extends KernelSpec> {
  readonly spec: S;
  readonly twins: Map<string, Kernel<S>>;
}

/**
 * Declares a kernel whose text reads and writes a buffer `x` of `array<f32>` only by functions `load_x(at, inside)` and
 * `store_x(at, inside, values)`, each of up to four elements from `at` on, of which `inside` (at least one) lie in the row.
 */
export function defineQuadKernel<const S extends KernelSpec>(spec: S): QuadKernels<S> {
  return { spec, twins: new Map([["", defineKernel(spec)]]) };
}

const ACCESSOR = /fn (load|store)_(\w+)\([^)]*\)[^{]*\{[\s\S]*?\n\}\n/g;

/** The twin that takes the buffers `whole` (WGSL names) as vectors: their rows begin and end at multiples of four. */
export function quadKernel<S extends KernelSpec>(
  { spec, twins }: QuadKernels<S>,
  whole: readonly string[],
): Kernel<S> {
  const key = whole.join();
  const known = twins.get(key);
  if (known) return known;
  const source = whole.reduce(
    (text, name) => text.replace(new RegExp(`(> ${name}: )array<f32>`), "$1array<vec4<f32>>"),
    spec.source,
  ).replaceAll(ACCESSOR, (text, kind: string, name: string) => {
    if (!whole.includes(name)) return text;
    return kind === "load"
      ? `fn load_${name}(at: u32, inside: u32) -> vec4<f32> {\n  return ${name}[at / 4u];\n}\n`
      : `fn store_${name}(at: u32, inside: u32, values: vec4<f32>) {\n  ${name}[at / 4u] = values;\n}\n`;
  });
  const twin = defineKernel({ ...spec, source });
  twins.set(key, twin);
  return twin;
}
