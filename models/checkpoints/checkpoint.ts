/**
 * @file Safetensors in and out, on the host.
 *
 * A file is 8 bytes of header length (little-endian), a JSON header and the elements of all tensors, row-major and
 * little-endian, without gaps. Source: https://github.com/huggingface/safetensors, README, section "Format".
 */
import type { Shape } from "../../gpu/tensor.ts";
import { DEEPEST, depthOf, isFile } from "../../files/json_file.ts";
import { quote, show, showShape } from "../../errors/quote.ts";
import { UserError } from "../../errors/user_error.ts";

/** A checkpoint that cannot be read, lacks what is asked of it, or cannot be written: for the user to mend. */
export class CheckpointError extends UserError {
  /** Tells it apart in logs. */
  override readonly name = "CheckpointError";
}

/** Element type of a tensor in a file: every type that safetensors knows. */
export type StoredDType =
  | "BOOL"
  | "F4"
  | "F6_E2M3"
  | "F6_E3M2"
  | "U8"
  | "I8"
  | "F8_E5M2"
  | "F8_E4M3"
  | "F8_E8M0"
  | "I16"
  | "U16"
  | "F16"
  | "BF16"
  | "I32"
  | "U32"
  | "F32"
  | "C64"
  | "F64"
  | "I64"
  | "U64";

/** Bits of one element. */
const BITS: Readonly<Record<StoredDType, number>> = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
};

/** A tensor of a checkpoint. */
export interface CheckpointTensor {
  /** Sizes of the axes, outermost first. */
  readonly shape: Shape;
  /** The type in the file. */
  readonly dtype: StoredDType;
  /**
   * The elements, row-major; of a file in memory converted on first use and the same array each time, of an opened one
   * (`openSafetensors`) read anew each time. Exact for F32, F16, BF16, BOOL and integers of up to 16 bits; F64 is
   * rounded to the nearest.
   *
   * @throws {CheckpointError} where a wider integer is not exact in 32-bit floating point, and for complex numbers
   * and floating-point types of fewer than 16 bits
   */
  readonly data: Float32Array<ArrayBuffer>;
}

