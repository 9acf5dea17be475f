import { assertEquals, assertThrows } from "@std/assert";
import type { Gpu } from "../gpu/gpu.ts";
import { add } from "../kernels/mod.ts";
import type { TargetModule } from "../models/model.ts";
import { createRandom } from "../numerics/random.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { copyWeight, rewriteWeight, trainableWeight } from "./module_weight.ts";

const OUT = 5, IN = 7;

/** A target module whose weight lies among others, in 32 or 16 bits, and its numbers. */
function targetModuleOf(
  gpu: Gpu,
  half: boolean,
): { readonly targetModule: TargetModule; readonly values: Float32Array } {
  const values = Float32Array.from(new Float16Array(createRandom(1).normal(OUT * IN, 1)));
  const entries = ["before", "w", "after"].map((label) => ({ label, shape: [OUT, IN] }));
  if (half) {
    const value = gpu.pack(entries, "pack", "f16").parts[1]!;
    gpu.write(value, new Float16Array(values));
    return { targetModule: { name: "targetModule", weight: { name: "w", value }, in: IN, out: OUT }, values };
  }
  const value = gpu.pack(entries, "pack").parts[1]!;
  gpu.write(value, values.slice());
  return { targetModule: { name: "targetModule", weight: { name: "w", value }, in: IN, out: OUT }, values };
}

Deno.test("copyWeight() gives a target module's weight in 32-bit floats, exactly, whatever it is kept in", async () => {
  const gpu = await testGpu();
  for (const half of [false, true]) {
    using _ = gpu.scope("copy");
    const { targetModule, values } = targetModuleOf(gpu, half), copy = copyWeight(gpu, targetModule);
    assertEquals([copy.dtype, copy.shape], ["f32", [OUT, IN]]);
    assertEquals(await gpu.download(copy), values.slice());
    assertEquals(copy.buffer === targetModule.weight.value.buffer, false);
  }
});

Deno.test("rewriteWeight() changes a weight in place, rounded to what it is kept in, and frees what it took", async () => {
  const gpu = await testGpu();
  for (const half of [false, true]) {
    using _ = gpu.scope("rewrite");
    const { targetModule, values } = targetModuleOf(gpu, half);
    const change = Float32Array.from(createRandom(2).normal(OUT * IN, 1));
    const by = gpu.upload(change, "f32", [OUT, IN], "change");
    const before = gpu.memory.liveBytes;
    rewriteWeight(gpu, targetModule, (weight) => {
      using _ = gpu.scope("sum");
      gpu.copy(add(gpu, weight, by), weight);
    });
    assertEquals(gpu.memory.liveBytes, before);
    const wanted = values.map((value, i) => value + change[i]!);
    assertEquals(
      await gpu.download(copyWeight(gpu, targetModule)),
      half ? Float32Array.from(new Float16Array(wanted)) : wanted,
    );
  }
});

Deno.test("trainableWeight() refuses a weight in 16-bit floats by its target module's name", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("trainable");
  const { targetModule } = targetModuleOf(gpu, false);
  assertEquals(trainableWeight(targetModule), targetModule.weight);
  assertThrows(
    () => trainableWeight(targetModuleOf(gpu, true).targetModule),
    Error,
    'Cannot train the weight of target module "targetModule": it is kept in 16-bit floats',
  );
});
