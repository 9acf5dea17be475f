/** @file Brings one file of the Hub's into the cache: whole and with the right hash, or not at all. */
import { createHash, type Hash } from "node:crypto";
import { UserError } from "../errors/user_error.ts";
import { reasonOf, removeFile, WriteError } from "../files/write_file.ts";
import { type Hub, type HubFile, lossOf, refusal, type Repository, unreachable } from "./look_up.ts";

/** How downloads are watched, and how patient they are. */
export interface Watching {
  /** Takes bytes that are there, as they come. */
  onBytes(bytes: number): void;
  /** Takes a sentence for people. */
  say(sentence: string): void;
  /** Milliseconds without a byte after which a connection counts as lost. */
  readonly patienceMs: number;
  /** Milliseconds between two connections where the first one brought nothing. */
  readonly pauseMs: number;
}

/** Connections that bring nothing, one after the other, after which it is given up. */
const MOST_FAILURES = 5;

/** The hash of a file's bytes, as the Hub tells it. */
function newHash({ algorithm, size }: HubFile): Hash {
  return algorithm === "sha256" ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
}

/**
 * Makes a file of a repository be in the folder of blobs, under its hash. What is there already is read again and kept if
 * its bytes are right. What an earlier attempt left is gone on with. Of two processes the second waits for the first.
 *
 * @returns bytes that came through the network
 * @throws {UserError} where the connection breaks again and again, or other bytes come than the Hub lists; what came of the
 * right file is kept for the next attempt
 * @throws {WriteError} where the disk takes no more
 */
export async function fetchBlob(
  hub: Hub,
  repository: Repository,
  commit: string,
  file: HubFile,
  blobs: string,
  watching: Watching,
): Promise<number> {
  const target = `${blobs}/${file.hash}`;
  if (await isSound(target, file, watching)) return 0;
  const { part, handle, isShared } = await openPart(target, file, watching);
  using open = handle;
  // Perhaps the process that was waited for brought it.
  if (isShared && await isSound(target, file, watching)) {
    await Deno.remove(part).catch(() => {});
    return 0;
  }
  let received: number;
  try {
    received = await fill(open, hub, repository, commit, file, part, watching);
  } catch (error) {
    // What did not begin leaves nothing.
    if ((await open.stat()).size === 0) await Deno.remove(part).catch(() => {});
    throw error;
  }
  try {
    await open.sync();
    await Deno.rename(part, target);
  } catch (error) {
    throw new WriteError(`Cannot write ${target}: ${reasonOf(error)}`, { cause: error });
  }
  return received;
}

/** True where a file of the right bytes is at a place; others are removed. */
async function isSound(path: string, file: HubFile, { onBytes }: Watching): Promise<boolean> {
  const info = await Deno.stat(path).catch(() => null);
  if (info === null) return false;
  if (info.isFile && info.size === file.size) {
    const hash = newHash(file), piece = new Uint8Array(1 << 20);
    using open = await Deno.open(path);
    for (let count; (count = await open.read(piece)) !== null;) {
      hash.update(piece.subarray(0, count));
      onBytes(count);
    }
    if (hash.digest("hex") === file.hash) return true;
    onBytes(-file.size);
  }
  await removeFile(path);
  return false;
}

/**
 * The file that takes the bytes, with those of an earlier attempt, locked for as long as it is open. On a disk without locks
 * it is one of this process's own.
 */
