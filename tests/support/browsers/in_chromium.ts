/**
 * @file What the report's page does in a real browser: page_test.ts runs these tests in a process of their own, since
 * playwright-core asks for every permission: `deno test --allow-all tests/support/browsers/in_chromium.ts`.
 */
import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core";
import type { RunConfig, RunResult } from "../../../training/run.ts";
import { choose } from "../../../benchmarks/rates/choose.ts";
import { fakeRegistries, tenTasks } from "../fakes/registries.ts";
import { fakeDiverged, fakeDone, fakeFailed } from "../fakes/results.ts";
import { fakePlan, fakeSweep } from "../fakes/sweep.ts";
import { a100 } from "../../../benchmarks/cost/growth/predict.ts";
import { makePlan } from "../../../benchmarks/sweep/plan.ts";
import { expand, type SweepSpec } from "../../../benchmarks/sweep/sweep.ts";
import { buildReport } from "../../../benchmarks/report/build.ts";
import { drawnPanels, panelFaults } from "../drawn_panels.ts";
import { toHtml } from "../../../benchmarks/report/html.ts";
import { forestToCsv, forestToSvg } from "../../../benchmarks/report/drawing/forest_svg.ts";
import { renderSvg } from "../../../benchmarks/report/render.ts";
import type { Report } from "../../../benchmarks/report/report.ts";
import type { Study } from "../../../benchmarks/study/study.ts";
import { makeStudy } from "../../../benchmarks/study/make_study.ts";
import { CHROMIUM } from "./chromium.ts";
import { filtersOf } from "../../../benchmarks/report/page/filters.ts";

const axe = await Deno.readTextFile(new URL(import.meta.resolve("axe-core")));

/** A name that would be markup, a script or the end of one, if a page took it for more than a name. */
const HOSTILE = `</script><script>document.title = "broken"</script><img src="x" onerror="alert(1)">`;

const tuning: SweepSpec = {
  ...fakeSweep,
  optimizers: ["full", "lora", "lora-ga", "lora-pro"].map((id) => ({
    id,
    learningRates: [0.001, 0.004, 0.016],
  })),
};

const registries = {
  ...fakeRegistries,
  optimizers: {
    ...fakeRegistries.optimizers,
    loraPro: { ...fakeRegistries.optimizers["loraPro"]!, title: `LoRA-Pro ${HOSTILE}` },
  },
};

/** Of a made-up tuning sweep in which one run diverged, one failed and one is missing, with hostile names and errors. */
async function makeReport() {
  const plan = await fakePlan(tuning);
  const stored = await Promise.all(
    plan.runs.slice(1).map(({ config }, i): Promise<RunResult> => {
      return i === 0 ? fakeDiverged(config) : i === 1 ? hostileFailure(config) : varied(config);
    }),
  );
  const configs = plan.runs.map(({ config }) => config);
  return {
    report: buildReport({ plan, stored, faults: [`Cannot use ${HOSTILE}.json`], setAside: [] }, registries),
    study: makeStudy(configs, stored, choose("tune", stored).rates, registries, a100),
  };
}

/** A made-up run whose measurements and times, too, depend on its rate and seed. */
async function varied(config: RunConfig): Promise<RunResult> {
  const run = await fakeDone(config), { cost, discrepancies, ...outcome } = run.outcome;
  const factor = 1 + 10 * config.schedule.learningRate + 0.1 * config.seed;
  const times = (value: number | null | undefined) => typeof value === "number" ? factor * value : null;
  return {
    ...run,
    outcome: {
      ...outcome,
      discrepancies: discrepancies.map((one) => ({
        ...one,
        gradientError: factor * one.gradientError,
        secondOrderShare: times(one.secondOrderShare),
        moveOfA: times(one.moveOfA),
        effectiveRank: times(one.effectiveRank),
      })),
      cost: { ...cost, medianStepMs: factor * cost.medianStepMs!, totalMs: factor * cost.totalMs },
    },
  };
}

async function hostileFailure(config: RunConfig): Promise<RunResult> {
  return { ...await fakeFailed(config), status: "failed", error: HOSTILE };
}

