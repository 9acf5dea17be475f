/** @file Kernels that load and store four elements at once where rows are whole vectors, and one by one elsewhere. */
import type { Kernel, KernelSpec } from "../../gpu/kernel.ts";
import { composeKernel, type Snippets, wgsl } from "./compose.ts";
import { snippets } from "./snippets.ts";

/** A kernel's twins by the buffers that they take as vectors, made when first asked for. */
export interface QuadKernels<S extends KernelSpec> {
  readonly spec: S;
  readonly own: Snippets;
  readonly twins: Map<string, Kernel<S>>;
}

/**
 * Declares a kernel whose text reads and writes a buffer `x` of `array<f32>` only by functions `load_x(at, inside)`
 * (`#use load x`) and `store_x(at, inside, values)` (`#use store x`), each of up to four elements from `at` on, of which
 * `inside` (at least one) lie in the row. `own` are the kernel's own snippets.
 *
 * @throws {Error} as `compose` does
 */
export function defineQuadKernel<const S extends KernelSpec>(spec: S, own: Snippets = {}): QuadKernels<S> {
  const kernels = { spec, own, twins: new Map<string, Kernel<S>>() };
  quadKernel(kernels, []);
  return kernels;
}

/**
 * The twin that takes the buffers `whole` (WGSL names) as vectors: their rows begin and end at multiples of four.
 *
 * @throws {Error} where the text has no such buffer
 */
export function quadKernel<S extends KernelSpec>(
  { spec, own, twins }: QuadKernels<S>,
  whole: readonly string[],
): Kernel<S> {
  const key = whole.join();
  const known = twins.get(key);
  if (known) return known;
  const twin = composeKernel(spec, {
    snippets: {
      ...snippets,
      load: (buffer: string) => whole.includes(buffer) ? loadVector(buffer) : loadElements(buffer),
      store: (buffer: string) => whole.includes(buffer) ? storeVector(buffer) : storeElements(buffer),
      ...own,
    },
    replacements: whole.map((buffer) => [`> ${buffer}: array<f32>`, `> ${buffer}: array<vec4<f32>>`]),
  });
  twins.set(key, twin);
  return twin;
}

function loadVector(buffer: string): string {
  return wgsl`
    fn load_${buffer}(at: u32, inside: u32) -> vec4<f32> {
      return ${buffer}[at / 4u];
    }
  `;
}

function storeVector(buffer: string): string {
  return wgsl`
    fn store_${buffer}(at: u32, inside: u32, values: vec4<f32>) {
      ${buffer}[at / 4u] = values;
    }
  `;
}

function loadElements(buffer: string): string {
  return wgsl`
    fn load_${buffer}(at: u32, inside: u32) -> vec4<f32> {
      var values = vec4<f32>(0.0);
      let count = min(inside, 4u);
      for (var k = 0u; k < count; k++) {
        values[k] = ${buffer}[at + k];
      }
      return values;
    }
  `;
}

function storeElements(buffer: string): string {
  return wgsl`
    fn store_${buffer}(at: u32, inside: u32, values: vec4<f32>) {
      let count = min(inside, 4u);
      for (var k = 0u; k < count; k++) {
        ${buffer}[at + k] = values[k];
      }
    }
  `;
}
