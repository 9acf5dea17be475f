/** @file Writes safetensors files: the same tensors and metadata give the same bytes. */
import type { Shape } from "../../gpu/tensor.ts";
import { CheckpointError } from "./checkpoint.ts";
import { countOf, isSize, LENGTH_BYTES, LONGEST_HEADER, METADATA, reasonOf } from "./safetensors_format.ts";

/** A tensor to be written. */
export interface WritableTensor {
  /** Sizes of the axes, outermost first. */
  readonly shape: Shape;
  /** The elements, row-major. */
  readonly data: Float32Array;
  /** The type in the file, by default F32. F16 rounds to the nearest, halves to even. */
  readonly dtype?: "F32" | "F16";
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
    const validate = (reason: string) =>
      new CheckpointError(`Cannot write tensor "${name}" [${shape}]: ${reason}`);
    if (name === METADATA) throw validate("the name is reserved");
    if (!shape.every(isSize)) throw validate("sizes must be whole numbers from 0");
    if (data.length !== countOf(shape)) throw validate(`it has ${data.length} elements`);
    const elements = dtype === "F16" ? toFloat16(data, validate) : new Float32Array(data);
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

  // Padded with spaces.
  const padded = Math.ceil(header.length / 8) * 8;
  const file = new Uint8Array(LENGTH_BYTES + padded + end).fill(0x20, LENGTH_BYTES, LENGTH_BYTES + padded);
  new DataView(file.buffer).setBigUint64(0, BigInt(padded), true);
  file.set(header, LENGTH_BYTES);
  let offset = LENGTH_BYTES + padded;
  for (const { bytes } of ordered) {
    file.set(bytes, offset);
    offset += bytes.length;
  }
  return file;
}

function toFloat16(
  data: Float32Array,
  validate: (reason: string) => CheckpointError,
): Float16Array<ArrayBuffer> {
  const halves = new Float16Array(data);
  const lost = halves.findIndex((half, i) => !Number.isFinite(half) && Number.isFinite(data[i]));
  if (lost >= 0) throw validate(`element ${lost} is ${data[lost]}, out of the range of F16, ±65504`);
  return halves;
}
