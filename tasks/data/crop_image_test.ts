import { assertEquals } from "@std/assert";
import { cropImage } from "./crop_image.ts";

function image(width: number, height: number, channels: 1 | 3) {
  const pixel = (_: unknown, k: number) => (k * k * 11 + k * 37 + (k >> 3) * 91) % 256;
  return {
    width,
    height,
    channels,
    pixels: Uint8Array.from({ length: width * height * channels }, pixel),
  };
}

/** Width, height, channels, side, and what Pillow 11.1.0 makes of the image: `resize(…, BICUBIC)`, then `crop`. */
const PILLOW: [number, number, 1 | 3, number, number[]][] = [
  [7, 5, 1, 4, [10, 85, 141, 109, 89, 26, 52, 82, 177, 125, 103, 172, 179, 86, 133, 137]],
  // deno-fmt-ignore
  [5, 4, 3, 4, [0, 48, 118, 210, 68, 204, 106, 30, 67, 35, 25, 37, 49, 6, 150, 60, 248, 202, 178, 176, 196, 73, 137, 223,
    19, 215, 12, 252, 2, 30, 80, 152, 246, 106, 79, 239, 75, 89, 125, 18, 98, 200, 68, 214, 126, 60, 16, 85]],
  // deno-fmt-ignore
  [3, 5, 1, 7, [151, 133, 90, 64, 111, 171, 194, 226, 197, 122, 67, 115, 186, 212, 180, 157, 96, 48, 78, 126, 143, 113,
    99, 61, 30, 41, 63, 71, 70, 61, 39, 19, 23, 33, 37, 39, 36, 28, 21, 25, 31, 33, 41, 44, 51, 61, 78, 92, 98]],
  // deno-fmt-ignore
  [23, 40, 1, 5, [126, 128, 135, 134, 119, 141, 129, 107, 141, 135, 147, 141, 132, 128, 147, 141, 115, 123, 153, 137,
    117, 109, 120, 145, 114]],
  // deno-fmt-ignore
  [6, 6, 3, 3, [111, 130, 191, 82, 111, 115, 84, 97, 98, 100, 108, 163, 119, 90, 148, 88, 126, 137, 184, 135, 90, 133,
    106, 80, 116, 88, 94]],
  [1, 9, 1, 3, [103, 103, 103, 68, 68, 68, 101, 101, 101]],
  [64, 2, 1, 3, [129, 205, 24, 97, 152, 32, 65, 99, 40]],
];

Deno.test("cropImage() gives the bytes that Pillow's bicubic resizing and a cut in the middle give", () => {
  for (const [width, height, channels, side, wanted] of PILLOW) {
    const found = cropImage(image(width, height, channels), side, channels);
    assertEquals({ ...found, pixels: [...found.pixels] }, {
      width: side,
      height: side,
      channels,
      pixels: wanted,
    });
    // What has its size stays, so that an image may be cut once or twice.
    assertEquals(cropImage(found, side, channels), found);
  }
});

Deno.test("cropImage() changes channels: grey three times, or the luma of colours", () => {
  const grey = cropImage(image(9, 4, 1), 3, 1), colours = cropImage(image(9, 4, 1), 3, 3);
  assertEquals([...colours.pixels], [...grey.pixels].flatMap((value) => [value, value, value]));
  const flat = { width: 2, height: 5, channels: 3, pixels: new Uint8Array(30).fill(90) } as const;
  assertEquals([...cropImage(flat, 2, 1).pixels], [90, 90, 90, 90]);
  const red = { ...flat, pixels: Uint8Array.from({ length: 30 }, (_, i) => i % 3 === 0 ? 200 : 0) };
  assertEquals([...cropImage(red, 2, 1).pixels], [60, 60, 60, 60]);
});
