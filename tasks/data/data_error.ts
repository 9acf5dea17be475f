/** @file The error of a data set on disk: the user can mend it, as a checkpoint's. */

/** A file or folder of data that can't be used: missing, cut short, not what its name says, or not to be run. */
export class DataError extends Error {
  /** As in the error's string form. The command line knows user faults by it. */
  override readonly name = "DataError";
}

/** An error's own words, for the end of a sentence. */
export function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file or folder";
  return error instanceof Error ? error.message : String(error);
}
