// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * @file What a report's page does in a browser: draws charts where they are looked at, filters them, tells of single runs.
 *
 * A classic script that `html.ts` puts behind those of scripts.ts. It asks nothing of the network, and whatever it prints it prints as
 * text: names of methods and data sets, and errors, are other people's.
 */
"use strict";
(() => {
  /** @typedef {import("./page_data.ts").PageData} PageData */
  /** @typedef {import("./page_data.ts").ChartData} ChartData */
  /** @typedef {import("../drawing/lay_out.ts").Choice} Choice */
  /** @typedef {import("../drawing/lay_out.ts").Drawing} Drawing */
  /** @typedef {import("./payload.ts").Columns} Columns */
  /** @typedef {import("../report.ts").ReportedRun} ReportedRun */
  /** @typedef {Record<string, unknown>} Row */

  /**
   * A chart on the page.
   *
   * @typedef {object} Figure
   * @property {string} id
   * @property {HTMLElement} plot where it is drawn
   * @property {string} still what browsers without scripts show, as HTML
   * @property {Drawing | null} drawing null until it is looked at for the first time
   * @property {import("vega").View | null} view null until then, and while nothing is shown
   * @property {import("../drawing/lay_out.ts").VegaLiteSpec | null} spec what is shown
   * @property {string} shown the filters that it shows, as `stateOf` writes them
   * @property {Shown | null} whole what it shows without filters, kept for when they are taken back
   * @property {boolean} inSight
   * @property {boolean} isNear in sight, or about to be
   */

  /**
   * A chart as it was drawn.
   *
   * @typedef {object} Shown
   * @property {string} state with the room that it had
   * @property {import("vega").View} view
   * @property {HTMLElement} canvas
   * @property {import("../drawing/lay_out.ts").VegaLiteSpec} spec
   */

  const vega = /** @type {typeof import("vega")} */ (/** @type {any} */ (globalThis).vega);
  const vegaLite = /** @type {typeof import("vega-lite")} */ (/** @type {any} */ (globalThis).vegaLite);
  const interpreter = /** @type {unknown} */ (/** @type {any} */ (globalThis).vegaInterpreter);
  const { layOut } =
    /** @type {{ layOut: typeof import("../drawing/lay_out.ts").layOut }} */ (/** @type {unknown} */ (globalThis));
  const { forestFiles } =
    /** @type {{ forestFiles: Pick<typeof import("../drawing/forest_svg.ts"), "forestToSvg" | "forestToCsv"> }} */ (/** @type {unknown} */ (globalThis));
  const { reportTables } =
    /** @type {{ reportTables: { start(): void, filter(chosen: readonly { filter: import("./page_data.ts").Filter, values: Choice["values"] }[]): void } }} */ (/** @type {unknown} */ (globalThis));
  const dark = matchMedia("(prefers-color-scheme: dark)");

  /** @type {readonly Choice[]} */
  let chosen = [];
  /** @type {Figure[]} */
  const figures = [...document.querySelectorAll("figure:has(.plot)")].map((figure) => ({
    id: figure.id,
    plot: find(".plot", figure),
    still: figure.querySelector("noscript")?.textContent ?? "",
    drawing: null,
    view: null,
    spec: null,
    shown: "",
    whole: null,
    inSight: false,
    isNear: false,
  }));
  const page = /** @type {Promise<PageData>} */ (unpack("page"));

  for (const element of document.querySelectorAll("[data-needs-script]")) element.removeAttribute("hidden");
  for (const { plot } of figures) reserve(plot);
  reportTables.start();
  offerCopies();
  // Where it stands above the text it would hide the answer.
  /** @type {HTMLDetailsElement} */ (find("nav details")).open = matchMedia("(min-width: 1001px)").matches;
  watchSight();
  watchContents();
  page.then(start).catch((error) => {
    // An older browser: what it shows is what it would without the script.
    for (const figure of figures) showStill(figure);
    find("#filters").hidden = true;
    throw error;
  });

  /** @param {PageData} data */
  function start(data) {
    const form = /** @type {HTMLFormElement} */ (find("#filters"));
    form.addEventListener("change", () => choose(data, form));
    // The event comes before the boxes are emptied.
    form.addEventListener("reset", () => setTimeout(() => choose(data, form)));
    form.addEventListener("submit", (event) => event.preventDefault());
    closeMenus(form);
    tickFromAddress(data, form);
    choose(data, form);
    dark.addEventListener("change", () => {
      for (const figure of figures) figure.shown = "";
      void drawAll();
    });
    openPanels(data);
    document.documentElement.dataset["ready"] = "";
  }

  // Data

  /**
   * @param {string} name
   * @returns {Promise<any>}
   */
  async function unpack(name) {
    const text = find(`#data-${name}`).textContent ?? "";
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return JSON.parse(await new Response(stream).text());
  }

  /**
   * @param {Columns} columns
   * @returns {Row[]}
   */
  function toRows({ length, fields }) {
    const rows = Array.from({ length }, () => /** @type {Row} */ ({}));
    for (const field of fields) {
      if ("numbers" in field) rows.forEach((row, i) => row[field.name] = field.numbers[i]);
      else {
        field.at.forEach((place, i) => {
          if (place >= 0) /** @type {Row} */ (rows[i])[field.name] = field.values[place];
        });
      }
    }
    return rows;
  }

  // Filters

  /**
   * @param {PageData} data
   * @param {HTMLFormElement} form
   */
  function choose({ filters, runs }, form) {
    const wholly = ["seed", "rate"].filter((name) =>
      filters.some(({ field, parameter }) =>
        field === name && form.querySelector(`[name=${parameter}]:checked`) !== null
      )
    );
    chosen = filters.map(({ parameter, field, values, all }) => {
      const ticked = [...form.elements].filter((input) =>
        input instanceof HTMLInputElement && input.name === parameter && input.checked
      ).flatMap((input) => values[Number(/** @type {HTMLInputElement} */ (input).value)] ?? []);
      const told = form.querySelector(`[data-filter=${parameter}]`);
      if (told) {
        const [only] = ticked;
        told.textContent = !only
          ? all
          : ticked.length === 1
          ? only.label
          : `${ticked.length} of ${values.length}`;
        told.classList.toggle("chosen", ticked.length > 0);
      }
      return { parameter, field, values: ticked.length === 0 ? null : ticked.map(({ value }) => value) };
    });
    const passing = runs.filter((run) =>
      filters.every(({ field }, i) => {
        const values = chosen[i]?.values ?? null, value = run[field];
        return values === null || value === null || values.includes(value);
      })
    );
    const shown = new Set(passing.map(({ id }) => `run-${id}`));
    for (const row of document.querySelectorAll("#runs tbody tr")) {
      /** @type {HTMLElement} */ (row).hidden = !shown.has(row.id);
    }
    find("#filters-state").textContent = `${shown.size} of ${runs.length} runs${
      wholly.length > 0
        ? "; verdicts and means in tables stay those of all seeds, at each method's own rate"
        : ""
    }`;
    reportTables.filter(filters.map((filter, i) => ({ filter, values: chosen[i]?.values ?? null })));
    writeAddress(filters);
    const filtered = isFiltered();
    form.classList.toggle("filtered", filtered);
    /** @type {HTMLButtonElement} */ (find("#filters [type=reset]")).disabled = !filtered;
    for (const figure of figures) tellWhetherBusy(figure);
    void drawAll();
  }

  /**
   * What the address says, "?method=lora&seed=1", or else what the browser kept: names that are unknown choose nothing.
   *
   * @param {PageData} data
   * @param {HTMLFormElement} form
   */
  function tickFromAddress({ filters }, form) {
    const asked = new URLSearchParams(location.search);
    if (asked.size === 0) return;
    for (const { parameter, field, values } of filters) {
      const wanted = asked.getAll(field);
      for (const input of form.querySelectorAll(`[name=${parameter}]`)) {
        if (!(input instanceof HTMLInputElement)) continue;
        input.checked = wanted.includes(String(values[Number(input.value)]?.value));
      }
    }
  }

  /** @param {PageData["filters"]} filters */
  function writeAddress(filters) {
    const asked = new URLSearchParams(
      chosen.flatMap(({ values }, i) =>
        (values ?? []).map((value) => [filters[i]?.field ?? "", String(value)])
      ),
    );
    const query = asked.size > 0 ? `?${asked}` : "";
    if (query === location.search) return;
    replaceAddress(`${location.pathname}${query}${location.hash}`);
  }

  /** @param {string} address */
  function replaceAddress(address) {
    try {
      history.replaceState(null, "", address);
    } catch {
      // Some browsers forbid it to files: the page works without.
    }
  }

  /**
   * Menus of filters close where readers expect it: by Escape, and when they go on elsewhere.
   *
   * @param {HTMLFormElement} form
   */
  function closeMenus(form) {
    const open = () => /** @type {HTMLDetailsElement | null} */ (form.querySelector("details[open]"));
    document.addEventListener("pointerdown", ({ target }) => {
      const menu = open();
      if (menu && target instanceof Node && !menu.contains(target)) menu.open = false;
    });
    form.addEventListener("focusout", ({ relatedTarget }) => {
      const menu = open();
      if (menu && relatedTarget instanceof Node && !menu.contains(relatedTarget)) menu.open = false;
    });
    form.addEventListener("keydown", (event) => {
      const menu = open();
      if (event.key !== "Escape" || !menu) return;
      menu.open = false;
      find("summary", menu).focus();
      event.stopPropagation();
    });
  }

  function isFiltered() {
    return chosen.some(({ values }) => values !== null);
  }

  function stateOf() {
    return JSON.stringify([chosen, dark.matches]);
  }

  // Charts

  let drawing = false;

  /** Draws every chart in sight that does not show what was chosen, one after the other; the others come when they are looked at. */
  async function drawAll() {
    if (drawing) return;
    drawing = true;
    try {
      await page;
      for (let next = stale(); next; next = stale()) {
        // Lets the browser show what was ticked, and answer what was clicked meanwhile.
        await new Promise((resolve) => next.inSight ? setTimeout(resolve) : whenIdle(() => resolve(null)));
        const figure = stale();
        if (!figure) break;
        await draw(figure).catch((error) => {
          // One chart that can't be drawn keeps none of the others waiting, and shows nothing that was not chosen.
          figure.shown = stateOf();
          tellWhetherBusy(figure);
          if (figure.view || isFiltered()) figure.plot.replaceChildren();
          else showStill(figure);
          reportError(error);
        });
      }
    } finally {
      drawing = false;
    }
  }

  /** What is to be drawn next: a chart in sight before those that are about to be. */
  function stale() {
    const state = stateOf(), waiting = figures.filter(({ isNear, shown }) => isNear && shown !== state);
    return waiting.find(({ inSight }) => inSight) ?? waiting[0];
  }

  /** @param {() => void} work */
  function whenIdle(work) {
    // Safari has no such thing.
    if ("requestIdleCallback" in globalThis) requestIdleCallback(() => work(), { timeout: 500 });
    else setTimeout(work);
  }

  /** @param {Figure} figure */
  async function draw(figure) {
    figure.drawing ??= drawingOf(/** @type {ChartData} */ (await unpack(figure.id)));
    const { plot, view, whole } = figure,
      shown = stateOf(),
      isWhole = !isFiltered(),
      room = plot.parentElement?.clientWidth,
      state = JSON.stringify([shown, room]);
    if (isWhole && whole?.state === state) {
      figure.spec = whole.spec;
      figure.view = whole.view;
      plot.replaceChildren(whole.canvas);
    } else {
      const spec = layOut(figure.drawing, chosen, room);
      figure.spec = spec;
      // A view keeps the panels that it once made: what was chosen gets one of its own.
      const drawn = spec && await createView(plot, spec);
      figure.view = drawn && drawn.view;
      if (isWhole) {
        if (whole && whole.view !== view) whole.view.finalize();
        figure.whole = drawn && spec && { state, spec, ...drawn };
      }
      if (!spec) plot.replaceChildren();
    }
    if (view && view !== figure.whole?.view && view !== figure.view) view.finalize();
    plot.classList.add("drawn");
    plot.classList.toggle("dark", JSON.parse(shown)[1]);
    plot.classList.toggle("empty", plot.querySelector("svg [class~=role-mark] > *") === null);
    figure.shown = shown;
    tellWhetherBusy(figure);
    measure(plot);
  }

  /**
   * @param {ChartData} data
   * @returns {Drawing}
   */
  function drawingOf({ rows, ...drawing }) {
    return { ...drawing, rows: toRows(rows) };
  }

  /** @param {Figure} figure */
  function tellWhetherBusy({ plot, shown }) {
    if (shown === stateOf()) plot.removeAttribute("aria-busy");
    else plot.setAttribute("aria-busy", "true");
  }

  /**
   * @param {HTMLElement} plot
   * @param {import("../drawing/lay_out.ts").VegaLiteSpec} spec
   */
  async function createView(plot, spec) {
    const own = withoutHeading(spec);
    const compiled = vegaLite.compile(/** @type {any} */ (dark.matches ? darkened(own) : own)).spec;
    const canvas = document.createElement("div");
    const view = new vega.View(vega.parse(compiled, {}, { ast: true }), {
      renderer: "svg",
      container: canvas,
      hover: false,
      expr: interpreter,
      tooltip: showTooltip,
    });
    view.addEventListener("click", (_event, item) => {
      const runs = runsOf(item);
      if (runs.length > 0) void page.then((data) => openPanel(data, runs, plot));
    });
    view.addEventListener("mousemove", (_event, item) => {
      plot.style.cursor = runsOf(item).length > 0 ? "pointer" : "";
    });
    await view.runAsync();
    plot.replaceChildren(canvas);
    return { view, canvas };
  }

  /**
   * The same chart without its title, which the page has as a heading that breaks into lines.
   *
   * @param {import("../drawing/lay_out.ts").VegaLiteSpec} spec
   */
  function withoutHeading(spec) {
    const title = /** @type {{ subtitle?: string | readonly string[] } | undefined} */ (spec["title"]);
    const { title: _, ...others } = spec;
    if (title?.subtitle === undefined) return /** @type {typeof spec} */ (others);
    return {
      ...others,
      $schema: spec.$schema,
      title: { text: title.subtitle, fontSize: 13, fontWeight: "normal" },
    };
  }

  /**
   * The same chart for dark screens: greys turn over, and colours get as light as they must be to be seen.
   *
   * @param {import("../drawing/lay_out.ts").VegaLiteSpec} spec
   */
  function darkened(spec) {
    const { data, ...look } = spec;
    const text = JSON.stringify({ ...look, background: "transparent" })
      .replaceAll(/"#([0-9a-f]{6})"/gi, (_, digits) => `"${forDark(digits)}"`);
    return { ...JSON.parse(text), data };
  }

  /** @param {string} digits of a colour, "0072b2" */
  function forDark(digits) {
    const channels = [0, 2, 4].map((at) => Number.parseInt(digits.slice(at, at + 2), 16));
    const most = Math.max(...channels), least = Math.min(...channels);
    const light = (0.3 * (channels[0] ?? 0) + 0.59 * (channels[1] ?? 0) + 0.11 * (channels[2] ?? 0)) / 255;
    const turned = most - least < 12
      ? channels.map((value) => 18 + Math.round((255 - value) * 0.86))
      // A colour of less lightness is mixed with white.
      : channels.map((value) => Math.round(value + (255 - value) * Math.max(0, 0.55 - light)));
    return `#${turned.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
  }

  /**
   * Shows a chart as it is for browsers without scripts.
   *
   * @param {Figure} figure
   */
  function showStill({ plot, still }) {
    if (still === "" || plot.querySelector(".still")) return;
    const element = make("div");
    element.className = "still";
    element.innerHTML = still;
    plot.append(element);
    plot.classList.add("drawn");
  }

  /**
   * The runs that a mark stands for.
   *
   * @param {any} item
   * @returns {string[]}
   */
  function runsOf(item) {
    const datum = item?.datum;
    if (Array.isArray(datum?.runs)) return [...new Set(datum.runs)];
    return typeof datum?.run === "string" ? [datum.run] : [];
  }

  /**
   * Keeps a chart's place until it is drawn.
   *
   * @param {HTMLElement} plot
   */
  function reserve(plot) {
    const { width, height } = plot.dataset;
    plot.style.setProperty("--width", width ?? "");
    plot.style.setProperty("--height", height ?? "");
  }

  /**
   * What is larger than its place on the page scrolls by itself, by keyboard too.
   *
   * @param {HTMLElement} box
   */
  function measure(box) {
    const scrolls = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
    if (scrolls) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }

  function watchSight() {
    for (const [name, rootMargin] of /** @type {const} */ ([["inSight", "0px"], ["isNear", "400px"]])) {
      const observer = new IntersectionObserver((entries) => {
        for (const { target, isIntersecting } of entries) {
          const figure = figures.find(({ plot }) => plot === target);
          if (figure) figure[name] = isIntersecting;
        }
        void drawAll();
      }, { rootMargin });
      for (const { plot } of figures) observer.observe(plot);
    }
    addEventListener("resize", measureAll);
    measureAll();
    // Paper shows all charts: those that were never in sight as they were drawn for browsers without scripts.
    addEventListener("beforeprint", () => {
      for (const figure of figures) {
        // What was drawn for a dark screen is no picture for paper.
        const isDark = figure.plot.classList.contains("dark") && !isFiltered() &&
          figure.still.includes("<svg");
        if (!figure.drawing || isDark) showStill(figure);
        figure.plot.classList.toggle("stands-in", isDark);
      }
      for (const details of document.querySelectorAll("main details")) {
        if (!details.closest("#filters")) /** @type {HTMLDetailsElement} */ (details).open = true;
      }
    });
    addEventListener("afterprint", () => {
      for (const { plot } of figures) {
        if (plot.classList.contains("stands-in")) plot.querySelector(".still")?.remove();
        plot.classList.remove("stands-in");
      }
    });
  }

  function measureAll() {
    for (const box of document.querySelectorAll(".plot, .scroll")) measure(/** @type {HTMLElement} */ (box));
  }

  /** Marks in the table of contents what is being read. */
  function watchContents() {
    const links = /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll("nav a[href^='#']")]);
    const targets = links.flatMap((link) => {
      const target = document.getElementById(link.hash.slice(1));
      return target ? [{ link, target }] : [];
    });
    const side = find(".side");
    const mark = () => {
      const read = targets.filter(({ target }) => target.getBoundingClientRect().top < innerHeight / 3).at(
        -1,
      );
      for (const { link } of targets) {
        if (link === read?.link) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
      if (read === undefined) return;
      const { top, bottom } = read.link.getBoundingClientRect();
      if (top < 0) side.scrollTop += top - 40;
      else if (bottom > innerHeight) side.scrollTop += bottom - innerHeight + 40;
    };
    let waiting = false;
    addEventListener("scroll", () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        mark();
      });
    }, { passive: true });
    mark();
  }

  // What can be taken along

  /** Buttons that copy commands, and links that save a chart as it is shown. */
  function offerCopies() {
    for (const button of document.querySelectorAll("button.copy")) {
      button.addEventListener("click", () => void copy(button, button.previousElementSibling));
    }
    for (const files of document.querySelectorAll(".files")) {
      const id = /** @type {HTMLElement} */ (files).dataset["chart"] ?? "";
      for (const kind of /** @type {const} */ (["png", "csv"])) {
        if (files.querySelector(`[data-save=${kind}]`)) continue;
        const link = make("a", kind.toUpperCase());
        link.setAttribute("href", `#${id}`);
        link.dataset["save"] = kind;
        files.append(" ", link);
      }
      files.addEventListener("click", (event) => {
        const kind = event.target instanceof HTMLElement ? event.target.dataset["save"] : undefined;
        const figure = figures.find((one) => one.id === id);
        if (!kind || figure && !(figure.view && figure.spec)) return;
        event.preventDefault();
        void (figure ? saveChart(figure, kind) : saveForest(id, kind));
      });
    }
  }

  /**
   * The first picture, of the rows that are shown.
   *
   * @param {string} id
   * @param {string} kind
   */
  async function saveForest(id, kind) {
    const forest = /** @type {import("../forest.ts").Forest} */ (await unpack(id));
    const drawn =
      /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".forest-rows tbody tr:not(.group)")]);
    const isShown = drawn.map((row) => !row.hidden && !row.parentElement?.hidden);
    let at = 0;
    const groups = forest.groups.map((group) => ({ ...group, rows: group.rows.filter(() => isShown[at++]) }));
    const shown = { ...forest, groups: groups.filter(({ rows }) => rows.length > 0) };
    if (kind === "csv") return save(`${id}.csv`, "text/csv", forestFiles.forestToCsv(shown));
    const svg = forestFiles.forestToSvg(shown);
    if (kind === "svg") save(`${id}.svg`, "image/svg+xml", svg);
    else save(`${id}.png`, "image/png", await toPng(svg));
  }

  /**
   * @param {string} svg
   * @returns {Promise<Blob>}
   */
  async function toPng(svg) {
    const image = new Image();
    image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = 2 * image.width;
    canvas.height = 2 * image.height;
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) =>
      canvas.toBlob((blob) =>
        blob
          ? resolve(blob)
          : reject(new Error(`Cannot make a PNG of ${image.width} by ${image.height} pixels`))
      )
    );
  }

  /**
   * @param {Figure} figure
   * @param {string} kind
   */
  async function saveChart({ id, spec }, kind) {
    if (!spec) return;
    const rows = /** @type {{ values: readonly Row[] }} */ (spec["data"]).values;
    if (kind === "json") save(`${id}.vl.json`, "application/json", JSON.stringify(spec, null, 1));
    if (kind === "csv") save(`${id}.csv`, "text/csv", csvOf(rows));
    if (kind !== "svg" && kind !== "png") return;
    // As on paper, whatever the screen.
    const compiled = vegaLite.compile(/** @type {any} */ (spec)).spec;
    const view = new vega.View(vega.parse(compiled, {}, { ast: true }), {
      renderer: "none",
      expr: interpreter,
    });
    if (kind === "svg") save(`${id}.svg`, "image/svg+xml", await view.toSVG());
    else {
      const canvas = /** @type {HTMLCanvasElement} */ (/** @type {unknown} */ (await view.toCanvas(2)));
      canvas.toBlob((blob) => blob && save(`${id}.png`, "image/png", blob));
    }
    view.finalize();
  }

  /** @param {readonly Row[]} rows */
  function csvOf(rows) {
    const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
    const cell = (/** @type {unknown} */ value) => {
      const text = value === null || value === undefined
        ? ""
        : Array.isArray(value)
        ? value.join(" ")
        : String(value);
      return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    return [names, ...rows.map((row) => names.map((name) => row[name]))].map((line) =>
      line.map(cell).join(",")
    ).join(
      "\n",
    );
  }

  /**
   * @param {string} name
   * @param {string} type
   * @param {string | Blob} content
   */
  function save(name, type, content) {
    const link = make("a"), address = URL.createObjectURL(new Blob([content], { type }));
    link.setAttribute("href", address);
    link.setAttribute("download", name);
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  /**
   * @param {Element} button
   * @param {Element | null} source
   */
  async function copy(button, source) {
    if (!source) return;
    try {
      await navigator.clipboard.writeText(source.textContent ?? "");
      button.textContent = "Copied";
    } catch {
      // Where a browser refuses, the reader's own keys still copy what is selected.
      getSelection()?.selectAllChildren(source);
      button.textContent = "Selected";
    }
  }

  // Tooltips

  /**
   * @param {unknown} _handler
   * @param {MouseEvent} event
   * @param {any} item
   * @param {any} value what the chart's encodings say; an object with a line each
   */
  function showTooltip(_handler, event, item, value) {
    const tooltip = find("#tooltip");
    if (value === null || value === undefined || value === "") {
      tooltip.hidden = true;
      return;
    }
    const lines = typeof value === "object" ? Object.entries(value) : [["", value]];
    tooltip.replaceChildren(facts(lines.map(([name, text]) => [name, String(text)])));
    const runs = runsOf(item).length;
    if (runs > 0) tooltip.append(make("p", runs === 1 ? "Click for the run" : `Click for its ${runs} runs`));
    tooltip.hidden = false;
    const { width, height } = tooltip.getBoundingClientRect();
    const left = event.clientX + 14 + width < innerWidth ? event.clientX + 14 : event.clientX - 14 - width;
    const top = event.clientY + 14 + height < innerHeight ? event.clientY + 14 : event.clientY - 14 - height;
    tooltip.style.left = `${Math.max(4, left)}px`;
    tooltip.style.top = `${Math.max(4, top)}px`;
  }

  // The panel of a run

  /** @param {PageData} data */
  function openPanels(data) {
    const panel = find("#run-panel");
    document.addEventListener("click", (event) => {
      const link = event.target instanceof Element ? event.target.closest("a[href^='#run-']") : null;
      if (!(link instanceof HTMLAnchorElement)) return;
      event.preventDefault();
      const from = panel.contains(link) ? opener : link;
      openPanel(data, [link.hash.slice("#run-".length)], from);
    });
    find("#run-panel .close").addEventListener("click", closePanel);
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") closePanel();
    });
    if (location.hash.startsWith("#run-")) openPanel(data, [location.hash.slice("#run-".length)], null);
  }

  /** @type {Element | null} */
  let opener = null;

  /**
   * @param {PageData} data
   * @param {readonly string[]} ids of the runs to tell of
   * @param {Element | null} from where the focus goes when the panel is closed
   */
  function openPanel(data, ids, from) {
    const runs = ids.flatMap((id) => data.runs.find((run) => run.id === id) ?? []);
    const [first] = runs;
    if (!first) return;
    opener = from;
    const body = find("#run-panel .body");
    body.replaceChildren(...runs.length === 1 ? describe(data, first) : list(runs));
    find("#run-panel h2").textContent = runs.length === 1 ? `Run ${first.id}` : `${runs.length} runs`;
    const panel = find("#run-panel");
    panel.hidden = false;
    panel.scrollTop = 0;
    panel.focus();
    find("#tooltip").hidden = true;
    replaceAddress(runs.length === 1 ? `#run-${first.id}` : "#");
  }

  function closePanel() {
    const panel = find("#run-panel");
    if (panel.hidden) return;
    panel.hidden = true;
    replaceAddress("#");
    if (opener instanceof HTMLElement) opener.focus({ preventScroll: true });
    opener = null;
  }

  /**
   * @param {readonly ReportedRun[]} runs
   * @returns {Element[]}
   */
  function list(runs) {
    const items = make("ul");
    for (const run of runs) {
      const item = make("li"), link = make("a", nameOf(run));
      link.setAttribute("href", `#run-${run.id}`);
      item.append(link);
      if (run.score !== null) item.append(` score ${run.score.toFixed(3)}`);
      items.append(item);
    }
    return [items];
  }

  /**
   * @param {PageData} data
   * @param {ReportedRun} run
   * @returns {Element[]}
   */
  function describe({ command, statuses }, run) {
    const again = run.status === "missing" ? command : rerun(run.id);
    return [
      make("p", nameOf(run)),
      make("p", statuses[run.status]),
      facts(run.facts),
      ...again === null ? [] : copyable(run.status === "missing" ? "To run it" : "To run it again", again),
      ...copyable("Config", JSON.stringify(run.config, null, 2)),
    ];
  }

  /** @param {ReportedRun} run */
  function nameOf({ method, size, taskTitle, rank, rate, seed }) {
    const parts = [rank === null ? [] : `rank ${rank}`, `learning rate ${rate}`, `seed ${seed}`].flat();
    return `${method}${size === "" ? "" : ` ${size}`} on ${taskTitle}: ${parts.join(", ")}`;
  }

  /** @param {string} id */
  function rerun(id) {
    const folder = /^(.*)\/report\/[^/]*$/.exec(decodeURIComponent(location.pathname))?.[1];
    const path = `${location.protocol === "file:" && folder ? folder : "DIR"}/runs/${id}.json`;
    return `./run bench ${/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`}`;
  }

  /**
   * A text with a button that copies it.
   *
   * @param {string} title
   * @param {string} text
   * @returns {Element[]}
   */
  function copyable(title, text) {
    const heading = make("h3", title), block = make("pre"), button = make("button", "Copy");
    const code = make("code", text);
    block.tabIndex = 0;
    block.setAttribute("aria-label", title);
    block.setAttribute("role", "region");
    block.append(code);
    button.setAttribute("type", "button");
    button.setAttribute("aria-label", `Copy: ${title}`);
    button.addEventListener("click", () => void copy(button, code));
    heading.append(button);
    return [heading, block];
  }

  // Elements

  /** @param {readonly (readonly [name: string, value: string])[]} pairs */
  function facts(pairs) {
    const element = make("dl");
    for (const [name, value] of pairs) {
      if (name !== "") element.append(make("dt", name));
      element.append(make("dd", value));
    }
    return element;
  }

  /**
   * @template {keyof HTMLElementTagNameMap} K
   * @param {K} name
   * @param {string} text
   */
  function make(name, text = "") {
    const element = document.createElement(name);
    element.textContent = text;
    return element;
  }

  /**
   * @param {string} selector
   * @param {ParentNode} within
   * @returns {HTMLElement}
   */
  function find(selector, within = document) {
    const found = within.querySelector(selector);
    if (!(found instanceof HTMLElement)) throw new Error(`There is no ${selector} on this page`);
    return found;
  }
})();
