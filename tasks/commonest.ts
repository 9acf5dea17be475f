/** @file The score of always answering the commonest class: what a model reaches that tells none apart. */

/** The score of answering every example with the commonest of their classes. */
export function commonestShare(classes: readonly unknown[]): number {
  const counts = [...Map.groupBy(classes, (one) => one).values()].map(({ length }) => length);
  return Math.max(...counts) / classes.length;
}
