/** @file Whose fault an error is, which decides the exit code, and what is said of it. */
import { system } from "../system/mod.ts";
import { UserError } from "./user_error.ts";

/** True for errors that the user can mend: what a process may not do, the user may allow it. */
export function isUserFault(error: unknown): boolean {
  return error instanceof UserError || system.faultOf(error) === "not allowed";
}

/** What Deno asks for a path, in our words. */
const REFUSED: Readonly<Record<string, (path: string) => string>> = {
  read: (path) =>
    `reading "${path}" is not allowed, ./run bench --may-read ${path} allows it, or its folder's path`,
  write: (path) => `writing "${path}" is not allowed`,
  // Such as /dev and /proc, which Deno opens to no process with limits.
  all: (path) => `using "${path}" is not allowed: the system's own folders are closed`,
};

/** An error in one sentence. Deno's own words for a path that may not be used name flags that `./run` sets itself. */
export function sentenceOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(
    /Requires (read|write|all) access to "(.*)", run again with the --allow-\1 flag/,
    (_, kind: string, path: string, at: number) => `${at > 0 ? "" : "Cannot go on: "}${REFUSED[kind]!(path)}`,
  );
}
