import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { createRandom, type Random } from "../../numerics/random.ts";
import {
  bootstrapSets,
  bootstrapStrata,
  drawSets,
  drawStrata,
  improvement,
  interquartileMean,
} from "./bootstrap.ts";
import { mean } from "./statistics.ts";

function assertNear(actual: number, expected: number, tolerance = 1e-3): void {
  assert(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected} to ${tolerance}`);
}

Deno.test("bootstrapSets() is close to the normal interval for many values and the same for the same seed", () => {
  const values = Array.from({ length: 400 }, (_, i) => i % 4 === 0 ? 1 : 0);
  const meanOf = (drawn: Uint32Array) => mean(Array.from(drawn, (i) => values[i]!));
  const interval = bootstrapSets(drawSets(values.length, createRandom(3)), meanOf)!;
  // sqrt(0.25 · 0.75 / 400) · 1.96 = 0.0424.
  assertNear(interval.low, 0.25 - 0.0424, 0.008);
  assertNear(interval.high, 0.25 + 0.0424, 0.008);
  assertEquals(bootstrapSets(drawSets(values.length, createRandom(3)), meanOf), interval);
  assertEquals(bootstrapSets(drawSets(1, createRandom(3)), () => 1), null);
  assertEquals(bootstrapSets(drawSets(5, createRandom(3)), () => NaN), null);
});

Deno.test("interquartileMean() leaves out a quarter at each end, as SciPy's trim_mean does", () => {
  // scipy.stats.trim_mean(values, 0.25)
  assertEquals(interquartileMean([100, 1, 2, 3, 4, 5, 6, -50]), 3.5);
  assertEquals(interquartileMean([9, 1, 2, 3, 4]), 3);
  assertEquals(interquartileMean([1, 2, 6]), 3);
  assert(Number.isNaN(interquartileMean([])));
});

Deno.test("improvement() is Mann and Whitney's U over the number of pairs", () => {
  // Their tortoise and hare: of 36 pairs a tortoise wins 25 where one tortoise is first and five come before five hares.
  assertEquals(improvement([12, 6, 5, 4, 3, 2], [11, 10, 9, 8, 7, 1]), 11 / 36);
  assertEquals(improvement([1, 2], [1, 2]), 0.5);
  assertEquals([improvement([3], [1, 2]), improvement([0], [1, 2])], [1, 0]);
  assert(Number.isNaN(improvement([], [1])));
});

Deno.test("drawStrata() draws within each stratum, the same for the same seed, and one stratum's size moves no other", () => {
  const draws = drawStrata([3, 5], createRandom(4), 50);
  assertEquals(draws, drawStrata([3, 5], createRandom(4), 50));
  assertEquals(
    draws.map(([first]) => first),
    drawStrata([3, 9], createRandom(4), 50).map(([first]) => first),
  );
  assert(draws.every(([first, second]) => first!.length === 3 && second!.length === 5));
  assertEquals(new Set(draws.flatMap(([first]) => [...first!])), new Set([0, 1, 2]));
  assert(new Set(draws.map((draw) => draw.join())).size > 40);
  assertEquals(bootstrapStrata([], () => 1), null);
  assertEquals(bootstrapStrata(draws, () => NaN), null);
});

Deno.test("bootstrapStrata() of ten tasks holds the truth nearly as often as it says from four runs a task on, and not with two", () => {
  const random = createRandom(81), tasks = 10, repeats = 480, deviation = 0.05, shift = 0.02;
  // That a normal difference with mean 0.02 and deviation 0.05 sqrt(2) is above 0.
  const better = 0.61136;
  const worlds = Array.from({ length: 12 }, (_, world) => {
    const centers = [...random.fork(`world ${world}`).uniform(tasks, 0.2, 0.9)];
    const draw = (key: Random, runs: number, more: number) =>
      centers.map((center, t) =>
        Array.from(key.fork(`task ${t}`).normal(runs, deviation), (value) => center + value + more)
      );
    return { draw, middle: interquartileMean(draw(random.fork(`truth ${world}`), 2000, 0).flat()) };
  });
  const pick = (values: readonly number[], drawn: Uint32Array) => Array.from(drawn, (i) => values[i]!);
  const held = (runs: number) => {
    const own = drawStrata(Array(tasks).fill(runs), random.fork(`own ${runs}`), 300);
    const both = drawStrata(Array(2 * tasks).fill(runs), random.fork(`both ${runs}`), 300);
    const inside = { middle: 0, better: 0 };
    for (let i = 0; i < repeats; i++) {
      const key = random.fork(`${runs} ${i}`), { draw, middle } = worlds[i % worlds.length]!;
      const theirs = draw(key.fork("theirs"), runs, 0), ours = draw(key.fork("ours"), runs, shift);
      const means = bootstrapStrata(
        own,
        (drawn) => interquartileMean(theirs.flatMap((one, t) => pick(one, drawn[t]!))),
      )!;
      if (means.low <= middle && middle <= means.high) inside.middle++;
      const chances = bootstrapStrata(
        both,
        (drawn) =>
          mean(ours.map((one, t) => improvement(pick(one, drawn[t]!), pick(theirs[t]!, drawn[tasks + t]!)))),
      )!;
      if (chances.low <= better && better <= chances.high) inside.better++;
    }
    return { middle: inside.middle / repeats, better: inside.better / repeats };
  };
  // Three standard errors of 480 are 4%.
  for (const [runs, middle, chance] of [[2, 0.79, 0.88], [4, 0.89, 0.95], [8, 0.936, 0.95]] as const) {
    const found = held(runs);
    assertAlmostEquals(found.middle, middle, 0.045, `${runs} runs`);
    assertAlmostEquals(found.better, chance, 0.04, `${runs} runs`);
  }
});
