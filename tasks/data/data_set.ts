/** @file The contract of a data set, and how one is recognised among the files of a folder. */
import { fingerprintFiles, hashFile } from "../../files/file_hash.ts";
import { fileKind } from "../../files/file_kind.ts";
import type { TaskFamily } from "../task.ts";
import type { Contents } from "./contents.ts";
import { DataError, reasonOf } from "./data_error.ts";
import { readJsonRows } from "./json_rows.ts";
import { parquetClassNames, parquetColumns, readParquetRows } from "./parquet_rows.ts";
import type { Skip } from "../skip.ts";
import type { Row } from "./row.ts";
import { firstTsvLine, readTsvRows } from "./tsv_rows.ts";

/** What a file's examples are for. GLUE's "dev" files count as "test", as their test files have no labels. */
export type Role = "train" | "validation" | "test";

/** Files of a data set that are read together. */
export interface Part<T> {
  /** What its examples are for. */
  readonly role: Role;
  /**
   * The path in the folder that the parts of one data set share, with what their files' names begin with where that tells
   * sets in a folder apart: of one role, parts with different ones are of different data sets.
   */
  readonly set: string;
  /** Paths in the folder, in the order in which they are read. */
  readonly files: readonly string[];
  /** Names of the classes, where the files have them. */
  readonly classes?: readonly string[];
  /** The files' examples in order, with reasons in place of those that can't be used. @throws {DataError} */
  read(): AsyncGenerator<T | Skip>;
}

/** A data set as it is published. */
export interface DataSet<F extends TaskFamily = TaskFamily> {
  /** e.g. "gsm8k". */
  readonly id: string;
  /** For people. */
  readonly title: string;
  /** The kind of task that takes it. */
  readonly family: F;
  /** Where it is from. */
  readonly source: string;
  /** Names of its files as published, for people. */
  readonly files: readonly string[];
  /** What a file of a published name is for, by the part behind its path's last slash; undefined for other names. */
  roleOf(name: string): Role | undefined;
  /** Its parts among a folder's files; none where it isn't there. @throws {DataError} where a file can't be read */
  find(folder: Folder): Promise<readonly Part<Contents[F]>[]>;
}

/** A folder of data, listed. */
export interface Folder {
  /** As the user wrote it. */
  readonly path: string;
  /** Paths of its files from there, sorted, down to three folders below, without hidden ones. Links are followed. */
  readonly files: readonly string[];
  /** What else lies there, by its path: "a folder", "a named pipe", "a link (there is no such file or folder)". */
  readonly others: ReadonlyMap<string, string>;
  /** A file's path for opening. */
  full(file: string): string;
  /** Names of the fields of a file's first record; what stands in a tab-separated file's first line. */
  fieldsOf(file: string): Promise<readonly string[]>;
}

/** Folders below the given one that are looked into: `train/3/0001.png`, `main/train-00000-of-00001.parquet`. */
const DEPTH = 3;

/** Most files of a folder: more than are held in memory as images. */
const MOST_FILES = 2 ** 21;

/**
 * Lists a folder, or a single file as a folder that has no other.
 *
 * @throws {DataError} where there is none, it can't be read, or links lead to a folder twice
 */
export async function openFolder(path: string): Promise<Folder> {
  const root = path.replace(/(?<=.)\/+$/, "");
  const fields = new Map<string, Promise<readonly string[]>>();
  const others = new Map<string, string>();
  let files: string[] = [], parent = root;
  try {
    const info = await Deno.stat(root);
    if (info.isDirectory) files = await filesIn(root, others);
    else if (info.isFile) {
      const slash = root.lastIndexOf("/");
      parent = slash < 0 ? "." : root.slice(0, slash);
      files = [root.slice(slash + 1)];
    } else throw new DataError(`Cannot read ${path}: it is ${fileKind(info)}, a folder or a file is needed`);
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`Cannot read ${path}: ${reasonOf(error)}`);
  }
  const full = (file: string) => `${parent}/${file}`;
  return {
    path,
    files,
    others,
    full,
    fieldsOf(file) {
      const known = fields.get(file) ?? firstFields(full(file));
      fields.set(file, known);
      return known;
    },
  };
}

/** Paths of the files in a folder, sorted; what else lies there is noted in `others`. */
async function filesIn(root: string, others: Map<string, string>): Promise<string[]> {
  const found: string[] = [], seen = new Map<string, string>();
  const enter = async (prefix: string, depth: number) => {
    const { dev, ino } = await Deno.stat(`${root}/${prefix}`), place = `${dev} ${ino}`;
    if (seen.has(place) && ino !== null) {
      throw new DataError(
        `Cannot read ${root}/${prefix}: it is the same folder as ${root}/${
          seen.get(place)
        }, and is to be there once`,
      );
    }
    seen.set(place, prefix);
    for await (const entry of Deno.readDir(`${root}/${prefix}`)) {
      if (entry.name.startsWith(".")) continue;
      const file = prefix + entry.name;
      const kind = entry.isFile ? "a file" : await targetOf(`${root}/${file}`);
      if (kind !== "a file") others.set(file, kind);
      if (kind === "a folder" && depth > 0) await enter(`${file}/`, depth - 1);
      if (kind === "a file") {
        found.push(file);
        if (found.length > MOST_FILES) {
          throw new DataError(
            `Cannot read ${root}: it has more than ${MOST_FILES.toLocaleString("en-US")} files`,
          );
        }
      }
    }
  };
  await enter("", DEPTH);
  return found.sort();
}

