import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { fakeDiverged, fakeDone } from "../../tests/support/fakes/results.ts";
import { build, made, rowsOf } from "../../tests/support/fakes/reports.ts";
import type { RunConfig, RunResult } from "../../training/run.ts";
import { type Headline, MOST_WORDS } from "./headline.ts";
import type { Report } from "./report.ts";

/** Words that a reader need not know who knows no statistics. */
const LEARNED =
  /\b(p[- ]?values?|holm|bonferroni|student|t[- ]test|confidence|significan\w*|hypothes\w*|bootstrap|interquartile|variance|deviations?|quantiles?|paired|corrected|family|families|anova|null)\b/i;

/** A report of runs whose methods get such shares of the examples of a task right, one more or less by seed. */
async function reportOf(
  shareOf: (config: RunConfig) => number | null,
  change: Partial<typeof fakeSweep> = {},
): Promise<Report> {
  const spec = {
    ...fakeSweep,
    tasks: fakeSweep.tasks.slice(1),
    ranks: [8],
    seeds: [0, 1, 2, 3, 4],
    ...change,
  };
  return build(
    await made(spec, async (config): Promise<RunResult> => {
      const share = shareOf(config);
      if (share === null) return await fakeDiverged(config);
      const done = await fakeDone(config), count = done.outcome.scores.length;
      const right = Math.round(count * share) + (config.seed + config.optimizer.id.length) % 2;
      const scores = done.outcome.scores.map((_, i) => i < right ? 1 : 0);
      return { ...done, outcome: { ...done.outcome, score: right / count, scores } };
    }),
  );
}

const by = (shares: Readonly<Record<string, number | null>>) => ({ optimizer: { id } }: RunConfig) =>
  shares[id]!;

/** What every headline keeps: short, without statisticians' words, and with a next step. */
function check({ verdict, what, sure, change, command }: Headline): void {
  assert(verdict.split(/\s+/).length <= MOST_WORDS, verdict);
  for (const text of [verdict, what, sure, change]) {
    assertEquals(LEARNED.exec(text)?.[0], undefined, text);
    assert(/^[^a-z].*[.:?!]$/.test(text), text);
    assert(!/undefined|NaN|\[object| {2}|\.\.|,,/.test(text), text);
  }
  assert(command === null || command.startsWith("./run "), String(command));
}

Deno.test("headlineOf() says who won, by how much, how sure, and what to run next", async () => {
  const report = await reportOf(by({ full: 0.8, lora: 0.4, "lora-ga": 0.41, "lora-pro": 0.6 }));
  const { headline } = report;
  check(headline);
  assertEquals(
    headline.verdict,
    "LoRA-Pro beats LoRA by 0.200 on Word problems at rank 8, and stays 0.200 below full fine-tuning.",
  );
  // The numbers are those of the table.
  const row = rowsOf(report, "Comparisons").find((cells) => cells[2] === "LoRA-Pro" && cells[3] === "LoRA")!;
  assertEquals(row[4], "+0.200");
  assertStringIncludes(headline.what, `(likely ${row[5]!.replaceAll("+", "")}), ahead on 5 of 5 seeds`);
  assertStringIncludes(headline.sure, "fewer than 1 in 20 sweeps");
  assertStringIncludes(headline.sure, "5 seeds, 100 test examples");
  assertEquals(headline.command, "./run settle lora-pro lora --task arithmetic --rank 8");
});

Deno.test("headlineOf() names no winner where seeds are few, and asks for as many as would do", async () => {
  const report = await reportOf(by({ full: 0.8, lora: 0.4, "lora-ga": 0.41, "lora-pro": 0.6 }), {
    seeds: [0, 1],
  });
  check(report.headline);
  assertEquals(
    report.headline.verdict,
    "No winner yet on Word problems at rank 8: 2 seeds cannot tell 2 methods from LoRA.",
  );
  assertStringIncludes(report.headline.what, "Furthest apart so far: LoRA-Pro 0.20");
  assertStringIncludes(report.headline.sure, "fewer than 4 no verdict");
  assertStringIncludes(report.headline.change, "More seeds, and more test examples");
  assertEquals(
    report.headline.command,
    "./run settle lora-pro lora --task arithmetic --rank 8 --within 0.05",
  );
});

Deno.test("headlineOf() holds what no method wins: same, worse, mixed, over ranks and tasks, diverged, without LoRA", async () => {
  const cases: readonly (readonly [Report, RegExp])[] = [
    [
      await reportOf(by({ full: 0.8, lora: 0.4, "lora-ga": 0.2, "lora-pro": 0.1 })),
      /^No method beats LoRA.*2 of 2 methods are worse than LoRA; full fine-tuning beats all\.$/,
    ],
    [await reportOf(by({ full: 0.4, lora: 0.4, "lora-ga": 0.1, "lora-pro": null })), /^No method beats LoRA/],
    [
      await reportOf(by({ full: 0.2, lora: 0.3, "lora-ga": 0.6, "lora-pro": 0.5 })),
      /^LoRA-GA leads on Word problems at rank 8: 0\.\d{3} above LoRA and 0\.\d{3} above full fine-tuning\. 2 of 2 methods beat LoRA\.$/,
    ],
    [
      await reportOf(
        ({ optimizer: { id, options } }) => id === "lora-pro" && options["rank"] === 8 ? 0.7 : 0.4,
        { ranks: [2, 8], tasks: fakeSweep.tasks },
      ),
      /^LoRA-Pro leads on [\w ]+ at rank 8: 0\.\d{3} above LoRA.*\. LoRA is beaten in 2 of 8 comparisons on 2 tasks\.$/,
    ],
    [
      await reportOf(by({ full: 0.8, "lora-pro": 0.4 }), {
        optimizers: [{ id: "full" }, { id: "lora-pro" }],
      }),
      /^LoRA-Pro is worse than Full fine-tuning by 0\.\d+ on Word problems at rank 8\.$/,
    ],
    [
      await reportOf(({ optimizer: { options } }) => options["mode"] === "sgd" ? 0.7 : 0.4, {
        optimizers: ["full", "sgd"].map((mode) => ({ id: "lora-pro", options: { mode } })),
      }),
      /^LoRA-Pro, mode sgd beats LoRA-Pro, mode full by 0\.3/,
    ],
    [
      await reportOf(by({ "lora-pro": 0.4 }), { optimizers: [{ id: "lora-pro" }] }),
      /nothing to hold it against\.$/,
    ],
    [build({ plan: (await made()).plan, stored: [] }), /^No run has finished/],
  ];
  for (const [{ headline }, wanted] of cases) {
    check(headline);
    assert(wanted.test(headline.verdict), headline.verdict);
  }
});
