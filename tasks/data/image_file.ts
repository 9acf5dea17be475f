/** @file Decodes PNG and JPEG bytes. */
import type { LabelledImage } from "./contents.ts";

/** An image without a class. */
export type Image = Omit<LabelledImage, "label">;

/**
 * An image from its file's bytes: grey where the file is, else red, green and blue. Transparent parts are put on
 * black; 16-bit values lose their lower half.
 *
 * @throws {Error} with the reason, where the bytes are neither PNG nor JPEG, or are cut short
 */
export async function decodeImage(bytes: Uint8Array): Promise<Image> {
  if (bytes[0] === 0x89 && bytes[1] === 0x50) return await decodePng(bytes);
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return await decodeJpeg(bytes);
  throw new Error("it is neither PNG nor JPEG");
}

async function decodePng(bytes: Uint8Array): Promise<Image> {
  const { convertIndexedToRgb, decode } = await import("fast-png");
  const png = decode(bytes, { checkCrc: true });
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
  const { width, height, data } = decode(bytes, {
    useTArray: true,
    formatAsRGBA: false,
    tolerantDecoding: false,
    maxMemoryUsageInMB: 1024,
  });
  if (data.length !== width * height * 3) throw new Error("its pixels are cut short");
  const isGrey = data.every((value, i) => value === data[i - i % 3]);
  if (!isGrey) return { width, height, channels: 3, pixels: data };
  const pixels = Uint8Array.from({ length: width * height }, (_, i) => data[3 * i]!);
  return { width, height, channels: 1, pixels };
}
