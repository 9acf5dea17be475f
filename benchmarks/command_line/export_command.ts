/** @file `./run export`: a stored run's adapter, for other programs. */
import { unknownName } from "../../errors/unknown_name.ts";
import { UserError } from "../../errors/user_error.ts";
import { withFetched } from "../../files/fetched.ts";
import { recordId } from "../../training/run.ts";
import { baseOf } from "../sweep/bases.ts";
import { isStoredRun } from "../sweep/rerun.ts";
import { openBases, readRun } from "../sweep/store.ts";
import { withEntries } from "./bench.ts";
import type { CommandDeps } from "./command_deps.ts";
import { readArguments } from "./commands.ts";

/** What may be written. */
const FORMS = ["native", "portable", "merged"] as const;

export async function exportCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { texts, paths, flags, positional: [path] } = readArguments("export", args);
  if (path === undefined || !isStoredRun(path)) {
    throw new UserError(
      `Cannot export ${
        path === undefined ? "nothing" : `"${path}"`
      }: a stored run is needed, as in results/quick/runs/0123456789abcdef.json`,
    );
  }
  const to = texts.get("to"),
    forms = texts.get("as")?.split(",").map((form) => {
      const known = FORMS.find((one) => one === form.trim());
      if (known) return known;
      throw unknownName(`form "${form}"`, form, FORMS);
    });
  if (to === undefined) throw new UserError("Cannot export: --to DIR is needed, the folder that gets it");
  const stored = await readRun(path);
  const run = deps.cache ? { ...stored, config: withFetched(stored.config, deps.cache) } : stored;
  if (run.status !== "done") {
    throw new UserError(`Cannot export run ${run.id}: it is ${run.status}, and has no weights`);
  }
  const out = path.split("/").slice(0, -2).join("/") || (path.startsWith("/") ? "/" : ".");
  const wanted = baseOf(run.config), base = wanted && await openBases(out).find(await recordId(wanted));
  const registries = await withEntries(paths.get("with") ?? [], await deps.registries());
  const { written, notes } = await deps.export(run, registries, {
    trained: `${out}/trained/${run.id}.safetensors`,
    to,
    ...(forms && { forms }),
    ...(texts.has("base") && { base: texts.get("base")! }),
    baseScore: base?.status === "done" ? base.score : null,
  });
  if (flags.has("json")) deps.print(JSON.stringify({ run: run.id, written, notes }));
  else for (const { form, folder } of written) deps.print(`Wrote ${folder} (${form})`);
  for (const note of notes) deps.complain(note);
  return 0;
}
