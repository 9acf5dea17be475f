/**
 * @file What a safetensors file looks like.
 *
 * A file is 8 bytes of header length (little-endian), a JSON header and the elements of all tensors, row-major and
 * little-endian, without gaps. Source: https://github.com/huggingface/safetensors, README, section "Format".
 */
import { system } from "../../system/mod.ts";
import type { Shape } from "../../gpu/tensor.ts";
import type { StoredDType } from "./checkpoint.ts";

/** Bits of one element. */
export const BITS: Readonly<Record<StoredDType, number>> = {
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

/** Room for a hundred thousand tensors. The original allows six times as much, which takes gigabytes to read. */
export const LONGEST_HEADER = 2 ** 24;
/** Bytes of the header's length. */
export const LENGTH_BYTES = 8;

/** The key of the header that is no tensor's name. */
export const METADATA = "__metadata__";

/** Elements of a shape. */
export function countOf(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Whether a header may give this as a size or a place. */
export function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** Why a path cannot be read or written, in words for the user. */
export async function reasonOf(error: unknown, path: string): Promise<string> {
  const stat = await system.stat(path).catch(() => undefined);
  if (stat?.isDirectory) return "it is a folder";
  if (system.faultOf(error) === "missing") return "there is no such file or folder";
  return error instanceof Error ? error.message : String(error);
}
