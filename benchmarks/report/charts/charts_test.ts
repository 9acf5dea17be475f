import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import * as vega from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import { createRandom } from "../../../numerics/random.ts";
import { basesOf } from "../../sweep/bases.ts";
import { choose } from "../../rates/choose.ts";
import { fakeRegistries, manyMethods, tenTasks } from "../../../tests/support/fakes/registries.ts";
import { fakeBase, fakeDiverged, fakeDone } from "../../../tests/support/fakes/results.ts";
import { fakeSweep } from "../../../tests/support/fakes/sweep.ts";
import { a100 } from "../../cost/growth/predict.ts";
import { mean, studentInterval } from "../../statistics/statistics.ts";
import { expand, type SweepSpec } from "../../sweep/sweep.ts";
import type { RunConfig, RunResult } from "../../../training/run.ts";
import type { Chart } from "./chart.ts";
import type { Study } from "../../study/study.ts";
import type { VegaLiteSpec } from "../drawing/lay_out.ts";
import { makeStudy } from "../../study/make_study.ts";
import { overTasks as pooledOf } from "../../study/over_tasks.ts";
import { comparePairs } from "../../study/pairs.ts";
import { styleOf } from "../../study/styles.ts";
import { targetOf } from "./cost_to_target.ts";
import { thin } from "../drawing/curves.ts";
import { drawnPanels, panelFaults, type Row, type SceneNode } from "../../../tests/support/drawn_panels.ts";
import { EVERYTHING, FILTERS, rowFilter } from "../drawing/filters.ts";
import { ARROWHEAD } from "../drawing/intervals.ts";
import { type Choice, layOut } from "../drawing/lay_out.ts";
import { meansOverRuns } from "../drawing/means.ts";
import { axisCharts } from "./by_axis.ts";
import { charts } from "./mod.ts";
import { MOST_CURVES, sideBySide } from "../drawing/panels.ts";
import { methodOrder, methodsByResult } from "../drawing/scales.ts";
import { paretoFront } from "../drawing/pareto.ts";

async function studyOf(
  spec: SweepSpec,
  make: (config: RunConfig) => Promise<RunResult> = fakeDone,
  registries = manyMethods,
): Promise<Study> {
  const { configs } = expand(spec, registries);
  const results = await Promise.all(configs.map((config) => make(config)));
  const bases = await Promise.all(basesOf(configs).map(fakeBase));
  return makeStudy(configs, results, choose("tune", results).rates, registries, a100, bases);
}

const at = (...ids: readonly string[]) => ids.map((id) => ({ id, learningRates: [0.001, 0.004] }));
const few: SweepSpec = {
  ...fakeSweep,
  optimizers: [...at("full", "lora", "adalora"), { id: "lora-pro", options: { mode: "full" } }, {
    id: "lora-pro",
    options: { mode: "sgd" },
  }],
  seeds: [0, 1, 2],
};
const many: SweepSpec = {
  ...fakeSweep,
  optimizers: at(...Object.values(manyMethods.optimizers).map(({ id }) => id)),
  ranks: [2],
};
const overTasks: SweepSpec = {
  ...fakeSweep,
  tasks: Object.keys(tenTasks.tasks).slice(0, 5).map((id) => ({
    ...fakeSweep.tasks[1]!,
    task: { ...fakeSweep.tasks[1]!.task, id },
  })),
  optimizers: ["full", "lora", "lora-pro"].map((id) => ({ id, learningRates: [0.004] })),
};
const growing: SweepSpec = {
  ...fakeSweep,
  ranks: [4],
  vary: { batchSize: [8, 16, 32], width: [8, 12, 16, 24], layers: [1, 2, 4], rank: [1, 2, 4, 8] },
};

const alphas: SweepSpec = { ...few, seeds: [0, 1], vary: { alpha: [4, 16, 64] } };

type Wanted = Readonly<Partial<Record<typeof FILTERS[number]["parameter"], readonly (string | number)[]>>>;

/** What a reader chose. */
function choicesOf(wanted: Wanted): readonly Choice[] {
  return EVERYTHING.map((choice) => ({
    ...choice,
    values: wanted[choice.parameter as keyof Wanted] ?? null,
  }));
}

/** A chart as a page lays it out; null where it shows nothing. */
function laidOut(chart: Chart | string, study: Study, wanted: Wanted = {}): VegaLiteSpec | null {
  const all = [...charts, ...axisCharts(study)];
  const found = typeof chart === "string" ? all.find(({ id }) => id === chart) : chart;
  if (!found) return null;
  const drawing = found.draw(study);
  return drawing && layOut(drawing, choicesOf(wanted));
}

