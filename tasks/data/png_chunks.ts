/** @file What the chunks of a PNG say before anything is unpacked, so that a few bytes can't ask for gigabytes. */
import { PACKED_PIECE } from "./bytes.ts";

/** Bytes before the first chunk. */
const SIGNATURE = 8;
/** Samples of a pixel by colour type; those of a palette become red, green, blue and opacity. */
const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 4, 4: 2, 6: 4 };
/** Bytes that one byte of a deflate stream unpacks to at most. */
const DEFLATE_TIMES = 1032;

/** A PNG as its chunks tell it. */
interface PngChunks {
  /** Bytes of its samples, each of one byte or two. */
  readonly sampleBytes: number;
  /** Its pixels, packed. */
  readonly packed: readonly Uint8Array[];
  /** The file without colour profiles: they are packed too, and nothing here goes by them. */
  readonly withoutProfiles: Uint8Array;
}

/** Reads a PNG's chunks. Where the last is cut short, whoever decodes them will say so. */
function chunksOf(bytes: Uint8Array): PngChunks {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const packed: Uint8Array[] = [], kept = [bytes.subarray(0, SIGNATURE)];
  let sampleBytes = 0, hasProfile = false;
  for (let at = SIGNATURE, next; at + 8 <= bytes.length; at = next) {
    const length = view.getUint32(at), body = at + 8;
    const type = String.fromCharCode(...bytes.subarray(at + 4, body));
    next = body + length + 4;
    if (type === "IHDR" && length >= 10 && body + 10 <= bytes.length) {
      const width = view.getUint32(body), height = view.getUint32(body + 4);
      const samples = SAMPLES[bytes[body + 9]!] ?? 4, bytesEach = bytes[body + 8] === 16 ? 2 : 1;
      // A second one would count for the rest.
      sampleBytes = Math.max(sampleBytes, width * height * samples * bytesEach);
    }
    if (type === "IDAT") packed.push(bytes.subarray(body, body + length));
    if (type === "iCCP") hasProfile = true;
    else kept.push(bytes.subarray(at, next));
  }
  return { sampleBytes, packed, withoutProfiles: hasProfile ? joined(kept) : bytes };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * A PNG that is safe to decode: one that unpacks to no more than `most` bytes, without what isn't needed of it and would be
 * unpacked too. Null where it unpacks to more, whatever its header says.
 */
export async function boundedPng(bytes: Uint8Array, most: number): Promise<Uint8Array | null> {
  const { sampleBytes, packed, withoutProfiles } = chunksOf(bytes);
  if (sampleBytes > most) return null;
  const packedBytes = packed.reduce((sum, { length }) => sum + length, 0);
  // Most images can't reach the limit, and are not unpacked twice.
  const isBounded = DEFLATE_TIMES * packedBytes <= most || await unpacksWithin(packed, most);
  return isBounded ? withoutProfiles : null;
}

/** Whether a zlib stream unpacks to no more bytes than that. A broken one does: it ends where it breaks. */
async function unpacksWithin(packed: readonly Uint8Array[], most: number): Promise<boolean> {
  let length = 0;
  try {
    const pieces = ReadableStream.from(inPieces(packed)).pipeThrough(new DecompressionStream("deflate"));
    for await (const piece of pieces) {
      length += piece.length;
      if (length > most) return false;
    }
  } catch {
    // Said by whoever decodes it.
  }
  return true;
}

function* inPieces(packed: readonly Uint8Array[]): Generator<Uint8Array<ArrayBuffer>> {
  for (const part of packed) {
    for (let at = 0; at < part.length; at += PACKED_PIECE) yield part.slice(at, at + PACKED_PIECE);
  }
}
