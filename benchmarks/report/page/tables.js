// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** @file What a report's tables do in a browser: they follow filters, sort, are searched, and show more. */
"use strict";
/** @type {any} */ (globalThis).reportTables = (() => {
  /** @typedef {import("./page_data.ts").Filter} Filter */

  /**
   * A choice of a filter.
   *
   * @typedef {object} Chosen
   * @property {Filter} filter
   * @property {readonly (string | number)[] | null} values null for all
   */

  /** What cells say: reading them again for each filter would take longer than hiding them. */
  const texts = /** @type {WeakMap<Element, string>} */ (new WeakMap());

  /** Makes headings sort, and switches and searches work. */
  function start() {
    for (const table of document.querySelectorAll("main table:not(.forest-rows)")) {
      for (const heading of table.querySelectorAll("thead th")) makeSortable(table, heading);
    }
    for (const input of document.querySelectorAll("input.show-more")) {
      input.addEventListener("change", () => {
        const part = input.closest(".part");
        part?.classList.toggle("showing-more", /** @type {HTMLInputElement} */ (input).checked);
      });
    }
    for (const input of document.querySelectorAll("input.search")) {
      input.addEventListener("input", () => {
        const wanted = /** @type {HTMLInputElement} */ (input).value.toLowerCase();
        const part = input.closest(".part");
        for (const row of part?.querySelectorAll("tbody:not(.pinned) tr") ?? []) {
          row.classList.toggle("unsought", !(row.textContent ?? "").toLowerCase().includes(wanted));
        }
      });
    }
  }

  /**
   * @param {Element} table
   * @param {Element} heading
   */
  function makeSortable(table, heading) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const isDown = heading.getAttribute("aria-sort") !== "descending";
      for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", isDown ? "descending" : "ascending");
      const place = [.../** @type {HTMLTableRowElement} */ (heading.parentElement).cells].indexOf(
        /** @type {HTMLTableCellElement} */ (heading),
      );
      for (const body of /** @type {HTMLTableElement} */ (table).tBodies) sort(body, place, isDown ? -1 : 1);
    });
  }

  /**
   * @param {HTMLTableSectionElement} body
   * @param {number} place
   * @param {number} sign
   */
  function sort(body, place, sign) {
    const keyed = [...body.rows].map((row) => {
      const text = textOf(row.cells[place]);
      return {
        row,
        text,
        number: Number.parseFloat(text.replaceAll("−", "-").replaceAll(",", "").replace("< ", "")),
      };
    });
    keyed.sort((a, b) => {
      const areNumbers = !Number.isNaN(a.number) && !Number.isNaN(b.number);
      if (areNumbers) return sign * (a.number - b.number);
      // What is no number comes last, whatever the order.
      if (Number.isNaN(a.number) !== Number.isNaN(b.number)) return Number.isNaN(a.number) ? 1 : -1;
      return -sign * a.text.localeCompare(b.text);
    });
    body.append(...keyed.map(({ row }) => row));
  }

  /**
   * What a cell says, without what stands small behind it.
   *
   * @param {Element | undefined} cell
   */
  function textOf(cell) {
    const known = cell && texts.get(cell);
    if (known !== undefined) return known;
    let text = "";
    const visit = (/** @type {Node} */ node) => {
      if (node instanceof Element && node.matches("small, svg")) return;
      if (node instanceof Text) text += node.data;
      node.childNodes.forEach(visit);
    };
    if (!cell) return "";
    visit(cell);
    texts.set(cell, text.trim());
    return text.trim();
  }

  /** @type {readonly Chosen[]} */
  let chosen = [];
  /** Tables that do not follow what was chosen yet, by the box in which they scroll. */
  const stale = /** @type {Map<Element, HTMLTableElement>} */ (new Map());
  const inSight = /** @type {Set<Element>} */ (new Set());
  const sight = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) inSight.add(target);
      else inSight.delete(target);
    }
    follow();
  }, { rootMargin: "400px" });

  /**
   * Hides the rows and columns of tables that are about what was not chosen, and says how many: in those in sight now, in
   * the others once they are looked at, since hundreds of rows take long to be laid out anew.
   *
   * @param {readonly Chosen[]} choice
   */
  function filter(choice) {
    chosen = choice;
    for (const table of document.querySelectorAll("main table")) {
      if (table.closest("#runs")) continue;
      const box = table.closest(".scroll") ?? table;
      stale.set(box, /** @type {HTMLTableElement} */ (table));
      box.setAttribute("aria-busy", "true");
      sight.observe(box);
    }
    follow();
  }

  /** Filters the tables in sight that do not follow what was chosen yet. */
  function follow() {
    for (const [box, table] of stale) {
      if (inSight.has(box)) bringUp(box, table);
    }
  }

  /**
   * @param {Element} box
   * @param {HTMLTableElement} table
   */
  function bringUp(box, table) {
    filterTable(table, chosen);
    box.removeAttribute("aria-busy");
    stale.delete(box);
  }

  // Paper shows all.
  addEventListener("beforeprint", () => stale.forEach((table, box) => bringUp(box, table)));

  /**
   * @param {HTMLTableElement} table
   * @param {readonly Chosen[]} chosen
   */
  function filterTable(table, chosen) {
    const heads = [...table.tHead?.rows[0]?.cells ?? []];
    const tests = chosen.flatMap(({ filter: { field, values: all }, values }) => {
      if (values === null) return [];
      const place = heads.findIndex((head) => head.dataset["field"] === field);
      const known = new Set(all.map(({ label }) => label));
      const wanted = new Set(all.filter(({ value }) => values.includes(value)).map(({ label }) => label));
      return [(/** @type {HTMLTableRowElement} */ row) => {
        const own = field === "method" || field === "rank" ? row.dataset[field] : undefined;
        const text = own ?? (place < 0 ? "" : textOf(row.cells[place]).replace(/ \(edge\)$/, ""));
        return !known.has(text) || wanted.has(text);
      }];
    });
    const tasks = chosen.find(({ filter }) => filter.field === "task")?.values ?? null;
    for (const one of table.querySelectorAll("[data-task]")) {
      const element = /** @type {HTMLElement} */ (one);
      element.hidden = tasks !== null && !tasks.includes(element.dataset["task"] ?? "");
    }
    let shown = 0, count = 0;
    for (const body of table.tBodies) {
      for (const row of body.rows) {
        if (row.classList.contains("group")) continue;
        row.hidden = !tests.every((test) => test(row));
        count++;
        if (!row.hidden && !body.hidden) shown++;
      }
    }
    const part = table.closest(".part, .forest"), told = part?.querySelector(".hides");
    if (told) told.textContent = shown < count ? `Filters hide ${count - shown} of ${count} rows.` : "";
  }

  return { start, filter };
})();
