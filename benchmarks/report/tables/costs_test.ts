import { assert, assertEquals } from "@std/assert";
import { build, made, rowsOf } from "../../../tests/support/fakes/reports.ts";
import { fakeDone } from "../../../tests/support/fakes/results.ts";
import { toCsv } from "../csv.ts";

/** Runs so short that telemetry measured each of their steps. */
const short = await made(undefined, async (config) => {
  const result = await fakeDone(config), { cost } = result.outcome;
  const unmeasured = { peakBytes: null, peakBytesByCategory: {}, medianStepMs: null, medianHostMs: null };
  return { ...result, outcome: { ...result.outcome, cost: { ...cost, ...unmeasured } } };
});

Deno.test("a report says what was not measured of short runs, in no place as 0, and draws it in no chart", () => {
  const report = build(short);
  const names = report.tables.find(({ title }) => title === "Costs")!.columns;
  for (const row of rowsOf(report, "Costs")) {
    const of = (name: string) => row[names.indexOf(name)];
    assertEquals([of("Peak"), of("Step, ms"), of("Of it host, ms"), of("Step / LoRA's")], [
      "— (not measured)",
      "— (not measured)",
      "— (not measured)",
      "—",
    ]);
    assert(/^[\d.]+ [KM]iB$/.test(of("State")!));
  }
  const ids = report.charts.map(({ chart }) => chart.id);
  assert(!ids.includes("loss-by-seconds") && ids.includes("score-against-cost"), ids.join());
  const target = report.charts.find(({ chart }) => chart.id === "cost-to-target")!;
  assert(JSON.stringify(target).includes('["Steps","FLOPs"]'), "nothing was measured in seconds");
  const facts = new Map(report.runs[0]!.facts);
  assertEquals([facts.get("Peak memory"), facts.get("Steps")], [
    "— (not measured)",
    "40, the time of one was not measured: telemetry measured each",
  ]);
  const [header, first] = toCsv(short.stored.slice(0, 1)).replaceAll(/"[^"]*(""[^"]*)*"/g, "").split("\r\n");
  const at = (name: string) => first!.split(",")[header!.split(",").indexOf(name)];
  assertEquals([at("peak_bytes"), at("median_step_ms"), at("median_host_ms"), at("attach_ms")], [
    "",
    "",
    "",
    "20",
  ]);
});

Deno.test("a time with compilation in it is marked, and enters no ratio, no chart of costs and no growth", async () => {
  const cold = (method: string) =>
    made(undefined, async (config) => {
      const result = await fakeDone(config), { cost } = result.outcome;
      if (config.optimizer.id !== method) return result;
      return { ...result, outcome: { ...result.outcome, cost: { ...cost, onlyFirstWindow: true as const } } };
    });
  const columns = ["Method", "Step, ms", "Of it host, ms", "Step / LoRA's"];
  const rowsWith = async (method: string) => {
    const report = build(await cold(method));
    const { columns: names } = report.tables.find(({ title }) => title === "Costs")!;
    const rows = rowsOf(report, "Costs").map((row) => columns.map((name) => row[names.indexOf(name)]!));
    return { report, of: (title: string) => rows.filter(([name]) => name!.startsWith(title)) };
  };
  const compiled = / with compilation$/;
  const full = await rowsWith("full");
  for (const [, step, host, ratio] of full.of("Full")) {
    assert(compiled.test(step!) && compiled.test(host!) && ratio === "—", [step, host, ratio].join());
  }
  for (const [, step, , ratio] of full.of("LoRA (")) {
    assert(!compiled.test(step!) && ratio === "1.00", [step, ratio].join());
  }
  // Nothing is told over a LoRA that compiled, not in the answer either.
  const lora = await rowsWith("lora");
  for (const [, , , ratio] of [...lora.of("Full"), ...lora.of("LoRA")]) assertEquals(ratio, "—");
  const said = (report: typeof lora.report) =>
    report.answer.filter((one) => one.startsWith("Time of a step"));
  assertEquals([said(full.report).length, said(lora.report).length], [1, 0]);
  assert(!said(full.report)[0]!.includes("Full"), said(full.report)[0]);
  const drawn = JSON.stringify(full.report.charts.find(({ chart }) => chart.id === "score-against-cost"));
  assert(/"method":"LoRA[^}]*Step, ms/.test(drawn) && !/"method":"Full[^}]*Step, ms/.test(drawn));
});
