import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { RunConfig, RunResult } from "../../../training/run.ts";
import { basesOf } from "../../sweep/bases.ts";
import { fakeRegistries } from "../../../tests/support/fakes/registries.ts";
import { fakeBase, fakeDiverged, fakeDone, fakeFailed } from "../../../tests/support/fakes/results.ts";
import { fakePlan, fakeSweep } from "../../../tests/support/fakes/sweep.ts";
import type { DoneRun } from "../../study/study.ts";
import { type Against, compareSweeps } from "./against.ts";
import type { ComparedSweep } from "./compared_sweep.ts";
import { differenceOf } from "../../study/differences.ts";
import { configChanges, describeChanges, pairRuns } from "./pairing.ts";

/** A sweep whose runs are made up; equal for equal configs. */
async function sweep(
  change: (config: RunConfig) => RunConfig = (config) => config,
  results: (made: DoneRun[]) => readonly (RunResult | Promise<RunResult>)[] = (made) => made,
): Promise<ComparedSweep> {
  const plan = await fakePlan();
  const made = await Promise.all(plan.runs.map(({ config }) => fakeDone(change(config))));
  return { plan, results: await Promise.all(results(made)), bases: [], faults: [] };
}

function withOutcome(run: DoneRun, change: Partial<DoneRun["outcome"]>): DoneRun {
  return { ...run, outcome: { ...run.outcome, ...change } };
}

/** The same run with so many of its examples right that were wrong, or the other way round where fewer than 0. */
function turned(run: DoneRun, count: number): DoneRun {
  const wanted = count > 0 ? 0 : 1;
  let left = Math.abs(count);
  const scores = run.outcome.scores.map((score) => score === wanted && left-- > 0 ? 1 - score : score);
  return withOutcome(run, { scores, score: scores.reduce((sum, score) => sum + score, 0) / scores.length });
}

const compare = (here: ComparedSweep, there: ComparedSweep) => compareSweeps(here, there, fakeRegistries);

function rowsOf(against: Against, title: string): readonly (readonly string[])[] {
  const table = against.tables.find((one) => one.title === `Against the other sweep: ${title}`);
  for (const row of table?.rows ?? []) assertEquals(row.length, table!.columns.length, title);
  return table?.rows ?? [];
}

Deno.test("compareSweeps() says of equal sweeps that no run differs, whatever their times, and when", async () => {
  const slower = await sweep(undefined, (made) =>
    made.toReversed().map((run) => ({
      ...withOutcome(run, {
        cost: { ...run.outcome.cost, medianStepMs: 2 * run.outcome.cost.medianStepMs! },
      }),
      environment: { ...run.environment, startedAt: "2026-02-03T00:00:00.000Z" },
    })));
  const against = compare(await sweep(), slower);
  assertEquals(against.verdict, "equal");
  assertEquals(against.counts, { both: 28, equal: 28, otherConfig: 0, failed: 0, onlyHere: 0, onlyThere: 0 });
  assertEquals(against.sentences, [
    'Against sweep "fake" of 2026-02-03, commit 0000000000. No run differs: all 28 runs that both have found the same, ' +
    "bit for bit.",
    "Scores are equal on every example.",
    "Commit, Deno, adapter, backend, features, limits and kernels are the same.",
    "Peak bytes and bytes of state are equal.",
    "A step takes 0.50 times as long as there (median of 28 runs, 0.50 to 0.50). Times are worth most from machines that " +
    "do nothing else.",
  ]);
  // Two seeds each of 14 methods, ranks and tasks.
  const scores = rowsOf(against, "scores");
  assertEquals(scores.length, 14);
  assertEquals(new Set(scores.map((row) => row.at(-1))), new Set(["equal"]));
  assertEquals(rowsOf(against, "runs that differ"), []);
  assertEquals(new Set(rowsOf(against, "costs").map((row) => row.at(-1))), new Set(["0.50"]));
});

Deno.test("compareSweeps() leaves a few turned examples undecided, and says what differs, from which step on and by how much", async () => {
  const here = await sweep(undefined, ([first, ...rest]) => {
    const losses = first!.outcome.trainLoss.map((point) =>
      point.step < 10 ? point : { ...point, value: point.value + 1e-3 * point.step }
    );
    return [turned(withOutcome(first!, { trainLoss: losses }), 2), ...rest];
  });
  const against = compare(here, await sweep());
  assertEquals([against.verdict, against.counts.both, against.counts.equal], ["undecided", 28, 27]);
  const [verdict, scores] = against.sentences;
  assertStringIncludes(
    verdict!,
    "1 of 28 runs that both have differs in bits: training loss in 1, scores in 1. The earliest difference of a loss is " +
      "at step 10, the largest is 0.0400.",
  );
  assertStringIncludes(
    scores!,
    "Scores differ by no more than chance explains: none of 14 comparisons tells the sweeps apart. Where they are not " +
      "equal, differences are +0.005 to +0.005, their 95% intervals lie within −0.0",
  );
  const [row, ...others] = rowsOf(against, "runs that differ");
  assertEquals(others, []);
  const { config } = here.results[0]!;
  assertEquals(row!.slice(4, 8), [
    String(config.seed),
    "training loss, scores",
    "training loss, step 10",
    "0.0400",
  ]);
  assertEquals(rowsOf(against, "scores").filter((one) => one.at(-1) === "undecided").length, 1);
});

