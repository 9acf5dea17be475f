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
import type { PeftRuns } from "./exports/from_peft.ts";
import { scoreBesidePeft } from "./exports/peft_beside.ts";
import { type ExportKind, writeExports } from "./exports/write_exports.ts";
import { toHtml } from "./html.ts";
import { toMarkdown } from "./markdown.ts";
import { renderSvg } from "./render.ts";
import type { Report } from "./report.ts";

/** A report on disk. */
export interface WrittenReport {
  readonly report: Report;
  /** Path of the page. */
  readonly page: string;
  /** Sentences about files that couldn't be used. */
  readonly faults: readonly string[];
}

/** What a report may be asked for beyond what its folder says. */
export interface ReportWishes {
  /** What predictions are for, instead of the plan's. */
  readonly gpu?: GpuRates;
  /** Results of PEFT's method comparison to show beside. */
  readonly peft?: PeftRuns;
  /** Files for other programs. */
  readonly exports?: ReadonlySet<ExportKind>;
}

/**
 * Builds the report of an output folder from its JSON files and writes it to `<out>/report/`: `index.html`,
 * `summary.md`, `results.csv`, `measurements.csv`, `charts/<id>.vl.json` and `.svg`, and the exports that are wished for.
 *
 * @throws {UserError} where the folder isn't there or can't be written
 */
export async function writeReport(
  out: string,
  registries: Registries,
  { gpu, peft, exports = new Set() }: ReportWishes = {},
): Promise<WrittenReport> {
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
  const known = await withFoldersLeft(configs, registries);
  const report = buildReport(
    {
      plan,
      stored: results,
      bases: [...bases.results.values()],
      faults: portable,
      setAside: [...stored.setAside, ...bases.setAside],
      ...(gpu && { gpu }),
      ...(peft && { peft }),
    },
    known,
  );
  const folder = `${out}/report`;
  await prepareFolder(`${folder}/charts`);
  // A chart that an earlier report had and this one hasn't would look like part of this one.
  for (const { id } of [...charts, scoreBesidePeft]) {
    await Promise.all(
      [`${id}.vl.json`, `${id}.svg`, `${id}.png`].map((name) => removeIfThere(`${folder}/charts/${name}`)),
    );
  }
  const svgs: string[] = [];
  for (const { chart, spec } of report.charts) {
    const svg = await renderSvg(spec, chart.id);
    svgs.push(svg);
    await writeWhole(`${folder}/charts/${chart.id}.vl.json`, `${JSON.stringify(spec, null, 1)}\n`);
    await writeWhole(`${folder}/charts/${chart.id}.svg`, `${svg}\n`);
  }
  const reported = reportedResults(plan, results);
  await writeWhole(`${folder}/results.csv`, toCsv(reported, [...bases.results.values()]));
  await writeWhole(`${folder}/measurements.csv`, measurementsToCsv(reported));
  await writeWhole(`${folder}/summary.md`, toMarkdown(report));
  await writeWhole(`${folder}/index.html`, toHtml(report, svgs));
  const drawn = report.charts.map(({ chart }, i) => ({ id: chart.id, svg: svgs[i]! }));
  const left = await writeExports(folder, exports, { results: reported, svgs: drawn, registries: known });
  return { report, page: `${folder}/index.html`, faults: [...faults, ...peft?.faults ?? [], ...left] };
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
