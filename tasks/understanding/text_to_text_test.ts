import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { IGNORE } from "../../models/model.ts";
import { writingPredictor } from "../../tests/support/scripted_predictor.ts";
import { acceptability } from "./acceptability.ts";
import { matthewsCorrelation } from "./matthews.ts";
import { sentiment } from "./sentiment.ts";
import { classificationTask, exactAnswers, pairBatch } from "./text_to_text.ts";
import { encodeWords, END, PADDING } from "./words.ts";

const options = { seed: 0, trainExamples: 10, validationExamples: 20, testExamples: 31 };

Deno.test("pairBatch() ends inputs and targets, pads them on the right and masks what is padding", () => {
  const batch = pairBatch([
    { prompt: "the dog", answer: "positive" },
    { prompt: "dog", answer: "the dog" },
  ], { input: 4, target: 3 });
  const [the, dog, positive] = encodeWords("the dog positive");
  assertEquals(batch.inputs, {
    data: Int32Array.of(the!, dog!, END, PADDING, dog!, END, PADDING, PADDING),
    shape: [2, 4],
  });
  assertEquals(batch.inputMask, { data: Uint32Array.of(1, 1, 1, 0, 1, 1, 0, 0), shape: [2, 4] });
  assertEquals(batch.targets, {
    data: Int32Array.of(positive!, END, IGNORE, the!, dog!, END),
    shape: [2, 3],
  });
});

Deno.test("pairBatch() takes texts that just fit, and refuses longer ones", () => {
  const lengths = { input: 3, target: 2 };
  pairBatch([{ prompt: "the dog", answer: "positive" }], lengths);
  assertThrows(
    () => pairBatch([{ prompt: "the old dog", answer: "positive" }], lengths),
    RangeError,
    "are 4",
  );
  assertThrows(() => pairBatch([{ prompt: "the", answer: "the dog" }], lengths), RangeError, "are 3");
});

Deno.test("A right answer that does not end, or goes on, is wrong", async () => {
  const pairs = ["a", "b", "c", "d"].map((prompt) => ({ prompt, answer: "positive" }));
  const [positive, negative] = encodeWords("positive negative");
  const replies = [[positive, END], [positive, positive, END], [negative, END], [positive]] as number[][];
  let next = 0;
  const predictor = writingPredictor(() => replies[next++]!);
  assertEquals([...await exactAnswers(predictor, pairs)], [1, 0, 0, 0]);
});

Deno.test("acceptability measures the correlation of what is written with the labels; other words are neither", async () => {
  const data = await acceptability.load(options);
  const right: number[] = [];
  // Right, wrong and neither in turn.
  const [no, yes, other] = encodeWords("unacceptable acceptable farmer");
  const expected: number[] = [], real: number[] = [];
  for (const batch of data.validationBatches(20)) {
    const width = batch.targets.shape[1]!;
    for (let row = 0; row < batch.targets.shape[0]!; row++) {
      const label = Number(batch.targets.data[row * width] === yes);
      real.push(label);
      expected.push([label, 1 - label, -1][row % 3]!);
      right.push([label ? yes! : no!, label ? no! : yes!, other!][row % 3]!);
    }
  }
  let next = 0;
  const predictor = writingPredictor(() => [right[next++ % right.length]!, END]);
  const scores = await data.score(predictor, "validation");
  assertEquals([...scores], real.map((_, row) => Number(row % 3 === 0)));
  const measured = (await data.measure!(predictor, "validation"))["Matthews correlation"]!;
  assertEquals([Array.from(measured.values), Array.from(measured.labels!)], [expected, real]);
  assertEquals(
    acceptability.measures![0]!.ofPairs!(Array.from(measured.values), Array.from(measured.labels!)),
    matthewsCorrelation(expected, real),
  );
});

Deno.test("Other classifications measure nothing beside accuracy", async () => {
  assertEquals(sentiment.measures, undefined);
  assertEquals((await sentiment.load(options)).measure, undefined);
});

Deno.test("classificationTask() hands on why pairs can't be taken", async () => {
  const task = classificationTask({
    id: "broken",
    title: "Broken",
    labels: ["positive", "negative"],
    inputSize: 8,
    source: "nowhere",
    shipped: sentiment.shipped!,
    take: () => Promise.reject(new Error("no file")),
  });
  await assertRejects(() => task.load(options), Error, "no file");
});
