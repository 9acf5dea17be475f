/** @file What runs trained, kept with their results: `<out>/trained/<id>.safetensors`. */
import { namesIn, prepareFolder, writeWhole } from "../../files/write_file.ts";
import type { Trained } from "../../training/loop/trained.ts";
import { encodeTrained } from "../../training/loop/trained_file.ts";
import type { PlannedRun } from "./plan.ts";

const ENDING = ".safetensors";

/** Writes what a run trained, whole or not at all. @throws {WriteError} where that fails */
export async function keepTrained(out: string, run: PlannedRun, trained: Trained): Promise<void> {
  const folder = `${out}/trained`;
  await prepareFolder(folder);
  await writeWhole(`${folder}/${run.id}${ENDING}`, encodeTrained(run, trained));
}

/** Ids of runs whose trained weights are kept. */
export async function keptIn(out: string): Promise<ReadonlySet<string>> {
  const names = await namesIn(`${out}/trained`);
  return new Set(names.filter((name) => name.endsWith(ENDING)).map((name) => name.slice(0, -ENDING.length)));
}
