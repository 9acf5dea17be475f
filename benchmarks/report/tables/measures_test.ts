import { assertEquals } from "@std/assert";
import { fakeRegistries } from "../../../tests/support/fakes/registries.ts";
import { fakeDone } from "../../../tests/support/fakes/results.ts";
import { fakePlan, fakeSweep } from "../../../tests/support/fakes/sweep.ts";
import { a100 } from "../../cost/growth/predict.ts";
import { makeStudy } from "../../study/make_study.ts";
import { measuresTable } from "./measures.ts";

Deno.test("measuresTable() cuts intervals where no value can be, and prints a minus sign", async () => {
  const plan = await fakePlan({ ...fakeSweep, tasks: [fakeSweep.tasks[0]!], optimizers: [{ id: "full" }] });
  // By seed: a share of 0 and of 0.02, a correlation of -0.1 and of -0.06, a loss of 0.01 and of 0.2.
  const of = (seed: number, values: readonly [number, number]) => {
    const value = values[seed]!;
    return { value, values: [value, value, value] };
  };
  const results = await Promise.all(plan.runs.map(async ({ config }) => {
    const run = await fakeDone(config), { seed } = config;
    const measures = {
      "exact reply": of(seed, [0, 0.02]),
      correlation: of(seed, [-0.1, -0.06]),
      "loss a token": of(seed, [0.01, 0.2]),
    };
    return { ...run, outcome: { ...run.outcome, measures } };
  }));
  const measures = [
    { name: "exact reply", better: "higher", within: [0, 1] },
    { name: "correlation", better: "higher", within: [-1, 1] },
    { name: "loss a token", better: "lower", within: [0, Infinity] },
  ] as const;
  const digits = { ...fakeRegistries.tasks["digits"]!, measures };
  const registries = { ...fakeRegistries, tasks: { ...fakeRegistries.tasks, digits } };
  const study = makeStudy(plan.runs.map(({ config }) => config), results, [], registries, a100);
  assertEquals(measuresTable(study).rows.map((row) => row.slice(5, 8)), [
    ["0.010", "0.000 to 0.137", "0.010 to 0.010"],
    ["−0.080", "−0.334 to 0.174", "−0.080 to −0.080"],
    ["0.105", "0.000 to 1.312", "0.105 to 0.105"],
  ]);
});
