/** @file Which of a few values lie far from the others. */
import { studentQuantile } from "../../numerics/distributions.ts";
import { mean, sampleDeviation } from "./statistics.ts";

/**
 * Indices of the values that are too far from the others to be of one normal distribution with them, at most a quarter of
 * all: the generalised test of extreme Studentised deviates, at 1% for all of them together. None of fewer than four.
 * Source: Rosner, Technometrics 25 (1983), 165-172. Of values that are all normal one is named in one of a hundred cases.
 *
 * @param least what their standard deviation is at least: of scores that go in steps all but one may be equal by coincidence
 */
export function outliersOf(values: readonly number[], least = 0, error = 0.01): number[] {
  const most = Math.floor(values.length / 4);
  const left = [...values.keys()], removed: number[] = [];
  let named = 0;
  for (let i = 0; i < most; i++) {
    const own = left.map((index) => values[index]!), center = mean(own);
    const deviation = Math.max(least, sampleDeviation(own));
    const far = own.map((value) => Math.abs(value - center)), furthest = far.indexOf(Math.max(...far));
    const n = own.length, t = studentQuantile(1 - error / (2 * n), n - 2);
    if (deviation > 0 && far[furthest]! / deviation > (n - 1) * t / Math.sqrt((n - 2 + t ** 2) * n)) {
      named = i + 1;
    }
    removed.push(...left.splice(furthest, 1));
  }
  return removed.slice(0, named).sort((a, b) => a - b);
}
