import { assertEquals, assertThrows } from "@std/assert";
import { testGpu } from "../tests/support/test_gpu.ts";
import { TINY_ENCODER_DECODER } from "../tests/support/tiny_models.ts";
import * as models from "./mod.ts";
import { baseWeights } from "./base_weights.ts";
import { encoderDecoder } from "./entry.ts";
import { t5Base, t5Small, t5Tiny } from "./sizes.ts";

Deno.test("resize() scales heads and the hidden width, and keeps what tasks need", () => {
  const { decoderTiny, vitTiny } = models;
  const decoder = decoderTiny.resize({ width: 32, layers: 5 });
  assertEquals([decoder.size, decoder.pretrained], [{ width: 32, layers: 5 }, false]);
  assertEquals([decoder.outputs, decoder.inputSize], [decoderTiny.outputs, decoderTiny.inputSize]);
  const shapes = Object.fromEntries(decoder.parameters.map(({ name, shape }) => [name, shape]));
  assertEquals(shapes["model.layers.4.self_attn.k_proj.weight"], [32, 32]);
  assertEquals(shapes["model.layers.4.mlp.gate_proj.weight"], [96, 32]);
  assertEquals(decoder.architecture.attentions[0]!.heads, 2);
  const vision = vitTiny.resize({ width: 48 });
  assertEquals([vision.size, vision.targetModules().length], [
    { width: 48, layers: 3 },
    vitTiny.targetModules().length,
  ]);
  assertEquals(vision.architecture.attentions[0]!.heads, 3);
  const translator = t5Tiny.resize({ width: 48, layers: 2 });
  assertEquals([translator.size, translator.pretrained], [{ width: 48, layers: 2 }, false]);
  assertEquals([translator.outputs, translator.inputSize], [t5Tiny.outputs, t5Tiny.inputSize]);
  const own = Object.fromEntries(translator.parameters.map(({ name, shape }) => [name, shape]));
  assertEquals(own["decoder.block.1.layer.1.EncDecAttention.k.weight"], [48, 48]);
  assertEquals(own["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"], [32, 3]);
  assertEquals(own["encoder.block.1.layer.1.DenseReluDense.wi.weight"], [144, 48]);
  // From one published size to another.
  const small = t5Base.resize({ width: 512, layers: 6 });
  assertEquals(small.parameters, t5Small.parameters);
  // Depths that are not the same on either side stay so.
  const uneven = encoderDecoder({
    id: "uneven",
    title: "Uneven",
    recipe: null,
    config: { ...TINY_ENCODER_DECODER, width: 6, hidden: 12 },
  });
  const layersOf = ({ parameters }: typeof uneven) =>
    ["encoder", "decoder"].map((side) =>
      new Set(parameters.flatMap(({ name }) => name.match(`^${side}.block.[0-9]+`) ?? [])).size
    );
  assertEquals(layersOf(uneven.resize({ width: 12 })), [2, 3]);
  assertEquals(layersOf(uneven.resize({ layers: 4 })), [4, 4]);
});

Deno.test("resize() refuses sizes that don't come out whole, and those that no machine has", () => {
  for (const entry of [models.decoderTiny, models.vitTiny, t5Tiny]) {
    assertThrows(
      () => entry.resize({ width: 72 }),
      RangeError,
      `Cannot resize "${entry.id}" to width 72: a multiple of its head size, 16, up to 65536 is needed`,
    );
    assertThrows(() => entry.resize({ width: 0 }), RangeError, "to width 0");
    assertThrows(() => entry.resize({ layers: 0 }), RangeError, "to 0 layers: a whole number from 1 to 1024");
    assertThrows(() => entry.resize({ layers: 1.5 }), RangeError, "to 1.5 layers");
    assertThrows(() => entry.resize({ width: 16e9 }), RangeError, "to width 16000000000: a multiple of");
    assertThrows(
      () => entry.resize({ layers: 1e9 }),
      RangeError,
      `Cannot resize "${entry.id}" to 1000000000 layers: a whole number from 1 to 1024 is needed`,
    );
  }
});

Deno.test("baseWeights() of a model without a checkpoint are seeded random numbers that fit it", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("models", "weights");
  for (const entry of [models.decoderTiny, models.vitTiny, t5Tiny]) {
    const resized = entry.resize({ width: 32, layers: 1 });
    const weights = async () => {
      const model = resized.create(gpu, await baseWeights(resized));
      assertEquals(model.parameters.map(({ name, value }) => ({ name, shape: value.shape })), [
        ...resized.parameters,
      ]);
      assertEquals(model.targetModules.length, resized.targetModules().length);
      return await gpu.downloadAll(model.parameters.map(({ value }) => value));
    };
    assertEquals(await weights(), await weights());
  }
});
