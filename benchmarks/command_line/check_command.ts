/** @file `./run check`. */
import { readCheckSettings } from "./arguments.ts";
import { readArguments } from "./commands.ts";
import type { CheckedPromise } from "../../contract/check_entries.ts";
import { UserError } from "../../errors/user_error.ts";
import type { CommandDeps } from "./command_deps.ts";

export async function checkCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { texts, flags, positional: [file] } = readArguments("check", args);
  if (file === undefined) {
    throw new UserError("Cannot check: a TypeScript file is needed, as in ./my_method.ts");
  }
  const settings = readCheckSettings(texts), json = flags.has("json");
  const promises: CheckedPromise[] = [];
  for await (const one of deps.check(file, settings)) {
    promises.push(one);
    if (json) continue;
    const { kind, id, promise, fault } = one;
    deps.print(`${fault === null ? "holds" : "FAILS"}  ${kind} ${id}: ${promise}`);
    if (fault !== null) deps.print(`       ${fault.replaceAll("\n", "\n       ")}`);
  }
  const held = promises.filter(({ fault }) => fault === null).length;
  if (json) deps.print(JSON.stringify({ file, held, of: promises.length, promises }));
  else deps.print(`${held} of ${promises.length} promises hold`);
  return held === promises.length ? 0 : 1;
}
