import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type RunConfig, runId, type RunResult } from "../../training/run.ts";
import { choose } from "../rates/choose.ts";
import { a100 } from "../cost/growth/predict.ts";
import { fakeRegistries, manyMethods } from "../../tests/support/fakes/registries.ts";
import { build, made, rowsOf } from "../../tests/support/fakes/reports.ts";
import { basesOf } from "../sweep/bases.ts";
import { fakeBase, fakeDiverged, fakeDone, fakeFailed } from "../../tests/support/fakes/results.ts";
import { fakePlan, fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { READING, testNeeding } from "../../tests/support/test_needing.ts";
import { sampleDeviation } from "../statistics/statistics.ts";
import { expand, type SweepSpec } from "../sweep/sweep.ts";
import { buildReport } from "./build.ts";
import { toCsv } from "./csv.ts";
import { toHtml } from "./html.ts";
import { toMarkdown } from "./markdown.ts";
import type { Report } from "./report.ts";
import { makeStudy } from "../study/make_study.ts";

const test = testNeeding(READING);

/** What reports of runs without tuned rates say. */
const STATED =
  "Learning rates were stated, not chosen on data of this report: a rate may suit one method better than another.";

function ids(report: Report): string[] {
  return report.charts.map(({ chart }) => chart.id);
}

Deno.test("buildReport() gives the same bytes for the same results in any order", async () => {
  const { plan, stored } = await made();
  const one = build({ plan, stored }), other = build({ plan, stored: stored.toReversed() });
  assertEquals(JSON.stringify(one), JSON.stringify(other));
  assertEquals(toMarkdown(one), toMarkdown(other));
});

Deno.test("buildReport() draws the charts, and those of rates only where there was tuning", async () => {
  const { plan, stored } = await made();
  const charts = [
    "score-by-rank",
    "score-by-task",
    "loss-by-step",
    "loss-by-seconds",
    "cost-to-target",
    "score-against-cost",
    "score-against-forgetting",
    "discrepancy-by-step",
    "discrepancy-by-layer",
    "discrepancy-by-kind",
    "discrepancy-by-module",
    "score-against-discrepancy",
    "second-order-by-step",
    "move-of-a-by-step",
    "effective-rank-by-step",
  ];
  assertEquals(ids(build({ plan, stored })), charts);
  const tuning = await made({ ...fakeSweep, optimizers: [{ id: "lora", learningRates: [0.001, 0.01] }] });
  assertEquals(ids(build(tuning)), [...charts, "loss-by-rate", "score-by-rate"]);
});

Deno.test("buildReport() names scalings, and prints the time of a LoRA-Pro step over LoRA's", async () => {
  const report = build(await made());
  const costs = rowsOf(report, "Costs");
  const pro = costs.find((row) => row[2] === "LoRA-Pro" && row[1] === "2");
  assertEquals(pro!.at(-1), "1.26");
  assertEquals(costs.find((row) => row[2] === "LoRA")!.at(-1), "1.00");
  assertEquals(costs.find((row) => row[2] === "Full fine-tuning")!.at(-1), "—");
  assert(costs.some((row) => row[2] === "LoRA-GA"));
  assertStringIncludes(
    report.answer.join("\n"),
    "Time of a step over that of LoRA: LoRA-GA 1.00, LoRA-Pro 1.24 to 1.26.",
  );
});

Deno.test("buildReport() tells scores before fine-tuning and gains, and leaves out what was scored on other examples", async () => {
  const { plan, stored } = await made();
  const bases = await Promise.all(basesOf(plan.runs.map(({ config }) => config)).map(fakeBase));
  const [digits, arithmetic] = bases;
  const other = await fakeBase({ ...digits!.config, task: { ...digits!.config.task, testExamples: 10 } });
  const scored = [other, { ...digits!, commonest: 0.125 }, arithmetic!];
  const report = buildReport({ plan, stored, bases: scored, faults: [], setAside: [] }, fakeRegistries);
  const scores = rowsOf(report, "Scores"), [before, commonest, full] = scores;
  assertEquals(before!.slice(0, 6), ["Shifted digits", "—", "Before fine-tuning", "—", "0.195", "—"]);
  assertEquals([before![7], before![8], before![10]], ["examples", "—", "—"]);
  assertEquals(commonest, [
    ...["Shifted digits", "—", "Always the commonest class", "—", "0.125"],
    ...[...new Array(6).fill("—"), "200"],
  ]);
  const gain = Number(full![5]), score = Number(full![4]);
  assert(Math.abs(score - 0.195 - gain) < 0.0011, `${full}`);
  // Kinds of task stand together, images last; answers that are no classes have no commonest one.
  const board = report.scoreboard!;
  assertEquals(board.tasks.map(({ id }) => id), ["arithmetic", "digits"]);
  assertEquals(
    board.rows.slice(0, 2).map(({ method, scores }) => [method, scores[1]!.value, scores[0]?.value ?? null]),
    [["Before fine-tuning", 0.195, arithmetic!.status === "done" ? arithmetic!.score : null], [
      "Always the commonest class",
      0.125,
      null,
    ]],
  );
  // Answers that are no classes have no commonest one.
  assertEquals(scores.filter((row) => row[2] === "Always the commonest class").length, 1);
  const [separation] = rowsOf(report, "Separation of methods");
  assertEquals(separation!.slice(2, 6), ["4", "0.100", "0.125", "0.195"]);
  const own = scores.filter((row) => row[0] === "Shifted digits" && (row[1] === "2" || row === full));
  const means = own.map((row) => Number(row[4]));
  assert(Math.abs(Number(separation![8]) - sampleDeviation(means)) < 2e-3, `${separation}`);
  assert(separation![6]!.startsWith(Math.min(...means).toFixed(3)), `${separation}`);
  assert(Number(separation![9]) > 0, `${separation}`);
  assertStringIncludes(
    report.answer.join("\n"),
    "Shifted digits (accuracy, 0.100 by chance, 0.125 by always answering the commonest class, 0.195 before fine-tuning)",
  );
  assertStringIncludes(
    report.answer.join("\n"),
    `Word problems (exact match, 0.000 by chance, ${arithmetic!.score.toFixed(3)} before fine-tuning)`,
  );
  const chart = JSON.stringify(report.charts.find(({ chart }) => chart.id === "score-by-rank")!.spec);
  assertStringIncludes(chart, '"score":0.195');

  const failed = { ...digits!, status: "failed", error: "the device was lost" } as const;
  const { score: _, scores: _s, ...rest } = failed;
  const without = buildReport({ plan, stored, bases: [rest], faults: [], setAside: [] }, fakeRegistries);
  assertEquals(rowsOf(without, "Scores").length, 14);
  assertEquals(without.caveats, [
    "1 base checkpoint could not be scored before fine-tuning, by a fault of ours: vit-tiny on digits (the device was " +
    "lost).",
    STATED,
  ]);
});

Deno.test("buildReport() says whether the adapter had been checked when runs were made, and what came of it", async () => {
  const checkedFor = async (checked?: { ok: boolean; at: string; commit: string }) => {
    const { plan, stored } = await made(fakeSweep, async (config) => {
      const result = await fakeDone(config);
      return { ...result, environment: { ...result.environment, ...(checked && { checked }) } };
    });
    return new Map(build({ plan, stored }).environment).get("Adapter checked");
  };
  const checked = { ok: true, at: "2026-11-29T12:00:00.000Z", commit: "0123456789abcdef" };
  assertEquals(await checkedFor(), "no (./run check does it)");
  assertEquals(await checkedFor(checked), "yes, all checks hold (2026-11-29, commit 0123456789)");
  assertEquals(
    await checkedFor({ ...checked, ok: false }),
    "yes, and NOT all checks hold (2026-11-29, commit 0123456789)",
  );
});

Deno.test("buildReport() calls a task by its real data, and says which they are and how much was left out", async () => {
  const data = {
    title: "MNIST",
    fingerprint: "0123456789abcdef".repeat(4),
    records: { train: { read: 1200, kept: 1190, skipped: { broken: 10 } } },
  };
  const { plan, stored } = await made(fakeSweep, async (config) => {
    const result = await fakeDone(config);
    return config.task.id === "digits" ? { ...result, outcome: { ...result.outcome, data } } : result;
  });
  const report = build({ plan, stored });
  assertEquals(report.environment.at(-1), [
    'Data of "digits"',
    "MNIST, fingerprint 0123456789abcdef; train: 1,200 read, 1,190 kept, 10 skipped (10 broken)",
  ]);
  const titles = new Set(rowsOf(report, "Scores").map(([title]) => title));
  assertEquals([titles.has("MNIST"), titles.has("Shifted digits")], [true, false]);
  assertStringIncludes(report.answer.join("\n"), "MNIST (accuracy): ");

  // A task may score real examples another way.
  const realData = { titles: ["MNIST"], metric: "exact reply", fingerprint: () => Promise.resolve("") };
  const digits = { ...fakeRegistries.tasks["digits"]!, realData };
  const registries = { ...fakeRegistries, tasks: { ...fakeRegistries.tasks, digits } };
  for (
    const [given, wanted] of [
      [{ plan, stored }, "MNIST (exact reply): "],
      [await made(fakeSweep), "Shifted digits (accuracy, 0.100 by chance"],
    ] as const
  ) {
    assertStringIncludes(
      buildReport({ ...given, bases: [], faults: [], setAside: [] }, registries).answer.join("\n"),
      wanted,
    );
  }
});

Deno.test("buildReport() shows of rates what was measured on a report's own data and model, and nothing else", async () => {
  const tuning = await made({
    ...fakeSweep,
    optimizers: [{ id: "lora", learningRates: [0.001, 0.01] }, {
      id: "lora-pro",
      learningRates: [0.001, 0.01],
    }],
    seeds: [100],
  });
  const { rates } = choose("tune", tuning.stored);
  /** A sweep at the chosen rates, on the task's own data or on somebody's, and with our model or a folder's. */
  const onFiles = async (data?: string, model?: string) => {
    const plan = await fakePlan({
      ...fakeSweep,
      optimizers: rates.map(({ optimizer: id, learningRate }) => ({ id, learningRates: [learningRate] })),
    });
    const runs = await Promise.all(plan.runs.map(async ({ config }) => {
      const mine = {
        ...config,
        task: { ...config.task, ...data && { data: "mnist", fingerprint: data } },
        model: { ...config.model, ...model && { path: "vit", fingerprint: model } },
      };
      return { id: await runId(mine), config: mine };
    }));
    const stored = await Promise.all(runs.map(({ config }) => fakeDone(config)));
    return build({ plan: { ...plan, runs, rates, ratesFrom: "tune" }, stored });
  };
  const shown = (report: Report) => [
    ids(report).includes("loss-by-rate"),
    report.tables.some(({ title }) => title === "Learning rates"),
    report.tables.some(({ title }) => title.startsWith("Rankings")),
    report.answer.some((sentence) => sentence.startsWith("Learning rates: of each method its own")),
    report.caveats.some((sentence) => sentence.startsWith("Learning rates were chosen on other data")),
  ];
  assertEquals(shown(await onFiles()), [true, true, true, true, false]);
  assertEquals(shown(await onFiles("0".repeat(64))), [false, false, false, false, true]);
  assertEquals(shown(await onFiles(undefined, "1".repeat(64))), [false, false, false, false, true]);
});

Deno.test("buildReport() compares with LoRA at the same rank and with full fine-tuning, and says what is undecided", async () => {
  const report = build(await made({ ...fakeSweep, seeds: [0, 1, 2, 3, 4, 5] })),
    rows = rowsOf(report, "Comparisons");
  // Two tasks, two ranks: LoRA against full, the other two against both.
  assertEquals(rows.length, 2 * 2 * 5);
  assertEquals(new Set(rows.map((row) => row.at(-1))), new Set(["worse", "better", "undecided"]));
  for (const row of rows) {
    const [uncorrected, corrected] = row.slice(8, 10).map((cell) => Number(cell.replace("< ", "")));
    // Corrected is the larger p, and the one that the verdict is by.
    assert(uncorrected! <= corrected!, `${row}`);
    assertEquals(row.at(-1) === "undecided", corrected! >= 0.05, `${row}`);
    // What is undecided is no larger than what would have been shown.
    const difference = Math.abs(Number(row[4]!.replace("−", "-")));
    if (row.at(-1) === "undecided") assert(difference <= Number(row[11]), `${row}`);
    if (row.at(-1) === "better") assert(Number(row[7]!.split(" ")[0]) > 3, `${row}`);
    assertEquals(row.slice(12, 14), ["6", row[0] === "Word problems" ? "100" : "200"]);
  }
  const said = report.answer.join("\n");
  assert(/Against LoRA: .*; n = 6 seeds, 100 to 200 examples\./.test(said), said);
  assertStringIncludes(
    said,
    // On each of two tasks those with LoRA, those with full fine-tuning, and LoRA-GA with LoRA-Pro.
    "at most one family in twenty shows a difference where there is none, at most one in twenty calls the same what differs by " +
      "0.02 or more, and this report has 6.",
  );
  const open = [
    ...rows.filter((row) => row.at(-1) === "undecided"),
    ...rowsOf(report, "Any two methods").filter((row) => /^LoRA-GA.*LoRA-Pro/.test(`${row[2]} ${row[6]}`)),
  ].length;
  assertStringIncludes(said, ` ${open} undecided: a true difference of`);
  assert(!said.includes("these seeds"), said);
});

/** Matthews correlation of two classes; NaN where one of them is missing. */
function matthews(predictions: readonly number[], labels: readonly number[]): number {
  const count = (p: number, l: number) => predictions.filter((one, i) => one === p && labels[i] === l).length;
  const [tp, tn, fp, fn] = [count(1, 1), count(0, 0), count(1, 0), count(0, 1)];
  return (tp * tn - fp * fn) / Math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn));
}

