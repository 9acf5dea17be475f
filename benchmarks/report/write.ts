/** @file Puts a report on disk. */
import { system } from "../../system/mod.ts";
import type { Registries } from "../../training/configuration.ts";
import { prepareFolder, removeFile, sweepUp, writeWhole } from "../../files/write_file.ts";
import type { GpuRates } from "../cost/growth/predict.ts";
import { withDescribed } from "../sweep/described.ts";
import { withFoldersLeft } from "./folders_left.ts";
import { UserError } from "../../errors/user_error.ts";
import type { ComparedSweep } from "./against/compared_sweep.ts";
import { buildReport, reportedResults } from "./build.ts";
import { charts } from "./charts/mod.ts";
import { measurementsToCsv, toCsv } from "./csv.ts";
import type { PeftRuns } from "./exports/from_peft.ts";
import { scoreBesidePeft } from "./exports/peft_beside.ts";
import { FOREST, forestToCsv, forestToSvg } from "./drawing/forest_svg.ts";
import { type Exported, type ExportKind, writeExports } from "./exports/write_exports.ts";
import { toHtml } from "./html.ts";
import { againstToMarkdown, toMarkdown } from "./markdown.ts";
import { readOutputFolder } from "./output_folder.ts";
import { renderSvg } from "./render.ts";
import type { Report } from "./report.ts";
import { siteLink } from "./page/site_link.ts";

/** A report and its files, not written yet. */
export interface MadeReport {
  readonly report: Report;
  /** By path below the report's folder. */
  readonly files: ReadonlyMap<string, string>;
  /** Sentences about files that couldn't be used. */
  readonly faults: readonly string[];
  /** What files for other programs are made from. */
  readonly exported: Exported;
}

/** Where a comparison lies by itself. */
const AGAINST = "against.md";

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
  /** The margin of “same”, instead of the plan's. */
  readonly margin?: number;
  /** Results of PEFT's method comparison to show beside. */
  readonly peft?: PeftRuns;
  /** The output folder of a sweep to compare this one with. */
  readonly against?: string;
  /** How a page for other machines tells the command that made it, from how it was typed. */
  readonly typed?: (command: string) => string;
  /** The address of a site, or a path from the report to it, that the page links to with its runs. */
  readonly site?: string;
  /** Files for other programs. */
  readonly exports?: ReadonlySet<ExportKind>;
}

/**
 * Builds the report of an output folder from its JSON files: `index.html`, `summary.md`, `results.csv`,
 * `measurements.csv`, `charts/<id>.vl.json` and `.svg`, and `against.md` where there is something to compare with. Writes
 * nothing.
 *
 * @throws {UserError} where the folder isn't there or holds nothing to report on, or that to compare with isn't another one
 */
export async function makeReport(
  out: string,
  registries: Registries,
  { gpu, margin, peft, against: other, site, typed = (command) => command }: ReportWishes = {},
): Promise<MadeReport> {
  const { plan: found, verdict, stored: results, bases, faults, setAside } = await readOutputFolder(
    out,
    "report on",
  );
  const plan = found && { ...found, command: typed(found.command) };
  const against = other === undefined ? null : await readOther(other, out);
  // Paths differ from machine to machine, and the report shouldn't.
  const portable = faults.map((sentence) => sentence.replaceAll(`${out}/`, ""));
  const configs = [...plan?.runs ?? [], ...results, ...against?.results ?? []].map(({ config }) => config);
  const known = withDescribed(await withFoldersLeft(configs, registries), [
    plan?.described,
    against?.plan?.described,
  ]);
  const report = buildReport(
    {
      plan,
      verdict,
      stored: results,
      bases,
      faults: portable,
      setAside,
      ...(gpu && { gpu }),
      ...(margin !== undefined && { margin }),
      ...(peft && { peft }),
      ...(against && { against }),
    },
    known,
  );
  const files = new Map<string, string>(), svgs: string[] = [];
  const forest = report.forest && forestToSvg(report.forest);
  if (report.forest && forest) {
    files.set(`charts/${FOREST}.svg`, `${forest}\n`);
    files.set(`charts/${FOREST}.csv`, forestToCsv(report.forest));
  }
  for (const { chart, spec } of report.charts) {
    const svg = await renderSvg(spec, chart.id);
    svgs.push(svg);
    files.set(`charts/${chart.id}.vl.json`, `${JSON.stringify(spec, null, 1)}\n`);
    files.set(`charts/${chart.id}.svg`, `${svg}\n`);
  }
  const reported = reportedResults(plan, results);
  files.set("results.csv", toCsv(reported, bases));
  files.set("measurements.csv", measurementsToCsv(reported));
  files.set("summary.md", toMarkdown(report));
  const linked = plan ?? { name: report.name, question: report.question, runs: reported };
  const link = site === undefined ? null : await siteLink(site, {
    name: linked.name,
    question: linked.question,
    configs: linked.runs.map(({ config }) => config),
  }, plan?.asks);
  files.set("index.html", await toHtml(report, svgs, link));
  if (against) files.set(AGAINST, againstToMarkdown(report));
  return {
    report,
    files,
    faults: [...faults, ...against?.faults ?? [], ...peft?.faults ?? []],
    exported: {
      report,
      results: reported,
      svgs: [
        ...forest ? [{ id: FOREST, svg: forest }] : [],
        ...report.charts.map(({ chart }, i) => ({ id: chart.id, svg: svgs[i]! })),
      ],
      registries: known,
    },
  };
}

/**
 * Makes the report of an output folder and writes it to `<out>/report/`, with the exports that are wished for.
 *
 * @throws {UserError} where the folder isn't there or can't be written
 */
export async function writeReport(
  out: string,
  registries: Registries,
  wishes: ReportWishes = {},
): Promise<WrittenReport> {
  const { report, files, faults, exported } = await makeReport(out, registries, wishes);
  const folder = `${out}/report`;
  for (const path of [folder, `${folder}/charts`]) {
    await prepareFolder(path);
    await sweepUp(path);
  }
  // A chart that an earlier report had and this one hasn't would look like part of this one.
  for (const { id } of [...charts, scoreBesidePeft, { id: FOREST }]) {
    await Promise.all(
      [`${id}.vl.json`, `${id}.csv`, `${id}.svg`, `${id}.png`, `${id}.pdf`].map((name) =>
        removeFile(`${folder}/charts/${name}`)
      ),
    );
  }
  await removeFile(`${folder}/${AGAINST}`);
  for (const [path, text] of files) await writeWhole(`${folder}/${path}`, text);
  const left = await writeExports(folder, wishes.exports ?? new Set(), exported);
  return { report, page: `${folder}/index.html`, faults: [...faults, ...left] };
}

/** The sweep in another folder. Its faults name files, not the folder, whose path is this machine's. */
async function readOther(other: string, out: string): Promise<ComparedSweep> {
  const { plan, stored, bases, faults } = await readOutputFolder(other, "compare with");
  if (await system.realPath(other) === await system.realPath(out)) {
    throw new UserError(`Cannot compare "${out}" with "${other}": it is the same folder`);
  }
  const results = reportedResults(plan, stored);
  if (results.length === 0) {
    throw new UserError(
      `Cannot compare with "${other}": no run of it can be used${faults[0] ? ` (${faults[0]})` : ""}`,
    );
  }
  return { plan, results, bases, faults: faults.map((sentence) => sentence.replaceAll(`${other}/`, "")) };
}
