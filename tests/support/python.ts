/** @file Tests that run Python programs in the sandbox: where it can't be had they are ignored, and say so. */
import { requirePython } from "../../tasks/code/python_sandbox.ts";
import { DataError } from "../../tasks/data/data_error.ts";

/** What such a test lacks here, or null. */
export const lacking: string | null = await requirePython("test").then(() => null, (error) => {
  if (error instanceof DataError) return "bubblewrap and Python";
  throw error;
});

/** Defines a test that runs Python programs. */
export function testWithPython(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: lacking === null ? name : `${name} (needs ${lacking})`, ignore: lacking !== null, fn });
}
