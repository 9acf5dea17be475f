/** @file The distributions that intervals are made from. */
import jstat from "jstat";

/** The part of jstat that is used here; the package has no types. */
interface Distributions {
  readonly studentt: { inv(probability: number, freedom: number): number };
  readonly normal: {
    inv(probability: number, mean: number, deviation: number): number;
    cdf(value: number, mean: number, deviation: number): number;
  };
}

const { studentt, normal } = (jstat as { readonly jStat: Distributions }).jStat;

/** From so many degrees of freedom on Student's distribution is the normal one to 2e-6, and jstat's grows inexact. */
const NORMAL_FROM = 1e6;

/**
 * The value that Student's distribution is below with a probability; of infinitely many degrees of freedom, the normal
 * distribution. The relative error is at most 1e-5 from 1e-12 to 1 - 1e-12, and 1e-7 where tables are printed.
 *
 * @param probability above 0 and below 1
 * @param freedom degrees of freedom, above 0, not necessarily whole; Infinity too
 * @throws {RangeError} where either is outside its range
 */
export function studentQuantile(probability: number, freedom: number): number {
  if (!(probability > 0 && probability < 1) || !(freedom > 0)) {
    throw new RangeError(
      `Cannot find Student's quantile of ${probability} at ${freedom} degrees of freedom: a probability between 0 and 1 and more than 0 degrees are needed`,
    );
  }
  if (probability === 0.5) return 0;
  return freedom > NORMAL_FROM ? normal.inv(probability, 0, 1) : studentt.inv(probability, freedom);
}

/** The probability that a standard normal number is below a value: to 1e-7, beside 0 and 1. */
export function normalProbability(value: number): number {
  return normal.cdf(value, 0, 1);
}
