/** @file Real data by path: finds the data sets in a folder, reads them, and cuts pools that share no example. */
import { createRandom } from "../../numerics/random.ts";
import { type Pools, takeExamples } from "../examples.ts";
import type { DataSource, RealDataKinds, TaskFamily, TaskOptions } from "../task.ts";
import type { Contents } from "./contents.ts";
import { DataError, reasonOf, TooFewExamples } from "./data_error.ts";
import {
  baseName,
  type DataSet,
  fingerprintOf,
  type Folder,
  openFolder,
  type Part,
  type Role,
} from "./data_set.ts";
import * as dataSets from "./mod.ts";
import { createTally, describeRecord, type ReadRecord } from "./read_record.ts";
import { isSkip, type Skip, type SkipReason } from "../skip.ts";

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
  /** Examples that were left out, as another of them asks the same. */
  readonly duplicates: Duplicates;
  /** Why examples were left out; of each pool each reason once. */
  readonly reasons: readonly SkipReason[];
}

/** How many examples ask what another one asks: of another pool, which shares none with theirs, or of their own. */
export interface Duplicates {
  /** As one that is held out for validation or test. */
  readonly elsewhere: number;
  /** As one that came before in the same pool. */
  readonly twice: number;
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

/** For each part to hold out that a folder lacks, this share of the training examples stands in. */
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
 * @throws {DataError} where there is none, naming those that there might be, where a file can't be read or holds nothing,
 * where something else has a file's name, and where some of several numbered files are missing
 */
export async function findData<F extends TaskFamily>(
  family: F,
  path: string,
  only?: readonly string[],
): Promise<FoundData<Contents[F]>> {
  const folder = await openFolder(path);
  const known = dataSetsOf(family, only);
  const isPublished = (file: string) => known.some((set) => set.roleOf(baseName(file)) !== undefined);
  for (const [file, kind] of folder.others) {
    if (isPublished(file)) {
      throw new DataError(`Cannot read ${folder.full(file)}: it is ${kind}, a file is needed`);
    }
  }
  validateMissing(folder, folder.files.filter(isPublished));
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
 * True where a folder, or a single file, holds a data set that some task knows.
 *
 * @throws {DataError} where it can't be read
 */
export async function holdsKnownData(path: string): Promise<boolean> {
  const folder = await openFolder(path);
  for (const set of Object.values(dataSets) as readonly DataSet[]) {
    if ((await set.find(folder)).length > 0) return true;
  }
  return false;
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
  const { data: path } = options;
  const place = {
    fingerprint: () => fingerprintData(family, path, taking.only),
    find: () => findData(family, path, taking.only),
  };
  return await takeFrom(id, place, options, taking);
}

/** Where examples are. */
export interface DataPlace<T> {
  /** SHA-256 over names and bytes of its files, in hex. @throws {DataError} */
  fingerprint(): Promise<string>;
  /** What there is to read. @throws {DataError} */
  find(): Promise<FoundData<T>>;
}

/**
 * As `takeData`, from wherever the examples are.
 *
 * @throws {DataError} as `takeData` does
 */
export async function takeFrom<T extends object, U extends object>(
  id: string,
  place: DataPlace<T>,
  options: TaskOptions & { readonly data: string },
  taking: Omit<Taking<T, U>, "only">,
): Promise<TakenData<U>> {
  const data = await readOnce(id, place, options, taking);
  const { title, fingerprint, records, classes, reasons } = data;
  if (options.fingerprint !== undefined && options.fingerprint !== fingerprint) {
    throw new DataError(
      `Cannot use ${options.data} for "${id}": its files changed since the run was planned`,
    );
  }
  const tooFew = (sentence: string) => {
    const counts = Object.entries(records).map(([role, record]) => `${role}: ${describeRecord(record)}`);
    return new TooFewExamples(`${sentence}; of ${title} in ${options.data}, ${counts.join("; ")}`, reasons);
  };
  const lack = lackOf(data);
  if (lack !== null) throw tooFew(`Cannot use ${options.data} for "${id}": ${lack}`);
  try {
    return { ...takeExamples(id, data, options), classes, source: { title, fingerprint, records } };
  } catch (error) {
    throw tooFew(reasonOf(error));
  }
}

/** Which pools have no example, and why, for the end of a sentence; null where all have some. */
export function lackOf<U>(data: Pick<RealData<U>, Role | "records">): string | null {
  const roles = Object.keys(ROLES) as Role[], lacking = roles.filter((role) => data[role].length === 0);
  if (lacking.length === 0) return null;
  const wasRead = lacking.some((role) => (data.records[role]?.read ?? 0) > 0);
  return `there is no example for ${lacking.map((role) => ROLES[role]).join(" and ")}, ${
    wasRead ? "as all that was read of it is left out" : "of 10 or more a tenth is held out for each"
  }`;
}

/** All examples of a place, read once for those that ask for the same ones after the other. @throws {DataError} */
export async function readOnce<T extends object, U extends object>(
  id: string,
  place: DataPlace<T>,
  { data: path, trainOnTest = false }: { readonly data: string; readonly trainOnTest?: boolean },
  taking: Omit<Taking<T, U>, "only">,
): Promise<RealData<U>> {
  const key = [path, await place.fingerprint(), taking.by, trainOnTest].join("\0");
  let entry = latest.get(id);
  if (entry?.key !== key) {
    const data = place.find().then((found) => readPools(found, taking, { trainOnTest }));
    entry = { key, data: data as Promise<RealData<never>> };
    latest.set(id, entry);
  }
  // What was kept under a task's name was made by that task's own `taking`.
  return await entry.data as RealData<U>;
}

/**
 * Reads a folder's examples into pools in an order of chance that is always the same. A pool without files is cut
 * from the training examples: a tenth of them each, at most 2,000. Training examples that are held out too are left out
 * and counted, so that the pools share none.
 *
 * What is published to be held out is trained on only with `trainOnTest`, where there is nothing else: then all pools are
 * cut from it.
 *
 * @throws {DataError} as `findData` does; where there are several data sets for one pool; and where there are only examples
 * to hold out, or with `trainOnTest` others
 * @throws {TooFewExamples} where a file has no example that can be used, with the counts
 */
export async function loadData<F extends TaskFamily, U extends object>(
  family: F,
  path: string,
  taking: Taking<Contents[F], U>,
  { trainOnTest = false }: { readonly trainOnTest?: boolean } = {},
): Promise<RealData<U>> {
  return await readPools(await findData(family, path, taking.only), taking, { trainOnTest });
}

/**
 * As `loadData`, of what was found.
 *
 * @throws {DataError} as `loadData` does
 */
export async function readPools<T extends object, U extends object>(
  found: FoundData<T>,
  taking: Omit<Taking<T, U>, "only">,
  { trainOnTest = false }: { readonly trainOnTest?: boolean } = {},
): Promise<RealData<U>> {
  const { folder, titles, parts, classes } = found, { path } = folder;
  validatePooling(found);
  validateRoles(found, trainOnTest);
  const tallies = { train: createTally(), validation: createTally(), test: createTally() };
  const read: Record<Role, U[]> = { train: [], validation: [], test: [] };
  for (const { role, title, files, read: examples } of parts) {
    const own = createTally();
    for await (const example of examples()) {
      const converted = isSkip(example) ? example : taking.convert(example);
      for (const tally of [own, tallies[role]]) if (isSkip(converted)) tally.skip(converted.skip);
      if (isSkip(converted)) continue;
      own.keep();
      read[role].push(converted);
    }
    const record = own.record();
    if (record.kept > 0) continue;
    const which = files.length === 1 ? folder.full(files[0]!) : `${path} (${title}, ${files.length} files)`;
    if (record.read === 0) {
      throw new DataError(`Cannot use ${which}: no example is there (an interrupted download?)`);
    }
    throw new TooFewExamples(
      `Cannot use ${which}: no example is left, ${role}: ${describeRecord(record)}`,
      own.reasons(),
    );
  }
  const cut = cutPools(read);
  const duplicates = { elsewhere: 0, twice: 0 };
  const kept = distinct(cut, taking.keyOf, (role, first) => {
    tallies[role].skip({ kind: "duplicate" });
    duplicates[first === role ? "twice" : "elsewhere"]++;
  });
  for (const role of Object.keys(kept) as Role[]) {
    for (let i = 0; i < kept[role].length; i++) tallies[role].keep();
  }
  return {
    ...kept,
    title: titles.join(" and "),
    classes,
    duplicates,
    records: Object.fromEntries(
      Object.entries(tallies).map(([role, tally]) => [role, tally.record()] as const).filter(([, { read }]) =>
        read > 0
      ),
    ),
    fingerprint: await fingerprintOf(folder, filesOf(parts)),
    reasons: Object.values(tallies).flatMap((tally) => tally.reasons()),
  };
}

/**
 * Files that are numbered as parts of a whole, such as "train-00000-of-00002.parquet", are needed all: what an interrupted
 * download leaves is no data set. A file that is named by itself is taken alone.
 *
 * @throws {DataError}
 */
function validateMissing(folder: Folder, files: readonly string[]): void {
  if (files[0] === baseName(folder.path)) return;
  const numbered = files.flatMap((file) => {
    const [, start, number, count] = /^(.*-)(\d+)-of-(\d+)[^/]*$/.exec(file) ?? [];
    return number === undefined ? [] : [{ file, number, whole: `${start} ${count}`, count: Number(count) }];
  });
  for (const own of Map.groupBy(numbered, ({ whole }) => whole).values()) {
    const found = new Set(own.map(({ number }) => number)).size,
      [{ file, count }] = own as [typeof own[number]];
    if (found === count) continue;
    throw new DataError(
      `Cannot use ${folder.full(file)}: it is one of ${count} files of which ${found} ${
        found === 1 ? "is" : "are"
      } there (an interrupted download? name it by itself to take it alone)`,
    );
  }
}

/** A score of several data sets together would be that of none of them. @throws {DataError} */
function validatePooling<T>({ folder, parts }: FoundData<T>): void {
  for (const [role, own] of Map.groupBy(parts, ({ role }) => role)) {
    const sets = Map.groupBy(own, ({ title, set }) => `${title}\0${set}`);
    if (sets.size < 2) continue;
    const names = [...sets.values()].map(([first]) => `${first!.title} (${first!.files[0]})`);
    throw new DataError(
      `Cannot use ${folder.path}: it has ${ROLES[role]} examples of ${
        names.join(" and ")
      }, and each score is of one ` +
        "data set; name the folder or the file of one, or a folder with one to train on and one to test on",
    );
  }
}

/** What is published to hold out is not to be trained on unasked. @throws {DataError} */
function validateRoles<T>({ folder, titles, parts }: FoundData<T>, trainOnTest: boolean): void {
  const files = (some: typeof parts) => filesOf(some).slice(0, 3).join(", ");
  const trained = parts.filter(({ role }) => role === "train");
  if (trainOnTest && trained.length > 0) {
    throw new DataError(
      `Cannot train on the test examples in ${folder.path}: others are there to train on (${files(trained)})`,
    );
  }
  if (trainOnTest || trained.length > 0) return;
  const roles = [...new Set(parts.map(({ role }) => ROLES[role]))].join(" and ");
  throw new DataError(
    `Cannot train on ${titles.join(" and ")} in ${folder.path}: it has ${roles} examples alone (${
      files(parts)
    }), ` +
      "which are trained on only where --train-on-test asks for it",
  );
}

/** What examples of a role are called. */
const ROLES: Readonly<Record<Role, string>> = { train: "training", validation: "validation", test: "test" };

/** Files are often sorted by class or by source, so pools are shuffled before anything is cut from them. */
function cutPools<U>(read: Readonly<Record<Role, U[]>>): Record<Role, U[]> {
  const shuffled = (role: Role) => {
    const order = createRandom(0).fork(`real data ${role}`).permutation(read[role].length);
    return Array.from(order, (i) => read[role][i]!);
  };
  const pools = { train: shuffled("train"), validation: shuffled("validation"), test: shuffled("test") };
  // Only where it was asked for: whatever there is most of.
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
  onDropped: (role: Role, first: Role) => void,
): Record<Role, U[]> {
  const seen = new Map<string, Role>();
  const keep = (role: Role) =>
    pools[role].filter((example) => {
      const key = keyOf(example), first = seen.get(key);
      if (first === undefined) {
        seen.set(key, role);
        return true;
      }
      onDropped(role, first);
      return false;
    });
  const test = keep("test"), validation = keep("validation");
  return { train: keep("train"), validation, test };
}
