/** @file Two-step word problems: "tom has 17 nuts, gets 7, eats 9:" is answered by "17+7=24-9=15.". */
import type { Random } from "../../numerics/random.ts";
import type { TextExample } from "../text/text_batch.ts";

/** Whether a verb adds or takes away. */
export type Sign = "+" | "-";

/** What a verb does to what someone has. */
export type Verbs = Readonly<Record<string, Sign>>;

/** Verbs that add and verbs that take away, each a text of words between spaces. */
export function signedVerbs(adding: string, taking: string): Verbs {
  const entries = (words: string, sign: Sign) => words.split(" ").map((verb) => [verb, sign] as const);
  return Object.fromEntries([...entries(adding, "+"), ...entries(taking, "-")]);
}

/** A start and two steps from it. Every value on the way is from 0 to 98. */
export interface TwoSteps {
  readonly start: number;
  readonly signs: readonly [Sign, Sign];
  readonly amounts: readonly [number, number];
}

/** A word problem, its answer and what makes it unlike others. */
export interface WordProblem extends TextExample {
  /** The verbs and numbers: problems with one key differ in name and things only. */
  readonly key: string;
}

const NAMES = ["tom", "ann", "sam", "mia", "ben", "eva", "max", "zoe", "emma", "jack"];
const THINGS = ["nuts", "pens", "figs", "cards", "coins", "books", "pears", "shells", "stamps", "apples"];
const SMALLEST_AMOUNT = 2;
const LARGEST_AMOUNT = 19;
const LARGEST_START = 60;

/** Numbers for two steps: amounts from 2 to 19, and a start of at most 60 that keeps every value at 0 or more. */
export function drawTwoSteps(random: Random, signs: readonly [Sign, Sign]): TwoSteps {
  const [first, second, start] = random.uniform(3, 0, 1);
  const amounts: [number, number] = [
    between(SMALLEST_AMOUNT, LARGEST_AMOUNT, first!),
    between(SMALLEST_AMOUNT, LARGEST_AMOUNT, second!),
  ];
  const afterFirst = step(0, signs[0], amounts[0]);
  const lowest = Math.min(-SMALLEST_AMOUNT, afterFirst, step(afterFirst, signs[1], amounts[1]));
  return { start: between(-lowest, LARGEST_START, start!), signs, amounts };
}

/** The steps worked out, e.g. "17+7=24-9=15.". At most 15 characters. */
export function workings({ start, signs, amounts }: TwoSteps): string {
  const between = step(start, signs[0], amounts[0]);
  const end = step(between, signs[1], amounts[1]);
  return `${start}${signs[0]}${amounts[0]}=${between}${signs[1]}${amounts[1]}=${end}.`;
}

/** A word problem with any two of the verbs. Verbs of up to 8 letters make a prompt of at most 45 characters. */
export function drawWordProblem(random: Random, verbs: Verbs): WordProblem {
  const known = Object.entries(verbs);
  const [name, things, first, second] = random.fork("words").uniform(4, 0, 1);
  const [firstVerb, firstSign] = pick(known, first!);
  const [secondVerb, secondSign] = pick(known, second!);
  const steps = drawTwoSteps(random.fork("numbers"), [firstSign, secondSign]);
  const { start, amounts } = steps;
  return {
    prompt: `${pick(NAMES, name!)} has ${start} ${pick(THINGS, things!)}, ` +
      `${firstVerb} ${amounts[0]}, ${secondVerb} ${amounts[1]}:`,
    answer: workings(steps),
    key: `${start} ${firstVerb} ${amounts[0]} ${secondVerb} ${amounts[1]}`,
  };
}

/** `count` word problems, no two with one key: the i-th is the same for every count. */
export function distinctWordProblems(random: Random, verbs: Verbs, count: number): readonly WordProblem[] {
  const byKey = new Map<string, WordProblem>();
  for (let draw = 0; byKey.size < count; draw++) {
    const problem = drawWordProblem(random.fork(`problem ${draw}`), verbs);
    if (!byKey.has(problem.key)) byKey.set(problem.key, problem);
  }
  return [...byKey.values()];
}

/** The entry of a list at a fraction in [0, 1) of its length. */
export function pick<T>(list: readonly T[], fraction: number): T {
  return list[Math.floor(fraction * list.length)]!;
}

/** The integer from `low` to `high`, both included, at a fraction in [0, 1). */
export function between(low: number, high: number, fraction: number): number {
  return low + Math.floor(fraction * (high - low + 1));
}

function step(value: number, sign: Sign, amount: number): number {
  return sign === "+" ? value + amount : value - amount;
}
