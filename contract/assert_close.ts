/** @file One way to compare numbers: the error relative to the largest expected magnitude. */

/** What may differ. */
export interface Tolerance {
  /** Largest |actual - expected| allowed, as a share of the largest |expected| of the whole array. */
  readonly relative: number;
  /** Allowed on top of that, in the values' own unit. 0 by default. */
  readonly absolute?: number;
}

/**
 * Passes where every |actual[i] - expected[i]| <= relative * max_j |expected[j]| + absolute.
 *
 * The scale is one number for the whole array, so small entries beside large ones are compared loosely: pass slices
 * where that matters. Where all expected values are 0 only `absolute` counts.
 *
 * @returns the reached error: max_i |actual[i] - expected[i]| / max_j |expected[j]|, or the plain largest difference
 * where all expected values are 0
 * @throws {Error} where lengths differ, a value on either side is NaN or infinite, or the tolerance is exceeded;
 * the message names the first and the worst index that fail with both values
 */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
  message?: string,
): number {
  const prefix = message === undefined ? "" : `${message}: `;
  if (actual.length !== expected.length) {
    throw new Error(`${prefix}Lengths differ: ${actual.length} values, ${expected.length} expected`);
  }
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const value = actual[i]!, wanted = expected[i]!;
    if (!Number.isFinite(value) || !Number.isFinite(wanted)) {
      throw new Error(`${prefix}Not finite at ${i}: ${value}, expected ${wanted}`);
    }
    largest = Math.max(largest, Math.abs(wanted));
  }
  const allowed = tolerance.relative * largest + (tolerance.absolute ?? 0);
  const difference = (i: number) => Math.abs(actual[i]! - expected[i]!);
  let first = -1, worst = 0, failures = 0;
  for (let i = 0; i < expected.length; i++) {
    // Written so that a tolerance of NaN fails.
    if (!(difference(i) <= allowed)) {
      failures++;
      if (first < 0) first = i;
    }
    if (difference(i) > difference(worst)) worst = i;
  }
  const error = expected.length === 0 ? 0 : largest === 0 ? difference(worst) : difference(worst) / largest;
  if (failures > 0) {
    const at = (i: number) => `at ${i}: ${actual[i]}, expected ${expected[i]}`;
    throw new Error(
      `${prefix}Error ${error.toExponential(3)} of the largest expected magnitude ${largest}, allowed are ` +
        `${tolerance.relative} relative and ${tolerance.absolute ?? 0} absolute; ` +
        `${failures} of ${expected.length} values fail; first ${at(first)}; worst ${at(worst)}`,
    );
  }
  return error;
}
