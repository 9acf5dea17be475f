/** @file What a watcher answers to a request: reads files, writes none, and holds no sweep up. */
import type { Registries } from "../../training/configuration.ts";
import { LiveReport } from "./live_report.ts";
import { listPage } from "./list_page.ts";
import { type FoundSweep, pathOf } from "./shell.ts";
import { sweepPage } from "./sweep_page.ts";
import style from "./page.css" with { type: "text" };
import script from "./page.js" with { type: "text" };
import { SweepFolder } from "./sweep_folder.ts";
import { findSweeps } from "./sweeps.ts";

/** What an answer depends on. */
export type Asked = Pick<Request, "method" | "url" | "headers">;

/** Answers requests about the sweeps below a folder. */
export interface Answerer extends Disposable {
  answer(request: Asked): Promise<Response>;
}

/** One sweep, as it is remembered between requests. */
interface Watched extends Disposable {
  readonly folder: SweepFolder;
  readonly report: LiveReport;
}

/** Only these names lead here: a page of another target module that had its own name point to this machine would read along. */
const HOSTS = ["127.0.0.1", "localhost", "[::1]"];

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  jsonl: "application/x-ndjson",
  svg: "image/svg+xml",
  png: "image/png",
  csv: "text/csv; charset=utf-8",
  md: "text/plain; charset=utf-8",
};

const OWN_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** A report may bring scripts of its own, but it stands apart: it reaches neither these pages nor anything else. */
const REPORT_POLICY =
  "sandbox allow-scripts allow-downloads allow-popups; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/**
 * @param folder a sweep's output folder, or one with such folders; it need not be there yet
 * @param now milliseconds since 1970
 */
export function createAnswerer(folder: string, registries: Registries, now = () => Date.now()): Answerer {
  const watched = new Map<string, Watched>();
  const find = async () => {
    const sweeps = await findSweeps(folder);
    for (const [key, out] of sweeps) if (!watched.has(key)) watched.set(key, watch(out));
    for (const [key, gone] of watched) {
      if (sweeps.has(key)) continue;
      gone[Symbol.dispose]();
      watched.delete(key);
    }
    return sweeps;
  };
  return {
    // To HEAD the server sends the same without the body.
    answer: (request) => route(request),
    [Symbol.dispose]() {
      for (const one of watched.values()) one[Symbol.dispose]();
    },
  };

  async function route(request: Asked): Promise<Response> {
    if (request.method !== "GET" && request.method !== "HEAD") {
      const refusal = problem(405, `Cannot ${request.method}: this only reads, with GET and HEAD`);
      refusal.headers.set("Allow", "GET, HEAD");
      return refusal;
    }
    const host = request.headers.get("Host") ?? "";
    if (!HOSTS.includes(host.replace(/:\d+$/, ""))) {
      return problem(403, `Cannot answer for host "${host}": only for ${HOSTS.join(", ")}`);
    }
    const { pathname, searchParams } = new URL(request.url);
    const parts = partsOf(pathname);
    if (parts === null) return problem(400, `Cannot read the path ${pathname}`);
    const [first, key, place, ...rest] = parts;
    if (first === "page.css" && parts.length === 1) return send(style, "css", OWN_POLICY);
    if (first === "page.js" && parts.length === 1) return send(script, "js", OWN_POLICY);
    const sweeps = await find();
    if (first === "" && parts.length === 1) {
      const [only] = sweeps.keys();
      // Nothing to choose from.
      if (only !== undefined && isItself(only)) return redirect(pathOf(only));
      const found = await Promise.all([...sweeps.keys()].map(look));
      const isThere = found.length > 0 || await Deno.stat(folder).then(() => true, () => false);
      return await sendPage(listPage(folder, isThere, found, now()), request);
    }
    if (first !== "sweep" || key === undefined) return problem(404, `There is nothing at ${pathname}`);
    if (!watched.has(key)) return problem(404, `There is no sweep "${key}" in ${folder}`);
    if (place === undefined) return redirect(pathOf(key));
    const { folder: { out }, report } = watched.get(key)!;
    if (place === "") {
      const view = {
        task: searchParams.get("task"),
        showsAll: searchParams.get("runs") === "all",
        hasList: !isItself(key),
      };
      return await sendPage(sweepPage(await look(key), registries, view, now()), request);
    }
    if (place !== "report" && place !== "written") return problem(404, `There is nothing at ${pathname}`);
    if (rest.length === 0) return redirect(`${pathOf(key)}${place}/`);
    const path = rest.join("/") || "index.html";
    return place === "written" ? await sendWritten(out, path) : await sendBuilt(key, report, path);
  }

  /** Whether a sweep is the watched folder itself. */
  function isItself(key: string): boolean {
    return watched.get(key)!.folder.out === folder;
  }

  async function look(key: string): Promise<FoundSweep> {
    return { key, contents: await watched.get(key)!.folder.look() };
  }

  async function sendBuilt(key: string, report: LiveReport, path: string): Promise<Response> {
    // Only its page is built anew: what the page links to is to fit it.
    const isFresh = path === "index.html" || report.last === null;
    const built = isFresh ? await report.now((await look(key)).contents.stamp) : report.last!;
    if ("error" in built) return problem(404, built.error);
    const text = built.files.get(path);
    return text === undefined
      ? problem(404, `The report of "${key}" has no file ${path}`)
      : send(text, extensionOf(path), REPORT_POLICY);
  }
}

