/** @file Reads safetensors files: whole, or tensor by tensor as they are asked for. */
import { quote } from "../../errors/quote.ts";
import { isFile } from "../../files/json_file.ts";
import { Missing, system } from "../../system/mod.ts";
import { type Checkpoint, CheckpointError, type CheckpointTensor, type StoredDType } from "./checkpoint.ts";
import { BITS, LENGTH_BYTES, LONGEST_HEADER, reasonOf } from "./safetensors_format.ts";
import { type Entry, headerLength, parseHeader } from "./safetensors_header.ts";

/** Reads a safetensors file. @throws {CheckpointError} where it cannot be read or is not a sound safetensors file */
export async function readSafetensors(file: string | URL): Promise<Checkpoint> {
  const path = typeof file === "string" ? file : decodeURIComponent(file.pathname);
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    await requireFile(file);
    bytes = await system.readFile(file);
  } catch (error) {
    throw new CheckpointError(`Cannot read checkpoint "${path}": ${await reasonOf(error, path)}`, {
      cause: error,
    });
  }
  return parseSafetensors(bytes, path);
}

/**
 * Reads a safetensors file's header alone. Elements are read and converted whenever they are asked for and not kept, so a
 * checkpoint may be larger than memory; the file must stay as it is while they are in use.
 *
 * @throws {CheckpointError} where the file cannot be read or is not a sound safetensors file
 */
export async function openSafetensors(path: string): Promise<Checkpoint> {
  try {
    await requireFile(path);
    using file = await Deno.open(path);
    // Not by `stat`: Deno asks there for leave to read where a link leads, which it asks nowhere else.
    const size = await file.seek(0, Deno.SeekMode.End);
    const length = size < LENGTH_BYTES ? 0n : headerLength(await readAt(file, 0, LENGTH_BYTES));
    // Where the length can't be right, the first bytes tell what the file is instead.
    const fits = length <= LONGEST_HEADER && LENGTH_BYTES + Number(length) <= size;
    const head = await readAt(file, 0, Math.min(size, LENGTH_BYTES + (fits ? Number(length) : 64)));
    const { start, metadata, entries } = parseHeader(head, size, path);
    const tensors = new Map(entries.map((entry) =>
      [
        entry.tensor,
        tensorOf(entry, path, (at, bytes) => readStretch(path, start + entry.begin + at, bytes)),
      ] as const
    ));
    return { name: path, metadata, tensors };
  } catch (error) {
    if (error instanceof CheckpointError) throw error;
    throw new CheckpointError(`Cannot read checkpoint "${path}": ${await reasonOf(error, path)}`, {
      cause: error,
    });
  }
}

/** Before it is opened: a pipe would be waited for. */
async function requireFile(path: string | URL): Promise<void> {
  if (!await isFile(path)) throw new Missing();
}

/** Bytes of a file from `at` on. */
async function readAt(file: Deno.FsFile, at: number, count: number): Promise<Uint8Array<ArrayBuffer>> {
  await file.seek(at, Deno.SeekMode.Start);
  const bytes = new Uint8Array(count);
  for (let read = 0; read < count;) {
    const more = await file.read(bytes.subarray(read));
    if (more === null) throw new Error(`it ends after ${at + read} bytes`);
    read += more;
  }
  return bytes;
}