/** Writes a page into a folder of its own. */
async function write(report: Report, svgs?: readonly string[]): Promise<string> {
  const stills = svgs ?? await Promise.all(report.charts.map(({ chart, spec }) => renderSvg(spec, chart.id)));
  const folder = await Deno.makeTempDir({ prefix: "page" });
  await Deno.mkdir(`${folder}/report`);
  await Deno.writeTextFile(`${folder}/report/index.html`, await toHtml(report, stills));
  return folder;
}

const { report, study } = await makeReport();
const folder = await write(report);
const [first, diverged, failed, done] = report.runs;

const DESK = { width: 1440, height: 900 }, PHONE = { width: 390, height: 844 };

/** One for all tests: each has a context of its own, which shares nothing with another. */
const browser: Browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
Deno.test.afterAll(() => browser.close());

/** Works on the opened page; fails where it asked for anything but itself, or complained. */
async function onPage(
  options: BrowserContextOptions,
  work: (page: Page) => Promise<void>,
  path = `${folder}/report/index.html`,
  hash = "",
): Promise<void> {
  await using context = await browser.newContext({ viewport: DESK, ...options });
  const page = await context.newPage();
  // Machines may be busy: no test is about how long something takes.
  page.setDefaultTimeout(300_000);
  const complaints: string[] = [], requests: string[] = [];
  page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => requests.push(request.url()));
  const url = `file://${path}${hash}`;
  await page.goto(url);
  if (options.javaScriptEnabled !== false) await page.waitForSelector("html[data-ready]");
  await work(page);
  assertEquals(complaints, []);
  assertEquals(requests, [url.split("#")[0]]);
}

/** Scrolls to a chart and waits until it shows what was chosen. */
async function look(page: Page, id: string): Promise<Locator> {
  const plot = page.locator(`[id="${id}"] .plot`);
  await page.evaluate(`{
    const folded = document.getElementById(${JSON.stringify(id)}).closest("details");
    if (folded) folded.open = true;
  }`);
  await plot.scrollIntoViewIfNeeded();
  await page.waitForSelector(`[id="${id}"] .plot.drawn:not([aria-busy])`);
  return plot;
}

/** Fields of a mark's row that headings are about. */
const HEADED = ["task", "method", "rank", "measure", "kind", "axis", "heading", "beside"];

/** Sentences about panels of a chart, as they are drawn now, that show other than what their headings say. */
async function faultsOf(
  page: Page,
  id: string,
  study: Study,
): Promise<string[]> {
  await look(page, id);
  const drawn: ReturnType<typeof drawnPanels> = await page.evaluate(`(() => {
    const drawn = [...document.querySelectorAll('[id="${id}"] .plot svg *')].find((element) => element.__data__?.mark);
    // From any item up to the root of Vega's scenegraph.
    let mark = drawn.__data__.mark;
    while (mark.group) mark = mark.group.mark;
    const { panels, idle } = (${drawnPanels})(mark);
    const short = (row) => Object.fromEntries(${JSON.stringify(HEADED)}.map((field) => [field, row[field]]));
    return { panels: panels.map(({ headings, marks }) => ({ headings, marks: marks.map(short) })), idle };
  })()`);
  return [
    ...drawn.panels.length === 0 ? ["there is no panel"] : [],
    ...drawn.idle.map((heading) => `no panel is under ${heading}`),
    ...drawn.panels.flatMap((panel) => panelFaults(panel, study)),
  ];
}

/**
 * Charts that stand for all in a browser: one shown at once, one folded, one of means. What each chart shows for every
 * choice is tested without a browser, in charts_test.ts.
 */
const LOOKED_AT = ["score-by-rank", "loss-by-step", "score-by-task"];

/** The marks of charts as they are drawn now, by the chart's id. */
async function marksOf(
  page: Page,
  ids: readonly string[] = LOOKED_AT,
): Promise<Map<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>();
  for (const id of ids) {
    const plot = await look(page, id);
    const marks: string[] = await plot.locator(".role-mark > *").evaluateAll((all) =>
      all.map((mark) => mark.outerHTML)
    );
    // The last digits of a place depend on what was drawn before.
    const rounded = marks.map((mark) =>
      mark.replaceAll(/-?\d+\.\d+/g, (digits) => String(Math.round(Number(digits))))
    );
    found.set(id, rounded);
  }
  return found;
}

