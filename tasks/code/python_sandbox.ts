/** @file Judges Python programs that nobody has read, in bubblewrap's sandbox, where the user allows it. */
import { DataError, reasonOf } from "../data/data_error.ts";
import type { Failure } from "./javascript_sandbox.ts";
import confine from "./python/confine.py" with { type: "text" };
import program from "./python/program.py" with { type: "text" };
import tests from "./python/tests.py" with { type: "text" };
import values from "./python/values.py" with { type: "text" };
import { systemCallFilter } from "./system_calls.ts";

/**
 * Where bubblewrap is looked for, and the only command that needs to be allowed: `--allow-run=/usr/bin/bwrap`, which the
 * task `bench-python` of deno.json has and no other.
 */
export const BUBBLEWRAP = "/usr/bin/bwrap";

/** Where Python is looked for, inside and outside the sandbox. */
const PYTHON = "/usr/bin/python3";

/** A program, and the tests that it passes or fails. */
export interface PythonTrial {
  /** Python that nobody has read. It defines the entry point. */
  readonly program: string;
  /** Python that is trusted, since it comes with the data set. It defines `check`, which gets the entry point. */
  readonly tests: string;
  /** The function's name. */
  readonly entryPoint: string;
}

/** What a program may use, and its tests as much again. */
export interface PythonLimits {
  /** Seconds of processor time. */
  readonly cpuSeconds: number;
  /** Bytes of address space. */
  readonly memory: number;
  /** Wall-clock time in ms, for programs that wait: long, so that a busy machine makes no other late. */
  readonly milliseconds: number;
}

/** Enough for any of HumanEval's own solutions. */
export const PYTHON_LIMITS: PythonLimits = { cpuSeconds: 5, memory: 2 ** 29, milliseconds: 30_000 };

/**
 * Whether a program's tests held, or why not: it used up its processor time ("endless") or the time on the clock
 * ("late"); everything else, from a test that does not hold to a program that ends early, is "threw".
 */
export type PythonOutcome = "passed" | Extract<Failure, "threw" | "endless" | "late">;

/** Exit codes of the side of the tests, as tests.py has them, and what the kernel ends with SIGKILL. */
const CODE = { passed: 10, failed: 11, ended: 12, unready: 13, killed: 128 + 9 } as const;

const SIDES = { program: `${confine}\n${values}\n${program}`, tests: `${confine}\n${values}\n${tests}` };

/**
 * The sandbox's walls: bubblewrap's arguments. Nothing can be written, since even the root is read-only; of the machine
 * there are Python and the system's libraries, and of devices /dev/null. There is no /proc.
 */
const WALLS = [
  ...["--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"],
  ...["--die-with-parent", "--new-session", "--clearenv"],
  // The order of a set is the same each time, and so is a verdict that hangs on it.
  ...["--setenv", "PYTHONHASHSEED", "0"],
  ...["--ro-bind", "/usr/lib", "/usr/lib", "--ro-bind", PYTHON, PYTHON],
  // Where the linker looks first, and on most systems links to folders below /usr.
  ...["/usr/lib64", "/lib", "/lib64"].flatMap((folder) => ["--ro-bind-try", folder, folder]),
  ...["--dev-bind", "/dev/null", "/dev/null"],
  ...["--dir", "/tmp", "--chdir", "/tmp", "--remount-ro", "/"],
];

/** A trial that passes wherever programs can be judged at all. */
const TRIVIAL: PythonTrial = {
  program: "def f(x):\n    return x + 1\n",
  tests: "def check(candidate):\n    assert candidate(1) == 2\n",
  entryPoint: "f",
};

/**
 * Asks whether programs could be judged, before any is: judges one that is known to be right.
 *
 * @param purpose what they are for, for the error: 'use DIR for "code"'
 * @throws {DataError} where running bubblewrap is not allowed, there is none, or it makes no sandbox here
 */
export async function requirePython(purpose: string): Promise<void> {
  const cannot = `Cannot ${purpose}: Python programs are to be run in a sandbox`;
  const { state } = await Deno.permissions.query({ name: "run", command: BUBBLEWRAP });
  if (state !== "granted") {
    throw new DataError(
      `${cannot}, and running ${BUBBLEWRAP} is not allowed; "./run bench-python" allows it in place of "./run bench" ` +
        `(--allow-run=${BUBBLEWRAP})`,
    );
  }
  let outcome: PythonOutcome;
  try {
    outcome = await judgePython(TRIVIAL);
  } catch (error) {
    throw error instanceof DataError ? new DataError(`${cannot}, and ${error.message}`) : error;
  }
  if (outcome !== "passed") {
    throw new DataError(`${cannot}, and there a right one has the outcome "${outcome}"`);
  }
}