Deno.test("compareSweeps() finds scores that differ, and names them", async () => {
  const here = await sweep(
    undefined,
    (made) =>
      made.map((run) =>
        run.config.optimizer.id === "lora" && run.config.task.id === "digits" ? turned(run, -60) : run
      ),
  );
  const against = compare(here, await sweep());
  assertEquals(against.verdict, "different");
  const worse = rowsOf(against, "scores").filter((row) => row.at(-1) === "worse");
  assertEquals(worse.map((row) => row.slice(0, 3)), [
    ["Shifted digits", "2", "LoRA"],
    ["Shifted digits", "8", "LoRA"],
  ]);
  assertStringIncludes(
    against.sentences[1]!,
    "Scores differ in 2 of 14 comparisons, here less there: LoRA on Shifted digits at rank 2 −0.300 (−0.",
  );
});

Deno.test("compareSweeps() tells what configs changed, compares scores on the same examples alone, and lists runs without a counterpart", async () => {
  const longer = await sweep((config) => ({ ...config, steps: 2 * config.steps, clip: 2 }));
  const against = compare(await sweep(), longer);
  assertEquals(against.verdict, "nothing in common");
  assertEquals(against.counts, { both: 0, equal: 0, otherConfig: 28, failed: 0, onlyHere: 0, onlyThere: 0 });
  const said = against.sentences.join("\n");
  assertStringIncludes(said, "No run is in both: nothing can be compared run by run.");
  assertStringIncludes(
    said,
    "28 runs have counterparts of the same method, rank, task and seed with another config: clip 1, there 2; steps 40, " +
      "there 80 (14 runs); steps 60, there 120 (14 runs).",
  );
  assertStringIncludes(
    said,
    "With other configs, scores differ, and too few seeds or examples decide nothing: differences are ",
  );
  const rows = rowsOf(against, "scores");
  assertEquals(rows.length, 14);
  assertEquals(rows[0]![4], "clip 1, there 2; steps 40, there 80");
  assertEquals(rowsOf(against, "costs"), []);

  // Two seeds decide nothing about another config, however far they lie apart; about the same runs made twice they do.
  const worse = await sweep(
    (config) => ({ ...config, clip: 2 }),
    (made) => made.map((run) => turned(run, -60)),
  );
  const apart = compare(await sweep(), worse);
  assertEquals(new Set(rowsOf(apart, "scores").map((row) => row.at(-1))), new Set(["undecided"]));
  assert(!apart.sentences.join("\n").includes("differ in"), apart.sentences.join("\n"));

  const fewer = await sweep((config) => ({ ...config, task: { ...config.task, testExamples: 50 } }));
  const other = compare(await sweep(), fewer);
  assertEquals(new Set(rowsOf(other, "scores").map((row) => row.at(-1))), new Set(["not compared"]));

  const part = await sweep(
    undefined,
    (made) => made.filter(({ config }) => config.optimizer.id !== "lora-pro"),
  );
  const less = compare(part, await sweep());
  assertEquals([less.counts.both, less.counts.onlyHere, less.counts.onlyThere], [20, 0, 8]);
  assertStringIncludes(
    less.sentences.join("\n"),
    "8 runs only there: digits, lora-pro r2, lr 0.004, seed 0; ",
  );
  assertStringIncludes(less.sentences.join("\n"), "Planned runs that are missing: 8 here.");
});

Deno.test("compareSweeps() counts another end as a difference, and leaves out runs that failed", async () => {
  const here = await sweep(undefined, ([first, second, ...rest]) => [
    fakeDiverged(first!.config),
    fakeFailed(second!.config),
    ...rest,
  ]);
  const against = compare(here, await sweep());
  assertEquals(against.verdict, "different");
  assertEquals([against.counts.both, against.counts.equal, against.counts.failed], [27, 26, 1]);
  const said = against.sentences.join("\n");
  assertStringIncludes(said, "diverged, there done in 1");
  assertStringIncludes(said, "1 run failed here or there by a fault of ours and can't be compared.");
  const [row] = rowsOf(against, "runs that differ");
  assertEquals(row![5], "diverged, there done, training loss");
  assertEquals([row!.at(-2), Number(row!.at(-1)) > 0], ["diverged", true]);
});

