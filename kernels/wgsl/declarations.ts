/** @file The declarations of a text that is made for a shape, out of the kernel's spec: each stands there once. */
import type { KernelSpec } from "../../gpu/kernel.ts";
import { wgsl } from "./compose.ts";

/** A uniform that is always 0, which the compiler does not know: a loop whose end depends on it is not unrolled. */
const UNKNOWN_ZERO = "zero";

/** WGSL of struct `Uniforms` and of all bindings of a spec. `types` has the element type of each buffer. */
export function declarations<const B extends KernelSpec["buffers"]>(
  { buffers, uniforms }: { readonly buffers: B; readonly uniforms: KernelSpec["uniforms"] },
  types: { readonly [K in keyof B]: string },
): string {
  const fields = Object.entries(uniforms).map(([name, type]) => {
    const comment = name === UNKNOWN_ZERO ? "// Always 0, which the compiler does not know.\n" : "";
    return `${comment}${snakeCase(name)}: ${type},`;
  });
  const names = Object.keys(buffers);
  const bindings = names.map((name, i) =>
    `@group(0) @binding(${i}) var<storage, ${buffers[name]}> ${snakeCase(name)}: array<${types[name]}>;`
  );
  return wgsl`
    struct Uniforms {
      ${fields}
    }

    ${bindings}
    @group(0) @binding(${names.length}) var<uniform> u: Uniforms;
  `;
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
