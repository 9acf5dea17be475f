/** @file Opens files of data: only files, as all else may wait for ever or never end. */
import { fileKind } from "../../files/file_kind.ts";
import { DataError, reasonOf } from "./data_error.ts";

/**
 * Opens a file to read. A named pipe is refused, not waited for.
 *
 * @throws {DataError} where it is missing, no file, or can't be read
 */
export async function openFile(path: string): Promise<Deno.FsFile> {
  try {
    const info = await Deno.stat(path);
    if (!info.isFile) throw new DataError(`Cannot read ${path}: it is ${fileKind(info)}, a file is needed`);
    return await Deno.open(path);
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`Cannot read ${path}: ${reasonOf(error)}`);
  }
}
