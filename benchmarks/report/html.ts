/**
 * @file A report as one HTML file that works offline: filters, tooltips and runs by a script in it, all charts without one.
 *
 * Names of methods, titles of data sets and errors come from files that others may have written: the template escapes all
 * text, and what the script gets is packed. The page's Content-Security-Policy blocks all network requests, and all scripts
 * but its own.
 */
import { formatCount, formatNumber, formatRank, formatRate } from "./format.ts";
import { chartData } from "./page/chart_data.ts";
import { filtersOf } from "./page/filters.ts";
import type { Filter, PageData } from "./page/page_data.ts";
import script from "./page/page.js" with { type: "text" };
import { pack } from "./page/payload.ts";
import style from "./page/style.css" with { type: "text" };
import { readLayOutScript, readVegaScript } from "./page/scripts.ts";
import type { Chart } from "./charts/chart.ts";
import { type Content, lines, Markup, markup } from "./markup.ts";
import type { Report } from "./report.ts";
import type { Table } from "./table.ts";

const statuses: PageData["statuses"] = {
  done: "Finished.",
  diverged: "Diverged: the loss or a gradient stopped being finite. It has no score and counts as a finding.",
  failed: "Failed through a fault of ours: left out, and tried again by the next sweep.",
  missing: "Not run yet.",
};

const chartsHeading = markup`<h2 id="charts">Charts</h2>
<p class="note" data-needs-script hidden>Filters act on all charts and on the list of runs; findings and tables are about
all runs. A click on a mark leads to the runs that it stands for.</p>`;

/** Cells of more characters are broken into lines. */
const LONG_CELL = 60;

/**
 * The whole page.
 *
 * @param svgs the charts drawn, in the order of `report.charts`
 */
export async function toHtml(report: Report, svgs: readonly string[]): Promise<string> {
  const filters = filtersOf(report.runs);
  const data: PageData = { filters, runs: report.runs, statuses, command: report.command };
  const packed = await Promise.all([
    packElement("page", data),
    ...report.charts.map(({ chart, drawing }) => packElement(chart.id, chartData(drawing))),
  ]);
  const scripts = [await readVegaScript(), await readLayOutScript(), script];
  const [first, ...others] = report.tables.map((table) => ({ table, id: `table-${slug(table.title)}` }));
  const tableOf = ({ table, id }: { readonly table: Table; readonly id: string }) =>
    tableToHtml(table, id, report);
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${Markup.asIs(await policy(style, scripts))}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${report.name}: ${report.question}</title>
<style>${Markup.asIs(style)}</style>
</head>
<body>
<a class="skip" href="#answer">To the answer</a>
<div class="page">
<aside class="side" aria-label="Contents">
${contents(report, others.length > 0 ? others : [])}
</aside>
<main>
<p class="eyebrow">Sweep “${report.name}”, ${formatCount(report.runs.length, "run")}</p>
<h1>${report.question}</h1>
<section class="answer" id="answer" aria-labelledby="answer-title">
<h2 id="answer-title">What was found</h2>
${lines(report.answer.map((sentence) => markup`<p>${sentence}</p>`))}
</section>
${caveatsToHtml(report.caveats)}
${first ? tableOf(first) : null}
${filtersToHtml(filters, report)}
${report.charts.length > 0 ? chartsHeading : null}
${lines(report.charts.map(({ chart }, i) => figure(chart, svgs[i]!)))}
${others.length > 0 ? markup`<h2 id="tables">Tables</h2>` : null}
${lines(others.map(tableOf))}
${runsToHtml(report)}
<h2 id="environment">How it was made</h2>
${report.command === null ? null : markup`<p>Made by: <code>${report.command}</code></p>`}
<dl>
${lines(report.environment.map(([name, value]) => markup`<dt>${name}</dt><dd>${value}</dd>`))}
</dl>
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
  return markup`<script type="text/plain" id="data-${name}">${await pack(value)}</script>`;
}

