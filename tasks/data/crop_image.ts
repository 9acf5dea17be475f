/** @file Images as models of the user's were trained on them: resized as Pillow does it, the middle cut out. */
import type { ImageFilter, ImageResize } from "../../models/model.ts";
import type { Image } from "./image_file.ts";
import { channelOf } from "./resize_image.ts";

/** Weights are multiples of one in so many, as in Pillow: sums are exact, and ties fall as they do there. */
const STEPS = 2 ** 22;

/** Pixels that one new pixel is made of. */
interface Taps {
  readonly first: number;
  readonly weights: Float64Array;
}

/**
 * The square of `side` pixels in the middle of the image, which was resized before; an image of that size that `resize` leaves
 * as it is is not copied.
 *
 * Source: CLIPImageProcessor, ViTImageProcessor and BitImageProcessor of Hugging Face's transformers, whose resampling is
 * Pillow's: a triangle or a cubic with a = -0.5, as wide as the pixels of the smaller image, first along rows and rounded to
 * bytes in between; or the nearest pixel.
 *
 * @param resize where absent, CLIP's: the shorter side to `side` pixels, bicubically
 */
export function cropImage(
  image: Image,
  side: number,
  channels: 1 | 3,
  { shorter: to, isStretched, filter }: ImageResize = { shorter: side, filter: "bicubic" },
): Image {
  const { width, height } = image, shorter = Math.min(width, height);
  if (width === side && height === side && to === side && image.channels === channels) return image;
  const resized = (length: number) =>
    isStretched || length === shorter ? to : Math.trunc(to * length / shorter);
  const across = tapsOf(width, resized(width), side, filter),
    down = tapsOf(height, resized(height), side, filter);
  const given = image.channels, rowLength = side * given;
  const rows = new Uint8ClampedArray(height * rowLength);
  for (let y = 0; y < height; y++) {
    mix(image.pixels, y * width * given, given, across, rows, y * rowLength, given);
  }
  const square = new Uint8ClampedArray(side * rowLength);
  mix(rows, 0, rowLength, down, square, 0, rowLength);
  const cut = { width: side, height: side, channels };
  if (given === channels) return { ...cut, pixels: new Uint8Array(square.buffer) };
  const pixels = new Uint8Array(side * side * channels);
  for (let i = 0; i < side * side; i++) {
    const pixel = square.subarray(i * given, (i + 1) * given);
    for (let c = 0; c < channels; c++) pixels[i * channels + c] = Math.round(channelOf(pixel, c, channels));
  }
  return { ...cut, pixels };
}

/** The `side` pixels in the middle of `to`, which `from` are resized to. */
function tapsOf(from: number, to: number, side: number, filter: ImageFilter): Taps[] {
  const start = Math.floor((to - side) / 2), scale = from / to;
  if (filter === "nearest") return nearest(from, to).slice(start, start + side);
  const { reach, weight } = FILTERS[filter], wide = Math.max(1, scale), support = reach * wide;
  return Array.from({ length: side }, (_, i) => {
    const middle = (start + i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(middle - support + 0.5));
    const end = Math.min(from, Math.trunc(middle + support + 0.5));
    const raw = Array.from({ length: end - first }, (_, k) => weight((first + k + 0.5 - middle) / wide));
    const sum = raw.reduce((a, b) => a + b, 0);
    return { first, weights: Float64Array.from(raw, (weight) => Math.round(weight / sum * STEPS) / STEPS) };
  });
}

/** One pixel each. Places are added up one by one, as in Pillow: their roundings decide what lies on an edge. */
function nearest(from: number, to: number): Taps[] {
  const scale = from / to, taps: Taps[] = [];
  for (let i = 0, at = scale * 0.5; i < to; i++, at += scale) {
    taps.push({ first: Math.min(from - 1, Math.trunc(at)), weights: Float64Array.of(1) });
  }
  return taps;
}

/** How far a filter reaches, in pixels of the smaller image, and what a pixel at a distance weighs. */
const FILTERS = {
  bilinear: { reach: 1, weight: (distance: number) => Math.max(0, 1 - Math.abs(distance)) },
  bicubic: { reach: 2, weight: cubic },
} as const;

function cubic(distance: number): number {
  const a = -0.5, x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** Mixes groups of `length` numbers, each new group of those that its taps name; a clamped array rounds them. */
function mix(
  source: Uint8Array | Uint8ClampedArray,
  sourceAt: number,
  length: number,
  taps: readonly Taps[],
  target: Uint8ClampedArray,
  targetAt: number,
  targetLength: number,
): void {
  for (let group = 0; group < taps.length; group++) {
    const { first, weights } = taps[group]!;
    const from = sourceAt + first * length, to = targetAt + group * targetLength;
    for (let i = 0; i < length; i++) {
      let sum = 0;
      for (let k = 0, at = from + i; k < weights.length; k++, at += length) sum += weights[k]! * source[at]!;
      // Ties go up, as in Pillow: a clamped array alone would round them to even.
      target[to + i] = Math.floor(sum + 0.5);
    }
  }
}
