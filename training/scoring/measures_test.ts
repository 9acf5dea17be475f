import { assertEquals, assertRejects } from "@std/assert";
import { writingPredictor } from "../../tests/support/scripted_predictor.ts";
import type { Measure, Measured, TaskData } from "../../tasks/task.ts";
import { takeMeasures, valueOf } from "./measures.ts";

/** Share of agreement minus that of disagreement: of pairs, and no mean of anything when the set is all of one label. */
const agreement: Measure = {
  name: "agreement",
  better: "higher",
  ofPairs: (predictions, labels) =>
    new Set(labels).size < 2
      ? NaN
      : predictions.reduce((sum, one, i) => sum + (one === labels[i] ? 1 : -1), 0) / predictions.length,
};
const loss: Measure = { name: "loss", better: "lower" };

function take(
  measures: readonly Measure[] | undefined,
  found?: Readonly<Record<string, Measured>>,
  count = 3,
) {
  const data: TaskData = {
    needs: { family: "decoder", outputs: 2, inputSize: 2 },
    trainBatch: () => {
      throw new Error("not needed here");
    },
    validationBatches: () => [],
    score: () => Promise.resolve(new Float32Array(count)),
    ...(found && { measure: () => Promise.resolve(found) }),
  };
  const task = { id: "made-up", ...(measures && { measures }) };
  return takeMeasures(task, data, writingPredictor(() => []), "test", count);
}

Deno.test("takeMeasures() records means and values of pairs, with what they were made from", async () => {
  assertEquals(
    await take([loss, agreement], {
      agreement: { values: [1, 0, 1], labels: Int32Array.of(1, 1, 0) },
      loss: { values: Float32Array.of(0.5, 2, 8) },
    }),
    {
      loss: { value: 3.5, values: [0.5, 2, 8] },
      agreement: { value: -1 / 3, values: [1, 0, 1], labels: [1, 1, 0] },
    },
  );
});

Deno.test("takeMeasures() records null where a set has no such value", async () => {
  const measured = await take([agreement], { agreement: { values: [1, 0, 1], labels: [1, 1, 1] } });
  assertEquals(measured!["agreement"]!.value, null);
  assertEquals(valueOf(loss, { values: [] }), null);
});

Deno.test("takeMeasures() gives nothing for a task without measures", async () => {
  assertEquals(await take(undefined), undefined);
  assertEquals(await take([]), undefined);
});

Deno.test("takeMeasures() takes a measure of one split of that split alone, and asks nothing where none is left", async () => {
  const costly = (split: "validation" | "test"): Measure => ({ ...loss, split });
  assertEquals(await take([costly("test")], { loss: { values: [1, 2, 3] } }), {
    loss: { value: 2, values: [1, 2, 3] },
  });
  assertEquals(await take([costly("validation")]), undefined);
  await assertRejects(
    () => take([costly("validation"), agreement], { loss: { values: [1, 2, 3] } }),
    TypeError,
    '"loss" of task "made-up": it is not listed',
  );
});

Deno.test("takeMeasures() says which promise a task broke", async () => {
  const refused = (
    measures: readonly Measure[],
    found: Readonly<Record<string, Measured>>,
    message: string,
  ) => assertRejects(() => take(measures, found), TypeError, message);
  await refused([loss], {}, '"loss" of task "made-up": it was not measured');
  await refused([loss], { loss: { values: [1, 2] } }, "it has 2 values, 3 finite ones are needed");
  await refused([loss], { loss: { values: [1, NaN, 2] } }, "3 finite ones are needed");
  await refused([loss], { loss: { values: [1, 2, 3], labels: [1, 2, 3] } }, "labels are there");
  await refused([agreement], { agreement: { values: [1, 2, 3] } }, "labels are missing");
  await refused([agreement], { agreement: { values: [1, 2, 3], labels: [1, 2] } }, "it has 2 values");
  const more = { loss: { values: [1, 2, 3] }, speed: { values: [1, 2, 3] } };
  await refused([loss], more, '"speed" of task "made-up": it is not listed');
});