/** A chart as a page runs it, and what its compiler and its view complained of. */
function headless(spec: VegaLiteSpec): { view: vega.View; said: string[] } {
  const said: string[] = [];
  const note = (...words: readonly unknown[]) => {
    const text = words.map(String).join(" ");
    // What Vega says of a layer that has nothing to show in one of many panels.
    if (!text.startsWith("WARN Infinite extent") && !text.startsWith("Infinite extent")) said.push(text);
    return logger;
  };
  const quiet = () => logger;
  const logger = { level: quiet, error: note, warn: note, info: quiet, debug: quiet } as unknown as
    & vega.LoggerInterface
    & { level(_: number): never };
  // The compiler's own type wants literal unions that a plain JSON object doesn't have.
  const compiled = compile(spec as unknown as TopLevelSpec, { logger: logger as never }).spec;
  return { view: new vega.View(vega.parse(compiled), { renderer: "none", logger }), said };
}

/** A mark's row and its own look. */
interface Drawn {
  readonly datum: Row;
  readonly shape?: string;
  readonly angle?: number;
  readonly type: string;
}

/** Every mark that is drawn, axes and legends aside. */
function marksOf(view: vega.View): Drawn[] {
  const found: Drawn[] = [];
  const visit = (node: Record<string, unknown>, type: string) => {
    const items = node["items"] as readonly Record<string, unknown>[] | undefined;
    const own = typeof node["marktype"] === "string" ? node["marktype"] : type;
    const role = node["role"];
    if (typeof role === "string" && /axis|legend|title|header|footer/.test(role)) return;
    const datum = node["datum"] as Row | undefined;
    if (datum !== undefined && "task" in datum && own !== "group" && node["opacity"] !== 0) {
      const { shape, angle } = node;
      found.push({
        datum,
        type: own,
        ...typeof shape === "string" && { shape },
        ...typeof angle === "number" && { angle },
      });
    }
    for (const item of items ?? []) visit(item, own);
  };
  visit((view.scenegraph() as unknown as { root: Record<string, unknown> }).root, "");
  return found;
}

const studies = [
  { name: "few methods", study: await studyOf(few) },
  { name: "fifteen methods", study: await studyOf(many) },
  {
    name: "many methods without LoRA",
    study: await studyOf({ ...many, optimizers: many.optimizers.filter(({ id }) => id !== "lora") }),
    // What is chosen goes by the same code as of fifteen.
    all: true,
  },
  { name: "five tasks", study: await studyOf(overTasks, fakeDone, tenTasks) },
  { name: "sizes", study: await studyOf(growing, fakeDone, fakeRegistries) },
];

/** Curves that are laid out as those of loss-by-step and discrepancy-by-step are: one of them is enough of what takes long. */
const ALIKE = [
  "loss-by-seconds",
  "discrepancy-by-layer",
  "second-order-by-step",
  "move-of-a-by-step",
  "effective-rank-by-step",
  "score-by-rate",
];

for (const { name, study, all = false } of studies) {
  Deno.test(`charts of ${name} compile and draw without a word of complaint`, async () => {
    const drawn = charts.flatMap((chart) => {
      const spec = laidOut(chart, study);
      return spec ? [{ chart, spec }] : [];
    });
    assert(drawn.length > 1);
    for (const { chart, spec } of drawn) {
      const { view, said } = headless(spec);
      const svg = await view.toSVG();
      assertEquals(said, [], chart.id);
      assert(!/NaN|undefined|Infinity/.test(svg), `${chart.id} has numbers that aren't`);
      assert(marksOf(view).length > 0, `${chart.id} shows nothing`);
      view.finalize();
    }
  });

  Deno.test(`each panel of ${name} shows what its headings say, for all${all ? "" : " and for the first and last choice of one"}`, async () => {
    for (const chart of charts.filter(({ id }) => !ALIKE.includes(id))) {
      const drawing = chart.draw(study);
      if (!drawing) continue;
      for (const wanted of all ? [{}] : [{}, ...choicesOfOne(study)]) {
        const spec = layOut(drawing, choicesOf(wanted)), at = `${chart.id} ${JSON.stringify(wanted)}`;
        const passing = (drawing.rows as readonly Row[]).filter((row) => passes(row, wanted));
        if (!spec) {
          assertEquals(passing.filter(({ beside, best }) => !beside && best !== false), [], at);
          continue;
        }
        const { view } = headless(spec);
        await view.runAsync();
        assertEquals(faultsOf(view, study), [], at);
        const root = (view.scenegraph() as unknown as { root: SceneNode }).root;
        const drawn = new Set(marksOf(view).flatMap(({ datum }) => [datum["method"], datum["rankName"]]));
        assertEquals(legendOf(root).filter((name) => !drawn.has(name)), [], `${at}: in the legend alone`);
        const others = marksOf(view).filter(({ datum }) => !passes(datum, wanted));
        assertEquals(others.map(({ datum }) => [datum["task"], datum["method"], datum["rank"]]), [], at);
        view.finalize();
      }
    }
  });
}

