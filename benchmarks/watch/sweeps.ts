/** @file Which sweeps there are below a folder. */
import { UserError } from "../../errors/user_error.ts";
import { reasonOf } from "../../files/write_file.ts";

/** Folders below the watched one in which sweeps are looked for: `results/quick` and `results/mine/quick`. */
const DEPTH = 2;

/** What a folder of a sweep has: any of these. */
const MARKS = ["sweep.json", "runs", "live"];

/**
 * Output folders of sweeps by key: the folder itself, under its own name, or those below it, under their path from it.
 * A folder that isn't there has none.
 */
export async function findSweeps(folder: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const search = async (path: string, key: string, depth: number) => {
    const entries: Deno.DirEntry[] = [];
    try {
      for await (const entry of Deno.readDir(path)) entries.push(entry);
    } catch (error) {
      // Nothing there, a file, or not for us to read: no sweep of ours.
      if (error instanceof Deno.errors.NotCapable) throw error;
      return;
    }
    if (entries.some(({ name }) => MARKS.includes(name))) {
      found.set(key, path);
      return;
    }
    if (depth === 0) return;
    for (const { name, isFile } of entries) {
      if (isFile || name.startsWith(".")) continue;
      await search(`${path}/${name}`, key === "" ? name : `${key}/${name}`, depth - 1);
    }
  };
  await search(folder, "", DEPTH);
  const own = found.get("");
  return own === undefined ? new Map([...found].toSorted()) : new Map([[nameOf(folder), own]]);
}

/** False where nothing is there yet. @throws {UserError} where something is there that never has sweeps */
export async function isFolder(path: string): Promise<boolean> {
  try {
    if ((await Deno.stat(path)).isDirectory) return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new UserError(`Cannot watch ${path}: ${reasonOf(error)}`);
  }
  throw new UserError(`Cannot watch ${path}: it is no folder, that of a sweep or of several is needed`);
}

function nameOf(folder: string): string {
  return folder.split("/").findLast((part) => part !== "" && part !== "." && part !== "..") ?? "sweep";
}
