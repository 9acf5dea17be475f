/** @file What is said of a name that nobody knows: the one that was probably meant, and those that there are. */
import { editDistance } from "./edit_distance.ts";
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
    const distance = editDistance(typed, one.toLowerCase());
    if (distance >= least || distance > Math.max(typed.length, one.length) / 3) continue;
    [nearest, least] = [one, distance];
  }
  return nearest;
}
