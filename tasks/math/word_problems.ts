/** @file Word problems of one to three steps: "tom has 17 nuts, gets 7, eats 9:" is answered by "17+7=24-9=15.". */
import type { Random } from "../../numerics/random.ts";
import type { SolvedProblem } from "./solved_problems.ts";

/** Whether a verb adds or takes away. */
export type Sign = "+" | "-";

/** What a verb does to what someone has. */
export type Verbs = Readonly<Record<string, Sign>>;

/** Verbs that add and verbs that take away, each a text of words between spaces. */
export function signedVerbs(adding: string, taking: string): Verbs {
  const entries = (words: string, sign: Sign) => words.split(" ").map((verb) => [verb, sign] as const);
  return Object.fromEntries([...entries(adding, "+"), ...entries(taking, "-")]);
}

/** A start and steps from it. Every value on the way is from 0 to 98. */
export interface Steps {
  readonly start: number;
  readonly signs: readonly Sign[];
  /** One for each sign. */
  readonly amounts: readonly number[];
}

/** A word problem, its answer and what makes it unlike others. */
export interface WordProblem extends SolvedProblem {
  /** The verbs and numbers: problems with one key differ in name and things only. */
  readonly key: string;
}

const NAMES = ["tom", "ann", "sam", "mia", "ben", "eva", "max", "zoe", "emma", "jack"];
const THINGS = ["nuts", "pens", "figs", "cards", "coins", "books", "pears", "shells", "stamps", "apples"];
const SMALLEST_AMOUNT = 2;
const LARGEST_AMOUNT = 19;
const LARGEST_START = 60;
const LARGEST_VALUE = 98;

/** Most steps of a word problem. */
export const MOST_STEPS = 3;

/**
 * Numbers for one to three steps: amounts from 2 to 19, and a start from 2 to 60 that keeps every value from 0 to 98.
 */
export function drawSteps(random: Random, signs: readonly Sign[]): Steps {
  const fractions = random.uniform(signs.length + 1, 0, 1);
  const amounts = signs.map((_, i) => between(SMALLEST_AMOUNT, LARGEST_AMOUNT, fractions[i]!));
  const fromStart = valuesOf({ start: 0, signs, amounts });
  const lowest = Math.max(SMALLEST_AMOUNT, -Math.min(...fromStart));
  const highest = Math.min(LARGEST_START, LARGEST_VALUE - Math.max(...fromStart));
  return { start: between(lowest, highest, fractions[signs.length]!), signs, amounts };
}

/** The steps worked out, e.g. "17+7=24-9=15.". At most 3 characters and 6 a step. */
export function workings(steps: Steps): string {
  const { start, signs, amounts } = steps, values = valuesOf(steps);
  return `${start}${signs.map((sign, i) => `${sign}${amounts[i]}=${values[i]}`).join("")}.`;
}

/**
 * A word problem with any of the verbs, one for each of `count` steps, 1 to 3. Verbs of up to 8 letters make a prompt of
 * at most 19 characters and 13 a step.
 */
export function drawWordProblem(random: Random, verbs: Verbs, count: number): WordProblem {
  const known = Object.entries(verbs);
  const [name, things, ...fractions] = random.fork("words").uniform(2 + count, 0, 1);
  const chosen = fractions.map((fraction) => pick(known, fraction));
  const steps = drawSteps(random.fork("numbers"), chosen.map(([, sign]) => sign));
  const told = chosen.map(([verb], i) => `${verb} ${steps.amounts[i]}`);
  return {
    prompt: `${pick(NAMES, name!)} has ${steps.start} ${pick(THINGS, things!)}, ${told.join(", ")}:`,
    answer: workings(steps),
    final: String(valuesOf(steps).at(-1)),
    key: `${steps.start} ${told.join(" ")}`,
  };
}

/** Word problems without end, no two with one key: the i-th, from 0, has i mod 3 + 1 steps. */
export function* distinctWordProblems(random: Random, verbs: Verbs): Generator<WordProblem, never> {
  const keys = new Set<string>();
  for (let draw = 0;; draw++) {
    const problem = drawWordProblem(random.fork(`problem ${draw}`), verbs, keys.size % MOST_STEPS + 1);
    if (keys.has(problem.key)) continue;
    keys.add(problem.key);
    yield problem;
  }
}

/** The entry of a list at a fraction in [0, 1) of its length. */
export function pick<T>(list: readonly T[], fraction: number): T {
  return list[Math.floor(fraction * list.length)]!;
}

/** The integer from `low` to `high`, both included, at a fraction in [0, 1). */
export function between(low: number, high: number, fraction: number): number {
  return low + Math.floor(fraction * (high - low + 1));
}

/** What there is after each step. */
function valuesOf({ start, signs, amounts }: Steps): number[] {
  let value = start;
  return signs.map((sign, i) => value += sign === "+" ? amounts[i]! : -amounts[i]!);
}