Deno.test("buildReport() tells measures beside the score, of sets of pairs too, with both sources of error", async () => {
  const { plan, stored } = await made();
  const labels = Array.from({ length: 200 }, (_, i) => i % 3 === 0 ? 1 : 0);
  const measured = stored.map((result): RunResult => {
    if (result.status !== "done" || result.config.task.id !== "digits") return result;
    const { scores } = result.outcome;
    const values = scores.map((score, i) => score === 1 ? labels[i]! : 1 - labels[i]!);
    const measures = {
      "Matthews correlation": { value: matthews(values, labels), values, labels },
      "loss a token": { value: 0.25, values: scores.map(() => 0.25) },
    };
    return { ...result, outcome: { ...result.outcome, measures } };
  });
  const registries = {
    ...fakeRegistries,
    tasks: {
      ...fakeRegistries.tasks,
      digits: {
        ...fakeRegistries.tasks["digits"]!,
        measures: [
          { name: "Matthews correlation", better: "higher", ofPairs: matthews },
          { name: "loss a token", better: "lower" },
        ] as const,
      },
    },
  };
  const report = buildReport({ faults: [], setAside: [], plan, stored: measured }, registries);
  const rows = rowsOf(report, "Further measures");
  assertEquals(
    rows.length,
    2 * rowsOf(report, "Scores").filter(([task]) => task === "Shifted digits").length,
  );
  const [task, measure, rank, method, , value, overSeeds, overExamples, seeds] = rows[0]!;
  assertEquals([task, measure, rank, method, seeds], [
    "Shifted digits",
    "Matthews correlation ↑",
    "—",
    "Full fine-tuning",
    "2",
  ]);
  const full = measured.flatMap((result) => {
    const own = result.status === "done" && result.config.optimizer.id === "full" && result.outcome.measures;
    return own ? [own["Matthews correlation"]!.value!] : [];
  });
  assertEquals(Number(value), Number(((full[0]! + full[1]!) / 2).toFixed(3)));
  // The bootstrap's interval is about the correlation, and holds it; the mean of the predictions is far away.
  const [low, high] = overExamples!.split(" to ").map(Number);
  assert(low! < Number(value) && Number(value) < high! && high! - low! < 0.4, overExamples);
  assert(/ to /.test(overSeeds!), overSeeds);
  const losses = rows.find(([, name]) => name === "loss a token ↓")!;
  assertEquals(losses.slice(5, 8), ["0.250", "0.250 to 0.250", "0.250 to 0.250"]);

  const [header, line] = toCsv(measured).split("\r\n");
  assertStringIncludes(header!, ",matthews_correlation,loss_a_token");
  assert(line!.endsWith(`,${full[0]},0.25`), line);
  assert(!toCsv(stored).includes("loss_a_token"));

  // A set without such a value, and results from before there were measures.
  const without = measured.map((result): RunResult => {
    if (result.status !== "done" || !result.outcome.measures || result.config.optimizer.id !== "full") {
      return result;
    }
    const { measures: _, ...old } = result.outcome;
    const none = {
      ...result.outcome.measures,
      "Matthews correlation": { value: null, values: [1], labels: [1] },
    };
    return { ...result, outcome: result.config.seed === 0 ? { ...old, measures: none } : old };
  });
  const [first] = rowsOf(
    buildReport({ faults: [], setAside: [], plan, stored: without }, registries),
    "Further measures",
  );
  assertEquals(first!.slice(5), ["—", "—", "—", "1", "1"]);
  assert(!build({ plan, stored }).tables.some(({ title }) => title === "Further measures"));
});

