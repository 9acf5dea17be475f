// Asks for the page again every other second, or less often where an answer takes long, and replaces what changed.
"use strict";

const EVERY = 2000, EVERY_HIDDEN = 15000, READING = 50;
// The watcher shares its processor with the sweep: it is to rest for most of the time.
const REST = 20;
const lost = document.getElementById("lost");
let tag = null, timer = 0;

/** Puts `next` in the place of `old` where it differs, and keeps focus, open details and scrolled tables. */
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
  next.querySelectorAll("a, summary, [tabindex]")[place]?.focus({ preventScroll: true });
}

/** Replaces the parts of the main element one by one, so that what did not change is left alone. */
function show(fresh) {
  const main = document.getElementById("main"), next = fresh.getElementById("main");
  document.title = fresh.title;
  const names = (element) => [...element.children].map(({ id }) => id).join();
  if (names(main) === names(next) && !names(main).split(",").includes("")) {
    for (const part of [...next.children]) replacePart(document.getElementById(part.id), part);
    main.dataset.unread = next.dataset.unread;
  } else replacePart(main, next);
}

async function follow() {
  timer = 0;
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
  const isReading = document.getElementById("main").dataset.unread !== "0";
  const pause = document.hidden ? EVERY_HIDDEN : isReading ? READING : Math.max(EVERY, REST * took);
  timer = setTimeout(follow, pause);
}

timer = setTimeout(follow, READING);
document.addEventListener("visibilitychange", () => {
  // A look that is under way sets the timer itself.
  if (document.hidden || timer === 0) return;
  clearTimeout(timer);
  follow();
});