async function tick(page: Page, filter: string, label: string): Promise<void> {
  await page.locator("#filters summary", { hasText: new RegExp(`^${filter} `) }).click();
  await page.locator("#filters details[open] label").filter({
    has: page.locator("span", { hasText: new RegExp(`^${RegExp.escape(label)}$`) }),
  })
    .click();
  await page.keyboard.press("Escape");
}

async function shownRuns(page: Page): Promise<number> {
  return await page.locator("#runs tbody tr:visible").count();
}

/** Sentences about what axe finds on a page, or on the part of it that a selector names. */
async function axeFaults(page: Page, part = "html"): Promise<string[]> {
  await page.evaluate(axe);
  return await page.evaluate(`axe.run(${JSON.stringify(part)}).then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map((node) => id + ": " + node.html.slice(0, 200))))`);
}

async function overflow(page: Page): Promise<number> {
  return await page.evaluate("document.documentElement.scrollWidth - innerWidth");
}

/** Visible cells of tables that are about something else than what was chosen. */
async function strangers(page: Page, filter: string, label: string): Promise<string[]> {
  const known = filtersOf(report.runs).find(({ title }) => title === filter)!.values.map(({ label }) =>
    label
  );
  return await page.evaluate(`(async () => {
    const known = ${JSON.stringify(known)}, label = ${JSON.stringify(label)}, found = [];
    for (const details of document.querySelectorAll("main details.part")) details.open = true;
    for (const table of document.querySelectorAll("main table")) {
      // Tables follow filters where they are looked at.
      const box = table.closest(".scroll") ?? table;
      box.scrollIntoView();
      while (box.hasAttribute("aria-busy")) await new Promise(requestAnimationFrame);
      const place = [...table.tHead.rows[0].cells].findIndex((head) => head.textContent === ${
    JSON.stringify(filter)
  });
      for (const row of place < 0 ? [] : table.tBodies[0].rows) {
        const text = [...row.cells[place]?.childNodes ?? []].filter((node) => node instanceof Text).map(({ data }) => data).join("").trim();
        if (row.checkVisibility() && known.includes(text) && text !== label) found.push(text);
      }
    }
    return found;
  })()`);
}

Deno.test("every filter acts on charts, tables and the list of runs, and is taken back", async () => {
  await onPage({}, async (page) => {
    const before = await marksOf(page), all = report.runs.length;
    assertEquals(await shownRuns(page), all);
    const { task, method, rank, seed } = {
      task: "Word problems",
      method: "LoRA-GA",
      rank: "8",
      seed: "1",
    };
    for (
      const [filter, label] of [["Task", task], ["Method", method], ["Rank", rank], ["Seed", seed]] as const
    ) {
      await tick(page, filter, label);
      const now = await marksOf(page);
      for (const [id, marks] of before) {
        assert(now.get(id)!.length > 0, `${id} shows nothing for ${filter} ${label}`);
        assert(now.get(id)!.join() !== marks.join(), `${id} does not follow ${filter}`);
        assertEquals(await faultsOf(page, id, study), [], `${id} for ${filter} ${label}`);
        if (filter === "Task") {
          assert(now.get(id)!.length < marks.length, `${id} has as many marks for one task`);
        }
      }
      assertEquals(await strangers(page, filter, label), [], `rows of other than ${filter} ${label}`);
      const runs = await shownRuns(page);
      assert(runs > 0 && runs < all, `${runs} runs for ${filter}`);
      assertStringIncludes(await page.locator("#filters-state").innerText(), `${runs} of ${all} runs`);
      await page.getByRole("button", { name: "Show all" }).click();
      await page.waitForSelector("#filters:not(.filtered)");
      assertEquals(await shownRuns(page), all);
    }
    for (const [id, marks] of await marksOf(page)) {
      assertEquals(marks.length, before.get(id)!.length, `${id} does not take filters back`);
    }
  });
});

