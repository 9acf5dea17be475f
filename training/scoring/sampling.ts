/** @file Drawing a token from scores: temperature and the nucleus. */
import { createRandom, type Random } from "../../numerics/random.ts";
import type { Sampling } from "../../tasks/task.ts";

/** Which token of which text is drawn. */
export interface DrawnPlace {
  /** Index of the prompt. */
  readonly prompt: number;
  /** Index among the prompt's samples. */
  readonly sample: number;
  /** Tokens that were drawn before it. */
  readonly position: number;
}

/** Draws tokens of one call of `generate`. */
export interface Sampler {
  /** The token at a place, given its scores: a pure function of both. @throws {Error} where no score is a finite largest */
  draw(scores: Float32Array, place: DrawnPlace): number;
}

/** @throws {RangeError} where a setting is out of its range */
export function createSampler(sampling: Sampling): Sampler {
  const { temperature, topP, seed, samples = 1 } = sampling;
  const validate = (setting: string, value: number, wanted: string) => {
    throw new RangeError(`Cannot sample text: ${setting} is ${value}, ${wanted} is needed`);
  };
  if (!(temperature > 0 && temperature < Infinity)) validate("temperature", temperature, "a number above 0");
  if (!(topP > 0 && topP <= 1)) validate("topP", topP, "a number above 0 and up to 1");
  if (!(Number.isSafeInteger(samples) && samples >= 1)) validate("samples", samples, "an integer from 1");
  const random = createRandom(seed);
  return { draw: (scores, place) => drawToken(scores, temperature, topP, uniformAt(random, place)) };
}

/** A number in [0, 1) of its own for each place. */
function uniformAt(random: Random, { prompt, sample, position }: DrawnPlace): number {
  return random.fork(`prompt ${prompt}`).fork(`sample ${sample}`).fork(`token ${position}`).uniform(
    1,
    0,
    1,
  )[0]!;
}

/**
 * The token at `uniform` in [0, 1) of the nucleus's total: the probabilities are softmax(scores / temperature), and the
 * nucleus is the fewest most probable tokens that have at least `topP` together; of equal ones the first comes first.
 *
 * Source: Holtzman et al., arXiv 1904.09751, section 3.1.
 *
 * @throws {Error} where a score is NaN, or the largest is infinite
 */
export function drawToken(scores: Float32Array, temperature: number, topP: number, uniform: number): number {
  let largest = -Infinity;
  for (let token = 0; token < scores.length; token++) {
    const score = scores[token]!;
    if (Number.isNaN(score)) throw new Error(`Cannot draw a token: the score of token ${token} is NaN`);
    if (score > largest) largest = score;
  }
  if (!Number.isFinite(largest)) {
    throw new Error(`Cannot draw a token: the largest score is ${largest}, a finite one is needed`);
  }
  const weights = new Float64Array(scores).map((score) => Math.exp((score - largest) / temperature));
  const nucleus = nucleusOf(weights, topP);
  const total = nucleus.reduce((sum, token) => sum + weights[token]!, 0);
  let reached = 0;
  for (const token of nucleus) {
    reached += weights[token]!;
    if (reached > uniform * total) return token;
  }
  // uniform is below 1, so that the loop has returned.
  throw new RangeError(`Cannot draw a token at ${uniform}: a number from 0, below 1 is needed`);
}

/** The fewest most probable tokens that have the share `topP` of the weights, the most probable first. */
function nucleusOf(weights: Float64Array, topP: number): readonly number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  // All rarer tokens together have less than 1 − topP, so that none of them is needed: most need not be sorted.
  const rare = (1 - topP) * total / weights.length;
  const tokens: number[] = [];
  weights.forEach((weight, token) => weight > 0 && weight >= rare && tokens.push(token));
  if (topP === 1) return tokens;
  tokens.sort((a, b) => weights[b]! - weights[a]! || a - b);
  let reached = 0;
  const end = tokens.findIndex((token) => (reached += weights[token]!) >= topP * total);
  return end < 0 ? tokens : tokens.slice(0, end + 1);
}