Deno.test("where a task was not run at a rank, that panel alone is empty", async () => {
  const { study } = studies[0]!;
  const [task] = study.tasks, [rank] = study.ranks;
  const drawing = charts.find(({ id }) => id === "loss-by-step")!.draw(study)!;
  const rows = (drawing.rows as readonly Row[]).filter((row) =>
    row["rank"] !== null && !(row["task"] === task!.id && row["rank"] === rank)
  );
  const { view } = headless(layOut({ ...drawing, rows }, EVERYTHING)!);
  await view.runAsync();
  assertEquals(faultsOf(view, study), [`the panel under ${task!.title}, rank ${rank} is empty`]);
  view.finalize();
});

/** The first and last value of each filter by itself; of many methods' study, which takes long to draw, the last. */
function choicesOfOne({ tasks, methods, ranks, cells }: Study): Wanted[] {
  const runs = cells.flatMap(({ grid }) => grid);
  const values = {
    shownTasks: tasks.map(({ id }) => id),
    shownMethods: methods.map(({ label }) => label),
    shownRanks: ranks,
    shownSeeds: [...new Set(runs.flatMap(({ runs }) => runs.map(({ config }) => config.seed)))],
    shownRates: [...new Set(runs.map(({ learningRate }) => learningRate))],
  };
  return Object.entries(values).flatMap(([parameter, all]) =>
    (methods.length > MOST_CURVES ? all.slice(-1) : [...new Set([all[0]!, all.at(-1)!])]).map((value) => ({
      [parameter]: [value],
    }))
  );
}

function passes(row: Row, wanted: Wanted): boolean {
  return FILTERS.every(({ parameter, field }) => {
    const values = wanted[parameter], value = row[field];
    return !values || value === null || value === undefined || values.includes(value as string);
  });
}

/** Sentences about panels that do not show what their headings say. */
function faultsOf(view: vega.View, study: Study): string[] {
  const { panels, idle } = drawnPanels((view.scenegraph() as unknown as { root: SceneNode }).root);
  return [
    ...panels.length === 0 ? ["there is no panel"] : [],
    ...idle.map((heading) => `no panel is under ${heading}`),
    ...panels.flatMap((panel) => panelFaults(panel, study)),
  ];
}

Deno.test("difference-over-tasks has each task's difference and their mean with Student's interval, of the tasks that are shown", async () => {
  const results: RunResult[] = [];
  const study = await studyOf(overTasks, async (config) => {
    const lost = config.optimizer.id === "lora-pro" && config.task.id === "third" && config.seed === 1;
    const result = await (lost ? fakeDiverged : fakeDone)(config);
    results.push(result);
    return result;
  }, tenTasks);
  const scoreOf = (method: string, rank: number | null, task: string, seed: number) => {
    const found = results.find(({ config }) =>
      config.optimizer.id === method && (config.optimizer.options["rank"] ?? null) === rank &&
      config.task.id === task && config.seed === seed
    )!;
    // Chance is 0 here.
    return found.status === "done" ? found.outcome.score : 0;
  };
  for (
    const [tasks, wanted] of [
      [5, {}],
      [4, { shownTasks: ["first", "third", "fourth", "fifth"] }],
      [2, { shownTasks: ["first", "third"] }],
    ] as const
  ) {
    const { view } = headless(laidOut("difference-over-tasks", study, wanted)!);
    await view.runAsync();
    const shown = study.tasks.map(({ id }) => id).filter((id) =>
      !("shownTasks" in wanted) || wanted.shownTasks.some((one) => one === id)
    );
    const differences = shown.map((task) =>
      (scoreOf("lora-pro", 8, task, 0) - scoreOf("full", null, task, 0) + scoreOf("lora-pro", 8, task, 1) -
        scoreOf("full", null, task, 1)) / 2
    );
    const marks = marksOf(view).filter(({ datum }) =>
      datum["series"] === "LoRA-Pro, r 8" && datum["heading"] === "against Full fine-tuning" &&
      datum["method"] !== undefined
    );
    const small = marks.filter(({ type, datum }) => type === "symbol" && datum["runs"] !== undefined)
      .filter(({ datum }, i, all) => all.findIndex((one) => one.datum["task"] === datum["task"]) === i);
    assertEquals(small.length, tasks);
    for (const [i, task] of shown.entries()) {
      const own = small.find(({ datum }) => datum["task"] === task)!.datum;
      assertAlmostEquals(own["differenceMean"] as number, differences[i]!, 2e-4);
    }
    const { datum: overall } = marks.find(({ type, datum }) => type === "rule" && datum["place"] === 1)!;
    assertAlmostEquals(overall["overall"] as number, differences.reduce((a, b) => a + b) / tasks, 2e-4);
    const interval = studentInterval(differences)!;
    const [low, high] = tasks < 4 ? [overall["overall"], overall["overall"]] : [interval.low, interval.high];
    assertAlmostEquals(overall["low"] as number, low as number, 1e-3, `${tasks} tasks`);
    assertAlmostEquals(overall["high"] as number, high as number, 1e-3, `${tasks} tasks`);
    // A click on the mean leads to all of its runs, one on a task to that task's.
    const large = marks.find(({ type, datum }) =>
      type === "symbol" && (datum["runs"] as string[] | null)?.length === 2 * tasks
    );
    assert(large, `${tasks} tasks`);
    view.finalize();
  }
});

