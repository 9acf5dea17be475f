/**
 * @file What each process of a sweep says of itself while it runs, for watchers and for each other:
 * `<out>/live/<worker>.json`, and `<worker>.lock`, which the process holds for as long as it lives.
 */
import { z } from "zod";
import { parseWith } from "../../training/configuration.ts";
import { Point } from "../../training/schemas.ts";
import { UserError } from "../../errors/user_error.ts";
import { namesIn, readText, reasonOf, requireFile, sweepUp, writeWhole } from "../../files/write_file.ts";
import type { Progress } from "../../training/loop/progress.ts";
import type { Display } from "./progress.ts";
import { thisWorker, type Worker } from "./worker.ts";

/** The run at work. */
const LiveRun = z.strictObject({
  id: z.string(),
  phase: z.enum(["loading", "training", "scoring"]),
  step: z.int().min(0),
  /** ISO 8601. */
  startedAt: z.iso.datetime(),
  /** Loss of each step's batch from step 1 on, as far as they were read back. */
  trainLoss: z.array(z.number()),
  validationLoss: z.array(Point),
});

/** How a sweep's process ended, where it lived to say so. */
const Ending = z.discriminatedUnion("status", [
  z.strictObject({ status: z.literal("done") }),
  z.strictObject({ status: z.literal("interrupted") }),
  z.strictObject({ status: z.literal("failed"), error: z.string() }),
]);

/** What a process says of itself. */
export const Live = z.strictObject({
  schema: z.literal(1),
  /** The process's name. */
  worker: z.string(),
  /** The name of its machine; null where it may not ask. */
  host: z.string().nullable(),
  /** When the sweep's process began, ISO 8601. */
  startedAt: z.iso.datetime(),
  /** When this was written, ISO 8601: every few seconds, unless a step takes longer. */
  updatedAt: z.iso.datetime(),
  stage: z.enum(["base checkpoints", "runs", "report"]),
  run: LiveRun.nullable(),
  /** Milliseconds until all runs are done, at `updatedAt`; null where nobody knows. */
  toGoMs: z.number().min(0).nullable(),
  /** Null while the sweep's process goes on, or after it was killed: only the lock tells which. */
  ending: Ending.nullable(),
});
export type Live = z.infer<typeof Live>;

/** Milliseconds between two writes. */
const EVERY = 2000;
/** The same of a worker, of which there may be fifty on one file server. */
export const EVERY_OF_WORKER = 10_000;
/** Milliseconds of silence after which a process on another machine counts as gone. */
const GONE = 15 * 60_000;

/** Tells watchers about a sweep. Nothing that goes wrong here reaches the sweep: it is said once, and that's all. */
export interface LiveWriter {
  /** Takes what the runner shows. */
  readonly display: Display;
  /** What the sweep does now. */
  enter(stage: Live["stage"]): void;
  /** Writes now. Called by a timer every other second. */
  write(): Promise<void>;
  /** Writes the last word and lets go of the lock. */
  end(ending: NonNullable<Live["ending"]>): Promise<void>;
}

/**
 * Begins to tell watchers what this process does in an output folder, which must be there. What processes left that are
 * gone is removed.
 *
 * The lock is a file lock: the system frees it however the process ends, so that it tells the living from the dead
 * without a look at processes, which would take a permission. Only who holds it writes.
 *
 * @param say takes a sentence for people
 */
export async function openLive(
  out: string,
  say: (sentence: string) => void,
  worker: Worker = thisWorker(),
  everyMs = EVERY,
): Promise<LiveWriter> {
  const now = () => new Date().toISOString();
  const startedAt = now();
  let stage: Live["stage"] = "base checkpoints", toGoMs: number | null = null, ending: Live["ending"] = null;
  let run: Live["run"] = null, curves: Pick<Progress, "trainLoss" | "validationLoss"> | null = null;
  const describe = (): Live => {
    if (run && curves) {
      // The lists grow: only what is new is looked at.
      const { trainLoss, validationLoss } = curves;
      for (const { value } of trainLoss.slice(run.trainLoss.length)) run.trainLoss.push(shorten(value));
      run.validationLoss = [...validationLoss];
    }
    const { name, host } = worker;
    return { schema: 1, worker: name, host, startedAt, updatedAt: now(), stage, run, toGoMs, ending };
  };
  let lock: Deno.FsFile | null = null, isLocked = false, isPlaced = false, hasComplained = false;
  let writing: Promise<void> | null = null;
  const complain = (reason: string) => {
    if (!hasComplained) say(`./run watch cannot follow this sweep live: ${reason}`);
    hasComplained = true;
  };
  const attempt = async () => {
    try {
      if (!lock) await Deno.mkdir(folderOf(out), { recursive: true });
      lock ??= await Deno.open(lockPath(out, worker.name), { create: true, read: true, write: true });
      // A watcher that looks whether the lock is held has it for a moment: the next write tries again.
      isLocked ||= await lock.tryLock(true);
      if (!isLocked) return;
      if (!isPlaced && !(await namesIn(folderOf(out))).includes(`${worker.name}.lock`)) {
        // It was swept up before it was locked.
        lock.close();
        [lock, isLocked] = [null, false];
        return;
      }
      isPlaced = true;
      await writeWhole(livePath(out, worker.name), `${JSON.stringify(describe())}\n`, { isKept: false });
    } catch (error) {
      complain(
        error instanceof UserError ? error.message : `Cannot write to ${folderOf(out)}: ${reasonOf(error)}`,
      );
    }
  };
  const write = () => writing ??= attempt().finally(() => writing = null);
  await sweepLive(out, worker);
  await write();
  const timer = setInterval(write, everyMs);
  return {
    display: {
      // Watchers are told by name: see enter().
      stage() {},
      begin: () => stage = "runs",
      start({ id }) {
        run = { id, phase: "loading", step: 0, startedAt: now(), trainLoss: [], validationLoss: [] };
        curves = null;
      },
      update(progress, toGo) {
        if (run) Object.assign(run, { phase: progress.phase, step: progress.step });
        curves = progress;
        toGoMs = toGo;
      },
      finish: () => run = null,
      end: () => [run, toGoMs] = [null, null],
    },
    enter: (next) => stage = next,
    write,
    async end(last) {
      clearInterval(timer);
      await writing;
      [run, toGoMs, ending] = [null, null, last];
      await write();
      lock?.close();
    },
  };
}

