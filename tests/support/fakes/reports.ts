/** @file Made-up runs, and reports of them, for tests. */
import type { RunConfig, RunResult } from "../../../training/run.ts";
import type { Plan } from "../../../benchmarks/sweep/plan.ts";
import { buildReport } from "../../../benchmarks/report/build.ts";
import type { Report } from "../../../benchmarks/report/report.ts";
import type { SweepSpec } from "../../../benchmarks/sweep/sweep.ts";
import { fakeRegistries } from "./registries.ts";
import { fakeDone } from "./results.ts";
import { fakePlan, fakeSweep } from "./sweep.ts";

/** A sweep's plan, and a result for each of its runs. */
export async function made(
  spec: SweepSpec = fakeSweep,
  make: (config: RunConfig) => Promise<RunResult> = fakeDone,
): Promise<{ plan: Plan; stored: RunResult[] }> {
  const plan = await fakePlan(spec);
  return { plan, stored: await Promise.all(plan.runs.map(({ config }) => make(config))) };
}

/** The report of runs without faults. */
export function build(input: { plan: Plan | null; stored: readonly RunResult[] }): Report {
  return buildReport({ faults: [], setAside: [], ...input }, fakeRegistries);
}

/** A table's rows. @throws {Error} where there is no such table */
export function rowsOf(report: Report, title: string): readonly (readonly string[])[] {
  const table = report.tables.find((one) => one.title === title);
  if (!table) throw new Error(`there is no table "${title}"`);
  return table.rows;
}
