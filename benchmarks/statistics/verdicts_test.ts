import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { createRandom, type Random } from "../../numerics/random.ts";
import { drawRight } from "../../tests/support/draw_scores.ts";
import { compare } from "./comparison.ts";
import { mean, studentAt } from "./statistics.ts";
import { type Asked, correct, identical, isShown, judge, type Judgement, MARGIN } from "./verdicts.ts";

Deno.test("correct() agrees with Holm's procedure step by step", () => {
  const family = (values: readonly (number | null)[]) =>
    values.map((pValue) => ({ ...compare([[1]], [[0]]), pValue }));
  const adjust = (values: readonly (number | null)[]) =>
    correct(family(values)).map(({ corrected }) => corrected);
  // 4 · 0.005, 3 · 0.01, 2 · 0.03, and the last is at least the one before.
  assertEquals(adjust([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02]);
  assertEquals(adjust([0.6, 0.7]), [1, 1]);
  assertEquals(adjust([]), []);
  // What nothing could tell takes no part.
  assertEquals(adjust([null, 0.04, null]), [null, 0.04, null]);
  assertEquals(correct(family([0.03, null])).map(({ verdict }) => verdict), ["better", "undecided"]);
});

Deno.test("correct() finds three differences among the fifteen of Benjamini and Hochberg (1995), as Bonferroni there", () => {
  const values = [
    ...[0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459],
    ...[0.324, 0.4262, 0.5719, 0.6528, 0.759, 1],
  ];
  const found = correct(values.toReversed().map((pValue) => ({ ...compare([[1]], [[0]]), pValue })));
  assertEquals(found.filter(({ verdict }) => verdict === "better").map(({ pValue }) => pValue), [
    0.0019,
    0.0004,
    0.0001,
  ]);
  assertAlmostEquals(found.at(-3)!.corrected!, 0.0019 * 13, 1e-12);
});

Deno.test("correct() leaves no difference undecided that is larger than what it says would show", () => {
  const random = createRandom(25);
  let undecided = 0, between = 0;
  for (let i = 0; i < 100; i++) {
    const own = random.fork(`family ${i}`), hardness = own.fork("hard").uniform(60, 0, 1);
    const draw = (name: string, ability: number) =>
      drawRight(own.fork(name), 5, hardness, { ability, deviation: 0.04 });
    const baseline = draw("baseline", 0.5);
    const single = Array.from(
      { length: 12 },
      (_, k) => compare(draw(`method ${k}`, 0.3 + 0.03 * k), baseline),
    );
    for (const [k, { verdict, mean, detectable }] of correct(single).entries()) {
      if (verdict !== "undecided") continue;
      undecided++;
      assert(Math.abs(mean) <= detectable!, `family ${i}, ${k}: ${mean} of ${detectable}`);
      // The correction asks for more, and some differences lie between.
      assert(detectable! >= single[k]!.detectable!);
      if (Math.abs(mean) > single[k]!.detectable!) between++;
    }
  }
  assert(undecided > 100 && between > 5, `${undecided} undecided, ${between} between`);
});

/** The verdict of Student's intervals of some values. */
function judged(values: readonly number[], asked: Asked = {}): Judgement & { readonly mean: number } {
  return { mean: mean(values), ...judge(mean(values), studentAt(values), asked) };
}

/** So many values with such a mean and standard deviation, exactly. */
function exactly(count: number, center: number, deviation: number): number[] {
  const values = Array.from({ length: count }, (_, i) => i - (count - 1) / 2);
  const own = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / (count - 1));
  return values.map((value) => center + deviation * value / own);
}

Deno.test("judge() calls a difference the same by two one-sided t tests", () => {
  // Standard error 0.005: t is 4 to either margin, and Student's tail beyond it with 9 degrees of freedom is 0.00156.
  const same = judged(exactly(10, 0, 0.005 * Math.sqrt(10)));
  assertAlmostEquals(same.pWithin!, 0.001556, 2e-6);
  assertEquals([same.verdict, same.isWithin, same.margin], ["same", true, MARGIN]);
  // The nearer margin counts: t is 2, 0.0383.
  const aside = judged(exactly(10, -0.01, 0.005 * Math.sqrt(10)));
  assertAlmostEquals(aside.pWithin!, 0.03828, 2e-5);
  assertEquals(aside.verdict, "same");
  // Beyond the margin nothing is small; within a wider one it is, and shown as a difference too.
  const beyond = exactly(10, 0.025, 0.005 * Math.sqrt(10));
  assertEquals([judged(beyond).pWithin, judged(beyond).verdict, judged(beyond).isWithin], [
    1,
    "better",
    false,
  ]);
  const wide = judged(beyond, { margin: 0.05 });
  assertEquals([wide.verdict, wide.isWithin], ["better", true]);
  // Where numbers are few neither is shown.
  assertEquals(judged(exactly(4, 0, 0.03)).verdict, "undecided");
});

