/** @file A stored run as files for other programs: an adapter in PEFT's format, and the whole model with its weights merged. */
import { UserError } from "../../errors/user_error.ts";
import { hubPlaceOf } from "../../files/hub_place.ts";
import { prepareFolder, writeWhole } from "../../files/write_file.ts";
import { encodeSafetensors } from "../../models/checkpoints/write_safetensors.ts";
import { readPeftFolder } from "../../models/adapters/read_peft.ts";
import type { ModelEntry } from "../../models/entry.ts";
import { isOfKind } from "../../models/parameter_kind.ts";
import { type Library, resolveModel } from "../configuration.ts";
import { lookup } from "../lookup.ts";
import { openFolders } from "../resolve/resolve.ts";
import { withModelFingerprint } from "../resolve/chosen_models.ts";
import { writeMerged } from "./merge.ts";
import { type DoneRun, modelCard } from "./model_card.ts";
import { type AdapterForm, toPeft } from "./peft_adapter.ts";
import { onTopOf, readTrained } from "./trained_run.ts";

/** What may be written of a run. */
export const EXPORT_FORMS = ["native", "portable", "merged"] as const;
/** One of them. */
export type ExportForm = typeof EXPORT_FORMS[number];

/** How a run is exported. */
export interface ExportRequest {
  /** The file that `--keep trained` wrote of it. */
  readonly trained: string;
  /** The folder that gets a folder of each form. */
  readonly to: string;
  /** Where absent: both adapters, as far as there are, or else the whole model. */
  readonly forms?: readonly ExportForm[];
  /** The base model's name in adapters; where absent the Hub's name for it, its path, or the project's name. */
  readonly base?: string;
  /** What the base scored on the run's examples. */
  readonly baseScore: number | null;
}

/** What was written. */
export interface ExportedRun {
  /** Folders by form. */
  readonly written: readonly { readonly form: ExportForm; readonly folder: string }[];
  /** Why forms are missing. */
  readonly notes: readonly string[];
}

/**
 * Exports a run.
 *
 * @throws {UserError} where the run's weights were not kept, where it began with random weights, for a form that was asked for and
 * does not exist, and where the model's files have changed
 * @throws {CheckpointError} where weights can't be read or written
 */
export async function exportRun(
  run: DoneRun,
  library: Library,
  request: ExportRequest,
): Promise<ExportedRun> {
  const { to, forms, baseScore } = request, { id, config } = run;
  const known = await openFolders([config], library);
  const entry: ModelEntry = resolveModel(config.model, known.models);
  if (!entry.pretrained) {
    throw new UserError(
      `Cannot export run ${id}: its model "${entry.id}" began with random weights, which no file has`,
    );
  }
  await withModelFingerprint(config);
  const own = await readTrained(request.trained, run, entry);
  const start = entry.adapter === undefined ? null : await readPeftFolder(entry.adapter);
  const trained = start ? onTopOf(start, own) : own;
  const fetched = hubPlaceOf(config.model.path ?? "");
  const base = request.base ?? fetched?.repository ?? config.model.path ?? entry.id;
  const modules = entry.parameters.filter(({ shape }) => shape.length === 2).map(({ name }) =>
    name.replace(/\.weight$/, "")
  );
  const revision = request.base === undefined && fetched ? fetched.commit : null;
  const names = entry.parameters.map(({ name }) => name);
  const facts = {
    ...{ config, family: entry.family, base, revision, modules },
    biases: names.filter((name) => isOfKind("biases", name)),
    // An embedding that is the head too.
    shared: entry.family === "encoder-decoder" ||
        (entry.family === "decoder" && !names.includes("lm_head.weight"))
      ? names.filter((name) => isOfKind("embeddings", name))
      : [],
  };
  const adapters = new Map(
    (["native", "portable"] as const).map((form) =>
      [form, typeof trained === "string" ? trained : toPeft(trained, form, facts)] as const
    ),
  );
  const isThere = (form: AdapterForm) => typeof adapters.get(form) !== "string";
  const missing = (["native", "portable"] as const).filter((form) => !isThere(form)).map((form) =>
    `There is no ${form} adapter of run ${id}: ${adapters.get(form)}`
  );
  const wanted = forms ??
    (isThere("portable")
      ? ["native", "portable"]
      : [...isThere("native") ? ["native"] as const : [], "merged"]);
  for (const form of wanted) {
    if (form !== "merged" && !isThere(form)) {
      throw new UserError(
        `Cannot export run ${id} as ${form}: ${adapters.get(form)}; merged has its whole model`,
      );
    }
  }
  const method = lookup("optimizer", library.optimizers, config.optimizer.id, config.optimizer.module);
  const task = Object.values(known.tasks).find((one) => one.id === config.task.id);
  const written: { form: ExportForm; folder: string }[] = [];
  for (const form of wanted) {
    const folder = `${to}/${form}`;
    await prepareFolder(folder);
    if (form === "merged") await writeMerged(folder, entry, start ? [start, own] : [own]);
    else {
      const { config: fields, tensors } = adapters.get(form) as Exclude<ReturnType<typeof toPeft>, string>;
      await writeWhole(`${folder}/adapter_config.json`, `${JSON.stringify(fields, null, 2)}\n`);
      await writeWhole(`${folder}/adapter_model.safetensors`, encodeSafetensors(tensors, { format: "pt" }));
    }
    const card = modelCard(run, {
      ...{ form, base, baseScore, method: method.title, source: method.source },
      task: task?.title ?? config.task.id,
      metric: task?.metric.name ?? "score",
    });
    await writeWhole(`${folder}/README.md`, card);
    written.push({ form, folder });
  }
  return { written, notes: forms ? [] : missing };
}
