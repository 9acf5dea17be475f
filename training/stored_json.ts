/** @file What a command wrote into a folder as JSON, read again by a later one. */
import type { z } from "zod";
import { UserError } from "../errors/user_error.ts";
import { isMissing, readText, reasonOf } from "../files/write_file.ts";
import { parseWith } from "./configuration.ts";

/**
 * What a file says; null where there is none.
 *
 * @throws {UserError} where the file is there and can't be read, or says something else
 */
export async function readStored<S extends z.ZodType>(path: string, schema: S): Promise<z.output<S> | null> {
  let text: string;
  try {
    text = await readText(path);
  } catch (error) {
    if (isMissing(error)) return null;
    throw new UserError(`Cannot read ${path}: ${reasonOf(error)}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UserError(`Cannot read ${path}: it is not whole JSON`);
  }
  return parseWith(schema, value, path);
}
