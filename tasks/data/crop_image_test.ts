import { assertEquals } from "@std/assert";
import type { ImageResize } from "../../models/model.ts";
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

/** Width, height, channels, side, how it is resized, and what Pillow 11.1.0 makes of the image so. */
// deno-fmt-ignore
const OTHERS: [number, number, 1 | 3, number, ImageResize, number[]][] = [
  [7, 5, 1, 4, { shorter: 4, isStretched: true, filter: "bilinear" }, [31, 107, 111, 134, 81, 46, 75, 147, 158, 115, 131, 172, 159, 107, 122, 118]],
  [23, 40, 1, 5, { shorter: 5, isStretched: true, filter: "bilinear" }, [125, 121, 114, 127, 128, 136, 130, 120, 135, 133, 144, 129, 129, 141, 140, 118, 115, 125, 138, 119, 115, 121, 131, 126, 105]],
  [5, 4, 3, 3, { shorter: 3, isStretched: true, filter: "bilinear" }, [79, 73, 160, 117, 81, 125, 61, 111, 139, 87, 117, 96, 126, 143, 200, 107, 137, 152, 71, 102, 116, 76, 131, 152, 94, 77, 131]],
  [3, 5, 1, 7, { shorter: 7, isStretched: true, filter: "bilinear" }, [0, 7, 27, 48, 78, 108, 118, 120, 112, 85, 59, 105, 152, 167, 180, 163, 110, 57, 103, 150, 165, 106, 95, 63, 30, 46, 62, 67, 55, 51, 39, 26, 35, 43, 46, 50, 53, 61, 69, 86, 103, 109, 71, 79, 103, 127, 160, 194, 205]],
  [23, 40, 1, 5, { shorter: 5, isStretched: true, filter: "bicubic" }, [125, 119, 114, 128, 127, 137, 132, 118, 136, 132, 146, 129, 128, 142, 143, 117, 112, 124, 140, 117, 114, 120, 133, 125, 102]],
  [23, 9, 1, 4, { shorter: 6, filter: "bicubic" }, [84, 96, 82, 97, 82, 136, 41, 88, 106, 144, 140, 129, 100, 165, 207, 193]],
  [23, 9, 1, 4, { shorter: 6, filter: "bilinear" }, [90, 95, 77, 101, 88, 133, 56, 93, 108, 147, 138, 130, 105, 163, 195, 185]],
  [23, 40, 1, 6, { shorter: 6, isStretched: true, filter: "nearest" }, [130, 49, 229, 84, 200, 247, 50, 57, 69, 12, 216, 95, 90, 118, 77, 41, 192, 92, 252, 112, 159, 211, 194, 182, 52, 0, 135, 19, 90, 166, 81, 232, 132, 219, 55, 78]],
  [7, 5, 1, 4, { shorter: 5, filter: "nearest" }, [48, 118, 210, 68, 67, 35, 25, 37, 49, 6, 150, 60, 176, 196, 73, 137]],
  [6, 10, 1, 4, { shorter: 9, isStretched: true, filter: "nearest" }, [127, 205, 205, 49, 248, 202, 202, 178, 215, 12, 12, 252, 152, 246, 246, 106]],
  [4, 4, 1, 4, { shorter: 6, filter: "bicubic" }, [79, 135, 120, 120, 134, 188, 111, 49, 62, 48, 27, 28, 69, 80, 114, 80]],
];

Deno.test("cropImage() gives the bytes that Pillow's other filters give, and of sides that are stretched or cut", () => {
  for (const [width, height, channels, side, resize, wanted] of OTHERS) {
    const found = cropImage(image(width, height, channels), side, channels, resize);
    assertEquals([...found.pixels], wanted, JSON.stringify([width, height, resize]));
  }
  // An image of the model's size is resized too where it is cut out of a larger one.
  const own = image(4, 4, 1), stretched = { shorter: 4, isStretched: true, filter: "bilinear" } as const;
  assertEquals(cropImage(own, 4, 1, stretched), own);
});

Deno.test("cropImage() changes channels: grey three times, or the luma of colours", () => {
  const grey = cropImage(image(9, 4, 1), 3, 1), colours = cropImage(image(9, 4, 1), 3, 3);
  assertEquals([...colours.pixels], [...grey.pixels].flatMap((value) => [value, value, value]));
  const flat = { width: 2, height: 5, channels: 3, pixels: new Uint8Array(30).fill(90) } as const;
  assertEquals([...cropImage(flat, 2, 1).pixels], [90, 90, 90, 90]);
  const red = { ...flat, pixels: Uint8Array.from({ length: 30 }, (_, i) => i % 3 === 0 ? 200 : 0) };
  assertEquals([...cropImage(red, 2, 1).pixels], [60, 60, 60, 60]);
});
