import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import type { Batch, VisionBatch } from "../../models/model.ts";
import { digits } from "./digits.ts";
import type { Predictor, TaskData, TaskOptions } from "../task.ts";
import { classifyingPredictor } from "../../tests/support/scripted_predictor.ts";

const options: TaskOptions = { seed: 0, trainExamples: 60, validationExamples: 50, testExamples: 300 };

function vision(batch: Batch): VisionBatch {
  assert(batch.family === "vision");
  return batch;
}

/** Each image of a batch as text. */
function imagesOf(batch: Batch): string[] {
  const { pixels } = vision(batch);
  const size = pixels.data.length / pixels.shape[0]!;
  return Array.from(
    { length: pixels.shape[0]! },
    (_, row) => pixels.data.subarray(row * size, (row + 1) * size).join(),
  );
}

/** Classifies with an error added to the truth, and keeps what it was shown. */
function classifying(error: number): { predictor: Predictor; batches: VisionBatch[] } {
  const batches: VisionBatch[] = [];
  return {
    batches,
    predictor: classifyingPredictor((batch) => {
      batches.push(vision(batch));
      return Promise.resolve(batch.targets.data.map((target) => (target + error) % 10));
    }),
  };
}

async function heldOut(data: TaskData): Promise<string[]> {
  const { predictor, batches } = classifying(0);
  await data.score(predictor, "test");
  await data.score(predictor, "validation");
  return batches.flatMap(imagesOf);
}

Deno.test("digits makes batches of one shape with pixels from -1 to 1", async () => {
  const data = await digits.load(options);
  assertEquals(data.needs, { family: "vision", outputs: 10, inputSize: 28 });
  for (const step of [1, 2, 9]) {
    const { pixels, targets } = vision(data.trainBatch(step, 32));
    assertEquals([pixels.shape, targets.shape], [[32, 1, 28, 28], [32]]);
    assertEquals(pixels.data.length, 32 * 28 * 28);
    assert(pixels.data.every((value) => value >= -1 && value <= 1));
    assert(targets.data.every((label) => label >= 0 && label <= 9));
  }
  assertEquals([...data.validationBatches(32)].map(({ targets }) => targets.shape), [[32], [18]]);
});

Deno.test("digits are dark on light and noisy", async () => {
  const { pixels } = vision((await digits.load(options)).trainBatch(1, 32));
  const mean = pixels.data.reduce((sum, value) => sum + value, 0) / pixels.data.length;
  assert(mean > 0.5, `mean is ${mean}`);
  assert(new Set(pixels.data.subarray(0, 28)).size > 5);
});

Deno.test("digits shares no image between train, validation and test", async () => {
  const data = await digits.load(options);
  const train = imagesOf(data.trainBatch(1, 60));
  assertEquals(new Set([...train, ...await heldOut(data)]).size, 60 + 50 + 300);
});

Deno.test("digits shows an example the same way whenever it comes up", async () => {
  const data = await digits.load(options);
  const first = imagesOf(data.trainBatch(1, 60)), second = imagesOf(data.trainBatch(2, 60));
  assertNotEquals(first, second);
  assertEquals(first.toSorted(), second.toSorted());
});

Deno.test("digits' batches are a function of seed and step", async () => {
  const first = await digits.load(options), second = await digits.load(options);
  const late = first.trainBatch(20, 16);
  first.trainBatch(1, 16);
  assertEquals(second.trainBatch(20, 16), late);
  assertEquals(first.trainBatch(20, 16), late);
});

Deno.test("digits' seed changes the order and nothing else", async () => {
  const [zero, one] = await Promise.all([0, 1].map((seed) => digits.load({ ...options, seed })));
  const [fromZero, fromOne] = [imagesOf(zero!.trainBatch(1, 60)), imagesOf(one!.trainBatch(1, 60))];
  assertNotEquals(fromZero, fromOne);
  assertEquals(fromZero.toSorted(), fromOne.toSorted());
  assertEquals(await heldOut(zero!), await heldOut(one!));
  assertEquals([...zero!.validationBatches(50)], [...one!.validationBatches(50)]);
});

Deno.test("digits scores 1 where the class is right, in batches that cover the split", async () => {
  const data = await digits.load(options);
  assertEquals(await data.score(classifying(0).predictor, "test"), new Float32Array(300).fill(1));
  assertEquals(await data.score(classifying(1).predictor, "test"), new Float32Array(300));
  const onlyThree: Predictor = {
    ...classifying(0).predictor,
    classify: (batch) => Promise.resolve(new Int32Array(batch.targets.data.length).fill(3)),
  };
  const scores = await data.score(onlyThree, "validation");
  assertEquals(scores.reduce((sum, score) => sum + score, 0), 5); // balanced: a tenth of 50
});

Deno.test("digits says how many examples there are where too many are asked for", async () => {
  const load = (count: Partial<TaskOptions>) => digits.load({ ...options, ...count });
  await assertRejects(() => load({ trainExamples: 3501 }), RangeError, "there are 3500");
  await assertRejects(() => load({ validationExamples: 501 }), RangeError, "there are 500");
  await assertRejects(() => load({ testExamples: 1001 }), RangeError, "there are 1000");
});
