import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { tenTasks } from "../../tests/support/fakes/registries.ts";
import { rowsOf } from "../../tests/support/fakes/reports.ts";
import { fakeDiverged, fakeDone } from "../../tests/support/fakes/results.ts";
import { fakeSweep } from "../../tests/support/fakes/sweep.ts";
import type { RunConfig, RunResult } from "../../training/run.ts";
import { a100 } from "../cost/growth/predict.ts";
import { buildReport } from "../report/build.ts";
import type { Report } from "../report/report.ts";
import { comparePooled } from "../statistics/pooled.ts";
import { mean } from "../statistics/statistics.ts";
import { expand, type SweepSpec } from "../sweep/sweep.ts";
import { makeStudy } from "./make_study.ts";
import { overTasks } from "./over_tasks.ts";
import { comparePairs } from "./pairs.ts";

const NAMES = Object.keys(tenTasks.tasks);

const spec = (tasks: number, seeds: number, ids: readonly string[], ranks = [8]): SweepSpec => ({
  ...fakeSweep,
  tasks: NAMES.slice(0, tasks).map((id) => ({
    ...fakeSweep.tasks[1]!,
    task: { ...fakeSweep.tasks[1]!.task, id },
  })),
  optimizers: ids.map((id) => ({ id, learningRates: [0.004] })),
  ranks,
  seeds: Array.from({ length: seeds }, (_, i) => i),
});

/** A finished run with such a share of its hundred examples right, other ones with each seed. */
async function scoring(config: RunConfig, share: number): Promise<RunResult> {
  const done = await fakeDone(config), { length } = done.outcome.scores;
  const scores = Array.from(
    { length },
    (_, i) => (i + 7 * config.seed) % length < Math.round(share * length) ? 1 : 0,
  );
  return { ...done, outcome: { ...done.outcome, scores, score: mean(scores) } };
}

type Share = (config: RunConfig, task: number) => number | null;

/** Runs with stated scores; null diverges. */
async function resultsOf(spec: SweepSpec, shareOf: Share): Promise<RunResult[]> {
  return await Promise.all(
    expand(spec, tenTasks).configs.map((config) => {
      const share = shareOf(config, NAMES.indexOf(config.task.id));
      return share === null ? fakeDiverged(config) : scoring(config, share);
    }),
  );
}

async function studyOf(spec: SweepSpec, shareOf: Share, margin?: number) {
  const results = await resultsOf(spec, shareOf), configs = results.map(({ config }) => config);
  return makeStudy(configs, results, [], tenTasks, a100, [], margin);
}

async function found(spec: SweepSpec, shareOf: Share, margin?: number) {
  const study = await studyOf(spec, shareOf, margin);
  return overTasks(study, comparePairs(study));
}

async function reportOf(spec: SweepSpec, shareOf: Share, margin?: number): Promise<Report> {
  const stored = await resultsOf(spec, shareOf);
  return buildReport(
    { plan: null, stored, faults: [], setAside: [], ...margin !== undefined && { margin } },
    tenTasks,
  );
}

/** Tasks differ, LoRA-Pro is ahead of LoRA by 0.05 give or take a step of 0.01, and LoRA-GA by nothing. */
const shares: Share = ({ optimizer: { id }, seed }, task) =>
  0.3 + 0.04 * task + 0.01 * seed +
  (id === "lora-pro" ? 0.05 + 0.01 * (task % 3 - 1) : id === "lora-ga" ? 0.01 * (task % 3 - 1) : 0);

Deno.test("overTasks() takes a task for one observation, whatever its seeds, and says of how many tasks", async () => {
  const { pairs } = await found(spec(6, 2, ["lora", "lora-pro", "lora-ga"]), shares);
  assertEquals(pairs.map(({ ours, theirs }) => [ours.optimizer, theirs.optimizer]), [
    ["lora-ga", "lora"],
    ["lora-pro", "lora"],
  ]);
  const { comparison } = pairs[1]!;
  // Differences of six tasks: twice 0.04, 0.05 and 0.06; two seeds, and yet a verdict.
  const wanted = comparePooled(
    [0.04, 0.05, 0.06, 0.04, 0.05, 0.06].map((difference) => ({ mean: difference, variance: 0 })),
  );
  assertEquals([comparison.tasks, comparison.wins, comparison.verdict], [6, 6, "better"]);
  assertAlmostEquals(comparison.mean, 0.05, 1e-12);
  assertAlmostEquals(comparison.pValue!, wanted.pValue!, 0.02);
  assert(comparison.pValue! >= wanted.pValue!);
  assertEquals(pairs.map((pair) => pair.pairs.length), [6, 6]);
  // Corrected for the two that are held against LoRA.
  assertAlmostEquals(comparison.corrected!, Math.min(1, 2 * comparison.pValue!), 1e-12);
  assertEquals((await found(spec(3, 4, ["lora", "lora-pro"]), shares)).pairs, []);
});

