/**
 * @file Files of the user's that bring methods, tasks and models: loaded, known by their exports, told apart by a hash.
 *
 * Such a file imports what it needs by the name `@equivalent-gradient/harness`. What it exports counts by its form: objects
 * with the fields of an `OptimizerModule`, a `Task` or a `ModelEntry`, under any name. Everything else that it exports is
 * left alone.
 */
import type { ModelEntry } from "../../models/entry.ts";
import { fingerprintFiles, hashFile } from "../../files/file_hash.ts";
import type { OptimizerModule } from "../../optimizers/optimizer.ts";
import type { Task } from "../../tasks/task.ts";
import { KINDS, type OwnEntries } from "../registry.ts";
import type { ModuleSource } from "../run.ts";
import { UserError } from "../../errors/user_error.ts";

/** What the fields of an entry of each kind are. The first of them is what no other kind has. */
const FORMS: Readonly<Record<keyof typeof KINDS, Readonly<Record<string, string>>>> = {
  optimizers: {
    attach: "function",
    id: "string",
    title: "string",
    source: "string",
    defaults: "object",
    validate: "function",
    describe: "function",
    stepWork: "function",
    footprint: "function",
  } satisfies Partial<Record<keyof OptimizerModule, string>>,
  tasks: {
    load: "function",
    id: "string",
    title: "string",
    family: "string",
    metric: "object",
    source: "string",
  } satisfies Partial<Record<keyof Task, string>>,
  models: {
    create: "function",
    id: "string",
    title: "string",
    family: "string",
    outputs: "number",
    inputSize: "number",
    size: "object",
    pretrained: "boolean",
    recipe: "object",
    parameters: "object",
    targetModules: "function",
    architecture: "object",
    memory: "object",
    ofLengths: "function",
    resize: "function",
    initial: "function",
  } satisfies Partial<Record<keyof ModelEntry, string>>,
};

/** What this process loaded, by address: Deno loads a file once, whatever becomes of it. */
const loaded = new Map<string, string>();

/** Entries of files, with the file of each. */
export type LoadedEntries = Required<OwnEntries>;

/**
 * Loads files that bring methods, tasks and models.
 *
 * @param paths from the current folder, or absolute
 * @throws {UserError} where a file can't be read, throws, or brings none, with its path and what is wanted; and where it
 * changed since this process loaded it
 */
export async function loadModules(paths: readonly string[]): Promise<LoadedEntries> {
  const found: Record<keyof typeof FORMS, Record<string, never>> = { optimizers: {}, tasks: {}, models: {} };
  const sources = new Map<unknown, ModuleSource>();
  for (const path of new Set(paths)) {
    if (!/\.[cm]?[jt]sx?$/i.test(path)) {
      throw new UserError(
        `Cannot load ${path}: a file of TypeScript or JavaScript is needed, as in my_method.ts`,
      );
    }
    const url = urlOf(path), fingerprint = await fingerprintModule(url, path);
    if ((loaded.get(url.href) ?? fingerprint) !== fingerprint) {
      throw new UserError(
        `Cannot load ${path} again: it changed, and another process is needed for what it is now`,
      );
    }
    const source = { path: decodeURIComponent(url.pathname), fingerprint };
    for (const { kind, entry } of entriesOf(await load(url, path), path)) {
      loaded.set(url.href, fingerprint);
      found[kind][`${entry.id} of ${path}`] = entry as never;
      sources.set(entry, await withCheckpoint(source, entry));
    }
  }
  return { ...found, sources };
}

/** The source of an entry whose base checkpoint is told from others too, where it has one of its own that is made. */
async function withCheckpoint(source: ModuleSource, entry: Partial<ModelEntry>): Promise<ModuleSource> {
  if (!entry.checkpoint) return source;
  const path = decodeURIComponent(entry.checkpoint.pathname);
  if (!await Deno.stat(path).catch(() => null)) return source;
  const hashes: Readonly<Record<string, string>> = {
    checkpoint: await hashFile(path),
    module: source.fingerprint,
  };
  const fingerprint = await fingerprintFiles(Object.keys(hashes), (name) => Promise.resolve(hashes[name]!));
  return { ...source, fingerprint };
}

