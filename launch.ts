/**
 * @file What `./run` starts: prints the arguments of `deno` for a task, as a shell takes them. Paths on the command line
 * mean what they say in the folder that `./run` was called from, and a command may read and write what its options name,
 * the project, and nothing else.
 *
 * Runs in the project's folder, as `deno run launch.ts FOLDER TASK …` with the folder that `./run` was called from.
 */
import {
  changePaths,
  type CommandName,
  commands,
  isCommand,
  isPath,
  type Option,
  readArguments,
  slurmOptions,
  withoutOptions,
} from "./benchmarks/command_line/commands.ts";
import { columnsOf, wrap } from "./benchmarks/command_line/terminal.ts";
import { KERNEL_RESULTS, KERNEL_TESTS } from "./contract/adapter/kernel_tests.ts";
import config from "./deno.json" with { type: "json" };
import { quoteArgument } from "./errors/quote.ts";
import { nearestName, unknownName } from "./errors/unknown_name.ts";
import { UserError } from "./errors/user_error.ts";
import { type Cache, cacheIn, fetchedFolders, findFetched } from "./files/fetched.ts";
import { cacheFolder, repositoryFolderOf, tokenFile } from "./files/hub_place.ts";
import { USE_LITE } from "./files/npm_place.ts";

/** What is known about the machine. Paths are absolute. */
export interface Place {
  /** Where `./run` was called. */
  readonly start: string;
  readonly project: string;
  /** What the project's `.git` holds where it is a file, as in a linked worktree; null otherwise. */
  readonly dotGit: string | null;
  /** Where Deno keeps npm packages. */
  readonly packages: string;
  /** What was fetched from the Hub, and where more is from; null where paths alone are taken. */
  readonly hub: Fetching | null;
}

/** The Hub, and its cache. */
export interface Fetching extends Cache {
  /** The file with the user's token; null where the user has no home. @throws {UserError} as `cache()` does */
  token(): string | null;
  /** Another address of the Hub's; null where none is named. */
  endpoint(): string | null;
  /** Where a path leads, links followed. */
  real(path: string): string;
  /** The text of a sweep's file or a stored run; null where there is none. */
  read(path: string): string | null;
}

/** Paths that a process may read or write; null for all. */
interface Reach {
  readonly read: readonly string[] | null;
  readonly write: readonly string[] | null;
}

/**
 * The arguments of `deno` that start a task.
 *
 * @throws {UserError} where there is no such task, where a command's arguments can't be read, and for paths that Deno
 * can't be given leave for
 */
