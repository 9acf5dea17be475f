/** @file Who is beaten by nobody: the Pareto front of cost and score. */

/** Something that costs and scores. */
export interface Tradeoff {
  /** Less is better. */
  readonly cost: number;
  /** More is better. */
  readonly score: number;
}

/**
 * Those that no other beats in one without losing in the other, by cost. Equals are all on the front, or none of them is.
 */
export function paretoFront<T extends Tradeoff>(points: readonly T[]): T[] {
  const sorted = points.toSorted((a, b) => a.cost - b.cost || b.score - a.score);
  const front: T[] = [];
  for (const point of sorted) {
    const last = front.at(-1);
    if (!last || point.score > last.score || (point.score === last.score && point.cost === last.cost)) {
      front.push(point);
    }
  }
  return front;
}
