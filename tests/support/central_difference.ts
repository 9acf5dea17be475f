/** @file Gradients by finite differences, in float64. */

/**
 * Gradient of a scalar function with respect to `inputs[index]`: (f(x + step) - f(x - step)) / (2 step) per entry.
 *
 * `f` must be pure; it gets copies, so that `inputs` stay as they are. For values and derivatives near 1 the error is
 * about 1e-10 with the default step: step^2 / 6 of the third derivative plus 1e-16 / step of the value. Where f jumps
 * or bends within a step of an input (ReLU at 0) the result means nothing.
 */
export function centralDifference(
  f: (inputs: readonly Float64Array[]) => number,
  inputs: readonly Float64Array[],
  index: number,
  step = 1e-5,
): Float64Array {
  const copies = inputs.map((input) => input.slice());
  const moved = copies[index];
  if (moved === undefined) {
    throw new RangeError(`Cannot differentiate by input ${index}: there are ${inputs.length}`);
  }
  const gradient = new Float64Array(moved.length);
  for (let i = 0; i < moved.length; i++) {
    const value = moved[i]!;
    moved[i] = value + step;
    const above = f(copies);
    moved[i] = value - step;
    const below = f(copies);
    moved[i] = value;
    gradient[i] = (above - below) / (2 * step);
  }
  return gradient;
}
