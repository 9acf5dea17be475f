import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { UserError } from "../../errors/user_error.ts";
import { formatDifference, formatInterval } from "../report/format.ts";
import type { Judged } from "../settle/standing.ts";
import { judgePairs, type Settled } from "../statistics/sequential.ts";
import type { Verdict } from "../statistics/verdicts.ts";
import { type JudgedPrediction, partsOf } from "../study/verdict_file.ts";
import { checkClaim, type Claim, Prediction } from "./claim.ts";
import { tableOf, withTable } from "./claims_table.ts";
import { comparedIn } from "./compared.ts";
import { type Compared, describeRule, judgeClaim, outcomeOf } from "./verdict.ts";

/** What eight pairs say whose differences are these, over and over. */
function settled(...differences: number[]): Settled {
  const pairs = Array.from({ length: 8 }, (_, i) => ({
    difference: differences[i % differences.length]!,
    examples: 0,
    squares: 0,
    identical: false,
  }));
  return judgePairs(pairs, { margin: 0.05, comparisons: 1, atLeast: 8 });
}

function compared(task: string, score: Settled, more: Partial<Compared> = {}): Compared {
  return {
    of: "pro",
    against: "lora",
    titles: ["Pro", "LoRA"],
    task,
    place: task,
    varied: "",
    score,
    loss: null,
    time: null,
    ...more,
  };
}

function claim(...predictions: Partial<Prediction>[]): Pick<Claim, "predictions" | "differs" | "sweep"> {
  return {
    predictions: predictions.map((one) =>
      Prediction.parse({ of: "pro", against: "lora", is: "better", over: "each", ...one })
    ),
    differs: "small models",
    sweep: { settle: { within: 0.05, budget: "1m" } } as Claim["sweep"],
  };
}

const above = settled(0.1, 0.12),
  even = settled(0.01, -0.01),
  below = settled(-0.1, -0.12),
  open = settled(0.3, -0.2);

Deno.test("the verdict line says confirmed, refuted or undecided, with numbers and what differs", () => {
  assertEquals(
    judgeClaim(claim({}), [compared("Digits", above)]).line,
    "confirmed here: that Pro is better than LoRA: Digits +0.110 (0.095 to 0.125). Unlike there: small models",
  );
  assertEquals(
    judgeClaim(claim({}), [compared("Digits", even)]).line,
    "refuted here: that Pro is better than LoRA: Digits +0.000 (−0.015 to 0.015). Unlike there: small models",
  );
  const refuted = judgeClaim(claim({}), [compared("Digits", even)]);
  assertEquals(partsOf(refuted), {
    words: "that Pro is better than LoRA: Digits +0.000 (−0.015 to 0.015)",
    differs: "small models",
  });
  const undecided = judgeClaim(claim({}), [compared("Digits", open)]);
  assertEquals(undecided.outcome, "undecided");
  assert(undecided.line.startsWith("undecided here: whether Pro is better than LoRA: Digits +0.050 ("));
  assertStringIncludes(
    judgeClaim(claim({}), []).line,
    "undecided here: whether pro is better than lora, runs are missing",
  );
});

Deno.test("a prediction judged by itself counts places, and is refuted once the others can't make up for it", () => {
  const places = (...scores: Settled[]) => scores.map((score, i) => compared(`task ${i}`, score));
  const outcome = (atLeast: number, ...scores: Settled[]) =>
    judgeClaim(claim({ atLeast }), places(...scores)).outcome;
  assertEquals(outcome(2, above, above, below), "confirmed");
  assertEquals(outcome(2, above, open, below), "undecided");
  assertEquals(outcome(2, above, even, below), "refuted");
  assertEquals(outcome(1, even, even, open), "undecided");
  assertStringIncludes(
    judgeClaim(claim({ atLeast: 2 }), places(above, open, below)).line,
    "(in 1 of 3, 2 needed): task 0 +0.110 (0.095 to 0.125) confirmed, task 1 ",
  );
  const [{ asked, found }] = judgeClaim(claim({ atLeast: 2 }), places(above, open, below)).predictions as [
    JudgedPrediction,
  ];
  assertEquals(asked, "Pro is better than LoRA (in 1 of 3, 2 needed)");
  assertEquals(found.map(({ where, outcome }) => `${where} ${outcome}`), [
    "task 0 confirmed",
    "task 1 undecided",
    "task 2 refuted",
  ]);
  // One of several variations alone.
  const at = [
    compared("Digits", above, { varied: ", batch size 8" }),
    compared("Digits", below, {
      varied: ", batch size 128",
    }),
  ];
  assertEquals(judgeClaim(claim({ at: "batch size 8" }), at).outcome, "confirmed");
  assertEquals(judgeClaim(claim({ at: "batch size 128" }), at).outcome, "refuted");
});