export function launch(task: string, args: readonly string[], place: Place): string[] {
  // Help needs nothing.
  if (task === "" || task === "help" || task === "--help" || task === "-h") {
    return ["run", "--no-prompt", "cli.ts", "help", ...args];
  }
  const text = Object.hasOwn(config.tasks, task) ? config.tasks[task as keyof typeof config.tasks] : null;
  if (text === null) {
    // What only serves work on the harness itself is no answer to a stranger, but may have been meant.
    const near = nearestName(task, Object.keys(config.tasks));
    const known = Object.keys(commands);
    throw unknownName(`command "${task}"`, task, near === null || isCommand(near) ? known : [...known, near]);
  }
  if (!isCommand(task)) {
    return ["task", task, ...args.map((one) => /^\.\.?\//.test(one) ? resolve(one, place) : one)];
  }
  // Help needs nothing, and says so of the rest.
  const isHelp = args.includes("--help") || args.includes("-h");
  const own = changePaths(
    task,
    withoutOptions(task, args, ["jobs"]),
    (path, kind) => {
      if (kind === "model" && path === USE_LITE) return path;
      const local = resolve(path, place);
      if (!kind || !place.hub || isHelp || place.hub.isThere(local)) return local;
      return findFetched(path, kind, place.hub) ?? local;
    },
  );
  const { read, write } = isHelp ? { read: [], write: [] } : reachOf(task, own, place);
  const cache = isHelp ? null : cacheFor(task, own, place);
  // What else a command may do stands in deno.json.
  const words = text.split(" ").slice(1).flatMap((word) => {
    if (word === "--allow-read") return [...allow(word, read), ...read === null ? deny(place) : []];
    if (word === "--allow-write") return allow(word, write);
    if (word === "cli.ts" && cache !== null) return [word, `--hub-cache=${cache}`];
    return word.startsWith("--allow-net=huggingface.co") ? [word + hostOf(place)] : [word];
  });
  return [...words, ...own];
}

/**
 * The arguments of `deno` for what goes before a task, in a process of its own that may do other things; empty where nothing
 * does. What checks the types of a file of the user's runs nothing of it; what plans a sweep for Slurm can start no program;
 * the tests of kernels, which check an adapter, write nothing.
 */
export function launchBefore(task: string, args: readonly string[], place: Place): string[] {
  if (args.includes("--help") || args.includes("-h")) return [];
  if (task === "check") {
    const { positional: [file], texts } = readArguments(task, args), path = texts.get("path");
    // What the command itself refuses is not to take a minute before.
    const isRefused = ["rank", "learning-rate"].some((name) => texts.has(name)) ||
      path !== undefined && !isOneOf(commands.check.options.path, path);
    if (file === undefined && isRefused) return [];
    return file === undefined
      // Every kernel on this adapter, by the tests that need no more than to read the project.
      ? [
        "test",
        "--no-check",
        "--no-prompt",
        "--quiet",
        "--allow-read=.",
        `--junit-path=${KERNEL_RESULTS}`,
        ...KERNEL_TESTS,
        ...path === undefined ? [] : ["--", `--path=${path}`],
      ]
      : ["check", "--quiet", resolve(file, place)];
  }
  if (task !== "slurm") return [];
  const { texts } = readArguments(task, args);
  // What the command itself refuses is not to be planned before.
  if (texts.has("status") || !texts.has("out") || !texts.has("workers")) return [];
  return launch("bench", [...withoutOptions(task, args, slurmOptions), "--plan"], place);
}

/** Whether an option that names one of a few words can have a value. */
function isOneOf({ names }: Option, value: string): boolean {
  return Array.isArray(names) && names.includes(value);
}

/** A path as it is in the project's folder. */
function resolve(path: string, { start, project }: Place): string {
  return path.startsWith("/") || start === project ? path : `${start}/${path.replace(/^(\.\/+)+(?=.)/, "")}`;
}

/** Where the command finds what stored runs or a sweep's file name of the Hub's; null where they name nothing. */
function cacheFor(name: CommandName, args: readonly string[], place: Place): string | null {
  if (place.hub === null) return null;
  const isNeeded = name === "verify" || name === "export" || fetchedBy(name, args, place).length > 0;
  return isNeeded ? place.hub.cache() : null;
}

/** The folders of the cache that the file of a sweep, or of a stored run, names. */
function fetchedBy(name: CommandName, args: readonly string[], { hub }: Place): string[] {
  const { positional } = readArguments(name, args), { kind } = commands[name].positional ?? { kind: null };
  if (hub === null || kind !== "sweep") return [];
  return positional.filter((one) => isPath(kind, one)).flatMap((path) =>
    fetchedFolders(hub.read(path) ?? "", hub)
  );
}

/** What is allowed beside the Hub's own hosts. */
function hostOf({ hub }: Place): string {
  const endpoint = hub && hub.endpoint();
  if (endpoint === null) return "";
  const host = URL.parse(endpoint)?.hostname;
  if (host && /^https?:/.test(endpoint)) return `,${host}`;
  throw new UserError(
    `Cannot read HF_ENDPOINT "${endpoint}": an address such as https://huggingface.co is needed`,
  );
}

/** How many processes share a sweep, as it was asked for: a number, or "auto"; null where one process does all. */
export function jobsOf(task: string, args: readonly string[]): string | null {
  if (!isCommand(task) || !("jobs" in commands[task].options)) return null;
  if (args.includes("--help") || args.includes("-h")) return null;
  const { texts, flags } = readArguments(task, args), jobs = texts.get("jobs");
  if (jobs === undefined) return null;
  if (jobs !== "auto" && !/^[1-9]\d{0,3}$/.test(jobs)) {
    throw new UserError(`Cannot read --jobs "${jobs}": a whole number from 1 to 9999 is needed, or auto`);
  }
  const other = ["plan", "worker", "report", "dry-run", "list"].find((flag) => flags.has(flag));
  if (other) {
    throw new UserError(`Cannot take --jobs with --${other}: it starts the processes that make all runs`);
  }
  return jobs;
}

/** What may read all files may not read the token. */
function deny({ hub }: Place): string[] {
  const token = hub && hub.token();
  return token === null ? [] : allow("--deny-read", [token]);
}

function allow(flag: string, paths: readonly string[] | null): string[] {
  if (paths === null) return [flag];
  for (const path of paths) {
    if (!path.includes(",")) continue;
    throw new UserError(
      `Cannot allow the use of "${path}": Deno takes no path with a comma, another name is needed`,
    );
  }
  return paths.length === 0 ? [] : [`${flag}=${[...new Set(paths)].join(",")}`];
}

/** What a command may use. Of what was fetched, that is all that the cache has of it: links lead from one part to another. */
function reachOf(name: CommandName, args: readonly string[], place: Place): Reach {
  const { read, write } = pathsOf(name, args, place);
  return { read: read && read.map(repositoryFolderOf), write };
}

function pathsOf(name: CommandName, args: readonly string[], place: Place): Reach {
  const { texts, paths, flags, positional } = readArguments(name, args);
  const named = (option: string) => texts.has(option) ? [texts.get(option)!] : [];
  // "." has no comma, whatever the folder is called.
  const project = [".", ...gitFolders(place), place.packages];
  const out = named("out");
  switch (name) {
    case "bench":
    case "bench-python": {
      const sweep = positional.filter((one) => isPath(commands[name].positional.kind, one)).map(folderOf);
      const asked = [
        ...["data", "model", "adapter", "rates", "retain"].flatMap(named),
        ...named("data").flatMap(besides),
        ...paths.get("may-read") ?? [],
        // What a file imports lies beside it.
        ...(paths.get("with") ?? []).map(folderOf),
        ...fetchedBy(name, args, place),
      ];
      return {
        read: [...project, ...out, ...sweep, ...asked],
        write: out.length > 0 ? out : ["results"],
      };
    }
    case "settle":
      return {
        read: [
          ...project,
          ...out,
          ...["data", "model", "adapter", "rates", "retain"].flatMap(named),
          ...named("data").flatMap(besides),
          ...(paths.get("with") ?? []).map(folderOf),
        ],
        write: out.length > 0 ? out : ["results"],
      };
    case "claims": {
      const files = positional.filter((one) => isPath(commands[name].positional.kind, one)).map(folderOf);
      return {
        read: [...project, ...out, ...files],
        // The table's page is written whole, from a file beside it.
        write: flags.has("table") ? ["docs"] : out.length > 0 ? out : ["results"],
      };
    }
    case "data":
      return {
        read: [...project, ...positional, ...positional.flatMap(besides), ...named("model")],
        write: [],
      };
    case "memory":
      return { read: [...project, ...named("model")], write: [] };
    case "fetch": {
      const folder = place.hub && place.hub.cache();
      // Where a link leads, too: what locks an open file asks for that.
      const cache = folder === null ? [] : [folder, place.hub!.real(folder)];
      const file = place.hub && place.hub.token(), token = file === null ? [] : [file];
      return { read: [...project, ...cache, ...token], write: cache };
    }
    // Reads the folders of models and data that results name, wherever they are.
    case "verify":
      return { read: null, write: out.length > 0 ? out : ["results"] };
    // Reads the folders of models that results name, wherever they are.
    case "report":
      return { read: null, write: out };
    // Reads the adapter that a run began with, wherever it is.
    case "look":
      return {
        read: texts.has("run") ? null : [...project, ...positional, ...named("model"), ...out],
        write: out,
      };
    // The same for the model of one result, which what it writes goes beside.
    case "export":
      return { read: null, write: named("to") };
    case "watch":
      return { read: null, write: [] };
    // It runs nothing of the sweep.
    case "slurm":
      return { read: [...project, ...out, ...named("status")], write: out };
    case "pretrain":
      return {
        read: [...project, ...out, ...named("data"), ...(paths.get("with") ?? []).map(folderOf)],
        write: out.length > 0 ? out.flatMap((path) => [path, `${path}.unfinished`]) : ["models/pretrained"],
      };
    case "check":
      return positional.length === 0
        ? { read: project, write: ["checked"] }
        : { read: [...project, ...positional.map(folderOf)], write: [] };
    case "autotune":
      return { read: project, write: ["tuning"] };
    case "completions":
      return { read: project, write: [] };
    case "site":
      return { read: [...project, ...out], write: out };
  }
}

/** Where a linked worktree's commits are: its own folder of the repository, and the repository's. */
function gitFolders({ dotGit, project }: Place): string[] {
  const named = /^gitdir: (.*)$/m.exec(dotGit ?? "")?.[1];
  if (named === undefined) return [];
  const folder = named.startsWith("/") ? named : `${project}/${named}`;
  return [folder, folder.replace(/\/worktrees\/[^/]+\/?$/, "")];
}

/** The folder of a file with rows: what says how they are read lies there, and the images that they name. */
function besides(path: string): string[] {
  return /\.(jsonl|json|csv|tsv)(\.gz)?$|\.parquet$/i.test(path) ? [folderOf(path)] : [];
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : path.slice(0, slash) || "/";
}

/** Where a path leads; what is not there yet goes where its folder does. */
function realPathOf(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    const slash = path.lastIndexOf("/");
    return slash <= 0 ? path : realPathOf(path.slice(0, slash)) + path.slice(slash);
  }
}

/** A file's text; null where there is none, or a folder. */
function readFile(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.IsADirectory) return null;
    throw error;
  }
}

