/**
 * @file Holds tests to what they say that they need: with `--preload`, one that names no permissions has none, as with plain
 * `deno test`. So a test that needs one and doesn't say so fails wherever all tests run.
 */

const define = Deno.test;

/** `Deno.test` in all its forms: a name, options and a function, any of them left out. */
function guarded(...parts: readonly unknown[]): void {
  const name = parts.find((part) => typeof part === "string");
  const fn = parts.find((part) => typeof part === "function");
  const options = parts.find((part) => typeof part === "object");
  const written = { ...(fn && { name: fn.name, fn }), ...options, ...(name && { name }) };
  define({ permissions: "none", ...written } as Deno.TestDefinition);
}

Object.assign(Deno, { test: Object.assign(guarded, define) });
