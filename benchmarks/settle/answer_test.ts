import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MOST_WORDS } from "../report/headline.ts";
import type { Settled } from "../statistics/sequential.ts";
import { type Answer, answerOf } from "./answer.ts";
import type { Cell, Comparison, Contender, Question } from "./question.ts";
import type { Judged, Standing } from "./standing.ts";

/** A comparison's two methods, by title, and what it came to. */
interface Case {
  readonly of: string;
  readonly against?: string;
  readonly verdict: Settled["verdict"];
  readonly difference: number;
  /** Half of the interval; there is none where it is absent. */
  readonly give?: number;
  readonly more?: number;
}

/** The answer to a question on digits at rank 8 whose pairs came to that; before rates are chosen where `isChosen` is false. */
function answered(cases: readonly Case[], isChosen = true, atMost = 128): Answer {
  const contenders = new Map<string, Contender>();
  const contender = (title: string) => {
    const run = { config: { task: { testExamples: 100 } } };
    const made = contenders.get(title) ??
      { name: title, title, id: title, rates: [0.001], run } as unknown as Contender;
    contenders.set(title, made);
    return made;
  };
  const comparisons = cases.map(({ of, against = "LoRA" }) => ({
    of: contender(of),
    against: contender(against),
  }));
  const cell = {
    ...{ task: "digits", title: "Digits", rank: 8, pool: 100_000 },
    contenders: [...contenders.values()],
    comparisons,
  } as unknown as Cell;
  const judged = cases.map(({ verdict, difference, give, more }, i): Judged => {
    const interval = give === undefined ? null : { low: difference - give, high: difference + give };
    const standing: Partial<Standing> = {
      score: { verdict, pairs: 16, difference, deviation: 0.1, interval },
      more: more ?? null,
      loss: { verdict: "better", pairs: 16, difference: -Math.log(0.88), deviation: 0.1, interval: null },
      speed: null,
      pairs: 16,
      scores: Array.from({ length: 16 }, (_, pair) => [pair < 14 ? 1 : 0, 0.5] as const),
      diverged: [],
      outliers: [],
    };
    return { cell, comparison: comparisons[i] as Comparison, standing: standing as Standing };
  });
  const question = {
    ...{ cells: [cell], margin: 0.02, atLeast: 4, atMost, tuningSeeds: [900, 901, 902] },
    spec: { settle: { within: 0.02, budget: "30m" } },
  } as unknown as Question;
  const choice = { learningRate: 0.004, runnerUp: null, lead: null, atEdge: false, tried: [0.004] };
  return answerOf(question, {
    judged: isChosen ? judged : [],
    choices: isChosen ? new Map([...contenders.keys()].map((id) => [id, choice])) as never : null,
    usedMs: 720_000,
    pairMs: new Map(comparisons.map((one) => [one as Comparison, 60_000])),
    interrupted: false,
    failed: [],
  });
}

const better = (of: string, difference: number): Case => ({ of, verdict: "better", difference, give: 0.05 });
const worse = (of: string, difference: number): Case => ({ of, verdict: "worse", difference, give: 0.05 });

