import { assertEquals, assertThrows } from "@std/assert";
import type { Gpu } from "../gpu/gpu.ts";
import { LOW_PRECISIONS, lowPrecision } from "../gpu/tensor.ts";
import { add, type StoredType } from "../kernels/mod.ts";
import type { TargetModule } from "../models/model.ts";
import { fromInt8 } from "../numerics/int8.ts";
import { fromNf4 } from "../numerics/nf4.ts";
import { createRandom } from "../numerics/random.ts";
import { assertClose } from "../tests/support/assert_close.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { copyWeight, rewriteWeight, trainableWeight } from "./module_weight.ts";

const OUT = 5, IN = 7;

/** A target module whose weight lies among others, kept in a type, and the numbers that it stands for. */
function targetModuleOf(
  gpu: Gpu,
  type: StoredType,
): { readonly targetModule: TargetModule; readonly values: Float32Array } {
  const values = createRandom(1).normal(OUT * IN, 1);
  const entries = ["before", "w", "after"].map((label) => ({ label, shape: [OUT, IN] }));
  const given = Float32Array.from(values);
  const moduleOf = (weight: TargetModule["weight"]["value"]): TargetModule =>
    ({ name: "targetModule", weight: { name: "w", value: weight }, in: IN, out: OUT }) as TargetModule;
  if (type === "f32") {
    const value = gpu.pack(entries, "pack").parts[1]!;
    gpu.write(value, given);
    return { targetModule: moduleOf(value), values: given };
  }
  const value = gpu.pack(entries, "pack", type).parts[1]!;
  gpu.write(value, lowPrecision(given, type));
  return { targetModule: moduleOf(value), values: rounded(given, type) };
}

/** What numbers are after they were kept in a type. */
function rounded(values: Float32Array<ArrayBuffer>, type: StoredType): Float32Array<ArrayBuffer> {
  if (type === "f32") return values;
  if (type === "f16") return Float32Array.from(new Float16Array(values));
  const read = type === "int8" ? fromInt8 : fromNf4;
  return Float32Array.from(read(lowPrecision(values, type), values.length));
}

const TYPES = ["f32", ...LOW_PRECISIONS] as const;
/** A quantized number is a product and a sum in 32 bits. */
const ROUNDING = { relative: 2e-7 };

Deno.test("copyWeight() gives a target module's weight in 32-bit floats, exactly, whatever it is kept in", async () => {
  const gpu = await testGpu();
  for (const type of TYPES) {
    using _ = gpu.scope("copy");
    const { targetModule, values } = targetModuleOf(gpu, type), copy = copyWeight(gpu, targetModule);
    assertEquals([copy.dtype, copy.shape], ["f32", [OUT, IN]]);
    const found = await gpu.download(copy);
    if (type === "f32" || type === "f16") assertEquals(found, values.slice());
    else assertClose(found, values, ROUNDING, type);
    assertEquals(copy.buffer === targetModule.weight.value.buffer, false);
  }
});

Deno.test("rewriteWeight() changes a weight in place, rounded to what it is kept in, and frees what it took", async () => {
  const gpu = await testGpu();
  for (const type of TYPES) {
    using _ = gpu.scope("rewrite");
    const { targetModule, values } = targetModuleOf(gpu, type);
    const change = Float32Array.from(createRandom(2).normal(OUT * IN, 1));
    const by = gpu.upload(change, "f32", [OUT, IN], "change");
    const before = gpu.memory.liveBytes;
    await rewriteWeight(gpu, targetModule, (weight) => {
      using _ = gpu.scope("sum");
      gpu.copy(add(gpu, weight, by), weight);
    });
    assertEquals(gpu.memory.liveBytes, before);
    const found = await gpu.download(copyWeight(gpu, targetModule));
    const wanted = rounded(Float32Array.from(values, (value, i) => value + change[i]!), type);
    if (type === "f32" || type === "f16") assertEquals(found, wanted);
    else assertClose(found, wanted, ROUNDING, type);
  }
});

Deno.test("trainableWeight() refuses a weight in low precision by its target module's name", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("trainable");
  const { targetModule } = targetModuleOf(gpu, "f32");
  assertEquals(trainableWeight(targetModule), targetModule.weight);
  for (const type of LOW_PRECISIONS) {
    assertThrows(
      () => trainableWeight(targetModuleOf(gpu, type).targetModule),
      Error,
      `Cannot train the weight of target module "targetModule": it is kept as ${type}, which is frozen`,
    );
  }
});
