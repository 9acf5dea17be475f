/**
 * @file The state of an unfinished run as one file: safetensors of the buffers that it changed, as words of 32 bits, and
 * of all else as JSON, "host", as bytes. The header's metadata has what the state is good for, and a hash of the file.
 */
import type { LiveBuffer } from "../../gpu/mod.ts";
import { system } from "../../system/mod.ts";
import { fromExactJson, toExactJson } from "./exact_json.ts";

/** What a state is good for: elsewhere the same steps may give other bits. */
export interface CheckpointKey {
  /** Id of the run, or of the base checkpoint that is scored. */
  readonly run: string;
  /** Hash of the harness's source, see `codeFingerprint`. */
  readonly code: string;
  /** Version of Deno, or the browser. */
  readonly deno: string;
  /** Adapter and backend. */
  readonly adapter: string;
  /** Hash of the choices of matrix products. */
  readonly tuning: string;
}

/** A buffer's words, and which buffer it is of its scope. */
export interface SavedBuffer {
  readonly place: LiveBuffer["place"];
  readonly label: string;
  readonly words: Uint32Array<ArrayBuffer>;
}

/** What a run consists of between two steps. */
export interface SavedState {
  /** Steps taken. */
  readonly step: number;
  /** What is on the host, of whatever `toExactJson` takes. */
  readonly host: unknown;
  readonly buffers: readonly SavedBuffer[];
}

const KEYS = ["run", "code", "deno", "adapter", "tuning"] as const satisfies (keyof CheckpointKey)[];
const HOST = "host";
/** Stands in the header for the file's hash while that is taken. */
const UNHASHED = "0".repeat(64);
const LENGTH_BYTES = 8;

/** The pieces of a file. */
export async function encodeCheckpoint(
  key: CheckpointKey,
  { step, host, buffers }: SavedState,
): Promise<Uint8Array<ArrayBuffer>[]> {
  const bytes = [
    ...buffers.map(({ words }) => new Uint8Array(words.buffer, words.byteOffset, words.byteLength)),
    new TextEncoder().encode(toExactJson(host)),
  ];
  let end = 0;
  const entries = bytes.map((piece, i) => {
    const begin = end, buffer = buffers[i];
    end += piece.length;
    const [name, dtype, size] = buffer
      ? [nameOf(buffer), "U32", buffer.words.length] as const
      : [HOST, "U8", piece.length] as const;
    return [name, { dtype, shape: [size], data_offsets: [begin, end] }];
  });
  const headerOf = (sha256: string) => {
    const metadata = { format: "1", step: String(step), sha256, ...key };
    const text = JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
    const header = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8));
    const length = new Uint8Array(LENGTH_BYTES);
    new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
    return [length, header];
  };
  const sha256 = await hashOf([...headerOf(UNHASHED), ...bytes]);
  return [...headerOf(sha256), ...bytes];
}

/**
 * Reads a file's bytes.
 *
 * @throws {Error} with the reason alone where they are not what was written, or were written for something else
 */
export async function decodeCheckpoint(
  bytes: Uint8Array<ArrayBuffer>,
  wanted: CheckpointKey,
): Promise<SavedState> {
  const header = headerIn(bytes);
  const { __metadata__: metadata, [HOST]: host, ...rest } = header.fields;
  const { sha256 = "", step = "", format, ...key } = (metadata ?? {}) as Record<string, string>;
  const unhashed = new TextEncoder().encode(
    header.text.replace(`"sha256":"${sha256}"`, `"sha256":"${UNHASHED}"`),
  );
  const pieces = [bytes.subarray(0, LENGTH_BYTES), unhashed, bytes.subarray(header.end)];
  if (format !== "1" || !host || await hashOf(pieces) !== sha256) {
    throw new Error("it is damaged: its bytes are not those that were written");
  }
  for (const name of KEYS) {
    if (key[name] !== wanted[name]) throw new Error(differenceOf(name, key[name], wanted[name]));
  }
  const piece = ({ data_offsets: [begin, end] }: Entry) =>
    bytes.buffer.slice(header.end + begin, header.end + end);
  return {
    step: Number(step),
    host: fromExactJson(new TextDecoder().decode(piece(host as Entry))),
    buffers: Object.entries(rest).map(([name, entry]): SavedBuffer => {
      const [, place, label] = /^(\d+) (.*)$/s.exec(name)!;
      return { place: Number(place), label: label!, words: new Uint32Array(piece(entry as Entry)) };
    }),
  };
}

interface Entry {
  readonly data_offsets: readonly [begin: number, end: number];
}

interface Header {
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** Where the elements begin. */
  readonly end: number;
}

function headerIn(bytes: Uint8Array<ArrayBuffer>): Header {
  const damaged = () => new Error("it is damaged: it has no header, or ends within it");
  if (bytes.length < LENGTH_BYTES) throw damaged();
  const end = LENGTH_BYTES + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  if (end > bytes.length) throw damaged();
  const text = new TextDecoder().decode(bytes.subarray(LENGTH_BYTES, end));
  try {
    return { text, fields: JSON.parse(text), end };
  } catch {
    throw damaged();
  }
}

function nameOf({ place, label }: SavedBuffer): string {
  return `${place} ${label}`;
}

async function hashOf(pieces: readonly Uint8Array[]): Promise<string> {
  const hash = (await system.sha256())();
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
}

/** Deno is recorded by its version alone. */
function nameOfHost(version: string | undefined): string {
  return version !== undefined && !/^\d/.test(version) ? version : `Deno ${version}`;
}

function differenceOf(name: keyof CheckpointKey, found: string | undefined, wanted: string): string {
  switch (name) {
    case "run":
      return `it is of run ${found}`;
    case "code":
      return "it was made by another version of the harness's code";
    case "deno":
      return `it was made with ${nameOfHost(found)}, this is ${wanted}`;
    case "adapter":
      return `it was made on ${found}, this is ${wanted}`;
    case "tuning":
      return "it was made with other choices of kernels (./run autotune)";
  }
}
