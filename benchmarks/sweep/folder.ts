/** @file An output folder while something is run in it: made, swept, watched, and its records read. */
import { UserError } from "../../errors/user_error.ts";
import { namesIn, prepareFolder, sweepUp, WriteError } from "../../files/write_file.ts";
import { removeCheckpoints } from "../../training/checkpoint/checkpoints.ts";
import { type Claim, type Claims, openClaims, sweepClaims } from "./claims.ts";
import { EVERY_OF_WORKER, type LiveWriter, openLive, readPulses } from "./live.ts";
import { thisWorker } from "./worker.ts";
import { wait } from "./queue.ts";
import type { Display } from "./progress.ts";
import { isFinished, type RunDeps } from "./runner.ts";
import { checkpointsOf, openBases, openStore, type Store, type Stored } from "./store.ts";

/** What a process does of a sweep: all; the plan alone; runs alone, beside others; or the report alone, after them. */
export type Role = "whole" | "plan" | "worker" | "report";

/** Milliseconds between two looks whether others are at work still. */
const POLL = 5000;

/** What work in an output folder is done with. */
export interface WorkParts<G extends AsyncDisposable> {
  /** "whole" where absent. */
  readonly role?: Role;
  readonly deps: RunDeps<G>;
  readonly display: Display;
  /** Where it aborts, work stops once the run at work is kept. */
  readonly signal: AbortSignal;
  /** Milliseconds from one checkpoint of a run to the next; Infinity where a run is kept only when it is stopped. */
  readonly checkpointEveryMs: number;
  readonly say: (sentence: string) => void;
  /** True where what runs train is kept with their results: see trained_store.ts. */
  readonly keepsTrained?: boolean;
  /** Milliseconds between two looks at what others are at; 5 seconds where absent. */
  readonly pollMs?: number;
  /** True where only this process can reach the folder: nothing is claimed, and nobody watches. */
  readonly isOwn?: true;
  /** The address of the site that reports link to; absent where they link to none. */
  readonly site?: string;
}

/** A folder that other processes may fill at the same time. */
export interface SharedFolder {
  readonly live: LiveWriter;
  readonly claims: Claims;
  /** How many others were at work in it when this process came. */
  readonly others: number;
  /** Resolves once nobody else is at work in it, or the signal aborts. */
  alone(signal: AbortSignal): Promise<void>;
}

const claim: Claim = { release: () => Promise.resolve() };
const take = () => Promise.resolve(claim);

/** A folder of this process's own needs no claims and has no watchers. */
const ownFolder: SharedFolder = {
  claims: {
    take,
    await: take,
    takeNew: take,
    held: () => Promise.resolve(new Set()),
    forget: () => Promise.resolve(),
    end: () => {},
  },
  live: {
    display: { stage() {}, begin() {}, start() {}, update() {}, finish() {}, end() {} },
    enter: () => {},
    write: () => Promise.resolve(),
    end: () => Promise.resolve(),
  },
  others: 0,
  alone: () => Promise.resolve(),
};

/**
 * Does work in an output folder, and tells watchers about it from beginning to end.
 *
 * @throws {UserError} where the folder can't be written
 */
export async function workIn<T extends { readonly interrupted: boolean }>(
  out: string,
  { say, role, pollMs = POLL, isOwn }: Pick<WorkParts<AsyncDisposable>, "say" | "role" | "pollMs" | "isOwn">,
  work: (shared: SharedFolder) => Promise<T>,
): Promise<T> {
  const { folder } = openStore(out);
  await prepareFolder(folder);
  if (isOwn) {
    return await work(ownFolder).catch(async (error) => {
      throw error instanceof WriteError ? await withKept(error, folder) : error;
    });
  }
  const worker = thisWorker();
  const live = await openLive(out, say, worker, role === "worker" ? EVERY_OF_WORKER : undefined);
  const claims = openClaims(out, worker);
  const countOthers = async () =>
    (await readPulses(out, worker)).filter(({ isAlive, live }) => isAlive && live?.worker !== worker.name)
      .length;
  const alone = async (signal: AbortSignal) => {
    while (!signal.aborted && await countOthers() > 0) await wait(pollMs, signal);
  };
  try {
    const others = await countOthers();
    if (others === 0) {
      // What others are writing is told by locks, which not every file system has.
      for (const path of [out, folder, openBases(out).folder]) await sweepUp(path);
      await sweepClaims(out);
    }
    const outcome = await work({ live, claims, others, alone });
    await live.end({ status: outcome.interrupted ? "interrupted" : "done" });
    return outcome;
  } catch (caught) {
    const error = caught instanceof WriteError ? await withKept(caught, folder) : caught;
    await live.end({ status: "failed", error: error instanceof Error ? error.message : String(error) });
    throw error;
  } finally {
    claims.end();
  }
}

/** What a sweep that can't write says of what it has. */
async function withKept({ message }: WriteError, folder: string): Promise<UserError> {
  const kept = (await namesIn(folder)).filter((name) => name.endsWith(".json")).length;
  return new UserError(
    `${message}; ${
      kept === 0
        ? "nothing is stored yet"
        : `${kept} ${kept === 1 ? "run is" : "runs are"} stored in ${folder}`
    }, and the same command goes on from there once this is mended`,
  );
}

/** The runs of an output folder. Files that can't be used are set aside, and what no run needs any more is removed. */
export async function readRuns(
  out: string,
  say: (sentence: string) => void,
): Promise<{ readonly store: Store; readonly stored: Stored }> {
  const store = openStore(out), stored = await store.read();
  for (const fault of stored.faults) {
    say(`${fault.sentence}; it was set aside as ${await store.setAside(fault)}`);
  }
  const checkpoints = checkpointsOf(out);
  for (const id of await namesIn(checkpoints)) {
    // Left by a process that was killed once the result was stored.
    if (isFinished(stored.results.get(id))) await removeCheckpoints(checkpoints, id);
  }
  return { store, stored };
}
