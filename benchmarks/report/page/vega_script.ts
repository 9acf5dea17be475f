/** @file Vega for a page: its own build and its expression interpreter, as one classic script that evaluates no text. */
import "vega";
import "vega-interpreter";

/**
 * The script. It sets the globals `vega` and `vegaInterpreter`; with the interpreter, charts work under a content security
 * policy without "unsafe-eval".
 *
 * @throws {Error} where the packages are not laid out as in the versions that deno.json names
 */
export async function readVegaScript(): Promise<string> {
  // Packages that are imported resolve to their files.
  const vega = await Deno.readTextFile(new URL("vega.min.js", import.meta.resolve("vega")));
  const interpreter = await Deno.readTextFile(new URL(import.meta.resolve("vega-interpreter")));
  return `${vega}\n${asClassicScript(interpreter)}`;
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
