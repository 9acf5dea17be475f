/** @file What is said of a name that nobody knows: the one that was probably meant, and those that there are. */
import { UserError } from "./user_error.ts";

/**
 * The error for a name that is not among the known ones.
 *
 * @param what what the name is of, with the name as it was typed, e.g. `optimizer "lora-por"`
 * @param rest what else may be given, behind the known names
 */
export function unknownName(what: string, name: string, known: Iterable<string>, rest = ""): UserError {
  const names = [...known], near = nearestName(name, names);
  const hint = near === null ? "known" : `did you mean ${near}? Known`;
  return new UserError(`Cannot find ${what}: ${hint} are ${names.join(", ")}${rest}`);
}

/**
 * The known name that is nearest to a mistyped one; null where none is near. Near is: a third of the longer name differs at
 * most, where a letter too many, one too few, another one and two that changed places each count one.
 */
export function nearestName(name: string, known: Iterable<string>): string | null {
  const typed = name.toLowerCase();
  let nearest: string | null = null, least = Infinity;
  for (const one of known) {
    const distance = distanceOf(typed, one.toLowerCase());
    if (distance >= least || distance > Math.max(typed.length, one.length) / 3) continue;
    [nearest, least] = [one, distance];
  }
  return nearest;
}

/** How many letters differ: the optimal string alignment distance. */
function distanceOf(a: string, b: string): number {
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
