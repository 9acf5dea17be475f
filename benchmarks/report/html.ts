/**
 * @file A report as one HTML file that works offline: filters, tooltips and runs by a script in it, all charts without one.
 *
 * Names of methods, titles of data sets and errors come from files that others may have written: the template escapes all
 * text, and what the script gets is packed. The page's Content-Security-Policy blocks all network requests, and all scripts
 * but its own.
 */
import { formatCount, formatNumber, formatRank, formatRate } from "./format.ts";
import { chartData } from "./page/chart_data.ts";
import { EVIDENCE, packEvidence } from "./page/evidence.ts";
import { FOREST } from "./drawing/forest_svg.ts";
import { filtersOf } from "./page/filters.ts";
import type { Filter, PageData } from "./page/page_data.ts";
import { forestToHtml } from "./page/forest_html.ts";
import script from "./page/page.js" with { type: "text" };
import { pack } from "./page/payload.ts";
import { style } from "./page/style.ts";
import { scoreboardToHtml } from "./page/scoreboard_html.ts";
import { readDrawingScript, readVegaScript } from "./page/scripts.ts";
import { hasMore, type Looks, tableToHtml } from "./page/table_html.ts";
import tablesScript from "./page/tables.js" with { type: "text" };
import type { Chart } from "./charts/chart.ts";
import { AXIS_CHARTS } from "./charts/by_axis.ts";
import { ANSWER_CHARTS, WHY_CHARTS } from "./charts/mod.ts";
import { MOST_WORDS } from "./headline.ts";
import { lines, Markup, markup } from "./markup.ts";
import type { Report } from "./report.ts";
import type { Table } from "./table.ts";

const statuses: PageData["statuses"] = {
  done: "Finished.",
  diverged: "Diverged: the loss or a gradient stopped being finite. It has no score and counts as a finding.",
  failed: "Failed through a fault of ours: left out, and tried again by the next sweep.",
  missing: "Not run yet.",
};

/** Tables that stand open among the details. */
const LEAD_TABLES = ["Over all tasks", "Comparisons"];

/** Notes of more characters are folded. */
const LONG_NOTE = 320;

/** Caveats that are shown at once. */
const FEW_CAVEATS = 4;

/** Characters of drawings for browsers without scripts: of what is folded and larger, the page names the file. */
const MOST_STILLS = 3e6;

/**
 * The whole page.
 *
 * @param svgs the charts drawn, in the order of `report.charts`
 * @param site the address that opens a site with the report's runs; null where there is none
 */