Deno.test("buildReport() says among its caveats what was trained on though it is published to test on", async () => {
  const source = { title: "HumanEval", fingerprint: "0".repeat(64), records: {} };
  const onTest = (task: RunConfig["task"]) =>
    task.id === "digits"
      ? { ...task, data: "x", fingerprint: "0".repeat(64), trainOnTest: true as const }
      : task;
  const { plan, stored } = await made(fakeSweep, async (config) => {
    const result = await fakeDone({ ...config, task: onTest(config.task) });
    return config.task.id === "digits" ? { ...result, outcome: { ...result.outcome, data: source } } : result;
  });
  const runs = stored.map(({ id, config }) => ({ id, config }));
  const { caveats } = build({ plan: { ...plan, runs }, stored });
  assertEquals(caveats.filter((sentence) => sentence.includes("--train-on-test")), [
    "Runs on HumanEval were trained on examples that are published to test on, as --train-on-test asked: their scores are of " +
    "other examples of that set, and are not to be compared with published ones.",
  ]);
  assertEquals(
    build(await made()).caveats.filter((sentence) => sentence.includes("published to test on")),
    [],
  );
});

Deno.test("buildReport() shows tasks with different numbers of examples side by side", async () => {
  const examples = rowsOf(build(await made()), "Scores").map((row) => row.at(-1));
  assertEquals(new Set(examples), new Set(["200", "100"]));
});

