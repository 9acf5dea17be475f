/** @file Opens files of data: only files, as all else may wait for ever or never end. */
import { DataError, reasonOf } from "./data_error.ts";

/** What stands at a place, e.g. "a folder", "a named pipe"; "a file" for a file. */
export function kindOf(info: Deno.FileInfo): string {
  if (info.isFile) return "a file";
  if (info.isDirectory) return "a folder";
  if (info.isFifo) return "a named pipe";
  return info.isSocket ? "a socket" : "a device";
}

/**
 * Opens a file to read. A named pipe is refused, not waited for.
 *
 * @throws {DataError} where it is missing, no file, or can't be read
 */
export async function openFile(path: string): Promise<Deno.FsFile> {
  try {
    const info = await Deno.stat(path);
    if (!info.isFile) throw new DataError(`Cannot read ${path}: it is ${kindOf(info)}, a file is needed`);
    return await Deno.open(path);
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`Cannot read ${path}: ${reasonOf(error)}`);
  }
}
