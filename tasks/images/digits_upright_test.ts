import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import type { Batch, VisionBatch } from "../../models/model.ts";
import { digitsUpright } from "./digits_upright.ts";
import { loadDigits } from "./mnist.ts";
import type { TaskOptions } from "../task.ts";
import { classifyingPredictor } from "../../tests/support/scripted_predictor.ts";

const options: TaskOptions = { seed: 0, trainExamples: 40, validationExamples: 50, testExamples: 60 };

function vision(batch: Batch): VisionBatch {
  assert(batch.family === "vision");
  return batch;
}

const knowing = classifyingPredictor((batch) => Promise.resolve(batch.targets.data));

Deno.test("digitsUpright holds out upright images as they are in the files", async () => {
  const data = await digitsUpright.load(options);
  const [batch] = [...data.validationBatches(1)].map(vision);
  const digit = (await loadDigits()).pretraining.validation[0]!;
  assertEquals(batch!.pixels.shape, [1, 1, 28, 28]);
  assertEquals(Uint8Array.from(batch!.pixels.data, (value) => Math.round((value + 1) * 127.5)), digit.ink);
  assertEquals(batch!.targets.data, new Int32Array([digit.label]));
});

Deno.test("digitsUpright trains on light digits on dark, from -1 to 1", async () => {
  const { pixels, targets } = vision((await digitsUpright.load(options)).trainBatch(1, 16));
  assertEquals([pixels.shape, targets.shape], [[16, 1, 28, 28], [16]]);
  assert(pixels.data.every((value) => value >= -1 && value <= 1));
  const mean = pixels.data.reduce((sum, value) => sum + value, 0) / pixels.data.length;
  assert(mean < -0.5, `mean is ${mean}`);
});

Deno.test("digitsUpright changes an example each time it comes up", async () => {
  const data = await digitsUpright.load({ ...options, trainExamples: 1 });
  const [first, second] = [data.trainBatch(1, 1), data.trainBatch(2, 1)].map(vision);
  assertEquals(first!.targets, second!.targets);
  assertNotEquals(first!.pixels, second!.pixels);
});

Deno.test("digitsUpright's batches are a function of seed and step", async () => {
  const [first, again, other] = await Promise.all(
    [0, 0, 1].map((seed) => digitsUpright.load({ ...options, seed })),
  );
  assertEquals(first!.trainBatch(9, 8), again!.trainBatch(9, 8));
  assertNotEquals(first!.trainBatch(9, 8), other!.trainBatch(9, 8));
  assertEquals([...first!.validationBatches(20)], [...other!.validationBatches(20)]);
});

Deno.test("digitsUpright scores accuracy on each split", async () => {
  const data = await digitsUpright.load(options);
  assertEquals(await data.score(knowing, "validation"), new Float32Array(50).fill(1));
  assertEquals(await data.score(knowing, "test"), new Float32Array(60).fill(1));
});

Deno.test("digitsUpright says how many examples there are where too many are asked for", async () => {
  const load = (count: Partial<TaskOptions>) => digitsUpright.load({ ...options, ...count });
  await assertRejects(() => load({ trainExamples: 4501 }), RangeError, "there are 4500");
  await assertRejects(() => load({ testExamples: 251 }), RangeError, "there are 250");
});
