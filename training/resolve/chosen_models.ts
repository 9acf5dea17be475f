/** @file Models that configs take from folders: read, held against the registry, and told apart by their fingerprints. */
import { withArticle } from "../../errors/quote.ts";
import { fingerprintModel, readModelFolder } from "../../models/checkpoints/model_folder.ts";
import { ADAPTER_FILES, readPeftFolder } from "../../models/adapters/read_peft.ts";
import { lackOfFolder } from "../../models/checkpoints/checkpoint_folder.ts";
import { adapterHead, requireFits } from "../../models/adapters/require_fits.ts";
import { CheckpointError } from "../../models/checkpoints/checkpoint.ts";
import { fingerprintFiles, hashFile } from "../../files/file_hash.ts";
import { lookup } from "../lookup.ts";
import type { ModelEntry } from "../../models/entry.ts";
import type { KnownModel } from "../configuration.ts";
import type { RunConfig } from "../run.ts";
import { validateChangedFiles } from "./fingerprint.ts";
import { UserError } from "../../errors/user_error.ts";

/** Whatever names a model. */
type Choosing = Pick<RunConfig, "model">;

/**
 * The registry with an entry for each folder that one of the configs takes its model from, and with the folders of registered
 * models whose weights are brought when they are asked for.
 *
 * @throws {UserError} where a registered name is given to a model of other sizes
 * @throws {CheckpointError} where a folder cannot be read or does not fit its own config, or weights can't be brought
 */
export async function withModelFolders<M extends KnownModel>(
  configs: readonly Choosing[],
  models: Readonly<Record<string, M>>,
): Promise<Readonly<Record<string, M | ModelEntry>>> {
  const all: Record<string, M | ModelEntry> = { ...models };
  for (const { model: { id, path, adapter } } of configs) {
    const asked = path === undefined && Object.keys(all).find((name) => all[name]!.id === id);
    if (asked && all[asked]!.locate && all[asked]!.folder === undefined) {
      all[asked] = { ...all[asked]!, folder: await all[asked]!.locate!() };
    }
    // No name of an entry has a slash.
    const key = `${path ?? "."}/ as ${id}${adapter ? ` with ${adapter.path}` : ""}`;
    if ((path === undefined && !adapter) || Object.hasOwn(all, key)) continue;
    const registered = Object.values(models).find((model) => model.id === id && model.folder === undefined);
    const lack = path !== undefined && registered ? await lackOfFolder(path) : null;
    if (lack !== null) {
      throw new UserError(
        `Cannot read model "${path}": ${lack}; "${id}", which the harness has, is named in a sweep's file, as a task's model`,
      );
    }
    const entry = path === undefined ? lookup("model", all, id) : await readModelFolder(path, id);
    if (path !== undefined && registered) requireSame(entry as ModelEntry, registered, path);
    all[key] = adapter ? await withAdapter(entry, adapter.path) : entry;
  }
  return all;
}

/** The entry with an adapter's folder. @throws {CheckpointError} where it can't be read, or is of another model */
async function withAdapter<M extends KnownModel | ModelEntry>(entry: M, folder: string): Promise<M> {
  const adapter = await readPeftFolder(folder);
  requireFits(adapter, entry);
  const head = adapterHead(adapter, entry);
  return { ...entry, adapter: folder, ...(head && { adapterHead: head }) };
}

/** A registered name stands for sizes. */
function requireSame(entry: ModelEntry, registered: KnownModel, path: string): void {
  const shapes = ({ parameters }: KnownModel) =>
    new Map(parameters.map(({ name, shape }) => [name, shape.join(", ")]));
  const own = shapes(entry), wanted = shapes(registered);
  const name = [...own.keys(), ...wanted.keys()].find((one) => own.get(one) !== wanted.get(one));
  if (entry.family === registered.family && name === undefined) return;
  const describe = (shape: string | undefined) => shape === undefined ? "absent" : `[${shape}]`;
  throw new UserError(
    `Cannot use ${path} as model "${entry.id}": ` +
      (entry.family === registered.family
        ? `"${name}" is ${describe(own.get(name!))} there, ${describe(wanted.get(name!))} is needed`
        : `it is ${withArticle(entry.family)} model, ${registered.family} is needed`) +
      "; another name stands for whatever is there",
  );
}

/** SHA-256 over an adapter's two files, in hex. @throws {CheckpointError} where one can't be read */
async function fingerprintAdapter(folder: string): Promise<string> {
  return await fingerprintFiles(Object.values(ADAPTER_FILES), async (file) => {
    try {
      return await hashFile(`${folder}/${file}`);
    } catch (error) {
      throw new CheckpointError(`Cannot read adapter "${folder}": ${(error as Error).message}`, {
        cause: error,
      });
    }
  });
}

/**
 * The config with the fingerprint of its model's folder, so that other weights make another run; the same config where the
 * model is the project's.
 *
 * @throws {UserError} where it has one that the files no longer fit
 * @throws {CheckpointError} where the files can't be found
 */
export async function withModelFingerprint<C extends Pick<RunConfig, "model">>(config: C): Promise<C> {
  const { id, path, fingerprint, adapter } = config.model;
  const found = path === undefined ? undefined : await fingerprintModel(path);
  if (found !== undefined) validateChangedFiles(`use model "${id}" from ${path}`, fingerprint, found);
  const own = adapter && await fingerprintAdapter(adapter.path);
  if (own !== undefined) validateChangedFiles(`use adapter ${adapter!.path}`, adapter!.fingerprint, own);
  return {
    ...config,
    model: {
      ...config.model,
      ...(found !== undefined && { fingerprint: found }),
      ...(own !== undefined && { adapter: { ...adapter!, fingerprint: own } }),
    },
  };
}
