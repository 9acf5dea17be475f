/** @file Expressions said in English: "twice the sum of x and 3" is 2*(x+3). */
import type { Random } from "../../numerics/random.ts";
import { binary, choice, type Expression, larger, smaller } from "./expressions.ts";
import { between, pick } from "../math/word_problems.ts";

/** What is to be written, and what would be right. */
export interface Specification {
  /** English, without the colon that ends a prompt. */
  readonly english: string;
  readonly expression: Expression;
}

/** Smallest and largest number that a specification or a line of the base corpus names. */
export const CONSTANTS = { smallest: 2, largest: 15 };

/** How two operands are said: "$a" and "$b" are the operands, in the order of the expression. */
type Phrases = readonly (readonly [english: string, build: (a: Expression, b: Expression) => Expression])[];

const add = (a: Expression, b: Expression) => binary("+", a, b);
const subtract = (a: Expression, b: Expression) => binary("-", a, b);
const multiply = (a: Expression, b: Expression) => binary("*", a, b);
const remainder = (a: Expression, b: Expression) => binary("%", a, b);
const square = (a: Expression) => binary("**", a, 2);

/** Phrases that end with their last operand and begin with "the": other phrases may hold them without ambiguity. */
const NOUNS: Phrases = [
  ["the sum of $a and $b", add],
  ["the difference of $a and $b", subtract],
  ["the product of $a and $b", multiply],
  ["the remainder of $a by $b", remainder],
];

/** Phrases of two leaves that stand alone, or before a comma. */
const CLAUSES: Phrases = [
  ...NOUNS,
  ["$a plus $b", add],
  ["$a increased by $b", add],
  ["$b more than $a", add],
  ["$b added to $a", add],
  ["$a minus $b", subtract],
  ["$a decreased by $b", subtract],
  ["$b less than $a", subtract],
  ["$b taken from $a", subtract],
  ["$b subtracted from $a", subtract],
  ["$a times $b", multiply],
  ["$a multiplied by $b", multiply],
  ["$a modulo $b", remainder],
  ["the larger of $a and $b", larger],
  ["the smaller of $a and $b", smaller],
];

/** What is said before a noun phrase, "$a", with a leaf, "$b". */
const BEFORE: Phrases = [
  ["twice $a", (a) => multiply(2, a)],
  ["thrice $a", (a) => multiply(3, a)],
  ["the square of $a", square],
  ["$b more than $a", add],
  ["$b less than $a", subtract],
  ["$b times $a", (a, b) => multiply(b, a)],
  ["$b plus $a", (a, b) => add(b, a)],
  ["$b minus $a", (a, b) => subtract(b, a)],
];

/** What is said after a clause: it is about all that stands before the comma. */
const AFTER: Phrases = [
  ["$a, doubled", (a) => multiply(a, 2)],
  ["$a, tripled", (a) => multiply(a, 3)],
  ["$a, squared", square],
  ["$a, plus $b", add],
  ["$a, minus $b", subtract],
  ["$a, times $b", multiply],
  ["$a, modulo $b", remainder],
  ["$a, taken from $b", (a, b) => subtract(b, a)],
];

const CONDITIONS: Phrases = [
  ["$a is less than $b", (a, b) => binary("<", a, b)],
  ["$a is below $b", (a, b) => binary("<", a, b)],
  ["$a is more than $b", (a, b) => binary(">", a, b)],
  ["$a is above $b", (a, b) => binary(">", a, b)],
  ["$a equals $b", (a, b) => binary("==", a, b)],
];

/** A function that gives one number in [0, 1) after the other. */
export type Fractions = () => number;

/** The numbers of a random key, one after the other. @throws {RangeError} past the 64th */
export function fractionsOf(random: Random): Fractions {
  const drawn = random.uniform(64, 0, 1);
  let next = 0;
  return () => {
    const fraction = drawn[next++];
    if (fraction === undefined) throw new RangeError("Cannot draw more than 64 fractions from one key");
    // Rounding to 32-bit floats may give 1 itself.
    return Math.min(fraction, 1 - 2 ** -24);
  };
}

/**
 * A specification with one to three operations, or a comparison or choice.
 *
 * Every one reads in one way only: what stands before a noun phrase takes all of it, and what follows a comma takes
 * all that is before the comma.
 */
export function drawSpecification(random: Random): Specification {
  const next = fractionsOf(random), kind = next();
  if (kind < 0.2) return clause(next);
  if (kind < 0.45) return beforeNoun(next);
  if (kind < 0.7) return after(clause(next), next);
  if (kind < 0.82) return after(beforeNoun(next), next);
  return kind < 0.87 ? comparison(next) : chosen(next);
}

/** x, y or a number. */
export function drawLeaf(next: Fractions): Expression {
  const kind = next();
  if (kind < 0.35) return "x";
  return kind < 0.6 ? "y" : drawConstant(next);
}

/** Two leaves, not the same, of which one at least is a parameter. */
export function drawLeaves(next: Fractions): [Expression, Expression] {
  const [parameter, other]: Expression[] = next() < 0.6 ? ["x", "y"] : ["y", "x"];
  const second = next() < 0.4 ? other! : drawConstant(next);
  return next() < 0.65 ? [parameter!, second] : [second, parameter!];
}

function drawConstant(next: Fractions): number {
  return between(CONSTANTS.smallest, CONSTANTS.largest, next());
}

function clause(next: Fractions): Specification {
  return say(CLAUSES, next, ...drawLeaves(next));
}

function beforeNoun(next: Fractions): Specification {
  return around(BEFORE, say(NOUNS, next, ...drawLeaves(next)), next);
}

function after(inner: Specification, next: Fractions): Specification {
  return around(AFTER, inner, next);
}

function comparison(next: Fractions): Specification {
  const condition = say(CONDITIONS, next, ...drawLeaves(next));
  return { english: `whether ${condition.english}`, expression: condition.expression };
}

function chosen(next: Fractions): Specification {
  const condition = say(CONDITIONS, next, ...drawLeaves(next));
  const then = next() < 0.4 ? clause(next) : leaf(drawLeaf(next));
  const otherwise = leaf(then.expression === "x" ? "y" : then.expression === "y" ? "x" : drawLeaf(next));
  return {
    english: `${then.english} if ${condition.english}, else ${otherwise.english}`,
    expression: choice(condition.expression, then.expression, otherwise.expression),
  };
}

function leaf(expression: Expression): Specification {
  return { english: String(expression), expression };
}

/** One of the phrases about two operands. */
function say(phrases: Phrases, next: Fractions, a: Expression, b: Expression): Specification {
  const [english, build] = pick(phrases, next());
  return {
    english: english.replace("$a", String(a)).replace("$b", String(b)),
    expression: build(a, b),
  };
}

/** One of the phrases about what is already said and a leaf. */
function around(phrases: Phrases, inner: Specification, next: Fractions): Specification {
  const [english, build] = pick(phrases, next()), operand = drawLeaf(next);
  return {
    english: english.replace("$a", inner.english).replace("$b", String(operand)),
    expression: build(inner.expression, operand),
  };
}
