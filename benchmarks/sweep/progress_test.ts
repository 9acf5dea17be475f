import { assertEquals } from "@std/assert";
import { fakeRegistries } from "../../tests/support/fakes/registries.ts";
import { fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { nameRun, tellApart } from "./progress.ts";
import { expand, type SweepSpec } from "./sweep.ts";

const small: SweepSpec = {
  ...fakeSweep,
  tasks: [fakeSweep.tasks[0]!],
  optimizers: [{ id: "lora", learningRates: [0.004] }],
  ranks: [2],
  seeds: [0],
};
const names = (spec: SweepSpec) => {
  const { configs } = expand(spec, fakeRegistries), apart = tellApart(configs);
  return configs.map((config) => nameRun(config, apart)).sort();
};

Deno.test("tellApart() adds to the names of runs the field that tells them apart, and nothing where names do", () => {
  assertEquals(names({ ...small, seeds: [0, 1] }), [
    "digits, lora r2, lr 0.004, seed 0",
    "digits, lora r2, lr 0.004, seed 1",
  ]);
  // Steps and warm-up go along, to keep the examples equal: one field is enough.
  const batches = names({ ...small, vary: { batchSize: [4, 16] }, equal: ["examples"] });
  assertEquals(batches, [
    "digits, lora r2, batch size 16, lr 0.004, seed 0",
    "digits, lora r2, batch size 4, lr 0.004, seed 0",
  ]);
  assertEquals(names({ ...small, vary: { frozenWeights: ["f32", "f16"] } }), [
    "digits, lora r2, frozen weights f16, lr 0.004, seed 0",
    "digits, lora r2, frozen weights f32, lr 0.004, seed 0",
  ]);
});

Deno.test("tellApart() names the field that varies where ranks follow it, and none where ranks alone vary", () => {
  assertEquals(names({ ...small, ranks: [2, 4] }), [
    "digits, lora r2, lr 0.004, seed 0",
    "digits, lora r4, lr 0.004, seed 0",
  ]);
  assertEquals(names({ ...small, ranks: [2, 4], vary: { batchSize: [4, 16] } }), [
    "digits, lora r2, batch size 16, lr 0.004, seed 0",
    "digits, lora r2, batch size 4, lr 0.004, seed 0",
    "digits, lora r4, batch size 16, lr 0.004, seed 0",
    "digits, lora r4, batch size 4, lr 0.004, seed 0",
  ]);
  const { configs } = expand({ ...small, ranks: [2, 4] }, fakeRegistries);
  const targets = configs.map((config, i) => ({ ...config, targetModules: [i === 0 ? "*" : "mlp"] }));
  const apart = tellApart(targets);
  assertEquals(targets.map((config) => nameRun(config, apart)), [
    "digits, lora r2, targets all, lr 0.004, seed 0",
    "digits, lora r4, targets mlp, lr 0.004, seed 0",
  ]);
});
