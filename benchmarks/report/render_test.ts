import { assert, assertEquals } from "@std/assert";
import { a100 } from "../cost/growth/predict.ts";
import { choose } from "../rates/choose.ts";
import { fakeRegistries, manyMethods, tenTasks } from "../../tests/support/fakes/registries.ts";
import { fakeDone } from "../../tests/support/fakes/results.ts";
import { fakePlan, fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { expand, type SweepSpec } from "../sweep/sweep.ts";
import { EVERYTHING } from "./drawing/filters.ts";
import { layOut } from "./drawing/lay_out.ts";
import type { Chart } from "./charts/chart.ts";
import type { Study } from "../study/study.ts";
import type { VegaLiteSpec } from "./drawing/lay_out.ts";
import { axisCharts } from "./charts/by_axis.ts";
import { charts } from "./charts/mod.ts";
import { renderSvg } from "./render.ts";
import { makeStudy } from "../study/make_study.ts";

async function studyOf(spec: SweepSpec, registries = fakeRegistries) {
  const { configs } = expand(spec, registries);
  const results = await Promise.all(configs.map((config) => fakeDone(config)));
  return makeStudy(configs, results, choose("tune", results).rates, registries, a100);
}

const tuned: SweepSpec = {
  ...fakeSweep,
  optimizers: ["full", "lora", "lora-ga", "lora-pro"].map((id) => ({ id, learningRates: [0.001, 0.004] })),
};

/** Charts that only sweeps over several tasks have. */
const OVER_TASKS = ["difference-over-tasks", "improvement-over-tasks", "performance-profile"];

const growing: SweepSpec = {
  ...tuned,
  ranks: [4],
  vary: { batchSize: [8, 16, 32], width: [8, 12, 16, 24], layers: [1, 2, 4], rank: [1, 2, 4, 8] },
};

/** The same methods with one that tells of itself, and with fourteen others. */
const telling: SweepSpec = { ...tuned, optimizers: [...tuned.optimizers, { id: "adalora" }] };
const many: SweepSpec = {
  ...tuned,
  optimizers: Object.values(manyMethods.optimizers).map(({ id }) => ({ id, learningRates: [0.001, 0.004] })),
};

/** One method in three variants, beside LoRA and full fine-tuning. */
const varied: SweepSpec = {
  ...tuned,
  optimizers: [
    { id: "full" },
    { id: "lora" },
    ...["full", "efficient", "sgd"].map((mode) => ({ id: "lora-pro", options: { mode } })),
  ],
};

/** As many tasks as are pooled. */
const overTasks: SweepSpec = {
  ...fakeSweep,
  tasks: Object.keys(tenTasks.tasks).slice(0, 4).map((id) => ({
    ...fakeSweep.tasks[1]!,
    task: { ...fakeSweep.tasks[1]!.task, id },
  })),
  optimizers: tuned.optimizers.map(({ id }) => ({ id, learningRates: [0.004] })),
};

const studies = {
  overTasks: await studyOf(overTasks, tenTasks),
  telling: await studyOf(telling, manyMethods),
  varied: await studyOf(varied),
  growing: await studyOf(growing),
  tuned: await studyOf(tuned),
};

/** A study that has what a chart shows: one of scores or one of sizes. */
function studyFor(chart: Chart): Study {
  if (["inspected-by-step", "ranks-kept"].includes(chart.id)) return studies.telling;
  if (OVER_TASKS.includes(chart.id)) return studies.overTasks;
  return chart.id.startsWith("growth-") ? studies.growing : studies.tuned;
}

/** A chart's specification for a reader who chose nothing. */
function specOf(chart: Chart, study: Study): VegaLiteSpec | null {
  const drawing = chart.draw(study);
  return drawing && layOut(drawing, EVERYTHING);
}

/** Full fine-tuning has no factors: no bound to be held against, no A to be moved, no second order. */
const aboutFactors = [
  "discrepancy-by-step",
  "discrepancy-by-layer",
  "discrepancy-by-kind",
  "discrepancy-by-module",
  "second-order-by-step",
  "move-of-a-by-step",
];

/** True where a chart should name a method. */
function shows(chart: Chart, optimizer: string): boolean {
  // It has no place for a name: no other method shares out ranks.
  if (chart.id === "ranks-kept") return false;
  // What all others are held against stands in a heading.
  if (OVER_TASKS.includes(chart.id)) return true;
  if (chart.id === "inspected-by-step") return optimizer === "adalora";
  return optimizer !== "full" || !aboutFactors.includes(chart.id);
}

Deno.test("renderSvg() draws every chart, with every method in its legend", async () => {
  for (const chart of charts) {
    const study = studyFor(chart);
    const svg = await renderSvg(specOf(chart, study)!, chart.id);
    assert(!/NaN|undefined|Infinity/.test(svg), `${chart.id} has numbers that aren't`);
    for (const { label, optimizer } of study.methods) {
      if (shows(chart, optimizer)) assert(svg.includes(label), `${chart.id} lacks ${label}`);
    }
  }
  const [chart, ...others] = axisCharts(studies.varied), [axis] = studies.varied.axes;
  assertEquals([chart!.id, others], ["by-mode", []]);
  const svg = await renderSvg(specOf(chart!, studies.varied)!, chart!.id);
  assert(!/NaN|undefined|Infinity/.test(svg), "by-mode has numbers that aren't");
  for (const { label } of axis!.series) assert(svg.includes(label), `by-mode lacks ${label}`);
  for (const mode of ["full", "efficient", "sgd"]) assert(svg.includes(`>${mode}<`), `by-mode lacks ${mode}`);
});

Deno.test("renderSvg() gives the same text for the same chart, and its own ids to each", async () => {
  const idsOf = (svg: string) => [...svg.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id!);
  const all: string[] = [];
  for (const chart of charts) {
    const spec = specOf(chart, studyFor(chart))!;
    const svg = await renderSvg(spec, chart.id);
    assertEquals(await renderSvg(spec, chart.id), svg);
    all.push(...idsOf(svg));
    const used = [...svg.matchAll(/url\(#([^)]+)\)/g)].map(([, id]) => id!);
    assert(used.every((id) => idsOf(svg).includes(id)));
  }
  assertEquals(new Set(all).size, all.length);
});

Deno.test("charts of scores and measurements hold fifteen methods, no wider than a page can show", async () => {
  const study = await studyOf({ ...many, ranks: [1, 2, 4, 8] }, manyMethods);
  assertEquals(study.methods.length, 15);
  for (const chart of charts) {
    const spec = specOf(chart, study);
    if (!spec) continue;
    const svg = await renderSvg(spec, chart.id);
    assert(!/NaN|undefined|Infinity/.test(svg), `${chart.id} has numbers that aren't`);
    for (const { label, optimizer } of study.methods) {
      // Panels print what describes a method on a second line.
      const lines = label.replace(" (", "\n(").split("\n");
      if (shows(chart, optimizer)) {
        assert(lines.every((line) => svg.includes(line)), `${chart.id} lacks ${label}`);
      }
    }
    const width = Number(/width="(\d+)"/.exec(svg)![1]);
    assert(width <= 1500, `${chart.id} is ${width} pixels wide`);
  }
});

Deno.test("charts draw one task, one rank, one seed and methods without ranks", async () => {
  const small: SweepSpec[] = [
    { ...fakeSweep, tasks: [fakeSweep.tasks[0]!], ranks: [2], seeds: [0] },
    { ...fakeSweep, optimizers: [{ id: "full" }], seeds: [0] },
    { ...fakeSweep, optimizers: [{ id: "lora" }], ranks: [8] },
    { ...fakeSweep, optimizers: [{ id: "full" }], vary: { width: [8, 16] } },
  ];
  for (const spec of small) {
    const study = await studyOf(spec);
    for (const chart of charts) {
      const drawn = specOf(chart, study);
      if (drawn) assert(!/NaN|undefined|Infinity/.test(await renderSvg(drawn, chart.id)), chart.id);
    }
  }
});

Deno.test("charts draw nothing from nothing", async () => {
  const study = makeStudy((await fakePlan()).runs.map(({ config }) => config), [], [], fakeRegistries, a100);
  assertEquals(charts.map((chart) => chart.draw(study)), charts.map(() => null));
});
