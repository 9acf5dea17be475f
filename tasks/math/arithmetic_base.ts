/** @file The corpus that pre-trains the decoder for `arithmetic`: sums, word problems, number words and facts. */
import { createRandom, type Random } from "../../numerics/random.ts";
import { exactMatch } from "../text/exact_match.ts";
import { inBatches, takeHeldOut } from "../examples.ts";
import { batchPositions } from "../order.ts";
import type { Task } from "../task.ts";
import { runningBatch } from "../text/text_batch.ts";
import { VOCABULARY_SIZE } from "../text/tokenizer.ts";
import {
  between,
  distinctWordProblems,
  drawSteps,
  drawWordProblem,
  MOST_STEPS,
  pick,
  signedVerbs,
  type Verbs,
  type WordProblem,
  workings,
} from "./word_problems.ts";

/** Tokens of a row. */
const LENGTH = 80;

/** The verbs of the corpus, none of which `arithmetic` uses. */
export const BASE_VERBS: Verbs = signedVerbs("gets buys makes", "loses sells eats");

/** How many word problems are kept out of the corpus for each split. */
const HELD_OUT = 1000;

const ONES = [
  ..."zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split(
    " ",
  ),
  ..."sixteen seventeen eighteen nineteen".split(" "),
];
const TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split(" ");

const FACTS = [
  "a week has 7 days.",
  "a year has 12 months.",
  "a day has 24 hours.",
  "an hour has 60 minutes.",
  "a dozen is 12.",
  "a cat has 4 legs.",
  "a spider has 8 legs.",
  "an ant has 6 legs.",
  "a bird has 2 wings.",
  "a hand has 5 fingers.",
  "a square has 4 sides.",
  "the sky is blue.",
  "grass is green.",
  "snow is white.",
];

/**
 * Rows of 80 characters from an endless corpus. Half of them open with a word problem of one, two or three steps, each
 * as often, whose verbs are the base verbs; sums, chained sums, number words and facts fill the rest, each on a line of
 * its own, and the row's end cuts the last. All numbers are from 0 to 99.
 *
 * Rows are made as they are asked for and depend on the seed, so `trainExamples` has no effect.
 */
export const arithmeticBase: Task = {
  id: "arithmetic-base",
  title: "Sums, number words and word problems",
  family: "math",
  metric: { name: "exact match", chance: 0 },
  source: "generated",
  // deno-lint-ignore require-await -- too many examples must reject, not throw
  async load(options) {
    const fixed = createRandom(0).fork("arithmetic-base");
    const problems = distinctWordProblems(fixed.fork("held out"), BASE_VERBS).take(2 * HELD_OUT).toArray();
    const heldOutKeys = new Set(problems.map(({ key }) => key));
    const { validation, test } = takeHeldOut("arithmetic-base", problems, options);
    const validationRows = validation.map((problem, i) =>
      corpusRow(fixed.fork(`validation ${i}`), () => problem)
    );
    const corpus = createRandom(options.seed).fork("arithmetic-base corpus");
    return {
      needs: { family: "decoder", outputs: VOCABULARY_SIZE, inputSize: LENGTH },
      trainBatch(step, size) {
        const rows = batchPositions(step, size).map((position) =>
          corpusRow(corpus.fork(`row ${position}`), (random) => drawOther(random, heldOutKeys))
        );
        return runningBatch(rows, LENGTH);
      },
      *validationBatches(size) {
        for (const rows of inBatches(validationRows, size)) yield runningBatch(rows, LENGTH);
      },
      score(predictor, split) {
        return exactMatch(predictor, split === "test" ? test : validation);
      },
    };
  },
};

/** One character more than a row, as the last target is the character after it. */
function corpusRow(random: Random, drawOpening: (random: Random) => WordProblem): string {
  const opensWithProblem = random.uniform(1, 0, 1)[0]! < 0.5;
  let text = "";
  if (opensWithProblem) {
    const { prompt, answer } = drawOpening(random.fork("opening"));
    text = `${prompt}${answer}\n`;
  }
  for (let line = 0; text.length <= LENGTH; line++) text += `${drawLine(random.fork(`line ${line}`))}\n`;
  return text.slice(0, LENGTH + 1);
}

/** A word problem that is not held out. */
function drawOther(random: Random, heldOutKeys: ReadonlySet<string>): WordProblem {
  const steps = between(1, MOST_STEPS, random.fork("steps").uniform(1, 0, 1)[0]!);
  for (let draw = 0;; draw++) {
    const problem = drawWordProblem(random.fork(`draw ${draw}`), BASE_VERBS, steps);
    if (!heldOutKeys.has(problem.key)) return problem;
  }
}

function drawLine(random: Random): string {
  const [kind, first, second] = random.uniform(3, 0, 1);
  if (kind! < 0.5) return sum(first!, second!, random.fork("operator"));
  if (kind! < 0.75) return chainedSum(between(2, MOST_STEPS, first!), random);
  if (kind! < 0.9) return numberWord(between(0, 99, first!), second! < 0.5);
  return pick(FACTS, first!);
}

/** A sum, difference or product of numbers from 0 to 99, its result too, from two fractions in [0, 1). */
function sum(first: number, second: number, operator: Random): string {
  const kind = operator.uniform(1, 0, 1)[0]!;
  if (kind < 0.2) {
    const a = between(2, 49, first), b = between(2, Math.floor(99 / a), second);
    return `${a}*${b}=${a * b}.`;
  }
  const a = between(0, 99, first), b = between(0, 99, second);
  if (kind < 0.6) {
    // Where the sum would pass 99, counting down from 99 keeps it below and the pairs spread evenly.
    return a + b <= 99 ? `${a}+${b}=${a + b}.` : `${99 - a}+${99 - b}=${198 - a - b}.`;
  }
  const larger = Math.max(a, b), smaller = Math.min(a, b);
  return `${larger}-${smaller}=${larger - smaller}.`;
}

function chainedSum(steps: number, random: Random): string {
  const signs = random.fork("signs").uniform(steps, 0, 1);
  return workings(drawSteps(random.fork("steps"), Array.from(signs, (sign) => sign < 0.5 ? "+" : "-")));
}

/** A number from 0 to 99 and its word, e.g. "forty-two=42." or "42=forty-two.". */
function numberWord(value: number, wordFirst: boolean): string {
  const ones = value % 10;
  const word = ONES[value] ?? `${TENS[Math.floor(value / 10) - 2]}${ones === 0 ? "" : `-${ONES[ones]}`}`;
  return wordFirst ? `${word}=${value}.` : `${value}=${word}.`;
}
