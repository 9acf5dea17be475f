/** @file How far a mistyped name is from another. */

/**
 * How many letters differ: a letter too many, one too few, another one and two that changed places each count one. It is
 * the optimal string alignment distance.
 */
export function editDistance(a: string, b: string): number {
  // Rows of the table of distances between the beginnings of both: the one at hand and the two before it.
  let [older, old, row]: number[][] = [[], [], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    [older, old, row] = [old!, row!, [i]];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(Math.min(
        old[j]! + 1,
        row[j - 1]! + 1,
        old[j - 1]! + (isSame ? 0 : 1),
        isSwapped ? older[j - 2]! + 1 : Infinity,
      ));
    }
  }
  return row!.at(-1)!;
}
