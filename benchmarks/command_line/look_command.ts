/** @file `./run look`: what an adapter of anybody's does to its base model. */
import { UserError } from "../../errors/user_error.ts";
import { prepareFolder, writeWhole } from "../../files/write_file.ts";
import { adapterJson, adapterPage, describeAdapter, kindsTable } from "../report/adapter_page.ts";
import { isStoredRun } from "../sweep/rerun.ts";
import { readRun } from "../sweep/store.ts";
import type { CommandDeps } from "./command_deps.ts";
import { readArguments } from "./commands.ts";
import { tell } from "./printing.ts";
import { toColumns } from "./terminal.ts";

export async function lookCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { texts, flags, positional: [folder] } = readArguments("look", args),
    run = texts.get("run"),
    out = texts.get("out");
  if (folder === undefined) throw new UserError("Cannot look: the folder of an adapter is needed");
  if (run !== undefined && !isStoredRun(run)) {
    throw new UserError(
      `Cannot compare with "${run}": a stored run is needed, as in results/quick/runs/0123456789abcdef.json`,
    );
  }
  const stored = run === undefined ? null : await readRun(run);
  const kept = run?.replace(/(^|\/)runs\/([0-9a-f]{16})\.json$/, "$1trained/$2.safetensors");
  const look = await deps.look(
    folder,
    texts.get("model"),
    stored && { run: stored, trained: kept! },
    await deps.registries(),
  );
  if (out !== undefined) {
    await prepareFolder(out);
    for (const [name, text] of await adapterPage(look)) await writeWhole(`${out}/${name}`, text);
  }
  if (flags.has("json")) {
    deps.print(adapterJson(look));
    return 0;
  }
  for (const sentence of describeAdapter(look)) tell(deps, sentence);
  const { columns, rows } = kindsTable(look);
  deps.print(`\n${toColumns(columns, rows, deps.columns, deps.style).join("\n")}`);
  if (out !== undefined) deps.print(`\nPage: ${out}/index.html`);
  return 0;
}
