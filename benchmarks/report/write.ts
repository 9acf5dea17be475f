/** @file Puts a report on disk. */
import type { Registries } from "../../training/configuration.ts";
import { prepareFolder, writeWhole } from "../files.ts";
import type { GpuRates } from "../growth/predict.ts";
import { withFoldersLeft } from "../model_folders.ts";
import { type Plan, readPlan } from "../plan.ts";
import { openBases, openStore } from "../store.ts";
import { UserError } from "../../training/user_error.ts";
import { buildReport, reportedResults } from "./build.ts";
import { charts } from "./charts/mod.ts";
import { measurementsToCsv, toCsv } from "./csv.ts";
import { toHtml } from "./html.ts";
import { toMarkdown } from "./markdown.ts";
import { renderSvg } from "./render.ts";
import type { Report } from "./report.ts";

/** A report and its files, not written yet. */
export interface MadeReport {
  readonly report: Report;
  /** By path below the report's folder. */
  readonly files: ReadonlyMap<string, string>;
  /** Sentences about files that couldn't be used. */
  readonly faults: readonly string[];
}

/** A report on disk. */
export interface WrittenReport {
  readonly report: Report;
  /** Path of the page. */
  readonly page: string;
  /** Sentences about files that couldn't be used. */
  readonly faults: readonly string[];
}

/**
 * Builds the report of an output folder from its JSON files: `index.html`, `summary.md`, `results.csv`,
 * `measurements.csv`, and `charts/<id>.vl.json` and `.svg`. Writes nothing.
 *
 * @param gpu what predictions are for, instead of the plan's
 * @throws {UserError} where the folder isn't there or holds nothing to report on
 */
export async function makeReport(
  out: string,
  registries: Registries,
  gpu?: GpuRates,
): Promise<MadeReport> {
  const { plan, faults: planFaults } = await planOf(out);
  const stored = await openStore(out).read(), bases = await openBases(out).read();
  const faults = [...planFaults, ...[...stored.faults, ...bases.faults].map((fault) => fault.sentence)];
  if (!plan && stored.results.size === 0 && faults.length === 0) {
    throw new UserError(`Cannot report on "${out}": there are no results in ${out}/runs`);
  }
  const results = [...stored.results.values()];
  // Paths differ from machine to machine, and the report shouldn't.
  const portable = faults.map((sentence) => sentence.replaceAll(`${out}/`, ""));
  const configs = [...plan?.runs ?? [], ...results].map(({ config }) => config);
  const report = buildReport(
    {
      plan,
      stored: results,
      bases: [...bases.results.values()],
      faults: portable,
      setAside: [...stored.setAside, ...bases.setAside],
      ...(gpu && { gpu }),
    },
    await withFoldersLeft(configs, registries),
  );
  const files = new Map<string, string>(), svgs: string[] = [];
  for (const { chart, spec } of report.charts) {
    const svg = await renderSvg(spec, chart.id);
    svgs.push(svg);
    files.set(`charts/${chart.id}.vl.json`, `${JSON.stringify(spec, null, 1)}\n`);
    files.set(`charts/${chart.id}.svg`, `${svg}\n`);
  }
  const reported = reportedResults(plan, results);
  files.set("results.csv", toCsv(reported));
  files.set("measurements.csv", measurementsToCsv(reported));
  files.set("summary.md", toMarkdown(report));
  files.set("index.html", await toHtml(report, svgs));
  return { report, files, faults };
}

/**
 * Makes the report of an output folder and writes it to `<out>/report/`.
 *
 * @param gpu what predictions are for, instead of the plan's
 * @throws {UserError} where the folder isn't there or can't be written
 */
export async function writeReport(
  out: string,
  registries: Registries,
  gpu?: GpuRates,
): Promise<WrittenReport> {
  const { report, files, faults } = await makeReport(out, registries, gpu);
  const folder = `${out}/report`;
  await prepareFolder(`${folder}/charts`);
  // A chart that an earlier report had and this one hasn't would look like part of this one.
  for (const { id } of charts) {
    await Promise.all(
      [`${id}.vl.json`, `${id}.svg`].map((name) => removeIfThere(`${folder}/charts/${name}`)),
    );
  }
  for (const [path, text] of files) await writeWhole(`${folder}/${path}`, text);
  return { report, page: `${folder}/index.html`, faults };
}

async function planOf(out: string): Promise<{ readonly plan: Plan | null; readonly faults: string[] }> {
  try {
    return { plan: await readPlan(out), faults: [] };
  } catch (error) {
    if (error instanceof UserError) return { plan: null, faults: [error.message] };
    throw error;
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
