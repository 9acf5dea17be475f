import { assert, assertEquals } from "@std/assert";
import { decode } from "fast-png";
import { toPng } from "./png.ts";
import { READING, testNeeding } from "../../../tests/support/test_needing.ts";

const test = testNeeding(READING);

const text = (content: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="31" height="20"><rect width="31" height="20" fill="white"/>` +
  `<text x="2" y="15" font-family="sans-serif" font-size="14">${content}</text></svg>`;

test("toPng() draws at twice the size, with a font of its own for what charts say, and the same bytes each time", async () => {
  const png = await toPng(text("g̃ ‖−"));
  const { width, height, data, channels } = decode(png);
  assertEquals([width, height, channels], [62, 40, 4]);
  const dark = (pixels: ArrayLike<number>) =>
    Array.from(pixels).filter((value, i) => i % 4 === 0 && value < 128).length;
  assert(dark(data) > 20);
  assertEquals(await toPng(text("g̃ ‖−")), png);
  // What the font lacks is a box: each of these looks like itself.
  const drawn = await Promise.all(
    ["g", "g̃", "‖", "−"].map(async (content) => String(await toPng(text(content)))),
  );
  assertEquals(new Set(drawn).size, 4);
});
