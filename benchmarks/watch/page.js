// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** @file Asks for the page again every other second, or less often where an answer takes long, and replaces what changed. */
"use strict";

const EVERY = 2000, EVERY_HIDDEN = 15000, READING = 50;
// The watcher shares its processor with the sweep: it is to rest for most of the time.
const REST = 20;
const lost = elementOf(document, "lost");
/** @type {string | null} */
let tag = null;
/** @type {ReturnType<typeof setTimeout> | null} null while a look is under way */
let timer = null;

/**
 * An element that every page has: see `shell.ts`.
 *
 * @param {Document} page
 * @param {string} id
 */
function elementOf(page, id) {
  const element = page.getElementById(id);
  if (!element) throw new Error(`The page has no element "${id}"`);
  return element;
}

/**
 * Puts `next` in the place of `old` where it differs, and keeps focus, open details and scrolled tables.
 *
 * @param {Element} old
 * @param {Element} next
 */
function replacePart(old, next) {
  if (old.outerHTML === next.outerHTML) return;
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const place = focused ? [...old.querySelectorAll("a, summary, [tabindex]")].indexOf(focused) : -1;
  for (const details of old.querySelectorAll("details[open]")) {
    next.querySelector(`#${details.id}`)?.setAttribute("open", "");
  }
  const scrolled = old.querySelector(".scroll")?.scrollLeft ?? 0;
  old.replaceWith(next);
  const table = next.querySelector(".scroll");
  if (table) table.scrollLeft = scrolled;
  const focusable = /** @type {NodeListOf<HTMLElement>} */ (next.querySelectorAll("a, summary, [tabindex]"));
  focusable[place]?.focus({ preventScroll: true });
}

/**
 * Replaces the parts of the main element one by one, so that what did not change is left alone.
 *
 * @param {Document} fresh
 */
function show(fresh) {
  const main = elementOf(document, "main"), next = elementOf(fresh, "main");
  const before = document.title;
  document.title = fresh.title;
  if (before.startsWith("Running ") && !fresh.title.startsWith("Running ")) signal();
  /** @param {Element} element */
  const names = (element) => [...element.children].map(({ id }) => id).join();
  if (names(main) === names(next) && !names(main).split(",").includes("")) {
    for (const part of [...next.children]) replacePart(elementOf(document, part.id), part);
    main.dataset["unread"] = next.dataset["unread"] ?? "0";
  } else replacePart(main, next);
}

/** A sweep has ended: a mark before the page's name, for those who look at another page, and a sound where they asked for it. */
function signal() {
  document.title = `● ${document.title}`;
  const sound = document.getElementById("sound");
  if (!(sound instanceof HTMLInputElement) || !sound.checked) return;
  const audio = new AudioContext(), tone = audio.createOscillator(), volume = audio.createGain();
  volume.gain.value = 0.1;
  tone.connect(volume).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + 0.4);
}

elementOf(document, "signal").hidden = false;

async function follow() {
  timer = null;
  const begun = performance.now();
  let took = 0;
  try {
    const response = await fetch(location.href, { headers: tag === null ? {} : { "If-None-Match": tag } });
    const text = await response.text();
    took = performance.now() - begun;
    lost.hidden = response.ok || response.status === 304;
    if (response.ok) {
      tag = response.headers.get("ETag");
      show(new DOMParser().parseFromString(text, "text/html"));
    }
  } catch {
    lost.hidden = false;
  }
  const isReading = elementOf(document, "main").dataset["unread"] !== "0";
  const pause = document.hidden ? EVERY_HIDDEN : isReading ? READING : Math.max(EVERY, REST * took);
  timer = setTimeout(follow, pause);
}

timer = setTimeout(follow, READING);
document.addEventListener("visibilitychange", () => {
  // A look that is under way sets the timer itself.
  if (document.hidden || timer === null) return;
  clearTimeout(timer);
  follow();
});