Deno.test("a comparison of a question tells where it is by task, rank and what is varied", () => {
  const judged = (rank: number, batchSize: number) => {
    const title = `Digits, batch size ${batchSize}`;
    return {
      cell: { task: "digits", taskTitle: "Digits", title, rank, varied: { batchSize } },
      comparison: { of: { name: "lora-pro", title: "Pro" }, against: { name: "lora", title: "LoRA" } },
      standing: { score: above, loss: null, time: null },
    } as unknown as Judged;
  };
  const told = (...all: Judged[]) => comparedIn(all).map(({ of, place, varied }) => [of, place, varied]);
  assertEquals(told(judged(8, 16)), [
    ["lora-pro", "Digits, batch size 16", ", batch size 16"],
    ["lora", "Digits, batch size 16", ", batch size 16"],
  ]);
  assertEquals(told(judged(2, 16), judged(8, 16))[0]![1], "Digits at rank 2, batch size 16");
});

Deno.test("a pooled prediction takes a task for one observation, and needs every task's look", () => {
  const pooled = claim({ over: "tasks" });
  const tasks = (...differences: number[]) =>
    differences.map((one, i) => compared(`task ${i}`, settled(one - 0.01, one + 0.01)));
  const found = judgeClaim(pooled, tasks(0.1, 0.12, 0.09, 0.11));
  assertEquals(found.outcome, "confirmed");
  assertStringIncludes(found.line, "over tasks: +0.105 (");
  assertStringIncludes(found.line, "ahead on 4 of 4 tasks (each by itself: 4 better)");
  // What tasks show by themselves is told where they show nothing of others like them.
  const apart = judgeClaim(pooled, [
    ...tasks(0.9, 0.3, 0.2),
    compared("task 3", settled(-0.2, 0.22)),
  ]);
  assertStringIncludes(apart.line, "undecided here: whether Pro is better than LoRA over tasks: +0.352 (");
  assertStringIncludes(apart.line, "ahead on 4 of 4 tasks (each by itself: 3 better, 1 undecided)");
  const [{ asked, margin, outcome, found: [over] }] = found.predictions as [JudgedPrediction];
  assertEquals([asked, margin, outcome], ["Pro is better than LoRA", 0.05, "confirmed"]);
  assertEquals([over!.where, over!.verdict, over!.outcome], ["over 4 tasks", "better", "confirmed"]);
  // The line has the numbers that are stored.
  const numbers = `${formatDifference(over!.difference)} (${formatInterval(over!.interval)})`;
  assertStringIncludes(found.line, numbers);
  assertEquals(over!.tasks.map(({ task }) => task), ["task 0", "task 1", "task 2", "task 3"]);
  assertAlmostEquals(over!.tasks[2]!.difference, 0.09);
  assertEquals(judgeClaim(pooled, tasks(0.01, -0.01, 0.005, -0.005)).outcome, "refuted");
  assertEquals(judgeClaim(pooled, tasks(0.3, -0.2, 0.25, -0.1)).outcome, "undecided");
  const few = judgePairs(
    [0.1, 0.12].map((difference) => ({ difference, examples: 0, squares: 0, identical: false })),
    { margin: 0.05, comparisons: 1, atLeast: 8 },
  );
  const missing = judgeClaim(pooled, [...tasks(0.1, 0.12, 0.09), compared("late", few)]);
  assertStringIncludes(missing.line, "runs are missing");
});

Deno.test("a claim is refuted by one refuted prediction, and confirmed by all together", () => {
  const full = { against: "full", titles: ["Pro", "Full"] as const };
  const both = claim({}, { against: "full", is: "same" });
  const outcome = (...scores: [Settled, Settled]) =>
    judgeClaim(both, [compared("Digits", scores[0]), compared("Digits", scores[1], full)]).outcome;
  assertEquals(outcome(above, even), "confirmed");
  assertEquals(outcome(above, open), "undecided");
  assertEquals(outcome(open, below), "refuted");
});