function watch(out: string): Watched {
  const report = new LiveReport(out);
  return { folder: new SweepFolder(out), report, [Symbol.dispose]: () => report[Symbol.dispose]() };
}

/** The parts of a path between its slashes; null where one of them could lead elsewhere. */
function partsOf(pathname: string): string[] | null {
  try {
    const parts = pathname.slice(1).split("/").map(decodeURIComponent);
    return parts.some((part) => part === ".." || part === "." || /[\\\0]/.test(part)) ? null : parts;
  } catch {
    return null;
  }
}

/** A file of a report on disk, and of nothing but that: links that lead out of its folder lead nowhere. */
async function sendWritten(out: string, path: string): Promise<Response> {
  try {
    const folder = await Deno.realPath(`${out}/report`), file = await Deno.realPath(`${folder}/${path}`);
    const isInside = file.startsWith(`${folder}/`) && (await Deno.stat(file)).isFile;
    if (isInside) return send(await Deno.readFile(file), extensionOf(path), REPORT_POLICY);
  } catch (error) {
    const isMissing = [Deno.errors.NotFound, Deno.errors.NotADirectory, Deno.errors.PermissionDenied]
      .some((kind) => error instanceof kind);
    if (!isMissing) throw error;
  }
  return problem(404, `There is no file ${path} in ${out}/report${path === "index.html" ? " yet" : ""}`);
}

function extensionOf(path: string): string {
  return path.split(".").at(-1)!;
}

async function sendPage(text: string, request: Asked): Promise<Response> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  const tag = `"${digest.subarray(0, 16).toHex()}"`;
  const headers = { ETag: tag };
  if (request.headers.get("If-None-Match") === tag) return new Response(null, { status: 304, headers });
  return send(text, "html", OWN_POLICY, headers);
}

function send(
  body: string | Uint8Array<ArrayBuffer>,
  extension: string,
  policy: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(body, {
    headers: {
      "Content-Type": TYPES[extension] ?? "application/octet-stream",
      "Content-Security-Policy": policy,
      "X-Content-Type-Options": "nosniff",
      "Referrer-Policy": "no-referrer",
      "Cross-Origin-Resource-Policy": "same-origin",
      "Cache-Control": "no-cache",
      ...headers,
    },
  });
}

function problem(status: number, sentence: string): Response {
  const { headers } = send("", "md", OWN_POLICY);
  return new Response(`${sentence}\n`, { status, headers });
}

function redirect(path: string): Response {
  return new Response(null, { status: 302, headers: { Location: path, "Cache-Control": "no-cache" } });
}
