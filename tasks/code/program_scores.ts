/** @file Scoring programs: whether one passes, and how likely one of several does. */
import { passAtK } from "./pass_at_k.ts";
import type { Generation, Measure, Measured, Predictor, Sampling } from "../task.ts";

/** Programs drawn for each example, of which pass@5 is estimated. */
const SAMPLES = 10;
/** Programs of which one has to pass. */
const K = 5;

/**
 * The same settings and the same seed for all: methods differ by what they write, not by luck of their own.
 *
 * Source: Chen et al. 2021, arXiv 2107.03374, sections 2.1 (nucleus) and 3.3 (temperature where several are drawn).
 */
const SAMPLING: Sampling = { temperature: 0.8, topP: 0.95, seed: 0, samples: SAMPLES };

const PASS_AT_K = `pass@${K}`;

/** What `measurePrograms` measures. Ten times the writing that the score takes: not for choosing settings. */
export const MEASURES: readonly Measure[] = [{
  name: PASS_AT_K,
  better: "higher",
  within: [0, 1],
  split: "test",
}];

/** How programs are asked for, and put to the test. */
export interface ProgramTrial<T> {
  /** What the model is given, 1 token or more. */
  promptOf(example: T): Int32Array;
  /** Most tokens of an answer. */
  readonly maxTokens: number;
  /** The token that ends an answer. */
  readonly stop: Generation["stop"];
  /** Whether each text is right for its example: as many of both, in the same order. */
  judge(examples: readonly T[], texts: readonly Int32Array[]): Promise<readonly boolean[]>;
}

/** pass@1: for each example 1 where the greedy text passes, else 0. */
export async function scorePrograms<T>(
  predictor: Predictor,
  examples: readonly T[],
  { promptOf, maxTokens, stop, judge }: ProgramTrial<T>,
): Promise<Float32Array> {
  const texts = await predictor.generate(examples.map(promptOf), { maxTokens, stop });
  return Float32Array.from(await judge(examples, texts), Number);
}

/** "pass@5": for each example the unbiased estimate from 10 texts, drawn at temperature 0.8 from a nucleus of 0.95. */
export async function measurePrograms<T>(
  predictor: Predictor,
  examples: readonly T[],
  { promptOf, maxTokens, stop, judge }: ProgramTrial<T>,
): Promise<Readonly<Record<string, Measured>>> {
  const how = { maxTokens, stop, sampling: SAMPLING };
  const texts = await predictor.generate(examples.map(promptOf), how);
  const passed = await judge(texts.map((_, i) => examples[Math.floor(i / SAMPLES)]!), texts);
  const values = examples.map((_, i) => {
    const passes = passed.slice(i * SAMPLES, (i + 1) * SAMPLES).filter(Boolean).length;
    return passAtK(SAMPLES, passes, K);
  });
  return { [PASS_AT_K]: { values } };
}

/** What comes of each source, in order. Sources that are the same, as JSON, are run once. */
export async function runDistinct<S, O>(
  sources: readonly S[],
  run: (distinct: readonly S[]) => Promise<readonly O[]>,
): Promise<readonly O[]> {
  const keys = sources.map((source) => JSON.stringify(source));
  const distinct = new Map(keys.map((key, i) => [key, sources[i]!]));
  const outcomes = await run([...distinct.values()]);
  const outcomeOf = new Map([...distinct.keys()].map((key, i) => [key, outcomes[i]!]));
  return keys.map((key) => outcomeOf.get(key)!);
}