Deno.test("a chosen rate acts on every chart, and what nobody ran leaves each empty, with a word", async () => {
  await onPage({}, async (page) => {
    const before = await marksOf(page);
    await tick(page, "Learning rate", "0.016");
    const now = await marksOf(page);
    for (const [id, marks] of before) {
      assert(now.get(id)!.join() !== marks.join(), `${id} does not follow rates`);
    }
    await tick(page, "Learning rate", "0.016");
    // Full fine-tuning's one run at this seed diverged at one rate, failed at another and is missing at the third.
    await tick(page, "Task", "Shifted digits");
    await tick(page, "Method", "Full fine-tuning");
    await tick(page, "Seed", "0");
    assertEquals(await shownRuns(page), 3);
    await look(page, "loss-by-step");
    await page.waitForSelector("#loss-by-step .plot.empty:not([aria-busy])");
  });
});

Deno.test("filters are in the address, and an address with filters opens a page that has them", async () => {
  let address = "";
  await onPage({}, async (page) => {
    await tick(page, "Method", "LoRA-GA");
    await tick(page, "Seed", "1");
    address = page.url();
    assertStringIncludes(address, "?method=LoRA-GA&seed=1");
    assertStringIncludes(await page.locator("#filters-state").innerText(), "those of all seeds");
    assert(await page.locator(".hides:visible", { hasText: "Filters hide" }).count() > 0);
    await page.getByRole("button", { name: "Show all" }).click();
    await page.waitForSelector("#filters:not(.filtered)");
    assert(!page.url().includes("?"), page.url());
  });
  await onPage(
    {},
    async (page) => {
      assertEquals(await page.locator("#scoreboard tbody:not(.pinned) tr:visible").count(), 2);
      const own = report.runs.filter(({ method, seed }) => method === "LoRA-GA" && seed === 1);
      assertEquals(await shownRuns(page), own.length);
    },
    undefined,
    address.slice(address.indexOf("?")),
  );
});

Deno.test("the first screen has the verdict, the three bullets, a command and the first differences", async () => {
  for (const viewport of [DESK, { width: 1024, height: 768 }, PHONE]) {
    await onPage({ viewport }, async (page) => {
      const parts = viewport === PHONE
        ? [".verdict", ".bullets li"]
        : [".verdict", ".bullets li:last-child", ".bullets code", ".forest-rows tbody .bar"];
      for (const part of parts) {
        const box = await page.locator(part).first().boundingBox();
        assert(box!.y + box!.height <= viewport.height, `${part} ends at ${box!.y + box!.height}`);
      }
    });
  }
});

Deno.test("the first picture can be saved as SVG, PNG and CSV, which load elsewhere and follow filters", async () => {
  await onPage({}, async (page) => {
    const save = async (kind: string) => {
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.locator("#differences .files").getByRole("link", { name: kind }).click(),
      ]);
      assertEquals(download.suggestedFilename(), `differences.${kind.toLowerCase()}`);
      return await download.path();
    };
    const csv = await Deno.readTextFile(await save("CSV")), svg = await Deno.readTextFile(await save("SVG"));
    assertEquals([csv, svg], [forestToCsv(report.forest!), forestToSvg(report.forest!)]);
    const [, width, height] = /width="(\d+)" height="(\d+)"/.exec(svg)!;
    const png = new DataView((await Deno.readFile(await save("PNG"))).buffer);
    assertEquals([png.getUint32(16), png.getUint32(20)], [2 * Number(width), 2 * Number(height)]);
    await tick(page, "Method", "LoRA-GA");
    await tick(page, "Rank", "8");
    const lines = (await Deno.readTextFile(await save("CSV"))).trim().split("\r\n").slice(1);
    assertEquals(lines.map((line) => line.split(",").slice(0, 3)), [
      ...["digits", "arithmetic"].flatMap((task) => [[task, "LoRA-GA", "8"], [task, "LoRA-GA", "8"]]),
    ]);
    const shown = await Deno.readTextFile(await save("SVG"));
    assert(shown.includes(">LoRA-GA<") && !shown.includes(">LoRA<") && !shown.includes("rank 2"));
    // A page of another origin shows it as an image.
    await using other = await browser.newContext();
    const elsewhere = await other.newPage();
    await elsewhere.goto(`data:text/html,<img>`);
    const sizes = await elsewhere.evaluate(`(async () => {
      const image = document.querySelector("img");
      image.src = "data:image/svg+xml," + encodeURIComponent(${JSON.stringify(svg)});
      await image.decode();
      return [image.naturalWidth, image.naturalHeight];
    })()`);
    assertEquals(sizes, [Number(width), Number(height)]);
  });
});

