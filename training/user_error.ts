/** @file The one error class that the command line tells apart from our own faults. */

/** Something that the user can mend: a misspelt name, a value out of range, a broken file. Exit code 2, no stack trace. */
export class UserError extends Error {
  /** As in the error's string form. */
  override readonly name = "UserError";
}