Deno.test("outcomeOf() holds every relation against every verdict", () => {
  const found = (verdict: Verdict, low: number, high: number) => ({
    verdict,
    difference: (low + high) / 2,
    interval: { low, high },
  });
  const cases = [
    // Of a difference: much better, little better, the same, little worse, much worse, unknown.
    found("better", 0.06, 0.1),
    found("better", 0.01, 0.04),
    found("better", 0.01, 0.08),
    found("same", -0.03, 0.03),
    found("worse", -0.04, -0.01),
    found("worse", -0.1, -0.06),
    found("undecided", -0.1, 0.1),
  ];
  const outcomes = (relation: Prediction["is"]) =>
    cases.map((one) => outcomeOf(relation, one, 0.05)[0]).join("");
  assertEquals(outcomes("better"), "cccrrru");
  assertEquals(outcomes("worse"), "rrrrccu");
  assertEquals(outcomes("same"), "rcuccru");
  assertEquals(outcomes("not better"), "rcucccu");
});

Deno.test("describeRule() says what confirms and what refutes, and checkClaim() that pooling is fair", () => {
  assertEquals(describeRule(claim({ atLeast: 2 })), {
    confirmed: "pro is better than lora, in 2 or more",
    refuted: "pro is worse or the same within 0.05 as lora",
  });
  const pooled = { ...claim({ over: "tasks" }), name: "x" } as Claim;
  const withTasks = (tasks: number, settle: object) =>
    ({
      ...pooled,
      sweep: { tasks: new Array(tasks), settle: { within: 0.05, budget: "1m", ...settle } },
    }) as unknown as Claim;
  const message = (one: Claim) => assertThrows(() => checkClaim(one, "x.json"), UserError).message;
  assertStringIncludes(
    message(withTasks(3, { atLeast: 6, atMost: 6 })),
    "3 tasks are pooled, 4 are the fewest",
  );
  assertStringIncludes(message(withTasks(4, { atMost: 6 })), "must be the same number");
  checkClaim(withTasks(4, { atLeast: 6, atMost: 6 }), "x.json");
});

Deno.test("the claims' table stands in its place on a page, and says what was not run", () => {
  const one = { name: "pro", source: "a paper", says: "It is better.", differs: "small models" } as Claim;
  const other = { ...one, name: "other", source: "another paper", says: "It is worse." };
  const table = tableOf([[other, null], [one, {
    schema: 1,
    claim: "pro",
    source: "a paper",
    says: "It is better.",
    outcome: "refuted",
    line: `refuted here: numbers. Unlike there: ${one.differs}`,
    minutes: 30,
    runs: 8,
    commits: ["0123456789"],
    days: ["2026-11-29"],
  }], [{ ...one, name: "again" }, null]]);
  assertEquals(table.split("\n"), [
    "Of 3 claims 0 are confirmed here, 1 are refuted and 0 undecided; 2 were not run yet.",
    "",
    "| Claimed | Here | Numbers | Run |",
    "| --- | --- | --- | --- |",
    "| It is better. (a paper) `pro` | **refuted** | numbers | 0.50 h, 0123456, 2026-11-29 |",
    "| It is better. (a paper) `again` | not run yet | — | — |",
    "| It is worse. (another paper) `other` | not run yet | — | — |",
  ]);
  const page =
    "# A\n\n<!-- ./run claims --table writes what follows -->\n\nold\n\n<!-- up to here -->\n\nB\n";
  assertEquals(withTable(withTable(page, "new"), "| x |"), page.replace("old", "| x |"));
  assertThrows(() => withTable("# A\n", "new"), Error, "no place");
});

Deno.test("predictions that differ in the first method alone are told in one sentence, from three on", () => {
  const methods = ["pro", "pissa", "dora"];
  const wanted = (count: number) =>
    claim(...methods.slice(0, count).map((of) => ({ of, over: "tasks" as const })));
  const found = methods.flatMap((of, i) =>
    [0.1, 0.12, 0.09, 0.11].map((one, task) =>
      compared(`task ${task}`, settled(one + i - 0.01, one + i + 0.01), {
        of,
        titles: [of.toUpperCase(), "LoRA"],
      })
    )
  );
  const { line, predictions } = judgeClaim(wanted(3), found);
  assertMatch(
    line,
    /^confirmed here: that each of PRO, PISSA and DORA is better than LoRA over tasks: PRO \+0\.105 \([^)]+\), PISSA \+1\.105 \([^)]+\), DORA \+2\.105 \([^)]+\)\. Unlike/,
  );
  assertEquals(
    predictions.map(({ asked }) => asked),
    ["PRO", "PISSA", "DORA"].map((name) => `${name} is better than LoRA`),
  );
  assertStringIncludes(
    judgeClaim(wanted(2), found).line,
    "; that PISSA is better than LoRA over tasks: +1.105 (",
  );
});
