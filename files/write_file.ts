/**
 * @file Reading and writing files whatever is in the way: a reader never sees half of one, nothing waits on what is no
 * file, and a disk that is full, a name too long or a folder in a file's place is said in words that name the path.
 */
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
 * @throws {Deno.errors.NotFound} where there is none
 * @throws {Error} with the reason alone for what is there and is no readable file
 */
export async function readText(path: string | URL): Promise<string> {
  await requireFile(path);
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw explained(error);
  }
}

/**
 * Looks at what is to be opened: opening a named pipe waits for somebody to write to it.
 *
 * @throws {Deno.errors.NotFound} where there is nothing
 * @throws {Error} with the reason alone for what is no file, and for more than is read at once
 */
export async function requireFile(path: string | URL): Promise<void> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound && await isThere(path)) {
      throw new Error("it is a link that leads nowhere", { cause: error });
    }
    throw explained(error);
  }
  if (!info.isFile) throw new Error(`it is ${fileKind(info)}, a file is needed`);
  if (info.size > MOST_BYTES) throw new Error(`it has ${info.size} bytes, at most ${MOST_BYTES} are read`);
}

/** What is missing and what may not be read is told apart by its class: these errors stay. */
function explained(error: unknown): unknown {
  const isKept = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable;
  return isKept ? error : new Error(reasonOf(error), { cause: error });
}

/** True also for a link that leads nowhere. */
async function isThere(path: string | URL): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/**
 * Names in a folder, sorted; none where it isn't there.
 *
 * @throws {UserError} where it is no folder, or can't be read
 */
export async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) names.push(entry.name);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    const reason = await reasonOfFolder(folder, error);
    if (reason !== null) throw new UserError(`Cannot read the folder "${folder}": ${reason}`);
  }
  return names.sort();
}

/** Why a folder can't be used, which may be what is there in its place; null where there is nothing. */
async function reasonOfFolder(path: string, error: unknown): Promise<string | null> {
  try {
    const info = await Deno.stat(path);
    return info.isDirectory ? reasonOf(error) : `it is ${fileKind(info)}, a folder is needed`;
  } catch (problem) {
    if (!(problem instanceof Deno.errors.NotFound)) return reasonOf(problem);
    return await isThere(path) ? "it is a link that leads nowhere" : null;
  }
}

/** How half-written files are called: whose they are is told by a lock, see `openPart`. */
const PART = /\.[0-9a-f]{8}\.part$/;

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
  const part = partOf(path);
  try {
    using file = await openPart(part);
    for (
      const piece of typeof content === "string" ? [new TextEncoder().encode(content)] : [content].flat()
    ) {
      for (let written = 0; written < piece.length;) written += await file.write(piece.subarray(written));
    }
    if (isKept) await file.sync();
    await Deno.rename(part, path);
  } catch (error) {
    await Deno.remove(part).catch(() => {});
    const isGone = error instanceof Deno.errors.NotFound;
    throw new WriteError(`Cannot write ${path}: ${isGone ? "its folder is gone" : reasonOf(error)}`, {
      cause: error,
    });
  }
}

function partOf(path: string): string {
  return `${path}.${crypto.randomUUID().slice(0, 8)}.part`;
}

/**
 * A new file, locked for as long as it is open: the system frees it however the process ends, so that what is locked is
 * somebody's and what isn't is left from one that was killed.
 */
async function openPart(path: string): Promise<Deno.FsFile> {
  for (;;) {
    const file = await Deno.open(path, { write: true, createNew: true });
    // On a disk without locks nobody sweeps up.
    await file.lock(true).catch(() => {});
    // Perhaps it was swept up before it was locked.
    if (await isThere(path)) return file;
    file.close();
  }
}

/** Removes what killed processes left half-written in a folder, and nothing that a living one is writing. */
export async function sweepUp(folder: string): Promise<void> {
  for (const name of (await namesIn(folder)).filter((name) => PART.test(name))) {
    const path = `${folder}/${name}`;
    try {
      await requireFile(path);
      using file = await Deno.open(path, { read: true, write: true });
      if (await file.tryLock(true)) await Deno.remove(path);
    } catch {
      // Gone meanwhile, none of ours, or on a disk without locks: it is in nobody's way.
    }
  }
}

/**
 * Makes a folder, with those above it, and tries to write in it.
 *
 * @throws {UserError} where that fails
 */
export async function prepareFolder(path: string): Promise<void> {
  const probe = partOf(`${path}/.probe`);
  try {
    await Deno.mkdir(path, { recursive: true });
    using _ = await openPart(probe);
    await Deno.remove(probe);
  } catch (error) {
    const reason = await reasonOfFolder(path, error) ?? reasonOf(error);
    throw new UserError(`Cannot write to the output folder "${path}": ${reason}`);
  }
}

/** Removes a file; nothing happens where there is none. @throws {WriteError} where it can't be removed */
export async function removeFile(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new WriteError(`Cannot remove ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
