/** @file How likely one of k programs passes, estimated from n of which c passed. */

/**
 * pass@k, estimated without bias from `samples` programs of which `passes` are right: 1 − C(n − c, k) / C(n, k), the
 * chance that k of them, taken without putting back, hold a right one.
 *
 * Worked out as 1 − ∏ (1 − k / i) for i from n − c + 1 to n, so that no binomial overflows.
 *
 * @returns from 0 to 1
 * @throws {RangeError} where k or the passes are more than the samples, k is not 1 or more, or one is no integer
 *
 * Source: Chen et al. 2021, Evaluating Large Language Models Trained on Code, equation 1 and figure 3.
 */
export function passAtK(samples: number, passes: number, k: number): number {
  const isCount = (value: number, lowest: number) =>
    Number.isInteger(value) && value >= lowest && value <= samples;
  if (!Number.isInteger(samples) || !isCount(passes, 0) || !isCount(k, 1)) {
    throw new RangeError(
      `Cannot estimate pass@${k} from ${passes} of ${samples}: integers are needed, k from 1 to the samples and ` +
        "passes from 0",
    );
  }
  // Where fewer than k are wrong, every choice of k holds a right one.
  if (samples - passes < k) return 1;
  let allWrong = 1;
  for (let i = samples - passes + 1; i <= samples; i++) allWrong *= 1 - k / i;
  return 1 - allWrong;
}
