/** @file Whose fault an error is: it decides the exit code. */
import { UserError } from "../training/user_error.ts";

/** True for errors that the user can mend. Checkpoints and data are the user's files too, read where UserError is not known. */
export function isUserFault(error: unknown): boolean {
  return error instanceof UserError ||
    (error instanceof Error && ["CheckpointError", "DataError"].includes(error.name));
}
