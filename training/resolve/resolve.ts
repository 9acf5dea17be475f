/**
 * @file Resolves a run: what was asked for becomes a complete config, and the task, the model and the method that it names.
 * Plans, dry runs, fingerprints and runs all take this one step.
 */
import { completeConfig, type Registries, resolveModel, withDataFingerprint } from "../configuration.ts";
import { lookup } from "../lookup.ts";
import { canonicalJson } from "../../files/canonical_json.ts";
import { joinEntries } from "../registry.ts";
import type { RunConfig, TextFile } from "../run.ts";

/** A run with what its config names. */
export interface ResolvedRun<R extends Registries = Registries> {
  /** Complete: all options filled in, and the fingerprints of the files that the run is about. */
  readonly config: RunConfig;
  readonly task: R["tasks"][string];
  /** In the run's size, without its head. */
  readonly model: R["models"][string];
  readonly method: R["optimizers"][string];
}

/** What may be about data of the user's. */
export interface OwnChoice {
  readonly task?: {
    readonly id: string;
    readonly data?: string | undefined;
    readonly layout?: RunConfig["task"]["layout"] | undefined;
  };
}

/** What names a model, and a task. */
export type Choosing = Pick<RunConfig, "model"> & OwnChoice;

/**
 * The registries with an entry for each folder that one of the choices takes its model from, and for data of the user's
 * that one of them is about.
 *
 * @throws {UserError} where a registered name is given to a model of other sizes
 * @throws {CheckpointError} where a folder cannot be read or does not fit its own config
 */
export async function openFolders<R extends Registries>(
  choices: readonly Choosing[],
  registries: R,
): Promise<R> {
  const known = await withOwnTasks(choices, registries);
  const isBrought = (id: string) => Object.values(known.models).some((one) => one.id === id && one.locate);
  if (choices.every(({ model }) => model.path === undefined && !model.adapter && !isBrought(model.id))) {
    return known;
  }
  // Loaded when needed: models bring the GPU's part of the program along.
  const { withModelFolders } = await import("./chosen_models.ts");
  return { ...known, models: await withModelFolders(choices, known.models) };
}

/** The registries with a task for data of the user's that one of the choices is about. */
export async function withOwnTasks<R extends Registries>(
  choices: readonly OwnChoice[],
  registries: R,
): Promise<R> {
  const ids = new Set(Object.values(registries.tasks).map(({ id }) => id));
  const lacking = choices.flatMap(({ task: { id, data, layout } = { id: "" } }) =>
    layout && !ids.has(id) ? [{ id, data, layout }] : []
  );
  if (lacking.length === 0) return registries;
  // Loaded when needed: most runs are of tasks that ship.
  const { ownTaskOf } = await import("./own_task.ts");
  return joinEntries(registries, {
    tasks: Object.fromEntries(lacking.map((task) => [task.id, ownTaskOf(task)])),
  });
}

/**
 * Resolves one run. Uses no GPU and reads no weights.
 *
 * @param config as it was asked for, e.g. from JSON
 * @throws {UserError} for unknown names, values out of range, and files that changed since they were noted
 * @throws {RefusedOptions} for what the method refuses
 * @throws {CheckpointError} where the model's folder cannot be read, or does not fit its own config
 * @throws {DataError} where data can't be read, or are none that the task takes
 */
export async function resolveRun<R extends Registries>(
  config: RunConfig,
  registries: R,
): Promise<ResolvedRun<R>> {
  const known = await openFolders([config], registries);
  const [run] = await resolveRuns([completeConfig(config, known)], known);
  return run!;
}

/**
 * Resolves runs whose options are filled in. What is alike is looked at once, each file too.
 *
 * @param registries with the folders of their models, see `openFolders`
 * @throws as `resolveRun` does
 */
export async function resolveRuns<R extends Registries>(
  configs: readonly RunConfig[],
  registries: R,
): Promise<ResolvedRun<R>[]> {
  const tasks = new Map<string, RunConfig["task"]>(), models = new Map<string, RunConfig["model"]>();
  // Runs that differ in method, rate and seed share these objects: nothing is made of them twice.
  const seen = new Map<RunConfig["task"], Map<RunConfig["model"], Omit<Found<R>, "method">>>();
  const methods = new Map<string, R["optimizers"][string]>();
  const texts = new Map<string, TextFile>();
  const runs: ResolvedRun<R>[] = [];
  for (const config of configs) {
    const ofTask = seen.get(config.task) ?? new Map<RunConfig["model"], Omit<Found<R>, "method">>();
    seen.set(config.task, ofTask);
    let found = ofTask.get(config.model);
    if (!found) {
      const task = await once(tasks, config.task, async () => {
        return (await withDataFingerprint(config, registries.tasks)).task;
      });
      const model = await once(
        models,
        [config.model, task],
        () => completeModel({ ...config, task }, registries),
      );
      found = {
        choices: { task, model },
        task: lookup("task", registries.tasks, task.id, task.module) as R["tasks"][string],
        model: resolveModel(model, registries.models) as R["models"][string],
      };
      ofTask.set(config.model, found);
    }
    const { id, module } = config.optimizer;
    const method = methods.get(id) ??
      lookup("optimizer", registries.optimizers, id, module) as R["optimizers"][string];
    methods.set(id, method);
    const { choices, ...parts } = found;
    const retain = config.retain &&
      await once(texts, config.retain, () => withTextFingerprint(config.retain!, config.model.id));
    runs.push({ ...parts, method, config: { ...config, ...choices, ...(retain && { retain }) } });
  }
  return runs;
}

/** What the choices of a config came to. */
interface Found<R extends Registries> extends Omit<ResolvedRun<R>, "config"> {
  readonly choices: Pick<RunConfig, "task" | "model">;
}

/** The model's choice with the fingerprint of its folder, and the head that classifies the task's images or texts. */
async function completeModel(config: RunConfig, registries: Registries): Promise<RunConfig["model"]> {
  const { path, adapter } = config.model;
  if (path === undefined && !adapter && resolveModel(config.model, registries.models).family !== "encoder") {
    return config.model;
  }
  const [{ withModelFingerprint }, { withHeadChoice }] = await Promise.all([
    import("./chosen_models.ts"),
    import("./heads.ts"),
  ]);
  return (await withHeadChoice(await withModelFingerprint(config), registries)).model;
}

/** A text with the fingerprint of its file. */
async function withTextFingerprint(text: TextFile, model: string): Promise<TextFile> {
  const { fingerprintOfText } = await import("./retained_text.ts");
  return { ...text, fingerprint: await fingerprintOfText(text, model) };
}

/** `find()`, asked once for equal choices. */
async function once<T>(known: Map<string, T>, choice: unknown, find: () => Promise<T>): Promise<T> {
  const key = canonicalJson(choice), found = known.get(key) ?? await find();
  known.set(key, found);
  return found;
}