Deno.test("overTasks() calls methods the same within the margin that was stated, and no other", async () => {
  const at = async (margin?: number) =>
    (await found(spec(10, 2, ["lora", "lora-ga"]), shares, margin)).pairs[0]!.comparison;
  assertEquals([(await at()).verdict, (await at()).margin], ["same", 0.02]);
  assertEquals((await at(0.005)).verdict, "undecided");
});

Deno.test("overTasks() has rliable's probability of improvement and interquartile mean, runs that diverged at chance", async () => {
  const lost: Share = (config, task) =>
    config.optimizer.id === "lora-pro" && config.seed === 0 && task === 0 ? null : shares(config, task);
  const { pairs, middles } = await found(spec(5, 4, ["lora", "lora-pro"]), lost);
  // LoRA has 0.00 to 0.03 above the task's level, LoRA-Pro the same and 0.04, 0.05, 0.06, 0.04, 0.05: all pairs but one run's.
  const wins = [4 * 3 / 16, 1, 1, 1, 1];
  assertAlmostEquals(pairs[0]!.improvement.value, mean(wins), 1e-12);
  const { low, high } = pairs[0]!.improvement.interval!;
  assert(low < mean(wins) && high === 1, `${low} to ${high}`);
  const lora = middles.find(({ method }) => method.optimizer === "lora")!;
  const scores = Array.from({ length: 20 }, (_, i) => 0.3 + 0.04 * Math.floor(i / 4) + 0.01 * (i % 4));
  assertAlmostEquals(lora.found.value, mean(scores.slice(5, 15)), 1e-9);
  assert(lora.found.interval!.low < lora.found.value && lora.found.value < lora.found.interval!.high);
  const pro = middles.find(({ method }) => method.optimizer === "lora-pro")!;
  const kept = [
    0,
    ...[0.35, 0.36, 0.37],
    ...[0.39, 0.40, 0.41, 0.42],
    ...[0.44, 0.45, 0.46, 0.47],
    ...[0.46, 0.47, 0.48, 0.49],
    ...[0.51, 0.52, 0.53, 0.54],
  ].sort((a, b) => a - b).slice(5, 15);
  // Chance is 0 here: the run that diverged is the least of all.
  assertAlmostEquals(pro.found.value, mean(kept), 0.011);
  // The same every time, and from fewer than four seeds no interval.
  const again = await found(spec(5, 4, ["lora", "lora-pro"]), lost);
  assertEquals(again.pairs[0]!.improvement, pairs[0]!.improvement);
  const few = await found(spec(5, 3, ["lora", "lora-pro"]), shares);
  assertEquals([few.pairs[0]!.improvement.interval, few.middles[0]!.found.interval], [null, null]);
});