/** Most bytes of a file that names what is fetched. */
const MOST_BYTES = 2 ** 24;

/** A file's text; null for what the command itself will refuse, in words of its own. */
function readSmall(path: string): string | null {
  try {
    const { isFile, size } = Deno.statSync(path);
    return isFile && size <= MOST_BYTES ? Deno.readTextFileSync(path) : null;
  } catch {
    return null;
  }
}

if (import.meta.main) {
  const [start = "", task = "", ...args] = Deno.args;
  const packages = decodeURIComponent(new URL(import.meta.resolve("vega")).pathname);
  try {
    const place = {
      start,
      project: Deno.cwd(),
      dotGit: readFile(".git"),
      packages: packages.slice(0, packages.lastIndexOf("/vega/")),
      hub: {
        ...cacheIn(() => cacheFolder((name) => Deno.env.get(name))),
        token: () => tokenFile((name) => Deno.env.get(name)),
        endpoint: () => Deno.env.get("HF_ENDPOINT") || null,
        real: realPathOf,
        read: readSmall,
      },
    };
    const words = launch(task, args, place);
    const line = (all: readonly string[]) => all.map(quoteArgument).join(" ");
    console.log(line(words));
    // For the shell too, in lines of their own.
    const before = launchBefore(task, args, place);
    if (before.length > 0) console.log(`before=${quoteArgument(line(before))}`);
    // The command tells what they found.
    if (before[0] === "test") console.log("mayFail=1");
    const jobs = jobsOf(task, args);
    if (jobs !== null) console.log(`jobs=${jobs}`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(wrap(error.message, columnsOf("stderr")));
    Deno.exit(2);
  }
}
