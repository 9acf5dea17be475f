/** @file Whose fault an error is: it decides the exit code. */
import { UserError } from "../training/user_error.ts";

/** True for errors that the user can mend. Checkpoints are the user's files too; models don't know about UserError. */
export function isUserFault(error: unknown): boolean {
  return error instanceof UserError || (error instanceof Error && error.name === "CheckpointError");
}
