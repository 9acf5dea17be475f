/** @file The scoreboard as HTML: sorted and searched by the page's script, complete without it. */
import { formatDifference, formatNumber, formatRank } from "../format.ts";
import { type Content, lines, type Markup, markup } from "../markup.ts";
import type { Score, Scoreboard, ScoreRow } from "../scoreboard.ts";

/** Shades of a gap, from faint to strong. */
const SHADES = 4;

/** @param dot what stands before a text that names a method */
export function scoreboardToHtml(board: Scoreboard, dot: (text: string) => Markup | null): Markup {
  const { tasks, rows, full, isJudged, n } = board;
  const gaps = rows.flatMap(({ scores }) => scores.flatMap((score) => score?.gap ?? []));
  const widest = Math.max(0, ...gaps.map(Math.abs));
  const hasMean = tasks.length > 1;
  const rowOf = (row: ScoreRow) =>
    markup`<tr data-method="${row.method}"${
      row.rank === null ? null : markup` data-rank="${row.rank}"`
    }><th scope="row">${dot(row.method)}${row.method}</th><td>${formatRank(row.rank)}</td>${
      hasMean ? markup`<td>${row.mean === null ? "—" : formatNumber(row.mean)}</td>` : null
    }${row.scores.map((score, i) => cellOf(score, tasks[i]!.id, widest))}</tr>`;
  const body = (pinned: boolean) => rows.filter(({ isPinned }) => isPinned === pinned).map(rowOf);
  return markup`<section class="part" id="scoreboard" aria-labelledby="scoreboard-title">
<h3 id="scoreboard-title">Scoreboard</h3>
<p class="note">Mean score over seeds (${n}). ${
    isJudged
      ? markup`<b>Bold</b>: the best of its rank on a task, and all that was not shown to be lower. `
      : "Nothing is bold: too few seeds were run to tell methods apart. "
  }${
    full === null
      ? null
      : markup`Colour: the gap to ${full}, <span class="shade below-3">below</span> or <span class="shade above-3">above</span>, <span class="shade below-3 faded">faded</span> where it may be chance. `
  }Baselines stand first.</p>
<p class="tools" data-needs-script hidden><label>Search <input type="search" class="search" placeholder="method"></label>
<label class="switch"><input type="checkbox" class="show-more"> intervals and gaps</label> <span class="hides" role="status"></span></p>
<div class="scroll" role="region" aria-label="Table: Scoreboard"><table class="scores sortable">
<thead><tr><th scope="col" data-field="method">Method</th><th scope="col" data-field="rank">Rank</th>${
    hasMean ? markup`<th scope="col">Mean</th>` : null
  }${
    tasks.map(({ id, title, metric }) =>
      markup`<th scope="col" data-task="${id}">${title} <small>${id}, ${metric}</small></th>`
    )
  }</tr></thead>
<tbody class="pinned">
${lines(body(true))}
</tbody>
<tbody>
${lines(body(false))}
</tbody>
</table></div>
</section>`;
}

function cellOf(score: Score | null, task: string, widest: number): Markup {
  if (score === null) return markup`<td data-task="${task}">—</td>`;
  const { value, interval, isBest, gap, isGapShown, diverged } = score;
  const shade = gap === null || widest === 0 ? 0 : Math.ceil(SHADES * Math.abs(gap) / widest);
  const kinds = [
    ...shade > 0 ? ["shade", `${gap! < 0 ? "below" : "above"}-${shade}`, ...isGapShown ? [] : ["faded"]] : [],
  ];
  const number: Content = isBest ? markup`<b>${formatNumber(value)}</b>` : formatNumber(value);
  const more = [
    ...interval ? [`${formatNumber(interval.low)} to ${formatNumber(interval.high)}`] : [],
    ...gap === null ? [] : [`to full ${formatDifference(gap)}`],
  ];
  return markup`<td data-task="${task}"${
    kinds.length > 0 ? markup` class="${kinds.join(" ")}"` : null
  }>${number}${diverged > 0 ? markup` <small>(${diverged} diverged)</small>` : null}${
    more.length > 0 ? markup`<small class="more">${more.join("; ")}</small>` : null
  }</td>`;
}
