import { assert, assertEquals } from "@std/assert";
import { manyMethods } from "../../../tests/support/fakes/registries.ts";
import { build, made, rowsOf } from "../../../tests/support/fakes/reports.ts";
import { fakeDone } from "../../../tests/support/fakes/results.ts";
import { fakeSweep } from "../../../tests/support/fakes/sweep.ts";
import { expand } from "../../sweep/sweep.ts";
import { buildReport } from "../build.ts";

Deno.test("buildReport()'s summary has the scores and the verdicts of the report's own tables, the best first", async () => {
  const report = build(await made({ ...fakeSweep, ranks: [2], seeds: [0, 1, 2, 3, 4] }));
  const { columns, rows, note } = report.summary!;
  assertEquals([columns, note], [["Method", "Rank", "digits", "arithmetic", "vs lora", "vs full"], ""]);
  const scores = rowsOf(report, "Scores"), comparisons = rowsOf(report, "Comparisons");
  assertEquals(rows.length, 4);
  for (const [method, rank, digits, arithmetic, ...against] of rows) {
    const own = scores.filter((row) => row[1] === rank && row[2] === method);
    assertEquals([digits, arithmetic], own.map((row) => row[4]!));
    for (const [i, baseline] of ["LoRA", "Full fine-tuning"].entries()) {
      const verdicts = comparisons.filter((row) => row[2] === method && row[3] === baseline)
        .map((row) => row.at(-1)!);
      const counts = Map.groupBy(verdicts, (verdict) => verdict);
      const told = Array.from(counts, ([verdict, { length }]) => `${length} ${verdict}`).join(", ");
      assertEquals(against[i], told || "—", `${method} against ${baseline}`);
    }
  }
  const means = rows.map((row) => Number(row[2]) + Number(row[3]));
  assertEquals(means, means.toSorted((a, b) => b - a));
  assert(rows.some((row) => /\d (better|worse)/.test(row[4]!)), "no verdict at all");
});

Deno.test("buildReport()'s summary of one task tells the difference with its verdict", async () => {
  const one = { ...fakeSweep, tasks: fakeSweep.tasks.slice(0, 1), ranks: [2], seeds: [0, 1, 2, 3] };
  const report = build(await made(one)), comparisons = rowsOf(report, "Comparisons");
  const pro = report.summary!.rows.find(([method]) => method === "LoRA-Pro")!;
  const own = comparisons.filter((row) => row[2] === "LoRA-Pro");
  assertEquals(pro.slice(-2), own.map((row) => `${row[4]} ${row.at(-1)} ${row[7]!.replace(" of ", "/")}`));
  assertEquals(report.summary!.note, "Behind a verdict: on how many seeds the method scores higher.");
});

Deno.test("buildReport()'s summary of many methods and ranks is eight rows, the baselines among them, and says what it hides", async () => {
  const optimizers = Object.values(manyMethods.optimizers).map(({ id }) => ({ id }));
  const { configs } = expand({ ...fakeSweep, optimizers, seeds: [0] }, manyMethods);
  const stored = await Promise.all(configs.map((config) => fakeDone(config)));
  const { summary } = buildReport({ plan: null, stored, faults: [], setAside: [] }, manyMethods);
  const { rows, note } = summary!, names = rows.map(([method]) => method);
  assertEquals(rows.length, 8);
  assertEquals(["LoRA", "LoRA", "Full fine-tuning"].every((name) => names.includes(name)), true);
  assertEquals(names.filter((name) => name === "LoRA").length, 2);
  assert(/^\d+ more rows are in the report\.$/.test(note), note);
});
