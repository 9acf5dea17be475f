/** @file Brings a model or a data set from the Hub into the cache, as Python's libraries lay it out. */
import { UserError } from "../errors/user_error.ts";
import { findCommit, type HubKind, isCommit, MAIN, repositoryFolder } from "../files/hub_place.ts";
import { prepareFolder, readText, reasonOf, WriteError, writeWhole } from "../files/write_file.ts";
import { chooseFiles, filesOfIndex } from "./choose_files.ts";
import { fetchBlob, type Watching } from "./download.ts";
import { type Hub, type HubFile, lookUpCommit, lookUpFiles, Unreachable } from "./look_up.ts";

/** What is to be fetched. */
export interface FetchRequest {
  readonly kind: HubKind;
  /** "org/name". */
  readonly repository: string;
  /** A branch, a tag, a commit or "refs/pr/1"; "main" where it is null. */
  readonly revision: string | null;
  /** Patterns of paths; empty for all that the harness reads. */
  readonly only: readonly string[];
  /** The cache's folder. */
  readonly cache: string;
  readonly hub: Hub;
  /** True where the Hub is not to be asked. */
  readonly isOffline?: boolean;
}

/** What is known while it comes. */
export interface FetchProgress {
  /** The file's path in the repository. */
  readonly path: string;
  /** Bytes that are there, of `total`, of all files. */
  readonly bytes: number;
  readonly total: number;
}

/** How a fetch is watched, and how patient it is. */
export interface FetchWatching extends Pick<Watching, "say"> {
  onProgress(progress: FetchProgress): void;
  readonly patienceMs?: number;
  readonly pauseMs?: number;
}

/** What is in the cache now. */
export interface Fetched {
  /** Of the commit, with the files by their paths. */
  readonly folder: string;
  readonly commit: string;
  /** Paths in the folder; empty where the Hub did not answer. */
  readonly files: readonly string[];
  /** Of all files. */
  readonly bytes: number;
  /** That came through the network. */
  readonly received: number;
  /** Why the Hub was not asked, in a sentence; null where it was. */
  readonly offline: string | null;
}

/**
 * Fetches what is missing. A commit's folder gets its files, and the revision its name, once all of them are there.
 *
 * Where the Hub does not answer, the revision that the cache has stands.
 *
 * @throws {UserError} where there is no such repository, revision or file, where it is gated, where the connection breaks,
 * and where bytes are not those that the Hub lists
 * @throws {WriteError} where the disk takes no more
 */
export async function fetchRepository(request: FetchRequest, watching: FetchWatching): Promise<Fetched> {
  const { kind, repository, only, cache, hub } = request, revision = request.revision ?? MAIN;
  const name = { kind, name: repository }, root = repositoryFolder(cache, kind, repository);
  const inCache = (commit: string) => `${root}/snapshots/${commit}`;
  let commit: string, listed: HubFile[];
  try {
    if (request.isOffline) throw new Unreachable(`Cannot ask for ${repository}: HF_HUB_OFFLINE is set`);
    commit = isCommit(revision) ? revision : await lookUpCommit(hub, name, revision);
    listed = await lookUpFiles(hub, name, commit);
  } catch (error) {
    const known = error instanceof Unreachable ? findCommit(root, revision, disk) : null;
    if (known === null) throw error;
    const { message } = error as Unreachable;
    return { folder: inCache(known), commit: known, files: [], bytes: 0, received: 0, offline: message };
  }
  const chosen = chooseFiles(kind, repository, listed, only), blobs = `${root}/blobs`;
  await prepareFolder(blobs);
  let bytes = 0, received = 0, total = 0;
  const bring = async (files: readonly HubFile[]) => {
    for (const file of files) {
      received += await fetchBlob(hub, name, commit, file, blobs, {
        say: watching.say,
        patienceMs: watching.patienceMs ?? 60_000,
        pauseMs: watching.pauseMs ?? 2000,
        onBytes(count) {
          bytes += count;
          watching.onProgress({ path: file.path, bytes, total });
        },
      });
    }
  };
  const { index } = chosen,
    sizes = (files: readonly HubFile[]) => files.reduce((sum, { size }) => sum + size, 0);
  let files = [...chosen.files];
  if (index) {
    total = index.size;
    await bring([index]);
    const text = await readText(`${blobs}/${index.hash}`);
    files = [...files, ...filesOfIndex(repository, text, listed)];
  }
  total = sizes(files) + (index?.size ?? 0);
  await bring(files);
  const all = [...index ? [index] : [], ...files];
  for (const file of all) await place(`${blobs}/${file.hash}`, `${inCache(commit)}/${file.path}`);
  if (!isCommit(revision)) await writeReference(`${root}/refs/${revision}`, commit);
  return {
    folder: inCache(commit),
    commit,
    files: all.map(({ path }) => path).sort(),
    bytes: total,
    received,
    offline: null,
  };
}

const disk = {
  read: (path: string) => Deno.readTextFileSync(path),
  isFolder: (path: string) => Deno.statSync(path).isDirectory,
};

/**
 * Gives a blob its name. Deno lets only a process that may write everywhere make symbolic links, as Python's libraries have
 * them there, so it is a second name of the same file, which these take too; on a disk that has none it is a copy.
 */
async function place(blob: string, path: string): Promise<void> {
  const there = await Deno.stat(path).catch(() => null);
  if (there !== null && there.ino === (await Deno.stat(blob)).ino) return;
  const part = `${path}.${crypto.randomUUID().slice(0, 8)}.part`;
  try {
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.link(blob, part).catch(() => Deno.copyFile(blob, part));
    await Deno.rename(part, path);
    // Two names of one file are not renamed to each other.
    await Deno.remove(part).catch(() => {});
  } catch (error) {
    await Deno.remove(part).catch(() => {});
    throw new WriteError(`Cannot write ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

async function writeReference(path: string, commit: string): Promise<void> {
  const folder = path.slice(0, path.lastIndexOf("/"));
  try {
    await Deno.mkdir(folder, { recursive: true });
  } catch (error) {
    throw new UserError(`Cannot write ${folder}: ${reasonOf(error)}`);
  }
  await writeWhole(path, commit);
}
