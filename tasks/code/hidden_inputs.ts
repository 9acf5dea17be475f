/** @file What programs are run on to be judged: pairs that no prompt shows. */
import { evaluate, type Expression } from "./expressions.ts";

/**
 * The values of x and y that every program is run on.
 *
 * Both run through -3 to 20, past every number that a specification may hold, so that "<" and "<=" differ somewhere;
 * y runs in another order, and is for some pairs x itself or next to it.
 */
export const HIDDEN_INPUTS: readonly (readonly [x: number, y: number])[] = [
  ...Array.from({ length: 24 }, (_, i): [number, number] => [i - 3, (i * 7 + 5) % 24 - 3]),
  ...[[0, 0], [4, 4], [9, 9], [6, 7], [12, 11], [97, 31], [-58, 83]] as [number, number][],
];

/** What an expression gives on each of the hidden inputs. */
export function hiddenOutputs(expression: Expression): (number | boolean)[] {
  return HIDDEN_INPUTS.map(([x, y]) => evaluate(expression, x, y));
}
