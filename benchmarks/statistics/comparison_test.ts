import { assert, assertEquals, assertThrows } from "@std/assert";
import { createRandom, type Random } from "../../numerics/random.ts";
import { drawRight } from "../../tests/support/draw_scores.ts";
import { compare, compareReruns, FEWEST_SEEDS } from "./comparison.ts";
import { estimate } from "./statistics.ts";
import { correct, isShown } from "./verdicts.ts";

function assertNear(actual: number, expected: number, tolerance = 1e-3): void {
  assert(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected} to ${tolerance}`);
}

/** The same seed several times. */
function repeated(seed: readonly number[], count = 4): (readonly number[])[] {
  return Array.from({ length: count }, () => seed);
}

Deno.test("compare() shows nothing of few answers that are equal: their interval has a width, that of equal grades has none", () => {
  const scores = repeated([1, 0, 1, 0, 0, 1]), found = compare(scores, scores);
  assertEquals([found.mean, found.verdict, found.pValue, found.wins], [0, "undecided", 1, 0]);
  // Two examples more, one for either side: a variance of 2 / 8 over 8.
  assertNear(found.interval!.high, 1.96 * Math.sqrt(0.25 / 8), 1e-4);
  assertNear(found.interval!.low, -found.interval!.high, 1e-12);
  const grades = compare(repeated([0.5, 0.2]), repeated([0.5, 0.2]));
  assertEquals([grades.interval, grades.pValue, grades.verdict], [{ low: 0, high: 0 }, 1, "same"]);
});

Deno.test("compare() sees a difference that each method's own spread would hide", () => {
  const theirs = Array.from({ length: 200 }, (_, i) => i % 2);
  const ours = theirs.map((score, i) => i % 10 === 0 ? 1 : score);
  const better = compare(repeated(ours), repeated(theirs));
  assertEquals([better.verdict, better.wins, better.seeds], ["better", 4, 4]);
  assertNear(better.mean, 0.1, 1e-12);
  assertEquals(compare(repeated(theirs), repeated(ours)).verdict, "worse");
  assertEquals(compare(repeated(theirs), repeated(ours)).wins, 0);
  assert(estimate(repeated(ours)).interval!.low < estimate(repeated(theirs)).interval!.high);
});

/** Scores of two methods of which the first has so many more examples right on each seed, with some won and lost anew. */
function differing(net: readonly number[], examples: number, random: Random): [number[][], number[][]] {
  const rows = net.map((more, s): [number[], number[]] => {
    const order = [...random.fork(`order ${s}`).uniform(examples, 0, 1).entries()]
      .sort(([, a], [, b]) => a - b).map(([i]) => i);
    const ours = new Array<number>(examples).fill(0), theirs = new Array<number>(examples).fill(0);
    for (const i of order.slice(0, 20 + Math.max(0, more))) ours[i] = 1;
    for (const i of order.slice(-20 - Math.max(0, -more))) theirs[i] = 1;
    return [ours, theirs];
  });
  return [rows.map(([ours]) => ours), rows.map(([, theirs]) => theirs)];
}

Deno.test("compare() decides nothing with fewer than four seeds, not even where two differ by exactly the same", () => {
  const random = createRandom(41);
  for (
    const [net, examples] of [[[57, 57], 512], [[-31, -31], 200], [[57, 57, 57], 512], [[57], 512]] as const
  ) {
    const found = compare(...differing(net, examples, random.fork(String(net))));
    assertNear(found.mean, net[0] / examples, 1e-12);
    assertEquals([found.verdict, found.pValue, found.corrected, found.detectable], [
      "undecided",
      null,
      null,
      null,
    ]);
    assertEquals([found.wins, found.seeds], [net[0] > 0 ? net.length : 0, net.length]);
    // In a family, too.
    const family = correct([found, { ...found, pValue: 1e-9 }]);
    assertEquals(family.map(({ verdict }) => isShown(verdict)), [false, true]);
    if (net.length > 1) assert(found.overSeeds!.low < found.mean && found.mean < found.overSeeds!.high);
  }
  const four = compare(...differing([57, 57, 57, 57], 512, random));
  assertEquals(four.verdict, "better");
});

Deno.test("compare() takes seeds that are equal by coincidence for no more alike than their answers let them be", () => {
  const [ours, theirs] = differing([6, 6, 6, 6], 50, createRandom(42));
  const { overSeeds, errors, interval, overExamples } = compare(ours, theirs);
  assertEquals([errors!.seeds, errors!.spread], [0, 0]);
  // t(0.975, 3) standard errors of what single seeds make of single examples.
  assertNear((overSeeds!.high - overSeeds!.low) / 2, 3.182446 * errors!.both, 1e-6);
  assert(interval!.low < overExamples!.low);
});

Deno.test("compare() decides nothing of seeds that disagree", () => {
  const zeros = Array.from({ length: 100 }, () => 0);
  const some = zeros.map((_, i) => i < 40 ? 1 : 0), few = zeros.map((_, i) => i < 2 ? 1 : 0);
  assertEquals(compare([some, few, some, few], repeated(zeros)).verdict, "undecided");
});

Deno.test("compare() refuses methods with different seeds or examples", () => {
  assertThrows(() => compare([[1]], [[1], [0]]), RangeError, "differ in seeds");
  assertThrows(() => compare([[1, 0]], [[1]]), RangeError, "differ in seeds or examples");
});

Deno.test("compare() agrees with the paired t test of Student's sleep data (Biometrika 6, 1908)", () => {
  const first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0, 2];
  const second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
  const asSeeds = (values: readonly number[]) => values.map((value) => [value]);
  for (const found of [compareReruns([second], [first]), compare(asSeeds(second), asSeeds(first))]) {
    assertNear(found.mean, 1.58, 1e-12);
    assertNear(found.interval!.low, 0.7001142, 1e-6);
    assertNear(found.interval!.high, 2.4598858, 1e-6);
    assertNear(found.pValue!, 0.00283289, 1e-7);
    assertEquals(found.verdict, "better");
  }
  // The fifth patient slept as long with one as with the other.
  assertEquals(compare(asSeeds(second), asSeeds(first)).wins, 9);
  assertEquals(compare([second], [first]).verdict, "undecided");
});

/** Paired scores of 0 and 1 by how many examples both, only ours, only theirs and neither has right. */
function paired(both: number, ours: number, theirs: number, neither: number): [number[], number[]] {
  const cells = [[both, 1, 1], [ours, 1, 0], [theirs, 0, 1], [neither, 0, 0]] as const;
  return [1, 2].map((side) =>
    cells.flatMap((cell) => Array.from({ length: cell[0] }, () => cell[side]!))
  ) as [
    number[],
    number[],
  ];
}

Deno.test("compareReruns() of one seed is Bonett and Price's interval, in the example of their package statpsych (ci.prop.ps)", () => {
  // f00 12, f01 4, f10 26, f11 6: 0.44 after adjustment, standard error 0.09448809.
  const [ours, theirs] = paired(6, 26, 4, 12), found = compareReruns([ours], [theirs]);
  assertNear(found.interval!.low, 0.2548067, 1e-6);
  assertNear(found.interval!.high, 0.6251933, 1e-6);
  assertNear(found.mean, 22 / 48, 1e-12);
  // Twice the normal tail beyond 0.44 / 0.09448809.
  assert(Math.abs(found.pValue! / 3.214e-6 - 1) < 0.01, `${found.pValue}`);
  // Of several seeds, too, it is about examples alone.
  const several = compareReruns([ours, theirs], [theirs, ours]);
  assertEquals([several.sources, several.interval], [["examples"], several.overExamples]);
});

Deno.test("compareReruns() does not take a few examples that agree for certain", () => {
  const three = compareReruns([[1, 1, 1]], [[0, 0, 0]]);
  assertEquals([three.mean, three.verdict], [1, "undecided"]);
  assertEquals(compareReruns([Array(20).fill(1)], [Array(20).fill(0)]).verdict, "better");
});

Deno.test("compare() of what nothing varies in is undecided without a p value, whatever its sign", () => {
  for (const [ours, theirs] of [[1, 0], [0, 1], [1, 1]] as const) {
    for (const found of [compare([[ours]], [[theirs]]), compareReruns([[ours]], [[theirs]])]) {
      assertEquals([found.verdict, found.pValue, found.interval, found.detectable], [
        "undecided",
        null,
        null,
        null,
      ]);
    }
  }
});

Deno.test("compare() gives p values that go with its intervals, down to the least that is told", () => {
  const random = createRandom(5);
  for (let i = 0; i < 20; i++) {
    const draw = (name: string) =>
      [0, 1, 2, 3].map((seed) => [...random.fork(`${name} ${i} ${seed}`).uniform(30, 0, 1)].map(Math.round));
    const ours = draw("ours"), theirs = draw("theirs"), { pValue } = compare(ours, theirs);
    const at = compare(ours, theirs, { level: 1 - pValue! * 0.999 }).interval!;
    const beyond = compare(ours, theirs, { level: 1 - Math.min(1, pValue! * 1.001) }).interval!;
    assert(at.low <= 1e-6 && at.high >= -1e-6, `${i}: ${at.low} to ${at.high}`);
    assert(pValue! > 0.999 || beyond.low > -1e-6 || beyond.high < 1e-6, `${i}`);
  }
  // Grades that differ by the same everywhere.
  assertEquals(compare(repeated([0.5, 0.75]), repeated([0.25, 0.5])).pValue, 1e-12);
});

/** Of four hundred experiments, in so many thousandths a true share of 95% is within three standard errors. */
const REPEATS = 400, SLACK = 0.033;

Deno.test("compare() finds differences where there are none no more often than it says, and Holm's correction in no family", () => {
  const random = createRandom(22), methods = 12;
  for (const [seeds, deviation] of [[3, 0.02], [4, 0], [4, 0.08], [6, 0.03]] as const) {
    let single = 0, any = 0, corrected = 0;
    for (let i = 0; i < REPEATS; i++) {
      const own = random.fork(`${seeds} ${i}`), hardness = own.fork("hard").uniform(60, 0, 1);
      const draw = (name: string) => drawRight(own.fork(name), seeds, hardness, { ability: 0.6, deviation });
      const baseline = draw("baseline");
      const family = Array.from({ length: methods }, (_, k) => compare(draw(`method ${k}`), baseline));
      if (isShown(family[0]!.verdict)) single++;
      if (family.some(({ verdict }) => isShown(verdict))) any++;
      if (correct(family).some(({ verdict }) => isShown(verdict))) corrected++;
    }
    if (seeds < FEWEST_SEEDS) assertEquals([single, any, corrected], [0, 0, 0]);
    assert(single / REPEATS < 0.05 + SLACK, `${seeds} seeds: ${single} of ${REPEATS}`);
    assert(corrected / REPEATS < 0.05 + SLACK, `${seeds} seeds, families: ${corrected} of ${REPEATS}`);
    // The correction is needed: without it far more families have a false finding.
    if (deviation > 0.03) assert(any / REPEATS > 0.1, `${seeds} seeds, uncorrected: ${any} of ${REPEATS}`);
  }
});

Deno.test("compare() finds no more in scores that go in steps, where seeds differ by the same number of them", () => {
  const random = createRandom(24), repeats = 100, methods = 40;
  let coincidences = 0;
  for (const [seeds, deviation] of [[2, 0.1], [4, 0.1], [4, 0.005]] as const) {
    let found = 0;
    for (let i = 0; i < repeats; i++) {
      const own = random.fork(`${seeds} ${deviation} ${i}`), hardness = own.fork("hard").uniform(100, 0, 1);
      const draw = (name: string) => drawRight(own.fork(name), seeds, hardness, { ability: 0.5, deviation });
      const baseline = draw("baseline");
      const family = Array.from({ length: methods }, (_, k) => compare(draw(`method ${k}`), baseline));
      coincidences += family.filter(({ mean, errors }) => mean !== 0 && errors!.spread < 1e-12).length;
      if (correct(family).some(({ verdict }) => isShown(verdict))) found++;
    }
    // Three standard errors of a true share of 5 % are 6.5 %.
    assert(found / repeats < 0.05 + 0.065, `${seeds} seeds, ${deviation}: ${found} of ${repeats}`);
  }
  assert(coincidences > 40, `${coincidences} coincidences`);
});

Deno.test("compare() shows a difference as large as it calls detectable in about four of five experiments, in a family too", () => {
  const random = createRandom(23);
  for (const [seeds, others] of [[4, 0], [8, 0], [8, 9]] as const) {
    let shown = 0, detectable = 0;
    const experiment = (i: number, difference: number) => {
      const own = random.fork(`${seeds} ${others} ${difference} ${i}`),
        hardness = own.fork("hard").uniform(80, 0, 1);
      const draw = (name: string, ability: number) =>
        drawRight(own.fork(name), seeds, hardness, { ability, deviation: 0.05 });
      const theirs = draw("theirs", 0.5 - difference / 2);
      const family = Array.from(
        { length: others },
        (_, k) => compare(draw(`other ${k}`, 0.5 - difference / 2), theirs),
      );
      return correct([compare(draw("ours", 0.5 + difference / 2), theirs), ...family])[0]!;
    };
    for (let i = 0; i < 100; i++) detectable += experiment(i, 0.1).detectable! / 100;
    for (let i = 0; i < REPEATS; i++) if (experiment(i, detectable).verdict === "better") shown++;
    assert(
      shown / REPEATS > 0.72 && shown / REPEATS < 0.9,
      `${seeds} seeds, ${others} others: ${shown} of ${REPEATS} at ${detectable}`,
    );
  }
});

Deno.test("compare() calls methods the same that differ by the margin in at most one case of twenty, and most that are equal", () => {
  const random = createRandom(26), margin = 0.1, repeats = 300;
  for (const [seeds, deviation] of [[5, 0.03], [12, 0.04]] as const) {
    const found = { apart: 0, alike: 0 };
    for (let i = 0; i < repeats; i++) {
      const own = random.fork(`${seeds} ${i}`), hardness = own.fork("hard").uniform(150, 0, 1);
      const draw = (name: string, ability: number) =>
        drawRight(own.fork(name), seeds, hardness, { ability, deviation });
      const theirs = draw("theirs", 0.45);
      if (compare(draw("apart", 0.55), theirs, { margin }).isWithin) found.apart++;
      if (compare(draw("alike", 0.45), theirs, { margin }).verdict === "same") found.alike++;
    }
    // Three standard errors of a true share of 5% are 3.8%.
    assert(found.apart / repeats < 0.088, `${seeds} seeds: ${found.apart} of ${repeats}`);
    assert(found.alike / repeats > 0.6, `${seeds} seeds: ${found.alike} of ${repeats}`);
  }
});