/**
 * Runs a program's tests: it passes where `check` ends without an error.
 *
 * Program and tests run in two sandboxes, which share nothing but two pipes that this passes lines between. The
 * program is asked to call its function and answers with plain data (None, bool, numbers, str, bytes, list, tuple, dict,
 * set, and an exception's name), which the side of the tests makes anew; it forms the verdict, and the program sees neither
 * tests nor verdict. Arguments go by value: a test of what a function does to its arguments does not hold.
 *
 * Each sandbox is bubblewrap's: no user's files, no network, no other processes, no environment, nothing that can be
 * written, a user without capabilities. In it the kernel refuses, by a filter, all system calls but those to compute and
 * to read: there are no more processes or threads. Processor time and memory are limited for each, the time on the clock
 * for both. What they print goes nowhere, and no more than a pipe's worth waits here. Nothing outlives the call or this
 * process.
 *
 * This holds as far as the kernel does. What lies in /usr/lib, /lib and the like can be read, and the clock, the kernel's
 * version and the machine's name.
 *
 * @throws {DataError} where there is no bubblewrap, or it makes no sandbox
 */
export async function judgePython(
  { program, tests, entryPoint }: PythonTrial,
  limits: PythonLimits = PYTHON_LIMITS,
): Promise<PythonOutcome> {
  const judged = start("program", limits), judge = start("tests", limits);
  const sides = [judged, judge];
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    sides.forEach(end);
  }, limits.milliseconds);
  const work = [
    pass([program, entryPoint], judge.stdout, judged.stdin),
    pass([tests, entryPoint], judged.stdout, judge.stdin),
  ];
  const complaints = sides.map(({ stderr }) => complaintOf(stderr));
  try {
    const { code } = await judge.status;
    // A program that ended early may have used up its time.
    const endless = code === CODE.killed || code === CODE.ended && (await judged.status).code === CODE.killed;
    if (late) return "late";
    if (endless) return "endless";
    if (code === CODE.passed) return "passed";
    // Beyond 128 a signal has ended it, such as for too deep a recursion.
    if (code === CODE.failed || code === CODE.ended || code > 128) return "threw";
    sides.forEach(end);
    const said = await complaints[code === CODE.unready ? 0 : 1];
    throw new DataError(`${BUBBLEWRAP} makes none with Python here; it said: ${said || `exit code ${code}`}`);
  } finally {
    clearTimeout(timer);
    sides.forEach(end);
    await Promise.all([...work, ...complaints, ...sides.map(({ status }) => status)]);
  }
}

type Side = Deno.ChildProcess;

function start(side: keyof typeof SIDES, { cpuSeconds, memory }: PythonLimits): Side {
  const filter = systemCallFilter(Deno.build.arch).toHex();
  const command = new Deno.Command(BUBBLEWRAP, {
    args: [...WALLS, "--", PYTHON, "-S", "-s", "-c", SIDES[side], String(cpuSeconds), String(memory), filter],
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
  try {
    return command.spawn();
  } catch (error) {
    throw new DataError(
      `${BUBBLEWRAP} can't be started, ${
        reasonOf(error)
      }: install Debian's package bubblewrap, or your system's (on Linux alone)`,
    );
  }
}

/** Ends a side with all that is in its sandbox. */
function end(side: Side): void {
  try {
    side.kill("SIGKILL");
  } catch {
    // It has ended.
  }
}

/** Gives a side its first line and then all that the other says, as fast as it reads it, until either ends. */
async function pass(
  first: readonly string[],
  from: ReadableStream<Uint8Array>,
  to: WritableStream<Uint8Array>,
): Promise<void> {
  try {
    const writer = to.getWriter();
    await writer.write(new TextEncoder().encode(`${JSON.stringify(first)}\n`));
    writer.releaseLock();
    await from.pipeTo(to);
  } catch {
    // A broken pipe: a side has ended, and the verdict says what that means.
    await from.cancel().catch(() => {});
  }
}

/** What bubblewrap says of itself, else the last line, an error of Python's; little of it is kept. */
async function complaintOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let said = "";
  for await (const part of stream) {
    if (said.length < 1000) said += decoder.decode(part, { stream: true });
  }
  const lines = said.trim().split("\n");
  return (lines.find((line) => line.startsWith("bwrap: ")) ?? lines.at(-1)!).slice(0, 300);
}
