/** @file Whether this machine has Python: tests that run programs return early without it. */
import { PYTHON } from "../tasks/code/python_sandbox.ts";

/** Whether there is a Python where it is looked for. */
export function hasPython(): boolean {
  try {
    return Deno.statSync(PYTHON).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
