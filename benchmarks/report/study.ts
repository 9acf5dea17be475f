/** @file Sorts results into the cells that tables and charts are made from. */
import type { Registries } from "../../training/configuration.ts";
import { type BaseResult, canonicalJson, type RunConfig, type RunResult } from "../../training/run.ts";
import { basesOf } from "../bases.ts";
import { fitCost, memoryTerms, timeTerms } from "../growth/fit.ts";
import { growingTasks, measure } from "../growth/points.ts";
import { type GpuRates, predict } from "../growth/predict.ts";
import { labelMethods, methodKey, rankOf } from "../method.ts";
import { predictCost } from "../predicted_cost.ts";
import type { ChosenRate } from "../rates.ts";
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
} from "./report.ts";
import { styleOf } from "./styles.ts";

/**
 * Sorts results by task, rank and method.
 *
 * @param configs the runs that the report is about, in their order, finished or not
 * @param rates how rates were chosen; where a method was run at several, the chosen one speaks for it
 * @param gpu what predictions are for
 * @param bases scores of base checkpoints, of these runs' or others'
 */
export function makeStudy(
  configs: readonly RunConfig[],
  results: readonly RunResult[],
  rates: readonly ChosenRate[],
  registries: Registries,
  gpu: GpuRates,
  bases: readonly BaseResult[] = [],
): Study {
  const tasks = unique(configs.map((config) => config.task.id)).map((id) =>
    labelTask(
      id,
      registries.tasks,
      results.find((result) => result.config.task.id === id && sourceOf(result)),
    )
  );
  const methods = makeMethods(configs, registries);
  const ranks = unique(configs.map((config) => rankOf(config.optimizer)))
    .sort((a, b) => (a ?? 0) - (b ?? 0));
  const growing = growingTasks(configs);
  const cells = tasks.filter(({ id }) => !growing.has(id)).flatMap((task) =>
    ranks.flatMap((rank) =>
      methods.flatMap((method): Cell[] => {
        const belongs = (config: RunConfig) =>
          config.task.id === task.id && rankOf(config.optimizer) === rank &&
          methodKey(config.optimizer) === method.key;
        const planned = configs.filter(belongs), own = results.filter(({ config }) => belongs(config));
        const peaks = unique(planned.map((config) => config.schedule.peak)).sort((a, b) => a - b);
        const grid = peaks.map((peak) => runsAt(peak, own));
        const chosen = grid.find(({ peak }) =>
          rates.some((rate) => isFor(rate, task, method, rank) && rate.peak === peak)
        ) ?? grid[0];
        if (!chosen) {
          return [];
        }
        return [{ task, method, rank, ...chosen, grid, predicted: predictCost(planned[0]!, registries) }];
      })
    )
  );
  const growth = tasks.filter(({ id }) => growing.has(id)).map((task) =>
    growthOf(task, methods, configs, results, registries, gpu)
  );
  const before = tasks.flatMap((task) =>
    beforeOf(task, configs.filter((config) => config.task.id === task.id), bases)
  );
  return { tasks, methods, ranks: ranks.filter((rank) => rank !== null), cells, before, rates, growth, gpu };
}

function beforeOf(task: TaskLabel, configs: readonly RunConfig[], bases: readonly BaseResult[]): Before[] {
  const wanted = new Set(basesOf(configs).map(canonicalJson));
  const result = bases.find((base): base is DoneBase =>
    base.status === "done" && wanted.has(canonicalJson(base.config))
  );
  return result ? [{ task, result }] : [];
}

function runsAt(peak: number, results: readonly RunResult[]): RunsAtRate {
  const own = results.filter(({ config }) => config.schedule.peak === peak)
    .toSorted((a, b) => a.config.seed - b.config.seed);
  return {
    peak,
    runs: own.filter((result): result is DoneRun => result.status === "done"),
    diverged: own.filter((result) => result.status === "diverged").map((result) => result.config.seed),
  };
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

/** True where a chosen rate is that of a cell. */
export function isFor(rate: ChosenRate, task: TaskLabel, method: MethodLabel, rank: number | null): boolean {
  return rate.task === task.id && rate.rank === rank &&
    methodKey({ id: rate.optimizer, options: rate.options }) === method.key;
}

/** The methods of some runs, in the registry's order, as reports name and draw them. */
export function makeMethods(
  configs: readonly RunConfig[],
  registries: Pick<Registries, "optimizers">,
): MethodLabel[] {
  const labels = labelMethods(configs.map((config) => config.optimizer), registries.optimizers);
  const known = Object.values(registries.optimizers).map((module) => module.id);
  const place = (id: string) => known.includes(id) ? known.indexOf(id) : known.length;
  const choices = new Map(configs.map((config) => [methodKey(config.optimizer), config.optimizer.id]));
  const methods: MethodLabel[] = [];
  for (const [key, optimizer] of [...choices].toSorted(([, a], [, b]) => place(a) - place(b))) {
    const before = methods.filter((method) => method.optimizer === optimizer).length;
    methods.push({ key, optimizer, label: labels.get(key)!, ...styleOf(optimizer, before) });
  }
  return methods;
}

/** The real data that a run was made on; undefined where the task made its own, and where the run has no score. */
export function sourceOf(result: RunResult | undefined): DoneRun["outcome"]["data"] {
  return result?.status === "done" ? result.outcome.data : undefined;
}

/** A task is called by its real data where it took some: its own title tells of its own examples. */
function labelTask(id: string, tasks: Registries["tasks"], onRealData: RunResult | undefined): TaskLabel {
  const task = Object.values(tasks).find((known) => known.id === id);
  const source = sourceOf(onRealData);
  return {
    id,
    title: source?.title ?? task?.title ?? id,
    family: task?.family ?? null,
    metric: (source && task?.realData?.metric) ?? task?.metric.name ?? "score",
    chance: source ? null : task?.metric.chance ?? null,
    measures: task?.measures ?? [],
  };
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
