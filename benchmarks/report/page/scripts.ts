/** @file Scripts of others and of ours that a page needs before its own, as classic scripts that evaluate no text. */
import { system } from "../../../system/mod.ts";
import "vega";
import "vega-interpreter";
import "vega-lite";

/** What the scripts are called where they were made beforehand. */
export const VEGA_SCRIPT = "vega_script.js", DRAWING_SCRIPT = "drawing_script.js";

/**
 * Vega, Vega-Lite and Vega's expression interpreter. Sets the globals `vega`, `vegaLite` and `vegaInterpreter`; with the
 * interpreter, charts work under a content security policy without "unsafe-eval".
 *
 * @throws {Error} where the packages are not laid out as in the versions that deno.json names
 */
export function readVegaScript(): Promise<string> {
  return system.made(VEGA_SCRIPT, makeVegaScript);
}

async function makeVegaScript(): Promise<string> {
  // Packages that are imported resolve to their files.
  const vega = await Deno.readTextFile(new URL("vega.min.js", import.meta.resolve("vega")));
  const vegaLite = await Deno.readTextFile(new URL("vega-lite.min.js", import.meta.resolve("vega-lite")));
  const interpreter = await Deno.readTextFile(new URL(import.meta.resolve("vega-interpreter")));
  return `${vega}\n${vegaLite}\n${asClassicScript(interpreter)}`;
}

/** `layOut` and `forestFiles`, the same that reports use, as globals. */
export function readDrawingScript(): Promise<string> {
  return system.made(DRAWING_SCRIPT, makeDrawingScript);
}

async function makeDrawingScript(): Promise<string> {
  const layOut = await bodyOf("../drawing/lay_out.ts"), forest = await bodyOf("../drawing/forest_svg.ts");
  return `var layOut = (() => {\n"use strict";\n${layOut}return layOut;\n})();\n` +
    `var forestFiles = (() => {\n"use strict";\n${forest}return { forestToSvg, forestToCsv };\n})();\n`;
}

/** A module that imports nothing but types, as a function's body. */
async function bodyOf(path: string): Promise<string> {
  const { stripTypeScriptTypes } = await import("node:module");
  const module = await Deno.readTextFile(new URL(path, import.meta.url));
  return stripTypeScriptTypes(module).replaceAll(/^export /gm, "");
}

/** The interpreter is a module with one import, of what `vega` holds too, and one export. */
function asClassicScript(module: string): string {
  const parts =
    /^import (?<names>\{[^}]*\}) from 'vega-util';(?<body>.*)export \{ (?<name>\w+) as expressionInterpreter \};/s
      .exec(module)?.groups;
  if (!parts) {
    throw new Error("Cannot make a script of vega-interpreter: one import and one export are wanted");
  }
  return `var vegaInterpreter = (() => {\n"use strict";\nconst ${parts.names} = vega;${parts.body}return ${parts.name};\n})();\n`;
}
