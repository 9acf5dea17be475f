/** @file How an answer in Markdown becomes a Python program, and what its problem's tests are beside it. */
import type { Program } from "../data/contents.ts";
import type { PythonTrial } from "./python_sandbox.ts";

/** A problem with tests, as HumanEval has them. */
export type PythonProblem = Pick<Program, "specification"> & Required<Pick<Program, "check">>;

/** Code in a fence, to its end or to the end of the text, where an answer was cut off. */
const FENCE = /```[^\n`]*\n(.*?)(?:```|$)/gs;

/**
 * The program that an answer is, and the tests that it has to pass.
 *
 * Code is the first fence that defines the entry point, else the first fence, else the whole answer. What stands before
 * the entry point in the specification (imports, other functions) goes ahead of it; where the code defines no entry point
 * it is taken for the function's body, and the whole specification goes ahead. The same goes ahead of the tests, from the
 * specification and not from the answer, since some call those other functions.
 *
 * @param problem its entry point is a Python name
 */
export function pythonTrial(answer: string, { specification, check }: PythonProblem): PythonTrial {
  const { entryPoint, test } = check;
  const definition = new RegExp(`^(?:(?:async )?def ${entryPoint}\\b|${entryPoint}\\s*=)`, "m");
  const fenced = Array.from(answer.matchAll(FENCE), ([, code]) => code!);
  const code = fenced.find((one) => definition.test(one)) ?? fenced[0] ?? answer;
  const ahead = specification.slice(0, definition.exec(specification)?.index ?? 0);
  const program = `${definition.test(code) ? ahead : specification}${code}\n`;
  return { program, tests: `${ahead}${test}\n`, entryPoint };
}
