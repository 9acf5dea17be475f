/** @file What was fetched from Hugging Face's Hub: where its names lead on this machine, or how to get it. */
import { UserError } from "../errors/user_error.ts";
import {
  findCommit,
  type HubKind,
  hubPlaceOf,
  MAIN,
  parseHubName,
  repositoryFolder,
  repositoryFolderOf,
} from "./hub_place.ts";

/** The Hub's cache of a machine. */
export interface Cache {
  /** Its folder; null where the user has no home. @throws {UserError} where a variable names none */
  cache(): string | null;
  isThere(path: string): boolean;
  /** The commit of a revision that the folder of a repository in the cache has; null where it has none. */
  commitIn(folder: string, revision: string): string | null;
}

/** The cache in a folder of this machine. */
export function cacheIn(cache: () => string | null): Cache {
  return {
    cache,
    isThere(path) {
      try {
        Deno.statSync(path);
        return true;
      } catch {
        return false;
      }
    },
    commitIn: (folder, revision) =>
      findCommit(folder, revision, {
        read: Deno.readTextFileSync,
        isFolder: (path) => Deno.statSync(path).isDirectory,
      }),
  };
}

/**
 * The folder or file of the cache that a name of the Hub's stands for; null for what is no such name.
 *
 * @throws {UserError} where it was not fetched; the sentence says how it is
 */
export function findFetched(text: string, kind: HubKind, cached: Cache): string | null {
  const name = parseHubName(text);
  if (name === null) return null;
  const { repository, inside, revision } = name, cache = cached.cache();
  const folder = cache && repositoryFolder(cache, kind, repository);
  const commit = folder && cached.commitIn(folder, revision ?? MAIN);
  const found = commit && `${folder}/snapshots/${commit}${inside && `/${inside}`}`;
  if (found && (inside === "" || cached.isThere(found))) return found;
  const wanted = `${kind === "model" ? "" : "--data "}${repository}${
    revision === null ? "" : `@${revision}`
  }`;
  throw new UserError(
    found
      ? `Cannot find ${text}: what was fetched of ${repository} has no "${inside}" (./run fetch ${wanted} brings all that is read)`
      : `Cannot find ${text}: neither is it here, nor was it fetched from the Hub (./run fetch ${wanted} would)`,
  );
}

/** What a config, or a task of a sweep, takes from elsewhere. */
export interface Choices {
  readonly task?: { readonly data?: string | undefined; readonly hub?: string | undefined };
  readonly model?: Place & { readonly adapter?: Place };
}

interface Place {
  readonly path?: string | undefined;
  readonly hub?: string | undefined;
}

/**
 * The choices with the places that they have on this machine: names of the Hub's become folders of the cache, and so do
 * paths that are not here any more, of what was fetched. All others stay as they are.
 *
 * @throws {UserError} as `findFetched` does
 */
export function withFetched<C extends Choices>(choices: C, cached: Cache): C {
  const { task, model } = choices;
  const at = ({ path, hub }: Place, kind: HubKind) =>
    path === undefined || cached.isThere(path) ? path : findFetched(hub ?? path, kind, cached) ?? path;
  const placed = <P extends Place>(place: P): P =>
    place.path === undefined ? place : { ...place, path: at(place, "model") };
  return {
    ...choices,
    ...(task?.data !== undefined && {
      task: { ...task, data: at({ ...task, path: task.data }, "data set") },
    }),
    ...(model && { model: { ...placed(model), ...(model.adapter && { adapter: placed(model.adapter) }) } }),
  };
}

/**
 * The folders of the cache that the file of a sweep, or of a stored run, takes something from.
 *
 * @param text of the file; empty for what is neither
 * @throws {UserError} as `findFetched` does
 */
export function fetchedFolders(text: string, cached: Cache): string[] {
  let value: { readonly tasks?: unknown; readonly config?: unknown } | null;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  const part = (whole: unknown, name: string) =>
    (whole as Record<string, unknown> | null | undefined)?.[name];
  const textOf = (whole: unknown, name: string) => {
    const found = part(whole, name);
    return typeof found === "string" ? found : undefined;
  };
  const place = (whole: unknown) => ({ path: textOf(whole, "path"), hub: textOf(whole, "hub") });
  const all = [Array.isArray(value?.tasks) ? value.tasks : [], value?.config ?? []].flat();
  const places = all.flatMap((one: unknown) => {
    const [data, base] = [part(one, "task"), part(one, "model")];
    const { task, model } = withFetched({
      task: { data: textOf(data, "data"), hub: textOf(data, "hub") },
      model: { ...place(base), adapter: place(part(base, "adapter")) },
    }, cached);
    return [task.data, model.path, model.adapter.path];
  });
  return [
    ...new Set(
      places.flatMap((path) =>
        path !== undefined && hubPlaceOf(path) !== null ? [repositoryFolderOf(path)] : []
      ),
    ),
  ];
}
