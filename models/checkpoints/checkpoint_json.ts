/** @file The JSON files beside a checkpoint's weights. */
import { readJsonFile, UnreadableFile } from "../../files/json_file.ts";
import type { CheckpointError } from "./checkpoint.ts";

/** Most bytes: the longest that are published, indices of hundreds of shards, have a tenth of it. */
const MOST_BYTES = 2 ** 24;

/**
 * The value in a file; undefined where there is none.
 *
 * @param refuse makes the error of a reason
 * @throws {CheckpointError} where it can't be read
 */
export async function readCheckpointJson(
  path: string,
  validate: (reason: string, cause?: unknown) => CheckpointError,
): Promise<unknown> {
  try {
    return await readJsonFile(path, MOST_BYTES);
  } catch (error) {
    if (error instanceof UnreadableFile) throw validate(error.message, error);
    throw error;
  }
}
