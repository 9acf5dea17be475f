/**
 * @file Who makes which run, told by a folder that processes on many machines share: `<out>/claims/<id>/<n>/owner`.
 *
 * A claim is a folder made by mkdir, which one of any number of processes can make. A claim whose owner is gone is never
 * taken away: the next number is made beside it, which again only one can. Nobody waits on a lock that a network's file
 * system may not have.
 */
import { reasonOf, WriteError } from "../../files/write_file.ts";
import type { Worker } from "./worker.ts";

/** What is this process's to make. */
export interface Claim {
  /** Gives the run back: its result is stored, or somebody else is to go on. Once. */
  release(): Promise<void>;
}

/** Claims on the runs and bases of a folder. */
export interface Claims {
  /** Takes what an id names; null where somebody alive has it. */
  take(id: string): Promise<Claim | null>;
  /** Takes what an id names, once nobody alive has it: for what is done in a moment. */
  await(id: string): Promise<Claim>;
  /** Takes what nobody has claimed; null where somebody has, dead or alive. Costs a look less than `take`. */
  takeNew(id: string): Promise<Claim | null>;
  /** Ids that somebody has or had when he was killed. */
  held(): Promise<ReadonlySet<string>>;
  /** Removes the claims on what is stored: left where two made a run, and the one that had taken it over was killed. */
  forget(isStored: (id: string) => boolean): Promise<void>;
  /** Stops the heart and removes the folder where it is empty. Claims that are left are free on this machine at once. */
  end(): void;
}

/** How claims live and die. */
export interface ClaimTimes {
  /** Milliseconds between two heartbeats. */
  readonly beatMs: number;
  /** Milliseconds without one after which an owner counts as gone. */
  readonly staleMs: number;
}

const usual: ClaimTimes = { beatMs: 30_000, staleMs: 15 * 60_000 };
/** Milliseconds that a process may take to write its name into a claim that it has made. */
const UNNAMED = 60_000;

/** What the file of an owner says. */
interface Owner extends Worker {
  /** Milliseconds since the last heartbeat, by the file server's clock. */
  readonly silentMs: number;
  /** True where its process lives, as far as this machine can tell; null where it can't. */
  readonly isLocked: boolean | null;
}

