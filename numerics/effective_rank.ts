/** @file Over how many directions a matrix is spread. */

/**
 * exp(−Σ pᵢ ln pᵢ) with pᵢ = σᵢ / Σ σ: the effective rank of a matrix with these singular values, from 1 to their
 * number. It is the rank where all of the values that are not 0 are equal.
 *
 * Values up to `noise` count as 0. Null where no value is above it, and where one is not finite.
 * Source: Roy and Vetterli, The effective rank: a measure of effective dimensionality, EUSIPCO 2007.
 */
export function effectiveRank(singularValues: ArrayLike<number>, noise = 0): number | null {
  const values = Array.from(singularValues);
  if (!values.every(Number.isFinite)) return null;
  const above = values.filter((value) => value > noise);
  const total = above.reduce((sum, value) => sum + value, 0);
  if (above.length === 0) return null;
  return Math.exp(above.reduce((entropy, value) => entropy - value / total * Math.log(value / total), 0));
}
