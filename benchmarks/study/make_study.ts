/** @file Sorts results into the cells that tables and charts are made from. */
import type { Registries } from "../../training/configuration.ts";
import { canonicalJson } from "../../files/canonical_json.ts";
import type { BaseResult, RunConfig, RunResult } from "../../training/run.ts";
import { basesOf } from "../sweep/bases.ts";
import { fitCost, memoryTerms, timeTerms } from "../cost/growth/fit.ts";
import { growingTasks, measure } from "../cost/growth/points.ts";
import { type GpuRates, predict } from "../cost/growth/predict.ts";
import type { Equal } from "../sweep/axes.ts";
import { labelMethods, methodKey, rankOf, settingsOf as methodSettings } from "../sweep/method.ts";
import { predictCost } from "../cost/predicted_cost.ts";
import { areSameFiles, type ChosenRate, filesOf, rateFor, rateKey } from "../rates/rates.ts";
import { MARGIN } from "../statistics/verdicts.ts";
import type {
  Before,
  Cell,
  DoneBase,
  DoneRun,
  MethodGrowth,
  MethodLabel,
  RunsAtRate,
  Study,
  TaskGrowth,
  TaskLabel,
} from "./study.ts";
import { axesOf } from "./axes.ts";
import { runsAt } from "./runs_at.ts";
import { differenceOf, keyOfSetting, settingsOf } from "./settings.ts";
import { hasStyle, styleOf } from "./styles.ts";

/**
 * Sorts results by task, rank and method. Of the runs on a task that differ in more than method, rank, rate and seed only
 * the most are compared: the others are told in `leftOut`.
 *
 * @param configs the runs that the report is about, in their order, finished or not
 * @param rates how rates were chosen; where a method was run at several, the chosen one speaks for it
 * @param gpu what predictions are for
 * @param bases scores of base checkpoints, of these runs' or others'
 * @param margin differences of scores of less are "the same"
 * @param equal what stayed as it was while fields varied
 */
export function makeStudy(
  configs: readonly RunConfig[],
  results: readonly RunResult[],
  rates: readonly ChosenRate[],
  registries: Registries,
  gpu: GpuRates,
  bases: readonly BaseResult[] = [],
  margin = MARGIN,
  equal: readonly Equal[] = [],
): Study {
  const growing = growingTasks(configs);
  const ids = unique(configs.map((config) => config.task.id));
  const settings = new Map(
    ids.filter((id) => !growing.has(id)).map((id) => [id, settingsOf(configs, id)]),
  );
  const tasks = ids.map((id) =>
    labelTask(
      settings.get(id)?.[0]?.configs[0] ?? configs.find(({ task }) => task.id === id)!,
      registries,
      results.find((result) => result.config.task.id === id && sourceOf(result)),
    )
  );
  const methods = makeMethods(configs, registries);
  const ranks = unique(configs.map((config) => rankOf(config.optimizer)))
    .sort((a, b) => (a ?? 0) - (b ?? 0));
  const settled = tasks.filter(({ id }) => !growing.has(id));
  const isCompared = (config: RunConfig) => settings.get(config.task.id)?.[0]?.key === keyOfSetting(config);
  const planned = Map.groupBy(configs.filter(isCompared), keyOfCell);
  const finished = Map.groupBy(
    results.filter(({ config }) => isCompared(config)),
    ({ config }) => keyOfCell(config),
  );
  const cells = settled.flatMap((task) =>
    ranks.flatMap((rank) =>
      methods.flatMap((method): Cell[] => {
        const key = JSON.stringify([task.id, rank, method.key]);
        const own = planned.get(key);
        if (!own) return [];
        const learningRates = unique(own.map((config) => config.schedule.learningRate)).sort((a, b) => a - b);
        const grid = learningRates.map((learningRate) => runsAt(learningRate, finished.get(key) ?? []));
        const chosen = chosenOf(rates, own[0]!, grid);
        const speaking = grid.find(({ learningRate }) => learningRate === chosen?.learningRate) ?? grid[0]!;
        return [{
          task,
          method,
          rank,
          ...speaking,
          grid,
          chosen,
          predicted: predictCost(own[0]!, speaking.runs[0]?.outcome.rows, registries),
        }];
      })
    )
  );
  const growth = tasks.filter(({ id }) => growing.has(id)).map((task) =>
    growthOf(task, methods, configs, results, registries, gpu)
  );
  const before = tasks.flatMap((task) =>
    beforeOf(
      task,
      configs.filter((config) => config.task.id === task.id && (growing.has(task.id) || isCompared(config))),
      bases,
    )
  );
  const axes = axesOf(configs, results, tasks, registries, equal);
  const onAxis = new Set(axes.flatMap(({ configs }) => configs));
  const leftOut = settled.flatMap((task) => {
    const [first, ...others] = settings.get(task.id)!;
    return others.filter(({ configs }) => !configs.every((config) => onAxis.has(config))).map((
      { configs },
    ) => ({
      task,
      runs: configs.length,
      difference: differenceOf(configs[0]!, first!.configs[0]!),
    }));
  });
  return {
    tasks,
    methods,
    ranks: ranks.filter((rank) => rank !== null),
    cells,
    before,
    rates,
    growth,
    axes,
    leftOut,
    gpu,
    margin,
  };
}

function keyOfCell({ task, optimizer }: RunConfig): string {
  return JSON.stringify([task.id, rankOf(optimizer), methodKey(optimizer)]);
}

