/** @file Runs Python programs that nobody has read by the machine's own python3, where the user allows it. */
import { DataError, reasonOf } from "../data/data_error.ts";
import type { Failure } from "./javascript_sandbox.ts";

/**
 * Where Python is looked for, and the only command that needs to be allowed: `--allow-run=/usr/bin/python3`, which the
 * task `bench-python` of deno.json has and no other.
 */
export const PYTHON = "/usr/bin/python3";

/** What one program may use. */
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

/** Whether a program ended by itself without an error, or why not: "endless" is past its processor time. */
export type PythonOutcome = "passed" | Extract<Failure, "threw" | "endless" | "late">;

/**
 * Stands between Python and the program: leads a process group of its own, leaves the network where the kernel lets it,
 * and watches over a child that binds limits it cannot lift and runs the program. The child has passed where it sends
 * the word of the first line, so that a program that leaves early, by `exit()` or `os._exit(0)`, has not.
 */
const PRELUDE = `
import os, resource, signal, sys
word = sys.stdin.buffer.readline()
source = sys.stdin.buffer.read()
os.setsid()
def leave_network():
    import ctypes
    # CLONE_NEWUSER | CLONE_NEWNET: an empty network, without being root.
    ctypes.CDLL(None, use_errno=True).unshare(0x10000000 | 0x40000000)
try:
    leave_network()
except Exception:
    pass
cpu, memory, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
def late(*_):
    print("late", flush=True)
    os.killpg(0, signal.SIGKILL)
signal.signal(signal.SIGALRM, late)
signal.setitimer(signal.ITIMER_REAL, seconds)
# Watches over the program, which is its child: one that ends it ends itself alone.
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.close(read)
    try:
        import ctypes
        # PR_SET_PDEATHSIG: nothing outlives the watcher.
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    except Exception:
        pass
    nowhere = os.open("/dev/null", os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    for what, limit in ((resource.RLIMIT_CPU, cpu), (resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, 0),
                        (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, 16), (resource.RLIMIT_NPROC, 0)):
        resource.setrlimit(what, (limit, limit))
    code = 1
    # Python tells a hook, which no program can take off, before it touches what is outside it: files, processes, network.
    own = tuple(path + "/" for path in sys.path)
    sys.dont_write_bytecode = True
    kinds = frozenset(("open", "os", "socket", "subprocess", "shutil", "ctypes", "fcntl", "resource", "signal", "pty"))
    def guard(event, arguments, normal=os.path.normpath, writing=os.O_ACCMODE):
        if event.split(".")[0] not in kinds:
            return
        reads = event in ("os.listdir", "os.scandir") or (event == "open" and not arguments[2] & writing)
        if not (reads and isinstance(arguments[0], str) and (normal(arguments[0]) + "/").startswith(own)):
            raise PermissionError(event)
    try:
        def attempt(text):
            exec(compile(text, "program.py", "exec"), {"__name__": "program"})
        sys.addaudithook(guard)
        attempt(source)
        code = 0
    except BaseException:
        pass
    if code == 0:
        os.write(write, word)
    os._exit(code)
os.close(write)
_, status = os.waitpid(child, 0)
said = os.read(read, len(word)) if os.WIFEXITED(status) else b""
print("passed" if said == word and os.WEXITSTATUS(status) == 0
      else "endless" if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
      else "threw", flush=True)
os.killpg(0, signal.SIGKILL)
`;

/**
 * Asks whether programs could be run, before anything is.
 *
 * @param purpose what they are for, for the error: 'use DIR for "code"'
 * @throws {DataError} where running Python is not allowed, or there is none
 */
export async function requirePython(purpose: string): Promise<void> {
  const { state } = await Deno.permissions.query({ name: "run", command: PYTHON });
  if (state !== "granted") {
    throw new DataError(
      `Cannot ${purpose}: Python programs are to be run, and running ${PYTHON} is not allowed; "./run bench-python" ` +
        `allows it in place of "./run bench" (--allow-run=${PYTHON})`,
    );
  }
  try {
    await Deno.stat(PYTHON);
  } catch (error) {
    throw new DataError(
      `Cannot ${purpose}: Python programs are to be run by ${PYTHON}, and ${reasonOf(error)}`,
    );
  }
}

/**
 * Runs a program to its end: it passes where no error leaves it.
 *
 * It runs as `python3 -I -S` with an empty environment in an empty folder that is deleted after it, with limits on
 * processor time, memory, files written (of no length), open files and processes (none more; root's are not limited), in a
 * process group that is killed whole at its end. Its output goes nowhere. Python 3.8 or later refuses it, by an audit hook,
 * all files but those of the standard library, which it may read, and the network, other processes and foreign functions.
 *
 * This contains attempts by Python's own means, not attacks on Python itself: its own documentation says that audit hooks
 * are no sandbox. Allow it for models that you trust.
 *
 * @throws {DataError} where running Python is not allowed, or there is none
 */
export async function runPython(
  source: string,
  limits: PythonLimits = PYTHON_LIMITS,
): Promise<PythonOutcome> {
  await requirePython("judge a program");
  const folder = await Deno.makeTempDir();
  try {
    const process = new Deno.Command(PYTHON, {
      args: [
        "-I",
        "-S",
        "-c",
        PRELUDE,
        String(limits.cpuSeconds),
        String(limits.memory),
        String(limits.milliseconds / 1000),
      ],
      cwd: folder,
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    // The prelude ends a late program itself: this is for where it cannot.
    const timer = setTimeout(() => process.kill("SIGKILL"), 2 * limits.milliseconds);
    try {
      const writer = process.stdin.getWriter();
      await writer.write(new TextEncoder().encode(`${crypto.randomUUID()}\n${source}`));
      await writer.close();
      const { stdout } = await process.output();
      const said = new TextDecoder().decode(stdout).trim().split("\n").at(-1);
      return said === "passed" || said === "endless" || said === "late" ? said : "threw";
    } finally {
      clearTimeout(timer);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
