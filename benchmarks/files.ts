/** @file Writing files so that a reader never sees half of one, and refusing folders that can't be written. */
import { canonicalJson } from "../training/run.ts";
import { UserError } from "../training/user_error.ts";

/** Writes beside the target, flushes to disk, and renames. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const beside = `${path}.${crypto.randomUUID().slice(0, 8)}.part`;
  try {
    using file = await Deno.open(beside, { write: true, createNew: true });
    const bytes = new TextEncoder().encode(text);
    for (let written = 0; written < bytes.length;) written += await file.write(bytes.subarray(written));
    await file.sync();
  } catch (error) {
    await Deno.remove(beside).catch(() => {});
    throw error;
  }
  await Deno.rename(beside, path);
}

/**
 * Writes beside the target and renames, without waiting for the disk: for what is written again in a moment, by one
 * process alone.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(`${path}.part`, text);
  await Deno.rename(`${path}.part`, path);
}

/**
 * Makes a folder, with those above it, and tries to write in it.
 *
 * @throws {UserError} where that fails
 */
export async function prepareFolder(path: string): Promise<void> {
  const probe = `${path}/.probe.${crypto.randomUUID().slice(0, 8)}`;
  try {
    await Deno.mkdir(path, { recursive: true });
    await Deno.writeTextFile(probe, "");
    await Deno.remove(probe);
  } catch (error) {
    throw new UserError(`Cannot write to the output folder "${path}": ${(error as Error).message}`);
  }
}

/** SHA-256 of a value's canonical JSON, as 64 hex digits. */
export async function digestOf(value: unknown): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(canonicalJson(value)));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
