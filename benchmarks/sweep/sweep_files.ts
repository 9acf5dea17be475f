/** @file Finds and reads the JSON files of sweeps, and of the rates that tuning sweeps chose. */
import { system } from "../../system/mod.ts";
import type { z } from "zod";
import { parseWith } from "../../training/configuration.ts";
import { unknownName } from "../../errors/unknown_name.ts";
import { UserError } from "../../errors/user_error.ts";
import { type Cache, withFetched } from "../../files/fetched.ts";
import { isMissing, readText, reasonOf } from "../../files/write_file.ts";
import { ChosenRates } from "../rates/rates.ts";
import { SweepSpec } from "./sweep.ts";

const folder = system.own("benchmarks/sweeps/");
const chosenEnding = ".chosen.json";

/** The file of a tuning sweep's choice in its own folder. */
export const CHOSEN = "chosen.json";

/** The sweeps that ship with the project, by name, with their questions. */
export async function listSweeps(): Promise<{ readonly id: string; readonly question: string }[]> {
  const names = await sweepNames();
  return await Promise.all(names.map(async (id) => ({ id, question: (await readSweep(id)).question })));
}

/**
 * Reads a sweep by name, or from a path: anything with a slash or ending in ".json".
 *
 * @param cache where what a file names of the Hub's lies; null where its paths are paths
 * @throws {UserError} where there is no such sweep, it isn't one, or it names what was not fetched
 */
export async function readSweep(nameOrPath: string, cache: Cache | null = null): Promise<SweepSpec> {
  const isPath = nameOrPath.includes("/") || nameOrPath.endsWith(".json");
  if (isPath) {
    const spec = await readJson(nameOrPath, SweepSpec, nameOrPath);
    return cache ? { ...spec, tasks: spec.tasks.map((task) => withFetched(task, cache)) } : spec;
  }
  const names = await sweepNames();
  if (!names.includes(nameOrPath)) {
    throw unknownName(`sweep "${nameOrPath}"`, nameOrPath, names, ", or give a path to a JSON file");
  }
  return await readJson(
    new URL(`${nameOrPath}.json`, folder),
    SweepSpec,
    `benchmarks/sweeps/${nameOrPath}.json`,
  );
}

/** The files that a sweep's file names to bring entries, which it names from its own folder. */
export function withFilesOf({ with: files = [] }: SweepSpec, nameOrPath: string): string[] {
  const folder = nameOrPath.slice(0, nameOrPath.lastIndexOf("/") + 1);
  return files.map((file) => file.startsWith("/") ? file : `${folder}${file.replace(/^\.\//, "")}`);
}

/** Whether rates ship that a sweep of this name chose, sound or not. */
export async function hasChosen(sweep: string): Promise<boolean> {
  try {
    return (await system.stat(new URL(`${sweep}${chosenEnding}`, folder))).isFile;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/**
 * Reads what a tuning sweep chose.
 *
 * @throws {UserError} where it hasn't yet, or the file isn't what it should be
 */
export async function readChosen(sweep: string): Promise<ChosenRates> {
  const shown = `benchmarks/sweeps/${sweep}${chosenEnding}`;
  const hint = ` (./run bench ${sweep} makes it; --learning-rates states rates instead)`;
  return await readJson(new URL(`${sweep}${chosenEnding}`, folder), ChosenRates, shown, hint);
}

/**
 * Reads what a tuning sweep chose into its own folder.
 *
 * @throws {UserError} where there is no choice, or the file isn't what it should be
 */
export async function readChosenIn(folder: string): Promise<ChosenRates> {
  const path = `${folder}/${CHOSEN}`;
  return await readJson(
    path,
    ChosenRates,
    path,
    " (a sweep over several rates, such as tune, writes it when it is done)",
  );
}

async function sweepNames(): Promise<string[]> {
  const files = (await system.namesIn(folder)).filter((name) =>
    name.endsWith(".json") && !name.endsWith(chosenEnding)
  );
  return files.map((name) => name.slice(0, -".json".length)).sort();
}

async function readJson<S extends z.ZodType>(
  path: string | URL,
  schema: S,
  shown: string,
  hint = "",
): Promise<z.output<S>> {
  // Whoever has data of their own may well name them here.
  if (/\.(jsonl|csv|tsv|parquet)(\.gz)?$/i.test(shown)) {
    throw new UserError(`Cannot read ${shown}: a sweep's file is needed, and --data takes one of data`);
  }
  let text: string;
  try {
    text = await readText(path);
  } catch (error) {
    throw new UserError(`Cannot read ${shown}: ${reasonOf(error)}${hint}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UserError(`Cannot read ${shown}: it is not JSON, ${(error as Error).message}`);
  }
  return parseWith(schema, value, shown);
}