Deno.test("compareSweeps() says what differs of code, machine, kernels, bytes and base checkpoints, and what of the other sweep can't be used", async () => {
  const plan = await fakePlan();
  const [config] = basesOf(plan.runs.map((run) => run.config));
  const base = await fakeBase(config!);
  const there = await sweep(undefined, (made) =>
    made.map((run) => ({
      ...withOutcome(run, {
        kernels: ["adamw", "matmul_staged"],
        cost: { ...run.outcome.cost, peakBytes: 2 * run.outcome.cost.peakBytes! },
      }),
      environment: {
        ...run.environment,
        commit: "f".repeat(40),
        adapter: "Another",
        features: ["shader-f16"],
      },
    })));
  const turnedBase = { ...base, scores: base.scores.map((score) => 1 - score), score: 1 - base.score };
  const against = compare(
    { ...await sweep(), bases: [base] },
    { ...there, bases: [turnedBase], faults: ["Cannot use runs/x.json: it is not whole JSON"] },
  );
  assertEquals(against.verdict, "equal");
  assertEquals(against.sentences.slice(2), [
    "Scores before fine-tuning differ: vit-tiny on digits 0.195, there 0.805.",
    `Commit: ${"0".repeat(40)}, there ${
      "f".repeat(40)
    }. Adapter: SYNTHETIC, measured nowhere, there Another. Features: ` +
    "only there shader-f16. Kernels: only here matmul_tiled; only there matmul_staged.",
    "Bytes differ in 28 of 28 runs: peak bytes here are 0.50 to 0.50 times those there.",
    "A step takes 1.00 times as long as there (median of 28 runs, 1.00 to 1.00), on another adapter. Times are worth most " +
    "from machines that do nothing else.",
    "In the other sweep: Cannot use runs/x.json: it is not whole JSON.",
  ]);
  assertEquals(
    rowsOf(against, "code and machine").filter((row) => row.at(-1) === "differs").map(([name]) => name),
    [
      "Commit",
      "Adapter",
      "Features",
    ],
  );
});

Deno.test("differenceOf() finds each kind of difference, and takes nothing for one that an older run did not measure", async () => {
  const run = await fakeDone((await fakePlan()).runs[1]!.config), { outcome } = run;
  const differs = (change: Partial<DoneRun["outcome"]>) => differenceOf(withOutcome(run, change), run).what;
  assertEquals(differs({}), []);
  assertEquals(differs({ cost: { ...outcome.cost, totalMs: 1 }, kernels: [] }), []);
  assertEquals(differs({ validationLoss: outcome.validationLoss.slice(1) }), ["validation loss"]);
  assertEquals(differs({ inspected: { rank: [{ step: 1, value: 1 }] } }), ["inspected curves"]);
  const [first, ...others] = outcome.discrepancies;
  const off = { ...first!, gradientError: first!.gradientError + Number.EPSILON };
  assertEquals(differs({ discrepancies: [off, ...others] }), ["telemetry"]);
  assertEquals(differs({ discrepancies: others }), ["telemetry"]);
  const { moveOfA: _, effectiveRank: _e, ...older } = first!;
  assertEquals(differs({ discrepancies: [older, ...others] }), []);
  const measure = (value: number) => ({ "exact match": { value, values: [value] } });
  assertEquals(differs({ measures: measure(1) }), []);
  const ours = withOutcome(run, { measures: measure(1) }),
    theirs = withOutcome(run, { measures: measure(0) });
  assertEquals(differenceOf(ours, theirs).what, ['"exact match"']);

  // Before the first step: the base checkpoint or the data differ.
  const [start, ...rest] = outcome.validationLoss;
  const moved = withOutcome(run, { validationLoss: [{ ...start!, value: 9 }, ...rest], trainLoss: [] });
  assertEquals(differenceOf(moved, run).first, { curve: "validation loss", step: 0 });
  const both = withOutcome(run, {
    trainLoss: outcome.trainLoss.map((point) => ({ ...point, value: -1 })),
    validationLoss: outcome.validationLoss.map((point) => point.step < 8 ? point : { ...point, value: -1 }),
  });
  assertEquals(differenceOf(both, run).first, { curve: "training loss", step: 2 });

  const diverged = await fakeDiverged(run.config);
  assertEquals(differenceOf(diverged, diverged).what, []);
  assertEquals(differenceOf({ ...diverged, step: 3 } as RunResult, diverged).what, [
    "the step that it diverged at",
  ]);
  const failed = await fakeFailed(run.config);
  assertThrows(() => differenceOf(failed, run), RangeError, `Cannot compare run ${run.id}: it failed`);
});