Deno.test("buildReport() says what is missing and what failed, and leaves it out", async () => {
  const { plan, stored } = await made();
  const failed = await fakeFailed(stored[1]!.config);
  const report = build({ plan, stored: [failed, ...stored.slice(2)] });
  const said = report.caveats.join("\n");
  assertStringIncludes(said, "1 run is missing: digits full at 0.002, seed 0.");
  assertStringIncludes(
    said,
    "1 run failed by a fault of ours and is left out: digits lora r2 at 0.004, seed 0 (Cannot go on",
  );
  assertStringIncludes(said, "unequal numbers of finished runs");
  assertEquals(rowsOf(report, "Scores")[0]![10], "1");
});

Deno.test("buildReport() keeps diverged runs as findings", async () => {
  const { plan, stored } = await made(
    fakeSweep,
    (config) => config.optimizer.id === "lora-ga" ? fakeDiverged(config) : fakeDone(config),
  );
  const report = build({ plan, stored });
  assertStringIncludes(report.caveats.join("\n"), "8 runs diverged and have no score: digits lora-ga r2");
  const row = rowsOf(report, "Scores").find((cells) => cells[2]!.startsWith("LoRA-GA"));
  // As chance scores, and nothing is known of examples.
  assertEquals(row!.slice(4), ["0.100", ...new Array(5).fill("—"), "2 (2 diverged)", "—"]);
});

