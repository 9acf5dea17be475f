import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { RunConfig, RunResult } from "../../training/run.ts";
import { rankOf } from "../sweep/method.ts";
import { fakeRegistries } from "../../tests/support/fakes/registries.ts";
import { fakeDiverged, fakeDone } from "../../tests/support/fakes/results.ts";
import { fakePlan, fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { buildReport } from "../report/build.ts";
import type { Report } from "../report/report.ts";

/** Shares of right answers by method, and where they differ by "method rank"; null diverges. */
type Abilities = Readonly<Record<string, number | null>>;

/** A report of one task whose methods get the first so many of a hundred examples right, one more or less by seed. */
async function reportOf(abilities: Abilities, seeds: readonly number[] = [0, 1, 2, 3]): Promise<Report> {
  const ids = [...new Set(Object.keys(abilities).map((name) => name.split(" ")[0]!))];
  const plan = await fakePlan({
    ...fakeSweep,
    tasks: [fakeSweep.tasks[1]!],
    optimizers: ids.map((id) => ({ id })),
    seeds: [...seeds],
  });
  const make = async (config: RunConfig): Promise<RunResult> => {
    const { id } = config.optimizer;
    const own = abilities[`${id} ${rankOf(config.optimizer)}`],
      ability = own === undefined ? abilities[id]! : own;
    if (ability === null) return await fakeDiverged(config);
    const done = await fakeDone(config);
    const right = Math.round(100 * ability) + (config.seed + id.length) % 2;
    const scores = done.outcome.scores.map((_, i) => i < right ? 1 : 0);
    return { ...done, outcome: { ...done.outcome, score: right / 100, scores } };
  };
  const stored = await Promise.all(plan.runs.map(({ config }) => make(config)));
  return buildReport({ plan, stored, faults: [], setAside: [] }, fakeRegistries);
}

function rowsOf(report: Report, title: string): readonly (readonly string[])[] {
  const table = report.tables.find((one) => one.title === title);
  assert(table, `there is no table "${title}"`);
  return table.rows;
}

Deno.test("buildReport() tells the share of the gap that each method closes, and where there is no gap", async () => {
  const report = await reportOf({
    full: 0.8,
    "lora 2": 0.4,
    "lora 8": 0.79,
    "lora-ga 2": 0.6,
    "lora-ga 8": 0.8,
    "lora-pro 2": 0.3,
    "lora-pro 8": 0.9,
  });
  const rows = rowsOf(report, "Share of the gap closed");
  assertEquals(rows.map((row) => [row[1], row[2], ...row.slice(6)]), [
    ["2", "LoRA-GA", "4", "100"],
    ["2", "LoRA-Pro", "4", "100"],
    ["8", "LoRA-GA", "4", "100"],
    ["8", "LoRA-Pro", "4", "100"],
  ]);
  const [ga, pro, none, alsoNone] = rows;
  assertEquals([ga![3], ga![4], pro![4]], ["+0.400", "50%", "−25%"]);
  for (const row of [ga!, pro!]) {
    const [low, high] = row[5]!.split(" to ").map((end) => Number(end.replace("−", "-").replace("%", "")));
    const share = Number(row[4]!.replace("−", "-").replace("%", ""));
    assert(low! < share && share < high!, `${row}`);
  }
  assertEquals([none!.slice(4, 6), alsoNone!.slice(4, 6)], [["no gap shown", "—"], ["no gap shown", "—"]]);
  const said = report.answer.find((sentence) => sentence.startsWith("Of the gap"))!;
  assertStringIncludes(
    said,
    "Of the gap from LoRA to Full fine-tuning (n = 4 seeds, 100 examples) are closed: ",
  );
  assertStringIncludes(said, "LoRA-Pro −25% on Word problems at rank 2 (95%: ");
  assertStringIncludes(said, "In 1 of 2 cases no gap was shown, and no share is told");
});

Deno.test("buildReport() says where LoRA is ahead, and has no shares without LoRA or full fine-tuning", async () => {
  const ahead = await reportOf({ full: 0.3, lora: 0.8, "lora-pro": 0.5 });
  assertEquals(rowsOf(ahead, "Share of the gap closed").map((row) => row.slice(3, 6)), [
    ["−0.500", "LoRA is ahead", "—"],
    ["−0.500", "LoRA is ahead", "—"],
  ]);
  assertStringIncludes(ahead.answer.join("\n"), "In 2 of 2 cases no gap was shown");
  for (const abilities of [{ full: 0.8, "lora-pro": 0.5 }, { lora: 0.3, "lora-pro": 0.5 }] as Abilities[]) {
    const report = await reportOf(abilities);
    assert(!report.tables.some(({ title }) => title === "Share of the gap closed"));
    assert(!report.answer.join("\n").includes("Of the gap"));
  }
  const lost = await reportOf({ full: 0.8, lora: 0.3, "lora-pro": null });
  // What chance scores here is 0: (0 − 0.305) / (0.805 − 0.305).
  assertEquals(rowsOf(lost, "Share of the gap closed").map((row) => row[4]), ["−61%", "−61%"]);
});

Deno.test("buildReport() tells no share where the gap is lost in the correction for its family, or where seeds are few", async () => {
  // Full fine-tuning is above LoRA at rank 8 by so much that a single comparison shows it, and four of them do not.
  const abilities = { full: 0.8, "lora 2": 0.3, "lora 8": 0.74, "lora-pro": 0.75 };
  const report = await reportOf(abilities);
  const gap = rowsOf(report, "Comparisons").find((row) => row[1] === "8" && row[2] === "LoRA")!;
  assert(Number(gap[8]) < 0.05 && Number(gap[9]) > 0.05, `${gap}`);
  assertEquals(gap.at(-1), "undecided");
  const shares = rowsOf(report, "Share of the gap closed").map((row) => [row[1], row[4]]);
  assertEquals(shares.filter(([rank]) => rank === "8"), [["8", "no gap shown"]]);
  assert(shares.filter(([rank]) => rank === "2").every(([, share]) => /%$/.test(share!)), `${shares}`);
  const few = await reportOf(abilities, [0, 1, 2]);
  assert(!few.tables.some(({ title }) => title === "Share of the gap closed"));
  assert(!few.answer.join("\n").includes("gap"));
});

Deno.test("buildReport() compares any two methods, the highest first, and gives no pair two verdicts", async () => {
  const report = await reportOf({ full: 0.9, lora: 0.4, "lora-ga": 0.41, "lora-pro": 0.75 });
  const rows = rowsOf(report, "Any two methods");
  assertEquals(rows.length, 2 * 4);
  const [full, pro, ga, lora] = rows;
  const [FULL, PRO, GA, LORA] = [
    "Full fine-tuning",
    "LoRA-Pro",
    "LoRA-GA",
    "LoRA",
  ];
  assertEquals([full![2], pro![2], ga![2], lora![2]], [FULL, PRO, GA, LORA]);
  const told = (row: readonly string[]) => row.slice(4, 8).map((cell) => cell.split("; ").sort());
  assertEquals(told(full!), [[LORA, GA, PRO].sort(), ["—"], ["—"], ["—"]] as string[][]);
  assertEquals(told(pro!), [[LORA, GA].sort(), ["—"], ["—"], [FULL]] as string[][]);
  assertEquals(told(ga!), [["—"], ["—"], [LORA], [FULL, PRO].sort()] as string[][]);
  assertEquals(lora!.slice(-2), ["4", "100"]);
  for (const row of rowsOf(report, "Comparisons")) {
    const own = rows.find((one) => one[1] === row[1] && one[2] === row[2])!;
    const column = { better: 4, undecided: 6, worse: 7 }[row.at(-1)!]!;
    assertStringIncludes(own[column]!, row[3]!);
  }
  assertStringIncludes(
    report.answer.join("\n"),
    "Highest on Word problems (n = 4 seeds, 100 examples): at rank 2 Full fine-tuning 0.905 (95%: ",
  );
  assertStringIncludes(report.answer.join("\n"), ", better than all 3 others");
  const two = await reportOf({ lora: 0.4, "lora-pro": 0.5 });
  assert(!two.tables.some(({ title }) => title === "Any two methods"));
  const undecided = await reportOf({ full: 0.9, lora: 0.4, "lora-pro": 0.75 }, [0, 1]);
  assert(!undecided.tables.some(({ title }) => title === "Any two methods"));
});

Deno.test("buildReport() of one seed says that intervals are about new examples alone, and gives no verdict", async () => {
  const report = await reportOf({ full: 0.9, lora: 0.4, "lora-pro": 0.75 }, [7]);
  const rows = rowsOf(report, "Comparisons");
  assertEquals(new Set(rows.map((row) => row[6])), new Set(["examples"]));
  assertEquals(new Set(rows.map((row) => row.at(-1))), new Set(["undecided"]));
  assertStringIncludes(report.caveats.join("\n"), "One seed each: intervals are about new examples alone");
  assertStringIncludes(report.answer[1]!, "can't be told from one seed: run 4 or more");
});