/** What every headline keeps. */
function check({ lines, headline: { verdict, what, sure, change } }: Answer): void {
  assert(lines.length <= 4);
  assert(verdict.split(" ").length <= MOST_WORDS, verdict);
  for (const text of [verdict, what, sure, change]) {
    assert(text === "" || /^[^a-z].*[.:?!]$/.test(text), text);
    assert(!/undefined|NaN|\[object| {2}|\.\.|,,/.test(text), text);
  }
}

Deno.test("answerOf() tells one comparison by its verdict, its size, and what stands beside it", () => {
  const answer = answered([better("LoRA-Pro", 0.068)]), { lines, headline } = answer;
  check(answer);
  assertEquals(lines, [
    "LoRA-Pro is better than LoRA on Digits at rank 8: by 0.068 (0.018 to 0.118), ahead in 14 of 16 pairs",
    "Beside the score: test loss 12% lower: better",
    "Rates, by 3 seeds that no score is of: LoRA-Pro 0.004; LoRA 0.004. 16 pairs, 12 min 0 s in all",
    "More pairs change nothing any more: other rates, steps or data are other questions",
  ]);
  assertEquals(headline, {
    verdict: "LoRA-Pro is better than LoRA on Digits at rank 8.",
    what:
      "By 0.068 (0.018 to 0.118), ahead in 14 of 16 pairs. Beside the score: test loss 12% lower: better.",
    sure:
      `Pairs are added by a rule that was fixed beforehand: at most 1 in 20 such questions gets a wrong winner. ${
        lines[2]
      }.`,
    change: `${lines[3]}.`,
  });
});

Deno.test("answerOf() keeps a title whole that has a colon or a comma", () => {
  const { headline: { verdict } } = answered([better("LoRA-Pro: mine, mode sgd", 0.068)]);
  assertEquals(verdict, "LoRA-Pro: mine, mode sgd is better than LoRA on Digits at rank 8.");
  const many = answered([better("LoRA-Pro, mode sgd", 0.068), better("A; worse: B", 0.1), worse("C", -0.1)]);
  assertEquals(many.headline.verdict, "LoRA-Pro, mode sgd and A; worse: B are better than LoRA, C worse.");
});

Deno.test("answerOf() tells two comparisons by the first, and the other beside it", () => {
  const answer = answered([better("LoRA-Pro", 0.068), worse("DoRA", -0.1)]), { lines, headline } = answer;
  check(answer);
  assertEquals(headline.verdict, "LoRA-Pro is better than LoRA on Digits at rank 8.");
  assertStringIncludes(headline.what, `ahead in 14 of 16 pairs; test loss 12% lower: better. ${lines[1]}.`);
});

Deno.test("answerOf() counts methods by verdict, and names a few", () => {
  const [a, b, c] = [better("DoRA", 0.036), better("LoRA-GA", 0.134), better("LoRA+", 0.041)];
  const open: Case = { of: "LoRA-FA", verdict: "undecided", difference: 0.035, more: 3 };
  const five = answered([a, b, c, worse("AltLoRA", -0.35), open]);
  check(five);
  assertEquals(five.headline.verdict, "3 of 5 methods are better than LoRA, 1 worse, 1 undecided.");
  assertEquals(five.lines.slice(0, 2), [
    "Better than LoRA: DoRA (+0.036 (−0.014 to 0.086)), LoRA-GA (+0.134 (0.084 to 0.184)), LoRA+ (+0.041 (−0.009 to 0.091)); worse: AltLoRA (−0.350 (−0.400 to −0.300))",
    "Undecided: LoRA-FA (+0.035, about 3 more pairs)",
  ]);
  // Of many the picture shows all, and the sentence the ends.
  assertEquals(
    five.headline.what,
    `Furthest above LoRA: LoRA-GA (+0.134 (0.084 to 0.184)); furthest below: AltLoRA (−0.350 (−0.400 to −0.300)). ${
      five.lines[1]
    }.`,
  );
  const three = answered([a, worse("LoRA-GA", -0.1), open]);
  assertEquals(three.headline.verdict, "DoRA is better than LoRA, LoRA-GA worse, LoRA-FA undecided.");
  assertStringIncludes(three.headline.what, `${three.lines[0]}. ${three.lines[1]}.`);
  const against = ["DoRA", "LoRA-GA", "LoRA-FA"].map((against, i): Case => ({
    ...(i === 1 ? worse("LoRA-Pro", -0.1) : better("LoRA-Pro", 0.1)),
    against,
  }));
  const one = answered(against);
  assertEquals(one.headline.verdict, "LoRA-Pro is better than DoRA and LoRA-FA, worse than LoRA-GA.");
  assert(one.lines[0]!.startsWith("LoRA-Pro is better than: DoRA (+0.100"), one.lines[0]);
  const none = answered([open, { ...open, of: "DoRA" }, { ...open, of: "LoRA+" }]);
  check(none);
  assertEquals(none.headline.verdict, "None of 3 comparisons is decided yet.");
  assertEquals(none.headline.what, `${none.lines[0]}.`);
  // The others are the same or identical: they are no ends.
  const same = (of: string): Case => ({ of, verdict: "same", difference: 0.001, give: 0.001 });
  const ends = answered([a, same("LoRA+"), same("rsLoRA"), same("PiSSA"), same("OLoRA")]);
  assertEquals(ends.headline.what, `${ends.lines[0]}.`);
});

Deno.test("answerOf() says before rates are chosen that it is undecided", () => {
  const answer = answered([better("LoRA-Pro", 0.068)], false);
  check(answer);
  assertEquals(answer.lines.length, 1);
  assertEquals([answer.headline.verdict, answer.headline.change], ["Undecided.", ""]);
  assertStringIncludes(answer.headline.what, "Rates are not chosen yet, after 12 min 0 s; ");
});

Deno.test("answerOf() says what the others are compared with, whichever verdict comes first", () => {
  const same = (of: string): Case => ({ of, verdict: "same", difference: 0.001, give: 0.01 });
  const identical = (of: string): Case => ({ of, verdict: "identical", difference: 0 });
  const said = (cases: readonly Case[]) => {
    const answer = answered(cases);
    check(answer);
    return [answer.lines[0], answer.headline.verdict];
  };
  const told = (named: string) => named.replaceAll(/ \([−+][^)]*\)\)/g, "");
  const wanted: readonly (readonly [readonly Case[], string, string])[] = [
    [
      [worse("A", -0.1), worse("B", -0.2), same("C")],
      "Worse than LoRA: A, B; the same within 0.02: C",
      "A and B are worse than LoRA, C the same within 0.02.",
    ],
    [
      [same("A"), same("B"), identical("C")],
      "The same as LoRA within 0.02: A, B; identical: C (16 pairs)",
      "A and B are the same as LoRA within 0.02, C identical.",
    ],
    [
      [identical("A"), identical("B")],
      "A and LoRA are identical on Digits at rank 8: all scores and losses of 16 pairs agree",
      "A and LoRA are identical on Digits at rank 8.",
    ],
    [
      ["A", "B", "C"].map((against) => ({ ...worse("LoRA", -0.1), against })),
      "LoRA is worse than: A, B, C",
      "LoRA is worse than A, B and C.",
    ],
    [
      ["A", "B", "C"].map((against) => ({ ...same("LoRA"), against })),
      "LoRA is the same within 0.02 as: A, B, C",
      "LoRA is the same within 0.02 as A, B and C.",
    ],
    [
      ["A", "B", "C"].map((against) => ({ ...identical("LoRA"), against })),
      "LoRA is identical with: A (16 pairs), B (16 pairs), C (16 pairs)",
      "LoRA is identical with A, B and C.",
    ],
  ];
  for (const [cases, line, verdict] of wanted) {
    const [first, headline] = said(cases);
    assertEquals([told(first!), headline], [line, verdict]);
  }
});

Deno.test("answerOf() counts places, not methods, where two methods meet in several", () => {
  const open: Case = { of: "LoRA-Pro", verdict: "undecided", difference: -0.05, more: 3 };
  const four = answered([worse("LoRA-Pro", -0.045), open, open, open]);
  check(four);
  assertEquals(four.headline.verdict, "LoRA-Pro against LoRA: worse in 1 of 4, undecided in 3.");
});

Deno.test("answerOf() promises no more pairs than the question has", () => {
  const open: Case = { of: "LoRA-Pro", verdict: "undecided", difference: 0.01, give: 0.05, more: 7 };
  const changeOf = (atMost: number) => answered([open], true, atMost).headline.change;
  assertStringIncludes(
    changeOf(128),
    "To decide it takes about 7 more pairs, 7 min 0 s: --budget 21m goes on.",
  );
  // After 16 pairs the next look is at 23.
  for (const atMost of [16, 22]) {
    assertEquals(changeOf(atMost), "All pairs that were planned have run: what is undecided stays so.");
  }
});