Deno.test("buildReport() of ten tasks leads with the pooled comparison, then tells tasks, and two seeds are enough for it", async () => {
  const report = await reportOf(
    spec(10, 2, ["full", "lora", "lora-pro", "lora-ga"]),
    (config, task) => config.optimizer.id === "full" ? 0.45 + 0.04 * task : shares(config, task),
  );
  const [lora, full, meaning, undecided, needed, ...rest] = report.answer;
  assertStringIncludes(
    lora!,
    "Over 10 tasks, against LoRA (n = 10 tasks, 2 seeds each): better: LoRA-Pro",
  );
  assertStringIncludes(
    lora!,
    "wins on 10 of 10 tasks); same within 0.02: LoRA-GA −0.001 (95%: ",
  );
  assertStringIncludes(
    full!,
    "Over 10 tasks, against Full fine-tuning (n = 10 tasks, 2 seeds each): worse: LoRA",
  );
  assertStringIncludes(meaning!, "corrected for all methods that are held against the same one (Holm)");
  assertEquals(
    undecided,
    "Task by task, 2 seeds cannot decide, and with fewer than 4 no verdict is given.",
  );
  assertStringIncludes(needed!, "To show a true difference of 0.05");
  assert(
    rest.some((text) => text.startsWith("Task by task, against LoRA: observed")),
    rest.join("\n"),
  );
  const [first] = report.tables, rows = rowsOf(report, "Over all tasks");
  assertEquals(first!.title, "Over all tasks");
  assertEquals(rows.map((row) => [row[1], row[2], row[6]]), [
    ["LoRA-Pro", "LoRA", "better"],
    ["LoRA-GA", "LoRA", "same within 0.02"],
    ["LoRA-Pro", "Full fine-tuning", "worse"],
    ["LoRA", "Full fine-tuning", "worse"],
    ["LoRA-GA", "Full fine-tuning", "worse"],
  ]);
  // The terminal's few rows have the same verdicts.
  const summary = report.summary!.rows.find(([method]) => method === "LoRA-Pro")!;
  const own = rows.filter((row) => row[1] === "LoRA-Pro");
  assertEquals(summary.slice(-2), own.map((row) => `${row[3]} ${row[6]} ${row[5]!.replace(" of ", "/")}`));
  assertEquals(rowsOf(report, "Interquartile means").length, 4);
  assertEquals(report.charts[0]!.chart.id, "difference-over-tasks");
});

Deno.test("buildReport() of a method under two names says identical, on each task and over all", async () => {
  // The option changes nothing of what was found.
  const same = spec(5, 2, ["lora", "lora-pro"]);
  const stored = await resultsOf(same, (_, task) => 0.3 + 0.04 * task);
  const copies = stored.map((result): RunResult => {
    const twin = stored.find(({ config }) =>
      config.optimizer.id === "lora" && config.seed === result.config.seed &&
      config.task.id === result.config.task.id
    )!;
    return result.status === "done" && twin.status === "done" ? { ...result, outcome: twin.outcome } : result;
  });
  const report = buildReport({ plan: null, stored: copies, faults: [], setAside: [] }, tenTasks);
  for (const [title, place] of [["Comparisons", -1], ["Over all tasks", 6]] as const) {
    const verdicts = rowsOf(report, title).map((row) => row.at(place));
    assertEquals(new Set(verdicts), new Set(["identical"]), title);
  }
  assertStringIncludes(report.answer[0]!, "identical: LoRA-Pro");
  assert(!report.answer.some((text) => text.includes("cannot decide")), report.answer.join("\n"));
  // Equal scores of runs that differ are not.
  const other = buildReport({ plan: null, stored, faults: [], setAside: [] }, tenTasks);
  assertEquals(new Set(rowsOf(other, "Comparisons").map((row) => row.at(-1))), new Set(["undecided"]));
});

Deno.test("buildReport() takes the stated margin for single tasks, too", async () => {
  const verdictAt = async (margin?: number) => {
    const report = await reportOf(spec(1, 5, ["lora", "lora-ga"]), shares, margin);
    return rowsOf(report, "Comparisons")[0]!.at(-1);
  };
  assertEquals(await verdictAt(), "undecided");
  assertEquals(await verdictAt(0.2), "same within 0.2");
});

Deno.test("buildReport() names a seed that is far from its method's others, shows every seed's score, and counts all", async () => {
  const crash: Share = (config, task) =>
    config.optimizer.id === "lora-pro" && config.seed === 5 ? 0.05 : shares(config, task);
  const report = await reportOf(spec(1, 8, ["lora", "lora-pro"]), crash);
  const [lora, pro] = rowsOf(report, "Scores of every seed");
  assertEquals([lora![4], lora![5], lora![6]], [
    "0: 0.300, 1: 0.310, 2: 0.320, 3: 0.330, 4: 0.340, 5: 0.350, 6: 0.360, 7: 0.370",
    "—",
    "8",
  ]);
  assertEquals(pro![5], "5: 0.050");
  assertStringIncludes(
    report.caveats.join("\n"),
    "1 run's score is far from those of its method's other seeds, and counts: first lora-pro r8 at 0.004, seed 5 (0.050, others " +
      "0.340 to 0.410).",
  );
  assertEquals(rowsOf(report, "Comparisons")[0]!.slice(12, 13), ["8"]);
});
