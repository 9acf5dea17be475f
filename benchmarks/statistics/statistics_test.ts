import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { createRandom, type Random } from "../../numerics/random.ts";
import {
  bootstrapSets,
  compare,
  compareReruns,
  correct,
  drawSets,
  type ErrorSources,
  errorSources,
  estimate,
  FEWEST_SEEDS,
  isShown,
  mean,
  median,
  sampleDeviation,
  studentInterval,
  wilsonInterval,
} from "./statistics.ts";

function assertNear(actual: number, expected: number, tolerance = 1e-3): void {
  assert(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected} to ${tolerance}`);
}

Deno.test("mean(), median() and sampleDeviation() agree with a worked example", () => {
  const values = [2, 4, 4, 4, 5, 5, 7, 9];
  assertEquals(mean(values), 5);
  assertEquals(median(values), 4.5);
  assertEquals(median([3, 1, 2]), 2);
  assertNear(sampleDeviation(values), Math.sqrt(32 / 7), 1e-12);
});

Deno.test("studentInterval() of five values agrees with a worked example", () => {
  // Mean 10, deviation sqrt(2.5), t(0.975, 4) = 2.7764: 10 ± 1.9633.
  const interval = studentInterval([8, 9, 10, 11, 12])!;
  assertNear(interval.low, 8.0367);
  assertNear(interval.high, 11.9633);
});

Deno.test("studentInterval() knows nothing from one value", () => {
  assertEquals(studentInterval([0.5]), null);
});

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

Deno.test("wilsonInterval() agrees with Newcombe's examples (Statistics in Medicine 17, 1998, table I)", () => {
  const table: [number, number, number, number][] = [
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ];
  for (const [right, count, low, high] of table) {
    const interval = wilsonInterval(right / count, count)!;
    assertNear(interval.low, low, 5e-5);
    assertNear(interval.high, high, 5e-5);
  }
  assertEquals(wilsonInterval(1, 1), null);
});

Deno.test("estimate() of one seed is Wilson's interval of its share of right examples", () => {
  const scores = Array.from({ length: 148 }, (_, i) => i < 15 ? 1 : 0);
  const { interval, overExamples, overSeeds, sources } = estimate([scores]);
  assertNear(interval!.low, 0.0624, 5e-5);
  assertNear(interval!.high, 0.1605, 5e-5);
  assertEquals([overExamples, overSeeds, sources], [interval, null, ["examples"]]);
  // A second seed that agrees on every example says nothing new about examples.
  assertEquals(estimate([scores, scores]).overExamples, overExamples);
  // One that is independent of it does: as many examples more.
  const half = [0, 0, 1, 1], other = [0, 1, 0, 1];
  assertEquals(estimate([half, other]).overExamples, wilsonInterval(0.5, 8));
});

Deno.test("estimate() of scores that are all right or all wrong has a width", () => {
  for (const score of [0, 1]) {
    const { interval, overSeeds } = estimate(
      Array.from({ length: 3 }, () => Array.from({ length: 20 }, () => score)),
    );
    assertEquals(overSeeds, { low: score, high: score });
    assertNear(interval!.high - interval!.low, 0.1611, 5e-5);
  }
});

Deno.test("estimate() adds the squares of what seeds and examples may change, and stays within 0 and 1", () => {
  // Grades, so that Student's t is taken for both: means of seeds 0.6 and 0.4, of examples 0.4, 0.4, 0.7.
  const found = estimate([[0.5, 0.5, 0.8], [0.3, 0.3, 0.6]]);
  assertNear(found.mean, 0.5, 1e-12);
  assertEquals([found.seeds, found.examples, found.sources], [2, 3, ["seeds", "examples"]]);
  const bySeeds = 12.7062 * Math.sqrt(0.02) / Math.sqrt(2),
    byExamples = 4.3027 * Math.sqrt(0.03) / Math.sqrt(3);
  assertNear(found.overExamples!.high, 0.5 + byExamples);
  assertEquals([found.overSeeds, found.interval], [{ low: 0, high: 1 }, { low: 0, high: 1 }]);
  const narrow = estimate([[0.5, 0.5, 0.52], [0.49, 0.49, 0.51]]);
  const seeds = narrow.overSeeds!.high - narrow.mean, examples = narrow.overExamples!.high - narrow.mean;
  assertNear(narrow.interval!.high, narrow.mean + Math.hypot(seeds, examples), 1e-9);
  assert(bySeeds > 0.5, "the example would be within 0 and 1 anyway");
});

Deno.test("estimate() speaks about seeds alone where they have different examples", () => {
  const found = estimate([[1, 0, 1], [1, 1]]);
  assertEquals([found.sources, found.examples, found.overExamples], [["seeds"], 0, null]);
  assertEquals(errorSources([[1, 0, 1], [1, 1]]), null);
});

Deno.test("estimate() of one seed speaks about examples only", () => {
  const found = estimate([[1, 0, 1, 1]]);
  assertEquals(found.overSeeds, null);
  assert(found.interval !== null);
});

Deno.test("estimate() of one seed and one example gives no interval", () => {
  assertEquals(estimate([[1]]).interval, null);
});

/** The same seed several times. */
function repeated(seed: readonly number[], count = 4): (readonly number[])[] {
  return Array.from({ length: count }, () => seed);
}

Deno.test("compare() calls equal methods a tie, whose interval of right and wrong answers still has a width", () => {
  const scores = repeated([1, 0, 1, 0, 0, 1]), found = compare(scores, scores);
  assertEquals([found.mean, found.verdict, found.pValue, found.wins], [0, "tie", 1, 0]);
  // Two examples more, one for either side: a variance of 2 / 8 over 8.
  assertNear(found.interval!.high, 1.96 * Math.sqrt(0.25 / 8), 1e-4);
  assertNear(found.interval!.low, -found.interval!.high, 1e-12);
  const grades = compare(repeated([0.5, 0.2]), repeated([0.5, 0.2]));
  assertEquals([grades.interval, grades.pValue, grades.verdict], [{ low: 0, high: 0 }, 1, "tie"]);
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

Deno.test("compare() calls seeds that disagree a tie", () => {
  const zeros = Array.from({ length: 100 }, () => 0);
  const some = zeros.map((_, i) => i < 40 ? 1 : 0), few = zeros.map((_, i) => i < 2 ? 1 : 0);
  assertEquals(compare([some, few, some, few], repeated(zeros)).verdict, "tie");
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
  assertEquals([three.mean, three.verdict], [1, "tie"]);
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
    const at = compare(ours, theirs, 1 - pValue! * 0.999).interval!;
    const beyond = compare(ours, theirs, 1 - Math.min(1, pValue! * 1.001)).interval!;
    assert(at.low <= 1e-6 && at.high >= -1e-6, `${i}: ${at.low} to ${at.high}`);
    assert(pValue! > 0.999 || beyond.low > -1e-6 || beyond.high < 1e-6, `${i}`);
  }
  // Grades that differ by the same everywhere.
  assertEquals(compare(repeated([0.5, 0.75]), repeated([0.25, 0.5])).pValue, 1e-12);
});

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

/**
 * Scores of 0 and 1 of a method that has a share `ability` of examples right: `[seed][example]`. Examples are hard for all
 * methods alike, seeds are good or bad by a normal deviation, and each has its luck with each example.
 */
function drawRight(
  random: Random,
  seeds: number,
  hardness: Float32Array,
  { ability, deviation }: { readonly ability: number; readonly deviation: number },
): number[][] {
  const skill = random.fork("skill").normal(seeds, deviation);
  return Array.from(skill, (own, s) => {
    const luck = random.fork(`luck ${s}`).uniform(hardness.length, -0.25, 0.25);
    return Array.from(hardness, (hard, e) => hard + luck[e]! < ability + own ? 1 : 0);
  });
}

/** Of four hundred experiments, in so many thousandths a true share of 95% is within three standard errors. */
const REPEATS = 400, SLACK = 0.033;

Deno.test("estimate() holds the true score as often as it says, with one seed, with two that differ much, with five", () => {
  const random = createRandom(21);
  for (
    const [seeds, deviation, ability] of [[1, 0, 0.6], [2, 0.08, 0.5], [2, 0.01, 0.6], [
      5,
      0.05,
      0.4,
    ]] as const
  ) {
    let held = 0;
    for (let i = 0; i < REPEATS; i++) {
      const own = random.fork(`${seeds} ${deviation} ${i}`);
      const scores = drawRight(own, seeds, own.fork("hard").uniform(60, 0, 1), { ability, deviation });
      const { low, high } = estimate(scores).interval!;
      if (low <= ability && ability <= high) held++;
    }
    assert(held / REPEATS > 0.95 - SLACK, `${seeds} seeds, ${deviation}: ${held} of ${REPEATS}`);
    // One source alone is not on the wide side.
    if (seeds === 1) assert(held / REPEATS < 0.95 + SLACK, `${held} of ${REPEATS}`);
  }
});

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

Deno.test("correct() calls no difference a tie that is larger than what it says would show", () => {
  const random = createRandom(25);
  let ties = 0, between = 0;
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
      if (verdict !== "tie") continue;
      ties++;
      assert(Math.abs(mean) <= detectable!, `family ${i}, ${k}: ${mean} of ${detectable}`);
      // The correction asks for more, and some differences lie between.
      assert(detectable! >= single[k]!.detectable!);
      if (Math.abs(mean) > single[k]!.detectable!) between++;
    }
  }
  assert(ties > 100 && between > 5, `${ties} ties, ${between} between`);
});

/** Scores of two-way random effects with standard deviations `seeds`, `examples` and `both`. */
function drawScores(
  random: Random,
  [seeds, examples]: readonly [number, number],
  deviations: { readonly seeds: number; readonly examples: number; readonly both: number },
): number[][] {
  const a = random.fork("a").normal(seeds, deviations.seeds);
  const b = random.fork("b").normal(examples, deviations.examples);
  const c = random.fork("c").normal(seeds * examples, deviations.both);
  return Array.from(a, (own, s) => Array.from(b, (hard, e) => 0.5 + own + hard + c[s * examples + e]!));
}

Deno.test("errorSources() of a small table is what analysis of variance gives by hand", () => {
  // Rows 1 2 3 and 3 4 8: means 2 and 5; columns 2, 3, 5.5; all 3.5.
  const found = errorSources([[1, 2, 3], [3, 4, 8]])!;
  // Mean squares: seeds 3 (1.5² + 1.5²) / 1, examples 2 (1.5² + 0.5² + 2²) / 2, the rest (4 · 0.5² + 2 · 1) / 2.
  const seeds = 13.5, examples = 6.5, rest = 1.5;
  assertAlmostEquals(found.seeds ** 2, (seeds - rest) / 3 / 2, 1e-12);
  assertAlmostEquals(found.examples ** 2, (examples - rest) / 2 / 3, 1e-12);
  assertAlmostEquals(found.both ** 2, rest / 6, 1e-12);
  assertAlmostEquals(found.total ** 2, (seeds + examples - rest) / 6, 1e-12);
  // The spread is that of the two means, 2 and 5.
  assertAlmostEquals(found.spread, sampleDeviation([2, 5]), 1e-12);
});

Deno.test("errorSources() finds the components that synthetic scores were drawn with, each by itself", () => {
  const random = createRandom(11), tables = 400;
  for (
    const [sizes, truth] of [
      [[3, 50], { seeds: 0.3, examples: 0.4, both: 0.2 }],
      [[2, 100], { seeds: 0.05, examples: 0.4, both: 0.3 }],
      [[5, 20], { seeds: 0.3, examples: 0, both: 0.5 }],
      [[8, 30], { seeds: 0, examples: 0.4, both: 0 }],
    ] as const
  ) {
    const [seeds, examples] = sizes;
    const found = Array.from(
      { length: tables },
      (_, i) => errorSources(drawScores(random.fork(`${sizes} ${truth.seeds} ${i}`), sizes, truth))!,
    );
    const squared = (read: (one: ErrorSources) => number) => mean(found.map((one) => read(one) ** 2));
    const wanted = {
      seeds: truth.seeds ** 2 / seeds,
      examples: truth.examples ** 2 / examples,
      both: truth.both ** 2 / (seeds * examples),
      spread: truth.seeds ** 2 + truth.both ** 2 / examples,
    };
    const total = wanted.seeds + wanted.examples + wanted.both;
    for (const source of ["seeds", "examples", "both", "spread"] as const) {
      // Means of 400 tables: a variance with one degree of freedom is known to 7 % then. What can't fall below 0 is more.
      const margin = 0.25 * wanted[source] + 0.04 * total;
      assertAlmostEquals(squared((one) => one[source]), wanted[source], margin, `${sizes} ${source}`);
    }
    // The total is of the mean: its square is the variance of means of tables drawn anew.
    const means = Array.from(
      { length: 2000 },
      (_, i) => mean(drawScores(random.fork(`again ${sizes} ${truth.seeds} ${i}`), sizes, truth).map(mean)),
    );
    assertAlmostEquals(sampleDeviation(means) ** 2, total, 0.15 * total, `${sizes}`);
  }
});

Deno.test("errorSources() needs two seeds and two examples, and is 0 where nothing varies", () => {
  assertEquals(errorSources([[1, 0, 1]]), null);
  assertEquals(errorSources([[1], [0]]), null);
  assertEquals(errorSources([]), null);
  const none = { seeds: 0, examples: 0, both: 0, total: 0, spread: 0 };
  assertEquals(errorSources([[1, 1, 1], [1, 1, 1]]), none);
  // Seeds that agree on every example: all is the test set's.
  const agreeing = errorSources([[1, 0, 0, 1], [1, 0, 0, 1]])!;
  assertEquals([agreeing.seeds, agreeing.both, agreeing.spread], [0, 0, 0]);
  assertAlmostEquals(agreeing.examples, sampleDeviation([1, 0, 0, 1]) / 2, 1e-12);
});

Deno.test("estimate() says which sources its interval has", () => {
  assertEquals(estimate([[1, 0, 1, 1]]).sources, ["examples"]);
  assertEquals(estimate([[1], [0]]).sources, ["seeds"]);
  assertEquals(estimate([[1, 0], [0, 0]]).sources, ["seeds", "examples"]);
  assertEquals(estimate([[1]]).sources, []);
});
