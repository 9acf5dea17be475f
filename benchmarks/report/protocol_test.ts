import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { RunConfig } from "../../training/run.ts";
import { choose } from "../rates/choose.ts";
import { fakeRegistries } from "../../tests/support/fakes/registries.ts";
import { fakeDone } from "../../tests/support/fakes/results.ts";
import { fakePlan, fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { a100 } from "../cost/growth/predict.ts";
import { expand, type SweepSpec } from "../sweep/sweep.ts";
import { describeProtocol, type Protocol } from "./protocol.ts";
import type { Study } from "../study/study.ts";
import { makeStudy } from "../study/make_study.ts";

const tuned: SweepSpec = {
  ...fakeSweep,
  optimizers: [{ id: "full", learningRates: [0.001, 0.002, 0.004] }, {
    id: "lora",
    learningRates: [0.004, 0.008, 0.016],
  }],
  ranks: [2],
};

async function studied(configs: readonly RunConfig[]): Promise<Study> {
  const results = await Promise.all(configs.map((config) => fakeDone(config)));
  const rates = choose("fake", results).rates.filter(({ evidence }) => evidence.length > 1);
  return makeStudy(configs, results, rates, fakeRegistries, a100);
}

async function protocolOf(spec: SweepSpec): Promise<Protocol> {
  const { configs } = expand(spec, fakeRegistries);
  return describeProtocol(await studied(configs), configs, null);
}

Deno.test("describeProtocol() says that rates were chosen on validation data and scores taken on test data", async () => {
  const { statements, caveats } = await protocolOf(tuned);
  assertEquals(statements, [
    "Learning rates: of each method its own, the one with the least validation loss of 3 rates (n = 2 seeds a rate).",
    "Scores: on test data, once a run, at its end; nothing in this report was chosen by them.",
  ]);
  assertEquals(caveats, []);
});

Deno.test("describeProtocol() warns where scores are on the data that rates were chosen on, or rates were stated", async () => {
  const onValidation = { ...fakeSweep.base, scoreOn: "validation" } as const;
  const chosen = await protocolOf({ ...tuned, base: onValidation });
  assertEquals(chosen.caveats, [
    "Scores are on the validation data that the rates were chosen on: optimistic, not for comparing methods.",
  ]);
  assertEquals(chosen.statements.length, 1);
  const stated = await protocolOf({ ...fakeSweep, base: onValidation });
  assertEquals(stated.caveats.length, 2);
  assertStringIncludes(stated.caveats[0]!, "Scores are on validation data: comparisons that count");
  assertStringIncludes(stated.caveats[1]!, "Learning rates were stated");
  // Of one method alone there is nothing that could be unfair.
  assertEquals((await protocolOf({ ...fakeSweep, optimizers: [{ id: "lora" }] })).caveats, []);
  const [first, second] = tuned.tasks;
  const mixed = await protocolOf({ ...tuned, tasks: [{ ...first!, scoreOn: "validation" }, second!] });
  assertStringIncludes(mixed.caveats.join("\n"), "Only 12 of 24 runs are scored on test data.");
});

Deno.test("describeProtocol() tells unequal tuning: other numbers of rates, and methods that had no choice", async () => {
  const unequal = await protocolOf({
    ...tuned,
    optimizers: [{ id: "full", learningRates: [0.001, 0.002] }, {
      id: "lora",
      learningRates: [0.004, 0.008, 0.016],
    }],
  });
  assertEquals(unequal.caveats, [
    "Methods were tuned unequally on Shifted digits, Word problems: over 2 to 3 rates, with 2 seeds each.",
  ]);
  const without = await protocolOf({
    ...tuned,
    optimizers: [...tuned.optimizers, { id: "lora-pro", learningRates: [0.01] }],
  });
  assertStringIncludes(
    without.caveats.join("\n"),
    "On Shifted digits no rate was chosen for LoRA-Pro, but for others: not an equal chance.",
  );
});

Deno.test("describeProtocol() of nothing says nothing", () => {
  const nothing = makeStudy([], [], [], fakeRegistries, a100);
  assertEquals(describeProtocol(nothing, [], null), { statements: [], caveats: [] });
});

Deno.test("makeStudy() compares only runs that differ in method, rank, rate and seed, and tells the others", async () => {
  const { runs } = await fakePlan({ ...fakeSweep, tasks: [fakeSweep.tasks[0]!] });
  const configs = runs.map(({ config }) => config);
  const [first] = configs;
  const longer = { ...first!, steps: 80, schedule: { ...first!.schedule, warmup: 9 } };
  const fewer = { ...configs[2]!, task: { ...configs[2]!.task, testExamples: 50 } };
  const study = await studied([longer, ...configs, fewer]);
  assertEquals(
    study.leftOut.map(({ task, runs, difference }) => `${task.id} ${runs}: ${difference}`).sort(),
    [
      "digits 1: steps 80, not 40; schedule.warmup 9, not 4",
      "digits 1: task.testExamples 50, not 200",
    ],
  );
  assert(
    study.cells.every(({ runs }) => runs.length === 2 && runs.every(({ config }) => config.steps === 40)),
  );
  assertEquals((await studied(configs)).leftOut, []);
  // What has no part in the outcome makes no difference, nor does another place of the same files.
  const fingerprint = "ab".repeat(32);
  const moved = configs.map((config, i) => ({
    ...config,
    telemetryEvery: i,
    validateEvery: 1 + i,
    model: { id: "vit-tiny", path: `/somewhere/${i}`, fingerprint },
  }));
  assertEquals((await studied(moved)).leftOut, []);
});

Deno.test("makeStudy() knows the choice behind a rate that a sweep took over from another rank", async () => {
  const tuning = await Promise.all(
    expand({ ...tuned, ranks: [8] }, fakeRegistries).configs.map((config) => fakeDone(config)),
  );
  const { rates } = choose("tune", tuning);
  const lora = rates.find(({ optimizer, task }) => optimizer === "lora" && task === "digits")!;
  const { configs } = expand(
    { ...fakeSweep, optimizers: [{ id: "lora", learningRates: [lora.learningRate] }], ranks: [2, 8] },
    fakeRegistries,
  );
  const { cells } = makeStudy(configs, [], rates, fakeRegistries, a100);
  assertEquals(cells.filter(({ task }) => task.id === "digits").map(({ rank, chosen }) => [rank, chosen]), [
    [2, lora],
    [8, lora],
  ]);
  const other = expand(
    { ...fakeSweep, optimizers: [{ id: "lora", learningRates: [0.5] }], ranks: [2] },
    fakeRegistries,
  );
  const stated = makeStudy(other.configs, [], rates, fakeRegistries, a100);
  assertEquals(stated.cells.map(({ chosen }) => chosen), [null, null]);
});