Deno.test("pairRuns() pairs by id, then by rate, then without it, and never guesses between several", async () => {
  const [a, b] = (await sweep()).results as [DoneRun, DoneRun];
  const changed = async (run: DoneRun, change: Partial<RunConfig>) =>
    await fakeDone({ ...run.config, ...change });
  const at = (run: DoneRun, learningRate: number, steps = run.config.steps) =>
    changed(run, { schedule: { ...run.config.schedule, learningRate }, steps });
  const faster = await at(a, 0.1), longer = await at(a, 0.1, 99), elsewhere = await at(a, 0.3, 99);
  const changes = ({ pairs }: ReturnType<typeof pairRuns>) =>
    pairs.map((pair) => describeChanges(pair.changes));
  assertEquals(changes(pairRuns([a, b], [b, a])), ["", ""]);
  assertEquals(changes(pairRuns([faster, b], [longer, elsewhere])), ["steps 40, there 99"]);
  assertEquals(changes(pairRuns([a], [faster])), ["schedule.learningRate 0.002, there 0.1"]);
  const several = pairRuns([a], [faster, longer]);
  assertEquals([several.pairs.length, several.onlyHere.length, several.onlyThere.length], [0, 1, 2]);
  assertEquals(pairRuns([], []), { pairs: [], onlyHere: [], onlyThere: [] });
});

Deno.test("configChanges() names fields on one side alone, and not where files with a fingerprint lie", async () => {
  const { config } = (await fakePlan()).runs[0]!;
  const changed: RunConfig = { ...config, memory: { checkpointing: "blocks" }, targetModules: ["a", "b"] };
  assertEquals(
    describeChanges(configChanges(config, changed)),
    'memory.checkpointing none, there blocks; targetModules ["*"], there ["a","b"]',
  );
  const from = (data: string, fingerprint: string): RunConfig => ({
    ...config,
    task: { ...config.task, data, fingerprint },
  });
  assertEquals(configChanges(from("/a", "0"), from("/b", "0")), []);
  assertEquals(configChanges(from("/a", "0"), from("/a", "1")).map(({ path }) => path), ["task.fingerprint"]);
});

Deno.test("compareSweeps() does with nothing, and with one run of one example", async () => {
  const nothing: ComparedSweep = { plan: null, results: [], bases: [], faults: [] };
  const against = compare(nothing, nothing);
  assertEquals(against.verdict, "nothing in common");
  assert(!/NaN|undefined|Infinity/.test(JSON.stringify(against)));
  const { config } = (await fakePlan({ ...fakeSweep, seeds: [0] })).runs[0]!;
  const run = await fakeDone({ ...config, task: { ...config.task, testExamples: 1 } });
  const one = (result: DoneRun): ComparedSweep => ({ ...nothing, results: [result] });
  const other = compare(one(run), one(withOutcome(run, { scores: [1 - run.outcome.scores[0]!] })));
  assertEquals(other.verdict, "undecided");
  assert(!/NaN|undefined|Infinity/.test(JSON.stringify(other)), JSON.stringify(other));
  assertStringIncludes(
    compare(one(run), one(run)).sentences[0]!,
    "the only run that both have found the same",
  );
});

Deno.test("differenceOf() names the training loss where both curves part at one step: it comes first", async () => {
  const [run] = (await sweep()).results as DoneRun[];
  const moved = (points: DoneRun["outcome"]["trainLoss"]) =>
    points.map((point) => point.step >= 16 ? { ...point, value: point.value + 1 } : point);
  const { trainLoss, validationLoss } = run!.outcome;
  const other = withOutcome(run!, { trainLoss: moved(trainLoss), validationLoss: moved(validationLoss) });
  assertEquals(differenceOf(run!, other).first, { curve: "training loss", step: 16 });
});

Deno.test("compareSweeps() compares no scores of other examples: of other data, or another number of them", async () => {
  const onData = (fingerprint: string) =>
    sweep(
      undefined,
      (made) => made.map((run) => withOutcome(run, { data: { title: "mine", fingerprint, records: {} } })),
    );
  const shorter = await sweep(
    undefined,
    (made) => made.map((run) => withOutcome(run, { scores: run.outcome.scores.slice(1) })),
  );
  for (const [here, there] of [[await onData("a"), await onData("b")], [await sweep(), shorter]] as const) {
    const against = compare(here, there);
    assertEquals(new Set(rowsOf(against, "scores").map((row) => row.at(-1))), new Set(["not compared"]));
  }
});
