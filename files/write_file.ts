/**
 * @file Reading and writing files whatever is in the way: a reader never sees half of one, nothing waits on what is no
 * file, and a disk that is full, a name too long or a folder in a file's place is said in words that name the path.
 */
import { type FileInfo, system } from "../system/mod.ts";
import { fileKind } from "./file_kind.ts";
import { UserError } from "../errors/user_error.ts";

/** Something that can't be written. What was written before is whole. */
export class WriteError extends UserError {}

/** What the system says by its codes. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  ENOSPC: "no space is left on its disk",
  EDQUOT: "your share of its disk is used up",
  EROFS: "its disk is read-only",
  EACCES: "you are not allowed to",
  EPERM: "you are not allowed to",
  ENAMETOOLONG: "its name is too long",
  ELOOP: "its links lead in a circle",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of its path is no folder",
  ENOTEMPTY: "it is a folder",
};

/** Why something could not be read or written, without its name. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as { readonly code?: string; readonly message: string };
  return REASONS[code ?? ""] ?? message;
}

/** Most bytes of a file that is read whole: far above what a run leaves. */
const MOST_BYTES = 2 ** 28;

/**
 * A file's text.
 *
 * @throws what `isMissing` knows where there is none
 * @throws {Error} with the reason alone for what is there and is no readable file
 */
export async function readText(path: string | URL): Promise<string> {
  await requireFile(path);
  try {
    return await system.readText(path);
  } catch (error) {
    throw explained(error);
  }
}

/**
 * Looks at what is to be opened: opening a named pipe waits for somebody to write to it.
 *
 * @throws what `isMissing` knows where there is nothing
 * @throws {Error} with the reason alone for what is no file, and for more than is read at once
 */
export async function requireFile(path: string | URL): Promise<void> {
  let info: FileInfo;
  try {
    info = await system.stat(path);
  } catch (error) {
    if (isMissing(error) && await system.isThere(path)) {
      throw new Error("it is a link that leads nowhere", { cause: error });
    }
    throw explained(error);
  }
  if (!info.isFile) throw new Error(`it is ${fileKind(info)}, a file is needed`);
  if (info.size > MOST_BYTES) throw new Error(`it has ${info.size} bytes, at most ${MOST_BYTES} are read`);
}

/** What is missing and what may not be read is told apart by its class: these errors stay. */
function explained(error: unknown): unknown {
  const fault = system.faultOf(error), isKept = fault === "missing" || fault === "not allowed";
  return isKept ? error : new Error(reasonOf(error), { cause: error });
}

/** Whether an error says that there is no such file or folder. */
export function isMissing(error: unknown): boolean {
  return system.faultOf(error) === "missing";
}

/**
 * Names in a folder, sorted; none where it isn't there.
 *
 * @throws {UserError} where it is no folder, or can't be read
 */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await system.namesIn(folder)).sort();
  } catch (error) {
    if (system.faultOf(error) === "not allowed") throw error;
    const reason = await reasonOfFolder(folder, error);
    if (reason !== null) throw new UserError(`Cannot read the folder "${folder}": ${reason}`);
    return [];
  }
}

/** Why a folder can't be used, which may be what is there in its place; null where there is nothing. */
async function reasonOfFolder(path: string, error: unknown): Promise<string | null> {
  try {
    const info = await system.stat(path);
    if (!info.isDirectory) return `it is ${fileKind(info)}, a folder is needed`;
    // Somebody made it since.
    return isMissing(error) ? null : reasonOf(error);
  } catch (problem) {
    if (!isMissing(problem)) return reasonOf(problem);
    return await system.isThere(path) ? "it is a link that leads nowhere" : null;
  }
}

/**
 * Writes beside the target and renames, so that a reader never sees half a file.
 *
 * @param content text as UTF-8, or bytes in pieces
 * @param isKept false for what is written again in a moment: it is not waited for until it is on the disk
 * @throws {WriteError} naming the path; what was there before is still there
 */
export async function writeWhole(
  path: string,
  content: string | Uint8Array | readonly Uint8Array[],
  { isKept = true }: { readonly isKept?: boolean } = {},
): Promise<void> {
  const pieces = typeof content === "string" ? [new TextEncoder().encode(content)] : [content].flat();
  try {
    await system.writeWhole(path, pieces, isKept);
  } catch (error) {
    const isGone = isMissing(error);
    throw new WriteError(`Cannot write ${path}: ${isGone ? "its folder is gone" : reasonOf(error)}`, {
      cause: error,
    });
  }
}

/** Removes what killed processes left half-written in a folder, and nothing that a living one is writing. */
export async function sweepUp(folder: string): Promise<void> {
  await system.sweepUp(folder, await namesIn(folder));
}

/**
 * Makes a folder, with those above it, and tries to write in it.
 *
 * @throws {UserError} where that fails
 */
export async function prepareFolder(path: string): Promise<void> {
  try {
    await system.makeFolder(path);
  } catch (error) {
    const reason = await reasonOfFolder(path, error) ?? reasonOf(error);
    throw new UserError(`Cannot write to the output folder "${path}": ${reason}`);
  }
}

/** Removes a file; nothing happens where there is none. @throws {WriteError} where it can't be removed */
export async function removeFile(path: string): Promise<void> {
  try {
    await system.remove(path);
  } catch (error) {
    if (isMissing(error)) return;
    throw new WriteError(`Cannot remove ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
