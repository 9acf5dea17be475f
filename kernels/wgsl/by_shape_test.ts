import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { defineKernel } from "../../gpu/kernel.ts";
import { kernelsByShape } from "./by_shape.ts";

Deno.test("kernelsByShape() declares a shape once, in whatever order its fields are written", () => {
  let declared = 0;
  const kernelOf = kernelsByShape(({ rows, half }: { readonly rows: number; readonly half: boolean }) => {
    declared++;
    return defineKernel({ name: `${rows} ${half}`, source: "", buffers: {}, uniforms: {}, constants: {} });
  });
  const first = kernelOf({ rows: 4, half: true });
  assertStrictEquals(kernelOf({ half: true, rows: 4 }), first);
  assert(kernelOf({ rows: 4, half: false }) !== first);
  assert(kernelOf({ rows: 8, half: true }) !== first);
  assertEquals([declared, first.spec.name], [3, "4 true"]);
});