Deno.test("tables sort by a heading, are searched, and show more; baselines stay first", async () => {
  await onPage({}, async (page) => {
    const rows = (part: string) => page.locator(`#scoreboard tbody${part} tr:visible`);
    const means = async () =>
      (await rows(":not(.pinned)").locator("td:nth-child(3)").allInnerTexts()).map(Number);
    const before = await rows(".pinned").count();
    const heading = page.locator("#scoreboard thead th").nth(2);
    await heading.locator("button").click();
    assertEquals(await heading.getAttribute("aria-sort"), "descending");
    assertEquals(await means(), (await means()).toSorted((a, b) => b - a));
    await heading.locator("button").click();
    assertEquals(await means(), (await means()).toSorted((a, b) => a - b));
    await page.locator("#scoreboard input[type=search]").fill("lora-ga");
    assertEquals([await rows(".pinned").count(), await rows(":not(.pinned)").count()], [before, 2]);
    assertEquals(await page.locator("#scoreboard small.more:visible").count(), 0);
    await page.locator("#scoreboard .show-more").check();
    assertGreater(await page.locator("#scoreboard small.more:visible").count(), 3);
  });
});

Deno.test("no text is smaller than 11 pixels, in light and in dark, and axe finds nothing in the dark either", async () => {
  for (const colorScheme of ["light", "dark"] as const) {
    await onPage({ colorScheme }, async (page) => {
      await marksOf(page, colorScheme === "light" ? report.charts.map(({ chart }) => chart.id) : LOOKED_AT);
      const small: string[] = await page.evaluate(
        `[...document.querySelectorAll("main *")].filter((element) =>
        [...element.childNodes].some((node) => node instanceof Text && node.data.trim() !== "") &&
        element.checkVisibility() && !element.closest("noscript") &&
        Number.parseFloat(getComputedStyle(element).fontSize) *
            (element.closest("svg.marks")?.getScreenCTM().a ?? 1) < 10.9
      ).map((element) => element.outerHTML.slice(0, 120))`,
      );
      assertEquals(small, []);
      if (colorScheme === "dark") assertEquals(await axeFaults(page), []);
    });
  }
});

Deno.test("a mark tells of its runs, and a run of its config and of the command that runs it again", async () => {
  await onPage({}, async (page) => {
    await look(page, "loss-by-step");
    const mark = page.locator("#loss-by-step .mark-symbol.role-mark path").first();
    await mark.hover({ force: true });
    await page.waitForSelector("#tooltip:not([hidden])");
    await mark.click({ force: true });
    const panel = page.locator("#run-panel");
    assert(await panel.isVisible());
    const link = panel.locator("a").first();
    if (await link.count() > 0) await link.click();
    const config = JSON.parse(await panel.locator("pre").last().innerText());
    const run = report.runs.find(({ id }) => page.url().endsWith(`#run-${id}`));
    assertEquals(config, run!.config);
    const command = await panel.locator("pre").first().innerText();
    assertEquals(command, `./run bench ${folder}/runs/${run!.id}.json`);
    await panel.getByRole("button", { name: "Close" }).click();
    assert(!await panel.isVisible());
  });
});

Deno.test("runs that are missing, failed or diverged say so in the list and in their panels", async () => {
  await onPage({}, async (page) => {
    const panel = page.locator("#run-panel");
    for (
      const [run, sentence, commands] of [
        [first!, "Not run yet.", report.command!],
        [diverged!, "Diverged: ", `${diverged!.id}.json`],
        [failed!, HOSTILE, `${failed!.id}.json`],
        [done!, "Finished.", `${done!.id}.json`],
      ] as const
    ) {
      const row = page.locator(`[id="run-${run.id}"]`);
      await row.scrollIntoViewIfNeeded();
      assertStringIncludes(await row.textContent() ?? "", run.status);
      await row.locator("a").click();
      const text = await panel.innerText();
      assertStringIncludes(text, sentence);
      assertStringIncludes(text, commands);
      await page.keyboard.press("Escape");
    }
    assert((await page.title()).startsWith("fake: "));
    assertStringIncludes(await page.locator("main").innerText(), `LoRA-Pro ${HOSTILE}`);
  });
});

