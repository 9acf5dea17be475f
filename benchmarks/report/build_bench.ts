/**
 * @file How long a report of a thousand runs takes to build: tables, sentences and the charts' specifications, without
 * drawing. `deno bench --no-prompt benchmarks/report/build_bench.ts`; the runs are made up.
 */
import { manyMethods } from "../../tests/support/fakes/registries.ts";
import { fakeDone } from "../../tests/support/fakes/results.ts";
import { fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { makePlan } from "../sweep/plan.ts";
import { expand, type SweepSpec } from "../sweep/sweep.ts";
import { buildReport } from "./build.ts";

/** 1,026 runs of fifteen methods: one rate each, four ranks, nine seeds, two tasks. */
const byRank: SweepSpec = {
  ...fakeSweep,
  optimizers: Object.values(manyMethods.optimizers).map(({ id }) => ({ id })),
  ranks: [1, 2, 4, 8],
  seeds: [0, 1, 2, 3, 4, 5, 6, 7, 8],
};

/** 960 runs of the same: eight rates each, one rank, four seeds. */
const byRate: SweepSpec = {
  ...byRank,
  optimizers: byRank.optimizers.map((entry) => ({
    ...entry,
    learningRates: [0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032],
  })),
  ranks: [8],
  seeds: [0, 1, 2, 3],
};

for (const [name, spec] of [["ranks", byRank], ["learning rates", byRate]] as const) {
  const plan = await makePlan(spec, expand(spec, manyMethods), "./run bench", null);
  const stored = await Promise.all(plan.runs.map(({ config }) => fakeDone(config)));
  Deno.bench(`buildReport() of ${plan.runs.length} runs over ${name}`, () => {
    buildReport({ plan, stored, faults: [], setAside: [] }, manyMethods);
  });
}
