/** @file Losses of the running run beside those of the stored runs of its task: pure. */
import type { Point, RunConfig } from "../../training/run.ts";
import { methodKey } from "../sweep/method.ts";
import { nameRun, tellApart } from "../sweep/progress.ts";
import type { MethodLabel } from "../study/study.ts";
import { drawLosses } from "./loss_chart.ts";
import { type Markup, markup } from "../report/markup.ts";
import type { Overview } from "./overview.ts";
import { type Curves, describeEnding, thin } from "./sweep_folder.ts";

/** A run whose curves are drawn. */
interface DrawnRun {
  readonly config: RunConfig;
  readonly ending: string;
  readonly curves: Curves;
  readonly isLive: boolean;
  readonly counts: boolean;
}

/** Two charts with a legend, and links to the other tasks; null where no run is known at all. */
export function lossSection({ configs, methods, overview, view }: {
  /** Of all runs, made or not. */
  readonly configs: readonly RunConfig[];
  /** Those of `configs`. */
  readonly methods: readonly MethodLabel[];
  readonly overview: Overview;
  readonly view: { readonly task: string | null; readonly showsAll: boolean };
}): Markup | null {
  const tasks = [...new Set(configs.map(({ task }) => task.id))], apart = tellApart(configs);
  const { running, stored } = overview;
  const current = running[0]?.config ?? stored[0]?.config;
  const task = tasks.find((id) => id === view.task) ?? current?.task.id ?? tasks[0];
  if (task === undefined) return null;
  const runs: DrawnRun[] = stored.filter(({ config }) => config.task.id === task).toReversed().map((run) => ({
    config: run.config,
    ending: describeEnding(run),
    curves: run.curves,
    isLive: false,
    counts: run.status === "done",
  }));
  for (const { config, live } of running.filter(({ config }) => config.task.id === task)) {
    runs.push({
      config,
      ending: "running",
      curves: { training: thin(pointsOf(live.trainLoss)), validation: live.validationLoss },
      isLive: true,
      counts: true,
    });
  }
  const labels = new Map(methods.map((method) => [method.key, method]));
  const labelOf = ({ optimizer }: RunConfig) => labels.get(methodKey(optimizer))!;
  const figures = (["validation", "training"] as const).flatMap((kind) => {
    const curves = runs.map(({ config, ending, curves, isLive, counts }) => {
      const { color, dash } = labelOf(config);
      return {
        name: `${nameRun(config, apart)}: ${ending}`,
        points: curves[kind],
        color,
        dash,
        isLive,
        counts,
      };
    });
    const title = kind === "validation" ? "Validation loss" : "Training loss";
    const drawing = drawLosses(title, curves, Math.max(1, ...runs.map(({ config }) => config.steps)));
    return drawing ? [markup`<figure><figcaption>${title}</figcaption>${drawing}</figure>`] : [];
  });
  const shown = new Set(runs.map(({ config }) => labelOf(config)));
  return markup`<section id="losses" aria-label="Losses">
<h2>Losses on ${task}</h2>
${tasks.length > 1 ? choices(tasks, task, view.showsAll) : null}
${figures.length > 0 ? charts(figures, methods.filter((method) => shown.has(method))) : nothingYet}
</section>`;
}

const nothingYet = markup`<p>No loss has been read back yet.</p>`;

function charts(figures: readonly Markup[], methods: readonly MethodLabel[]): Markup {
  return markup`<div class="charts">${figures}</div>
<ul class="legend">${methods.map(legendEntry)}</ul>
<p class="note">Stored runs of this task at all ranks, rates and seeds, and thick, where one is at work, the running run.
A pointer that rests on a line names its run. Where a run has many steps, its training loss is the mean over
neighbouring ones. Diverged runs may leave the chart.</p>`;
}

function choices(tasks: readonly string[], chosen: string, showsAll: boolean): Markup {
  const links = tasks.map((id) => {
    const address = `?task=${encodeURIComponent(id)}${showsAll ? "&runs=all" : ""}`;
    return markup`<a href="${address}" aria-current="${id === chosen ? "true" : "false"}">${id}</a> `;
  });
  return markup`<p class="choices">Task: ${links}</p>`;
}

function legendEntry({ label, color, dash }: MethodLabel): Markup {
  const line = markup`<line x1="0" x2="30" y1="5" y2="5" stroke="${color}" stroke-dasharray="${
    dash.join(" ")
  }"/>`;
  return markup`<li><svg viewBox="0 0 30 10" aria-hidden="true">${line}</svg> ${label}</li>`;
}

function pointsOf(losses: readonly number[]): Point[] {
  return losses.map((value, i) => ({ step: i + 1, value }));
}
