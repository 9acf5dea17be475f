/** @file `./run bench --list`: what there is. */
import { listSweeps } from "../sweep/sweep_files.ts";
import type { Registries } from "../../training/configuration.ts";
import type { CommandDeps } from "./command_deps.ts";
import { tell } from "./printing.ts";

export async function printList(registries: Registries, json: boolean, deps: CommandDeps): Promise<number> {
  const { tasks, models, optimizers } = registries;
  const known = {
    tasks: Object.values(tasks).map(({ id, family, title }) => ({ id, family, title })),
    optimizers: Object.values(optimizers).map(({ id, title }) => ({ id, title })),
    models: Object.values(models).map(({ id, family, title }) => ({ id, family, title })),
    sweeps: await listSweeps(),
  };
  if (json) {
    deps.print(JSON.stringify(known));
    return 0;
  }
  for (const [kind, entries] of Object.entries(known)) {
    tell(deps, `${kind}:`);
    const width = Math.max(...entries.map(({ id }) => id.length));
    for (const entry of entries) {
      tell(deps, `  ${entry.id.padEnd(width)}  ${"title" in entry ? entry.title : entry.question}`);
    }
  }
  return 0;
}