/** What a folder tells about a process that fills it. */
export interface Pulse {
  /** Null where none has said anything that can be used. */
  readonly live: Live | null;
  /** Whether that process goes on. */
  readonly isAlive: boolean;
  /** Why what it said can't be used, in a sentence that names the file; null where it can. */
  readonly fault: string | null;
}

/**
 * Reads what the processes of a folder say of themselves, and whether they live: first those that do, the one that began
 * first before the others, then those that are gone, the last one first. Writes nothing and holds nothing up.
 */
export async function readPulses(
  out: string,
  { host }: Pick<Worker, "host"> = thisWorker(),
): Promise<Pulse[]> {
  let names: string[];
  try {
    names = (await namesIn(folderOf(out))).filter((name) => name.endsWith(".json"));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [{ live: null, isAlive: false, fault: error.message }];
  }
  const pulses = await Promise.all(names.map((name) => readPulse(out, name.slice(0, -".json".length), host)));
  const began = ({ live }: Pulse) => live?.startedAt ?? "",
    spoke = ({ live }: Pulse) => live?.updatedAt ?? "";
  return pulses.toSorted((a, b) =>
    a.isAlive !== b.isAlive
      ? (a.isAlive ? -1 : 1)
      : a.isAlive
      ? compare(began(a), began(b))
      : compare(spoke(b), spoke(a))
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function readPulse(out: string, worker: string, host: string | null): Promise<Pulse> {
  const first = await readLive(out, worker);
  let isAlive: boolean;
  try {
    isAlive = await isLockHeld(out, worker);
  } catch (error) {
    return { ...first, isAlive: false, fault: `Cannot use ${lockPath(out, worker)}: ${reasonOf(error)}` };
  }
  // Whether a lock is held on another machine, not every file system tells: there silence does.
  const { live } = first, isElsewhere = live !== null && live.host !== host;
  if (isElsewhere && !live.ending) isAlive ||= Date.now() - Date.parse(live.updatedAt) < GONE;
  // Perhaps its last word came between the two looks.
  return { isAlive, ...isAlive || first.live?.ending ? first : await readLive(out, worker) };
}

async function readLive(out: string, worker: string): Promise<Omit<Pulse, "isAlive">> {
  const path = livePath(out, worker);
  try {
    return { live: parseWith(Live, JSON.parse(await readText(path)), path), fault: null };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { live: null, fault: null };
    if (error instanceof UserError) return { live: null, fault: error.message };
    const reason = error instanceof SyntaxError ? "it is not whole JSON" : reasonOf(error);
    return { live: null, fault: `Cannot read ${path}: ${reason}` };
  }
}

async function isLockHeld(out: string, worker: string): Promise<boolean> {
  try {
    await requireFile(lockPath(out, worker));
    using file = await Deno.open(lockPath(out, worker), { read: true });
    // Closing the file frees it.
    return !await file.tryLock(false);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Removes what processes said that are gone: whoever starts now speaks for the sweep. */
async function sweepLive(out: string, worker: Worker): Promise<void> {
  for (const { isAlive, live } of await readPulses(out, worker)) {
    if (isAlive || !live) continue;
    for (const path of [livePath(out, live.worker), lockPath(out, live.worker)]) {
      await Deno.remove(path).catch(() => {});
    }
  }
  await sweepUp(folderOf(out)).catch(() => {});
  // Of one that was killed before its first word.
  const names = await namesIn(folderOf(out)).catch((): string[] => []);
  for (const name of names.filter((name) => name.endsWith(".lock"))) {
    if (names.includes(name.replace(/lock$/, "json"))) continue;
    try {
      await requireFile(`${folderOf(out)}/${name}`);
      using file = await Deno.open(`${folderOf(out)}/${name}`, { read: true, write: true });
      if (await file.tryLock(true)) await Deno.remove(`${folderOf(out)}/${name}`);
    } catch {
      // Gone meanwhile, or on a disk without locks: it is in nobody's way.
    }
  }
}

function folderOf(out: string): string {
  return `${out}/live`;
}

function livePath(out: string, worker: string): string {
  return `${folderOf(out)}/${worker}.json`;
}

function lockPath(out: string, worker: string): string {
  return `${folderOf(out)}/${worker}.lock`;
}

/** Six digits are more than a curve shows. */
function shorten(loss: number): number {
  return Number(loss.toPrecision(6));
}
