/** @file A cost as a sum of counted terms, fitted to measured points: how well, and how well it foretells. */
import { nonNegativeLeastSquares } from "../../../numerics/least_squares.ts";
import type { StepCount } from "../../../training/cost/work.ts";
import { mean } from "../../statistics/statistics.ts";
import { AXES, type Axis, type GrowthPoint } from "./points.ts";

/** A part of a cost that grows with something that is counted. */
export interface Term {
  readonly id: string;
  readonly of: (count: StepCount) => number;
}

const FLOAT_BYTES = 4;

/**
 * Milliseconds of a step: a constant, one for each linear map (its dispatches), products of full size, thin products
 * and updates, and memory traffic.
 */
export const timeTerms: readonly Term[] = [
  { id: "step", of: () => 1 },
  { id: "maps", of: (count) => count.maps },
  { id: "wide", of: (count) => count.wideFlops },
  // An update without factors is AdamW alone, which takes as long as its traffic.
  { id: "thin", of: (count) => count.factorFlops === 0 ? 0 : count.factorFlops + count.updateFlops },
  { id: "bytes", of: (count) => FLOAT_BYTES * (count.elements + count.updateElements) },
];

/** Peak bytes: what is alive all the time, and what a forward pass leaves for its backward pass. */
export const memoryTerms: readonly Term[] = [
  { id: "persistent", of: (count) => FLOAT_BYTES * (count.parameters + count.added) },
  { id: "activations", of: (count) => FLOAT_BYTES * count.activations },
];

/** A fitted cost. */
export interface Fit {
  /** By term id, 0 or more. */
  readonly coefficients: Readonly<Record<string, number>>;
  readonly predict: (count: StepCount) => number;
  /** Points that it was fitted to. */
  readonly points: number;
  /** Share of the variance that it explains. */
  readonly r2: number;
  /** Largest |fitted − measured| / measured. */
  readonly largestError: number;
  /** For each axis: (foretold − measured) / measured of the largest point, by a fit without it. */
  readonly heldOut: readonly { readonly axis: Axis; readonly at: number; readonly error: number }[];
}

/** The slope of a cost along an axis on logarithmic scales: 1 is proportional growth. */
export interface Exponent {
  /** Over all points of the axis. */
  readonly overall: number;
  /** Over the two largest. */
  readonly last: number;
}

/**
 * Fits a cost to points of one method. Relative errors count, so that small sizes weigh as much as large ones.
 *
 * Null where there are fewer points than terms and one more, by which a fit could be judged.
 */
export function fitCost(
  points: readonly GrowthPoint[],
  read: (point: GrowthPoint) => number,
  terms: readonly Term[],
): Fit | null {
  const solved = solve(points, read, terms);
  if (!solved) return null;
  const errors = points.map((point) => solved.predict(point.count) / read(point) - 1);
  const center = mean(points.map(read));
  const spread = points.reduce((sum, point) => sum + (read(point) - center) ** 2, 0);
  const left = points.reduce((sum, point) => sum + (read(point) - solved.predict(point.count)) ** 2, 0);
  const heldOut = AXES.flatMap((axis) => {
    const own = points.filter((point) => point.axes.includes(axis));
    if (own.length < 3) return [];
    const largest = own.reduce((a, b) => a.size[axis]! > b.size[axis]! ? a : b);
    const without = solve(points.filter((point) => point !== largest), read, terms);
    if (!without) return [];
    return [{ axis, at: largest.size[axis]!, error: without.predict(largest.count) / read(largest) - 1 }];
  });
  return {
    ...solved,
    points: points.length,
    r2: spread === 0 ? 1 : 1 - left / spread,
    largestError: Math.max(...errors.map(Math.abs)),
    heldOut,
  };
}

function solve(
  points: readonly GrowthPoint[],
  read: (point: GrowthPoint) => number,
  terms: readonly Term[],
): Pick<Fit, "coefficients" | "predict"> | null {
  // A term that is 0 everywhere, such as thin products of full fine-tuning, asks for no point of its own.
  const used = terms.filter((term) => points.some(({ count }) => term.of(count) > 0));
  if (points.length <= used.length) return null;
  const found = nonNegativeLeastSquares(
    points.map((point) => used.map((term) => term.of(point.count) / read(point))),
    points.map(() => 1),
  );
  return {
    coefficients: Object.fromEntries(terms.map((term) => [term.id, found[used.indexOf(term)] ?? 0])),
    predict: (count) => used.reduce((sum, term, i) => sum + found[i]! * term.of(count), 0),
  };
}

/** Growth along an axis; null for fewer than two points. */
export function exponentOf(
  points: readonly GrowthPoint[],
  axis: Axis,
  read: (point: GrowthPoint) => number,
): Exponent | null {
  const own = points.filter((point) => point.axes.includes(axis))
    .map((point) => ({ x: Math.log(point.size[axis]!), y: Math.log(read(point)) }))
    .sort((a, b) => a.x - b.x);
  if (own.length < 2) return null;
  return { overall: slope(own), last: slope(own.slice(-2)) };
}

function slope(points: readonly { readonly x: number; readonly y: number }[]): number {
  const x = mean(points.map((point) => point.x)), y = mean(points.map((point) => point.y));
  const above = points.reduce((sum, point) => sum + (point.x - x) * (point.y - y), 0);
  return above / points.reduce((sum, point) => sum + (point.x - x) ** 2, 0);
}
