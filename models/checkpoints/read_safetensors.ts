/** @file Reads safetensors files: whole, or tensor by tensor as they are asked for. */
import { quote } from "../../errors/quote.ts";
import { isFile } from "../../files/json_file.ts";
import { Missing, system } from "../../system/mod.ts";
import type { Shape } from "../../gpu/tensor.ts";
import { type Checkpoint, CheckpointError, type CheckpointTensor, type StoredDType } from "./checkpoint.ts";
import { LENGTH_BYTES, LONGEST_HEADER, reasonOf } from "./safetensors_format.ts";
import { headerLength, parseHeader } from "./safetensors_header.ts";

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
    const { size } = await file.stat();
    const length = size < LENGTH_BYTES ? 0n : headerLength(await readAt(file, 0, LENGTH_BYTES));
    // Where the length can't be right, the first bytes tell what the file is instead.
    const fits = length <= LONGEST_HEADER && LENGTH_BYTES + Number(length) <= size;
    const head = await readAt(file, 0, Math.min(size, LENGTH_BYTES + (fits ? Number(length) : 64)));
    const { start, metadata, entries } = parseHeader(head, size, path);
    const tensors = new Map(entries.map(({ tensor, shape, dtype, begin, end }) => {
      const convert = () =>
        toFloat32(readStretch(path, start + begin, end - begin), dtype, nameTensor(tensor, path));
      return [tensor, {
        shape,
        dtype,
        get data() {
          return convert();
        },
      }];
    }));
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
function readStretch(path: string, at: number, count: number): ArrayBuffer {
  const bytes = new Uint8Array(count);
  try {
    using file = Deno.openSync(path);
    file.seekSync(at, Deno.SeekMode.Start);
    for (let read = 0; read < count;) {
      const more = file.readSync(bytes.subarray(read));
      if (more === null) throw new Error(`it now ends after ${at + read} bytes`);
      read += more;
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CheckpointError(`Cannot read checkpoint "${path}": ${reason}`, { cause: error });
  }
  return bytes.buffer;
}

/**
 * Reads a safetensors file's bytes, which must not change while the checkpoint is in use: tensors are converted on
 * first use. `name` shows up in errors.
 *
 * @throws {CheckpointError} where the bytes are not a sound safetensors file
 */
export function parseSafetensors(bytes: Uint8Array, name: string): Checkpoint {
  const { start, metadata, entries } = parseHeader(bytes, bytes.length, name);
  const tensors = new Map(entries.map(({ tensor, shape, dtype, begin, end }) => {
    const convert = () => {
      const own = new Uint8Array(bytes.subarray(start + begin, start + end));
      return toFloat32(own.buffer, dtype, nameTensor(tensor, name));
    };
    return [tensor, lazyTensor(shape, dtype, convert)];
  }));
  return { name, metadata, tensors };
}

function nameTensor(tensor: string, checkpoint: string): string {
  return `tensor ${quote(tensor)} of "${checkpoint}"`;
}

function lazyTensor(
  shape: Shape,
  dtype: StoredDType,
  convert: () => Float32Array<ArrayBuffer>,
): CheckpointTensor {
  let data: Float32Array<ArrayBuffer> | undefined;
  return {
    shape,
    dtype,
    get data() {
      return data ??= convert();
    },
  };
}

/** Every machine that Deno runs on is little-endian, like the file, so typed arrays read it as it is. */
function toFloat32(buffer: ArrayBuffer, dtype: StoredDType, what: string): Float32Array<ArrayBuffer> {
  switch (dtype) {
    case "F32":
      return new Float32Array(buffer);
    case "F16":
      return new Float32Array(new Float16Array(buffer));
    case "BF16":
      return fromBfloat16(new Uint16Array(buffer));
    case "F64":
      return new Float32Array(new Float64Array(buffer));
    case "BOOL":
    case "U8":
      return new Float32Array(new Uint8Array(buffer));
    case "I8":
      return new Float32Array(new Int8Array(buffer));
    case "I16":
      return new Float32Array(new Int16Array(buffer));
    case "U16":
      return new Float32Array(new Uint16Array(buffer));
    case "I32":
      return exact(new Int32Array(buffer), what);
    case "U32":
      return exact(new Uint32Array(buffer), what);
    case "I64":
      return exact(new BigInt64Array(buffer), what);
    case "U64":
      return exact(new BigUint64Array(buffer), what);
    default:
      throw new CheckpointError(`Cannot convert ${what}: its type ${dtype} is not supported`);
  }
}

/** bfloat16 is the upper half of a 32-bit float. */
function fromBfloat16(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
  return new Float32Array(bits.buffer);
}

function exact(integers: ArrayLike<number | bigint>, what: string): Float32Array<ArrayBuffer> {
  const floats = new Float32Array(integers.length);
  for (let i = 0; i < integers.length; i++) {
    const integer = integers[i]!;
    floats[i] = Number(integer);
    if (BigInt(floats[i]!) !== BigInt(integer)) {
      throw new CheckpointError(
        `Cannot convert ${what}: element ${i} is ${integer}, which 32-bit floating point lacks`,
      );
    }
  }
  return floats;
}
