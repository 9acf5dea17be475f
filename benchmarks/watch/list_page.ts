/** @file The page of all sweeps below a folder: pure. */
import { type Markup, markup } from "../report/markup.ts";
import { type Overview, overviewOf, type State } from "./overview.ts";
import { badge, type FoundSweep, pathOf, progressOf, runningLine, shell } from "./shell.ts";

/** What needs a look comes first. */
const ORDER: readonly State[] = [
  "running",
  "failed",
  "killed",
  "interrupted",
  "unknown",
  "waiting",
  "done",
];

/**
 * @param isThere whether there is the folder at all
 * @param now milliseconds since 1970
 */
export function listPage(
  folder: string,
  isThere: boolean,
  sweeps: readonly FoundSweep[],
  now: number,
): string {
  const cards = sweeps.map((sweep) => ({ sweep, overview: overviewOf(sweep.contents, now) }))
    .toSorted((a, b) => ORDER.indexOf(a.overview.state) - ORDER.indexOf(b.overview.state))
    .map(({ sweep, overview }) => card(sweep, overview));
  const running = sweeps.filter(({ contents }) => contents.pulse.isAlive).length;
  const main = markup`<h1>Sweeps in <code>${folder}</code></h1>
${cards.length === 0 ? nothingYet(isThere) : markup`<ul class="cards">${cards}</ul>`}`;
  const unread = sweeps.reduce((sum, { contents }) => sum + contents.unread, 0);
  return shell(`${running} running: sweeps in ${folder}`, null, main, unread);
}

function nothingYet(isThere: boolean): Markup {
  return markup`<p>There is no ${
    isThere ? "sweep here" : "such folder"
  } yet: this page waits for a sweep, as <code>./run bench</code> makes it.</p>`;
}

function card({ key, contents }: FoundSweep, overview: Overview): Markup {
  const { plan, faults } = contents;
  const fault = faults.length > 1 ? `${faults.length} files can’t be used` : faults[0];
  return markup`<li class="card">
<h2><a href="${pathOf(key)}">${key}</a> ${badge(overview.state)}</h2>
<p class="note">${plan?.question ?? ""}</p>
${progressOf(overview.counts)}
${overview.sentences.map((sentence) => markup`<p>${sentence}</p>`)}
${runningLine(overview)}
${fault === undefined ? null : markup`<p class="warning">${fault}</p>`}
</li>`;
}
