/** @file Matthews' correlation between predictions and labels. */
import type { Measure } from "../task.ts";

/**
 * The correlation of predicted and true classes, from −1 to 1; 0 where either are all the same, as in scikit-learn.
 *
 * For more than two classes, and predictions that are no label, this is Gorodkin's R_K.
 *
 * Source: Gorodkin, Comparing two K-category assignments by a K-category correlation coefficient, 2004, equation 8.
 */
export function matthewsCorrelation(predictions: readonly number[], labels: readonly number[]): number {
  const total = labels.length;
  const count = (list: readonly number[]) => {
    const counts = new Map<number, number>();
    for (const one of list) counts.set(one, (counts.get(one) ?? 0) + 1);
    return counts;
  };
  const predicted = count(predictions), real = count(labels);
  const dot = (a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>) =>
    [...a].reduce((sum, [one, times]) => sum + times * (b.get(one) ?? 0), 0);
  const right = labels.filter((label, i) => label === predictions[i]).length;
  const spread = (total ** 2 - dot(predicted, predicted)) * (total ** 2 - dot(real, real));
  return spread === 0 ? 0 : (right * total - dot(predicted, real)) / Math.sqrt(spread);
}

/** What acceptability is measured by beside accuracy. */
export const matthews: Measure = {
  name: "Matthews correlation",
  better: "higher",
  within: [-1, 1],
  ofPairs: matthewsCorrelation,
};
