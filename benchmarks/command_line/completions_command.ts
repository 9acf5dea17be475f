/** @file `./run completions`. */
import { readArguments } from "./commands.ts";
import { completionsFor } from "./completions.ts";
import { exportKinds } from "../report/exports/write_exports.ts";
import { listSweeps } from "../sweep/sweep_files.ts";
import type { CommandDeps } from "./command_deps.ts";

export async function completionsCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { positional: [shell] } = readArguments("completions", args);
  const { tasks, optimizers, models } = await deps.registries();
  const ids = (entries: Readonly<Record<string, { readonly id: string }>>) =>
    Object.values(entries).map(({ id }) => id);
  const known = {
    task: ids(tasks),
    optimizer: ids(optimizers),
    model: ids(models),
    sweep: (await listSweeps()).map(({ id }) => id),
    export: exportKinds,
  };
  const program = decodeURIComponent(new URL("../../run", import.meta.url).pathname);
  deps.print(completionsFor(shell, known, program).trimEnd());
  return 0;
}
