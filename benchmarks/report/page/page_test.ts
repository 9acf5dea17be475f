import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fakeRegistries } from "../../../tests/support/fakes/registries.ts";
import { fakeDone } from "../../../tests/support/fakes/results.ts";
import { fakePlan } from "../../../tests/support/fakes/sweep.ts";
import { buildReport } from "../build.ts";
import { EVERYTHING, FILTERS } from "../drawing/filters.ts";
import { layOut } from "../drawing/lay_out.ts";
import { toHtml } from "../html.ts";
import type { Report } from "../report.ts";
import { chartData } from "./chart_data.ts";
import { runInChromium, testInChromium } from "../../../tests/support/browsers/chromium.ts";
import { READING, testNeeding } from "../../../tests/support/test_needing.ts";
import { filtersOf } from "./filters.ts";
import type { ChartData } from "./page_data.ts";
import { type Columns, pack, toColumns } from "./payload.ts";

const test = testNeeding(READING);

async function fakeReport(): Promise<Report> {
  const plan = await fakePlan();
  const stored = await Promise.all(plan.runs.map(({ config }) => fakeDone(config)));
  return buildReport({ plan, stored, faults: [], setAside: [] }, fakeRegistries);
}

const report = await fakeReport();
const svgs = report.charts.map(() => `<svg class="marks" width="100" height="50"></svg>`);

async function unpack(text: string): Promise<unknown> {
  const stream = new Blob([Uint8Array.fromBase64(text)]).stream();
  return await new Response(stream.pipeThrough(new DecompressionStream("deflate-raw"))).json();
}

/** As the page's script does it. */
function toRows({ length, fields }: Columns): Record<string, unknown>[] {
  return Array.from({ length }, (_, i) =>
    Object.fromEntries(fields.flatMap((field) => {
      if ("numbers" in field) return [[field.name, field.numbers[i]]];
      const place = field.at[i]!;
      return place < 0 ? [] : [[field.name, field.values[place]]];
    })));
}

test("toHtml() gives the same bytes for the same report", async () => {
  assertEquals(await toHtml(report, svgs), await toHtml(await fakeReport(), svgs));
});

test("toHtml() escapes what it prints, asks nothing of the network and forbids to ask", async () => {
  const hostile = `Is <b> & "c" safe?</script></noscript><script>1</script>`;
  const page = await toHtml({
    ...report,
    name: hostile,
    question: hostile,
    answer: [hostile],
    headline: {
      ...{ verdict: hostile, what: hostile, sure: hostile, change: hostile, command: hostile },
      claim: { said: hostile, unlike: hostile },
    },
    predicted: { title: hostile, note: hostile, columns: [hostile], rows: [[hostile]] },
    forgetting: hostile,
    caveats: [hostile],
    command: hostile,
    environment: [[hostile, hostile]],
    tables: [{ title: hostile, note: hostile, columns: [hostile], rows: [[hostile]] }],
    methods: report.methods.map((method, i) => i === 0 ? { ...method, label: hostile } : method),
    runs: report.runs.map((run) => ({ ...run, taskTitle: hostile, method: hostile, size: hostile })),
  }, svgs);
  assertStringIncludes(page, "Is &lt;b&gt; &amp; &quot;c&quot; safe?&lt;/script&gt;");
  const scripts = [...page.matchAll(/<script[^>]*>/g)].map(([tag]) => tag);
  assertEquals(scripts.filter((tag) => tag === "<script>").length, 4);
  // Data of the page, of what is checked of it, of its first picture, and of each chart.
  assertEquals(scripts.length, 4 + 3 + report.charts.length);
  assertEquals(page.split("</noscript>").length - 1, report.charts.length);
  assertStringIncludes(page, `content="default-src 'none'; style-src 'sha256-`);
  const markup = page.replaceAll(/<script[^>]*>.*?<\/script>/gs, "");
  assert(
    !/(src|href)="(?!data:,|#|charts\/[\w-]+\.(svg|csv|vl\.json)")|url\(|@import| on\w+=| style="/.test(
      markup,
    ),
  );
});

