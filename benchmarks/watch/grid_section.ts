/** @file Methods by tasks while a sweep runs: what is done, running, failed and left, with scores so far: pure. */
import { mean } from "../statistics/statistics.ts";
import { formatNumber } from "../report/format.ts";
import { type Markup, markup } from "../report/markup.ts";
import type { MethodLabel } from "../study/study.ts";
import { methodKey, rankOf } from "../sweep/method.ts";
import type { PlannedRun } from "../sweep/plan.ts";
import type { Overview } from "./overview.ts";

/** How one run stands. */
type Standing = "done" | "diverged" | "failed" | "running" | "left";

const WORDS: Readonly<Record<Standing, string>> = {
  done: "done",
  diverged: "diverged",
  failed: "failed",
  running: "running",
  left: "left",
};

/** Null where there is no plan: nobody knows what is left. */
export function gridSection(
  planned: readonly PlannedRun[] | null,
  methods: readonly MethodLabel[],
  { stored, running }: Overview,
): Markup | null {
  if (!planned) return null;
  const byId = new Map(stored.map((run) => [run.id, run])), atWork = new Set(running.map(({ id }) => id));
  const tasks = [...new Set(planned.map(({ config }) => config.task.id))];
  const rows = methods.flatMap((method) => {
    const own = planned.filter(({ config }) => methodKey(config.optimizer) === method.key);
    const ranks = [...new Set(own.map(({ config }) => rankOf(config.optimizer)))];
    return ranks.map((rank) => ({
      method,
      rank,
      cells: tasks.map((task) =>
        own.filter(({ config }) => config.task.id === task && rankOf(config.optimizer) === rank)
      ),
    }));
  });
  const standingOf = ({ id }: PlannedRun): Standing =>
    atWork.has(id) ? "running" : byId.get(id)?.status ?? "left";
  const cellOf = (runs: readonly PlannedRun[]) => {
    if (runs.length === 0) return markup`<td>—</td>`;
    const scores = runs.flatMap(({ id }) => byId.get(id)?.score ?? []);
    const standings = runs.map(standingOf);
    const counts = (Object.keys(WORDS) as Standing[]).flatMap((standing) => {
      const count = standings.filter((one) => one === standing).length;
      return count > 0 ? [`${count} ${WORDS[standing]}`] : [];
    }).join(", ");
    const marks = standings.map((standing, i) =>
      markup`<rect class="${standing}" x="${10 * i}" y="0" width="8" height="8"/>`
    );
    return markup`<td><span class="score">${scores.length > 0 ? formatNumber(mean(scores)) : "—"}</span> <svg
class="marks" width="${10 * runs.length}" height="8" role="img" aria-label="${counts}">${marks}</svg></td>`;
  };
  return markup`<section id="grid" aria-label="Methods by tasks">
<h2>Methods by tasks</h2>
<p class="note">Mean score of the runs so far, and a square a run: <span class="key done">done</span>
<span class="key running">running</span> <span class="key diverged">diverged</span> <span class="key failed">failed</span>
<span class="key left">left</span>. What differs by more than chance, the report says.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Table of methods by tasks"><table class="grid">
<thead><tr><th scope="col">Method</th><th scope="col">Rank</th>${
    tasks.map((task) => markup`<th scope="col"><a href="?task=${encodeURIComponent(task)}">${task}</a></th>`)
  }</tr></thead>
<tbody>
${
    rows.map(({ method, rank, cells }) =>
      markup`<tr><th scope="row">${method.label}</th><td>${rank ?? "—"}</td>${cells.map(cellOf)}</tr>\n`
    )
  }</tbody>
</table></div>
</section>`;
}
