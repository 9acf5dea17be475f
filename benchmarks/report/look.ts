/**
 * @file Turns a report's charts into PNGs, to look at them: `deno run -A benchmarks/report/look.ts results/quick`.
 * For developers; needs the DejaVu fonts (Debian's fonts-dejavu-core).
 */
import { initWasm, Resvg } from "@resvg/resvg-wasm";

const [out] = Deno.args;
if (out === undefined) throw new Error("Cannot look: the folder that bench wrote to is needed");
await initWasm(Deno.readFileSync(new URL(import.meta.resolve("@resvg/resvg-wasm/index_bg.wasm"))));
const fonts = ["DejaVuSans", "DejaVuSans-Bold"].map((name) =>
  Deno.readFileSync(`/usr/share/fonts/truetype/dejavu/${name}.ttf`)
);
const folder = `${out}/report/charts`;
for (const { name } of Array.from(Deno.readDirSync(folder)).filter(({ name }) => name.endsWith(".svg"))) {
  const drawn = new Resvg(Deno.readTextFileSync(`${folder}/${name}`), {
    font: { fontBuffers: fonts, defaultFontFamily: "DejaVu Sans", sansSerifFamily: "DejaVu Sans" },
  }).render();
  const path = `${folder}/${name.replace(/svg$/, "png")}`;
  Deno.writeFileSync(path, drawn.asPng());
  console.log(path);
}
