/**
 * @file A browser as the system: the user's files lie in the origin's private file system (OPFS), the program's own beside
 * its code, where `site.json` lists them. One worker at a time writes there, which a web lock sees to.
 */
import { sha256 } from "./sha256.ts";
import { type Build, type FileFault, type FileInfo, Missing, type System } from "./system.ts";

/** A file in OPFS, as far as it is used here. Deno's types do not know it. */
interface FileHandle {
  readonly kind: "file";
  getFile(): Promise<File>;
  createWritable(): Promise<{ write(piece: Uint8Array): Promise<void>; close(): Promise<void> }>;
}

/** A folder in OPFS, as far as it is used here. */
interface FolderHandle {
  readonly kind: "directory";
  getDirectoryHandle(name: string, options?: { create: boolean }): Promise<FolderHandle>;
  getFileHandle(name: string, options?: { create: boolean }): Promise<FileHandle>;
  removeEntry(name: string, options?: { recursive: boolean }): Promise<void>;
  keys(): AsyncIterable<string>;
}

/** What the site's build says of itself. */
interface Site extends Build {
  /** The program's own files, by their path in the repository. */
  readonly files: readonly string[];
}

/** What runs in a browser asks here. */
export function browserSystem(): System {
  const own = (path: string) => new URL(`./${path}`, import.meta.url);
  let site: Promise<Site> | undefined;
  const readSite = (): Promise<Site> => site ??= fetchOwn(own("site.json")).then((found) => found.json());
  /** The program's own file; nobody is asked for one that is not there. */
  const openOwn = async (url: URL): Promise<Response> => {
    const path = decodeURIComponent(url.href.slice(own("").href.length));
    if (!(await readSite()).files.includes(path)) throw new Missing(`there is no ${path}`);
    return await fetchOwn(url);
  };
  return {
    host: { name: "browser", version: browserName(navigator.userAgent) },
    adapterAdvice: "this browser offers none: it may be too old, or have WebGPU switched off",
    graphics: "unknown",
    build: readSite,
    own,
    // The service worker hands out such a script with a policy of its own.
    startConfined: (path) => new Worker(own(path.replace(/\.ts$/, ".js")), { type: "module" }),
    made: async (name) => await (await openOwn(own(name))).text(),
    async stat(path) {
      if (path instanceof URL) return fileInfo((await (await openOwn(path)).blob()).size, null);
      const { folder, name } = await parentOf(path);
      if (name === null) return folderInfo;
      const file = await fileIn(folder, name);
      if (file === null) return folderInfo;
      const { size, lastModified } = await file.getFile();
      return fileInfo(size, new Date(lastModified));
    },
    // There are no links.
    realPath: (path) => Promise.resolve(partsOf(path).join("/")),
    async isThere(path) {
      if (path instanceof URL) return await openOwn(path).then(() => true, () => false);
      try {
        const { folder, name } = await parentOf(path);
        if (name !== null) await fileIn(folder, name);
        return true;
      } catch {
        return false;
      }
    },
    async readFile(path) {
      if (path instanceof URL) return new Uint8Array(await (await openOwn(path)).arrayBuffer());
      const { folder, name } = await parentOf(path);
      const file = await (await folder.getFileHandle(name ?? ".")).getFile();
      return new Uint8Array(await file.arrayBuffer());
    },
    async readText(path) {
      return new TextDecoder("utf-8", { ignoreBOM: true }).decode(await this.readFile(path));
    },
    async namesIn(path) {
      if (path instanceof URL) {
        const folder = path.href.slice(own("").href.length).replace(/\/?$/, "/");
        return (await readSite()).files.filter((name) => name.startsWith(folder)).map((name) =>
          name.slice(folder.length)
        );
      }
      const names: string[] = [];
      for await (const name of (await folderAt(path)).keys()) names.push(name);
      return names;
    },
    renew: () => Promise.resolve(),
    async writeWhole(path, pieces) {
      const { folder, name } = await parentOf(path);
      const file = await (await folder.getFileHandle(name!, { create: true })).createWritable();
      // What is written goes to another file, which takes this one's place when it is closed.
      for (const piece of pieces) await file.write(piece);
      await file.close();
    },
    // What is not closed is no file here.
    sweepUp: () => Promise.resolve(),
    async makeFolder(path) {
      await folderAt(path, true);
    },
    async remove(path, { recursive } = { recursive: false }) {
      const { folder, name } = await parentOf(path);
      await folder.removeEntry(name!, { recursive });
    },
    async rename(from, to) {
      const bytes = await this.readFile(from);
      await this.writeWhole(to, [bytes], true);
      await this.remove(from);
    },
    faultOf,
    sha256: () => Promise.resolve(sha256),
  };
}

const folderInfo: FileInfo = { ...fileInfo(0, null), isFile: false, isDirectory: true };

function fileInfo(size: number, mtime: Date | null): FileInfo {
  const none = { isFifo: null, isSocket: null, ctime: null, ino: null };
  return { isFile: true, isDirectory: false, size, mtime, ...none };
}

async function fetchOwn(url: URL): Promise<Response> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`Cannot load ${url.pathname}: the server says ${response.status}`);
  return response;
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** The folder that a path's last part lies in; the name is null for the root. */
async function parentOf(path: string): Promise<{ folder: FolderHandle; name: string | null }> {
  const parts = partsOf(path);
  const name = parts.pop() ?? null;
  return { folder: await folderAt(parts.join("/")), name };
}

async function folderAt(path: string, create = false): Promise<FolderHandle> {
  const storage = navigator as unknown as { storage: { getDirectory(): Promise<FolderHandle> } };
  let folder = await storage.storage.getDirectory();
  for (const part of partsOf(path)) {
    folder = await folder.getDirectoryHandle(part, { create });
  }
  return folder;
}

/** Null for a folder. @throws where nothing is there */
async function fileIn(folder: FolderHandle, name: string): Promise<FileHandle | null> {
  try {
    return await folder.getFileHandle(name);
  } catch (error) {
    if ((error as Error).name !== "TypeMismatchError") throw error;
    return null;
  }
}

function faultOf(error: unknown): FileFault | null {
  if (error instanceof Missing) return "missing";
  if (!(error instanceof DOMException)) return null;
  return error.name === "NotFoundError" ? "missing" : error.name === "TypeMismatchError" ? "no folder" : null;
}

/** What browsers call themselves by, those first that name others too. Safari tells its version apart. */
const BROWSERS = { Edg: "Edge", OPR: "Opera", Firefox: "Firefox", Chrome: "Chrome", Version: "Safari" };

/** "Chrome 140.0.7339.16" of what a browser says of itself: most tell the first number alone. */
export function browserName(agent: string): string {
  for (const [mark, name] of Object.entries(BROWSERS)) {
    const version = new RegExp(`\\b${mark}/([\\d.]+)`).exec(agent)?.[1];
    if (version !== undefined) return `${name} ${version}`;
  }
  return "a browser";
}