Deno.test("performance-profile has the share of runs that reach each score, each task with the same weight, of what is shown", async () => {
  // Tasks with unequal numbers of runs.
  const study = await studyOf(
    { ...overTasks, seeds: [0, 1, 2] },
    (config) => (config.task.id === "second" && config.seed > 0 ? fakeDiverged : fakeDone)(config),
    tenTasks,
  );
  for (const wanted of [{}, { shownTasks: ["first", "second"] }, { shownSeeds: [0] }] as Wanted[]) {
    const { view } = headless(laidOut("performance-profile", study, wanted)!);
    await view.runAsync();
    for (const method of study.methods) {
      const cells = study.cells.filter((cell) =>
        cell.method === method && (cell.rank ?? 8) === 8 &&
        (wanted.shownTasks?.includes(cell.task.id) ?? true)
      );
      const scores = cells.map(({ runs }) =>
        runs.filter(({ config }) => wanted.shownSeeds?.includes(config.seed) ?? true).map(({ outcome }) =>
          outcome.score
        )
      ).filter(({ length }) => length > 0);
      const points = marksOf(view).map(({ datum }) => datum).filter((datum) =>
        datum["method"] === method.label && (datum["rank"] ?? 8) === 8
      );
      assertEquals(
        new Set(points.map(({ reached }) => Number(reached))),
        new Set([0, ...scores.flat(), 1].map((score) => Number(score.toPrecision(4)))),
      );
      for (const { reached, share } of points) {
        const wants = mean(scores.map((own) => mean(own.map((score) => score >= Number(reached) ? 1 : 0))));
        assertAlmostEquals(Number(share), wants, 1e-9, `${method.label} at ${reached}`);
      }
    }
    view.finalize();
  }
});