/** A safetensors file. */
export interface Checkpoint {
  /** For error messages: the file's path. */
  readonly name: string;
  /** Texts that the writer added; Hugging Face's say `format: "pt"`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** By name, in the order of their elements in the file. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
}

/** A tensor to be written. */
export interface WritableTensor {
  /** Sizes of the axes, outermost first. */
  readonly shape: Shape;
  /** The elements, row-major. */
  readonly data: Float32Array;
  /** The type in the file, by default F32. F16 rounds to the nearest, halves to even. */
  readonly dtype?: "F32" | "F16";
}

/** Room for a hundred thousand tensors. The original allows six times as much, which takes gigabytes to read. */
const LONGEST_HEADER = 2 ** 24;
const LENGTH_BYTES = 8;

/** Reads a safetensors file. @throws {CheckpointError} where it cannot be read or is not a sound safetensors file */
export async function readSafetensors(path: string): Promise<Checkpoint> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    await requireFile(path);
    bytes = await Deno.readFile(path);
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
async function requireFile(path: string): Promise<void> {
  if (!await isFile(path)) throw new Deno.errors.NotFound();
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

/** What the head of a file says: where the elements begin, and where among them those of each tensor lie, in order. */
interface Header {
  readonly start: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly entries: readonly Entry[];
}

/**
 * @param bytes the file from its beginning, at least to its header's end where the length is right
 * @param size the file's bytes, all in all
 */
function parseHeader(bytes: Uint8Array, size: number, name: string): Header {
  const refuse = (reason: string) => new CheckpointError(`Cannot read checkpoint "${name}": ${reason}`);
  const foreign = (reason: string) => {
    const format = foreignFormat(bytes);
    return refuse(format === undefined ? reason : `it is no safetensors file, it looks like ${format}`);
  };

  if (size === 0) throw refuse("the file is empty");
  if (size < LENGTH_BYTES) {
    throw foreign(`it ends after ${size} bytes, within the header's length`);
  }
  const length = headerLength(bytes);
  if (length > LONGEST_HEADER) {
    throw foreign(`its header claims ${length} bytes, at most ${LONGEST_HEADER} are allowed`);
  }
  const start = LENGTH_BYTES + Number(length);
  if (start > size) {
    throw foreign(`its header claims ${length} bytes, but only ${size - LENGTH_BYTES} follow`);
  }

  const text = decodeHeader(bytes.subarray(LENGTH_BYTES, start));
  if (text === undefined) throw foreign("its header is not JSON text in UTF-8 that begins with {");
  if (depthOf(text) > DEEPEST) throw foreign(`its header is nested more than ${DEEPEST} levels deep`);
  const header = parseJson(text);
  if (!isRecord(header)) throw foreign("its header is not valid JSON");

  const { __metadata__: metadata = {}, ...described } = header;
  if (!isTextRecord(metadata)) throw refuse("its __metadata__ holds something other than texts");
  const dataBytes = size - start;
  const entries = Object.entries(described)
    .map(([tensor, entry]) => readEntry(tensor, entry, dataBytes, refuse))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  // After the entries, whose errors say more, and before their places, which a key given twice puts in doubt.
  const flaw = flawOfJson(text);
  if (flaw !== undefined) throw refuse(`its header ${flaw}`);

  let expected = 0;
  for (const { tensor, begin, end } of entries) {
    if (begin < expected) {
      throw refuse(`the data of tensor ${quote(tensor)} overlaps that of the tensor before it`);
    }
    if (begin > expected) {
      throw refuse(`${begin - expected} bytes before tensor ${quote(tensor)} belong to no tensor`);
    }
    expected = end;
  }
  if (expected !== dataBytes) throw refuse(`its last ${dataBytes - expected} bytes belong to no tensor`);
  return { start, metadata, entries };
}

/**
 * The elements of a tensor that must be there with a shape.
 *
 * @throws {CheckpointError} where the tensor is missing, with names like it, or has another shape
 */
export function take(checkpoint: Checkpoint, name: string, shape: Shape): Float32Array<ArrayBuffer> {
  return findTensor(checkpoint, name, shape).data;
}

/**
 * A tensor that must be there with a shape, of which nothing is read.
 *
 * @throws {CheckpointError} as `take` does
 */
export function findTensor(checkpoint: Checkpoint, name: string, shape: Shape): CheckpointTensor {
  const tensor = checkpoint.tensors.get(name);
  const wanted = `Cannot take ${nameTaken(checkpoint, name, shape)}`;
  if (tensor === undefined) {
    const near = nearNames(name, [...checkpoint.tensors.keys()]).map(quote);
    throw new CheckpointError(
      `${wanted}: there is none of that name${
        near.length === 0 ? "" : `, the nearest are ${near.join(", ")}`
      }`,
    );
  }
  if (tensor.shape.length !== shape.length || tensor.shape.some((size, axis) => size !== shape[axis])) {
    throw new CheckpointError(`${wanted}: there it has the shape ${showShape(tensor.shape)}`);
  }
  return tensor;
}

/** For errors: what is taken from where. */
function nameTaken(checkpoint: Checkpoint, name: string, shape: Shape): string {
  return `tensor ${quote(name)} ${showShape(shape)} from "${checkpoint.name}"`;
}

/** Types whose elements are weights as they stand: others are packed, and mean something only with a scale. */
const WEIGHTS: readonly StoredDType[] = ["F16", "BF16", "F32", "F64"];

/**
 * A tensor of weights that must be there with a shape, of which nothing is read.
 *
 * @throws {CheckpointError} as `take` does, and where its elements are no floating-point numbers of 16 bits or more
 */
export function findWeights(checkpoint: Checkpoint, name: string, shape: Shape): CheckpointTensor {
  const tensor = findTensor(checkpoint, name, shape);
  if (WEIGHTS.includes(tensor.dtype)) return tensor;
  throw new CheckpointError(
    `Cannot take ${nameTaken(checkpoint, name, shape)}: its elements are ${tensor.dtype}, one of ${
      WEIGHTS.join(", ")
    } is needed`,
  );
}

/**
 * The elements of a tensor of weights that must be there with a shape.
 *
 * @throws {CheckpointError} as `findWeights` does, and where an element is NaN or infinite in 32 bits
 */
export function takeWeights(checkpoint: Checkpoint, name: string, shape: Shape): Float32Array<ArrayBuffer> {
  const { data } = findWeights(checkpoint, name, shape);
  for (let i = 0; i < data.length; i++) {
    if (Number.isFinite(data[i])) continue;
    throw new CheckpointError(
      `Cannot take ${nameTaken(checkpoint, name, shape)}: element ${i} is ${
        data[i]
      }, a finite number is needed`,
    );
  }
  return data;
}

/**
 * Writes a safetensors file, whole or not at all. The same tensors and metadata give the same bytes.
 *
 * @throws {CheckpointError} as `encodeSafetensors` does, and where the file cannot be written
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, WritableTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const bytes = encodeSafetensors(tensors, metadata);
  const unfinished = `${path}.unfinished`;
  try {
    await Deno.writeFile(unfinished, bytes);
    await Deno.rename(unfinished, path);
  } catch (error) {
    await Deno.remove(unfinished).catch(() => {});
    throw new CheckpointError(`Cannot write checkpoint "${path}": ${await reasonOf(error, path)}`, {
      cause: error,
    });
  }
}

/**
 * The bytes of a safetensors file: F32 tensors first, so that all are aligned, else in the given order.
 *
 * @throws {CheckpointError} where a shape doesn't fit its data, a value is out of F16's range or a name is reserved
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, WritableTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const encoded = [...tensors].map(([name, { shape, data, dtype = "F32" }]) => {
    const refuse = (reason: string) =>
      new CheckpointError(`Cannot write tensor "${name}" [${shape}]: ${reason}`);
    if (name === METADATA) throw refuse("the name is reserved");
    if (!shape.every(isSize)) throw refuse("sizes must be whole numbers from 0");
    if (data.length !== countOf(shape)) throw refuse(`it has ${data.length} elements`);
    const elements = dtype === "F16" ? toFloat16(data, refuse) : new Float32Array(data);
    return { name, shape, dtype, bytes: new Uint8Array(elements.buffer) };
  });
  const ordered = [
    ...encoded.filter(({ dtype }) => dtype === "F32"),
    ...encoded.filter(({ dtype }) => dtype === "F16"),
  ];

  let end = 0;
  const entries = ordered.map(({ name, shape, dtype, bytes }) => {
    const begin = end;
    end += bytes.length;
    return [name, { dtype, shape, data_offsets: [begin, end] }];
  });
  const described = Object.keys(metadata).length === 0 ? [] : [[METADATA, metadata]];
  const header = new TextEncoder().encode(JSON.stringify(Object.fromEntries([...described, ...entries])));
  if (header.length > LONGEST_HEADER) {
    throw new CheckpointError(
      `Cannot write a header of ${header.length} bytes: at most ${LONGEST_HEADER} are allowed`,
    );
  }

  const padded = Math.ceil(header.length / 8) * 8;
  const file = new Uint8Array(LENGTH_BYTES + padded + end).fill(SPACE, LENGTH_BYTES, LENGTH_BYTES + padded);
  new DataView(file.buffer).setBigUint64(0, BigInt(padded), true);
  file.set(header, LENGTH_BYTES);
  let offset = LENGTH_BYTES + padded;
  for (const { bytes } of ordered) {
    file.set(bytes, offset);
    offset += bytes.length;
  }
  return file;
}

const METADATA = "__metadata__";
const SPACE = 0x20;

interface Entry {
  readonly tensor: string;
  readonly shape: Shape;
  readonly dtype: StoredDType;
  /** Where the tensor's bytes lie among all tensors' bytes. */
  readonly begin: number;
  readonly end: number;
}

function readEntry(
  tensor: string,
  entry: unknown,
  dataBytes: number,
  refuseFile: (reason: string) => CheckpointError,
): Entry {
  const refuse = (reason: string) => refuseFile(`tensor ${quote(tensor)} ${reason}`);
  if (!isRecord(entry)) throw refuse("is not described by an object");
  const { dtype, shape, data_offsets: offsets, ...others } = entry;
  const [other] = Object.keys(others);
  if (other !== undefined) throw refuse(`has a field ${quote(other)} that safetensors does not know`);
  if (!isStoredDType(dtype)) {
    throw refuse(`has the type ${show(dtype)}, known are ${Object.keys(BITS).join(", ")}`);
  }
  if (!Array.isArray(shape) || !shape.every(isSize)) {
    throw refuse(`has the shape ${show(shape)}, a list of whole numbers from 0 is needed`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw refuse(`has the data offsets ${show(offsets)}, two whole numbers from 0 are needed`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataBytes) {
    throw refuse(`has data from byte ${begin} to ${end}, but the file has ${dataBytes} bytes of data`);
  }
  const wanted = countOf(shape) * BITS[dtype] / 8;
  if (end - begin !== wanted) {
    throw refuse(`has ${end - begin} bytes of data, but ${dtype} ${showShape(shape)} takes ${wanted}`);
  }
  return { tensor, shape, dtype, begin, end };
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

function toFloat16(
  data: Float32Array,
  refuse: (reason: string) => CheckpointError,
): Float16Array<ArrayBuffer> {
  const halves = new Float16Array(data);
  const lost = halves.findIndex((half, i) => !Number.isFinite(half) && Number.isFinite(data[i]));
  if (lost >= 0) throw refuse(`element ${lost} is ${data[lost]}, out of the range of F16, ±65504`);
  return halves;
}

function countOf(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isTextRecord(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every((text) => typeof text === "string");
}

function isStoredDType(value: unknown): value is StoredDType {
  return typeof value === "string" && Object.hasOwn(BITS, value);
}

/** The header as text, or undefined where it is not UTF-8 or doesn't begin with {, as the format wants. */
function decodeHeader(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.startsWith("{") ? text : undefined;
  } catch {
    return undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * What `JSON.parse` accepts though safetensors doesn't: a key given twice, of which it would keep the last, and numbers
 * that are not written in plain digits. `json` must be valid JSON.
 */
function flawOfJson(json: string): string | undefined {
  const keys: Set<string>[] = [];
  for (let i = 0; i < json.length; i++) {
    const character = json.charAt(i);
    if (character === "{") {
      keys.push(new Set());
    } else if (character === "}") {
      keys.pop();
    } else if (character === '"') {
      const from = i;
      for (i++; json.charAt(i) !== '"'; i++) if (json.charAt(i) === "\\") i++;
      COLON.lastIndex = i + 1;
      if (!COLON.test(json)) continue;
      const key: unknown = JSON.parse(json.slice(from, i + 1));
      const siblings = keys.at(-1);
      if (typeof key !== "string" || siblings === undefined) continue;
      if (siblings.has(key)) return `has the key ${quote(key)} twice`;
      siblings.add(key);
    } else if (/[-\d]/.test(character)) {
      NUMBER.lastIndex = i;
      const [number = ""] = NUMBER.exec(json) ?? [];
      if (!/^\d+$/.test(number)) {
        return `has the number ${number}, whole numbers from 0 in plain digits are needed`;
      }
      i += number.length - 1;
    }
  }
  return undefined;
}

const COLON = /\s*:/y;
const NUMBER = /[-+.\deE]+/y;

/** First bytes of what people take for a checkpoint. */
const FOREIGN: readonly (readonly [start: string, format: string])[] = [
  ["\x89PNG", "a PNG image"],
  ["\xff\xd8\xff", "a JPEG image"],
  ["GIF8", "a GIF image"],
  ["%PDF", "a PDF document"],
  ["PK\x03\x04", "a zip archive, as torch.save writes (.bin, .pt) and NumPy's .npz are"],
  ["\x93NUMPY", "a NumPy array (.npy)"],
  ["\x89HDF", "an HDF5 file, as Keras writes"],
  ["GGUF", "a GGUF file, as llama.cpp uses"],
  ["\x1f\x8b\x08", "a gzip archive"],
  ["\x80\x02", "a Python pickle, as torch.save wrote before 2020 (.bin, .pt)"],
  ["\x80\x03", "a Python pickle"],
  ["\x80\x04\x95", "a Python pickle"],
  ["\x80\x05\x95", "a Python pickle"],
  ["version https://git-lfs", "a Git LFS pointer: the file itself was not fetched"],
  ["<", "an HTML or XML page"],
  ["{", "JSON text: the tensors lie in another file"],
  ["[", "JSON text: the tensors lie in another file"],
];

function foreignFormat(bytes: Uint8Array): string | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, 32));
  const match = FOREIGN.find(([magic]) => start.startsWith(magic));
  // Read as a header's length, one or two of these bytes may well begin a safetensors file that is broken elsewhere.
  const isLength = bytes.length >= LENGTH_BYTES && headerLength(bytes) <= LONGEST_HEADER;
  return match === undefined || (isLength && match[0].length < 3) ? undefined : match[1];
}

function headerLength(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
}

/** Why a path cannot be read or written, in words for the user. */
async function reasonOf(error: unknown, path: string): Promise<string> {
  const stat = await Deno.stat(path).catch(() => undefined);
  if (stat?.isDirectory) return "it is a folder";
  if (error instanceof Deno.errors.NotFound) return "there is no such file or folder";
  return error instanceof Error ? error.message : String(error);
}

/** Names that are compared with the one that is missing: to look through more takes longer than it helps. */
const COMPARED = 10_000;

/** The three names that take the fewest changes to become `name`, among names that share something with it. */
function nearNames(name: string, names: readonly string[]): string[] {
  return names
    .filter(({ length }) => length <= 2 * name.length)
    .slice(0, COMPARED)
    .map((other) => ({ other, distance: editDistance(name, other) }))
    .filter(({ other, distance }) => distance < Math.max(name.length, other.length))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ other }) => other);
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
