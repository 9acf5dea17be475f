/** @file `./run site`. */
import { readArguments } from "../benchmarks/command_line/commands.ts";
import type { CommandDeps } from "../benchmarks/command_line/command_deps.ts";
import { UserError } from "../errors/user_error.ts";

export async function siteCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { texts, flags } = readArguments("site", args), out = texts.get("out");
  if (out === undefined) throw new UserError("Cannot build the site: --out DIR is needed, a folder for it");
  // Loaded when needed: no other command has the page's texts.
  const { buildSite } = await import("./build.ts");
  const built = await buildSite(out);
  if (flags.has("json")) {
    deps.print(JSON.stringify({ out, ...built }));
    return 0;
  }
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  deps.print(
    `Built ${built.files} files into ${out}: ${
      megabytes(built.firstBytes)
    } gzipped for the first visit, up to ${megabytes(built.laterBytes)} more as tasks need it`,
  );
  deps.print("Any static server may serve it, over HTTPS or on this machine: docs/site.md names the headers");
  return 0;
}
