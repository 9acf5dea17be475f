/** @file What the pages of a watcher share. Children of the main element with an id are what the script replaces. */
import { nameRun } from "../sweep/progress.ts";
import { formatCount, formatSignificant } from "../report/format.ts";
import { type Markup, markup } from "../report/markup.ts";
import type { Counts, Overview, State } from "./overview.ts";
import type { Contents } from "./sweep_folder.ts";

/** A sweep and what its folder holds. */
export interface FoundSweep {
  /** Its path below the watched folder, or the watched folder's name where it is that itself. */
  readonly key: string;
  readonly contents: Contents;
}

/** States as pages call them. */
export const stateNames: Readonly<Record<State, string>> = {
  waiting: "Waiting",
  running: "Running",
  done: "Done",
  interrupted: "Stopped",
  failed: "Failed",
  killed: "Killed",
  unknown: "Not known to run",
};

/**
 * A whole page.
 *
 * @param main what stands in its main element
 * @param unread files that the next look goes on with: the script asks again at once
 */
export function shell(title: string, nav: Markup | null, main: Markup, unread: number): string {
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${title}</title>
<link rel="stylesheet" href="/page.css">
<script src="/page.js" defer></script>
</head>
<body>
<noscript><p class="warning">Without scripts this page does not follow: load it again to see more.</p></noscript>
<p id="lost" class="warning" role="status" hidden>This page is not answered any more: the watcher has
ended, or the sweep's folder is gone. Sweeps go on without a watcher; <code>./run watch</code> starts it again, and then
this page goes on.</p>
${nav}
<p id="signal" hidden><label><input type="checkbox" id="sound"> a sound at the end</label></p>
<main id="main" data-unread="${unread}">
${main}
</main>
</body>
</html>
`.text;
}

/** The path of a sweep's page. */
export function pathOf(key: string): string {
  return `/sweep/${encodeURIComponent(key)}/`;
}

/** A state in a word. */
export function badge(state: State): Markup {
  return markup`<span class="badge ${state}">${stateNames[state]}</span>`;
}

/** What the runs came to, as a bar and in words. */
export function progressOf(counts: Counts): Markup {
  const { total, done, diverged, failed, running, left } = counts;
  const words = [
    total === null ? [] : formatCount(total, "run"),
    `${done} done`,
    diverged > 0 ? `${diverged} diverged` : [],
    failed > 0 ? `${failed} failed` : [],
    running > 0 ? `${running} running` : [],
    left === null ? [] : `${left} left`,
  ].flat().join(", ");
  return markup`${total === null ? null : bar(words, counts, total)}<p>${words}</p>`;
}

/** A bar of several parts, by class of their style. */
export function bar(label: string, parts: Partial<Counts>, whole: number): Markup {
  let start = 0;
  const rectangles = (["done", "diverged", "failed", "running"] as const).map((kind) => {
    const x = start, width = parts[kind] ?? 0;
    start += width;
    return markup`<rect class="${kind}" x="${x}" y="0" width="${width}" height="1"/>`;
  });
  const box = `0 0 ${Math.max(1, whole)} 1`;
  return markup`<svg class="bar" viewBox="${box}" preserveAspectRatio="none" role="img" aria-label="${label}">
${rectangles}</svg>`;
}

/** The first run at work in a line, and how many others are; null where none is. */
export function runningLine({ running: [running, ...others] }: Overview): Markup | null {
  if (!running) return null;
  const { phase, step, trainLoss } = running.live, loss = trainLoss.at(-1);
  const words = loss === undefined ? "" : `, loss ${formatSignificant(loss)}`;
  const { config } = running;
  const more = others.length > 0 ? `, and ${formatCount(others.length, "other run")}` : "";
  return markup`<p>Now: ${nameRun(config)}, ${phase}, step ${step} of ${config.steps}${words}${more}</p>`;
}
