/** @file What a report of a claim's question says, and in which order. */
import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { made } from "../../../tests/support/fakes/reports.ts";
import { fakeRegistries } from "../../../tests/support/fakes/registries.ts";
import { READING, testNeeding } from "../../../tests/support/test_needing.ts";
import type { JudgedPrediction, StoredVerdict } from "../../study/verdict_file.ts";
import { buildReport } from "../build.ts";
import { toLatex } from "../exports/latex.ts";
import { toHtml } from "../html.ts";
import { toMarkdown } from "../markdown.ts";
import { predictedTable } from "./predicted.ts";

const pooled: JudgedPrediction = {
  asked: "LoRA-Pro is better than LoRA",
  measured: "score",
  margin: 0.02,
  outcome: "refuted",
  found: [{
    where: "over 4 tasks",
    difference: -0.0482,
    interval: { low: -0.0701, high: -0.0263 },
    verdict: "worse",
    outcome: "refuted",
    tasks: [{ task: "digits", difference: -0.05 }, { task: "code", difference: 0.01 }],
  }],
};
const words =
  "that LoRA-Pro is better than LoRA over tasks: −0.048 (−0.070 to −0.026), ahead on 1 of 4 tasks";
const verdict: StoredVerdict = {
  schema: 1,
  claim: "pro",
  source: "a paper, Table 1",
  says: "It is better.",
  outcome: "refuted",
  line: `refuted here: ${words}. Unlike there: small models`,
  setting: "large models",
  predictions: [pooled],
  minutes: 1,
  runs: 8,
  commits: ["0123456789"],
  days: ["2026-11-29"],
};

/** The report of a settled question, with a claim's verdict or without. */
async function reportOf(verdict?: StoredVerdict) {
  const { plan, stored } = await made();
  const settled = {
    lines: ["LoRA-Pro is worse than LoRA on Digits"],
    headline: { verdict: "Worse in 1.", what: "By 0.05.", sure: "Rather.", change: "Nothing." },
    pairs: [{
      ...{ task: "digits", title: "Digits", rank: 8, of: "LoRA-Pro", against: "LoRA", difference: -0.05 },
      ...{ interval: null, verdict: "worse", margin: 0.02, wins: 3, pairs: 8 } as const,
    }],
  };
  const input = { plan: { ...plan, settled }, stored, faults: [], setAside: [] };
  return buildReport({ ...input, ...verdict && { verdict } }, fakeRegistries);
}

/** Holds that texts stand in a page in this order. */
function assertOrder(page: string, texts: readonly string[]): void {
  const places = texts.map((text) => page.indexOf(text));
  for (const [i, text] of texts.entries()) {
    assert(places[i]! >= 0, `"${text}" is missing`);
    if (i > 0) assertLess(places[i - 1]!, places[i]!, `"${text}" stands before "${texts[i - 1]}"`);
  }
}

testNeeding(READING)(
  "a report says first what a claim came to, then each prediction, then single comparisons",
  async () => {
    const report = await reportOf(verdict);
    const { headline } = report, first = `Refuted here: ${words}.`;
    assertEquals([headline.verdict, headline.claim], [first, {
      said: "It is better. (a paper, Table 1).",
      unlike: "There: large models. Here: small models.",
    }]);
    assertEquals(report.answer.slice(0, 2), [
      `Refuted here: ${words}. Unlike there: small models.`,
      "LoRA-Pro is worse than LoRA on Digits",
    ]);
    const texts = [
      first,
      "It is better. (a paper, Table 1).",
      "There: large models. Here: small models.",
      "What the claim predicts",
      "over 4 tasks",
      "Single comparisons",
      "By 0.05.",
    ];
    assertOrder(toMarkdown(report), texts);
    const page = await toHtml(report, report.charts.map(() => "<svg></svg>"));
    assertOrder(page, [...texts, "How far is each method from LoRA?"]);
    assertEquals(page.match(/class="single"/g)?.length, 2);
    const latex = toLatex(report, fakeRegistries);
    assertOrder(latex.get("paper.tex")!, [
      "Refuted here:",
      "It is better.",
      "There: large models.",
      "By 0.05.",
    ]);
    assertOrder(latex.get("verdicts.tex")!, ["What the claim predicts", "Comparisons"]);
  },
);

Deno.test("a report of a verdict that has words alone says these, and one without a verdict what its question came to", async () => {
  const { setting: _, predictions: __, ...old } = verdict, told = await reportOf(old);
  assertEquals(told.headline.verdict, `Refuted here: ${words}.`);
  assertEquals([told.headline.claim!.unlike, told.predicted], ["Small models.", null]);
  const without = await reportOf();
  assertEquals([without.headline.verdict, without.headline.claim], ["Worse in 1.", null]);
  assertStringIncludes(toMarkdown(without), "- What: By 0.05.");
});

Deno.test("predictedTable() has a row a place, and bars where all share an axis", () => {
  const each: JudgedPrediction = {
    asked: "LoRA is the same as Full in test loss",
    measured: "test loss",
    margin: 0.049,
    outcome: "undecided",
    found: [8, 128].map((size) => ({
      where: `Digits, batch size ${size}`,
      difference: 0.01,
      interval: { low: -0.1, high: 0.12 },
      verdict: "undecided",
      outcome: "undecided",
      tasks: [],
    })),
  };
  const { rows, columns, bars, note } = predictedTable([each])!;
  assertEquals(columns.length, 6);
  assertEquals(rows.map((row) => row.at(-1)), ["Digits, batch size 8", "Digits, batch size 128"]);
  assertEquals([bars?.margin, bars?.rows.length], [0.049, 2]);
  assertStringIncludes(note, "logarithms");
  // Two margins have no common band, and what is missing has no bar.
  const both = predictedTable([pooled, each])!;
  assertEquals([both.bars, both.rows.length], [undefined, 3]);
  assertEquals(both.rows.map((row) => row.length), [7, 7, 7]);
  assertEquals(both.rows[0]!.at(-1), "digits −0.050, code +0.010");
  const missing = predictedTable([pooled, { ...pooled, outcome: "undecided", found: [] }])!;
  assertEquals([missing.bars, missing.rows[1]![5]], [undefined, "runs are missing"]);
});