async function openPart(
  target: string,
  file: HubFile,
  { say }: Watching,
): Promise<{ readonly part: string; readonly handle: Deno.FsFile; readonly isShared: boolean }> {
  const part = `${target}.part`, how = { read: true, write: true };
  let path = part;
  try {
    for (;;) {
      const handle = await Deno.open(part, { ...how, create: true });
      const isLocked = await handle.tryLock(true).catch(() => null);
      if (isLocked === null) {
        handle.close();
        path = `${target}.${crypto.randomUUID().slice(0, 8)}.part`;
        return { part: path, handle: await Deno.open(path, { ...how, createNew: true }), isShared: false };
      }
      if (!isLocked) {
        say(`Another process is fetching ${file.path}: waiting for it`);
        await handle.lock(true);
      }
      // It may have been renamed or removed by whoever held the lock before.
      const there = await Deno.stat(part).catch(() => null);
      if (there?.ino === (await handle.stat()).ino) return { part, handle, isShared: true };
      handle.close();
    }
  } catch (error) {
    throw new WriteError(`Cannot write ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** Brings what is missing of a file. Returns the bytes that came through the network. */
async function fill(
  open: Deno.FsFile,
  hub: Hub,
  repository: Repository,
  commit: string,
  file: HubFile,
  part: string,
  watching: Watching,
): Promise<number> {
  let hash = newHash(file), have = 0, most = 0, received = 0, failures = 0;
  const restart = async () => {
    watching.onBytes(-have);
    await open.truncate(0);
    await open.seek(0, Deno.SeekMode.Start);
    [hash, have] = [newHash(file), 0];
  };
  const write = async (piece: Uint8Array) => {
    try {
      for (let written = 0; written < piece.length;) written += await open.write(piece.subarray(written));
    } catch (error) {
      throw new WriteError(`Cannot write ${part}: ${reasonOf(error)}`, { cause: error });
    }
    take(piece);
  };
  const take = (piece: Uint8Array) => {
    hash.update(piece);
    have += piece.length;
    watching.onBytes(piece.length);
  };
  const receive = async () => {
    const { pieces, from } = await request(hub, repository, commit, file, have, watching.patienceMs);
    if (from !== have) await restart();
    for await (const bytes of pieces) {
      received += bytes.length;
      if (have + bytes.length > file.size) throw refused(`more than its ${file.size} bytes come`);
      await write(bytes);
    }
  };
  const refused = (reason: string) =>
    new UserError(`Cannot fetch ${file.path} of ${repository.name}: ${reason}`);
  if ((await open.stat()).size > file.size) await restart();
  const piece = new Uint8Array(1 << 20);
  for (let count; (count = await open.read(piece)) !== null;) take(piece.subarray(0, count));
  let isAllNew = have === 0;
  most = have;
  for (;;) {
    while (have < file.size) {
      const reason = await receive().then(() => "the connection ended", (error) => {
        if (error instanceof UserError) throw error;
        if (error instanceof Deno.errors.NotCapable) throw unreachable(hub, repository, error);
        return lossOf(error);
      });
      // A server without ranges begins anew each time.
      failures = have > most ? 0 : failures + 1;
      most = Math.max(most, have);
      if (have >= file.size || failures === 0) continue;
      if (failures === MOST_FAILURES) {
        throw refused(
          `${have} of its ${file.size} bytes came (${reason}); the same command goes on from there`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, watching.pauseMs));
    }
    if (hash.copy().digest("hex") === file.hash) return received;
    await restart();
    if (isAllNew) throw refused("its bytes are not those that the Hub lists, nothing of them is kept");
    // What an earlier attempt left was wrong: a disk that loses power may keep zeros.
    isAllNew = true;
  }
}

/** Asks for a file from a byte on, and says from which byte on it comes. */
async function request(
  hub: Hub,
  repository: Repository,
  commit: string,
  file: HubFile,
  from: number,
  patienceMs: number,
): Promise<{ readonly pieces: AsyncGenerator<Uint8Array>; readonly from: number }> {
  const { endpoint, token } = hub, { kind, name } = repository;
  const path = file.path.split("/").map(encodeURIComponent).join("/");
  let url = new URL(`${endpoint}/${kind === "model" ? "" : "datasets/"}${name}/resolve/${commit}/${path}`);
  const home = url.origin, patience = createPatience(patienceMs);
  const range = from > 0 ? { range: `bytes=${from}-` } : {};
  try {
    for (let redirects = 0; redirects < 10; redirects++) {
      // The token is for the Hub alone, never for where it sends us.
      const own = token !== null && url.origin === home ? { authorization: `Bearer ${token.text}` } : {};
      const response = await fetch(url, {
        headers: { ...range, ...own, "accept-encoding": "identity" },
        redirect: "manual",
        signal: patience.signal,
      });
      const location = response.headers.get("location");
      if (response.status >= 300 && response.status < 400 && location !== null) {
        await response.body?.cancel();
        url = new URL(location, url);
        continue;
      }
      if (response.status === 206 || response.status === 200) {
        const [, start] = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "") ?? [];
        const isFrom = response.status === 206 && Number(start) === from;
        if (!isFrom && response.status === 206) {
          await response.body?.cancel();
          throw new Error("another part came than was asked for");
        }
        return { pieces: piecesOf(response, patience), from: isFrom ? from : 0 };
      }
      const { status } = response, code = response.headers.get("x-error-code");
      await response.body?.cancel();
      if (status >= 500) throw new Error(`status ${status}`);
      throw refusal(hub, repository, commit, { status, code });
    }
    throw new Error("it leads from one address to the next");
  } catch (error) {
    patience.end();
    throw error;
  }
}

async function* piecesOf(response: Response, patience: Patience): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of response.body ?? []) {
      patience.renew();
      yield piece;
    }
  } finally {
    patience.end();
  }
}

/** Ends a connection on which nothing comes. */
interface Patience {
  readonly signal: AbortSignal;
  renew(): void;
  end(): void;
}

function createPatience(ms: number): Patience {
  const controller = new AbortController();
  const lose = () => controller.abort(new Error(`nothing came for ${Math.round(ms / 1000)} seconds`));
  let timer = setTimeout(lose, ms);
  return {
    signal: controller.signal,
    renew() {
      clearTimeout(timer);
      timer = setTimeout(lose, ms);
    },
    end: () => clearTimeout(timer),
  };
}
