/** @file The site's worker: what runs are made in, apart from the page, so that it stays quick. */
import { z } from "zod";

// Where a browser has no `using`, this is what esbuild looks for in its place.
for (const name of ["dispose", "asyncDispose"]) {
  if (!(name in Symbol)) Object.defineProperty(Symbol, name, { value: Symbol.for(`Symbol.${name}`) });
}
// Schemas ask whether they may write code before they are made, which the site's policy forbids.
z.config({ jitless: true });
const { listen } = await import("./comparisons.ts");
await listen(globalThis as unknown as Parameters<typeof listen>[0]);