function contents(
  report: Report,
  tables: readonly { readonly table: Table; readonly id: string }[],
): Markup {
  const link = (id: string, title: string, inner: Content = null) =>
    markup`<li><a href="#${id}">${title}</a>${inner}</li>`;
  const inner = (links: readonly Markup[]) => markup`<ol>${links}</ol>`;
  const [first] = report.tables;
  return markup`<nav aria-label="Parts of this page"><details open><summary>Contents</summary>
<ol>
${link("answer", "What was found")}
${report.caveats.length > 0 ? link("caveats", "Before believing it") : null}
${first ? link(`table-${slug(first.title)}`, first.title) : null}
${
    report.charts.length > 0
      ? link("charts", "Charts", inner(report.charts.map(({ chart }) => link(chart.id, chart.title))))
      : null
  }
${
    tables.length > 0
      ? link("tables", "Tables", inner(tables.map(({ table, id }) => link(id, table.title))))
      : null
  }
${link("runs", "Runs")}
${link("environment", "How it was made")}
</ol>
</details></nav>`;
}

function filtersToHtml(filters: readonly Filter[], report: Report): Markup {
  const groups = filters.filter(({ values }) => values.length > 1).map((filter) =>
    markup`<details name="filter"><summary>${filter.title} <span data-filter="${filter.parameter}">${filter.all}</span></summary>
<fieldset><legend class="unseen">${filter.title}</legend>
${
      lines(filter.values.map(({ label }, i) =>
        markup`<label><input type="checkbox" name="${filter.parameter}" value="${i}">${
          filter.field === "method" ? dot(label, report) : null
        }<span>${label}</span></label>`
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
  return markup`<section class="caveats" id="caveats" aria-labelledby="caveats-title">
<h2 id="caveats-title">Before believing it</h2>
<ul>
${lines(caveats.map((one) => markup`<li>${one}</li>`))}
</ul>
</section>`;
}

function figure(chart: Omit<Chart, "draw">, svg: string): Markup {
  const [, width, height] = /<svg[^>]* width="([\d.]+)" height="([\d.]+)"/.exec(svg) ?? [];
  return markup`<figure id="${chart.id}">
<h3 class="unseen">${chart.title}</h3>
<div class="plot" role="img" aria-label="Chart: ${chart.title}"${
    width && height ? markup` data-width="${width}" data-height="${height}"` : null
  }><noscript>
${Markup.asIs(svg)}
</noscript></div>
<figcaption>${chart.caption}</figcaption>
</figure>`;
}

function tableToHtml(table: Table, id: string, report: Report): Markup {
  const head = table.columns.map((column) => markup`<th scope="col">${column}</th>`);
  const rows = table.rows.map((row) => markup`<tr>${row.map((cell) => cellToHtml(cell, report))}</tr>`);
  return markup`<h3 id="${id}">${table.title}</h3>
<p class="note">${table.note}</p>
<div class="scroll" role="region" aria-label="${table.title}"><table>
<thead><tr>${head}</tr></thead>
<tbody>
${lines(rows)}
</tbody>
</table></div>`;
}

function cellToHtml(cell: string, report: Report): Markup {
  const [, shown] = /^(better|worse)(?:, by less than [\d.]+)?$/.exec(cell) ?? [];
  const kind = shown ?? (cell.length > LONG_CELL ? "long" : "");
  return markup`<td${kind === "" ? null : markup` class="${kind}"`}>${dot(cell, report)}${cell}</td>`;
}

/** Every run with what it ended in; the script tells the rest of it. */
function runsToHtml(report: Report): Markup {
  const rows = report.runs.map((run) => {
    const cells = [
      run.taskTitle,
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
<h2 id="runs-title">Runs</h2>
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
  if (!method) return null;
  return markup`<svg class="dot" viewBox="0 0 10 10" aria-hidden="true"><circle cx="5" cy="5" r="5" fill="${method.color}"/></svg>`;
}

function orDash(value: number | null): string {
  return value === null ? "—" : formatNumber(value);
}

/** "what-the-papers-sizes-would-cost" for a title: letters and digits of an id. */
function slug(title: string): string {
  return title.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, "-").replaceAll(/^-|-$/g, "");
}