/** What stands at a place, behind links. */
async function targetOf(path: string): Promise<string> {
  try {
    return fileKind(await Deno.stat(path));
  } catch (error) {
    return `a link (${reasonOf(error)})`;
  }
}

/** The part of a path up to its last slash. */
export function folderOf(file: string): string {
  return file.slice(0, file.lastIndexOf("/") + 1);
}

/** The part of a path behind its last slash. */
export function baseName(file: string): string {
  return file.slice(file.lastIndexOf("/") + 1);
}

async function firstFields(path: string): Promise<readonly string[]> {
  if (isTsv(path)) return await firstTsvLine(path) ?? [];
  if (path.endsWith(".parquet")) return await parquetColumns(path);
  for await (const { fields } of readRows(path)) return Object.keys(fields);
  return [];
}

function isTsv(path: string): boolean {
  return /\.(tsv|txt)$/.test(path);
}

/** Rows of a file, by the ending of its name: .tsv, .txt, .parquet; all else is JSON. */
function readRows(path: string, columns?: readonly string[]): AsyncGenerator<Row> {
  if (isTsv(path)) return readTsvRows(path, columns ? { columns } : {});
  return path.endsWith(".parquet") ? readParquetRows(path) : readJsonRows(path);
}

/** What tells a set of named fields from others, and makes examples of them. */
export interface RowSet<F extends TaskFamily> extends Omit<DataSet<F>, "find" | "roleOf"> {
  /** Names of files, with what they are for; only the part behind the last slash is looked at. */
  readonly names: readonly (readonly [RegExp, Role])[];
  /** Names of the columns of a tab-separated file without a header. */
  readonly columns?: readonly string[];
  /** Whether a file named so is this set's, by its first record's fields. */
  fits(fields: readonly string[], file: FileFacts): boolean;
  /** A row's example, or why there is none. */
  example(row: Row): Contents[F] | Skip;
}

/** What else may tell data sets with equal fields apart. */
export interface FileFacts {
  /** Path from the user's folder on, whose own name comes first. */
  readonly path: string;
  /** Names of a Parquet file's classes, in the column "label". */
  readonly classes: readonly string[] | undefined;
}

/** A data set whose files hold rows of named fields, in JSON, tab-separated text or Parquet. */
export function rowSet<const F extends TaskFamily>(set: RowSet<F>): DataSet<F> {
  const { names, columns, fits, example, ...rest } = set;
  const roleOf = (name: string) => names.find(([pattern]) => pattern.test(name))?.[1];
  return {
    ...rest,
    roleOf,
    async find(folder) {
      const parts: Part<Contents[F]>[] = [];
      for (const file of folder.files) {
        const role = roleOf(baseName(file));
        if (role === undefined) continue;
        const fields = await folder.fieldsOf(file);
        if (fields.length === 0) throw emptyFile(folder, file);
        const classes = file.endsWith(".parquet")
          ? (await parquetClassNames(folder.full(file))).get("label")
          : undefined;
        if (!fits(fields, { path: `${baseName(folder.path)}/${file}`, classes })) continue;
        parts.push({
          role,
          set: folderOf(file),
          files: [file],
          async *read() {
            for await (const row of readRows(folder.full(file), columns)) yield example(row);
          },
        });
      }
      return parts;
    },
  };
}

/** What is said of a file that is named as a published one and holds nothing. */
export function emptyFile(folder: Folder, file: string): DataError {
  return new DataError(`Cannot use ${folder.full(file)}: it holds no record (an interrupted download?)`);
}

/** Patterns of the names that the Hugging Face hub gives Parquet files, e.g. "train-00000-of-00001.parquet". */
export function hubNames(split: string, role: Role): readonly [RegExp, Role] {
  return [new RegExp(`^${split}(-\\d+-of-\\d+(-[0-9a-f]+)?)?\\.parquet$`), role];
}

/**
 * SHA-256 over names and bytes of files, in hex: the same files in another folder have the same. What was read before and
 * has not changed since is not read again, see `hashFile`.
 *
 * @throws {DataError} where one can't be read
 */
export async function fingerprintOf(folder: Folder, files: readonly string[]): Promise<string> {
  return await fingerprintFiles(files.toSorted(), async (file) => {
    try {
      return await hashFile(folder.full(file));
    } catch (error) {
      throw new DataError(`Cannot read ${folder.full(file)}: ${reasonOf(error)}`);
    }
  });
}
