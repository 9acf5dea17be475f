/** @file Tables of positions for images of another size: bicubic resampling as a matrix, so that it has a gradient. */

/** Keys' constant, as PyTorch has it. */
const A = -0.75;

/**
 * What makes a table of `to`² positions of one of `from`², each behind that of a class token, which stays:
 * `[to² + 1, from² + 1]`. Bicubic, without antialiasing, with edges repeated, corners not aligned.
 *
 * Source: PyTorch's interpolate(mode="bicubic"); Keys, "Cubic convolution interpolation for digital image processing", 1981.
 */
export function resampledPositions(from: number, to: number): Float32Array<ArrayBuffer> {
  const columns = from ** 2 + 1, out = new Float32Array((to ** 2 + 1) * columns);
  out[0] = 1;
  const lines = Array.from({ length: to }, (_, i) => weightsAt((i + 0.5) * from / to - 0.5, from));
  lines.forEach((vertical, y) =>
    lines.forEach((horizontal, x) => {
      const row = (1 + y * to + x) * columns + 1;
      for (const [i, v] of vertical) for (const [j, h] of horizontal) out[row + i * from + j]! += v * h;
    })
  );
  return out;
}

/** Four places beside a point of a line of `count`, with their weights. */
function weightsAt(point: number, count: number): [place: number, weight: number][] {
  const first = Math.floor(point), t = point - first;
  return [-1, 0, 1, 2].map((step) => [
    Math.min(count - 1, Math.max(0, first + step)),
    cubic(Math.abs(t - step)),
  ]);
}

function cubic(x: number): number {
  if (x <= 1) return ((A + 2) * x - (A + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * A : 0;
}
