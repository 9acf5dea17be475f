import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { manyMethods } from "../fakes/registries.ts";
import { build, made, rowsOf } from "../fakes/reports.ts";
import { fakeDiverged, fakeDone } from "../fakes/results.ts";
import { fakeSweep } from "../fakes/sweep.ts";
import { expand } from "../sweep.ts";
import { buildReport } from "./build.ts";

Deno.test("buildReport() of many methods says what stands out, as often as its table has it, and no more", async () => {
  const optimizers = Object.values(manyMethods.optimizers).map(({ id }) => ({ id }));
  const { configs } = expand({ ...fakeSweep, optimizers, seeds: [0, 1, 2, 3, 4, 5] }, manyMethods);
  const stored = await Promise.all(configs.map((config) => fakeDone(config)));
  const report = buildReport({ plan: null, stored, faults: [], setAside: [] }, manyMethods);
  const rows = rowsOf(report, "Comparisons"), baselines = new Set(rows.map((row) => row[3]!));
  assertEquals(baselines.size, 2);
  for (const baseline of baselines) {
    const said = report.answer.find((text) => text.startsWith(`Against ${baseline}, 4 cases each: `));
    assert(said, report.answer.join("\n"));
    const [all, lesser] = said.split("; on these seeds alone ") as [string, string?];
    for (const method of new Set(rows.map((row) => row[2]!))) {
      const own = rows.filter((row) => row[2] === method && row[3] === baseline);
      for (const [text, place] of [[all, -1], [lesser ?? all, -2]] as const) {
        const counts = ["better", "worse"].map((verdict) =>
          [verdict, own.filter((row) => row.at(place) === verdict).length] as const
        ).filter(([, count]) => count > 0);
        const told = counts.map(([verdict, count]) => `${verdict} in ${count}`).join(", ");
        const entries = text.split(/; |: /).filter((entry) => entry.startsWith(`${method} `));
        assertEquals(entries, told === "" ? [] : [`${method} ${told}`], text);
      }
    }
    assertStringIncludes(all, rows.some((row) => row.at(-1) !== "tie") ? "all else tied" : "tied");
  }
});

Deno.test("buildReport() says how weak two seeds are, and that one says nothing about others", async () => {
  assertStringIncludes(build(await made()).answer.join("\n"), "n = 2 seeds: weak evidence");
  const one = build(await made({ ...fakeSweep, seeds: [0] }));
  assertStringIncludes(one.answer.join("\n"), "n = 1 seed: says nothing about other seeds");
  assertEquals(rowsOf(one, "Scores")[0]!.slice(7, 9), ["examples", "—"]);
  assertEquals(rowsOf(build(await made()), "Scores")[0]![7], "both");
  assertEquals(new Set(rowsOf(one, "Comparisons").map((row) => row[6])), new Set(["examples"]));
  assert(!one.tables.some(({ title }) => title === "Sources of error"));
});

Deno.test("buildReport() of a tuning sweep tells losses at each method's own rate, the best first, and all at LoRA's", async () => {
  const optimizers = ["full", "lora", "lora-ga"].map((id) => ({ id, peaks: [0.001, 0.004, 0.016] }));
  const spec = { ...fakeSweep, tasks: [fakeSweep.tasks[0]!], optimizers, ranks: [2], seeds: [0] };
  const { plan, stored } = await made(spec);
  // Losses as the test says, by method and rate; LoRA-GA diverges at LoRA's rate.
  const losses: Record<string, Record<string, number>> = {
    full: { 0.001: 0.2, 0.004: 0.3, 0.016: 0.9 },
    lora: { 0.001: 0.8, 0.004: 0.5, 0.016: 0.4 },
    "lora-ga": { 0.001: 0.35, 0.004: 0.3, 0.016: 0 },
  };
  const told = await Promise.all(stored.map(async (result) => {
    const { config } = result, value = losses[config.optimizer.id]![config.schedule.peak]!;
    if (value === 0 || result.status !== "done") return await fakeDiverged(config);
    return { ...result, outcome: { ...result.outcome, validationLoss: [{ step: config.steps, value }] } };
  }));
  const said = build({ plan, stored: told }).answer;
  assert(
    said.includes(
      "Validation loss on Shifted digits at rank 2, each method at its own rate: Full fine-tuning 0.200 (0.001), " +
        "LoRA-GA (alpha/sqrt(r)) 0.300 (0.004), LoRA (alpha/r) 0.400 (0.016).",
    ),
    said.join("\n"),
  );
  assert(
    said.includes("All at the rate of LoRA (alpha/r), 0.016: LoRA (alpha/r) 0.400, Full fine-tuning 0.900."),
  );
  assert(!build(await made()).answer.some((sentence) => sentence.startsWith("Validation loss on")));
});
