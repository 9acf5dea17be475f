/** @file Puts what other programs read beside a report. */
import { system } from "../../../system/mod.ts";
import type { Registries } from "../../../training/configuration.ts";
import type { RunResult } from "../../../training/run.ts";
import { UserError } from "../../../errors/user_error.ts";
import { isMissing, prepareFolder, reasonOf, WriteError, writeWhole } from "../../../files/write_file.ts";
import { titleOfTask } from "../../study/make_study.ts";
import type { Report } from "../report.ts";
import { toHistory } from "./history.ts";
import { toLatex } from "./latex.ts";
import { peftFileName, toPeft } from "./to_peft.ts";

/** What a report can be asked for beside its own files, which takes time or many files. */
export const exportKinds = ["latex", "pdf", "peft", "png", "wandb"] as const;
/** One of them. */
export type ExportKind = typeof exportKinds[number];

/** What exports are made from. */
export interface Exported {
  readonly report: Report;
  readonly results: readonly RunResult[];
  readonly svgs: readonly { readonly id: string; readonly svg: string }[];
  /** With an entry for each folder that models are taken from, as far as these are there. */
  readonly registries: Registries;
}

/**
 * Writes exports of some kinds into a report's folder, and removes those that an earlier report left: `charts/<id>.png`,
 * `exports/latex/*`, `exports/wandb/<run>.jsonl` and `exports/peft/<experiment>.json`.
 *
 * @returns sentences about runs that could not be exported
 */
export async function writeExports(
  folder: string,
  kinds: ReadonlySet<ExportKind>,
  { report, results, svgs, registries }: Exported,
): Promise<string[]> {
  const left: string[] = [];
  for (const kind of ["latex", "peft", "wandb"] as const) {
    await removeFolder(`${folder}/exports/${kind}`);
    if (kinds.has(kind)) await prepareFolder(`${folder}/exports/${kind}`);
  }
  if (kinds.has("wandb")) {
    for (const result of results) {
      await writeWhole(`${folder}/exports/wandb/${result.id}.jsonl`, toHistory(result));
    }
  }
  if (kinds.has("latex")) {
    for (const [name, text] of toLatex(report, registries)) {
      await writeWhole(`${folder}/exports/latex/${name}`, text);
    }
  }
  if (kinds.has("peft")) {
    for (const result of results) {
      if (result.status !== "done") continue;
      try {
        const exported = toPeft(
          result,
          registries,
          titleOfTask(result.config.task.id, registries, result),
        );
        // As Python's json.dump(…, indent=2) writes it.
        await writeWhole(
          `${folder}/exports/peft/${peftFileName(result)}`,
          JSON.stringify(exported, null, 2),
        );
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        left.push(error.message);
      }
    }
  }
  if (kinds.has("pdf")) {
    const { toPdf } = await import("./pdf.ts");
    for (const { id, svg } of svgs) await writeWhole(`${folder}/charts/${id}.pdf`, await toPdf(svg));
  }
  if (kinds.has("png")) {
    // Loaded when needed: no other report should wait for the renderer.
    const { toPng } = await import("./png.ts");
    for (const { id, svg } of svgs) await writeWhole(`${folder}/charts/${id}.png`, await toPng(svg));
  }
  return left;
}

async function removeFolder(path: string): Promise<void> {
  try {
    await system.remove(path, { recursive: true });
  } catch (error) {
    if (isMissing(error)) return;
    throw new WriteError(`Cannot remove ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
