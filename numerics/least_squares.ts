/** @file Least squares with coefficients of 0 or more, in float64, on ml-matrix. */
import { Matrix, QrDecomposition } from "ml-matrix";

/**
 * The x ≥ 0 that brings A x nearest to b, by Lawson and Hanson's active sets. `rows` are A's, `targets` is b.
 *
 * Columns are scaled to length 1 first, so that their units don't matter; a column of zeros, or one that others
 * already explain, gets 0. Source: Lawson and Hanson, Solving Least Squares Problems, chapter 23.
 *
 * @throws {RangeError} where there are no rows, or rows of unequal lengths
 */
export function nonNegativeLeastSquares(
  rows: readonly (readonly number[])[],
  targets: readonly number[],
): number[] {
  const width = rows[0]?.length ?? 0;
  if (width === 0 || rows.length !== targets.length || rows.some((row) => row.length !== width)) {
    throw new RangeError(`Cannot fit ${rows.length} rows of ${width} columns to ${targets.length} targets`);
  }
  const columns = Array.from({ length: width }, (_, j) => rows.map((row) => row[j]!));
  const lengths = columns.map((column) => Math.hypot(...column));
  const units = columns.map((column, j) => column.map((value) => lengths[j] === 0 ? 0 : value / lengths[j]!));
  const size = Math.hypot(...targets);

  const active: number[] = [];
  const refused = new Set<number>();
  let x = units.map(() => 0);
  // Each turn lets one more column in; Lawson and Hanson prove that this ends, rounding aside.
  for (let turn = 0; turn < 10 * width; turn++) {
    const rest = targets.map((target, i) =>
      target - units.reduce((sum, unit, j) => sum + unit[i]! * x[j]!, 0)
    );
    const pulls = units.map((unit) => unit.reduce((sum, value, i) => sum + value * rest[i]!, 0));
    const open = units.map((_, j) => j).filter((j) =>
      !active.includes(j) && !refused.has(j) && pulls[j]! > 1e-12 * size
    );
    if (open.length === 0) break;
    const entering = open.reduce((best, j) => pulls[j]! > pulls[best]! ? j : best);
    active.push(entering);
    let solved = solveFor(active, units, targets);
    // A column that others explain, or that would turn negative at once, only brings noise.
    if (solved === null || solved.at(-1)! <= 0) {
      active.pop();
      refused.add(entering);
      continue;
    }
    while (solved !== null && solved.some((value) => value <= 0)) {
      const share = Math.min(
        ...active.flatMap((j, k) => solved![k]! <= 0 ? [x[j]! / (x[j]! - solved![k]!)] : []),
      );
      active.forEach((j, k) => x[j] = x[j]! + share * (solved![k]! - x[j]!));
      const kept = active.filter((j) => x[j]! > 1e-12 * Math.max(...x));
      active.splice(0, active.length, ...kept);
      solved = solveFor(active, units, targets);
    }
    x = units.map((_, j) => active.includes(j) ? solved?.[active.indexOf(j)] ?? 0 : 0);
    refused.clear();
  }
  return x.map((value, j) => lengths[j] === 0 ? 0 : value / lengths[j]!);
}

/** Plain least squares over some columns; null where they depend on each other. */
function solveFor(
  active: readonly number[],
  columns: readonly (readonly number[])[],
  targets: readonly number[],
): number[] | null {
  if (active.length > targets.length) return null;
  if (active.length === 0) return [];
  const matrix = new Matrix(targets.map((_, i) => active.map((j) => columns[j]![i]!)));
  const qr = new QrDecomposition(matrix);
  const diagonal = qr.upperTriangularMatrix.diag().map(Math.abs);
  if (Math.min(...diagonal) < 1e-9 * Math.max(...diagonal)) return null;
  return qr.solve(Matrix.columnVector([...targets])).to1DArray();
}