Deno.test("buildReport() shows no lower bound where no method has factors", async () => {
  const report = build(await made({ ...fakeSweep, optimizers: [{ id: "full" }] }));
  assertEquals(ids(report), [
    "score-by-rank",
    "score-by-task",
    "loss-by-step",
    "loss-by-seconds",
    "cost-to-target",
    "score-against-cost",
    "score-against-forgetting",
    "effective-rank-by-step",
  ]);
  assertEquals(report.tables.map(({ title }) => title), [
    "Scores",
    "Scores of every seed",
    "Sources of error",
    "Forgetting",
    "Costs",
    "Gradient discrepancy",
    "Gradient discrepancy by kind of weight",
    "Changes of the weights",
  ]);
  assertEquals(rowsOf(report, "Gradient discrepancy")[0]!.slice(3), [
    "0.000",
    "—",
    "1.000",
    "0.400",
    "—",
    "30.5",
  ]);
});

Deno.test("buildReport() tells discrepancies and bounds by kind of weight, second orders and effective ranks", async () => {
  const { plan, stored } = await made();
  const report = build({ plan, stored });
  const pro = (title: string) =>
    rowsOf(report, title).find((row) => row[2] === "LoRA-Pro" && row[1] === "8")!.slice(3);
  assertEquals(pro("Gradient discrepancy by kind of weight"), ["0.681 (0.657)", "0.701 (0.677)"]);
  assertEquals(pro("Gradient discrepancy").slice(4), ["0.0816", "7.3"]);
  const old = stored.map((result): RunResult =>
    result.status !== "done" ? result : {
      ...result,
      outcome: {
        ...result.outcome,
        discrepancies: result.outcome.discrepancies.map(
          ({ secondOrderShare: _s, effectiveRank: _e, moveOfA: _m, ...rest }) => rest,
        ),
      },
    }
  );
  const before = build({ plan, stored: old });
  assertEquals(rowsOf(before, "Gradient discrepancy")[1]!.slice(7), ["—", "—"]);
  assert(!ids(before).some((id) => /second-order|effective-rank|move-of-a/.test(id)));
});

