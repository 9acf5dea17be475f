/** @file Checkpoints: tensors by name, and how a model takes them from there. */
import { editDistance } from "../../errors/edit_distance.ts";
import { quote, showShape } from "../../errors/quote.ts";
import { UserError } from "../../errors/user_error.ts";
import type { Shape } from "../../gpu/tensor.ts";

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

/** A tensor of a checkpoint. */
export interface CheckpointTensor {
  /** Sizes of the axes, outermost first. */
  readonly shape: Shape;
  /** The type in the file. */
  readonly dtype: StoredDType;
  /**
   * The elements, row-major: each time a new array, which is the caller's own. Exact for F32, F16, BF16, BOOL and integers of
   * up to 16 bits; F64 is rounded to the nearest.
   *
   * @throws {CheckpointError} where a wider integer is not exact in 32-bit floating point, and for complex numbers
   * and floating-point types of fewer than 16 bits
   */
  readonly data: Float32Array<ArrayBuffer>;
}

/**
 * Gives back the memory of elements that nobody needs any more. The garbage collector would do so later, when those of a
 * gigabyte of tensors have come together.
 */
export function release(elements: Float32Array<ArrayBuffer>): void {
  elements.buffer.transfer(0);
}

/** A file of tensors. */
export interface Checkpoint {
  /** For error messages: the file's path. */
  readonly name: string;
  /** Texts that the writer added; Hugging Face's say `format: "pt"`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** By name, in the order of their elements in the file. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
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
