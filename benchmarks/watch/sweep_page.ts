/** @file The page of one sweep: pure. */
import type { Registries } from "../../training/configuration.ts";
import { formatDuration } from "../cost/estimate.ts";
import { withDescribed } from "../sweep/described.ts";
import { methodKey, rankOf } from "../sweep/method.ts";
import { type Apart, nameRun, tellApart } from "../sweep/progress.ts";
import { formatBytes, formatNumber, formatRank, formatRate, formatSignificant } from "../report/format.ts";
import type { MethodLabel } from "../study/study.ts";
import { makeMethods } from "../study/make_study.ts";
import { gridSection } from "./grid_section.ts";
import { lossSection } from "./loss_section.ts";
import { type Markup, markup } from "../report/markup.ts";
import { type Overview, overviewOf, type RunningRun } from "./overview.ts";
import { badge, bar, type FoundSweep, progressOf, shell, stateNames } from "./shell.ts";
import { describeEnding, type StoredRun } from "./sweep_folder.ts";

/** What a page of one sweep is asked to show. */
export interface SweepView {
  /** Draws this task; that of the running or latest run where it is null or unknown. */
  readonly task: string | null;
  /** Lists all stored runs, or the latest. */
  readonly showsAll: boolean;
  /** Leads back to the list of sweeps. */
  readonly hasList: boolean;
}

/** Rows of the table of stored runs, unless all are asked for. */
const LATEST = 40;

/** @param now milliseconds since 1970 */
export function sweepPage(
  { key, contents }: FoundSweep,
  registries: Registries,
  view: SweepView,
  now: number,
): string {
  const { plan, faults } = contents;
  const overview = overviewOf(contents, now), { counts, running, stored } = overview;
  const known = withDescribed(registries, [plan?.described]);
  const configs = plan?.runs.map(({ config }) => config) ?? stored.map(({ config }) => config);
  const methods = makeMethods(configs, known), apart = tellApart(configs);
  const name = plan?.name ?? key;
  const main = markup`<section id="state" aria-label="State">
<p class="note">Sweep “${name}” in <code>${key}</code> ${badge(overview.state)}</p>
<h1>${plan?.question ?? "Which of the stored runs’ methods scores best?"}</h1>
${progressOf(counts)}
${overview.sentences.map((sentence) => markup`<p>${sentence}</p>`)}
${plan ? markup`<p>Made by: <code>${plan.command}</code></p>` : null}
</section>
${faultSection(faults)}
${clockSection(overview, apart, now)}
${gridSection(plan?.runs ?? null, methods, overview)}
${running.map((run, i) => runningSection(run, i, { workers: overview.workers, apart, now }))}
${lossSection({ configs, methods, overview, view })}
${reportSection(stored)}
${runsSection(stored, methods, view)}`;
  const title = `${stateNames[overview.state]} ${counts.done + counts.diverged}/${
    counts.total ?? "?"
  }: ${name}`;
  const nav = view.hasList ? markup`<nav aria-label="Watcher"><a href="/">All sweeps</a></nav>` : null;
  return shell(title, nav, main, contents.unread);
}

/** What the clock says, how much memory runs took, and which processes are at work. */
function clockSection(
  { begunAt, endsAt, lives, stored, running }: Overview,
  apart: Apart,
  now: number,
): Markup | null {
  const peaks = stored.flatMap(({ peakBytes }) => peakBytes ?? []);
  const facts: readonly (readonly [string, string])[] = [
    ...begunAt === null ? [] : [["For", formatDuration(Math.max(0, now - begunAt))] as const],
    ...endsAt === null ? [] : [["Ends about", clockOf(endsAt, now)] as const],
    ...peaks.length > 0 ? [["Most memory of a run", formatBytes(Math.max(...peaks))] as const] : [],
  ];
  if (facts.length === 0) return null;
  const workers = lives.length > 1
    ? markup`<div class="scroll" tabindex="0" role="region" aria-label="Table of processes"><table>
<thead><tr><th scope="col">Process</th><th scope="col">Machine</th><th scope="col">At work on</th><th scope="col">Last heard of</th></tr></thead>
<tbody>${
      lives.map(({ worker, host, updatedAt }) => {
        const run = running.find((one) => one.worker === worker);
        return markup`<tr><td>${worker}</td><td>${host ?? "—"}</td><td>${
          run ? `${nameRun(run.config, apart)}, step ${run.live.step} of ${run.config.steps}` : "—"
        }</td><td>${formatDuration(Math.max(0, now - Date.parse(updatedAt)))} ago</td></tr>`;
      })
    }</tbody></table></div>`
    : null;
  return markup`<section id="clock" aria-label="Time and memory">
<dl>${facts.map(([name, value]) => markup`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
${workers}
</section>`;
}

/** The watcher's own clock: "14:05"; with the day where it is another. */
function clockOf(at: number, now: number): string {
  const date = new Date(at), isToday = date.toDateString() === new Date(now).toDateString();
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} `;
  return `${isToday ? "" : day}${two(date.getHours())}:${two(date.getMinutes())}`;
}

