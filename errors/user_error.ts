/** @file The errors that the command line tells apart from our own faults. */

/** Something that the user can mend: a misspelt name, a value out of range, a broken file. Exit code 2, no stack trace. */
export class UserError extends Error {
  /** As in the error's string form. */
  override readonly name: string = "UserError";
}

/** A method that refuses its options for the maps or the steps of a run: for others it may take them. */
export class RefusedOptions extends UserError {
  /**
   * Takes the whole sentence and the method's part of it.
   *
   * @param refusal the method's own sentence
   */
  constructor(message: string, readonly refusal: string) {
    super(message);
  }
}
