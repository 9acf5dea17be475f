/** @file What a method's step takes beyond another's, and the size at which that has doubled. */
import { AXES, type Axis, type GrowthPoint, type Size } from "./points.ts";

/** A method's overhead along an axis: what its step takes beyond the other's, as a share of the other's step in the same size. */
export interface Overhead {
  readonly axis: Axis;
  /** By size, ascending: where both methods were measured. */
  readonly shares: readonly { readonly at: number; readonly share: number }[];
  /** At the axis' size in which all other axes were varied. */
  readonly base: { readonly at: number; readonly share: number };
  /**
   * The size above the base's at which it is twice what it is there, and at least `LEAST`: between two measured sizes as a
   * straight line over their logarithms has it. Null where it is not so within the measured sizes.
   */
  readonly doublesAt: number | null;
}

/** Shares below it are told apart by no measurement of a few runs. */
export const LEAST = 0.05;

/**
 * Overheads along each axis on which two sizes or more were measured of both methods. A method without a rank is compared with
 * the other's at the base's rank.
 */
export function overheadsOf(own: readonly GrowthPoint[], other: readonly GrowthPoint[]): Overhead[] {
  const base = baseOf(own), rank = base.rank ?? baseOf(other).rank;
  const keyOf = (size: Size) => AXES.map((axis) => size[axis] ?? rank).join(" ");
  const steps = new Map(other.map(({ size, stepMs }) => [keyOf(size), stepMs]));
  return AXES.flatMap((axis): Overhead[] => {
    const shares = own.filter(({ axes }) => axes.includes(axis)).flatMap(({ size, stepMs }) => {
      const theirs = steps.get(keyOf(size));
      return theirs === undefined ? [] : [{ at: size[axis]!, share: stepMs / theirs - 1 }];
    }).toSorted((one, two) => one.at - two.at);
    const start = shares.findIndex(({ at }) => at === base[axis]);
    if (shares.length < 2 || start < 0) return [];
    return [{ axis, shares, base: shares[start]!, doublesAt: doubling(shares.slice(start)) }];
  });
}

/** The size that lies on every axis. */
function baseOf(points: readonly GrowthPoint[]): Size {
  const most = Math.max(...points.map(({ axes }) => axes.length));
  return points.find(({ axes }) => axes.length === most)!.size;
}

/** Where shares, ascending from the base's, first reach twice the base's. */
function doubling(shares: Overhead["shares"]): number | null {
  const wanted = Math.max(2 * shares[0]!.share, LEAST);
  const above = shares.findIndex(({ share }, i) => i > 0 && share >= wanted);
  if (above < 0) return null;
  const [low, high] = [shares[above - 1]!, shares[above]!];
  const part = Math.max(0, (wanted - low.share) / (high.share - low.share));
  return low.at * (high.at / low.at) ** part;
}
