/** @file A sweep's runs, resolved: listed, with what each names, the files that it is about, and its rate. */
import { listNames } from "../../errors/quote.ts";
import { canonicalJson } from "../../files/canonical_json.ts";
import type { Registries } from "../../training/configuration.ts";
import { openFolders, type ResolvedRun, resolveRuns } from "../../training/resolve/resolve.ts";
import type { RunConfig } from "../../training/run.ts";
import type { ChosenRates } from "../rates/rates.ts";
import { HEADS } from "./method.ts";
import { draftRuns, type Expansion, type SweepSpec, takeRates } from "./sweep.ts";

/** A sweep's runs, and what each names. */
export interface ResolvedExpansion<R extends Registries = Registries> extends Expansion {
  /** One for each config, in the same order. */
  readonly runs: readonly ResolvedRun<R>[];
}

/**
 * Lists a sweep's runs as `expand` does, with the fingerprints of their files, by which rates that were tuned on them are
 * found, and notes of the files in use.
 *
 * @param spec as `override()` gave it
 * @throws {UserError} as `expand` does, and where a model can't have the head that a run names
 * @throws {DataError} where data can't be read, or are none that the task takes
 * @throws {CheckpointError} where a model's folder can't be read or does not fit its own config
 */
export async function expandRuns<R extends Registries>(
  spec: SweepSpec,
  registries: R,
  chosen: ChosenRates | null = null,
  standIn?: number,
): Promise<ResolvedExpansion<R>> {
  const choices = spec.tasks.flatMap(({ task, model }) => model ? [{ task, model }] : []);
  const known = await openFolders(choices, registries);
  const { drafts, notes } = draftRuns(spec, known);
  const resolved = await resolveRuns(drafts.map(({ config }) => config), known);
  const expansion = takeRates(
    spec,
    { notes, drafts: drafts.map((draft, i) => ({ ...draft, config: resolved[i]!.config })) },
    chosen,
    standIn,
  );
  // Rates and seeds leave the method's choice as it is, of which each draft has its own.
  const parts = new Map(resolved.map((run) => [run.config.optimizer, run]));
  const runs = expansion.configs.map((config) => ({ ...parts.get(config.optimizer)!, config }));
  return { ...expansion, notes: [...expansion.notes, ...await describeFiles(resolved)], runs };
}

/** The adapters and the real data in use, and what classifies texts and images. */
export async function describeFiles(runs: readonly ResolvedRun[]): Promise<string[]> {
  const notes = new Set<string>(), seen = new Map<string, string>();
  for (const { config, task: known, model: entry } of runs) {
    const { task, model } = config, { realData } = known;
    if (model.adapter) {
      const { path, fingerprint } = model.adapter;
      notes.add(
        `"${task.id}" begins with the adapter in ${path} (fingerprint ${fingerprint!.slice(0, 16)})`,
      );
    }
    if (model.adapter && model.head !== undefined) {
      // Loaded when needed: what reads texts and images is not needed to list most plans.
      const { classNamesOf, lackOfAdapterHead } = await import("../../training/resolve/heads.ts");
      const lack = await lackOfAdapterHead(config, known, entry);
      notes.add(describeAdapterHead(config, lack, classNamesOf(config)));
    } else if (model.head !== undefined && task.data !== undefined) notes.add(describeHead(config));
    if (task.data === undefined) continue;
    const key = canonicalJson(task);
    if (!seen.has(key)) seen.set(key, describeClasses(await realData?.classNames?.(task.data)));
    const list = seen.get(key)!;
    notes.add(
      `"${task.id}" takes its examples from ${task.data} (fingerprint ${
        task.fingerprint!.slice(0, 16)
      })${list}`,
    );
  }
  return [...notes];
}

function describeHead({ task: { id }, model: { id: name, head, path } }: RunConfig): string {
  return `"${id}" is classified by ${HEADS[head!]} on ${
    path === undefined ? name : `the network in ${path}`
  }`;
}

/** @param lack why the adapter's classifier is not taken; null where it is, or might be */
function describeAdapterHead(config: RunConfig, lack: string | null, names: readonly string[]): string {
  const { model: { head } } = config, said = describeHead(config);
  if (head === "zero-shot") return said;
  if (head === "new") {
    return `${said}: ${
      lack ?? "the adapter's classifier is left out as asked"
    }, so the score before fine-tuning is that of random numbers`;
  }
  return `${said}, which names no classes: they are taken in the data's order${
    names.length === 0 ? "" : `, ${listNames(names)}`
  }`;
}

/** Most classes that a note lists. */
const LISTED = 10;

/** The classes of a folder, which are told by its folders' names: whoever reads them sees where one is none. */
function describeClasses(names: readonly string[] | undefined): string {
  if (!names) return "";
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : "";
  return `, images of ${names.length} classes: ${names.slice(0, LISTED).join(", ")}${more}`;
}
