/** @file The results of runs on disk: `<out>/runs/<id>.json`, each whole, each with a digest of itself. */
import { parseWith } from "../training/configuration.ts";
import { runId } from "../training/run.ts";
import { RunResult } from "../training/schemas.ts";
import { digestOf, writeWhole } from "./files.ts";

/** A file in the results' folder that can't be used. */
export interface Fault {
  /** Its name in the folder. */
  readonly name: string;
  /** What is wrong with it, in a sentence that names it. */
  readonly sentence: string;
}

/** Everything in the results' folder. */
export interface Stored {
  /** Results by run id, of every status. */
  readonly results: ReadonlyMap<string, RunResult>;
  readonly faults: readonly Fault[];
  /** Names of faulty files that were set aside, now or earlier. */
  readonly setAside: readonly string[];
}

/** A folder with one JSON file per run, named by the run's id. */
export interface Store {
  /** Where the files are: `<out>/runs`. */
  readonly folder: string;
  /** Reads and checks every file. A folder that isn't there is empty. */
  read(): Promise<Stored>;
  /** Writes beside the target and renames: a reader never sees half a result. */
  put(result: RunResult): Promise<void>;
  /** Renames a faulty file, so that its run can be repeated; never over another file. Returns the new name. */
  setAside(fault: Fault): Promise<string>;
}

/** The store in an output folder. Touches nothing yet. */
export function openStore(out: string): Store {
  const folder = `${out}/runs`;
  return {
    folder,
    async read() {
      const results = new Map<string, RunResult>();
      const faults: Fault[] = [];
      const names = await namesIn(folder);
      for (const name of names.filter((name) => name.endsWith(".json"))) {
        try {
          const result = await readResult(folder, name);
          results.set(result.id, result);
        } catch (error) {
          faults.push({ name, sentence: `Cannot use ${folder}/${name}: ${(error as Error).message}` });
        }
      }
      return { results, faults, setAside: names.filter((name) => /\.broken(\.\d+)?$/.test(name)) };
    },
    async put(result) {
      const text = JSON.stringify({ ...result, digest: await digestOf(result) }, null, 1);
      await writeWhole(`${folder}/${result.id}.json`, `${text}\n`);
    },
    async setAside({ name }) {
      const taken = new Set(await namesIn(folder));
      let target = `${name}.broken`;
      for (let i = 2; taken.has(target); i++) target = `${name}.broken.${i}`;
      await Deno.rename(`${folder}/${name}`, `${folder}/${target}`);
      return target;
    },
  };
}

/** Reads one file; throws with the reason why it isn't a result. */
async function readResult(folder: string, name: string): Promise<RunResult> {
  const text = await Deno.readTextFile(`${folder}/${name}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("it is not whole JSON (half-written?)");
  }
  if (typeof value !== "object" || value === null || !("digest" in value)) {
    throw new Error("it has no digest (not written by this harness?)");
  }
  const { digest, ...rest } = value;
  if (digest !== await digestOf(rest)) throw new Error("its digest does not fit its content (edited?)");
  const result = parseWith(RunResult, rest, "it");
  if (result.id !== await runId(result.config)) {
    throw new Error(`its id ${result.id} is not that of its config`);
  }
  if (name !== `${result.id}.json`) {
    throw new Error(`it holds run ${result.id}, whose file is ${result.id}.json`);
  }
  return result;
}

/** Names in a folder, sorted; none where it isn't there. */
async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) names.push(entry.name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort();
}