interface FoundEntry {
  readonly kind: keyof typeof FORMS;
  readonly entry: { readonly id: string };
}

function entriesOf(exports: Readonly<Record<string, unknown>>, path: string): FoundEntry[] {
  const found = new Map<unknown, FoundEntry>();
  for (const [name, value] of Object.entries(exports)) {
    if (typeof value !== "object" || value === null) continue;
    const entry = value as Readonly<Record<string, unknown>> & { readonly id: string };
    for (const [kind, form] of Object.entries(FORMS) as [keyof typeof FORMS, Record<string, string>][]) {
      const [telling] = Object.keys(form);
      if (typeof entry[telling!] !== "function") continue;
      const kindOf = (field: string): string => typeof entry[field];
      const wrong = Object.entries(form).find(([field, type]) => kindOf(field) !== type);
      if (wrong) {
        const [field, type] = wrong, it = entry[field] === undefined ? "missing" : `a ${kindOf(field)}`;
        throw new UserError(
          `Cannot use export "${name}" of ${path} as a ${
            KINDS[kind]
          }: "${field}" is ${it}, a ${type} is needed`,
        );
      }
      found.set(entry, { kind, entry });
    }
  }
  if (found.size > 0) return [...found.values()];
  const names = Object.keys(exports);
  throw new UserError(
    `Cannot use ${path}: an OptimizerModule, a Task or a ModelEntry is needed among its exports, ${
      names.length === 0 ? "it has none" : `it has ${names.join(", ")}`
    }`,
  );
}

async function load(url: URL, path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await import(url.href);
  } catch (error) {
    throw new UserError(`Cannot load ${path}: ${reasonOf(error)}`);
  }
}

/** The first line of what is wrong: Deno shows the place in the source below it. */
/** Why a file, or one that it imports, can't be read. */
function lackOf(href: string, url: URL, error: unknown): string {
  if (!(error instanceof Deno.errors.NotFound)) return reasonOf(error);
  if (href === url.href) return "there is no such file";
  return `it imports ${decodeURIComponent(new URL(href).pathname)}, which is not there`;
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split("\n")[0] || "it throws";
}

function urlOf(path: string): URL {
  const encode = (text: string) => text.split("/").map(encodeURIComponent).join("/");
  return path.startsWith("/")
    ? new URL(`file://${encode(path)}`)
    : new URL(encode(path), `file://${encode(Deno.cwd())}/`);
}

/**
 * SHA-256 over a file and the local files that it imports by a literal path, in hex: the same for the same files in another
 * place. What it reads in another way, and the harness itself, have no part in it.
 */
async function fingerprintModule(url: URL, path: string): Promise<string> {
  const texts = new Map<string, string>(), open = [url.href];
  for (let href; (href = open.pop()) !== undefined;) {
    if (texts.has(href)) continue;
    let text: string;
    try {
      text = await Deno.readTextFile(new URL(href));
    } catch (error) {
      throw new UserError(`Cannot load ${path}: ${lackOf(href, url, error)}`);
    }
    texts.set(href, text);
    open.push(...localImports(text).map((specifier) => new URL(specifier, href).href));
  }
  const folder = new URL("./", url).href;
  const names = new Map(
    [...texts.keys()].map((href) => [href === url.href ? "" : relative(href, folder), href]),
  );
  return await fingerprintFiles(
    [...names.keys()].sort(),
    (name) => hashFile(decodeURIComponent(new URL(names.get(name)!).pathname)),
  );
}

/** Paths of a source's imports, static and dynamic, with a literal path. */
function localImports(source: string): string[] {
  const found = source.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*["'](\.{1,2}\/[^"'\n]+)["']/g);
  return Array.from(found, ([, specifier]) => specifier!);
}

/** A file's path from a folder, "../" upwards: the same wherever both lie. */
function relative(href: string, folder: string): string {
  const to = href.split("/"), from = folder.split("/").slice(0, -1);
  const shared = from.findIndex((part, i) => part !== to[i]), same = shared < 0 ? from.length : shared;
  return [...from.slice(same).map(() => ".."), ...to.slice(same)].join("/");
}
