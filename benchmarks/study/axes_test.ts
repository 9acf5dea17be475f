import { assert, assertEquals } from "@std/assert";
import { a100 } from "../cost/growth/predict.ts";
import type { Registries } from "../../training/configuration.ts";
import type { Equal } from "../sweep/axes.ts";
import { expand, type SweepSpec } from "../sweep/sweep.ts";
import { fakeRegistries } from "../../tests/support/fakes/registries.ts";
import { fakeDone } from "../../tests/support/fakes/results.ts";
import { fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { makeStudy } from "./make_study.ts";

const one: SweepSpec = {
  ...fakeSweep,
  tasks: [fakeSweep.tasks[0]!],
  optimizers: [{ id: "full" }, { id: "lora" }],
  ranks: [4],
  seeds: [0, 1],
};

async function studied(
  spec: SweepSpec,
  equal: readonly Equal[] = spec.equal ?? [],
  registries: Registries = fakeRegistries,
) {
  const { configs } = expand(spec, registries);
  return makeStudy(
    configs,
    await Promise.all(configs.map(fakeDone)),
    [],
    registries,
    a100,
    [],
    0.02,
    equal,
  );
}

Deno.test("axes are the fields that a method has several values of, with all runs of them", async () => {
  assertEquals((await studied({ ...one, ranks: [2, 4] })).axes, []);
  const { axes, cells, leftOut } = await studied({ ...one, vary: { batchSize: [4, 8, 64], alpha: [4, 64] } });
  assertEquals(axes.map(({ field, values, scale }) => [field, values, scale]), [
    ["batchSize", [4, 8, 16, 64], "log"],
    ["alpha", [4, 16, 64], "log"],
  ]);
  const [batch, alpha] = axes;
  assertEquals(batch!.cells.length, 2 * 4);
  assert(
    batch!.cells.every(({ runs, series }) =>
      runs.length === 2 && ["LoRA", "Full fine-tuning"].includes(series.label)
    ),
  );
  // Full fine-tuning lacks the option: it stands beside at the setting that the axis is of, and at no other batch size.
  assertEquals(alpha!.cells.map(({ value }) => value).toSorted(), [16, 4, 64, null]);
  // Tables are of the sweep's own batch size; what an axis shows is not called left out.
  assert(cells.every(({ runs }) => runs.every(({ config }) => config.batchSize === 16)));
  assertEquals(leftOut, []);

  // Runs at the default of an option that came later do not name it, and are on its axis.
  const { optimizers } = fakeRegistries;
  const later = Object.fromEntries(
    Object.entries(optimizers).map(([name, module]) => [name, { ...module, laterOptions: ["alpha"] }]),
  );
  const known = { ...fakeRegistries, optimizers: later };
  const { axes: [axis] } = await studied({ ...one, vary: { alpha: [4, 64] } }, [], known);
  assertEquals([axis!.field, axis!.values], ["alpha", [4, 16, 64]]);
  assertEquals(axis!.cells.map(({ value }) => value).toSorted(), [16, 4, 64, null]);
});

Deno.test("what changes along with a field is no axis, and no reason to tell lines apart", async () => {
  const spec: SweepSpec = { ...one, vary: { batchSize: [4, 64] }, equal: ["examples"] };
  const { axes } = await studied(spec);
  assertEquals(axes.map(({ field, values }) => [field, values]), [["batchSize", [4, 16, 64]]]);
  assertEquals(axes[0]!.cells.length, 2 * 3);
  // Nobody said so, and nothing varies alone.
  assertEquals((await studied(spec, [])).axes, []);
  const steps = await studied({ ...one, vary: { steps: [20, 80] } });
  assertEquals(steps.axes.map(({ field }) => field), ["steps"]);
});

Deno.test("words are categories in the order of the sweep, and each value takes the rate of its own least loss", async () => {
  const optimizers = [{ id: "lora", learningRates: [0.001, 0.01] }];
  const { axes: [axis] } = await studied({ ...one, optimizers, vary: { schedule: ["constant", "linear"] } });
  assertEquals([axis!.scale, axis!.values], ["words", ["cosine", "constant", "linear"]]);
  for (const { grid, learningRate } of axis!.cells) {
    const lossAt = (rate: number) =>
      grid.find((one) => one.learningRate === rate)!.runs.reduce(
        (sum, { outcome }) => sum + Math.log(outcome.validationLoss.at(-1)!.value),
        0,
      );
    assertEquals(grid.length, 2);
    assert(grid.every((one) => lossAt(learningRate) <= lossAt(one.learningRate)));
  }
});
