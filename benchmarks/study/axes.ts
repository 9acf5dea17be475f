/** @file Which fields the runs of a report vary, and the runs by each field's values: whatever the field is. */
import { canonicalJson } from "../../files/canonical_json.ts";
import type { Registries } from "../../training/configuration.ts";
import type { RunConfig, RunResult } from "../../training/run.ts";
import { growingTasks } from "../cost/growth/points.ts";
import { choose } from "../rates/choose.ts";
import {
  type AxisValue,
  companionsOf,
  type Equal,
  FIELD_NAMES,
  isSize,
  readField,
  tellValue,
  titleOfField,
  withoutField,
} from "../sweep/axes.ts";
import { labelMethods, methodKey, rankOf } from "../sweep/method.ts";
import { runsAt } from "./runs_at.ts";
import { keyOfSetting } from "./settings.ts";
import type { AxisCell, AxisView, MethodLabel, TaskLabel } from "./study.ts";
import { hasStyle, styleOf } from "./styles.ts";

type Known = Pick<Registries, "optimizers" | "described" | "models">;

/**
 * The fields that runs vary: those of which a method has several values on a task, where all else is the same. What a
 * sweep changes along with a field, such as the steps at equal examples, counts as the same. Ranks have a chart of their
 * own, and are none.
 *
 * @param configs the runs that the report is about, finished or not
 * @param equal what stayed as it was while fields varied
 */
export function axesOf(
  configs: readonly RunConfig[],
  results: readonly RunResult[],
  tasks: readonly TaskLabel[],
  registries: Known,
  equal: readonly Equal[] = [],
): AxisView[] {
  const growing = growingTasks(configs), ownSized = configs.filter(({ task }) => !growing.has(task.id));
  const options = new Set(configs.flatMap(({ optimizer }) => Object.keys(optimizer.options)));
  options.delete("rank");
  return [...FIELD_NAMES, ...[...options].sort()].flatMap((field) => {
    // Of models of several sizes no field but the size says anything, and that of learning from random weights.
    const placed = runsAlong(
      isSize(field) ? configs : ownSized,
      field,
      companionsOf(field, equal),
      registries,
    );
    return placed.length > 0 ? [viewOf(field, placed, results, tasks, registries)] : [];
  });
}

/** A run on an axis. */
interface Placed {
  readonly config: RunConfig;
  /** Its method without the field and without what changes along with it. */
  readonly optimizer: RunConfig["optimizer"];
  /** Equal for runs that differ in the field alone: of one method, and of all methods. */
  readonly line: string;
  readonly setting: string;
  /** Null for a method that lacks the option. */
  readonly value: AxisValue | null;
}

/** The runs of a field's axis; none where nothing varies in it alone. */
function runsAlong(
  configs: readonly RunConfig[],
  field: string,
  companions: readonly string[],
  { models, optimizers }: Known,
): readonly Placed[] {
  // A run has an option that it does not name at its default.
  const defaults = new Map(
    Object.values(optimizers).map(({ id, defaults }) => [id, defaults[field] ?? null]),
  );
  const values = configs.map((config) =>
    readField(config, field, models) ?? defaults.get(config.optimizer.id) ?? null
  );
  // Most fields are the same everywhere, which is soon seen.
  if (new Set(values.map(keyOfValue)).size < 2) return [];
  const all = configs.map((config, i): Placed => {
    const bare = [field, ...companions].reduce(withoutField, config), { optimizer } = bare;
    const setting = keyOfSetting(bare);
    return {
      config,
      optimizer,
      setting,
      line: JSON.stringify([setting, keyOfSeries(optimizer)]),
      value: values[i]!,
    };
  });
  const byLine = [...Map.groupBy(all, ({ line }) => line).values()].map(ofAllSeeds);
  const placed = byLine.flat();
  const varying = byLine.filter((line) => new Set(line.map(({ value }) => keyOfValue(value))).size > 1)
    .flat();
  const lines = new Set(varying.map(({ line }) => line));
  const settings = new Set(varying.map(({ setting }) => setting));
  // A method that lacks the option stands beside those that have it, as full fine-tuning does beside ranks.
  return placed.filter(({ line, setting, value }) =>
    lines.has(line) || (value === null && settings.has(setting))
  );
}

