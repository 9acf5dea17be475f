import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { toInt8 } from "../numerics/int8.ts";
import { toNf4 } from "../numerics/nf4.ts";
import { createRandom } from "../numerics/random.ts";
import { dryRunGpu } from "../tests/support/dry_run_gpu.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { CheckpointError } from "./checkpoints/checkpoint.ts";
import { initialWeights, loadParameters } from "./weights.ts";

Deno.test("initialWeights() are 1 for norms, 0 for biases, spread by their inputs for maps and alike for tables", () => {
  const source = initialWeights(createRandom(1));
  for (
    const name of ["model.norm.weight", "encoder.layers.0.layer_norm1.weight", "visual.pre_layrnorm.weight"]
  ) {
    assertEquals(source(name, [64]), new Float32Array(64).fill(1), name);
  }
  assertEquals(source("visual.pre_layrnorm.bias", [64]), new Float32Array(64));
  const deviations: [string, number[], number][] = [
    ["model.layers.0.self_attn.q_proj.weight", [96, 64], Math.sqrt(1 / (3 * 64))],
    ["visual_projection.weight", [64, 96], Math.sqrt(1 / (3 * 96))],
    // A map too, of the pixels of a patch in all channels.
    ["vision_model.embeddings.patch_embedding.weight", [64, 3, 7, 7], Math.sqrt(1 / (3 * 3 * 49))],
    ["model.embed_tokens.weight", [96, 64], 0.02],
    ["vision_model.embeddings.position_embedding.weight", [96, 64], 0.02],
    ["vision_model.embeddings.class_embedding", [6000], 0.02],
  ];
  for (const [name, shape, deviation] of deviations) {
    const values = source(name, shape), square = values.reduce((sum, value) => sum + value * value, 0);
    assertEquals(values.length, shape.reduce((a, b) => a * b, 1));
    assertAlmostEquals(Math.sqrt(square / values.length) / deviation, 1, 0.05, name);
    assertEquals(source(name, shape), values);
  }
  assert(source("a.weight", [4, 4]).some((value, i) => value !== source("b.weight", [4, 4])[i]));
});

Deno.test("loadParameters() rounds what is kept in 16 bits, and refuses what lies beyond them, which is the checkpoint's user to mend", async () => {
  const gpu = await testGpu();
  const load = (first: number) => {
    using scope = gpu.scope("weights");
    const source = () => Float32Array.of(first, 1 / 3);
    const list = [{ name: "whole", shape: [2] }, { name: "half", shape: [2] }];
    const { parameters, frozen } = loadParameters(gpu, list, source, new Map([["half", "f16"]]));
    for (const { value } of [parameters.get("whole")!, frozen.get("half")!]) scope.keep(value);
    return [parameters.get("whole")!.value, frozen.get("half")!.value] as const;
  };
  using _ = gpu.scope("test");
  for (const first of [65504, 65519, -65519]) {
    const [whole, half] = load(first);
    assertEquals([...await gpu.download(whole)], [first, Math.fround(1 / 3)]);
    assertEquals([...await gpu.download(half)], [Math.sign(first) * 65504, Math.f16round(1 / 3)]);
  }
  for (const first of [65520, -1e6]) {
    assertThrows(
      () => load(first),
      CheckpointError,
      `Cannot keep "half" as f16: element 0 is ${first}, 65504 is the most`,
    );
  }
});

Deno.test("loadParameters() quantizes each parameter as it is told, side by side with others, and refuses what is no number", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("quantized");
  const values = Float32Array.from(createRandom(3).normal(5 * 70, 1));
  const names = ["whole", "int8", "nf4", "second nf4"],
    list = names.map((name) => ({ name, shape: [5, 70] }));
  const precisions = new Map([["int8", "int8"], ["nf4", "nf4"], ["second nf4", "nf4"]] as const);
  const { parameters, frozen } = loadParameters(gpu, list, () => values.slice(), precisions);
  assertEquals([[...parameters.keys()], [...frozen.keys()]], [["whole"], ["int8", "nf4", "second nf4"]]);
  assertEquals(await gpu.download(parameters.get("whole")!.value), values);
  assertEquals(await gpu.download(frozen.get("int8")!.value), toInt8(values));
  for (const name of ["nf4", "second nf4"]) {
    assertEquals(await gpu.download(frozen.get(name)!.value), toNf4(values));
  }
  assertThrows(
    () =>
      loadParameters(
        gpu,
        list,
        (name) => values.map((v, i) => name === "nf4" && i === 8 ? NaN : v),
        precisions,
      ),
    CheckpointError,
    'Cannot keep "nf4" as nf4: element 8 is NaN',
  );
});

Deno.test("loadParameters() gives back the memory of each parameter's values before it asks for the next", () => {
  const given: Float32Array[] = [], list = ["a", "b", "c"].map((name) => ({ name, shape: [4, 16] }));
  const source = () => {
    assert(given.every(({ buffer }) => (buffer as ArrayBuffer).detached));
    given.push(new Float32Array(64));
    return given.at(-1) as Float32Array<ArrayBuffer>;
  };
  loadParameters(dryRunGpu(), list, source, new Map([["b", "nf4"]]));
  assertEquals(given.map(({ length }) => length), [0, 0, 0]);
});
