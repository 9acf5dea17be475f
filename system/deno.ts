/** @file Deno as the system: files on disk, within what the process may do. */
import { type FileFault, Missing, type System } from "./system.ts";

/** How half-written files are called: whose they are is told by a lock, see `openPart`. */
const PART = /\.[0-9a-f]{8}\.part$/;

/** What runs under Deno asks here. */
export function denoSystem(): System {
  return {
    host: { name: "deno", version: Deno.version.deno },
    adapterAdvice:
      "on Debian, `apt-get install mesa-vulkan-drivers` adds a software one; `./run` does it for you",
    graphics: graphicsOf(Deno.build.os),
    build: () => Promise.resolve(null),
    own: (path) => new URL(`../${path}`, import.meta.url),
    startConfined(path) {
      // `deno` is among the unstable options, which deno.json allows, and not in the types.
      const options = { type: "module", deno: { permissions: "none" } } as const;
      return new Worker(this.own(path), options);
    },
    made: (_, make) => make(),
    stat: (path) => Deno.stat(path),
    realPath: (path) => Deno.realPath(path),
    isThere,
    readFile: (path) => Deno.readFile(path),
    readText: (path) => Deno.readTextFile(path),
    async namesIn(folder) {
      const names: string[] = [];
      for await (const { name } of Deno.readDir(folder)) names.push(name);
      return names;
    },
    async renew(folder) {
      // To open a folder makes such a client compare its times.
      (await Deno.open(folder).catch(() => null))?.close();
    },
    writeWhole,
    sweepUp,
    makeFolder,
    remove: (path, options) => Deno.remove(path, options),
    rename: (from, to) => Deno.rename(from, to),
    faultOf,
    async sha256() {
      // Loaded when needed: reports name nothing, and most runs have no files of the user's.
      const { createHash } = await import("node:crypto");
      return () => createHash("sha256");
    },
  };
}

function graphicsOf(os: typeof Deno.build.os): string | null {
  return os === "darwin" ? "metal" : os === "windows" ? "dx12 or vulkan" : null;
}

async function isThere(path: string | URL): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

function faultOf(error: unknown): FileFault | null {
  if (error instanceof Deno.errors.NotFound || error instanceof Missing) return "missing";
  if (error instanceof Deno.errors.NotCapable) return "not allowed";
  if (error instanceof Deno.errors.NotADirectory) return "no folder";
  if (error instanceof Deno.errors.IsADirectory) return "a folder";
  return error instanceof Deno.errors.FilesystemLoop ? "a circle of links" : null;
}

/** Writes beside the target and renames. */
async function writeWhole(path: string, pieces: readonly Uint8Array[], isKept: boolean): Promise<void> {
  const part = partOf(path);
  try {
    using file = await openPart(part);
    for (const piece of pieces) {
      for (let written = 0; written < piece.length;) written += await file.write(piece.subarray(written));
    }
    if (isKept) await file.sync();
    await Deno.rename(part, path);
  } catch (error) {
    await Deno.remove(part).catch(() => {});
    throw error;
  }
}

function partOf(path: string): string {
  return `${path}.${crypto.randomUUID().slice(0, 8)}.part`;
}

/**
 * A new file, locked for as long as it is open: the system frees it however the process ends, so that what is locked is
 * somebody's and what isn't is left from one that was killed.
 */
async function openPart(path: string): Promise<Deno.FsFile> {
  for (;;) {
    const file = await Deno.open(path, { write: true, createNew: true });
    // On a disk without locks nobody sweeps up.
    await file.lock(true).catch(() => {});
    // Perhaps it was swept up before it was locked.
    if (await isThere(path)) return file;
    file.close();
  }
}

async function sweepUp(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names.filter((name) => PART.test(name))) {
    const path = `${folder}/${name}`;
    try {
      // Opening a named pipe waits for somebody to write to it.
      if (!(await Deno.stat(path)).isFile) continue;
      using file = await Deno.open(path, { read: true, write: true });
      if (await file.tryLock(true)) await Deno.remove(path);
    } catch {
      // Gone meanwhile, none of ours, or on a disk without locks: it is in nobody's way.
    }
  }
}

async function makeFolder(path: string): Promise<void> {
  const probe = partOf(`${path}/.probe`);
  await Deno.mkdir(path, { recursive: true });
  using _ = await openPart(probe);
  await Deno.remove(probe);
}
