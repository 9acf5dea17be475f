/** @file What the Hub says of a repository: its commit and its files. The look-ups are those of Hugging Face's own package. */
import { datasetInfo, HubApiError, listFiles, modelInfo } from "@huggingface/hub";
import { UserError } from "../errors/user_error.ts";
import { type HubKind, isInside } from "../files/hub_place.ts";

/** A file of a repository. */
export interface HubFile {
  /** In the repository. */
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** What it is called among the cache's blobs: the hash of its bytes, in hex. */
  readonly hash: string;
  /** "sha256" over its bytes; "git" is SHA-1 over `blob SIZE\0` and its bytes, as git names small files. */
  readonly algorithm: "sha256" | "git";
}

/** Where the Hub is. */
export interface Hub {
  /** Without a slash at its end, e.g. "https://huggingface.co". */
  readonly endpoint: string;
  /** Of the user's, for gated and private repositories; null where there is none. */
  readonly token: HubToken | null;
}

/** What tells the Hub who asks. */
export interface HubToken {
  readonly text: string;
  /** Where it was found, in words: "HF_TOKEN", or a file's path. */
  readonly place: string;
}

/** A repository of one kind. */
export interface Repository {
  readonly kind: HubKind;
  /** "org/name". */
  readonly name: string;
}

/** The Hub does not answer, or not now. */
export class Unreachable extends UserError {}

/** The commit that a revision stands for. @throws {UserError} where there is none; {@link Unreachable} without an answer */
export async function lookUpCommit(hub: Hub, repository: Repository, revision: string): Promise<string> {
  const { kind, name } = repository;
  const params = { name, revision, hubUrl: hub.endpoint, ...credentials(hub) };
  const { sha } = await asking(
    hub,
    repository,
    revision,
    async () =>
      kind === "model"
        ? await modelInfo({ ...params, additionalFields: ["sha"] })
        : await datasetInfo({ ...params, additionalFields: ["sha"] }),
  );
  if (/^[0-9a-f]{40}$/.test(sha)) return sha;
  throw new UserError(`Cannot fetch ${name}: ${hub.endpoint} does not say which commit "${revision}" is`);
}

/** All files of a commit. @throws as `lookUpCommit` does, and for paths that lead out of the repository */
export async function lookUpFiles(hub: Hub, repository: Repository, commit: string): Promise<HubFile[]> {
  const { kind, name } = repository, type = kind === "model" ? "model" as const : "dataset" as const;
  return await asking(hub, repository, commit, async () => {
    const files: HubFile[] = [], params = { revision: commit, recursive: true, hubUrl: hub.endpoint };
    for await (const entry of listFiles({ repo: { type, name }, ...params, ...credentials(hub) })) {
      if (entry.type !== "file") continue;
      const { path, size, oid, lfs } = entry, hash = lfs?.oid ?? oid ?? "";
      const isHash = lfs ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/;
      if (!isInside(path) || !isHash.test(hash) || !Number.isSafeInteger(size) || size < 0) {
        throw new UserError(
          `Cannot fetch ${name}: what ${hub.endpoint} lists has an unsound entry, ${
            JSON.stringify(path).slice(0, 80)
          }`,
        );
      }
      files.push({ path, size, hash, algorithm: lfs ? "sha256" : "git" });
    }
    return files;
  });
}

function credentials({ token }: Hub): { readonly accessToken?: string } {
  return token === null ? {} : { accessToken: token.text };
}

/** Why the Hub gives nothing, in a sentence. */
export function refusal(
  hub: Hub,
  { kind, name }: Repository,
  revision: string,
  { status, code }: { readonly status: number; readonly code: string | null },
): UserError {
  const page = `${hub.endpoint}/${kind === "model" ? "" : "datasets/"}${name}`;
  const say = (reason: string) => new UserError(`Cannot fetch ${name}: ${reason}`);
  const token = hub.token === null
    ? "set HF_TOKEN to a token of yours"
    : `the token in ${hub.token.place} must belong to somebody who did`;
  if (code === "GatedRepo" || status === 403) {
    return say(`it is gated: accept its terms at ${page}, and ${token}`);
  }
  if (code === "RevisionNotFound") return say(`it has no revision "${revision}"`);
  if (code === "EntryNotFound") return say(`a file of ${revision} is not there any more`);
  if (status === 401 || status === 404) {
    const other = kind === "model" ? `; data sets are fetched by --data ${name}` : "";
    const why = hub.token === null
      ? "HF_TOKEN is not set"
      : `the token in ${hub.token.place} does not open it`;
    return say(`${hub.endpoint} has no ${kind} of that name, or it is private and ${why}${other}`);
  }
  if (status === 429) return say(`${hub.endpoint} has too many questions of yours just now, try again later`);
  const sentence = `Cannot fetch ${name}: ${hub.endpoint} answers with status ${status}`;
  return status >= 500 ? new Unreachable(sentence) : new UserError(sentence);
}

async function asking<T>(
  hub: Hub,
  repository: Repository,
  revision: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UserError) throw error;
    if (error instanceof HubApiError) {
      // Its message has the address too, whose words are not the Hub's.
      const { statusCode: status, data } = error, said = String(data?.["error"] ?? "");
      const code = /invalid rev/i.test(said)
        ? "RevisionNotFound"
        : /gated|restricted/i.test(said)
        ? "GatedRepo"
        : null;
      throw refusal(hub, repository, revision, { status, code });
    }
    throw unreachable(hub, repository, error);
  }
}

/** What is said where no answer comes. */
export function unreachable({ endpoint }: Hub, { name }: Repository, error: unknown): UserError {
  const { message } = error as Error;
  if (error instanceof Deno.errors.NotCapable) {
    return new UserError(`Cannot fetch ${name}: ./run does not allow a connection there: ${message}`);
  }
  if (error instanceof SyntaxError) {
    return new UserError(`Cannot fetch ${name}: what ${endpoint} answers is no answer of the Hub's`);
  }
  return new Unreachable(`Cannot fetch ${name}: ${endpoint} does not answer (${lossOf(error as Error)})`);
}

/** Why a connection failed, in a few words. */
export function lossOf({ message, cause }: Error): string {
  const [first = ""] = (cause instanceof Error ? cause.message : message).split("\n");
  return first.replace(/^error sending request .*?client error \(\w+\): /, "");
}
