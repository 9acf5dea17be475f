/**
 * @file What training, sweeps and reports ask of the system that they run on: the interface that `deno.ts` and `browser.ts`
 * implement. A path is a file of the user's; a URL, which `own` gives, is one of the program's own.
 */

/** What stands at a path. */
export interface FileInfo {
  /** True for a file. */
  readonly isFile: boolean;
  /** True for a folder. */
  readonly isDirectory: boolean;
  /** True for a named pipe; null where the system has none. */
  readonly isFifo: boolean | null;
  /** True for a socket; null where the system has none. */
  readonly isSocket: boolean | null;
  /** Bytes of a file. */
  readonly size: number;
  /** When it was last written; null where that is not told. */
  readonly mtime: Date | null;
  /** When what is known of it last changed; null where that is not told. */
  readonly ctime: Date | null;
  /** Its number on its disk; null where files have none. */
  readonly ino: number | null;
}

/** A hash of bytes that come in pieces. */
export interface PiecewiseHash {
  /** Takes the next piece; text as UTF-8. */
  update(piece: Uint8Array | string): unknown;
  /** The hash, once all pieces are in. */
  digest(form: "hex"): string;
}

/** What a program was built from that does not run from its source. */
export interface Build {
  /** Commit of the checkout. */
  readonly commit: string;
  /** Hash of what decides a run's bits: see training/checkpoint/code.ts. */
  readonly code: string;
}

/** What went wrong with a file, where it is one of the reasons that the program tells apart. */
export type FileFault = "missing" | "not allowed" | "no folder" | "a folder" | "a circle of links";

/** A file that is not there. Systems throw their own errors for it too: `System.faultOf` tells. */
export class Missing extends Error {
  /** Tells it apart in logs. */
  override readonly name = "Missing";
}

/** The system that the program runs on. */
export interface System {
  /** Who runs the program: "deno" is recorded by its version alone, a browser by name and version. */
  readonly host: { readonly name: "deno" | "browser"; readonly version: string };
  /** What to do where no WebGPU adapter answers, for the end of a sentence. */
  readonly adapterAdvice: string;
  /** The graphics interface behind WebGPU, as far as the system tells; null where the adapter has to. */
  readonly graphics: string | null;

  /** What the program was built from; null where it runs from its source. */
  build(): Promise<Build | null>;
  /** Where a file of the program's own is, by its path in the repository: for `readFile` and `stat`. */
  own(path: string): URL;
  /** Starts a module of the program's own, by its path in the repository, as a worker that gets at no file and no network. */
  startConfined(path: string): Worker;
  /** A text that is made of the program's source: by `make` here, or beforehand, by whoever built the program. */
  made(name: string, make: () => Promise<string>): Promise<string>;

  /** What stands at a path, behind links. @throws where nothing does */
  stat(path: string | URL): Promise<FileInfo>;
  /** A path without links, "." and "..". @throws where nothing is there */
  realPath(path: string): Promise<string>;
  /** Whether anything stands at a path, a link that leads nowhere among it. */
  isThere(path: string | URL): Promise<boolean>;
  /** A file's bytes. @throws where there is none */
  readFile(path: string | URL): Promise<Uint8Array<ArrayBuffer>>;
  /** A file's text, of UTF-8. @throws where there is none */
  readText(path: string | URL): Promise<string>;
  /** Names in a folder, in any order. @throws where there is none */
  namesIn(folder: string | URL): Promise<string[]>;
  /** Asks the server that has a folder anew: a client of NFS remembers for half a minute that a file was not there. */
  renew(folder: string): Promise<void>;
  /**
   * Writes a file whole or not at all: a reader never sees half of it. What was there before stays where it throws.
   *
   * @param isKept true where it is waited for until it is on the disk
   */
  writeWhole(path: string, pieces: readonly Uint8Array[], isKept: boolean): Promise<void>;
  /** Removes what killed processes left half-written among a folder's files, and nothing that a living one is writing. */
  sweepUp(folder: string, names: readonly string[]): Promise<void>;
  /** Makes a folder, with those above it, and tries to write in it. @throws where that fails */
  makeFolder(path: string): Promise<void>;
  /** Removes a file, or a folder: one that is not empty only with `recursive`. @throws where there is none */
  remove(path: string, options?: { readonly recursive: boolean }): Promise<void>;
  /** Gives a file another name in its folder. */
  rename(from: string, to: string): Promise<void>;
  /** What an error of these says; null for what the program doesn't tell apart. */
  faultOf(error: unknown): FileFault | null;

  /** Makes SHA-256s that take their bytes piece by piece and wait for nothing. */
  sha256(): Promise<() => PiecewiseHash>;
}