test("toHtml() names each part once, and every link leads to one", async () => {
  const page = (await toHtml(report, svgs)).replaceAll(/<script[^>]*>.*?<\/script>/gs, "");
  const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id!);
  assertEquals(new Set(ids).size, ids.length);
  const links = [...page.matchAll(/href="#([^"]*)"/g)].map(([, id]) => id!);
  assertEquals(links.filter((id) => !ids.includes(id)), []);
  const [contents] = /<nav.*?<\/nav>/s.exec(page)!;
  assertEquals([...contents.matchAll(/ href="#([^"]*)"/g)].map(([, id]) => id), [
    "answer",
    "caveats",
    "scoreboard",
    "why",
    "details",
    "comparisons",
    "charts",
    "tables",
    "runs",
  ]);
  for (const { chart } of report.charts) assert(ids.includes(chart.id), chart.id);
});

test("toHtml() holds a report without charts, tables and runs", async () => {
  const page = await toHtml({
    ...report,
    forest: null,
    scoreboard: null,
    charts: [],
    tables: [],
    runs: [],
    methods: [],
    caveats: [],
  }, []);
  assert(
    !/<figure|undefined|NaN|\[object/.test(
      page.replaceAll(/<script[^>]*>.*?<\/script>|<style>.*?<\/style>/gs, ""),
    ),
  );
});

Deno.test("pack() gives letters alone, and back what was packed", async () => {
  const value = { text: "</script> <!-- é \u2028 \ud83d\ude00", numbers: [1, -0.5, 1e300, null], empty: {} };
  const text = await pack(value);
  assert(/^[A-Za-z0-9+/=]+$/.test(text));
  assertEquals(await unpack(text), value);
});

Deno.test("toColumns() keeps every row as it is: null, missing, lists, what is not finite, nothing", () => {
  const cases: Record<string, unknown>[][] = [
    [],
    [{}],
    [{ a: 1, b: "x" }, { a: 2.5, b: null }, { a: 0 }],
    [{ a: 1 }, { a: null }, { b: ["x", "y"] }, { a: "1" }, { b: [] }],
    [{ a: true }, { a: false }, { c: { d: 1 } }],
  ];
  for (const rows of cases) assertEquals(toRows(JSON.parse(JSON.stringify(toColumns(rows)))), rows);
  // As in any JSON.
  assertEquals(toRows(JSON.parse(JSON.stringify(toColumns([{ a: NaN }, { a: 1 }])))), [{ a: null }, {
    a: 1,
  }]);
});

Deno.test("chartData() keeps a drawing's rows as columns, and every chart has all filters", () => {
  for (const { chart, drawing, spec } of report.charts) {
    const { rows, ...rest } = JSON.parse(JSON.stringify(chartData(drawing))) as ChartData;
    const carried = { ...rest, rows: toRows(rows) };
    assertEquals(layOut(carried, EVERYTHING), JSON.parse(JSON.stringify(spec)), chart.id);
    const params = spec["params"] as readonly { readonly name: string; readonly value: unknown }[];
    const filters = params.filter(({ name }) => name !== "drawn");
    assertEquals(filters, FILTERS.map(({ parameter }) => ({ name: parameter, value: null })), chart.id);
  }
});

Deno.test("filtersOf() lists what the runs have, numbers ascending, and no rank for methods without", () => {
  const filters = filtersOf(report.runs.toReversed());
  const labels = Object.fromEntries(
    filters.map(({ field, values }) => [field, values.map(({ label }) => label)]),
  );
  assertEquals(labels["rank"], ["2", "8"]);
  assertEquals(labels["seed"], ["0", "1"]);
  assertEquals(labels["rate"], ["0.002", "0.004"]);
  assertEquals(labels["task"]!.toSorted(), ["Shifted digits", "Word problems"]);
  assertEquals(labels["method"]!.length, 4);
});

testInChromium("the page in Chromium", async () => {
  const text = await runInChromium("tests/support/browsers/in_chromium.ts");
  for (const [line] of text.matchAll(/^measured: .*$/gm)) console.log(line);
});
