/** @file `./run data`: shows what is understood of data of the user's. */
import { UserError } from "../../errors/user_error.ts";
import type { CommandDeps } from "./command_deps.ts";
import { readArguments } from "./commands.ts";
import { describeLook } from "./data_look.ts";
import { modelAt } from "../sweep/sweep.ts";
import { readAskedLayout } from "./own_data.ts";

export async function dataCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { texts, flags, positional: [path] } = readArguments("data", args);
  if (path === undefined) {
    throw new UserError("Cannot show data: a file or a folder is needed, as in reviews.csv");
  }
  // Loaded when needed: other commands read no data of the user's.
  const { lookAtData } = await import("../../training/resolve/look_at_data.ts");
  const registries = await deps.registries(), model = texts.get("model");
  const look = await lookAtData(
    path,
    readAskedLayout(texts),
    model === undefined ? undefined : modelAt(model, registries.models),
    registries,
  );
  if (flags.has("json")) deps.print(JSON.stringify(look));
  else for (const line of describeLook(look, deps.style, deps.columns)) deps.print(line);
  return look.settings === null ? 2 : 0;
}
