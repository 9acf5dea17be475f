/** @file How often classes come, and the score of always answering the commonest: what a model reaches that tells none apart. */

/** How many of some classes, by number, are each of so many. */
export function countEach(classes: readonly number[], count: number): number[] {
  const counts = new Array<number>(count).fill(0);
  for (const one of classes) counts[one]!++;
  return counts;
}

/** The score of answering every example with the commonest of their classes. */
export function commonestShare(classes: readonly unknown[]): number {
  const counts = [...Map.groupBy(classes, (one) => one).values()].map(({ length }) => length);
  return Math.max(...counts) / classes.length;
}