Deno.test("buildReport() puts costs by formula beside measured ones, and dashes where nobody can count", async () => {
  const { plan, stored } = await made();
  const row = (report: Report) =>
    rowsOf(report, "Costs").find((cells) => ["lora", "LoRA"].includes(cells[2]!))!;
  const found = row(build({ plan, stored }));
  // Rank 2 at four maps of 8 x 12: 160 numbers, two moments of each.
  assertEquals(found.slice(4, 6), ["35.9 KiB", "1.3 KiB"]);
  assertEquals(found[10], "1.000");
  assert(Number(found[8]) > Number(found[9]) && Number(found[9]) > 0, `${found}`);
  const unknown = buildReport({ plan, stored, faults: [], setAside: [] }, {
    ...fakeRegistries,
    models: {},
  });
  assertEquals([5, 7, 8, 9, 10].map((i) => row(unknown)[i]), ["—", "—", "—", "—", "—"]);
});

Deno.test("buildReport() shows what methods tell of themselves, and holds fifteen methods", async () => {
  const optimizers = Object.values(manyMethods.optimizers).map(({ id }) => ({ id }));
  const spec = { ...fakeSweep, optimizers };
  const { configs } = expand(spec, manyMethods);
  const stored = await Promise.all(configs.map((config) => fakeDone(config)));
  const report = buildReport({ plan: null, stored, faults: [], setAside: [] }, manyMethods);
  assert(ids(report).includes("inspected-by-step"));
  const study = makeStudy(configs, stored, [], manyMethods, a100);
  const looks = study.methods.map(({ color, shape }) => `${color} ${shape}`);
  assertEquals([study.methods.length, new Set(looks).size], [15, 15]);
  assertEquals(new Set(study.methods.map(({ shape }) => shape)).size, 15);
});

Deno.test("buildReport() has no table of discrepancies where none was measured", async () => {
  const report = build(await made({ ...fakeSweep, base: { ...fakeSweep.base, telemetryEvery: 0 } }));
  assert(!ids(report).includes("discrepancy-by-step"));
  assert(!report.tables.some(({ title }) => title === "Gradient discrepancy"));
});

test("buildReport() of nothing says so", async () => {
  const { plan } = await made();
  const report = build({ plan, stored: [] });
  assertEquals(report.answer, ["No run has finished: there is nothing to say yet."]);
  assertEquals(report.charts, []);
  assertStringIncludes(report.caveats.join("\n"), "28 runs are missing");
  assertStringIncludes(await toHtml(report, []), "nothing to say yet");
  assertEquals(build({ plan: null, stored: [] }).tables, []);
});

Deno.test("buildReport() without a plan shows everything and says that it can't know what is missing", async () => {
  const { stored } = await made();
  const report = build({ plan: null, stored });
  assertEquals(rowsOf(report, "Scores").length, 14);
  assertStringIncludes(report.caveats.join("\n"), "sweep.json");
});

Deno.test("buildReport() leaves out stored runs of other settings, and says so", async () => {
  const { plan, stored } = await made();
  const other = await made({ ...fakeSweep, seeds: [9], optimizers: [{ id: "lora" }], ranks: [2] });
  const report = build({ plan, stored: [...stored, ...other.stored] });
  assertEquals(report.caveats, ["2 stored runs of other settings left out.", STATED]);
});

Deno.test("buildReport() passes on files that can't be used and files set aside", async () => {
  const { plan, stored } = await made();
  const input = {
    plan,
    stored,
    faults: ["Cannot use runs/x.json: it is not whole JSON"],
    setAside: ["y.json.broken"],
  };
  assertEquals(buildReport(input, fakeRegistries).caveats, [
    "Cannot use runs/x.json: it is not whole JSON",
    "1 broken file was set aside: y.json.broken.",
    STATED,
  ]);
});