/**
 * The choice behind the rate of a cell: its own, or, where it was run at one rate alone, the one that a sweep would take
 * over from another rank, other options or another task. Null where the cell's rate is none of these.
 */
function chosenOf(
  rates: readonly ChosenRate[],
  { task, model, optimizer, steps }: RunConfig,
  grid: readonly RunsAtRate[],
): ChosenRate | null {
  const rank = rankOf(optimizer), key = methodKey(optimizer), files = filesOf({ task, model });
  const own = rates.find((rate) =>
    rate.task === task.id && rate.rank === rank && areSameFiles(rate, files) &&
    rateKey(rate) === key &&
    grid.some(({ learningRate }) => learningRate === rate.learningRate)
  );
  if (own || grid.length > 1) return own ?? null;
  const query = { task: task.id, model: model.id, ...files, optimizer, rank, steps };
  const taken = rateFor({ rates }, query)?.rate;
  return taken && taken.learningRate === grid[0]!.learningRate ? taken : null;
}

function beforeOf(task: TaskLabel, configs: readonly RunConfig[], bases: readonly BaseResult[]): Before[] {
  const wanted = new Set(basesOf(configs).map(canonicalJson));
  const result = bases.find((base): base is DoneBase =>
    base.status === "done" && wanted.has(canonicalJson(base.config))
  );
  return result ? [{ task, result }] : [];
}

function growthOf(
  task: TaskLabel,
  methods: readonly MethodLabel[],
  configs: readonly RunConfig[],
  results: readonly RunResult[],
  registries: Registries,
  gpu: GpuRates,
): TaskGrowth {
  const own = configs.filter((config) => config.task.id === task.id);
  const measured = measure(own, results.filter(({ config }) => config.task.id === task.id), registries);
  return {
    task,
    methods: methods.flatMap((method): MethodGrowth[] => {
      const points = measured.points.filter((point) => point.method === method.key);
      if (points.length === 0) return [];
      const module = Object.values(registries.optimizers).find(({ id }) => id === method.optimizer)!;
      const { options } = own.find((config) => methodKey(config.optimizer) === method.key)!.optimizer;
      const memory = fitCost(points, ({ peakBytes }) => peakBytes, memoryTerms);
      return [{
        method,
        points,
        curves: measured.curves.filter((point) => point.method === method.key),
        time: fitCost(points, ({ stepMs }) => stepMs, timeTerms),
        memory,
        predictions: memory ? predict(module, options, memory, gpu) : [],
      }];
    }),
  };
}

/** True where a rate was chosen for a cell, on its own data and model: what it came to elsewhere says nothing of the cell. */
export function isFor(rate: ChosenRate, task: TaskLabel, method: MethodLabel, rank: number | null): boolean {
  return rate.task === task.id && rate.rank === rank && areSameFiles(rate, task.files) &&
    rateKey(rate) === method.key;
}

/** The methods of some runs, in the registry's order, as reports name and draw them. */
export function makeMethods(
  configs: readonly RunConfig[],
  registries: Pick<Registries, "optimizers" | "described">,
): MethodLabel[] {
  const labels = labelMethods(configs.map((config) => config.optimizer), registries);
  const known = Object.values(registries.optimizers).map((module) => module.id);
  const place = (id: string) => known.includes(id) ? known.indexOf(id) : known.length;
  const choices = new Map(configs.map((config) => [methodKey(config.optimizer), config.optimizer]));
  const methods: MethodLabel[] = [];
  for (const [key, choice] of [...choices].toSorted(([, a], [, b]) => place(a.id) - place(b.id))) {
    const optimizer = choice.id;
    const before = methods.filter((method) => method.optimizer === optimizer).length;
    const others = new Set(methods.map((method) => method.optimizer).filter((id) => !hasStyle(id)));
    others.delete(optimizer);
    const settings = methodSettings(choice, registries);
    methods.push({
      key,
      optimizer,
      label: labels.get(key)!,
      settings,
      ...styleOf(optimizer, before, others.size),
    });
  }
  return methods;
}

/** The real data that a run was made on; undefined where the task made its own, and where the run has no score. */
export function sourceOf(result: RunResult | undefined): DoneRun["outcome"]["data"] {
  return result?.status === "done" ? result.outcome.data : undefined;
}

/** A task is called by its real data where it took some: its own title tells of its own examples. */
export function titleOfTask(id: string, registries: Registries, result: RunResult | undefined): string {
  return sourceOf(result)?.title ?? findTask(id, registries)?.title ?? id;
}

/** What is known of a task: by the registries, or as it was stored where it is from a file that is not at hand. */
function findTask(id: string, { tasks, described }: Registries) {
  const isIt = (known: { readonly id: string }) => known.id === id;
  return Object.values(tasks).find(isIt) ?? described?.tasks.find(isIt);
}

function labelTask(
  config: RunConfig,
  registries: Registries,
  onRealData: RunResult | undefined,
): TaskLabel {
  const { task: { id } } = config;
  const task = findTask(id, registries), source = sourceOf(onRealData);
  const realData = Object.values(registries.tasks).find((known) => known.id === id)?.realData;
  return {
    id,
    title: titleOfTask(id, registries, onRealData),
    files: filesOf(config),
    family: task?.family ?? null,
    metric: (source && realData?.metric) ?? task?.metric.name ?? "score",
    chance: source ? null : task?.metric.chance ?? null,
    measures: task?.measures ?? [],
  };
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
