/** @file The error of a data set on disk: the user can mend it, as a checkpoint's. */
import { UserError } from "../../errors/user_error.ts";
import type { SkipReason } from "../skip.ts";

/** A file or folder of data that can't be used: missing, cut short, not what its name says, or not to be run. */
export class DataError extends UserError {
  /** As in the error's string form. */
  override readonly name = "DataError";
}

/** Too few examples that can be used. */
export class TooFewExamples extends DataError {
  /**
   * Takes one sentence.
   *
   * @param reasons why others are left out, each once
   */
  constructor(message: string, readonly reasons: readonly SkipReason[]) {
    super(message);
  }
}

/** What the system's codes mean, for the end of a sentence. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  ELOOP: "its links lead back to themselves",
  ENAMETOOLONG: "a name in its path is too long",
  EISDIR: "it is a folder, a file is needed",
  ENOTDIR: "a part of its path is a file, a folder is needed",
  EACCES: "reading it is not allowed",
};

/** An error's own words, for the end of a sentence. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return REASONS[(error as { readonly code?: string }).code ?? ""] ?? error.message;
}
