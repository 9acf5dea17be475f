/**
 * @file Maps that files have the other way round, `[in, out]`: those of GPT-2, which Hugging Face calls Conv1D. Here they are
 * `[out, in]` as all others.
 */
import { type Checkpoint, type CheckpointTensor, release } from "./checkpoint.ts";

/** True of the weights that files have as `[in, out]`, by their name. */
export function isTurned(name: string): boolean {
  return /(^|\.)h\.\d+\.(attn|mlp)\.c_(attn|proj|fc)\.weight$/.test(name);
}

/** The same checkpoint with all maps as `[out, in]`. Elements are turned when they are asked for. */
export function unturned(checkpoint: Checkpoint): Checkpoint {
  if (![...checkpoint.tensors.keys()].some(isTurned)) return checkpoint;
  const tensors = Array.from(
    checkpoint.tensors,
    ([name, tensor]) => [name, isTurned(name) ? turned(tensor) : tensor] as const,
  );
  return { ...checkpoint, tensors: new Map(tensors) };
}

/** A matrix with rows and columns exchanged; what is no matrix stays, and is refused by the shape that it has. */
export function turned(tensor: CheckpointTensor): CheckpointTensor {
  const { dtype } = tensor, [rows, columns] = tensor.shape;
  if (rows === undefined || columns === undefined || tensor.shape.length > 2) return tensor;
  return {
    shape: [columns, rows],
    dtype,
    get data() {
      const { data } = tensor, out = turnedData(data, rows);
      release(data);
      return out;
    },
  };
}

/** A matrix of so many rows, with rows and columns exchanged. */
export function turnedData(data: Float32Array<ArrayBuffer>, rows: number): Float32Array<ArrayBuffer> {
  const columns = data.length / rows, out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      out[column * rows + row] = data[row * columns + column]!;
    }
  }
  return out;
}
