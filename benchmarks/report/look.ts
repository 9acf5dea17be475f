/**
 * @file Turns a report's charts into PNGs, to look at them:
 * `deno run --allow-read --allow-write benchmarks/report/look.ts results/quick`. For developers.
 */
import { toPng } from "./exports/png.ts";

const [out] = Deno.args;
if (out === undefined) throw new Error("Cannot look: the folder that bench wrote to is needed");
const folder = `${out}/report/charts`;
for (const { name } of Array.from(Deno.readDirSync(folder)).filter(({ name }) => name.endsWith(".svg"))) {
  const path = `${folder}/${name.replace(/svg$/, "png")}`;
  Deno.writeFileSync(path, await toPng(Deno.readTextFileSync(`${folder}/${name}`)));
  console.log(path);
}
