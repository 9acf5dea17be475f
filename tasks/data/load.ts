/** @file Real data by path: finds the data sets in a folder, reads them, and cuts pools that share no example. */
import { createRandom } from "../../numerics/random.ts";
import { type Pools, takeExamples } from "../examples.ts";
import type { DataSource, RealDataKinds, TaskFamily, TaskOptions } from "../task.ts";
import type { Contents } from "./contents.ts";
import { DataError, reasonOf } from "./data_error.ts";
import { type DataSet, fingerprintOf, type Folder, openFolder, type Part, type Role } from "./data_set.ts";
import * as dataSets from "./mod.ts";
import { createTally, describeRecord, isSkip, type ReadRecord, type Skip } from "./read_record.ts";

/** The parts of the data sets that a folder holds for one kind of task. */
export interface FoundData<T> {
  /** Where they are. */
  readonly folder: Folder;
  /** Titles of the data sets. */
  readonly titles: readonly string[];
  /** What to read, in the order of the registry, with the title of its data set. */
  readonly parts: readonly (Part<T> & { readonly title: string })[];
  /** Names of the classes, where the files have them. */
  readonly classes: readonly string[] | undefined;
}

/** Examples of a folder, ready to be taken from. */
export interface RealData<U> extends Pools<U> {
  /** Titles of the data sets that gave examples, e.g. "MetaMathQA and GSM8K". */
  readonly title: string;
  /** How much was used, by the pool that it is in or was meant for. */
  readonly records: Readonly<Partial<Record<Role, ReadRecord>>>;
  /** SHA-256 over names and bytes of the files that were read, in hex. */
  readonly fingerprint: string;
  /** Names of the classes, where the files have them. */
  readonly classes: readonly string[] | undefined;
}

/** How a task takes examples. */
export interface Taking<T, U> {
  /** Ids of the data sets that it takes; absent where it takes all of its family. */
  readonly only?: readonly string[];
  /** The task's own form of an example, or why it can't take it. */
  convert(example: T): U | Skip;
  /** What makes an example the same as another: what is asked, without the answer. */
  keyOf(example: U): string;
  /** What `convert` goes by beside the example, e.g. a tokenizer: with another one the files are read again. */
  readonly by?: string;
}

/** Of parts that a folder lacks, this share of the training examples stands in: for one, and for the other. */
const HELD_OUT_SHARE = 0.1;
/** Never more than this many. */
const HELD_OUT_MOST = 2000;

/** The data sets that a family of tasks takes. */
export function dataSetsOf<F extends TaskFamily>(family: F, only?: readonly string[]): readonly DataSet<F>[] {
  const all: readonly DataSet[] = Object.values(dataSets);
  const own = all.filter((set): set is DataSet<F> => set.family === family);
  return only ? own.filter(({ id }) => only.includes(id)) : own;
}

/**
 * Looks for a family's data sets in a folder, or takes a single file for one. All that are there are used: MetaMathQA
 * beside GSM8K's test file is trained on, and that tested on.
 *
 * @throws {DataError} where there is none, naming those that there might be, or where a file can't be read
 */
export async function findData<F extends TaskFamily>(
  family: F,
  path: string,
  only?: readonly string[],
): Promise<FoundData<Contents[F]>> {
  const folder = await openFolder(path);
  const known = dataSetsOf(family, only);
  const found: { readonly set: DataSet<F>; readonly parts: readonly Part<Contents[F]>[] }[] = [];
  for (const set of known) {
    const parts = await set.find(folder);
    if (parts.length > 0) found.push({ set, parts });
  }
  if (found.length === 0) {
    const names = known.map(({ title, files }) => `${title} (${files.slice(0, 2).join(", ")})`).join("; ");
    const looked = `${folder.files.length} ${folder.files.length === 1 ? "file" : "files"}`;
    throw new DataError(`Cannot find data in ${path}: none of its ${looked} is of ${names}`);
  }
  const parts = found.flatMap(({ set: { title }, parts }) => parts.map((part) => ({ ...part, title })));
  return {
    folder,
    titles: found.map(({ set }) => set.title),
    parts,
    classes: parts.find(({ classes }) => classes)?.classes,
  };
}

/**
 * SHA-256 over names and bytes of the files that `loadData` would read, in hex.
 *
 * @throws {DataError} as `findData` does
 */
export async function fingerprintData(
  family: TaskFamily,
  path: string,
  only?: readonly string[],
): Promise<string> {
  const { folder, parts } = await findData(family, path, only);
  return await fingerprintOf(folder, filesOf(parts));
}

function filesOf(parts: readonly { readonly files: readonly string[] }[]): string[] {
  return [...new Set(parts.flatMap(({ files }) => files))];
}

/**
 * What a task says of the real data that it takes.
 *
 * @param only ids of the data sets; absent where it takes all of its family
 * @param metric what its score is called there; absent where it is the task's own metric
 */
export function realDataOf(
  family: TaskFamily,
  { only, metric }: { readonly only?: readonly string[]; readonly metric?: string } = {},
): RealDataKinds {
  return {
    titles: dataSetsOf(family, only).map(({ title }) => title),
    ...(metric !== undefined && { metric }),
    fingerprint: (path) => fingerprintData(family, path, only),
  };
}

/** The examples of a run, and what it says of where they are from. */
export interface TakenData<U> extends Pools<U> {
  readonly source: DataSource;
  readonly classes: readonly string[] | undefined;
}