Deno.test("buildReport() of a tuning sweep shows each method at its best rate and warns of edges", async () => {
  const tuning = await made({
    ...fakeSweep,
    base: { ...fakeSweep.base, scoreOn: "validation" },
    optimizers: [{ id: "lora", learningRates: [0.001, 0.002, 0.004] }],
    seeds: [100],
  });
  const report = build(tuning);
  assertEquals(rowsOf(report, "Scores").map((row) => row[3]), Array(4).fill("0.004 (edge)"));
  const said = report.caveats.join("\n");
  assertStringIncludes(said, "4 chosen rates are at the edge of their grids");
  assertStringIncludes(said, "optimistic");
});

Deno.test("buildReport() compares the variants of a method with its first one, and other methods not", async () => {
  const optimizers = [
    { id: "lora" },
    ...["full", "sgd"].map((mode) => ({ id: "lora-pro", options: { mode } })),
  ];
  const spec = { ...fakeSweep, tasks: [fakeSweep.tasks[0]!], optimizers, ranks: [2] };
  const rows = rowsOf(build(await made(spec)), "Comparisons").map((row) => [row[2], row[3]]);
  assertEquals(rows, [
    ["LoRA-Pro, mode full", "LoRA"],
    ["LoRA-Pro, mode sgd", "LoRA"],
    ["LoRA-Pro, mode sgd", "LoRA-Pro, mode full"],
  ]);
});

Deno.test("buildReport() of a later sweep carries the evidence of the rates that it used", async () => {
  const tuning = await made({
    ...fakeSweep,
    optimizers: [{ id: "lora", learningRates: [0.001, 0.01, 0.1] }],
    seeds: [100],
  });
  const { plan, stored } = await made({ ...fakeSweep, optimizers: [{ id: "lora", learningRates: [0.01] }] });
  const { rates } = choose("tune", tuning.stored);
  const report = build({ plan: { ...plan, rates, ratesFrom: "tune" }, stored });
  // The only seed was 100: the table counts it, and does not name it.
  assertEquals(rowsOf(report, "Learning rates").map((row) => [row[3], row[5], row[7]]), [
    ["0.01", "no", "1"],
    ["0.01", "no", "1"],
    ["0.01", "no", "1"],
    ["0.01", "no", "1"],
  ]);
  assert(ids(report).includes("loss-by-rate"));
});

Deno.test("buildReport() claims no time without compilation for runs that had one window of steps", async () => {
  const { plan, stored } = await made();
  const short = stored.map((result, i): RunResult =>
    i > 0 || result.status !== "done"
      ? result
      : { ...result, outcome: { ...result.outcome, cost: { ...result.outcome.cost, onlyFirstWindow: true } } }
  );
  const said = (report: Report) => report.caveats.filter((one) => one.includes("compilation"));
  assertEquals(said(build({ plan, stored })), []);
  const report = build({ plan, stored: short });
  assertEquals(said(report), [
    "1 run was too short for a second window of steps: its time of a step holds the compilation of kernels that were " +
    "new: digits full at 0.002, seed 0.",
  ]);
  const steps = report.runs.map(({ facts }) => facts.find(([name]) => name === "Steps")![1]);
  assert(
    steps[0]!.endsWith("each (timed together, kernels compiled within where they had not been)"),
    steps[0],
  );
  assert(steps.slice(1).every((one) => one.endsWith("each (median)")), steps[1]);
});

Deno.test("buildReport() tells variants of a method apart by their options", async () => {
  const variants = [{ id: "lora", options: { alpha: 16 } }, { id: "lora", options: { alpha: 32 } }];
  const rows = rowsOf(
    build(await made({ ...fakeSweep, optimizers: variants, ranks: [2], seeds: [0] })),
    "Scores",
  );
  assertEquals(rows.slice(0, 2).map((row) => row[2]), [
    "LoRA, alpha 16",
    "LoRA, alpha 32",
  ]);
});

Deno.test("buildReport() names methods and tasks that are no longer known by their ids", async () => {
  const report = buildReport({ ...await made(), faults: [], setAside: [] }, {
    tasks: {},
    models: {},
    optimizers: {},
  });
  assertEquals(rowsOf(report, "Scores")[1]!.slice(0, 3), ["digits", "2", "lora"]);
});

