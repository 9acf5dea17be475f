/** @file Decodes PNG and JPEG bytes, none that unpack to more than a limit. */
import type { LabelledImage } from "./contents.ts";
import { boundedPng } from "./png_chunks.ts";
import type { Skip } from "../skip.ts";

/** An image without a class. */
export type Image = Omit<LabelledImage, "label">;

/**
 * Most bytes of an image's file, and of its samples: a photograph of 44 million pixels in colour. Files of a few hundred
 * bytes may say that they are larger.
 */
export const MOST_IMAGE_BYTES = 2 ** 27;

/** Most memory of a JPEG's decoder, in MiB: its coefficients take four times its samples, and some are sampled finer. */
const MOST_JPEG_MEMORY = 640;

/** Most passes over a JPEG's pixels: progressive ones that programs write have about ten. */
const MOST_SCANS = 100;

/** Why a picture is not decoded. */
class TooLarge extends Error {
  constructor() {
    super(`it unpacks to more than ${MOST_IMAGE_BYTES.toLocaleString("en-US")} bytes`);
  }
}

/** In place of an image beyond the limits. */
export const TOO_LARGE: Skip = { skip: { kind: "image-too-large", most: MOST_IMAGE_BYTES } };

/** The image of a file's bytes with its class: one broken picture among thousands is no reason to refuse the others. */
export async function labelledImage(bytes: Uint8Array, label: number): Promise<LabelledImage | Skip> {
  try {
    return { ...await decodeImage(bytes), label };
  } catch (error) {
    return error instanceof TooLarge ? TOO_LARGE : { skip: { kind: "broken-image" } };
  }
}

/**
 * An image from its file's bytes: grey where the file is, else red, green and blue. Transparent parts are put on
 * black; 16-bit values lose their lower half.
 *
 * @throws {Error} with the reason, where the bytes are neither PNG nor JPEG, are cut short, or unpack to more than
 * `MOST_IMAGE_BYTES`
 */
export async function decodeImage(bytes: Uint8Array): Promise<Image> {
  if (bytes[0] === 0x89 && bytes[1] === 0x50) return await decodePng(bytes);
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return await decodeJpeg(bytes);
  throw new Error("it is neither PNG nor JPEG");
}

async function decodePng(bytes: Uint8Array): Promise<Image> {
  const { convertIndexedToRgb, decode } = await import("fast-png");
  const bounded = await boundedPng(bytes, MOST_IMAGE_BYTES);
  if (bounded === null) throw new TooLarge();
  const png = decode(bounded, { checkCrc: true });
  const { width, height, depth, palette } = png;
  const samples = palette
    ? convertIndexedToRgb(png)
    : unpacked(png.data, png.width, png.height, depth, png.channels);
  const given = samples.length / (width * height);
  if (samples.length === 0 || !Number.isInteger(given)) throw new Error("its pixels are cut short");
  const largest = palette ? 255 : 2 ** depth - 1;
  const channels = given < 3 ? 1 : 3;
  const pixels = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++) {
    // An even number of values ends with opacity.
    const opacity = given % 2 === 0 ? samples[(i + 1) * given - 1]! / largest : 1;
    for (let c = 0; c < channels; c++) {
      pixels[i * channels + c] = Math.round(255 * opacity * samples[i * given + c]! / largest);
    }
  }
  return { width, height, channels, pixels };
}

/** Samples of less than 8 bits lie several to a byte, each row from a byte of its own. */
function unpacked(
  data: ArrayLike<number>,
  width: number,
  height: number,
  depth: number,
  channels: number,
): ArrayLike<number> {
  if (depth >= 8 || data.length === width * height * channels) return data;
  const rowBytes = Math.ceil(width * channels * depth / 8), perByte = 8 / depth;
  return Uint8Array.from({ length: width * height * channels }, (_, i) => {
    const row = Math.floor(i / (width * channels)), column = i % (width * channels);
    const byte = data[row * rowBytes + Math.floor(column / perByte)]!;
    return (byte >> (8 - depth * (column % perByte + 1))) & (2 ** depth - 1);
  });
}

async function decodeJpeg(bytes: Uint8Array): Promise<Image> {
  const { decode } = (await import("jpeg-js")).default;
  if (scansOf(bytes) > MOST_SCANS) throw new Error(`it has more than ${MOST_SCANS} scans`);
  const { width, height, data } = decodeBounded(() =>
    decode(bytes, {
      useTArray: true,
      formatAsRGBA: false,
      tolerantDecoding: false,
      maxResolutionInMP: MOST_IMAGE_BYTES / 3e6,
      maxMemoryUsageInMB: MOST_JPEG_MEMORY,
    })
  );
  if (data.length !== width * height * 3) throw new Error("its pixels are cut short");
  const isGrey = data.every((value, i) => value === data[i - i % 3]);
  if (!isGrey) return { width, height, channels: 3, pixels: data };
  const pixels = Uint8Array.from({ length: width * height }, (_, i) => data[3 * i]!);
  return { width, height, channels: 1, pixels };
}

/** The decoder tells its limits in words. */
function decodeBounded<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof Error && error.message.includes("limit exceeded")) throw new TooLarge();
    throw error;
  }
}

/** How often the marker of a scan stands in a JPEG; inside of scans it can't. */
function scansOf(bytes: Uint8Array): number {
  let scans = 0;
  for (let at = bytes.indexOf(0xff); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    if (bytes[at + 1] === 0xda) scans++;
  }
  return scans;
}
