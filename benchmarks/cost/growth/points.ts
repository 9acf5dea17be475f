/** @file Which results vary size, along which axis, and what each of their steps counts. */
import type { RowLengths } from "../../../models/architecture.ts";
import type { KnownModel, Registries } from "../../../training/configuration.ts";
import { resolveModel } from "../../../training/configuration.ts";
import type { RunConfig, RunResult } from "../../../training/run.ts";
import { countRunStep, type StepCount } from "../../../training/cost/work.ts";
import { warmStepMs } from "../../../training/telemetry/meters.ts";
import { methodKey, rankOf } from "../../sweep/method.ts";
import { ofRows } from "../run_work.ts";
import { medianOfMeasured } from "../../statistics/statistics.ts";

/** What a sweep may vary, as charts name it. */
export const AXES = ["tokens", "width", "layers", "rank"] as const;
/** One of them. */
export type Axis = typeof AXES[number];

/** A step's size along every axis; rank is null for methods without one. */
export type Size = { readonly tokens: number; readonly width: number; readonly layers: number } & {
  readonly rank: number | null;
};

/** Runs of one method in one size. */
export interface GrowthPoint {
  readonly method: string;
  readonly size: Size;
  /** The axes on which it lies: all others are at their base. */
  readonly axes: readonly Axis[];
  readonly count: StepCount;
  /** Median over seeds of the runs' median steps. */
  readonly stepMs: number;
  /** Median over seeds. */
  readonly peakBytes: number;
}

/** Counts between the measured ones, for lines. */
export interface CurvePoint {
  readonly method: string;
  readonly axis: Axis;
  readonly at: number;
  readonly count: StepCount;
}

/** What was measured of one task in several sizes. */
export interface Measured {
  readonly points: readonly GrowthPoint[];
  readonly curves: readonly CurvePoint[];
}

type Known = Pick<Registries, "models" | "optimizers">;

/**
 * Ids of the tasks whose configs differ in width or layers. Other sizes than a model's own start from random weights: costs
 * are what such runs are about, and scores are none of fine-tuning.
 */
export function growingTasks(configs: readonly RunConfig[]): ReadonlySet<string> {
  const keys = Map.groupBy(configs, ({ task }) => task.id);
  return new Set(
    [...keys].filter(([, own]) =>
      new Set(own.map(({ model: { width, layers } }) => `${width} ${layers}`)).size > 1
    ).map(([id]) => id),
  );
}

/**
 * The measured points of one task. The base of an axis is the value that most configs have: the others of a sweep that
 * varies one size at a time.
 *
 * Runs of models and methods that are no longer known are left out: nothing is known to count.
 */
export function measure(
  configs: readonly RunConfig[],
  results: readonly RunResult[],
  known: Known,
): Measured {
  const counted = configs.flatMap((config) => {
    const found = countConfig(config, known);
    return found ? [{ config, ...found }] : [];
  });
  const base = {
    tokens: mostCommon(counted.map(({ size }) => size.tokens)),
    width: mostCommon(counted.map(({ size }) => size.width)),
    layers: mostCommon(counted.map(({ size }) => size.layers)),
    rank: mostCommon(counted.flatMap(({ size }) => size.rank ?? [])),
  };
  const axesOf = (size: Size) =>
    AXES.filter((axis) =>
      size[axis] !== null &&
      AXES.every((other) => other === axis || size[other] === null || size[other] === base[other])
    );
  const keyOf = (config: RunConfig, size: Size) => JSON.stringify([methodKey(config.optimizer), size]);
  const byKey = Map.groupBy(counted, ({ config, size }) => keyOf(config, size));
  const done = Map.groupBy(
    results.flatMap((result) => {
      if (result.status !== "done") return [];
      const found = countConfig(result.config, known);
      return found ? [{ cost: result.outcome.cost, key: keyOf(result.config, found.size) }] : [];
    }),
    ({ key }) => key,
  );
  const points = [...byKey].flatMap(([key, [first]]): GrowthPoint[] => {
    const costs = done.get(key)?.map(({ cost }) => cost) ?? [];
    const { config, size, count } = first!, axes = axesOf(size);
    if (costs.length === 0 || axes.length === 0) return [];
    const stepMs = medianOfMeasured(costs.map(warmStepMs));
    const peakBytes = medianOfMeasured(costs.map((cost) => cost.peakBytes));
    if (stepMs === null || peakBytes === null) return [];
    return [{ method: methodKey(config.optimizer), size, axes, count, stepMs, peakBytes }];
  });
  return { points, curves: curvesOf(points, base, counted.map(({ config }) => config), known) };
}

/**
 * A run's size, its model and what a step of it counts; null where its model or method is no longer known.
 *
 * @param rows those of its batches; of the model's full length where absent
 */
export function countConfig(
  config: RunConfig,
  known: Known,
  rows?: RowLengths,
): { size: Size; model: KnownModel; count: StepCount } | null {
  const { id: modelId, path } = config.model;
  const entry = Object.values(known.models).find(({ id, folder }) => id === modelId && folder === path);
  const method = Object.values(known.optimizers).find(({ id }) => id === config.optimizer.id);
  if (!entry || !method) return null;
  const own = resolveModel(config.model, known.models);
  const model = rows ? ofRows(own, rows) : own;
  const count = countRunStep(config, model, method);
  return { size: { tokens: count.tokens, ...model.size, rank: rankOf(config.optimizer) }, model, count };
}

/** Counts along each axis, from the smallest to the largest measured value. */
function curvesOf(
  points: readonly GrowthPoint[],
  base: Size,
  configs: readonly RunConfig[],
  known: Known,
): CurvePoint[] {
  return [...Map.groupBy(points, ({ method }) => method)].flatMap(([method, own]) => {
    const start = configs.find((config) => {
      const size = countConfig(config, known)!.size;
      return methodKey(config.optimizer) === method &&
        AXES.every((axis) => size[axis] === null || size[axis] === base[axis]);
    });
    if (!start) return [];
    return AXES.flatMap((axis) => {
      const measured = own.filter((point) => point.axes.includes(axis)).map(({ size }) => size[axis]!);
      return between(measured).flatMap((at): CurvePoint[] => {
        const found = countConfig(withSize(start, axis, at, base.tokens / start.batchSize), known);
        return found ? [{ method, axis, at, count: found.count }] : [];
      });
    });
  });
}

function withSize(config: RunConfig, axis: Axis, value: number, tokensOfExample: number): RunConfig {
  switch (axis) {
    case "tokens":
      return { ...config, batchSize: value / tokensOfExample };
    case "rank":
      return {
        ...config,
        optimizer: { ...config.optimizer, options: { ...config.optimizer.options, rank: value } },
      };
    default:
      return { ...config, model: { ...config.model, [axis]: value } };
  }
}

/** About two dozen values from the smallest to the largest, the given ones among them, all multiples of what divides them. */
function between(values: readonly number[]): number[] {
  if (values.length < 2) return [];
  const low = Math.min(...values), high = Math.max(...values);
  const unit = values.reduce((a, b) => greatestCommonDivisor(a, b));
  const more = Array.from({ length: 20 }, (_, i) => Math.round(low * (high / low) ** (i / 19) / unit) * unit);
  return [...new Set([...values, ...more])].sort((a, b) => a - b);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function mostCommon(values: readonly number[]): number {
  const groups = [...Map.groupBy(values, (value) => value)];
  return groups.reduce(
    (best, group) => group[1].length > best[1].length ? group : best,
    groups[0] ?? [0, []],
  )[0];
}
