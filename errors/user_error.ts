/** @file The errors that the command line tells apart from our own faults. */

/** Something that the user can mend: a misspelt name, a value out of range, a broken file. Exit code 2, no stack trace. */
export class UserError extends Error {
  /** As in the error's string form. */
  override readonly name: string = "UserError";

  /** Takes one sentence. What it quotes of a file may have characters that move a terminal's cursor: these are spelled out. */
  constructor(message: string, options?: ErrorOptions) {
    super(message.replaceAll(/\p{Cc}/gu, spelled), options);
  }
}

/** "\n" for a line's end, and so on. */
function spelled(character: string): string {
  const known = JSON.stringify(character).slice(1, -1);
  return known === character ? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}` : known;
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
