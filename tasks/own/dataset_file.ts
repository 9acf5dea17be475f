/** @file `dataset.json`, which says beside data of the user's how they are read. */
import { z } from "zod";
import { explainIssue } from "../../errors/explain_issue.ts";
import { isFile, readJsonFile, UnreadableFile } from "../../files/json_file.ts";
import { DataError } from "../data/data_error.ts";
import { COLUMN_ROLES, SCORES } from "./layout.ts";

/** The file's name. */
export const DATASET_FILE = "dataset.json";

/** Most bytes of it: classes by the thousand fit. */
const MOST_BYTES = 2 ** 20;

const text = z.string().min(1), files = z.array(text).min(1).or(text.transform((file) => [file]));

/** What it may say. */
export const DatasetFile = z.strictObject({
  /** What the task is called; else it is called as the file or the folder. */
  name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/, "lower-case letters, digits and hyphens are needed")
    .exactOptional(),
  /** A file or a list of them by what they are for. */
  files: z.strictObject({
    train: files.exactOptional(),
    validation: files.exactOptional(),
    test: files.exactOptional(),
  }).exactOptional(),
  columns: z.strictObject(
    Object.fromEntries(COLUMN_ROLES.map((role) => [role, text.exactOptional()])) as Record<
      typeof COLUMN_ROLES[number],
      z.ZodExactOptional<z.ZodString>
    >,
  ).exactOptional(),
  prompt: text.exactOptional(),
  answer: text.exactOptional(),
  /** Words by class. */
  labels: z.record(text, text).exactOptional(),
  /** Classes in the order of a classifier's outputs. */
  classes: z.array(text).exactOptional(),
  score: z.enum(SCORES).exactOptional(),
  maxTokens: z.int().min(2).exactOptional(),
});
/** See the schema. */
export type DatasetFile = z.infer<typeof DatasetFile>;

/** True where a folder has one. @throws {DataError} where something else has its name */
export async function hasDatasetFile(folder: string): Promise<boolean> {
  return await reading(`${folder}/${DATASET_FILE}`, isFile);
}

/** What a folder's file says; nothing where there is none. @throws {DataError} where it can't be used */
export async function readDatasetFile(folder: string): Promise<DatasetFile> {
  const path = `${folder}/${DATASET_FILE}`,
    json = await reading(path, (path) => readJsonFile(path, MOST_BYTES));
  if (json === undefined) return {};
  const parsed = DatasetFile.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new DataError(`Cannot use ${path}: ${explainIssue(parsed.error.issues[0]!, json)}`);
}

async function reading<T>(path: string, read: (path: string) => Promise<T>): Promise<T> {
  try {
    return await read(path);
  } catch (error) {
    if (error instanceof UnreadableFile) throw new DataError(`Cannot read ${path}: ${error.message}`);
    throw error;
  }
}
