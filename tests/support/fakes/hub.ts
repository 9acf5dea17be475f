/**
 * @file Hugging Face's Hub as two HTTP servers of this machine: what it says of repositories, and another address that large
 * files come from. They answer in the Hub's own words, and can be slow, cut, wrong, closed or gated.
 */
import { createHash } from "node:crypto";

/** A repository that the servers have. */
export interface MockRepository {
  /** By path. Those in `large` are told by SHA-256 and come from the other address. */
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  /** Commits by branch or tag; "main" is `COMMIT` where it is not given. */
  readonly revisions?: Readonly<Record<string, string>>;
  /** True where a token is needed to read files. */
  readonly isGated?: boolean;
  /** True where nothing is told without a token. */
  readonly isPrivate?: boolean;
}

/** What goes wrong with a file that is asked for, the `nth` time from 1. */
export type Trouble = (path: string, nth: number) => {
  /** Bytes after which the connection ends. */
  readonly cutAfter?: number;
  /** True where the first byte that comes is another. */
  readonly isWrong?: boolean;
  /** True where nothing comes after half. */
  readonly hangs?: boolean;
  /** Waits before the second half. */
  readonly before?: Promise<unknown>;
  /** True where the server knows no ranges. */
  readonly isWhole?: boolean;
  /** Instead of the file. */
  readonly status?: number;
} | undefined;

/** A running mock. */
export interface MockHub extends AsyncDisposable {
  readonly endpoint: string;
  /** Requests: method, path, range, and whether a token came along; "cdn" before those to the other address. */
  readonly log: readonly string[];
}

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";
export const TOKEN = "hf_made_up";

/**
 * Starts the servers.
 *
 * @param repositories by "models/org/name" or "datasets/org/name"
 */
export function startMockHub(
  repositories: Readonly<Record<string, MockRepository>>,
  trouble: Trouble = () => undefined,
): MockHub {
  const log: string[] = [], asked = new Map<string, number>();
  const note = (where: string, request: Request) => {
    const { pathname } = new URL(request.url), { headers } = request;
    log.push([
      ...where ? [where] : [],
      ...[request.method, pathname, headers.get("range") ?? "-"],
      headers.has("authorization") ? "token" : "-",
    ].join(" "));
  };
  const serve = (path: string, bytes: Uint8Array, request: Request, headers: Record<string, string>) => {
    const nth = (asked.get(path) ?? 0) + 1;
    asked.set(path, nth);
    const { cutAfter, isWrong, hangs, before, isWhole, status } = trouble(path, nth) ?? {};
    if (status !== undefined) return new Response("", { status });
    const [, start] = /^bytes=(\d+)-/.exec((!isWhole && request.headers.get("range")) || "") ?? [];
    const from = Number(start ?? 0);
    if (from >= bytes.length && start !== undefined) return new Response("", { status: 416 });
    const part = bytes.slice(from);
    if (isWrong) part[0]! ^= 1;
    const sent = part.subarray(0, cutAfter ?? part.length), half = sent.length >> 1;
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(sent.subarray(0, half));
        if (hangs) return;
        await before;
        // A reader that went away closes it.
        try {
          controller.enqueue(sent.subarray(half));
          controller.close();
        } catch { /* Nobody reads it. */ }
      },
    });
    return new Response(body, {
      status: start === undefined ? 200 : 206,
      headers: {
        ...headers,
        ...(start !== undefined && { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
      },
    });
  };
  const files = new Map(
    Object.entries(repositories).map(([name, { files }]) => [
      name,
      Object.entries(files).map(([path, content]) => {
        const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
        const isLarge = /\.(safetensors|parquet)$/.test(path);
        const git = createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
        return {
          path,
          bytes,
          git,
          sha256: isLarge ? createHash("sha256").update(bytes).digest("hex") : null,
        };
      }),
    ]),
  );
  const listen = (handler: (request: Request) => Response | Promise<Response>) =>
    Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
  const cdn = listen((request) => {
    note("cdn", request);
    const { pathname } = new URL(request.url), hash = pathname.slice(1);
    const file = [...files.values()].flat().find(({ sha256 }) => sha256 === hash);
    return file
      ? serve(file.path, file.bytes, request, { etag: `"${hash}"` })
      : new Response("", { status: 404 });
  });
  const refuse = (status: number, code: string, error: string) =>
    Response.json({ error }, { status, headers: { "x-error-code": code, "x-error-message": error } });
  const hub = listen((request) => {
    note("", request);
    const { pathname, searchParams } = new URL(request.url);
    const isKnown = request.headers.get("authorization") === `Bearer ${TOKEN}`;
    const api = /^\/api\/((?:models|datasets)\/[^/]+\/[^/]+)\/(revision|tree)\/(.+)$/.exec(pathname);
    const resolve = /^\/(datasets\/)?([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(pathname);
    const name = api?.[1] ?? (resolve && `${resolve[1] ?? "models/"}${resolve[2]}`) ?? "";
    const repository = repositories[name];
    if (!repository || (repository.isPrivate && !isKnown)) {
      return refuse(401, "RepoNotFound", "Invalid username or password.");
    }
    const revisions: Readonly<Record<string, string>> = { main: COMMIT, ...repository.revisions };
    const revision = decodeURIComponent(api?.[3] ?? resolve?.[3] ?? "");
    const commit = revisions[revision] ?? Object.values(revisions).find((one) => one === revision);
    if (commit === undefined) return refuse(404, "RevisionNotFound", `Invalid rev id: ${revision}`);
    const own = files.get(name)!;
    if (api?.[2] === "revision") {
      const about = { downloads: 0, likes: 0, gated: repository.isGated ? "manual" : false };
      const id = name.slice(name.indexOf("/") + 1);
      return Response.json({
        _id: "1",
        id,
        sha: commit,
        private: false,
        lastModified: "2026-01-01",
        ...about,
      });
    }
    if (api) {
      // In pages, as the Hub lists more than a thousand.
      const entries = [
        { type: "directory", oid: "0".repeat(40), size: 0, path: "data" },
        ...own.map(({ path, bytes: { length: size }, git, sha256 }) => ({
          ...{ type: "file", path, size, oid: sha256 === null ? git : "f".repeat(40) },
          ...(sha256 !== null && { lfs: { oid: sha256, size, pointerSize: 130 } }),
        })),
      ];
      const from = Number(searchParams.get("cursor") ?? 0), rest = entries.slice(from, from + 3);
      const next = `<${new URL(request.url).origin}${pathname}?recursive=true&cursor=${
        from + 3
      }>; rel="next"`;
      return Response.json(rest, from + 3 < entries.length ? { headers: { link: next } } : {});
    }
    if (repository.isGated && !isKnown) {
      return refuse(401, "GatedRepo", `Access to model ${name} is restricted.`);
    }
    const file = own.find(({ path }) => path === decodeURIComponent(resolve![4]!));
    if (!file) return refuse(404, "EntryNotFound", "Entry not found");
    return file.sha256 === null
      ? serve(file.path, file.bytes, request, { etag: `"${file.git}"`, "x-repo-commit": commit })
      : new Response(null, {
        status: 302,
        headers: { location: `http://127.0.0.1:${cdn.addr.port}/${file.sha256}` },
      });
  });
  return {
    endpoint: `http://127.0.0.1:${hub.addr.port}`,
    log,
    async [Symbol.asyncDispose]() {
      await Promise.all([hub.shutdown(), cdn.shutdown()]);
    },
  };
}
