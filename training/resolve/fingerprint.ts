/** @file Files that a run is named by, its data's and its model's, and what is said where they are no longer the same. */
import { UserError } from "../../errors/user_error.ts";

/**
 * Refuses files that changed since a fingerprint of them was noted.
 *
 * @param wanted what they were for, e.g. `train task "digits" on DIR`
 * @param noted undefined where nothing was
 * @throws {UserError} where `found` is another than `noted`
 */
export function validateChangedFiles(wanted: string, noted: string | undefined, found: string): void {
  if (noted === undefined || noted === found) return;
  const brief = (fingerprint: string) => `${fingerprint.slice(0, 16)}…`;
  throw new UserError(
    `Cannot ${wanted}: its files changed, their fingerprint is ${brief(found)} and was ${brief(noted)}`,
  );
}
