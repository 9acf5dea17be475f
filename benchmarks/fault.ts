/** @file Whose fault an error is, which decides the exit code, and what is said of it. */
import { UserError } from "../training/user_error.ts";

/**
 * True for errors that the user can mend. Checkpoints and data are the user's files too, read where UserError is not
 * known; and what a process may not do, the user may allow it.
 */
export function isUserFault(error: unknown): boolean {
  return error instanceof UserError || error instanceof Deno.errors.NotCapable ||
    (error instanceof Error && ["CheckpointError", "DataError"].includes(error.name));
}

/** An error in one sentence. Deno's own words for a path that may not be used name flags that `./run` sets itself. */
export function sentenceOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(
    /Requires (read|write) access to "(.*)", run again with the --allow-(?:read|write) flag/,
    (_, kind: string, path: string, at: number) =>
      `${at > 0 ? "" : "Cannot go on: "}${kind === "read" ? "reading" : "writing"} "${path}" is not ` +
      `allowed${kind === "read" ? `, ./run bench --may-read ${path} allows it` : ""}`,
  );
}
