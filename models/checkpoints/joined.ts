/** @file Maps that files keep as one, one below the other, and that are three here. */
import { type CheckpointTensor, release } from "./checkpoint.ts";

/** The maps of queries, keys and values. */
const PARTS = 3;

/** One of three equal parts along the first axis, by its place. Elements are read when they are asked for. */
export function third(tensor: CheckpointTensor, place: number): CheckpointTensor {
  const [rows, ...others] = tensor.shape;
  // What can't be divided is refused by the shape that it has.
  if (rows === undefined || rows % PARTS !== 0) return tensor;
  return {
    shape: [rows / PARTS, ...others],
    dtype: tensor.dtype,
    get data() {
      const { data } = tensor, count = data.length / PARTS;
      const out = data.slice(place * count, (place + 1) * count);
      release(data);
      return out;
    },
  };
}
