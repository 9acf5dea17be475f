/** @file How an answer in Markdown becomes a Python program that its problem's tests pass or fail. */
import type { Program } from "../data/contents.ts";

/** A problem with tests, as HumanEval has them. */
export type PythonProblem = Pick<Program, "specification"> & Required<Pick<Program, "check">>;

/** Code in a fence, to its end or to the end of the text, where an answer was cut off. */
const FENCE = /```[^\n`]*\n(.*?)(?:```|$)/gs;

/**
 * The program that ends without an error where the answer is right: code, tests, and the call of `check`.
 *
 * Code is the first fence that defines the entry point, else the first fence, else the whole answer. What stands before
 * the entry point in the specification (imports, other functions) goes ahead of it; where the code defines no entry point
 * it is taken for the function's body, and the whole specification goes ahead.
 *
 * @param problem its entry point is a Python name
 */
export function pythonProgram(answer: string, { specification, check }: PythonProblem): string {
  const { entryPoint, test } = check;
  const definition = new RegExp(`^(?:(?:async )?def ${entryPoint}\\b|${entryPoint}\\s*=)`, "m");
  const fenced = Array.from(answer.matchAll(FENCE), ([, code]) => code!);
  const code = fenced.find((one) => definition.test(one)) ?? fenced[0] ?? answer;
  const defined = definition.exec(specification)?.index ?? 0;
  const ahead = definition.test(code) ? specification.slice(0, defined) : specification;
  return `${ahead}${code}\n\n${test}\n\ncheck(${entryPoint})\n`;
}
