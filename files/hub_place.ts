/** @file Names at Hugging Face's Hub, and where Python's libraries keep on disk what they fetched from there. */
import { UserError } from "../errors/user_error.ts";

/** What the Hub has. */
export type HubKind = "model" | "data set";

/** A repository at the Hub, or a folder or file in it. */
export interface HubName {
  /** e.g. "meta-llama/Llama-3.2-1B". */
  readonly repository: string;
  /** The path in it, e.g. "sst2"; empty for the whole. */
  readonly inside: string;
  /** A branch, a tag, a commit or "refs/pr/1"; null where none is named. */
  readonly revision: string | null;
}

/** What lies in the cache, of one commit. */
export interface HubPlace extends Omit<HubName, "revision"> {
  readonly kind: HubKind;
  /** 40 hex digits. */
  readonly commit: string;
}

/** What a revision is called where none is named. */
export const MAIN = "main";

/** How names of files with rows end: "d/reviews.csv" is a file, and no data set of somebody called "d". */
const FILE = /\.(jsonl|json|csv|tsv)(\.gz)?$|\.(parquet|safetensors)$/i;

/** A part of a name, as the Hub allows it: so no two names share a folder of the cache. */
const PART = /^(?!.*(--|\.\.))\w([\w.-]{0,94}\w)?$/;

/**
 * Reads `org/name`, `org/name@revision` or `org/name/folder`; null for what is no such name, such as a path that begins
 * with a dot or a slash, or names a file with rows that is no further down than a name.
 */
export function parseHubName(text: string): HubName | null {
  const at = text.indexOf("@"), path = at < 0 ? text : text.slice(0, at);
  const revision = at < 0 ? null : text.slice(at + 1);
  const [organization = "", name = "", ...rest] = path.replace(/(?<=.)\/$/, "").split("/");
  if (!PART.test(organization) || !PART.test(name) || !rest.every(isPlain)) return null;
  if (rest.length === 0 && FILE.test(name)) return null;
  if (revision !== null && !isRevision(revision)) return null;
  return { repository: `${organization}/${name}`, inside: rest.join("/"), revision };
}

/** True for a path within a repository that leads nowhere else: "data/train.parquet". */
export function isInside(path: string): boolean {
  return path.length <= 1024 && path.split("/").every(isPlain);
}

function isPlain(part: string): boolean {
  // deno-lint-ignore no-control-regex
  return part !== "" && part !== "." && part !== ".." && !/[\\\x00-\x1f]/.test(part) && part.length <= 255;
}

function isRevision(text: string): boolean {
  return /^[\w./-]{1,200}$/.test(text) && text.split("/").every((part) => /^(?!\.)[\w.-]+$/.test(part));
}

/** True for the name of a commit, which always stands for the same files. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** A variable of the environment. */
export type Variable = (name: string) => string | undefined;

/**
 * The cache's folder, as Python's libraries find it; null where there is no home.
 *
 * @throws {UserError} where a variable names no absolute path
 */
export function cacheFolder(variable: Variable): string | null {
  return find("cache", variable, [["HF_HUB_CACHE", ""], ...homes("hub")]);
}

/**
 * The file with the user's token, as `huggingface_hub` finds it where HF_TOKEN is not set; null where there is no home. It
 * need not be there.
 *
 * @throws {UserError} where a variable names no absolute path
 */
export function tokenFile(variable: Variable): string | null {
  return find("token", variable, [["HF_TOKEN_PATH", ""], ...homes("token")]);
}

/** A variable, and what lies where below the folder that it names. */
type Named = readonly [name: string, below: string];

/** Where Python's libraries have their things. */
function homes(below: string): Named[] {
  return [["HF_HOME", `/${below}`], ["XDG_CACHE_HOME", `/huggingface/${below}`], [
    "HOME",
    `/.cache/huggingface/${below}`,
  ]];
}

/** The place by the first variable that is set. */
function find(what: string, variable: Variable, named: readonly Named[]): string | null {
  const home = variable("HOME");
  for (const [name, below] of named) {
    const value = variable(name);
    if (!value) continue;
    const path = home ? value.replace(/^~(?=$|\/)/, home) : value;
    if (path.startsWith("/")) return `${path.replace(/\/+$/, "")}${below}`;
    throw new UserError(`Cannot find the Hub's ${what}: ${name} is "${value}", an absolute path is needed`);
  }
  return null;
}

/** The folder of a repository in the cache. */
export function repositoryFolder(cache: string, kind: HubKind, repository: string): string {
  return `${cache}/${kind === "model" ? "models" : "datasets"}--${repository.replace("/", "--")}`;
}

const SNAPSHOT =
  /^(.*(?:^|\/)(models|datasets)--(\w[\w.-]*?)--(\w[\w.-]*))\/snapshots\/([0-9a-f]{40})(?:\/(.*))?$/;

/** What lies at a path of the cache; null for any other path. */
export function hubPlaceOf(path: string): HubPlace | null {
  const [, , kind, organization, name, commit, inside = ""] = SNAPSHOT.exec(path) ?? [];
  if (commit === undefined) return null;
  return {
    kind: kind === "models" ? "model" : "data set",
    repository: `${organization}/${name}`,
    inside: inside.replace(/\/+$/, ""),
    commit,
  };
}

/** The folder with all that the cache has of the repository of a path; the path itself where it is none of the cache's. */
export function repositoryFolderOf(path: string): string {
  return SNAPSHOT.exec(path)?.[1] ?? path;
}

/** What stands for a place on any machine: "org/name@commit", or "org/name/folder@commit". */
export function nameOfPlace({ repository, inside, commit }: HubPlace): string {
  return `${repository}${inside && `/${inside}`}@${commit}`;
}

/** A path, or its name at the Hub where it lies in the cache. */
export function portableName(path: string): string {
  const place = hubPlaceOf(path);
  return place ? nameOfPlace(place) : path;
}

/** A path without the cache's own folders, by which what is in it can be called: "org/name/folder". */
export function plainPath(path: string): string {
  const place = hubPlaceOf(path);
  return place ? `${place.repository}${place.inside && `/${place.inside}`}` : path;
}

/** What looks at a disk: both throw where nothing is there. */
export interface Disk {
  read(path: string): string;
  isFolder(path: string): boolean;
}

/** The commit of a revision whose files a repository's folder has; null where it has none. */
export function findCommit(root: string, revision: string, { read, isFolder }: Disk): string | null {
  try {
    const commit = isCommit(revision) ? revision : read(`${root}/refs/${revision}`).trim();
    return isCommit(commit) && isFolder(`${root}/snapshots/${commit}`) ? commit : null;
  } catch {
    return null;
  }
}