/** The same at once, for sources of weights, which do not wait. @throws {CheckpointError} where the file changed */
function readStretch(path: string, at: number, bytes: Uint8Array): void {
  try {
    using file = Deno.openSync(path);
    file.seekSync(at, Deno.SeekMode.Start);
    for (let read = 0; read < bytes.length;) {
      const more = file.readSync(bytes.subarray(read));
      if (more === null) throw new Error(`it now ends after ${at + read} bytes`);
      read += more;
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CheckpointError(`Cannot read checkpoint "${path}": ${reason}`, { cause: error });
  }
}

/**
 * Reads a safetensors file's bytes, which must not change while the checkpoint is in use: tensors are converted whenever they
 * are asked for. `name` shows up in errors.
 *
 * @throws {CheckpointError} where the bytes are not a sound safetensors file
 */
export function parseSafetensors(bytes: Uint8Array, name: string): Checkpoint {
  const { start, metadata, entries } = parseHeader(bytes, bytes.length, name);
  const tensors = new Map(entries.map((entry) => {
    const copy = (at: number, into: Uint8Array) => {
      const first = start + entry.begin + at;
      into.set(bytes.subarray(first, first + into.length));
    };
    return [entry.tensor, tensorOf(entry, name, copy)] as const;
  }));
  return { name, metadata, tensors };
}

/** Fills `bytes` with those of a tensor from `at` on. */
type Read = (at: number, bytes: Uint8Array) => void;

function tensorOf(
  { tensor, shape, dtype, begin, end }: Entry,
  checkpoint: string,
  read: Read,
): CheckpointTensor {
  return {
    shape,
    dtype,
    get data() {
      return toFloat32(dtype, end - begin, read, `tensor ${quote(tensor)} of "${checkpoint}"`);
    },
  };
}

/** Bytes that are converted at once: 4 MiB. */
const PIECE = 2 ** 22;

/**
 * Elements of so many bytes. Beside them a piece is in memory. Every machine that Deno runs on is little-endian, like the file, so
 * typed arrays read it as it is.
 */
function toFloat32(dtype: StoredDType, size: number, read: Read, what: string): Float32Array<ArrayBuffer> {
  if (dtype === "F32") {
    const out = new Float32Array(size / 4);
    read(0, new Uint8Array(out.buffer));
    return out;
  }
  const convert = CONVERTERS[dtype];
  if (!convert) throw new CheckpointError(`Cannot convert ${what}: its type ${dtype} is not supported`);
  const width = BITS[dtype] / 8, out = new Float32Array(size / width);
  const piece = new Uint8Array(Math.min(PIECE, size));
  for (let at = 0; at < size; at += PIECE) {
    const bytes = piece.subarray(0, size - at);
    read(at, bytes);
    const first = at / width, count = bytes.length / width;
    convert(piece.buffer, out.subarray(first, first + count), { what, first });
  }
  piece.buffer.transfer(0);
  return out;
}

/** Where elements are, for errors: those of which tensor, and how many come before them there. */
interface Place {
  readonly what: string;
  readonly first: number;
}

/** By type: fills `out` with the first elements of `piece`. */
const CONVERTERS: {
  readonly [D in StoredDType]?: (piece: ArrayBuffer, out: Float32Array, place: Place) => void;
} = {
  F16: (piece, out) => out.set(new Float16Array(piece, 0, out.length)),
  BF16: (piece, out) => setBfloat16(new Uint16Array(piece, 0, out.length), out),
  F64: (piece, out) => out.set(new Float64Array(piece, 0, out.length)),
  BOOL: (piece, out) => out.set(new Uint8Array(piece, 0, out.length)),
  U8: (piece, out) => out.set(new Uint8Array(piece, 0, out.length)),
  I8: (piece, out) => out.set(new Int8Array(piece, 0, out.length)),
  I16: (piece, out) => out.set(new Int16Array(piece, 0, out.length)),
  U16: (piece, out) => out.set(new Uint16Array(piece, 0, out.length)),
  I32: (piece, out, place) => setExact(new Int32Array(piece, 0, out.length), out, place),
  U32: (piece, out, place) => setExact(new Uint32Array(piece, 0, out.length), out, place),
  I64: (piece, out, place) => setExact(new BigInt64Array(piece, 0, out.length), out, place),
  U64: (piece, out, place) => setExact(new BigUint64Array(piece, 0, out.length), out, place),
};

/** bfloat16 is the upper half of a 32-bit float. */
function setBfloat16(halves: Uint16Array, out: Float32Array): void {
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
}

function setExact(integers: ArrayLike<number | bigint>, out: Float32Array, { what, first }: Place): void {
  for (let i = 0; i < integers.length; i++) {
    const integer = integers[i]!;
    out[i] = Number(integer);
    if (BigInt(out[i]!) !== BigInt(integer)) {
      throw new CheckpointError(
        `Cannot convert ${what}: element ${first + i} is ${integer}, which 32-bit floating point lacks`,
      );
    }
  }
}
