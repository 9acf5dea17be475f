/** @file A task of random texts for encoder-decoders, for tests of what a run costs: there is nothing to learn in it. */
import type { Task } from "../../tasks/task.ts";
import { translationBatch } from "./tiny_models.ts";

/** Inputs of 40 tokens and targets of 12, over 2,048 tokens: what t5-tiny takes at most. */
export const translation: Task = {
  id: "translation",
  title: "Random texts",
  family: "understanding",
  metric: { name: "none", chance: 0 },
  source: "generated",
  load({ validationExamples }) {
    const sizes = { vocabulary: 2048, read: 40, written: 12 };
    return Promise.resolve({
      needs: { family: "encoder-decoder", outputs: 2048, inputSize: 40 },
      trainBatch: (step, size) => translationBatch(size, step, sizes),
      validationBatches: () => [translationBatch(validationExamples, 0, sizes)],
      score: () => Promise.resolve(new Float32Array(validationExamples)),
    });
  },
};
