/** @file A task for encoders of texts: random tokens of one of three classes, padded on the right. */
import type { EncoderBatch } from "../../../models/model.ts";
import { createRandom } from "../../../numerics/random.ts";
import type { Task } from "../../../tasks/task.ts";

/** Tokens of a row, and those that there are. */
const SIZES = { length: 24, vocabulary: 50, classes: 3 };

function batchOf(step: number, size: number): EncoderBatch {
  const { length, vocabulary, classes } = SIZES, random = createRandom(step), shape = [size, length];
  const draw = (label: string, count: number, below: number) =>
    Int32Array.from(random.fork(label).integers(count, below));
  const lengths = draw("lengths", size, length - 1);
  const mask = Uint32Array.from(
    { length: size * length },
    (_, i) => Number(i % length <= lengths[Math.floor(i / length)]!),
  );
  return {
    family: "encoder",
    tokens: { data: draw("tokens", size * length, vocabulary), shape },
    mask: { data: mask, shape },
    targets: { data: draw("targets", size, classes), shape: [size] },
  };
}

/** The task. */
export const classification: Task = {
  id: "classification",
  title: "Random texts of three classes",
  family: "understanding",
  metric: { name: "accuracy", chance: 1 / 3 },
  source: "generated",
  load: () =>
    Promise.resolve({
      needs: { family: "encoder", outputs: SIZES.classes, inputSize: SIZES.length },
      trainBatch: batchOf,
      validationBatches: () => [batchOf(0, 4)],
      score: () => Promise.resolve(new Float32Array(1)),
    }),
};
