import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { shareOfGap } from "./gap_share.ts";
import { errorSources } from "./statistics.ts";

const average = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const less = (a: readonly (readonly number[])[], b: readonly (readonly number[])[]) =>
  a.map((seed, s) => seed.map((value, e) => value - b[s]![e]!));
const zeros = (count: number) => Array.from({ length: count }, () => [0]);

Deno.test("shareOfGap() is Fieller's interval of the two means of Student's sleep data (Biometrika 6, 1908)", () => {
  const first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0, 2].map((value) => [value]);
  const second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4].map((value) => [value]);
  const found = shareOfGap(first, zeros(10), second);
  assertAlmostEquals(found.gap, 2.33, 1e-12);
  assertAlmostEquals(found.share!, 0.75 / 2.33, 1e-12);
  // Where SciPy's t test of first - ρ second gives p = 0.05.
  assertAlmostEquals(found.interval!.low, -0.4849197753719879, 1e-7);
  assertAlmostEquals(found.interval!.high, 0.6565966852861801, 1e-7);
  assertEquals([found.seeds, found.examples], [10, 1]);
});

Deno.test("shareOfGap() agrees with Fieller's formula in its usual form, seeds and examples alike", () => {
  const random = createRandom(3), seeds = 4, examples = 9;
  // Seeds differ by more than their luck with examples, so that the least of their variance has no part.
  const draw = (name: string, center: number) =>
    Array.from(
      random.fork(name).normal(seeds, 0.1),
      (skill, s) =>
        Array.from(random.fork(`${name} ${s}`).normal(examples, 0.05), (value) => center + skill + value),
    );
  const ours = draw("ours", 0.6), from = draw("from", 0.3), to = draw("to", 0.9);
  const found = shareOfGap(ours, from, to);
  const mean = average;
  // Quantiles of 3 and of 8 degrees of freedom, from printed tables.
  const both = [
    { squared: 3.182446 ** 2, of: (x: number[][]) => x.map(mean) },
    { squared: 2.306004 ** 2, of: (x: number[][]) => x[0]!.map((_, e) => mean(x.map((seed) => seed[e]!))) },
  ];
  const n = less(ours, from), d = less(to, from);
  const v = (a: number[][], b: number[][]) =>
    both.reduce((sum, { squared, of }) => {
      const x = of(a), y = of(b);
      const products = x.map((value, i) => (value - mean(x)) * (y[i]! - mean(y)));
      return sum + squared * mean(products) / (x.length - 1);
    }, 0);
  const a = mean(n.map(mean)), b = mean(d.map(mean)), ratio = a / b, g = v(d, d) / b ** 2;
  const root = Math.sqrt(
    v(n, n) - 2 * ratio * v(n, d) + ratio ** 2 * v(d, d) - g * (v(n, n) - v(n, d) ** 2 / v(d, d)),
  );
  const at = (sign: number) => (ratio - g * v(n, d) / v(d, d) + sign * root / b) / (1 - g);
  assertAlmostEquals(found.interval!.low, at(-1), 1e-5);
  assertAlmostEquals(found.interval!.high, at(1), 1e-5);
});

Deno.test("shareOfGap() tells no share where 0 is no unlikely gap, and the same one whichever way a gap goes", () => {
  const one = [[0.5, 0.6, 0.4], [0.4, 0.6, 0.5]], alike = [[0.6, 0.5, 0.4], [0.4, 0.5, 0.6]];
  const unshown = shareOfGap(one, one, alike);
  assertEquals([unshown.share, unshown.interval], [null, null]);
  const low = [[0, 0, 0.1], [0, 0.1, 0]], high = [[0.9, 1, 1], [1, 0.9, 1]];
  const reversed = shareOfGap(one, high, low);
  assert(reversed.gap < -0.9);
  assertAlmostEquals(reversed.share!, 1 - shareOfGap(one, low, high).share!, 1e-12);
  // One seed on one example: nothing varies.
  assertEquals(shareOfGap([[0.5]], [[0]], [[1]]).share, null);
  assertEquals(shareOfGap([], [], []).share, null);
});

Deno.test("shareOfGap() gives exact ends at the two methods themselves, and shares beyond them", () => {
  const low = [[0, 0, 0.1], [0, 0.1, 0]], high = [[0.9, 1, 1], [1, 0.9, 1]];
  assertEquals(shareOfGap(low, low, high).share, 0);
  assertEquals(shareOfGap(high, low, high).share, 1);
  const { low: from, high: to } = shareOfGap(high, low, high).interval!;
  assert(Math.abs(from - 1) < 1e-6 && Math.abs(to - 1) < 1e-6, `${from} to ${to}`);
});

