import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { createSampler, drawToken } from "./sampling.ts";

const SCORES = Float32Array.of(0.5, -1, 2, 0, 2.5, -3, 1);

function softmax(scores: Float32Array, temperature: number): number[] {
  const weights = [...scores].map((score) => Math.exp(score / temperature));
  const total = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / total);
}

/** Pearson's statistic over the classes that should occur; none of the others may. */
function chiSquare(counts: readonly number[], wanted: readonly number[]): number {
  const total = counts.reduce((a, b) => a + b);
  return counts.reduce((sum, count, i) => {
    const mean = wanted[i]! * total;
    if (mean === 0) {
      assertEquals(count, 0, `class ${i}`);
      return sum;
    }
    return sum + (count - mean) ** 2 / mean;
  }, 0);
}

function countDraws(options: { temperature: number; topP: number; seed: number }, draws: number): number[] {
  const sampler = createSampler(options), counts = new Array<number>(SCORES.length).fill(0);
  for (let i = 0; i < draws; i++) {
    // Along prompts, samples and positions alike.
    counts[sampler.draw(SCORES, { prompt: i % 10, sample: i % 7, position: Math.floor(i / 70) })]!++;
  }
  return counts;
}

Deno.test("createSampler() draws each token as often as softmax of its score over the temperature says", () => {
  for (const temperature of [0.5, 1, 3]) {
    for (const seed of [0, 1]) {
      const counts = countDraws({ temperature, topP: 1, seed }, 7000);
      // Above 22.46 once in a thousand draws of so many, with 6 degrees of freedom.
      assertLess(
        chiSquare(counts, softmax(SCORES, temperature)),
        22.46,
        `${temperature}, ${seed}: ${counts}`,
      );
    }
  }
});

Deno.test("createSampler() draws from the nucleus alone, in proportion", () => {
  // Probabilities at temperature 1, sorted: tokens 4, 2, 6, 0, 3, 1, 5.
  const probabilities = softmax(SCORES, 1), order = [4, 2, 6, 0, 3, 1, 5];
  let reached = 0;
  for (const [i, token] of order.entries()) {
    const before = reached;
    reached += probabilities[token]!;
    // Just within the token's share, and well above what came before it.
    const topP = Math.min(1, (before + reached) / 2);
    const inside = order.slice(0, i + 1);
    const wanted = probabilities.map((p, t) => inside.includes(t) ? p / reached : 0);
    const counts = countDraws({ temperature: 1, topP, seed: 5 }, 3500);
    assertLess(chiSquare(counts, wanted), 22.46, `topP ${topP}: ${counts}`);
  }
});

Deno.test("drawToken() cuts the nucleus exactly where topP is reached, and takes the first of equal tokens", () => {
  const ends = (scores: Float32Array, topP: number) =>
    [0, 0.1, 0.3, 0.5, 0.7, 0.9, 1 - 2 ** -24].map((uniform) => drawToken(scores, 1, topP, uniform));
  // Four equal tokens have 0.25 each, without a rounding.
  const equal = new Float32Array(4);
  assertEquals(new Set(ends(equal, 0.25)), new Set([0]));
  assertEquals(new Set(ends(equal, 0.25 + 1e-12)), new Set([0, 1]));
  assertEquals(new Set(ends(equal, 0.5)), new Set([0, 1]));
  assertEquals(new Set(ends(equal, 0.75)), new Set([0, 1, 2]));
  assertEquals(new Set(ends(equal, 1)), new Set([0, 1, 2, 3]));
  assertEquals(new Set(ends(Float32Array.of(0, 3, 3, 0), 1e-300)), new Set([1]));
  // What has no probability is never drawn, not even at the edges.
  const some = Float32Array.of(-Infinity, 0, -Infinity, 0, -Infinity);
  assertEquals(ends(some, 1), [1, 1, 1, 3, 3, 3, 3]);
});

Deno.test("drawToken() takes the same nucleus out of thousands of tokens as sorting all of them", () => {
  const scores = createRandom(3).normal(3000, 2), probabilities = softmax(scores, 0.8);
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b]! - probabilities[a]!);
  for (const topP of [0.01, 0.5, 0.9, 0.99]) {
    let reached = 0;
    const end = order.findIndex((token) => (reached += probabilities[token]!) >= topP);
    const inside = new Set(order.slice(0, end + 1));
    const drawn = Array.from({ length: 500 }, (_, i) => drawToken(scores, 0.8, topP, i / 500));
    assert(drawn.every((token) => inside.has(token)), `topP ${topP}`);
    assertEquals(drawn[0], order[0]);
  }
});

Deno.test("drawToken() gives the largest score's token in the limit of temperature 0, without overflow", () => {
  const random = createRandom(9);
  for (const temperature of [1e-3, 1e-30, Number.MIN_VALUE]) {
    for (let i = 0; i < 20; i++) {
      const scores = random.fork(`${i}`).normal(50, 100), best = scores.indexOf(Math.max(...scores));
      assertEquals(drawToken(scores, temperature, 1, i / 20), best);
    }
  }
  // Far apart, and hot: all alike.
  assertEquals(drawToken(Float32Array.of(-3e38, 3e38), 1, 1, 0.999), 1);
  assertEquals(drawToken(Float32Array.of(1, 2, 3, 4), 1e30, 1, 0.6), 2);
});

Deno.test("createSampler() is a pure function of seed, prompt, sample and position", () => {
  const flat = new Float32Array(1 << 16), place = { prompt: 3, sample: 2, position: 1 };
  const options = { temperature: 1, topP: 1, seed: 7 };
  const draw = (changes: Partial<typeof options>, at: Partial<typeof place>) =>
    createSampler({ ...options, ...changes }).draw(flat, { ...place, ...at });
  const first = draw({}, {});
  assertEquals(draw({}, {}), first);
  // Places that a careless key would mix up: 1 beside 12 and 11 beside 2, and exchanged ones.
  const others = [
    draw({ seed: 8 }, {}),
    draw({}, { prompt: 2, sample: 3 }),
    draw({}, { prompt: 32, sample: 1 }),
    draw({}, { sample: 1, position: 2 }),
    draw({}, { position: 0 }),
    first,
  ];
  assertEquals(new Set(others).size, others.length);
});

Deno.test("Sampling refuses settings out of range and scores that say nothing, by name", () => {
  const options = { temperature: 1, topP: 1, seed: 0 };
  const refuses = (changes: object, message: string) =>
    assertThrows(() => createSampler({ ...options, ...changes }), RangeError, message);
  refuses({ temperature: 0 }, "Cannot sample text: temperature is 0, a number above 0 is needed");
  for (const temperature of [-1, NaN, Infinity]) refuses({ temperature }, `temperature is ${temperature}`);
  for (const topP of [0, -0.1, 1.1, NaN]) refuses({ topP }, `topP is ${topP}, a number above 0 and up to 1`);
  for (const samples of [0, 1.5, -1]) refuses({ samples }, `samples is ${samples}, an integer from 1`);
  refuses({ seed: -1 }, "Cannot seed random numbers with -1");
  assertThrows(() => drawToken(Float32Array.of(0, NaN), 1, 1, 0), Error, "the score of token 1 is NaN");
  assertThrows(() => drawToken(Float32Array.of(0, Infinity), 1, 1, 0), Error, "largest score is Infinity");
  assertThrows(() => drawToken(new Float32Array(2).fill(-Infinity), 1, 1, 0), Error, "is -Infinity");
  assertThrows(() => drawToken(Float32Array.of(0), 1, 1, 1), RangeError, "at 1: a number from 0, below 1");
});