Deno.test("correct() corrects what is called the same as it does differences, and leaves what is identical out", () => {
  const one = judged(exactly(10, 0.012, 0.02)), sure = judged(exactly(10, 0, 0.01));
  assertEquals([one.verdict, sure.verdict], ["undecided", "same"]);
  const close = judged(exactly(10, 0, 0.028));
  assert(close.pWithin! > 0.025 && close.pWithin! < 0.05, String(close.pWithin));
  assertEquals(correct([close])[0]!.verdict, "same");
  const [first, second] = correct([close, one]);
  assertEquals([first!.verdict, second!.verdict], ["undecided", "undecided"]);
  assertAlmostEquals(first!.correctedWithin!, 2 * close.pWithin!, 1e-12);
  // What is shown first asks for most, as Holm's procedure has it.
  assertEquals(correct([close, sure]).map(({ verdict }) => verdict), ["same", "same"]);
  const [alone, copy] = correct([close, { mean: 0, ...identical(MARGIN) }]);
  assertEquals([alone!.verdict, copy!.verdict, copy!.corrected], ["same", "identical", null]);
});

/** Deviations of one seed's difference as they were measured: normal, and skewed, where one seed of seven crashes. */
const shapes: readonly (readonly [name: string, draw: (random: Random, count: number) => number[]])[] = [
  ["normal", (random, count) => [...random.normal(count, 0.04)]],
  ["skewed", (random, count) => {
    const crashes = random.fork("crash").uniform(count, 0, 1);
    return Array.from(
      random.normal(count, 0.02),
      (value, i) => value + (crashes[i]! < 1 / 7 ? -0.06 : 0) + 0.06 / 7,
    );
  }],
];

/** Of two thousand, a true share of 5% is within three standard errors. */
const REPEATS = 2000, SLACK = 0.015;

for (const [name, draw] of shapes) {
  Deno.test(`judge() calls what differs by the margin the same in at most one case of twenty: ${name}`, () => {
    const random = createRandom(51).fork(name);
    for (const [count, margin] of [[6, 0.02], [12, 0.02], [40, 0.02], [12, 0.05]] as const) {
      for (const sign of [1, -1]) {
        let same = 0;
        for (let i = 0; i < REPEATS; i++) {
          const values = draw(random.fork(`${count} ${margin} ${i}`), count);
          if (judged(values.map((value) => value + sign * margin), { margin }).isWithin) same++;
        }
        // Of few values that are as skewed the t test itself is off on one side.
        const most = name === "normal" ? 0.05 + SLACK : 0.115;
        assert(same / REPEATS < most, `${count}, ${sign * margin}: ${same} of ${REPEATS}`);
      }
    }
  });
}

Deno.test("correct() calls none of twelve the same in 19 of 20 families where all differ by the margin, and most where none does", () => {
  const random = createRandom(52), methods = 12, repeats = 400;
  let single = 0, any = 0, equal = 0, wrong = 0;
  for (let i = 0; i < repeats; i++) {
    const family = (difference: number) =>
      Array.from({ length: methods }, (_, k) =>
        judged(
          [...random.fork(`${i} ${k} ${difference}`).normal(20, 0.025)].map((value) => value + difference),
        ));
    const apart = family(MARGIN), alike = correct(family(0));
    if (apart.some(({ isWithin }) => isWithin)) single++;
    if (correct(apart).some(({ isWithin }) => isWithin)) any++;
    equal += alike.filter(({ verdict }) => verdict === "same").length / methods;
    if (alike.some(({ verdict }) => isShown(verdict))) wrong++;
  }
  // Three standard errors of a true share of 5% are 3.3%.
  assert(any / repeats < 0.083, `${any} of ${repeats}`);
  assert(single / repeats > 0.3, `uncorrected: ${single} of ${repeats}`);
  assert(wrong / repeats < 0.083, `${wrong} of ${repeats}`);
  assert(equal / repeats > 0.6, `${equal} of ${repeats}`);
});