Deno.test("an address that ends in a run opens its panel", async () => {
  await onPage(
    {},
    async (page) => {
      assertEquals(await page.locator("#run-panel h2").innerText(), `Run ${done!.id}`);
    },
    undefined,
    `#run-${done!.id}`,
  );
});

Deno.test("the keyboard reaches the answer, filters, charts' runs and panels, and comes back", async () => {
  await onPage({}, async (page) => {
    const focused = (read: string) => page.evaluate(`document.activeElement.${read}`);
    await page.keyboard.press("Tab");
    assertEquals(await focused("textContent"), "To the answer");
    for (let i = 0; await focused("closest('#filters')") === null; i++) {
      assert(i < 40, "the filters are not reached");
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Space");
    assertGreater(report.runs.length, await shownRuns(page));
    await page.keyboard.press("Escape");
    assertEquals([await focused("tagName"), await page.locator("#filters details[open]").count()], [
      "SUMMARY",
      0,
    ]);
    await page.locator(".skip").focus();
    await page.keyboard.press("Enter");
    assertStringIncludes(page.url(), "#answer");
    const link = page.locator("#runs tbody tr:visible a").first();
    await link.focus();
    await page.keyboard.press("Enter");
    assertEquals(await focused("id"), "run-panel");
    await page.keyboard.press("Tab");
    assertEquals(await focused("textContent"), "Close");
    await page.keyboard.press("Escape");
    assertEquals(await focused("hash"), await link.getAttribute("href"));
  });
});

Deno.test("axe finds nothing to complain about, with charts drawn, a menu and a panel open", async () => {
  await onPage({}, async (page) => {
    await marksOf(page);
    await page.evaluate("for (const one of document.querySelectorAll('main details.part')) one.open = true");
    assertEquals(await axeFaults(page), []);
    await page.locator("#filters summary").first().click();
    assertEquals(await axeFaults(page, "#filters"), []);
    await page.keyboard.press("Escape");
    await page.locator("#runs tbody a").nth(3).click();
    assertEquals(await axeFaults(page, "#run-panel"), []);
  });
});

Deno.test("nothing is wider than a phone, and axe has no complaint there either", async () => {
  await onPage({ viewport: PHONE, hasTouch: true, isMobile: true }, async (page) => {
    assertEquals(await axeFaults(page), []);
    assertEquals(await overflow(page), 0);
    await marksOf(page);
    assertEquals(await overflow(page), 0);
    await page.locator("#filters summary").nth(1).click();
    assertEquals(await overflow(page), 0);
    const menu = await page.locator("#filters details[open] fieldset").boundingBox();
    assert(menu!.x >= 0 && menu!.x + menu!.width <= PHONE.width);
    await page.keyboard.press("Escape");
    await page.locator("#runs tbody a").nth(3).evaluate("(link) => link.click()");
    assertEquals(await overflow(page), 0);
  });
});

Deno.test("without scripts every chart is there, and nothing that needs one", async () => {
  await onPage({ javaScriptEnabled: false }, async (page) => {
    assertEquals(await page.locator("figure svg.marks").count(), report.charts.length);
    const shown = await page.locator("figure svg.marks:visible").count();
    assertEquals(shown, 3);
    await page.locator("summary", { hasText: "How fast does the validation loss fall, step" }).click();
    assertEquals(await page.locator("figure svg.marks:visible").count(), shown + 1);
    assertEquals(
      await page.locator("#filters:visible, #run-panel:visible, .tools:visible button").count(),
      0,
    );
    assertEquals(await shownRuns(page), report.runs.length);
  });
});

Deno.test("paper gets every chart, drawn or not, and no filters", async () => {
  await onPage({}, async (page) => {
    const pdf = await page.pdf({ format: "A4" });
    assertGreater(pdf.length, 10_000);
    assertEquals(await page.locator("figure .plot:has(svg)").count(), report.charts.length);
    await page.emulateMedia({ media: "print" });
    assertEquals(await page.locator("#filters:visible, nav:visible").count(), 0);
    assertEquals(await page.locator("figure svg.marks:visible").count(), report.charts.length);
    await page.emulateMedia({ media: "screen" });
    await tick(page, "Rank", "8");
    await look(page, "score-by-rank");
    await page.emulateMedia({ media: "print" });
    // What was not in sight since is that of all runs, and says so.
    const said = async (id: string): Promise<string> =>
      await page.evaluate(
        `getComputedStyle(document.querySelector('[id="${id}"] .plot'), "::before").content`,
      );
    assertEquals(await said("score-by-rank"), "none");
    assertStringIncludes(await said(report.charts.at(-1)!.chart.id), "it shows other runs, too");
  });
});

Deno.test("paper gets light charts from a dark screen, which keeps its own", async () => {
  await onPage({ colorScheme: "dark" }, async (page) => {
    await look(page, "score-by-rank");
    const plot = page.locator("#score-by-rank .plot");
    const shown = async () => (await plot.locator("svg.marks:visible").evaluateAll((all) =>
      all.map((svg) =>
        svg.closest(".still") !== null
      )
    ));
    assertEquals(await shown(), [false]);
    await page.evaluate(`dispatchEvent(new Event("beforeprint"))`);
    assertEquals(await shown(), [false]);
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    assertEquals(await shown(), [true]);
    await page.emulateMedia({ media: "screen", colorScheme: "dark" });
    await page.evaluate(`dispatchEvent(new Event("afterprint"))`);
    assertEquals([await shown(), await plot.locator(".still").count()], [[false], 0]);
  });
});

Deno.test("a page of fifteen methods by ten tasks is small, opens, follows a filter, and is no wider than its window", async () => {
  const spec: SweepSpec = {
    ...fakeSweep,
    tasks: Object.keys(tenTasks.tasks).map((id) => ({
      ...fakeSweep.tasks[1]!,
      task: { ...fakeSweep.tasks[1]!.task, id },
    })),
    optimizers: Object.values(tenTasks.optimizers).map(({ id }) => ({ id, learningRates: [0.004] })),
    ranks: [8],
  };
  const plan = await makePlan(spec, expand(spec, tenTasks), "./run bench fake", null);
  const stored = await Promise.all(plan.runs.map(({ config }) => fakeDone(config)));
  const large = buildReport({ plan, stored, faults: [], setAside: [] }, tenTasks);
  // What a page without scripts shows is no matter here.
  const stills = large.charts.map(() => `<svg class="marks" width="1000" height="800"></svg>`);
  const own = await write(large, stills), path = `${own}/report/index.html`;
  const { size } = await Deno.stat(path);
  await onPage({}, async (page) => {
    const ready: number = await page.evaluate("performance.now()");
    const session = await page.context().newCDPSession(page);
    const processor = async () => {
      const { metrics } = await session.send("Performance.getMetrics");
      return metrics.find(({ name }) => name === "TaskDuration")!.value;
    };
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    assertEquals(await shownRuns(page), plan.runs.length);
    await look(page, "score-by-rank");
    await page.evaluate(`document.querySelector("#score-by-rank svg").dataset.first = ""`);
    const start = await processor();
    await tick(page, "Seed", "1");
    await look(page, "score-by-rank");
    const chosen = await processor() - start;
    assertEquals(await shownRuns(page), plan.runs.length / 2);
    const begun = await processor();
    await page.getByRole("button", { name: "Show all" }).click();
    await page.waitForSelector("#filters:not(.filtered)");
    await look(page, "score-by-rank");
    const back = await processor() - begun;
    // What was drawn before is shown again, and not drawn again; what the screen has changed is.
    assertEquals(await page.locator("#score-by-rank svg[data-first]").count(), 1);
    await page.emulateMedia({ colorScheme: "dark" });
    await page.waitForSelector("#score-by-rank .plot:not([aria-busy]):has(svg:not([data-first]))");
    console.log(
      `measured: ${plan.runs.length} runs, ${(size / 1e6).toFixed(1)} MB, ready after ${
        (ready / 1000).toFixed(2)
      } s; a filter took ${chosen.toFixed(2)} s of one core, taken back ${back.toFixed(2)} s`,
    );
    assertEquals(await shownRuns(page), plan.runs.length);
    assertEquals(await overflow(page), 0);
    await page.setViewportSize({ width: 1024, height: 768 });
    assertEquals(await overflow(page), 0);
    assertGreater(10e6, size);
  }, path);
  await Deno.remove(own, { recursive: true });
});

addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
