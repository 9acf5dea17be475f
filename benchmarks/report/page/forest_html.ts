/** @file The forest of differences as HTML: a table with a drawing in each row, which reads without the drawings too. */
import { type BarAxis, drawAxis, drawBar } from "../bar.ts";
import type { Forest, ForestBar, ForestGroup, ForestRow } from "../forest.ts";
import { FOREST } from "../drawing/forest_svg.ts";
import { type Content, lines, type Markup, markup } from "../markup.ts";

/** So many rows are shown at once, of whole groups; the others are folded. */
const MOST_ROWS = 18;

/** @param dot what stands before a text that names a method */
export function forestToHtml(forest: Forest, dot: (text: string) => Markup | null): Markup {
  let count = 0;
  const isFirst = ({ rows }: ForestGroup, i: number) => (count += rows.length) <= MOST_ROWS || i === 0;
  const shown = forest.groups.filter(isFirst), folded = forest.groups.slice(shown.length);
  const { margin } = forest.axes[0]!,
    over = forest.unit === "tasks" ? ", mean over tasks; small dots are single tasks" : "";
  return markup`<figure class="forest" id="${FOREST}">
<h3>${forest.title}</h3>
${tableOf(forest, shown, dot)}
${
    folded.length > 0
      ? markup`<details><summary>${folded.length} more: ${
        folded.map(({ title }) => title).join("; ")
      }</summary>
${tableOf(forest, folded, dot)}
</details>`
      : null
  }
<figcaption>Difference of scores${over}. A line holds the true difference 19 times in 20 (95% interval); an arrow cuts one off.
${
    forest.groups.some(({ rows }) => rows.some(({ bars }) => bars.some(missesZeroUndecided)))
      ? "A verdict has to hold for all methods together, so a line can miss 0 and stay undecided. "
      : null
  }The band is the margin: within ${margin} either way is the same. <span class="key better">●&nbsp;better</span>
<span class="key worse">●&nbsp;worse</span> <span class="key same">■&nbsp;the same</span>
<span class="key undecided">○&nbsp;undecided</span>. <span class="wins">Behind a verdict stands on how many ${forest.unit} the method scores higher.</span> <span class="files" data-chart="${FOREST}">Save: <a href="charts/${FOREST}.svg" data-save="svg">SVG</a>
<a href="charts/${FOREST}.csv" data-save="csv">CSV</a></span> <span class="hides" role="status"></span></figcaption>
</figure>`;
}

/** By its own interval a difference, which the correction for all comparisons takes back. */
function missesZeroUndecided(bar: ForestBar | null): boolean {
  return bar !== null && bar.verdict === "undecided" && bar.interval !== null &&
    bar.interval.low * bar.interval.high > 0;
}

function tableOf(
  forest: Forest,
  groups: readonly ForestGroup[],
  dot: (text: string) => Markup | null,
): Markup {
  const { baselines, axes } = forest;
  const ranks = new Set(
    groups.flatMap(({ rows }) => rows.map(({ rank }) => rank).filter((rank) => rank !== null)),
  );
  return markup`<table class="forest-rows">
<thead><tr><th scope="col">Method</th>${
    baselines.map((label, i) =>
      markup`<th scope="col" class="bars">against ${label}${
        drawAxis(axes[i]!)
      }</th><th scope="col">Difference</th><th scope="col">Verdict</th>`
    )
  }</tr></thead>
${
    lines(groups.map(({ task, title, rows }) =>
      markup`<tbody${task === null ? null : markup` data-task="${task}"`}>${
        title === ""
          ? null
          : markup`<tr class="group"><th scope="rowgroup" colspan="${
            1 + 3 * baselines.length
          }">${title}</th></tr>\n`
      }${lines(rows.map((row) => rowToHtml(row, forest, ranks.size > 1 && title === "", dot)))}</tbody>`
    ))
  }
</table>`;
}

function rowToHtml(
  { method, rank, bars }: ForestRow,
  { axes, baselines, unit }: Forest,
  withRank: boolean,
  dot: (text: string) => Markup | null,
): Markup {
  const isBaseline = baselines.includes(method);
  return markup`<tr data-method="${method}"${rank === null ? null : markup` data-rank="${rank}"`}${
    isBaseline ? markup` class="baseline"` : null
  }><th scope="row">${dot(method)}${method}${
    withRank && rank !== null ? markup` <small>rank ${rank}</small>` : null
  }</th>${bars.map((bar, i) => cellsOf(bar, `against ${baselines[i]!}`, axes[i]!, unit))}</tr>`;
}

function cellsOf(
  bar: ForestBar | null,
  against: string,
  axis: BarAxis,
  unit: Forest["unit"],
): Content {
  if (bar === null) return markup`<td class="bars none" colspan="3"></td>`;
  return [
    markup`<td class="bars" data-against="${against}">${drawBar(bar, axis)}</td>`,
    markup`<td class="number">${bar.difference} <small>${
      bar.between === "" ? null : `(${bar.between})`
    }</small></td>`,
    markup`<td class="${bar.verdict}">${bar.told} <small class="wins" title="${`${unit} on which it scores higher`}">${`${bar.wins} of ${bar.of}`}</small></td>`,
  ];
}
