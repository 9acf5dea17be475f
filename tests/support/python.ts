/** @file Tests that run Python programs in the sandbox: where it can't be had they are ignored, and say so. */
import { BUBBLEWRAP, requirePython } from "../../tasks/code/python_sandbox.ts";
import { DataError } from "../../tasks/data/data_error.ts";
import { type DefineTest, lackOf, type Permissions, PROGRAMS, testNeeding } from "./test_needing.ts";

/** To run Python programs in the sandbox, too. */
export const PYTHON: Permissions = {
  ...PROGRAMS,
  run: [...PROGRAMS.run!, BUBBLEWRAP],
  net: ["127.0.0.1"],
};

/** What a test that may run them lacks here, or null. */
export const lacking: string | null = lackOf(PYTHON) === null ? await missing() : null;

/** Defines a test that runs Python programs. */
export const testWithPython: DefineTest = testNeeding(PYTHON, lacking);

function missing(): Promise<string | null> {
  return requirePython("test").then(() => null, (error) => {
    if (error instanceof DataError) return "bubblewrap and Python";
    throw error;
  });
}
