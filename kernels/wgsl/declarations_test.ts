import { assertEquals } from "@std/assert";
import { declarations } from "./declarations.ts";

Deno.test("declarations() writes uniforms and bindings in the spec's order, in WGSL's names, the buffers' types as given", () => {
  const spec = {
    buffers: { x: "read", newSums: "read_write" },
    uniforms: { firstRow: "u32", scale: "f32", zero: "u32" },
  } as const;
  assertEquals(
    declarations(spec, { x: "vec4<f32>", newSums: "f32" }),
    `struct Uniforms {
  first_row: u32,
  scale: f32,
  // Always 0, which the compiler does not know.
  zero: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> new_sums: array<f32>;
@group(0) @binding(2) var<uniform> u: Uniforms;`,
  );
});