/** The runs at the values that have as many seeds as any: a stray run of another setting varies nothing. */
function ofAllSeeds(line: readonly Placed[]): readonly Placed[] {
  const byValue = [...Map.groupBy(line, ({ value }) => keyOfValue(value)).values()];
  const seedsOf = (runs: readonly Placed[]) => new Set(runs.map(({ config: { seed } }) => seed)).size;
  const most = Math.max(...byValue.map(seedsOf));
  return byValue.filter((runs) => seedsOf(runs) === most).flat();
}

function viewOf(
  field: string,
  placed: readonly Placed[],
  results: readonly RunResult[],
  tasks: readonly TaskLabel[],
  registries: Known,
): AxisView {
  const values = sorted(placed.flatMap(({ value }) => value === null ? [] : [value]));
  const series = seriesOf(placed, registries);
  const names = labelMethods(placed.map(({ config }) => config.optimizer), registries);
  const finished = Map.groupBy(results, ({ config }) => canonicalJson(config));
  const points = Map.groupBy(placed, ({ line, value }) => JSON.stringify([line, keyOfValue(value)]));
  return {
    field,
    title: titleOfField(field),
    isSize: isSize(field),
    values,
    scale: scaleOf(values),
    series: [...series.values()],
    cells: [...points.values()].map((own): AxisCell => {
      const { config, optimizer, value } = own[0]!;
      const done = own.flatMap((one) => finished.get(canonicalJson(one.config)) ?? []);
      const rates = [...new Set(own.map(({ config: { schedule } }) => schedule.learningRate))].sort((a, b) =>
        a - b
      );
      const grid = rates.map((rate) => runsAt(rate, done)), chosen = choose("", done).rates[0]?.learningRate;
      return {
        ...grid.find(({ learningRate }) => learningRate === chosen) ?? grid[0]!,
        task: tasks.find(({ id }) => id === config.task.id)!,
        series: series.get(keyOfSeries(optimizer))!,
        method: names.get(methodKey(config.optimizer))!,
        rank: rankOf(config.optimizer),
        value,
        grid,
      };
    }),
    configs: placed.map(({ config }) => config),
  };
}

/** A line of a chart for each method and rank, with looks that tell them apart. */
function seriesOf(placed: readonly Placed[], registries: Known): ReadonlyMap<string, MethodLabel> {
  const choices = new Map(placed.map(({ optimizer }) => [keyOfSeries(optimizer), optimizer]));
  const labels = labelMethods([...choices.values()], registries);
  const areSeveral = new Set([...choices.values()].map(rankOf).filter((rank) => rank !== null)).size > 1;
  const known = Object.values(registries.optimizers).map(({ id }) => id);
  const place = (id: string) => known.includes(id) ? known.indexOf(id) : known.length;
  const ordered = [...choices].toSorted(([, a], [, b]) =>
    place(a.id) - place(b.id) || (rankOf(a) ?? 0) - (rankOf(b) ?? 0)
  );
  const own = [...new Set(ordered.map(([, { id }]) => id).filter((id) => !hasStyle(id)))];
  return new Map(ordered.map(([key, choice], i) => {
    const rank = rankOf(choice), label = labels.get(methodKey(choice))!;
    const before = ordered.slice(0, i).filter(([, { id }]) => id === choice.id).length;
    return [key, {
      key,
      optimizer: choice.id,
      label: areSeveral && rank !== null ? `${label}, r ${rank}` : label,
      settings: "",
      ...styleOf(choice.id, before, Math.max(0, own.indexOf(choice.id))),
    }];
  }));
}

function keyOfSeries(optimizer: RunConfig["optimizer"]): string {
  return JSON.stringify([methodKey(optimizer), rankOf(optimizer)]);
}

function keyOfValue(value: AxisValue | null): string {
  return value === null ? "" : tellValue(value);
}

/** Each value once: numbers ascending, others in the order of the runs. */
function sorted(values: readonly AxisValue[]): AxisValue[] {
  const unique = [...new Map(values.map((value) => [keyOfValue(value), value])).values()];
  return unique.every((value) => typeof value === "number") ? unique.sort((a, b) => a - b) : unique;
}

/** Numbers of which each is nearly as many times the one before lie evenly on a logarithmic axis. */
function scaleOf(values: readonly AxisValue[]): AxisView["scale"] {
  if (!values.every((value) => typeof value === "number")) return "words";
  if (values.some((value) => value <= 0)) return "linear";
  const spread = (step: (value: number, before: number) => number) => {
    const steps = values.slice(1).map((value, i) => step(value, values[i]!));
    return Math.max(...steps) / Math.min(...steps);
  };
  return spread((value, before) => Math.log(value / before)) < spread((value, before) => value - before)
    ? "log"
    : "linear";
}
