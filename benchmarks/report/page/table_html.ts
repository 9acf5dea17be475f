/** @file A table of a report as HTML: what a page shows at once, and what waits behind a switch. */
import { axisOf, drawAxis, drawBar } from "../bar.ts";
import { type Content, lines, type Markup, markup } from "../markup.ts";
import type { Table } from "../table.ts";

/** Cells of more characters are broken into lines. */
const LONG_CELL = 60;

/** A table of more rows is higher than its place, and is laid out when it is looked at. */
const MANY_ROWS = 40;

/** Columns that filters act on, by their title. */
const FIELDS: Readonly<Record<string, string>> = {
  Task: "task",
  Method: "method",
  Rank: "rank",
  Seed: "seed",
  "Learning rate": "rate",
};

/** What stands beside names in a page. */
export interface Looks {
  /** Before a text that names a method: its colour. */
  dot(text: string): Markup | null;
  /** Behind a text that is a task's title: its id. */
  taskId(text: string): string | null;
}

/** The table, without a heading of its own. */
export function tableToHtml(table: Table, looks: Looks): Markup {
  const { columns, rows, bars, lead = columns } = table;
  const places = (titles: readonly string[]) =>
    columns.flatMap((title, place) => titles.includes(title) ? [place] : []).toSorted((a, b) =>
      titles.indexOf(columns[a]!) - titles.indexOf(columns[b]!)
    );
  const shown = places(lead),
    folded = columns.map((_, place) => place).filter((place) => !shown.includes(place));
  const axis = bars && axisOf(bars.rows, bars.margin);
  const barBehind = axis && shown.find((place) => columns[place] === "Verdict");
  const head = (place: number, kind: Content) =>
    markup`<th scope="col"${
      FIELDS[columns[place]!] ? markup` data-field="${FIELDS[columns[place]!]!}"` : null
    }${kind}>${columns[place]!}</th>`;
  const more = markup` class="more"`;
  const kinds = rows.length > MANY_ROWS ? "scroll tall" : "scroll";
  return markup`<div class="${kinds}" role="region" aria-label="Table: ${table.title}"><table>
<thead><tr>${
    shown.map((
      place,
    ) => [head(place, null), place === barBehind ? markup`<td class="bars">${drawAxis(axis!)}</td>` : null])
  }${folded.map((place) => head(place, more))}</tr></thead>
<tbody>
${
    lines(rows.map((row, i) =>
      markup`<tr>${
        shown.map((place) => [
          cellToHtml(row[place]!, looks),
          place === barBehind ? markup`<td class="bars">${drawBar(bars!.rows[i]!, axis!)}</td>` : null,
        ])
      }${folded.map((place) => cellToHtml(row[place]!, looks, "more"))}</tr>`
    ))
  }
</tbody>
</table></div>`;
}

/** True where a table has columns behind a switch. */
export function hasMore({ columns, lead }: Table): boolean {
  return lead !== undefined && columns.some((title) => !lead.includes(title));
}

function cellToHtml(cell: string, { dot, taskId }: Looks, kind = ""): Markup {
  const [, verdict] =
    /^(better|worse|same|identical|undecided)(?: within [\d.]+|, by less than [\d.]+)?$/.exec(cell) ??
      [];
  const kinds = [kind, verdict ?? "", cell.length > LONG_CELL ? "long" : ""].filter((one) => one !== "");
  const id = taskId(cell);
  return markup`<td${kinds.length === 0 ? null : markup` class="${kinds.join(" ")}"`}>${dot(cell)}${cell}${
    id === null ? null : markup` <small>${id}</small>`
  }</td>`;
}