Deno.test("shareOfGap() takes seeds that are equal by coincidence for no more alike than their answers let them be", () => {
  // Two seeds of four examples: the gap is 2 of 4 on both, the method's gain 1 of 4, each on other examples.
  const from = [[0, 0, 0, 0.1], [0, 0, 0, 0.1]], to = [[1, 1, 0, 0.1], [0, 1, 1, 0.1]];
  const spread = shareOfGap([[1, 0, 0, 0.1], [0, 0, 1, 0.1]], from, to);
  // The same on the same examples: nothing but examples varies.
  const same = shareOfGap([[1, 0, 0, 0.1], [1, 0, 0, 0.1]], from, [to[0]!, to[0]!]);
  assertEquals([spread.gap, same.gap], [0.5, 0.5]);
  assertEquals(spread.share, null);
  const four = <T>(list: readonly T[]) => [...list, ...list];
  const many = (rows: readonly (readonly number[])[]) => four(four(rows)).map((row) => four(four(four(row))));
  const wide = shareOfGap(many([[1, 0, 0, 0.1], [0, 0, 1, 0.1]]), many(from), many(to)).interval!;
  const narrow = shareOfGap(many([[1, 0, 0, 0.1], [1, 0, 0, 0.1]]), many(from), many([to[0]!, to[0]!]))
    .interval!;
  assert(wide.low < 0.5 && 0.5 < wide.high && narrow.low < 0.5 && 0.5 < narrow.high);
  // Student's quantile of 7 degrees of freedom, squared, times the rest's mean squares and product over n, at each end.
  const rests = (rows: readonly (readonly number[])[]) =>
    errorSources(less(many(rows), many(from)))!.both ** 2;
  const gained = [[1, 0, 0, 0.1], [0, 0, 1, 0.1]];
  const atEnd = (end: number) => {
    const lines = less(many(gained), many(from)).map((seed, s) =>
      seed.map((value, e) => value - end * (many(to)[s]![e]! - many(from)[s]![e]!))
    );
    const byExample = lines[0]!.map((_, e) => average(lines.map((seed) => seed[e]!)));
    const overSeeds = 2.364624 ** 2 * errorSources(lines)!.both ** 2;
    const center = average(byExample), n = byExample.length;
    const overExamples = 2.039513 ** 2 * byExample.reduce((sum, one) => sum + (one - center) ** 2, 0) /
      (n - 1) / n;
    return center ** 2 - overSeeds - overExamples;
  };
  assert(rests(gained) > 0);
  assertAlmostEquals(atEnd(wide.low), 0, 1e-6);
  assertAlmostEquals(atEnd(wide.high), 0, 1e-6);
});

Deno.test("shareOfGap() refuses methods with different seeds", () => {
  assertThrows(() => shareOfGap([[1]], [[1], [0]], [[1], [0]]), RangeError, "differ in seeds");
});

Deno.test("shareOfGap() holds the true share as often as it says, and seldom shows a gap where there is none", () => {
  const random = createRandom(8), repeats = 400;
  for (const [seeds, wide] of [[1, 0.7], [3, 0.75], [5, 0.7]] as const) {
    let held = 0, told = 0, shown = 0;
    for (let i = 0; i < repeats; i++) {
      const own = random.fork(`${seeds} ${i}`), hardness = own.fork("hard").uniform(80, 0, 1);
      const draw = (name: string, ability: number) => {
        // One seed says nothing about others, so there they don't differ.
        const skill = own.fork(name).normal(seeds, seeds === 1 ? 0 : 0.02);
        return Array.from(skill, (more, s) => {
          const luck = own.fork(`${name} ${s}`).uniform(80, -0.25, 0.25);
          return Array.from(hardness, (hard, e) => hard + luck[e]! < ability + more ? 1 : 0);
        });
      };
      const from = draw("from", 0.3), ours = draw("ours", 0.3 + 0.6 * (wide - 0.3));
      const found = shareOfGap(ours, from, draw("to", wide));
      if (found.share !== null) {
        told++;
        if (found.interval!.low <= 0.6 && 0.6 <= found.interval!.high) held++;
      }
      if (shareOfGap(ours, from, draw("to the same", 0.3)).share !== null) shown++;
    }
    assert(told > 0.4 * repeats, `${seeds} seeds: told ${told} of ${repeats}`);
    assert(held / told > 0.95 - 0.033, `${seeds} seeds: held ${held} of ${told}`);
    assert(shown / repeats < 0.05 + 0.033, `${seeds} seeds: shown ${shown} of ${repeats}`);
  }
});
