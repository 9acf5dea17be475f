/** @file The order in which training examples are seen. */
import type { Random } from "../numerics/random.ts";

/**
 * The order of `count` training examples: a pure function from a position (from 0) to the index of its example.
 *
 * Each epoch of `count` positions is a fresh permutation, so an example comes back only after all others came. The
 * latest epoch's permutation is kept, so ascending positions cost one permutation an epoch.
 */
export function trainingOrder(random: Random, count: number): (position: number) => number {
  let epoch = -1;
  let permutation = new Uint32Array(0);
  return (position) => {
    const wanted = Math.floor(position / count);
    if (wanted !== epoch) {
      permutation = random.fork(`epoch ${wanted}`).permutation(count);
      epoch = wanted;
    }
    return permutation[position % count]!;
  };
}

/**
 * The `size` positions in the training order that the batch of a step (from 1) takes.
 *
 * @throws {RangeError} where the step or the size is not a positive integer
 */
export function batchPositions(step: number, size: number): number[] {
  if (!Number.isInteger(step) || step < 1 || !Number.isInteger(size) || size < 1) {
    throw new RangeError(`Cannot make batch ${step} of ${size} examples: both are positive integers`);
  }
  return Array.from({ length: size }, (_, row) => (step - 1) * size + row);
}