/** Claims of a process on an output folder, which must be there. */
export function openClaims(out: string, worker: Worker, times: ClaimTimes = usual): Claims {
  const folder = `${out}/claims`;
  const mine = new Set<Deno.FsFile>();
  const beat = setInterval(() => {
    for (const file of mine) void write(file, worker).catch(() => {});
  }, times.beatMs);
  Deno.unrefTimer(beat);

  /** The time of the server that has the folder. */
  const serverNow = async (): Promise<number> => {
    const path = `${folder}/.clock-${worker.name}`;
    try {
      await Deno.writeTextFile(path, "");
      return (await Deno.stat(path)).mtime?.getTime() ?? Date.now();
    } finally {
      await Deno.remove(path).catch(() => {});
    }
  };

  const isAlive = async (claim: string): Promise<boolean> => {
    const now = await serverNow(), owner = await readOwner(`${claim}/owner`, now);
    if (owner) {
      const isHere = owner.host === worker.host;
      return owner.silentMs <= times.staleMs && !(isHere && owner.isLocked === false);
    }
    const { mtime } = await Deno.stat(claim);
    return now - (mtime?.getTime() ?? 0) <= Math.min(UNNAMED, times.staleMs);
  };

  /** Makes a claim of this number. @throws {Deno.errors.AlreadyExists} where somebody was faster */
  const claimAs = async (own: string, number: number): Promise<Claim> => {
    const claim = `${own}/${number}`;
    await Deno.mkdir(claim);
    const file = await placeOwner(claim, worker);
    mine.add(file);
    return { release: () => release(own, number, file) };
  };

  /** Tries again where somebody released the claim just now. */
  const attempt = async (own: string, claim: () => Promise<Claim | null>): Promise<Claim | null> => {
    for (;;) {
      try {
        return await claim();
      } catch (error) {
        if (error instanceof Deno.errors.AlreadyExists) return null;
        if (error instanceof Deno.errors.NotFound) {
          await Deno.mkdir(folder, { recursive: true });
          continue;
        }
        throw new WriteError(`Cannot write ${own}: ${reasonOf(error)}`, { cause: error });
      }
    }
  };

  const take = (id: string): Promise<Claim | null> => {
    const own = `${folder}/${id}`;
    return attempt(own, async () => {
      await Deno.mkdir(own, { recursive: true });
      const last = Math.max(0, ...(await listed(own)).map(Number).filter(Number.isInteger));
      return last > 0 && await isAlive(`${own}/${last}`) ? null : await claimAs(own, last + 1);
    });
  };

  return {
    take,
    async await(id) {
      for (;;) {
        const claim = await take(id);
        if (claim) return claim;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    takeNew(id) {
      const own = `${folder}/${id}`;
      return attempt(own, async () => {
        await Deno.mkdir(own);
        return await claimAs(own, 1);
      });
    },
    async held() {
      return new Set((await listed(folder)).filter((name) => !name.startsWith(".")));
    },
    async forget(isStored) {
      for (const id of (await listed(folder)).filter(isStored)) {
        await discard(`${folder}/${id}`).catch(() => {});
      }
    },
    end() {
      clearInterval(beat);
      for (const file of mine) file.close();
      mine.clear();
      try {
        Deno.removeSync(folder);
      } catch {
        // Others' claims are in it, or it was never made.
      }
    },
  };

  /** At once, and then piece by piece: nobody sees half a claim. */
  async function discard(own: string): Promise<void> {
    const gone = `${folder}/.released-${crypto.randomUUID()}`;
    await Deno.rename(own, gone);
    await Deno.remove(gone, { recursive: true });
  }

  async function release(own: string, number: number, file: Deno.FsFile): Promise<void> {
    mine.delete(file);
    try {
      const numbers = (await listed(own)).map(Number).filter(Number.isInteger);
      if (numbers.some((other) => other > number)) {
        // It took so long that somebody else took over: that claim stays.
        await Deno.remove(`${own}/${number}`, { recursive: true });
      } else {
        await discard(own);
      }
    } catch {
      // It was taken away: as it should be.
    } finally {
      file.close();
    }
  }
}

/** Names in a folder that others make and remove at any time; none where it isn't there. */
async function listed(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) names.push(name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names;
}

/** Puts a locked file in its place, so that nobody ever sees it unlocked while its process lives. */
async function placeOwner(claim: string, worker: Worker): Promise<Deno.FsFile> {
  const part = `${claim}/.owner`;
  const file = await Deno.open(part, { write: true, createNew: true });
  try {
    await file.lock(true).catch(() => {});
    await write(file, worker);
    await Deno.rename(part, `${claim}/owner`);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

async function write(file: Deno.FsFile, worker: Worker): Promise<void> {
  await file.seek(0, Deno.SeekMode.Start);
  await file.write(new TextEncoder().encode(`${JSON.stringify(worker)}\n`));
}

/** Null where a process has not written its name yet. */
async function readOwner(path: string, now: number): Promise<Owner | null> {
  try {
    const text = await Deno.readTextFile(path), { mtime } = await Deno.stat(path);
    using file = await Deno.open(path, { read: true });
    // Several may look at once.
    const isLocked = await file.tryLock(false).then((isMine) => !isMine, () => null);
    const { name, host } = JSON.parse(text) as Worker;
    return { name, host, isLocked, silentMs: now - (mtime?.getTime() ?? 0) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Removes what processes left in the folder of claims that were killed while they released one. */
export async function sweepClaims(out: string): Promise<void> {
  const folder = `${out}/claims`;
  for (const name of (await listed(folder)).filter((name) => name.startsWith("."))) {
    await Deno.remove(`${folder}/${name}`, { recursive: true }).catch(() => {});
  }
}