Deno.test("improvement-over-tasks has the share of pairs of runs that a method wins, and an interval of all tasks and seeds alone", async () => {
  const study = await studyOf(
    { ...overTasks, seeds: [0, 1, 2, 3] },
    (config) =>
      (config.optimizer.id === "lora-pro" && config.task.id === "third" && config.seed === 1
        ? fakeDiverged
        : fakeDone)(config),
    tenTasks,
  );
  const drawnOf = async (wanted: Wanted) => {
    const { view } = headless(laidOut("improvement-over-tasks", study, wanted)!);
    await view.runAsync();
    const marks = marksOf(view).filter(({ datum }) =>
      datum["series"] === "LoRA-Pro, r 8" && datum["heading"] === "against Full fine-tuning" &&
      datum["method"] !== undefined
    );
    view.finalize();
    const large = marks.find(({ datum, type }) => type === "symbol" && datum["place"] === 1)!;
    return { overall: large.datum["overall"] as number, lines: marks.filter(({ type }) => type === "rule") };
  };
  // What loses counts as chance, which is 0 here.
  const scoresOf = (method: string, task: string) =>
    study.cells.filter((cell) =>
      cell.method.optimizer === method && cell.task.id === task && (cell.rank ?? 8) === 8
    ).flatMap(({ runs, diverged }) => [
      ...runs.map(({ config, outcome }) => ({ seed: config.seed, score: outcome.score })),
      ...diverged.map((seed) => ({ seed, score: 0 })),
    ]);
  const shareOf = (tasks: readonly string[], seeds: readonly number[]) => {
    const all = tasks.map((task) => {
      const ours = scoresOf("lora-pro", task).filter(({ seed }) => seeds.includes(seed));
      const theirs = scoresOf("full", task);
      return mean(
        ours.flatMap(({ score }) =>
          theirs.map((other) => score > other.score ? 1 : score === other.score ? 0.5 : 0)
        ),
      );
    });
    return mean(all);
  };
  const tasks = study.tasks.map(({ id }) => id), whole = await drawnOf({});
  assertAlmostEquals(whole.overall, shareOf(tasks, [0, 1, 2, 3]), 1e-3);
  const pooled =
    pooledOf(study, comparePairs(study)).pairs.find(({ ours, rank, theirs }) =>
      ours.optimizer === "lora-pro" && rank === 8 && theirs.optimizer === "full"
    )!.improvement;
  assertAlmostEquals(whole.overall, pooled.value, 1e-3);
  assertEquals(whole.lines.length, 1);
  const [{ datum }] = whole.lines as [Drawn];
  assertAlmostEquals(datum["low"] as number, pooled.interval!.low, 1e-3);
  assertAlmostEquals(datum["high"] as number, pooled.interval!.high, 1e-3);
  const two = await drawnOf({ shownTasks: ["first", "third"] }), one = await drawnOf({ shownSeeds: [1] });
  assertAlmostEquals(two.overall, shareOf(["first", "third"], [0, 1, 2, 3]), 1e-3);
  assertAlmostEquals(one.overall, shareOf(tasks, [1]), 1e-3);
  assertEquals([two.lines.length, one.lines.length], [0, 0]);
});

Deno.test("charts list the baselines first, then the methods by their scores, whatever the order of the plan", async () => {
  const study = await studyOf({ ...many, optimizers: many.optimizers.toReversed() });
  const order = methodsByResult(study), others = order.slice(2);
  assertEquals(order.slice(0, 2).map(({ optimizer }) => optimizer).toSorted(), ["full", "lora"]);
  const meanOf = (method: typeof order[number]) =>
    mean(
      study.cells.filter((cell) => cell.method === method).map(({ runs }) =>
        mean(runs.map(({ outcome }) => outcome.score))
      ),
    );
  assertEquals(others, others.toSorted((a, b) => meanOf(b) - meanOf(a)));
  assertEquals(
    methodOrder(study, study.methods.map(({ label }) => ({ method: label }))),
    order.map(({ label }) => label),
  );
});

Deno.test("charts show a method at the rate that speaks for it, and at others where they are asked for", async () => {
  const { study } = studies[0]!;
  for (const id of ["score-by-rank", "loss-by-step", "score-against-cost", "score-against-discrepancy"]) {
    const { view } = headless(laidOut(id, study)!);
    await view.runAsync();
    const before = marksOf(view).filter(({ datum }) => datum["method"] !== undefined);
    assert(before.length > 0 && before.every(({ datum }) => datum["best"] === true), id);
    view.finalize();
    const { view: another } = headless(laidOut(id, study, { shownRates: [0.001] })!);
    await another.runAsync();
    const after = marksOf(another).filter(({ datum }) => datum["method"] !== undefined);
    assert(after.length > 0 && after.every(({ datum }) => datum["rate"] === 0.001), id);
    another.finalize();
  }
});

