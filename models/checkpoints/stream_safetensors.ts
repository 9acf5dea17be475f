/** @file Writes a safetensors file tensor by tensor, so that it may be larger than memory. */
import type { Shape } from "../../gpu/tensor.ts";
import { CheckpointError } from "./checkpoint.ts";
import { countOf, LENGTH_BYTES, LONGEST_HEADER, METADATA, reasonOf } from "./safetensors_format.ts";

/** Types of floating-point numbers that are written. */
export type WrittenDType = "F32" | "F16" | "BF16";

const BYTES: Readonly<Record<WrittenDType, number>> = { F32: 4, F16: 2, BF16: 2 };

/** A tensor whose elements come when they are written. */
export interface StreamedTensor {
  readonly name: string;
  /** Sizes of the axes, outermost first. */
  readonly shape: Shape;
  readonly dtype: WrittenDType;
  /** The elements, row-major; asked for once. */
  read(): Float32Array;
}

/** Elements that are converted at once: 4 MiB of 32-bit floats. */
const PIECE = 2 ** 20;

/**
 * Writes a safetensors file, whole or not at all. Beside one tensor's elements a few MiB are in memory.
 *
 * @throws {CheckpointError} where a tensor has another number of elements than its shape says, an element is out of F16's
 * range, and where the file cannot be written
 */
export async function streamSafetensors(
  path: string,
  tensors: readonly StreamedTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  // What is wider comes first, so that every tensor is aligned.
  const ordered = tensors.toSorted((a, b) => BYTES[b.dtype] - BYTES[a.dtype]);
  let end = 0;
  const entries = ordered.map(({ name, shape, dtype }) => {
    const begin = end;
    end += BYTES[dtype] * countOf(shape);
    return [name, { dtype, shape, data_offsets: [begin, end] }] as const;
  });
  const header = new TextEncoder().encode(
    JSON.stringify({
      ...Object.keys(metadata).length > 0 && { [METADATA]: metadata },
      ...Object.fromEntries(entries),
    }),
  );
  if (header.length > LONGEST_HEADER) {
    throw new CheckpointError(
      `Cannot write a header of ${header.length} bytes: at most ${LONGEST_HEADER} are allowed`,
    );
  }
  const padded = Math.ceil(header.length / 8) * 8;
  const start = new Uint8Array(LENGTH_BYTES + padded).fill(0x20, LENGTH_BYTES);
  new DataView(start.buffer).setBigUint64(0, BigInt(padded), true);
  start.set(header, LENGTH_BYTES);
  const unfinished = `${path}.unfinished`;
  try {
    {
      using file = await Deno.open(unfinished, { write: true, create: true, truncate: true });
      await writeAll(file, start);
      for (const { name, shape, dtype, read } of ordered) {
        const data = read();
        if (data.length !== countOf(shape)) {
          throw new CheckpointError(
            `Cannot write tensor "${name}" [${shape}]: it has ${data.length} elements`,
          );
        }
        for (let at = 0; at < data.length; at += PIECE) {
          await writeAll(file, encode(data.subarray(at, at + PIECE), dtype, `tensor "${name}" [${shape}]`));
        }
      }
    }
    await Deno.rename(unfinished, path);
  } catch (error) {
    await Deno.remove(unfinished).catch(() => {});
    if (error instanceof CheckpointError) throw error;
    throw new CheckpointError(`Cannot write checkpoint "${path}": ${await reasonOf(error, path)}`, {
      cause: error,
    });
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

function encode(data: Float32Array, dtype: WrittenDType, what: string): Uint8Array {
  switch (dtype) {
    case "F32":
      return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    case "F16": {
      const halves = new Float16Array(data);
      const lost = halves.findIndex((half, i) => !Number.isFinite(half) && Number.isFinite(data[i]));
      if (lost >= 0) {
        throw new CheckpointError(`Cannot write ${what}: ${data[lost]} is out of the range of F16, ±65504`);
      }
      return new Uint8Array(halves.buffer);
    }
    case "BF16": {
      const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
      // The upper half, rounded to the nearest, halves to even; what is no number stays none.
      const halves = Uint16Array.from(
        bits,
        (word, i) =>
          Number.isNaN(data[i]!) ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16,
      );
      return new Uint8Array(halves.buffer);
    }
  }
}