function faultSection(faults: readonly string[]): Markup | null {
  if (faults.length === 0) return null;
  return markup`<section id="faults" class="warning" aria-label="Left out">
<p><strong>Left out</strong></p>
${faults.map((fault) => markup`<p>${fault}</p>`)}
</section>`;
}

function runningSection(
  { config, live: run, worker }: RunningRun,
  i: number,
  { workers, apart, now }: { readonly workers: number; readonly apart: Apart; readonly now: number },
): Markup {
  const loss = run.trainLoss.at(-1), validation = run.validationLoss.at(-1);
  const at = `${Math.min(run.step, config.steps)} of ${config.steps}`;
  const facts: readonly (readonly [string, string])[] = [
    ["Phase", run.phase],
    ["Step", at],
    ["Training loss", loss === undefined ? "none read back yet" : formatSignificant(loss)],
    ["Validation loss", validation === undefined ? "none yet" : formatSignificant(validation.value)],
    ["For", formatDuration(Math.max(0, now - Date.parse(run.startedAt)))],
    ["Run", run.id],
    ...workers > 1 ? [["Process", worker] as const] : [],
  ];
  // Ids are one of a kind in a page.
  const id = i === 0 ? "" : `-${i + 1}`;
  return markup`<section id="running${id}" aria-label="Running now${i === 0 ? "" : `, ${i + 1}`}">
<h2>Running now: ${nameRun(config, apart)}</h2>
${bar(`Step ${at}`, { running: run.step }, config.steps)}
<dl>${facts.map(([name, value]) => markup`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
<details id="config${id}"><summary>Its config</summary><pre>${JSON.stringify(config, null, 2)}</pre></details>
</section>`;
}

function reportSection(stored: Overview["stored"]): Markup {
  const links =
    markup`<p><a href="report/">The report so far</a>, built from what is stored when you open it; nothing is
written. With hundreds of runs that takes a while.</p>
<p><a href="written/">The report on disk</a>, which a sweep writes at its end.</p>`;
  return markup`<section id="report" aria-label="Report">
<h2>Report</h2>
${stored.length > 0 ? links : markup`<p>There is nothing to report on before the first run is stored.</p>`}
</section>`;
}

function runsSection(
  stored: readonly StoredRun[],
  methods: readonly MethodLabel[],
  { task, showsAll }: SweepView,
): Markup | null {
  if (stored.length === 0) return null;
  const labels = new Map(methods.map(({ key, label }) => [key, label]));
  const rows = (showsAll ? stored : stored.slice(0, LATEST)).map((run) => rowOf(run, labels));
  const others = stored.length - rows.length;
  const all = `?runs=all${task === null ? "" : `&task=${encodeURIComponent(task)}`}`;
  const heads = [
    "Task",
    "Method",
    "Rank",
    "Peak",
    "Seed",
    "Score",
    "Last validation loss",
    "Took",
    "Ended",
    "Run",
  ];
  return markup`<section id="runs" aria-label="Stored runs">
<h2>Stored runs</h2>
<p class="note">The latest first. Each line is one run by itself: what differs between methods, and whether by more than
chance, is for the report to say.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Table of stored runs"><table>
<thead><tr>${heads.map((head) => markup`<th scope="col">${head}</th>`)}</tr></thead>
<tbody>
${rows}</tbody>
</table></div>
${others > 0 ? markup`<p><a href="${all}">Show the other ${others} too</a></p>` : null}
</section>`;
}

function rowOf(run: StoredRun, labels: ReadonlyMap<string, string>): Markup {
  const { task, optimizer, schedule, seed } = run.config, loss = run.curves.validation.at(-1);
  const numbers = [
    formatRank(rankOf(optimizer)),
    formatRate(schedule.learningRate),
    String(seed),
    run.score === null ? "—" : formatNumber(run.score),
    loss === undefined ? "—" : formatSignificant(loss.value),
    run.totalMs === null ? "—" : formatDuration(run.totalMs),
  ];
  return markup`<tr><td>${task.id}</td><td>${labels.get(methodKey(optimizer)) ?? optimizer.id}</td>${
    numbers.map((number) => markup`<td class="number">${number}</td>`)
  }<td class="${run.status}">${describeEnding(run)}</td><td><code>${run.id}</code></td></tr>
`;
}
