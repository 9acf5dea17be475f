/** @file The corpus that pre-trains the decoder for `code`: JavaScript from prefix notation, and numbers in words. */
import { createRandom, type Random } from "../../numerics/random.ts";
import { exactMatch } from "../text/exact_match.ts";
import { inBatches, takeHeldOut } from "../examples.ts";
import { binary, choice, type Expression, larger, smaller, toJavaScript } from "./expressions.ts";
import { batchPositions } from "../order.ts";
import { drawLeaf, drawLeaves, type Fractions, fractionsOf } from "./specifications.ts";
import type { Task } from "../task.ts";
import { runningBatch, type TextExample } from "../text/text_batch.ts";
import { VOCABULARY_SIZE } from "../text/tokenizer.ts";
import { between, pick } from "../math/word_problems.ts";

/** Tokens of a row. */
const LENGTH = 64;

/** How many programs are kept out of the corpus for each split. */
const HELD_OUT = 1000;

const DIGITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
  .split(" ");

const FACTS = [
  "a cat sat on the mat.",
  "the sky is blue, and grass is green.",
  "snow is white and cold.",
  "tom has a red hat, ann a blue one.",
  "it rains, so we stay at home.",
  "the days are long in june.",
  "she reads a book by the fire.",
  "he walks to the river, then back.",
];

/** What takes two operands, by its name in prefix notation. */
const TWO_OPERANDS: readonly (readonly [
  name: string,
  build: (a: Expression, b: Expression) => Expression,
])[] = [
  ["add", (a, b) => binary("+", a, b)],
  ["sub", (a, b) => binary("-", a, b)],
  ["mul", (a, b) => binary("*", a, b)],
  ["mod", (a, b) => binary("%", a, b)],
];
const TESTS: typeof TWO_OPERANDS = [
  ["lt", (a, b) => binary("<", a, b)],
  ["gt", (a, b) => binary(">", a, b)],
  ["eq", (a, b) => binary("==", a, b)],
];

/** An expression and its prefix notation. */
interface Prefixed {
  readonly prefix: string;
  readonly expression: Expression;
}

/**
 * Rows of 64 characters from an endless corpus. Half of them open with a line that says an expression in prefix
 * notation and then in JavaScript, e.g. "mul two add x 3:2*(x+3)"; more such lines, numbers in words, and sentences
 * about other things fill the rest, and the row's end cuts the last. No word that `code` says an operation with
 * occurs.
 *
 * Rows are made as they are asked for and depend on the seed, so `trainExamples` has no effect.
 */
