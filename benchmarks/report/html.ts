/** @file A report as one HTML file that asks nothing of the network and runs no script. */
import type { Report, Table } from "./report.ts";

const style = `
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 1000px; margin: 0 auto; padding: 24px; }
h1 { font-size: 28px; line-height: 1.25; margin: 8px 0 16px; }
h2 { font-size: 20px; margin: 40px 0 8px; }
.name { color: #666; margin: 0; }
.answer { background: #f3f6f9; border-left: 4px solid #0072B2; padding: 4px 20px; }
.caveats { background: #fdf5ea; border-left: 4px solid #D55E00; padding: 4px 20px; margin-top: 16px; }
.answer p, .caveats p { margin: 10px 0; }
figure { margin: 32px 0; }
figure svg { max-width: 100%; height: auto; }
figcaption, .note { color: #555; font-size: 14px; max-width: 800px; }
.scroll { overflow-x: auto; width: max-content; max-width: calc((100vw + min(100vw, 1048px)) / 2 - 56px); }
.scroll table { width: min-content; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; margin-top: 8px; }
th, td { text-align: left; padding: 4px 12px 4px 0; border-bottom: 1px solid #e5e5e5; vertical-align: top; white-space: nowrap; }
thead th { white-space: normal; vertical-align: bottom; }
td.long { white-space: normal; min-width: 280px; }
th { border-bottom: 2px solid #bbb; }
td.better { color: #00734f; font-weight: bold; }
td.worse { color: #b34700; font-weight: bold; }
code { background: #f3f3f3; padding: 2px 5px; }
`;

/**
 * The whole page.
 *
 * @param svgs the charts drawn, in the order of `report.charts`
 */
export function toHtml(report: Report, svgs: readonly string[]): string {
  const figures = report.charts.map(({ chart }, i) =>
    `<figure id="${chart.id}">\n${svgs[i]}\n<figcaption>${escape(chart.caption)}</figcaption>\n</figure>`
  );
  const caveats = report.caveats.length === 0 ? "" : `<section class="caveats" aria-label="Caveats">
<p><strong>Before believing it</strong></p>
${report.caveats.map((one) => `<p>${escape(one)}</p>`).join("\n")}
</section>`;
  const environment = report.environment.map(([name, value]) =>
    `<tr><th scope="row">${escape(name)}</th><td class="long">${escape(value)}</td></tr>`
  );
  const command = report.command === null ? "" : `<p>Made by: <code>${escape(report.command)}</code></p>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${escape(report.name)}: ${escape(report.question)}</title>
<style>${style}</style>
</head>
<body>
<p class="name">Sweep “${escape(report.name)}”</p>
<h1>${escape(report.question)}</h1>
<section class="answer" aria-label="Answer">
${report.answer.map((sentence) => `<p>${escape(sentence)}</p>`).join("\n")}
</section>
${caveats}
${figures.join("\n")}
${report.tables.map(tableToHtml).join("\n")}
<h2>How it was made</h2>
${command}
<table>
${environment.join("\n")}
</table>
</body>
</html>
`;
}

function tableToHtml(table: Table): string {
  const head = table.columns.map((column) => `<th scope="col">${escape(column)}</th>`).join("");
  const rows = table.rows.map((row) => `<tr>${row.map(cellToHtml).join("")}</tr>`);
  return `<h2>${escape(table.title)}</h2>
<p class="note">${escape(table.note)}</p>
<div class="scroll"><table>
<thead><tr>${head}</tr></thead>
<tbody>
${rows.join("\n")}
</tbody>
</table></div>`;
}

function cellToHtml(cell: string): string {
  const kind = cell === "better" || cell === "worse" ? cell : cell.length > 60 ? "long" : "";
  return `<td${kind === "" ? "" : ` class="${kind}"`}>${escape(cell)}</td>`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll(
    '"',
    "&quot;",
  );
}
