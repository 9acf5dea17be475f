/** @file Records on disk, each whole, each with a digest of itself: `<out>/runs/<id>.json` and `<out>/bases/<id>.json`. */
import { system } from "../../system/mod.ts";
import type { z } from "zod";
import { checkWith } from "../../training/configuration.ts";
import { recordId, type RunConfig, type RunResult } from "../../training/run.ts";
import { BaseResult, RunResult as RunSchema } from "../../training/schemas.ts";
import { UserError } from "../../errors/user_error.ts";
import { digestOf } from "../../files/canonical_json.ts";
import { namesIn, readText, reasonOf, writeWhole } from "../../files/write_file.ts";

/** A file in a folder of records that can't be used. */
export interface Fault {
  /** Its name in the folder. */
  readonly name: string;
  /** What is wrong with it, in a sentence that names it. */
  readonly sentence: string;
}

/** What says by its id which config it is about. */
interface StoredRecord {
  readonly id: string;
  readonly config: Pick<RunConfig, "task" | "model">;
}

/** Everything in a folder of records. */
export interface Stored<R extends StoredRecord = RunResult> {
  /** Records by id, of every status. */
  readonly results: ReadonlyMap<string, R>;
  readonly faults: readonly Fault[];
  /** Names of faulty files that were set aside, now or earlier. */
  readonly setAside: readonly string[];
}

/** A folder with one JSON file a record, named by the record's id. */
export interface Store<R extends StoredRecord = RunResult> {
  /** Where the files are. */
  readonly folder: string;
  /** Reads and checks every file. A folder that isn't there is empty. */
  read(): Promise<Stored<R>>;
  /** Ids of all files, unread. */
  names(): Promise<ReadonlySet<string>>;
  /** Whether a file of this id is there, unread: as it was at the last `renew()`, or later. */
  has(id: string): Promise<boolean>;
  /** Asks the server that has the folder anew: a client of NFS remembers for half a minute that a file was not there. */
  renew(): Promise<void>;
  /** Reads one record; null where there is none, or none that can be used. */
  find(id: string): Promise<R | null>;
  /** Writes beside the target and renames: a reader never sees half a record. */
  put(result: R): Promise<void>;
  /**
   * Renames a faulty file, so that its run can be repeated; never over another file. Returns the new name.
   *
   * @throws {UserError} where that fails
   */
  setAside(fault: Fault): Promise<string>;
}

/** The results of runs in an output folder: `<out>/runs`. Touches nothing yet. */
export function openStore(out: string): Store {
  return open<RunResult>(`${out}/runs`, RunSchema, "run");
}

/** The scores of base checkpoints in an output folder: `<out>/bases`. Touches nothing yet. */
export function openBases(out: string): Store<BaseResult> {
  return open<BaseResult>(`${out}/bases`, BaseResult, "base");
}

/** Where an output folder keeps runs that are not finished: see training/checkpoint/checkpoints.ts. */
export function checkpointsOf(out: string): string {
  return `${out}/checkpoints`;
}

/**
 * Reads a run's file by its path.
 *
 * @throws {UserError} where it can't be read, or isn't a stored run
 */
export async function readRun(path: string): Promise<RunResult> {
  const parts = path.split("/"), name = parts.pop()!;
  try {
    return await readRecord<RunResult>(
      parts.join("/") || (path.startsWith("/") ? "/" : "."),
      name,
      RunSchema,
      "run",
    );
  } catch (error) {
    throw new UserError(`Cannot read ${path}: ${reasonOf(error)}`);
  }
}

function open<R extends StoredRecord>(folder: string, schema: z.ZodType<R>, kind: string): Store<R> {
  return {
    folder,
    async read() {
      const results = new Map<string, R>();
      const faults: Fault[] = [];
      const names = await namesIn(folder);
      for (const name of names.filter((name) => name.endsWith(".json"))) {
        try {
          const result = await readRecord(folder, name, schema, kind);
          results.set(result.id, result);
        } catch (error) {
          faults.push({ name, sentence: `Cannot use ${folder}/${name}: ${reasonOf(error)}` });
        }
      }
      return { results, faults, setAside: names.filter((name) => /\.broken(\.\d+)?$/.test(name)) };
    },
    async names() {
      const files = (await namesIn(folder)).filter((name) => name.endsWith(".json"));
      return new Set(files.map((name) => name.slice(0, -".json".length)));
    },
    has: (id) => system.isThere(`${folder}/${id}.json`),
    renew: () => system.renew(folder),
    find: (id) => readRecord(folder, `${id}.json`, schema, kind).catch(() => null),
    async put(result) {
      const text = JSON.stringify(await withDigest(result), null, 1);
      await writeWhole(`${folder}/${result.id}.json`, `${text}\n`);
    },
    async setAside({ name }) {
      const taken = new Set(await namesIn(folder));
      let target = `${name}.broken`;
      for (let i = 2; taken.has(target); i++) target = `${name}.broken.${i}`;
      try {
        await system.rename(`${folder}/${name}`, `${folder}/${target}`);
      } catch (error) {
        throw new UserError(`Cannot set ${folder}/${name} aside: ${reasonOf(error)}`);
      }
      return target;
    },
  };
}

/** A record as it is written: with a digest of all that it says. */
export async function withDigest<R extends StoredRecord>(
  record: R,
): Promise<R & { readonly digest: string }> {
  return { ...record, digest: await digestOf(record) };
}

/** A run's result as it was written. @throws {Error} with the reason why it isn't one */
export function parseResult(value: unknown): Promise<RunResult> {
  return parseRecord<RunResult>(value, RunSchema);
}

async function parseRecord<R extends StoredRecord>(value: unknown, schema: z.ZodType<R>): Promise<R> {
  if (typeof value !== "object" || value === null || !("digest" in value)) {
    throw new Error("it has no digest (not written by this harness?)");
  }
  const { digest, ...rest } = value;
  if (digest !== await digestOf(rest)) throw new Error("its digest does not fit its content (edited?)");
  const checked = checkWith(schema, rest);
  if (checked.fault !== null) throw new UserError(checked.fault);
  const { value: record } = checked;
  if (record.id !== await recordId(record.config)) {
    throw new Error(`its id ${record.id} is not that of its config`);
  }
  return record;
}

/** Reads one file; throws with the reason why it isn't a record. */
async function readRecord<R extends StoredRecord>(
  folder: string,
  name: string,
  schema: z.ZodType<R>,
  kind: string,
): Promise<R> {
  const text = await readText(`${folder}/${name}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("it is not whole JSON (half-written?)");
  }
  const result = await parseRecord(value, schema);
  if (name !== `${result.id}.json`) {
    throw new Error(`it holds ${kind} ${result.id}, whose file is ${result.id}.json`);
  }
  return result;
}