export const codeBase: Task = {
  id: "code-base",
  title: "JavaScript from prefix notation",
  family: "code",
  metric: { name: "exact match", chance: 0 },
  source: "generated",
  // deno-lint-ignore require-await -- too many examples must reject, not throw
  async load(options) {
    const fixed = createRandom(0).fork("code-base");
    const lines = distinctLines(fixed.fork("held out"), 2 * HELD_OUT);
    const heldOut = new Set(lines.map(({ prompt }) => prompt));
    const { validation, test } = takeHeldOut("code-base", lines, options);
    const validationRows = validation.map((line, i) => corpusRow(fixed.fork(`validation ${i}`), () => line));
    const corpus = createRandom(options.seed).fork("code-base corpus");
    return {
      needs: { family: "decoder", outputs: VOCABULARY_SIZE, inputSize: LENGTH },
      trainBatch(step, size) {
        const rows = batchPositions(step, size).map((position) =>
          corpusRow(corpus.fork(`row ${position}`), (random) => drawOther(random, heldOut))
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
function corpusRow(random: Random, drawOpening: (random: Random) => TextExample): string {
  let text = "";
  if (random.uniform(1, 0, 1)[0]! < 0.5) {
    const { prompt, answer } = drawOpening(random.fork("opening"));
    text = `${prompt}${answer}\n`;
  }
  for (let line = 0; text.length <= LENGTH; line++) text += `${drawLine(random.fork(`line ${line}`))}\n`;
  return text.slice(0, LENGTH + 1);
}

/** A line that is not held out. */
function drawOther(random: Random, heldOut: ReadonlySet<string>): TextExample {
  for (let draw = 0;; draw++) {
    const line = drawProgramLine(random.fork(`draw ${draw}`));
    if (!heldOut.has(line.prompt)) return line;
  }
}

function distinctLines(random: Random, count: number): readonly TextExample[] {
  const byPrompt = new Map<string, TextExample>();
  for (let draw = 0; byPrompt.size < count; draw++) {
    const line = drawProgramLine(random.fork(`line ${draw}`));
    // Lines with one operation are few: held out, they would be missed. All others open rows only.
    if (line.prompt.split(" ").length > 3 && !byPrompt.has(line.prompt)) byPrompt.set(line.prompt, line);
  }
  return [...byPrompt.values()];
}

/** A line after the opening; programs have one operation here, so that none is held out. */
function drawLine(random: Random): string {
  const next = fractionsOf(random), kind = next();
  if (kind < 0.75) {
    const { prompt, answer } = line(expressionOf(1, next), next);
    return `${prompt}${answer}`;
  }
  if (kind < 0.9) {
    const value = between(0, DIGITS.length - 1, next());
    return next() < 0.5 ? `${DIGITS[value]}=${value}` : `${value}=${DIGITS[value]}`;
  }
  return pick(FACTS, next());
}

/** A line that fits into a row, with one to three operations. */
function drawProgramLine(random: Random): TextExample {
  for (let draw = 0;; draw++) {
    const next = fractionsOf(random.fork(`fitting ${draw}`));
    const drawn = line(expressionOf(1 + Math.floor(next() * 3), next), next);
    if (drawn.prompt.length + drawn.answer.length < LENGTH) return drawn;
  }
}

function line({ prefix, expression }: Prefixed, next: Fractions): TextExample {
  // A number is said in digits or in words.
  const said = prefix.replace(/\d+/g, (digits) => next() < 0.5 ? digits : DIGITS[Number(digits)]!);
  return { prompt: `${said}:`, answer: toJavaScript(expression) };
}

function expressionOf(operations: number, next: Fractions): Prefixed {
  if (operations <= 0) return leaf(drawLeaf(next));
  const kind = next();
  if (operations === 1) {
    const [a, b] = drawLeaves(next);
    if (kind < 0.1) return applied("sq", [leaf(a)], binary("**", a, 2));
    if (kind < 0.2) return applied("max", [leaf(a), leaf(b)], larger(a, b));
    if (kind < 0.3) return applied("min", [leaf(a), leaf(b)], smaller(a, b));
    return two(kind < 0.85 ? TWO_OPERANDS : TESTS, leaf(a), leaf(b), next);
  }
  if (kind < 0.15) {
    const inner = expressionOf(operations - 1, next);
    return applied("sq", [inner], binary("**", inner.expression, 2));
  }
  if (kind < 0.35) {
    const [a, b] = drawLeaves(next), condition = two(TESTS, leaf(a), leaf(b), next);
    const then = expressionOf(operations - 2, next), otherwise = leaf(drawLeaf(next));
    return applied(
      "if",
      [condition, then, otherwise],
      choice(condition.expression, then.expression, otherwise.expression),
    );
  }
  const inner = expressionOf(operations - 1, next), outer = leaf(drawLeaf(next));
  return next() < 0.5 ? two(TWO_OPERANDS, inner, outer, next) : two(TWO_OPERANDS, outer, inner, next);
}

function two(operators: typeof TWO_OPERANDS, a: Prefixed, b: Prefixed, next: Fractions): Prefixed {
  const [name, build] = pick(operators, next());
  return applied(name, [a, b], build(a.expression, b.expression));
}

function applied(name: string, parts: readonly Prefixed[], expression: Expression): Prefixed {
  return { prefix: [name, ...parts.map(({ prefix }) => prefix)].join(" "), expression };
}

function leaf(expression: Expression): Prefixed {
  return { prefix: String(expression), expression };
}
