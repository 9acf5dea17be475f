/** @file Images in the size and the channels that a model takes. */
import type { Image } from "./image_file.ts";

/** Luma of red, green and blue. Source: ITU-R BT.601. */
const LUMA = [0.299, 0.587, 0.114] as const;

/**
 * The whole image in a square of `side` pixels, its shape kept and what is left filled with black, equally on both
 * sides. Each pixel is the mean over its area where the image shrinks; where it grows, linear between the nearest.
 *
 * @returns `[side, side, channels]`, 0 to 255
 */
export function resizeImage(image: Image, side: number, channels: 1 | 3): Uint8Array<ArrayBuffer> {
  const scale = side / Math.max(image.width, image.height);
  const width = Math.max(1, Math.round(image.width * scale));
  const height = Math.max(1, Math.round(image.height * scale));
  const source = Float32Array.from(image.pixels);
  const rows = resample(source, image.height, image.width * image.channels, height);
  // The same along the other axis, one row after the other.
  const out = new Uint8Array(side * side * channels);
  const left = Math.floor((side - width) / 2), top = Math.floor((side - height) / 2);
  const rowLength = image.width * image.channels;
  for (let y = 0; y < height; y++) {
    const row = resample(
      rows.subarray(y * rowLength, (y + 1) * rowLength),
      image.width,
      image.channels,
      width,
    );
    for (let x = 0; x < width; x++) {
      const pixel = row.subarray(x * image.channels, (x + 1) * image.channels);
      const at = ((top + y) * side + left + x) * channels;
      for (let c = 0; c < channels; c++) out[at + c] = Math.round(channelOf(pixel, c, channels));
    }
  }
  return out;
}

/** A channel of 1 or 3, from a pixel of 1 or 3 values. */
export function channelOf(pixel: ArrayLike<number>, index: number, channels: 1 | 3): number {
  if (pixel.length === channels) return pixel[index]!;
  return channels === 3 ? pixel[0]! : LUMA.reduce((sum, weight, i) => sum + weight * pixel[i]!, 0);
}

/** Changes the number of rows of `[from, length]` to `to`. */
function resample(data: Float32Array, from: number, length: number, to: number): Float32Array {
  if (from === to) return data;
  const out = new Float32Array(to * length);
  const add = (target: number, source: number, weight: number) => {
    for (let i = 0; i < length; i++) out[target * length + i]! += weight * data[source * length + i]!;
  };
  for (let row = 0; row < to; row++) {
    if (to < from) {
      const start = row * from / to, end = (row + 1) * from / to;
      for (let source = Math.floor(start); source < Math.min(from, end); source++) {
        const share = Math.min(source + 1, end) - Math.max(source, start);
        if (share > 0) add(row, source, share / (end - start));
      }
    } else {
      // Pixels are areas: the middle of the first one is at half a pixel.
      const middle = Math.min(from - 1, Math.max(0, (row + 0.5) * from / to - 0.5));
      const low = Math.floor(middle), share = middle - low;
      add(row, low, 1 - share);
      if (share > 0) add(row, low + 1, share);
    }
  }
  return out;
}
