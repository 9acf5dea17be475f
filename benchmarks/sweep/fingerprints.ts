/** @file What names runs on files of the user's, real data and models in folders, whatever their paths, and their heads. */
import { type Registries, withDataFingerprint } from "../../training/configuration.ts";
import { lookup } from "../../training/lookup.ts";
import { canonicalJson } from "../../files/canonical_json.ts";
import type { RunConfig } from "../../training/run.ts";
import { HEADS } from "./method.ts";
import type { Expansion, SweepSpec } from "./sweep.ts";

/**
 * A sweep that `override()` gave, with the fingerprints of its tasks' files, by which rates that were tuned on them are
 * found.
 *
 * @throws {DataError} where data can't be read, or are none that the task takes
 * @throws {CheckpointError} where a model's files can't be found
 */
export async function fingerprintSweep(spec: SweepSpec, registries: Registries): Promise<SweepSpec> {
  const tasks = await Promise.all(spec.tasks.map(async (entry) => {
    const { task } = await withDataFingerprint(entry as Pick<RunConfig, "task">, registries.tasks);
    if (entry.model?.path === undefined) return { ...entry, task };
    // Loaded when needed: models bring the GPU's part of the program along.
    const { withModelFingerprint } = await import("../../training/resolve/model_folders.ts");
    const { model } = await withModelFingerprint({ model: entry.model });
    return { ...entry, task, model };
  }));
  return { ...spec, tasks };
}

/**
 * The runs with the fingerprints of their files, each of which is read once, and notes of the data in use.
 *
 * @throws {DataError} where data can't be read, or are none that the task takes
 * @throws {CheckpointError} where a model's files can't be found
 * @throws {UserError} where a model can't have the head that a run names
 */
export async function withFingerprints(expansion: Expansion, registries: Registries): Promise<Expansion> {
  const tasks = new Map<string, RunConfig["task"]>(), models = new Map<string, RunConfig["model"]>();
  const notes = new Set(expansion.notes);
  const configs: RunConfig[] = [];
  // Runs that differ in their seed share these objects: each is looked at once.
  const seen = new Map<RunConfig["task"], Map<RunConfig["model"], Pick<RunConfig, "task" | "model">>>();
  for (const config of expansion.configs) {
    const same = seen.get(config.task)?.get(config.model);
    if (same) {
      configs.push({ ...config, ...same });
      continue;
    }
    const task = await once(tasks, config.task, async () => {
      return (await withDataFingerprint(config, registries.tasks)).task;
    });
    const model = await once(models, [config.model, task], () => withModel({ ...config, task }, registries));
    seen.set(config.task, (seen.get(config.task) ?? new Map()).set(config.model, { task, model }));
    if (task.data !== undefined) {
      const { id, data, fingerprint } = task;
      const classes = await lookup("task", registries.tasks, id).realData?.classNames?.(data);
      const list = classes ? `, images of ${describeClasses(classes)}` : "";
      notes.add(`"${id}" takes its examples from ${data} (fingerprint ${fingerprint!.slice(0, 16)})${list}`);
    }
    if (model.head !== undefined) {
      notes.add(`"${task.id}" is classified by ${HEADS[model.head]} on the image tower of ${model.path}`);
    }
    configs.push({ ...config, task, model });
  }
  return { ...expansion, configs, notes: [...notes] };
}

async function withModel(config: RunConfig, registries: Registries): Promise<RunConfig["model"]> {
  if (config.model.path === undefined) return config.model;
  // Loaded when needed: models bring the GPU's part of the program along.
  const [{ withModelFingerprint }, { withHeadChoice }] = await Promise.all([
    import("../../training/resolve/model_folders.ts"),
    import("../../training/resolve/heads.ts"),
  ]);
  return (await withHeadChoice(await withModelFingerprint(config), registries)).model;
}

/** Most classes that a note lists. */
const LISTED = 10;

/** The classes of a folder, which are told by its folders' names: whoever reads them sees where one is none. */
function describeClasses(names: readonly string[]): string {
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : "";
  return `${names.length} classes: ${names.slice(0, LISTED).join(", ")}${more}`;
}

/** `find()`, asked once for equal choices. */
async function once<T>(known: Map<string, T>, choice: unknown, find: () => Promise<T>): Promise<T> {
  const key = canonicalJson(choice), found = known.get(key) ?? await find();
  known.set(key, found);
  return found;
}
