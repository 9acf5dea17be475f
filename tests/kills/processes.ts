/** @file Processes that fill a folder and are to be killed: started, looked at by what they write, and hit. */
import { launch } from "../../launch.ts";

const repository = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");
const packages = decodeURIComponent(new URL(import.meta.resolve("vega")).pathname);

/** Milliseconds of silence after which a worker counts as gone, and a minute more: see benchmarks/sweep/claims.ts. */
export const SILENCE = 16 * 60_000;

/** A process that makes runs. */
export interface Worker {
  readonly process: Deno.ChildProcess;
  readonly ended: Promise<Deno.CommandStatus>;
  /** What it printed as its answer. */
  readonly printed: Promise<string>;
  /** What it said beside that. */
  readonly said: Promise<string>;
  /** Null while it lives. */
  end: Deno.CommandStatus | null;
}

/** `./run bench` with these arguments, without the shell around it: this process is the one to be killed. */
export function start(args: readonly string[]): Worker {
  const place = {
    start: repository,
    project: repository,
    dotGit: dotGit(),
    packages: packages.slice(0, packages.lastIndexOf("/vega/")),
    hub: null,
  };
  const process = new Deno.Command("deno", {
    args: launch("bench", args, place),
    cwd: repository,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const worker: Worker = {
    process,
    ended: process.status,
    printed: new Response(process.stdout).text(),
    said: new Response(process.stderr).text(),
    end: null,
  };
  void worker.ended.then((status) => worker.end = status);
  return worker;
}

function dotGit(): string | null {
  try {
    return Deno.readTextFileSync(`${repository}/.git`);
  } catch {
    return null;
  }
}

/** What a file of the repository says, as JSON. */
// deno-lint-ignore no-explicit-any -- whoever asks knows the file
export async function readRepositoryJson(path: string): Promise<any> {
  return JSON.parse(await Deno.readTextFile(`${repository}/${path}`));
}

/** Whether there is anything by this name. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** What is in a folder; nothing where it isn't there. */
export function listed(path: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(path)];
  } catch (error) {
    // Others make and remove these at any time.
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Paths of all half-written files below a folder. */
export function partsIn(path: string): string[] {
  return listed(path).flatMap(({ name, isDirectory }) =>
    isDirectory ? partsIn(`${path}/${name}`) : name.endsWith(".part") ? [`${path}/${name}`] : []
  );
}

/** The newest claim on a run or a base, and the process that has it; null where there is none. */
export function claimOn(out: string, id: string): { readonly path: string; readonly pid: number } | null {
  const numbers = listed(`${out}/claims/${id}`).map(({ name }) => Number(name)).filter(Number.isInteger);
  const path = `${out}/claims/${id}/${Math.max(0, ...numbers)}/owner`;
  try {
    const { name } = JSON.parse(Deno.readTextFileSync(path)) as { readonly name: string };
    return { path, pid: Number(/-(\d+)-[0-9a-f]{4}$/.exec(name)![1]) };
  } catch {
    return null;
  }
}

/** The run or base that a process has claimed; null where that is nothing. */
export function heldBy(out: string, pid: number): string | null {
  const ids = listed(`${out}/claims`).map(({ name }) => name).filter((name) => /^[0-9a-f]{16}/.test(name));
  return ids.find((id) => claimOn(out, id)?.pid === pid) ?? null;
}

/**
 * Waits until half-written files that a target wants were seen so often. Returns the process that wrote the last one, or 0
 * where its path does not tell; never where none comes.
 */
export async function appears(
  watcher: Deno.FsWatcher,
  out: string,
  isWanted: (path: string) => boolean,
  count: number,
): Promise<number> {
  for await (const { kind, paths } of watcher) {
    const [path] = paths;
    if (kind !== "create" || !path?.endsWith(".part") || !isWanted(path) || --count > 0) continue;
    const id = /\/(?:runs|bases|checkpoints)\/([0-9a-f]{16})/.exec(path)?.[1];
    return id === undefined
      ? Number(/-(\d+)-[0-9a-f]{4}\.json/.exec(path)?.[1] ?? 0)
      : claimOn(out, id)?.pid ?? 0;
  }
  return await new Promise(() => {});
}

/** Signals a process, unless it has ended by itself. */
export function send(process: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    process.kill(signal);
  } catch {
    // In this very moment.
  }
}

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** "3 SIGKILL, 2 SIGTERM". */
export function counted<T>(all: readonly T[], by: (one: T) => string | number): string {
  return Object.entries(Object.groupBy(all, by)).map(([name, some]) => `${some!.length} ${name}`).join(", ");
}