Deno.test("methods have one colour in all charts and all reports, and variants shades of their own", () => {
  for (const { name, study } of studies) {
    const looks = new Map(study.methods.map(({ label, color }) => [label, color]));
    for (const chart of charts) {
      const drawing = chart.draw(study);
      if (!drawing) continue;
      const text = JSON.stringify(drawing);
      for (const [, domain, range] of text.matchAll(/"domain":(\["[^\]]*\]),"range":(\["#[^\]]*\])/g)) {
        const labels = JSON.parse(domain!) as string[], colors = JSON.parse(range!) as string[];
        if (!labels.some((label) => looks.has(label))) continue;
        assertEquals(colors, labels.map((label) => looks.get(label)), `${chart.id} of ${name}`);
      }
    }
  }
  const colorOf = (study: Study, optimizer: string) =>
    study.methods.find((method) => method.optimizer === optimizer)!.color;
  for (const id of ["full", "lora", "adalora", "lora-pro"]) {
    assertEquals(colorOf(studies[0]!.study, id), colorOf(studies[1]!.study, id));
  }
  const ids = [...Object.values(manyMethods.optimizers).map(({ id }) => id), "unknown"];
  const styles = ids.flatMap((id) =>
    Array.from({ length: 8 }, (_, before) => ({ id, ...styleOf(id, before) }))
  );
  const first = styles.filter((_, i) => i % 8 === 0);
  for (const variant of styles) {
    assert(/^#[0-9a-fA-F]{6}$/.test(variant.color), variant.color);
    assert(first.every((other) => other.id === variant.id || other.color !== variant.color), variant.id);
  }
  // A report may hold more methods without a style of their own than there are styles for them.
  const strangers = Array.from({ length: 20 }, (_, place) => JSON.stringify(styleOf("unknown", 0, place)));
  assertEquals(new Set(strangers).size, strangers.length);
});

Deno.test("an interval's end that was cut has an arrow, and no other end has", async () => {
  const two = { ...few, seeds: [0, 1] };
  let arrows = 0;
  for (
    const study of [await studyOf(two), await studyOf({ ...many, ranks: [2, 8] }), await studyOf(alphas)]
  ) {
    for (const id of ["score-by-rank", "by-alpha"]) {
      const spec = laidOut(id, study);
      if (!spec) continue;
      const { view } = headless(spec);
      await view.runAsync();
      const marks = marksOf(view), drawn = marks.filter(({ shape }) => shape === ARROWHEAD);
      arrows += drawn.length;
      const ends = marks.filter(({ type, datum }) => (type === "rule" || type === "rect") && "low" in datum);
      const own = ends.filter(({ datum }) => datum["member"] === 1 && datum["kind"] !== "before");
      // Full fine-tuning is a band and a line, in the panels of others too: one of each.
      const groups = new Map(own.map(({ datum }) => [nameOf(datum), datum]));
      const cut = [...groups].flatMap(([name, datum]) => {
        const field = id === "by-alpha" ? "value" : "score", number = (key: string) => datum[key] as number;
        const most = id === "by-alpha" && datum["measure"] !== "Score" ? Infinity : 1;
        return [
          ...Math.max(0, number(`${field}Low`)) < number("low") ? [`${name}, low`] : [],
          ...Math.min(most, number(`${field}High`)) > number("high") ? [`${name}, high`] : [],
        ];
      });
      const found = drawn.map(({ datum, angle }) =>
        `${nameOf(datum)}, ${angle! % 360 < 180 ? "high" : "low"}`
      );
      assertEquals(new Set(found), new Set(cut), id);
      assertEquals(found.length, cut.length, id);
      view.finalize();
    }
  }
  assert(arrows > 0, "no interval is cut: this test tests nothing");
});

function nameOf(datum: Row): string {
  return [
    datum["task"],
    datum["panel"],
    datum["line"] ?? datum["method"],
    datum["place"],
    datum["rank"],
    datum["measure"],
  ].join(" ");
}

/** A made-up run whose losses, measurements and costs are so many times as large. */
function times(factor: number) {
  return async (config: RunConfig): Promise<RunResult> => {
    const run = await fakeDone(config), { outcome } = run, { cost } = outcome;
    const scaled = (value: number | null | undefined) => typeof value === "number" ? factor * value : null;
    return {
      ...run,
      outcome: {
        ...outcome,
        validationLoss: outcome.validationLoss.map(({ step, value }) => ({ step, value: factor * value })),
        discrepancies: outcome.discrepancies.map((one) => ({
          ...one,
          gradientError: factor * one.gradientError,
          lowerBound: scaled(one.lowerBound),
          secondOrderShare: scaled(one.secondOrderShare),
          effectiveRank: scaled(one.effectiveRank),
          moveOfA: scaled(one.moveOfA),
        })),
        inspected: Object.fromEntries(
          Object.entries(outcome.inspected).map(([name, points]) =>
            [name, points.map(({ step, value }) => ({ step, value: factor * value }))] as const
          ),
        ),
        cost: {
          ...cost,
          attachMs: factor * cost.attachMs,
          medianStepMs: factor * cost.medianStepMs!,
          stateBytes: Math.round(factor * cost.stateBytes),
          peakBytes: Math.round(factor * cost.peakBytes!),
        },
      },
    };
  };
}

Deno.test("axes and tooltips write numbers of any size as tables do: no powers where digits do, no thousandths", async () => {
  const small = { ...few, seeds: [0], ranks: [2] };
  for (const factor of [1e-4, 1, 35, 1e5]) {
    for (
      const study of [
        await studyOf(small, times(factor)),
        await studyOf(growing, times(factor), fakeRegistries),
      ]
    ) {
      for (const chart of charts) {
        const spec = laidOut(chart, study);
        if (!spec) continue;
        const { view } = headless(spec);
        await view.runAsync();
        const labels = numbersOf((view.scenegraph() as unknown as { root: SceneNode }).root);
        const odd = labels.filter((label) => !/^(\d{1,3}(,\d{3})*(\.\d+)?[MGTP]?|[\d.]+e-\d+)?$/.test(label));
        assertEquals(odd, [], `${chart.id} times ${factor}`);
        const told = tooltipsOf((view.scenegraph() as unknown as { root: SceneNode }).root).join("\n");
        assert(!/\de\+|\dm\b/.test(told), `${chart.id} times ${factor} tells ${told.slice(0, 400)}`);
        view.finalize();
      }
    }
  }
});

/** What marks say where a mouse is over them. */
function tooltipsOf(node: SceneNode & { readonly tooltip?: unknown }): string[] {
  const own = node.tooltip ? [JSON.stringify(node.tooltip)] : [];
  return [...own, ...(node.items ?? []).flatMap(tooltipsOf)];
}

/** Names of a chart's legends of methods and ranks. */
function legendOf(node: SceneNode): unknown[] {
  const own = node.role === "legend-label" && typeof node.items?.[0]?.datum?.["value"] === "string";
  return (node.items ?? []).flatMap((item) => own ? [item.datum!["value"]] : legendOf(item));
}

/** Labels of axes of numbers. */
function numbersOf(node: SceneNode): string[] {
  const own = node.role === "axis-label" &&
    node.items?.every(({ datum }) => typeof datum?.["value"] === "number");
  return (node.items ?? []).flatMap((item) => own ? [String(item.text)] : numbersOf(item));
}

Deno.test("runs that never reach the target stand as such, and medians count them", async () => {
  const make = (config: RunConfig) =>
    config.optimizer.id === "lora-pro" && config.seed === 2 ? fakeDiverged(config) : fakeDone(config);
  const study = await studyOf({ ...few, optimizers: [...at("full", "lora"), { id: "lora-pro" }] }, make);
  const { view } = headless(laidOut("cost-to-target", study)!);
  await view.runAsync();
  const marks = marksOf(view), steps = marks.filter(({ datum }) => datum["measure"] === "Steps");
  for (const cell of study.cells) {
    const target = targetOf(study, cell.task)!;
    const reached = cell.runs.map(({ outcome }) =>
      outcome.validationLoss.find(({ value }) => value <= target)?.step
    );
    const own = steps.filter(({ datum }) =>
      datum["task"] === cell.task.id && datum["method"] === cell.method.label && datum["rank"] === cell.rank
    );
    const of = (kind: string) => own.filter(({ datum, type }) => type === kind && datum["run"] !== undefined);
    const never = of("symbol").filter(({ datum }) => datum["reached"] === false);
    assertEquals(never.length, reached.filter((step) => step === undefined).length);
    assert(never.every(({ shape }) => shape === "triangle-right"));
    const got = of("symbol").filter(({ datum }) => datum["reached"] === true);
    assertEquals(
      got.map(({ datum }) => datum["cost"] as number).sort((a, b) => a - b),
      reached.filter((step) => step !== undefined).sort((a, b) => a - b),
    );
    const [text] = own.filter(({ type }) => type === "text");
    assertEquals(text!.datum["share"], `${got.length}/${cell.runs.length + cell.diverged.length}`);
  }
  assert(
    steps.some(({ shape }) => shape === "triangle-right"),
    "no run is censored: this test tests nothing",
  );
  view.finalize();
});

/** What a specification's first transforms make of rows. */
async function transformed(rows: readonly Row[], transform: readonly object[]): Promise<Row[]> {
  const { view } = headless({
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    data: { values: rows },
    transform,
    mark: "point",
    encoding: {},
  });
  await view.runAsync();
  const marks = marksOf(view).map(({ datum }) => datum);
  view.finalize();
  return marks;
}

Deno.test("paretoFront() finds what brute force finds, among ties and equals too", async () => {
  const random = createRandom(3);
  const groups = ["a", "b", "c"].flatMap((task, i) => {
    const size = 40, coarse = [4, 12, 1000][i]!;
    const costs = random.fork(`cost ${task}`).uniform(size, -1, 1);
    const scores = random.fork(`score ${task}`).uniform(size, 0, 1);
    return Array.from({ length: size }, (_, id) => ({
      task,
      id,
      cost: Math.round(costs[id]! * coarse) / coarse,
      score: Math.round(scores[id]! * coarse) / coarse,
    }));
  });
  const rows = [...groups, { task: "alone", id: 0, cost: 0, score: 0 }];
  const found = await transformed(rows, paretoFront("cost", "score", ["task"]));
  assertEquals(found.length, rows.length);
  const beaten = (one: typeof rows[number]) =>
    rows.some((other) =>
      other.task === one.task && other.cost <= one.cost && other.score >= one.score &&
      (other.cost < one.cost || other.score > one.score)
    );
  for (const row of found) {
    assertEquals(row["front"], !beaten(row as unknown as typeof rows[number]), JSON.stringify(row));
  }
});

Deno.test("intervals in a chart are Student's, of the runs that are shown", async () => {
  const random = createRandom(5);
  const rows = [1, 2, 3, 7, 31, 32, 60].flatMap((n) =>
    Array.from(random.fork(`${n}`).uniform(n, 0, 1), (value, seed) => ({
      task: "t",
      method: `of ${n}`,
      rank: null,
      rate: 1,
      best: true,
      seed,
      run: `${n}-${seed}`,
      value,
    }))
  );
  for (const row of await transformed(rows, meansOverRuns(["value"]))) {
    const own = rows.filter(({ method }) => method === row["method"]).map(({ value }) => value);
    const exact = studentInterval(own) ?? { low: own[0]!, high: own[0]! };
    const half = (exact.high - exact.low) / 2;
    assertEquals(row["n"], own.length);
    assertAlmostEquals(row["valueLow"] as number, exact.low, 2e-3 * half + 1e-12);
    assertAlmostEquals(row["valueHigh"] as number, exact.high, 2e-3 * half + 1e-12);
  }
  const { study } = studies[0]!;
  const { view } = headless(laidOut("score-by-rank", study, { shownSeeds: [0, 2] })!);
  await view.runAsync();
  for (const cell of study.cells) {
    const scores = cell.runs.filter(({ config }) => config.seed !== 1).map(({ outcome }) => outcome.score);
    const mean = marksOf(view).find(({ datum }) =>
      datum["task"] === cell.task.id && datum["method"] === cell.method.label && datum["rank"] === cell.rank
    )!;
    const exact = studentInterval(scores)!;
    assertAlmostEquals(mean.datum["scoreLow"] as number, exact.low, 0.002);
    assertAlmostEquals(mean.datum["scoreHigh"] as number, exact.high, 0.002);
    assertEquals(mean.datum["n"], 2);
  }
  view.finalize();
});

Deno.test("a specification's own filter keeps what layOut() keeps: rows without a field, and none of an unknown value", async () => {
  const rows = [
    { task: "a", rank: null, rate: 1, best: false },
    { task: "a", rank: 2, method: "m", rate: 1, best: true },
    { task: "b", seed: 0 },
  ];
  const drawing = (rates: "best" | "every") => {
    const columns = { field: "task", order: ["a", "b"], x: "shared" as const };
    return sideBySide({ title: "Which?", rows, rates, layer: [{ mark: "point", encoding: {} }] }, columns);
  };
  for (
    const [wanted, best, every] of [
      [{}, 2, 3],
      [{ shownRanks: [2] }, 2, 3],
      [{ shownRanks: [8] }, 1, 2],
      [{ shownMethods: ["another"] }, 1, 2],
      [{ shownSeeds: [0] }, 2, 3],
      [{ shownSeeds: [1] }, 1, 2],
      [{ shownTasks: ["b"] }, 1, 1],
      [{ shownTasks: ["2"] }, 0, 0],
      [{ shownRates: [1] }, 3, 3],
      [{ shownRates: [2] }, 1, 1],
    ] as const
  ) {
    for (const [rates, count] of [["best", best], ["every", every]] as const) {
      const laid = layOut(drawing(rates), choicesOf(wanted));
      assertEquals((laid?.["data"] as { values: unknown[] } | undefined)?.values.length ?? 0, count);
      const { view } = headless({
        $schema: "https://vega.github.io/schema/vega-lite/v6.json",
        params: choicesOf(wanted).map(({ parameter, values }) => ({ name: parameter, value: values })),
        data: { values: rows },
        transform: [rowFilter(rates)],
        mark: "point",
        encoding: {},
      });
      await view.runAsync();
      assertEquals(marksOf(view).length, count, `${rates} ${JSON.stringify(wanted)}`);
      view.finalize();
    }
  }
});

Deno.test("thin() keeps both ends and no more than are seen", () => {
  assertEquals(thin([]), []);
  assertEquals(thin([7]), [7]);
  const long = Array.from({ length: 1001 }, (_, i) => i);
  const kept = thin(long);
  assertEquals([kept[0], kept.at(-1), new Set(kept).size], [0, 1000, kept.length]);
  assert(kept.length <= 40);
});
