/**
 * @file What browsers that do not know `using` run in its place. WebKitGTK 2.54, whose engine is Safari's, refuses a program
 * that has it.
 */

/** A declaration with `using`, as minified code has it. */
const USING = /[;{}](?:await )?using [\w$]+=|\bfor\((?:await )?using /;

/** Makes `try` and `finally` of `using` in minified modules, by name. What has none is not among what is given back. */
export async function lowerUsing(modules: ReadonlyMap<string, string>): Promise<Map<string, string>> {
  const lowered = new Map<string, string>(), found = [...modules].filter(([, code]) => USING.test(code));
  if (found.length === 0) return lowered;
  const { initialize, stop, transform } = await import("esbuild-wasm/esm/browser.js");
  const wasm = await Deno.readFile(new URL(import.meta.resolve("esbuild-wasm/esbuild.wasm")));
  await initialize({ wasmModule: await WebAssembly.compile(wasm), worker: false });
  try {
    for (const [name, code] of found) {
      const options = { supported: { using: false }, minify: true, format: "esm" } as const;
      lowered.set(name, (await transform(code, options)).code);
    }
  } finally {
    await stop();
  }
  return lowered;
}
