/** @file A chart's SVG as a PNG, by itself: no browser, no font of the machine's. */
import { initWasm, Resvg } from "@resvg/resvg-wasm";

/** Pixels of the image for one of the SVG's: enough for print at a column's width. */
const SCALE = 2;
const FONT = "DejaVu Sans";

let fonts: Promise<Uint8Array[]> | undefined;

/** Draws an SVG, text in DejaVu Sans. The same SVG gives the same bytes on every machine. */
export async function toPng(svg: string): Promise<Uint8Array> {
  fonts ??= prepare();
  const drawn = new Resvg(svg, {
    font: { fontBuffers: await fonts, defaultFontFamily: FONT, sansSerifFamily: FONT },
    fitTo: { mode: "zoom", value: SCALE },
  });
  try {
    const image = drawn.render();
    try {
      return image.asPng();
    } finally {
      image.free();
    }
  } finally {
    drawn.free();
  }
}

/** The library and the fonts, which packages bring: once a process. */
async function prepare(): Promise<Uint8Array[]> {
  const read = (specifier: string) => Deno.readFile(new URL(import.meta.resolve(specifier)));
  await initWasm(await read("@resvg/resvg-wasm/index_bg.wasm"));
  return await Promise.all(
    ["DejaVuSans", "DejaVuSans-Bold"].map((name) => read(`dejavu-fonts-ttf/ttf/${name}.ttf`)),
  );
}
