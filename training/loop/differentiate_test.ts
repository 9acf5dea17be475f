import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { createGradients, Tape } from "../../autodiff/mod.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import { type Batch, IGNORE, type Model } from "../../models/model.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import {
  imageBatch,
  inputsOf,
  textBatch,
  tinyDecoder,
  tinyEncoderDecoder,
  tinyVision,
  translationBatch,
} from "../../tests/support/tiny_models.ts";
import { differentiate, lossOf, splitBatch, targetCount } from "./differentiate.ts";
import { plainForward } from "./forward.ts";

/** Loss and gradients of a batch in some parts, seeded with `seed`. */
async function gradientsOf(gpu: Gpu, model: Model, batch: Batch, parts: number, seed = 1) {
  using _ = gpu.scope("differentiate");
  const store = createGradients(gpu, model.parameters);
  const loss = differentiate(gpu, model, batch, store, {
    parts,
    seed: gpu.upload(Float32Array.of(seed), "f32", [1], "seed"),
    forward: plainForward,
  });
  const [value, ...gradients] = await gpu.downloadAll([loss, ...model.parameters.map((p) => store.of(p))]);
  return { loss: value![0]!, gradients };
}

const CASES = [
  ["decoder", tinyDecoder, textBatch],
  ["encoder-decoder", tinyEncoderDecoder, translationBatch],
  ["vision", tinyVision, imageBatch],
] as const;

for (const [family, create, batchOf] of CASES) {
  const batch = batchOf(5);

  Deno.test(`differentiate() gives one gradient for 1, 2, 3 and 5 parts of an odd ${family} batch`, async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("parts");
    const model = create(gpu);
    const whole = await gradientsOf(gpu, model, batch, 1);
    for (const parts of [2, 3, 5]) {
      const found = await gradientsOf(gpu, model, batch, parts);
      // Sums over the batch in another order.
      assertClose([found.loss], [whole.loss], { relative: 1e-6 });
      found.gradients.forEach((gradient, i) => {
        const label = `${model.parameters[i]!.name} in ${parts} parts`;
        assertClose(gradient, whole.gradients[i]!, { relative: 2e-5, absolute: 1e-7 }, label);
      });
    }
  });

  Deno.test(`differentiate() frees a part's activations before the next: the peak of a ${family} batch falls with the parts`, async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("learningRates");
    const model = create(gpu), store = createGradients(gpu, model.parameters);
    const seed = gpu.upload(Float32Array.of(1), "f32", [1], "seed");
    const large = batchOf(64);
    const learningRates = [1, 2, 4].map((parts) => {
      gpu.resetPeak();
      const before = gpu.memory.liveBytes;
      differentiate(gpu, model, large, store, { parts, seed, forward: plainForward });
      return gpu.memory.peakBytes - before;
    });
    // Nothing but the loss is shared by the parts; sizes of buffers are rounded up by at most an eighth.
    [2, 4].forEach((parts, i) => {
      const share = learningRates[i + 1]! * parts / learningRates[0]!;
      assert(share < 1.15, `${parts} parts take ${learningRates[i + 1]} bytes, one ${learningRates[0]}`);
    });
  });

  Deno.test(`differentiate() scales the gradients by the seed, not the loss of a ${family} batch`, async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("seed");
    const model = create(gpu);
    const one = await gradientsOf(gpu, model, batch, 1),
      quarter = await gradientsOf(gpu, model, batch, 1, 0.25);
    assertEquals(quarter.loss, one.loss);
    // A power of two: exact.
    assertEquals(quarter.gradients, one.gradients.map((gradient) => gradient.map((value) => value / 4)));
  });
}

Deno.test("lossOf() is the mean over the targets that count, so ignored ones have no say", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("loss");
  const model = tinyDecoder(gpu), batch = textBatch(3);
  const lossAt = async (changed: Batch) => {
    using _ = gpu.scope("loss");
    const tape = new Tape(gpu, createGradients(gpu, []));
    return (await gpu.download(
      lossOf(gpu, model, plainForward(tape), changed, { count: targetCount(changed) }).value,
    ))[
      0
    ]!;
  };
  // Row 0 has one target, row 1 two: their mean is not that of the rows.
  const [first, second, third] = splitBatch(batch, 3);
  const losses = [await lossAt(first!), await lossAt(second!), await lossAt(third!)];
  const mean = (losses[0]! + 2 * losses[1]! + 3 * losses[2]!) / 6;
  assertClose([await lossAt(batch)], [mean], { relative: 1e-6 });
  assertEquals(targetCount(batch), 6);
});

Deno.test("targetCount() refuses a batch without targets", () => {
  const batch = textBatch(2);
  const empty = { ...batch, targets: { ...batch.targets, data: batch.targets.data.map(() => IGNORE) } };
  assertThrows(() => targetCount(empty), RangeError, "without targets");
});

Deno.test("splitBatch() cuts rows as evenly as possible, in order, and loses none", () => {
  for (const batch of [textBatch(7), translationBatch(7), imageBatch(7)]) {
    const parts = splitBatch(batch, 3);
    assertEquals(parts.map(({ targets }) => targets.shape[0]), [2, 2, 3]);
    assertEquals(parts.flatMap(({ targets }) => [...targets.data]), [...batch.targets.data]);
    assertEquals(parts.flatMap((part) => [...inputsOf(part).data]), [...inputsOf(batch).data]);
    assertEquals(inputsOf(parts[2]!).shape, [3, ...inputsOf(batch).shape.slice(1)]);
    if (batch.family === "encoder-decoder") {
      const masks = parts.flatMap((part) => part.family === "encoder-decoder" ? [part.inputMask] : []);
      assertEquals(masks.map(({ shape }) => shape), [[2, 11], [2, 11], [3, 11]]);
      assertEquals(masks.flatMap(({ data }) => [...data]), [...batch.inputMask.data]);
    }
    assertEquals(splitBatch(batch, 1), [batch]);
    assertThrows(() => splitBatch(batch, 8), RangeError, "a batch of 7 into 8 parts");
  }
});

Deno.test("differentiate() adds to what the store holds", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("accumulate");
  const model = tinyVision(gpu), store = createGradients(gpu, model.parameters);
  const seed = gpu.upload(Float32Array.of(1), "f32", [1], "seed");
  const once = () =>
    differentiate(gpu, model, imageBatch(3), store, { parts: 1, seed, forward: plainForward });
  const read = () => gpu.downloadAll(model.parameters.map((p) => store.of(p)));
  once();
  const first = await read();
  once();
  // Doubled in f32.
  (await read()).forEach((gradient, i) =>
    assertClose(gradient, first[i]!.map((g) => 2 * g), { relative: 1e-5, absolute: 1e-8 })
  );
  store.clear();
  once();
  assertEquals(await read(), first);
  assertNotEquals(first[0]!.every((value) => value === 0), true);
});