/** What was read last, by task: a sweep's runs share it. */
const latest = new Map<string, { readonly key: string; readonly data: Promise<RealData<never>> }>();

/**
 * As many examples as a run's options say, from its `data`, which are read once for runs that follow one another.
 *
 * @param id the task's
 * @throws {DataError} as `loadData` does, where there are fewer, and where the files no longer have the options'
 * fingerprint
 */
export async function takeData<F extends TaskFamily, U extends object>(
  id: string,
  family: F,
  options: TaskOptions & { readonly data: string },
  taking: Taking<Contents[F], U>,
): Promise<TakenData<U>> {
  const key = [options.data, await fingerprintData(family, options.data, taking.only), taking.by].join("\0");
  let entry = latest.get(id);
  if (entry?.key !== key) {
    entry = { key, data: loadData(family, options.data, taking) as Promise<RealData<never>> };
    latest.set(id, entry);
  }
  // What was kept under a task's name was made by that task's own `taking`.
  const data = await entry.data as RealData<U>;
  const { title, fingerprint, records, classes } = data;
  if (options.fingerprint !== undefined && options.fingerprint !== fingerprint) {
    throw new DataError(
      `Cannot use ${options.data} for "${id}": its files changed since the run was planned`,
    );
  }
  try {
    return { ...takeExamples(id, data, options), classes, source: { title, fingerprint, records } };
  } catch (error) {
    const counts = Object.entries(records).map(([role, record]) => `${role}: ${describeRecord(record)}`);
    throw new DataError(`${reasonOf(error)}; of ${title} in ${options.data}, ${counts.join("; ")}`);
  }
}

/**
 * Reads a folder's examples into pools in an order of chance that is always the same. A pool without files is cut
 * from the training examples, or where there are only test examples, from those: a tenth of them each, at most 2,000.
 * Training examples that are held out too are left out and counted, so that the pools share none.
 *
 * @throws {DataError} as `findData` does, and where no example can be used, with the counts
 */
export async function loadData<F extends TaskFamily, U extends object>(
  family: F,
  path: string,
  taking: Taking<Contents[F], U>,
): Promise<RealData<U>> {
  const { folder, titles, parts, classes } = await findData(family, path, taking.only);
  const tallies = { train: createTally(), validation: createTally(), test: createTally() };
  const read: Record<Role, U[]> = { train: [], validation: [], test: [] };
  const used = new Set<string>();
  for (const { role, title, read: examples } of parts) {
    for await (const example of examples()) {
      const converted = isSkip(example) ? example : taking.convert(example);
      if (isSkip(converted)) tallies[role].skip(converted.skip);
      else {
        read[role].push(converted);
        used.add(title);
      }
    }
  }
  if (read.train.length + read.validation.length + read.test.length === 0) {
    const counts = parts.map(({ role }) => `${role}: ${describeRecord(tallies[role].record())}`);
    throw new DataError(
      `Cannot use ${titles.join(" and ")} in ${path}: no example is left, ${[...new Set(counts)].join("; ")}`,
    );
  }
  const cut = cutPools(read);
  const kept = distinct(cut, taking.keyOf, (role) => tallies[role].skip("held out elsewhere or there twice"));
  for (const role of Object.keys(kept) as Role[]) {
    for (let i = 0; i < kept[role].length; i++) tallies[role].keep();
  }
  return {
    ...kept,
    title: [...used].join(" and "),
    classes,
    records: Object.fromEntries(
      Object.entries(tallies).map(([role, tally]) => [role, tally.record()] as const).filter(([, { read }]) =>
        read > 0
      ),
    ),
    fingerprint: await fingerprintOf(folder, filesOf(parts)),
  };
}

/** Files are often sorted by class or by source, so pools are shuffled before anything is cut from them. */
function cutPools<U>(read: Readonly<Record<Role, U[]>>): Record<Role, U[]> {
  const shuffled = (role: Role) => {
    const order = createRandom(0).fork(`real data ${role}`).permutation(read[role].length);
    return Array.from(order, (i) => read[role][i]!);
  };
  const pools = { train: shuffled("train"), validation: shuffled("validation"), test: shuffled("test") };
  // Whatever there is most of stands in where there is nothing to train on.
  if (pools.train.length === 0) {
    const largest = pools.test.length >= pools.validation.length ? "test" : "validation";
    pools.train = pools[largest];
    pools[largest] = [];
  }
  const share = Math.min(HELD_OUT_MOST, Math.floor(HELD_OUT_SHARE * pools.train.length));
  for (const role of ["test", "validation"] as const) {
    if (pools[role].length === 0) pools[role] = pools.train.splice(0, share);
  }
  return pools;
}

/** Without examples that came before: in test, then validation, then train. */
function distinct<U>(
  pools: Readonly<Record<Role, readonly U[]>>,
  keyOf: (example: U) => string,
  onDropped: (role: Role) => void,
): Record<Role, U[]> {
  const seen = new Set<string>();
  const keep = (role: Role) =>
    pools[role].filter((example) => {
      const key = keyOf(example);
      if (!seen.has(key)) {
        seen.add(key);
        return true;
      }
      onDropped(role);
      return false;
    });
  const test = keep("test"), validation = keep("validation");
  return { train: keep("train"), validation, test };
}