const growing: SweepSpec = {
  ...fakeSweep,
  tasks: [fakeSweep.tasks[0]!],
  optimizers: [{ id: "full" }, { id: "lora" }],
  ranks: [4],
  vary: { batchSize: [4, 8, 16, 32], width: [8, 12, 16, 32], layers: [1, 2, 4], rank: [1, 2, 4, 8] },
};

Deno.test("buildReport() of a sweep of sizes is about costs, and says that scores mean nothing for fine-tuning", async () => {
  const report = build(await made(growing));
  assertEquals(ids(report), ["by-width", "by-layers", "growth-of-step-time", "growth-of-peak-bytes"]);
  assertEquals(report.scoreboard, null);
  assertEquals(report.tables.map(({ title }) => title), [
    "By what was varied",
    "How costs grow",
    "What steps take beyond LoRA's",
    "Fitted step time",
    "Fitted peak bytes",
    "What the paper's sizes would cost: a prediction, not a measurement",
    "Measured sizes",
  ]);
  assertStringIncludes(report.caveats.join("\n"), "their scores and losses mean nothing for fine-tuning");
  assertStringIncludes(report.caveats.join("\n"), "start from seeded random weights: costs only");
  assertEquals(rowsOf(report, "How costs grow").map((row) => row.slice(0, 3)), [
    ["Full fine-tuning", "tokens", "40 to 320"],
    ["Full fine-tuning", "width", "8 to 32"],
    ["Full fine-tuning", "layers", "1 to 4"],
    ["LoRA", "tokens", "40 to 320"],
    ["LoRA", "width", "8 to 32"],
    ["LoRA", "layers", "1 to 4"],
    ["LoRA", "rank", "1 to 8"],
  ]);
  assertEquals(rowsOf(report, "Measured sizes").length, 9 + 12);
  assert(!/NaN|undefined|Infinity/.test(JSON.stringify(report)));
  assertStringIncludes(report.answer.join("\n"), "Exponents of peak bytes: Full fine-tuning tokens");
});

Deno.test("buildReport() predicts for the GPU that it is given, else the plan's, else an A100, and names it", async () => {
  const { plan, stored } = await made(growing);
  const noteOf = (report: Report) =>
    report.tables.find(({ title }) => title.startsWith("What the paper"))!.note;
  assertStringIncludes(
    noteOf(build({ plan, stored })),
    "A100 80 GB SXM (published peak rates), 312 TFLOP/s and 2039 GB/s",
  );
  const gpu = { name: "a small one", tflops: 10, gbs: 300, efficiency: 0.5 };
  assertStringIncludes(
    noteOf(build({ plan: { ...plan, gpu }, stored })),
    "One GPU: a small one, 10 TFLOP/s and 300 GB/s",
  );
  const given = buildReport({ plan, stored, faults: [], setAside: [], gpu }, fakeRegistries);
  assertStringIncludes(noteOf(given), "a share of 0.5 is assumed");
});

Deno.test("buildReport() of a sweep of sizes names what is missing with its size, and does without fits", async () => {
  const { plan, stored } = await made({ ...growing, seeds: [0] });
  const few = stored.filter(({ config }) => config.optimizer.id === "lora").slice(0, 2);
  const report = build({ plan, stored: few });
  assertStringIncludes(report.caveats.join("\n"), "digits full (width 12, batch 16) at 0.004, seed 0");
  assert(!report.tables.some(({ title }) => /^Fitted|^What the paper/.test(title)));
  assertEquals(build({ plan, stored: [] }).charts, []);
  assertStringIncludes(build({ plan, stored: [] }).answer.join(), "nothing to say yet");
});

Deno.test("buildReport() of sizes on one task and scores on another shows both", async () => {
  const { plan, stored } = await made({ ...growing, seeds: [0] });
  const scored = await made({ ...fakeSweep, tasks: [fakeSweep.tasks[1]!] });
  const report = build({
    plan: { ...plan, runs: [...plan.runs, ...scored.plan.runs] },
    stored: [...stored, ...scored.stored],
  });
  assert(ids(report).includes("score-by-rank") && ids(report).includes("growth-of-step-time"));
  assertEquals(new Set(rowsOf(report, "Scores").map(([task]) => task)), new Set(["Word problems"]));
});
