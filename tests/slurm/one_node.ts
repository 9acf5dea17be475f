/** @file A Slurm of one node: munged, slurmctld and slurmd, started for a test and ended by their ids. */
import { assert } from "@std/assert";

const repository = decodeURIComponent(new URL("../../", import.meta.url).pathname);

const DAEMONS = ["/usr/sbin/munged", "/usr/sbin/slurmctld", "/usr/sbin/slurmd", "/usr/bin/sbatch"];

/** What this machine lacks for a Slurm of one node; null where nothing. */
export const SLURM_LACKS = lackOfSlurm();

function lackOfSlurm(): string | null {
  // Without leave to look the test is ignored for that.
  if (Deno.permissions.querySync({ name: "read" }).state !== "granted") return null;
  const isThere = (path: string) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  };
  return DAEMONS.every(isThere) && isThere("/etc/munge/munge.key") ? null : "slurm-wlm and munge, as root";
}

/** A running Slurm. */
export interface Slurm extends AsyncDisposable {
  /** Runs a program of Slurm's, or `./run`, in the project's folder, and gives what it prints; fails where it fails. */
  run(...words: string[]): Promise<string>;
  /** Resolves once something is so; fails where no job is left before. */
  until(isSo: () => boolean | Promise<boolean>): Promise<void>;
  /** Resolves once no job is left. */
  idle(): Promise<void>;
  /** Kills the node's slurmd with signal 9. What it started runs on. */
  killNode(): Promise<void>;
  /** Starts it again. */
  startNode(): void;
}

/**
 * Starts a Slurm whose files lie in a folder, which is made.
 *
 * @param silence seconds after which a node that says nothing counts as lost; Slurm's own 300 where absent
 */
export async function openSlurm(folder: string, silence = 300): Promise<Slurm> {
  for (const name of ["state", "spool", "munge"]) await Deno.mkdir(`${folder}/${name}`, { recursive: true });
  const host = (await printed("uname", ["-n"])).trim().split(".")[0]!;
  // Others may test at the same time.
  const port = 20_000 + 2 * (Deno.pid % 10_000);
  const socket = `${folder}/munge/socket`, path = `${folder}/slurm.conf`;
  await Deno.writeTextFile(
    path,
    `ClusterName=test
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${port}
SlurmdPort=${port + 1}
SlurmUser=root
AuthType=auth/munge
# What is queued again waits as long as a credential lives.
AuthInfo=socket=${socket},cred_expire=5
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool
SlurmctldLogFile=${folder}/slurmctld.log
SlurmdLogFile=${folder}/slurmd.log
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmdTimeout=${silence}
# More cores than there are.
SlurmdParameters=config_overrides
NodeName=${host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
`,
  );
  const node = ["slurmd", "-D", "-f", path];
  const daemons = [
    ["munged", "--foreground", "--force", `--socket=${socket}`, ...mungeFiles(`${folder}/munge`)],
    ["slurmctld", "-D", "-f", path],
    node,
  ].map((words) => startDaemon(words, folder));
  const run = (...words: string[]) => printed("env", [`SLURM_CONF=${path}`, ...words]);
  const slurm: Slurm = {
    run,
    async until(isSo) {
      while (!await isSo()) {
        const isIdle = await run("squeue", "--noheader") === "";
        assert(!isIdle || await isSo(), "Slurm has no job left, and it is not so yet");
        await pause(200);
      }
    },
    async idle() {
      while (await run("squeue", "--noheader") !== "") await pause(200);
    },
    async killNode() {
      const daemon = daemons.pop()!;
      daemon.kill("SIGKILL");
      await daemon.status;
    },
    startNode() {
      daemons.push(startDaemon(node, folder));
    },
    async [Symbol.asyncDispose]() {
      // Where a test failed its jobs are still there.
      await run("scancel", "--full", "--signal=KILL", "--user=root").catch(() => {});
      await run("scancel", "--user=root").catch(() => {});
      for (const daemon of daemons.reverse()) {
        try {
          daemon.kill("SIGTERM");
        } catch {
          // It has ended.
        }
        await daemon.status;
      }
    },
  };
  try {
    for (
      let left = 100;
      (await run("sinfo", "--noheader", "--format=%T").catch(() => "")).trim() !== "idle";
      left--
    ) {
      assert(left > 0, "Slurm's node is not idle after 20 seconds");
      await pause(200);
    }
    return slurm;
  } catch (error) {
    await slurm[Symbol.asyncDispose]();
    throw error;
  }
}

function mungeFiles(folder: string): string[] {
  return ["pid", "log", "seed"].map((kind) => `--${kind}-file=${folder}/${kind}`);
}

/** A process of its own that stays in the foreground. */
function startDaemon(words: readonly string[], folder: string): Deno.ChildProcess {
  return new Deno.Command("sh", {
    args: ["-c", 'PATH="$PATH:/usr/sbin" exec "$@" >>"$0" 2>&1', `${folder}/${words[0]}.out`, ...words],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function printed(program: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", 'exec "$0" "$@"', program, ...args],
    cwd: repository,
    env: { NO_COLOR: "1" },
  }).output();
  assert(code === 0, `${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}