export async function toHtml(
  report: Report,
  svgs: readonly string[],
  site: string | null = null,
): Promise<string> {
  const filters = filtersOf(report.runs);
  const data: PageData = { filters, runs: report.runs, statuses, command: report.command };
  const packed = await Promise.all([
    packElement("page", data),
    packedElement(EVIDENCE, await packEvidence(report.evidence)),
    ...report.forest ? [packElement(FOREST, report.forest)] : [],
    ...report.charts.map(({ chart, drawing }) => packElement(chart.id, chartData(drawing))),
  ]);
  const scripts = [await readVegaScript(), await readDrawingScript(), tablesScript, script];
  const dotOf = (text: string) => dot(text, report);
  const ids = new Map(report.runs.map(({ task, taskTitle }) => [taskTitle, task]));
  const looks: Looks = { dot: dotOf, taskId: (text) => ids.get(text) ?? null };
  const figures = figuresOf(report, svgs);
  const isLead = ({ title }: Table) => LEAD_TABLES.includes(title);
  const lead = report.tables.filter(isLead), others = report.tables.filter((table) => !isLead(table));
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${Markup.asIs(await policy(style, scripts))}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${report.name}: ${report.question}</title>
<style>${Markup.asIs(style)}</style>
</head>
<body>
<a class="skip" href="#answer">To the answer</a>
<div class="page">
<aside class="side" aria-label="Contents">
${contents(report, figures, lead.length > 0, others.length > 0)}
</aside>
<main>
${filtersToHtml(filters, report)}
<header>
<p class="eyebrow">Sweep “${report.name}”, ${formatCount(report.runs.length, "run")}</p>
<h1>${report.question}</h1>
</header>
<section id="answer" aria-labelledby="answer-title">
<h2 id="answer-title">Answer</h2>
${headlineToHtml(report, looks)}
${report.forest && forestToHtml(report.forest, dotOf)}
${caveatsToHtml(report.caveats)}
${report.scoreboard && scoreboardToHtml(report.scoreboard, dotOf)}
${methodsToHtml(report)}
${lines(figures.answer)}
</section>
${
    figures.why.length > 0
      ? markup`<section id="why" aria-labelledby="why-title">
<h2 id="why-title">Why</h2>
<p class="note">How far each method's step is from that of full fine-tuning, and whether that goes with the score.</p>
${lines(figures.why)}
</section>`
      : null
  }
<section id="details" aria-labelledby="details-title">
<h2 id="details-title">Details</h2>
${
    report.answer.length > 0
      ? markup`<details class="part" id="findings"><summary>All that was found, in sentences</summary>
${lines(report.answer.map((sentence) => markup`<p>${sentence}</p>`))}
</details>`
      : null
  }
${
    lines(lead.map((table, i) =>
      markup`<section class="part"${i === 0 ? markup` id="comparisons"` : null}>
<h3 id="${idOf(table)}">${table.title}</h3>
${tablePartToHtml(table, looks)}
</section>`
    ))
  }
${
    figures.folded.length > 0
      ? markup`<h3 id="charts">More charts</h3>
${lines(figures.folded)}`
      : null
  }
${
    others.length > 0
      ? markup`<h3 id="tables">More tables</h3>
${
        lines(others.map((table) =>
          markup`<details class="part" id="${idOf(table)}"><summary>${table.title}</summary>
${tablePartToHtml(table, looks)}
</details>`
        ))
      }`
      : null
  }
${runsToHtml(report)}
<h3 id="environment">How it was made</h3>
${report.command === null ? null : commandToHtml(report.command)}
${
    site === null
      ? null
      : markup`<p><a href="${site}">Run this comparison in a browser</a>, on the GPU of the machine that you \
read this on.</p>`
  }
<dl>
${lines(report.environment.map(([name, value]) => markup`<dt>${name}</dt><dd>${value}</dd>`))}
</dl>
</section>
</main>
</div>
<div class="tooltip" id="tooltip" role="tooltip" hidden></div>
<div class="panel" id="run-panel" role="dialog" aria-labelledby="run-panel-title" tabindex="-1" hidden>
<header><h2 id="run-panel-title">Run</h2><button type="button" class="close">Close</button></header>
<div class="body"></div>
</div>
${lines(packed)}
${lines(scripts.map((text) => markup`<script>${inScript(text)}</script>`))}
</body>
</html>
`.text;
}

/** No request, no frame, no form, and no style or script but these. */
async function policy(style: string, scripts: readonly string[]): Promise<string> {
  const hash = async (text: string) => {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return `'sha256-${new Uint8Array(digest).toBase64()}'`;
  };
  const hashes = await Promise.all(scripts.map(hash));
  return [
    "default-src 'none'",
    `style-src ${await hash(style)}`,
    `script-src ${hashes.join(" ")}`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

/** A script as it may stand in a page. */
function inScript(text: string): Markup {
  if (/<\/script|<!--/i.test(text)) throw new Error("Cannot put a script into a page: its text would end it");
  return Markup.asIs(text);
}

async function packElement(name: string, value: unknown): Promise<Markup> {
  return packedElement(name, await pack(value));
}

function packedElement(name: string, packed: string): Markup {
  return markup`<script type="text/plain" id="data-${name}">${packed}</script>`;
}

/** The figures of a page, by the part that they stand in. */
interface Figures {
  readonly answer: readonly Markup[];
  readonly why: readonly Markup[];
  readonly folded: readonly Markup[];
}

/** Beside the picture of differences three charts are shown, what speaks of scores first; the others are folded. */
function figuresOf(report: Report, svgs: readonly string[]): Figures {
  const ids = report.charts.map(({ chart }) => chart.id);
  const present = (wanted: readonly string[], most: number) =>
    wanted.filter((id) => ids.includes(id)).slice(0, most);
  // What a sweep varied is what its question is about.
  const varied = report.scoreboard ? ids.filter((id) => id.startsWith(AXIS_CHARTS)) : [];
  const answer = present([...varied, ...ANSWER_CHARTS], report.forest ? 1 : 2), why = present(WHY_CHARTS, 2);
  let stills = 0;
  const figureAt = (i: number, isFolded: boolean) => {
    const svg = svgs[i]!, isHeld = !isFolded || (stills += svg.length) <= MOST_STILLS;
    return figure(report.charts[i]!.chart, isHeld ? svg : null, isFolded);
  };
  const shown = (wanted: readonly string[]) => wanted.map((id) => figureAt(ids.indexOf(id), false));
  return {
    answer: shown(answer),
    why: shown(why),
    folded: ids.flatMap((id, i) => [...answer, ...why].includes(id) ? [] : [figureAt(i, true)]),
  };
}

function contents(report: Report, figures: Figures, compared: boolean, tables: boolean): Markup {
  const link = (id: string, title: string) => markup`<li><a href="#${id}">${title}</a></li>`;
  return markup`<nav aria-label="Parts of this page"><details open><summary>Contents</summary>
<ol>
${link("answer", "Answer")}
${report.caveats.length > 0 ? link("caveats", "Before believing it") : null}
${report.scoreboard ? link("scoreboard", "Scoreboard") : null}
${figures.why.length > 0 ? link("why", "Why") : null}
${link("details", "Details")}
${compared ? link("comparisons", "Comparisons") : null}
${figures.folded.length > 0 ? link("charts", "More charts") : null}
${tables ? link("tables", "More tables") : null}
${link("runs", "Runs")}
</ol>
</details></nav>`;
}

function headlineToHtml({ headline, predicted, forgetting, caveats }: Report, looks: Looks): Markup {
  const { verdict, claim, what, sure, change, command } = headline;
  const against = caveats.length === 0
    ? null
    : markup` <a href="#caveats">${formatCount(caveats.length, "caveat")}</a>.`;
  const isLong = verdict.split(" ").length > MOST_WORDS;
  return markup`<p class="${isLong ? "long verdict" : "verdict"}">${verdict}</p>
${
    claim && markup`<ul class="bullets">
<li><strong>Claim</strong> <span>${claim.said}</span></li>
<li><strong>Unlike there</strong> <span>${claim.unlike}</span></li>
</ul>
`
  }${
    predicted && markup`<section class="part" id="predicted">
<h3>${predicted.title}</h3>
${tableToHtml(predicted, looks)}
<p class="note">${predicted.note} ${switchOf(predicted)}</p>
</section>
`
  }<ul class="bullets">
<li><strong>${claim ? "Single comparisons" : "What"}</strong> <span>${what}</span></li>${
    forgetting && markup`
<li><strong>Forgetting</strong> <span>${forgetting}</span></li>`
  }
<li><strong>How sure</strong> <span>${sure}${against}</span></li>
<li><strong>What would change it</strong> <span>${change}${
    command === null ? null : commandToHtml(command)
  }</span></li>
</ul>`;
}

/** A command, with a button that copies it where there is a script. */
function commandToHtml(command: string): Markup {
  return markup`<span class="command"><code>${command}</code><button type="button" class="copy" data-needs-script hidden>Copy</button></span>`;
}

function methodsToHtml({ methods }: Report): Markup | null {
  const known = methods.filter(({ settings }) => settings !== "");
  if (known.length === 0) return null;
  return markup`<details class="part" id="methods"><summary>Methods and their settings</summary>
<dl>
${
    lines(methods.map((method) =>
      markup`<dt>${circle(method)}${method.label}</dt><dd>${method.settings || "—"}</dd>`
    ))
  }
</dl>
</details>`;
}

function filtersToHtml(filters: readonly Filter[], report: Report): Markup {
  const groups = filters.filter(({ values }) => values.length > 1).map((filter) =>
    markup`<details name="filter"><summary>${filter.title} <span data-filter="${filter.parameter}">${filter.all}</span></summary>
<fieldset><legend class="unseen">${filter.title}</legend>
${
      lines(filter.values.map(({ label, value }, i) =>
        markup`<label><input type="checkbox" name="${filter.parameter}" value="${i}">${
          filter.field === "method" ? dot(label, report) : null
        }<span>${label}</span>${filter.field === "task" ? markup` <small>${value}</small>` : null}</label>`
      ))
    }
</fieldset></details>`
  );
  return markup`<form class="filters" id="filters" aria-label="Filters" hidden${
    groups.length > 0 ? markup` data-needs-script` : null
  }>
${lines(groups)}
<button type="reset" disabled>Show all</button>
<span class="filters-state" id="filters-state" role="status"></span>
</form>`;
}

function caveatsToHtml(caveats: readonly string[]): Markup | null {
  if (caveats.length === 0) return null;
  const items = caveats.map((one) => markup`<li>${one}</li>`);
  const shown = items.slice(0, FEW_CAVEATS), folded = items.slice(FEW_CAVEATS);
  return markup`<section class="caveats" id="caveats" aria-labelledby="caveats-title">
<h3 id="caveats-title">Before believing it</h3>
<ul>
${lines(shown)}
</ul>
${
    folded.length > 0
      ? markup`<details><summary>${formatCount(folded.length, "more caveat")}</summary>
<ul>
${lines(folded)}
</ul>
</details>`
      : null
  }
</section>`;
}

/** @param svg for browsers without scripts, and for paper; null where the page would be too large with it */
function figure(chart: Omit<Chart, "draw">, svg: string | null, isFolded: boolean): Markup {
  const [, width, height] = /<svg[^>]* width="([\d.]+)" height="([\d.]+)"/.exec(svg ?? "") ?? [];
  const still = svg === null
    ? markup`<p>This chart is in <a href="charts/${chart.id}.svg">charts/${chart.id}.svg</a>.</p>`
    : Markup.asIs(svg);
  const own = markup`<div class="plot" role="img" aria-label="Chart: ${chart.title}"${
    width && height ? markup` data-width="${width}" data-height="${height}"` : null
  }><noscript>
${still}
</noscript></div>
<figcaption>${chart.caption} <span class="files" data-chart="${chart.id}">Save: <a href="charts/${chart.id}.svg" data-save="svg">SVG</a>
<a href="charts/${chart.id}.vl.json" data-save="json">Vega-Lite</a></span></figcaption>`;
  return isFolded
    ? markup`<details class="part"><summary>${chart.title}</summary>
<figure id="${chart.id}">
${own}
</figure></details>`
    : markup`<figure id="${chart.id}">
<h3>${chart.title}</h3>
${own}
</figure>`;
}

/** What shows the columns of a table that wait; null where none do. */
function switchOf(table: Table): Markup | null {
  return hasMore(table)
    ? markup`<label class="switch" data-needs-script hidden><input type="checkbox" class="show-more"> all statistics</label>`
    : null;
}

function tablePartToHtml(table: Table, looks: Looks): Markup {
  const note = markup`<p class="note">${table.note}</p>`;
  return markup`${
    table.note.length > LONG_NOTE
      ? markup`<details class="how"><summary>How to read it</summary>${note}</details>`
      : note
  }
<p class="tools">${switchOf(table)} <span class="hides" role="status"></span></p>
${tableToHtml(table, looks)}`;
}

function idOf({ title }: Table): string {
  return `table-${slug(title)}`;
}

/** Every run with what it ended in; the script tells the rest of it. */
function runsToHtml(report: Report): Markup {
  const rows = report.runs.map((run) => {
    const cells = [
      [run.taskTitle, markup` <small>${run.task}</small>`],
      markup`${dot(run.method, report)}${run.size === "" ? run.method : `${run.method} ${run.size}`}`,
      formatRank(run.rank),
      formatRate(run.rate),
      String(run.seed),
    ];
    return markup`<tr id="run-${run.id}"><td><a href="#run-${run.id}">${run.id}</a></td>${
      cells.map((cell) => markup`<td>${cell}</td>`)
    }<td class="${run.status}">${run.status}</td><td>${orDash(run.score)}</td><td>${
      orDash(run.validationLoss)
    }</td></tr>`;
  });
  return markup`<section id="runs" aria-labelledby="runs-title">
<h3 id="runs-title">Runs</h3>
<p class="note">Every run by itself; its name leads to what it found, its config and the command that runs it again.</p>
<div class="scroll" role="region" aria-label="List of runs"><table>
<thead><tr>${
    ["Run", "Task", "Method", "Rank", "Learning rate", "Seed", "Status", "Score", "Validation loss"].map((
      name,
    ) => markup`<th scope="col">${name}</th>`)
  }</tr></thead>
<tbody>
${lines(rows)}
</tbody>
</table></div>
</section>`;
}

/** A method's colour before its name; nothing before other text. */
function dot(text: string, { methods }: Report): Markup | null {
  const method = methods.find(({ label }) => label === text);
  return method ? circle(method) : null;
}

function circle({ color }: Report["methods"][number]): Markup {
  return markup`<svg class="dot" viewBox="0 0 10 10" aria-hidden="true"><circle cx="5" cy="5" r="5" fill="${color}"/></svg>`;
}

function orDash(value: number | null): string {
  return value === null ? "—" : formatNumber(value);
}

/** "what-the-papers-sizes-would-cost" for a title: letters and digits of an id. */
function slug(title: string): string {
  return title.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, "-").replaceAll(/^-|-$/g, "");
}
