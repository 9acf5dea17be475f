/**
 * @file What a sweep says of itself while it runs, for a watcher in another process: `<out>/live.json`, and
 * `<out>/live.lock`, which its process holds for as long as it lives.
 */
import { z } from "zod";
import { parseWith } from "../../training/configuration.ts";
import { Point } from "../../training/schemas.ts";
import { UserError } from "../../errors/user_error.ts";
import { readText, reasonOf, requireFile, writeWhole } from "../../files/write_file.ts";
import type { Progress } from "../../training/loop/progress.ts";
import type { Display } from "./progress.ts";

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

/** What a sweep says of itself. */
export const Live = z.strictObject({
  schema: z.literal(1),
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
 * Begins to tell watchers about the sweep of an output folder, which must be there.
 *
 * The lock is a file lock: the system frees it however the process ends, so that it tells the living from the dead
 * without a look at processes, which would take a permission. Only who holds it writes.
 *
 * @param say takes a sentence for people
 */
export async function openLive(out: string, say: (sentence: string) => void): Promise<LiveWriter> {
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
    return { schema: 1, startedAt, updatedAt: now(), stage, run, toGoMs, ending };
  };
  let lock: Deno.FsFile | null = null, isLocked = false, hasComplained = false;
  let writing: Promise<void> | null = null;
  const complain = (reason: string) => {
    if (!hasComplained) say(`./run watch cannot follow this sweep live: ${reason}`);
    hasComplained = true;
  };
  const attempt = async () => {
    try {
      lock ??= await Deno.open(lockPath(out), { create: true, read: true, write: true });
      // A watcher that looks whether the lock is held has it for a moment: the next write tries again.
      isLocked ||= await lock.tryLock(true);
      if (!isLocked) return;
      await writeWhole(livePath(out), `${JSON.stringify(describe())}\n`, { isKept: false });
    } catch (error) {
      complain(
        error instanceof UserError ? error.message : `Cannot lock ${lockPath(out)}: ${reasonOf(error)}`,
      );
    }
  };
  const write = () => writing ??= attempt().finally(() => writing = null);
  await write();
  const timer = setInterval(write, EVERY);
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

/** What a folder tells about the process that fills it. */
export interface Pulse {
  /** Null where no sweep has said anything. */
  readonly live: Live | null;
  /** Whether that process goes on. */
  readonly isAlive: boolean;
  /** Why what it said can't be used, in a sentence that names the file; null where it can. */
  readonly fault: string | null;
}

/** Reads what a sweep says of itself, and whether it lives. Writes nothing and holds nothing up. */
export async function readPulse(out: string): Promise<Pulse> {
  const first = await readLive(out);
  let isAlive: boolean;
  try {
    isAlive = await isLockHeld(out);
  } catch (error) {
    return { ...first, isAlive: false, fault: `Cannot use ${lockPath(out)}: ${reasonOf(error)}` };
  }
  // Perhaps its last word came between the two looks.
  return { isAlive, ...isAlive || first.live?.ending ? first : await readLive(out) };
}

async function readLive(out: string): Promise<Omit<Pulse, "isAlive">> {
  const path = livePath(out);
  try {
    return { live: parseWith(Live, JSON.parse(await readText(path)), path), fault: null };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { live: null, fault: null };
    if (error instanceof UserError) return { live: null, fault: error.message };
    const reason = error instanceof SyntaxError ? "it is not whole JSON" : reasonOf(error);
    return { live: null, fault: `Cannot read ${path}: ${reason}` };
  }
}

async function isLockHeld(out: string): Promise<boolean> {
  try {
    await requireFile(lockPath(out));
    using file = await Deno.open(lockPath(out), { read: true });
    // Closing the file frees it.
    return !await file.tryLock(false);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function livePath(out: string): string {
  return `${out}/live.json`;
}

function lockPath(out: string): string {
  return `${out}/live.lock`;
}

/** Six digits are more than a curve shows. */
function shorten(loss: number): number {
  return Number(loss.toPrecision(6));
}
