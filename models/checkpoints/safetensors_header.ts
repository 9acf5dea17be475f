/** @file Reads the header of a safetensors file: which tensors it has and where they lie; refuses what is no such file. */
import { quote, show, showShape } from "../../errors/quote.ts";
import { DEEPEST, depthOf } from "../../files/json_file.ts";
import type { Shape } from "../../gpu/tensor.ts";
import { CheckpointError, type StoredDType } from "./checkpoint.ts";
import { BITS, countOf, isSize, LENGTH_BYTES, LONGEST_HEADER, METADATA } from "./safetensors_format.ts";

/** What the head of a file says: where the elements begin, and where among them those of each tensor lie, in order. */
interface Header {
  readonly start: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly entries: readonly Entry[];
}

/** A tensor, as the header tells of it. */
export interface Entry {
  readonly tensor: string;
  readonly shape: Shape;
  readonly dtype: StoredDType;
  /** Where the tensor's bytes lie among all tensors' bytes. */
  readonly begin: number;
  readonly end: number;
}

/**
 * What a header says.
 *
 * @param bytes the file from its beginning, at least to its header's end where the length is right
 * @param size the file's bytes, all in all
 * @throws {CheckpointError} where the file is no sound safetensors file
 */
export function parseHeader(bytes: Uint8Array, size: number, name: string): Header {
  const validate = (reason: string) => new CheckpointError(`Cannot read checkpoint "${name}": ${reason}`);
  const foreign = (reason: string) => {
    const format = foreignFormat(bytes);
    return validate(format === undefined ? reason : `it is no safetensors file, it looks like ${format}`);
  };

  if (size === 0) throw validate("the file is empty");
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

  const { [METADATA]: metadata = {}, ...described } = header;
  if (!isTextRecord(metadata)) throw validate("its __metadata__ holds something other than texts");
  const dataBytes = size - start;
  const entries = Object.entries(described)
    .map(([tensor, entry]) => readEntry(tensor, entry, dataBytes, validate))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  // After the entries, whose errors say more, and before their places, which a key given twice puts in doubt.
  const flaw = flawOfJson(text);
  if (flaw !== undefined) throw validate(`its header ${flaw}`);

  let expected = 0;
  for (const { tensor, begin, end } of entries) {
    if (begin < expected) {
      throw validate(`the data of tensor ${quote(tensor)} overlaps that of the tensor before it`);
    }
    if (begin > expected) {
      throw validate(`${begin - expected} bytes before tensor ${quote(tensor)} belong to no tensor`);
    }
    expected = end;
  }
  if (expected !== dataBytes) throw validate(`its last ${dataBytes - expected} bytes belong to no tensor`);
  return { start, metadata, entries };
}

function readEntry(
  tensor: string,
  entry: unknown,
  dataBytes: number,
  validateFile: (reason: string) => CheckpointError,
): Entry {
  const validate = (reason: string) => validateFile(`tensor ${quote(tensor)} ${reason}`);
  if (!isRecord(entry)) throw validate("is not described by an object");
  const { dtype, shape, data_offsets: offsets, ...others } = entry;
  const [other] = Object.keys(others);
  if (other !== undefined) throw validate(`has a field ${quote(other)} that safetensors does not know`);
  if (!isStoredDType(dtype)) {
    throw validate(`has the type ${show(dtype)}, known are ${Object.keys(BITS).join(", ")}`);
  }
  if (!Array.isArray(shape) || !shape.every(isSize)) {
    throw validate(`has the shape ${show(shape)}, a list of whole numbers from 0 is needed`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw validate(`has the data offsets ${show(offsets)}, two whole numbers from 0 are needed`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataBytes) {
    throw validate(`has data from byte ${begin} to ${end}, but the file has ${dataBytes} bytes of data`);
  }
  const wanted = countOf(shape) * BITS[dtype] / 8;
  if (end - begin !== wanted) {
    throw validate(`has ${end - begin} bytes of data, but ${dtype} ${showShape(shape)} takes ${wanted}`);
  }
  return { tensor, shape, dtype, begin, end };
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

/** The header's length, of a file's first bytes. */
export function headerLength(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
}
