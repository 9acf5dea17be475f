import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UserError } from "../../errors/user_error.ts";
import type { Registries } from "../../training/configuration.ts";
import * as models from "../../models/mod.ts";
import * as optimizers from "../../optimizers/mod.ts";
import * as tasks from "../../tasks/mod.ts";
import { fakeRegistries } from "../../tests/support/fakes/registries.ts";
import { fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { type AxisValue, FIELD_NAMES, readAxis, readField, withoutField } from "./axes.ts";
import { rankOf } from "./method.ts";
import { expand, override, SweepSpec } from "./sweep.ts";

const one: SweepSpec = {
  ...fakeSweep,
  tasks: [fakeSweep.tasks[0]!],
  optimizers: [{ id: "full" }, { id: "lora" }],
  ranks: [4],
  seeds: [0],
};
const shipped = {
  tasks: { ...tasks },
  models: { ...models },
  optimizers: { ...optimizers },
} as unknown as Registries;
const vary = (spec: SweepSpec, values: Record<string, readonly AxisValue[]>, more: Partial<SweepSpec> = {}) =>
  SweepSpec.parse({ ...spec, vary: values, ...more });
const message = (run: () => unknown) => assertThrows(run, UserError).message;

/** Two values of every field that the made-up models can have. */
const TWO: Readonly<Record<string, readonly AxisValue[]>> = {
  steps: [20, 80],
  batchSize: [2, 4],
  accumulate: [1, 2],
  schedule: ["constant", "linear"],
  warmup: [0, 5],
  floor: [0.1, 0.5],
  clip: [0, 2],
  targets: [["*"], ["mlp"]],
  alsoTrain: ["biases", "norms"],
  trainExamples: [10, 20],
  validationExamples: [3, 4],
  testExamples: [3, 5],
  model: ["vit-tiny"],
  width: [16, 32],
  layers: [1, 3],
  frozenWeights: ["f16", "nf4"],
  frozenEmbeddings: ["f32"],
  // More of them need quantized weights: see configuration_test.ts.
  loftq: [0],
  checkpointing: ["none", "blocks-f16"],
  activations: ["f32", "f16"],
};

Deno.test("a sweep varies any field of a config by its name, and no field is without a test", () => {
  assertEquals(Object.keys(TWO), FIELD_NAMES);
  const base = { ...one, ...override(one, { tasks: ["digits"] }, shipped), optimizers: [{ id: "lora" }] };
  const [plain] = expand({ ...base, rates: { shared: 1e-3 } }, shipped).configs;
  for (const [name, values] of Object.entries(TWO)) {
    const { configs } = expand(vary({ ...base, rates: { shared: 1e-3 } }, { [name]: values }), shipped);
    const found = configs.map((config) => String(readField(config, name, shipped.models)));
    for (const value of values) assert(found.includes(String(value)), `${name} lacks ${value}: ${found}`);
    const own = name === "steps" ? ["steps", "warmup"] : [name];
    for (const config of configs) {
      const bare = { ...own.reduce(withoutField, config), validateEvery: 0, telemetryEvery: 0 };
      const plainBare = { ...own.reduce(withoutField, plain!), validateEvery: 0, telemetryEvery: 0 };
      // What saves memory lies in an object of its own, which goes without saying where it is empty.
      const { memory: _, ...rest } = bare, { memory: __, ...plainRest } = plainBare;
      assertEquals(rest, plainRest, name);
    }
  }
});

Deno.test("a method's option varies in the methods that have it, and others run once", () => {
  const { configs } = expand(vary(one, { alpha: [4, 64] }), fakeRegistries);
  const told = configs.map(({ optimizer: { id, options } }) => `${id} ${options["alpha"] ?? "none"}`);
  assertEquals(told.toSorted(), ["full none", "lora 16", "lora 4", "lora 64"]);
  // What varies wins over what a method's entry says.
  const entry = { ...one, optimizers: [{ id: "lora", options: { alpha: 8 } }] };
  const own = expand(vary(entry, { alpha: [4] }), fakeRegistries).configs;
  assertEquals(own.map(({ optimizer }) => optimizer.options["alpha"]), [8, 4]);
});

Deno.test("equal examples: steps shrink as batches grow, and warm-up with them", () => {
  const spec = vary(one, { batchSize: [4, 8, 64] }, { equal: ["examples"] });
  const { configs } = expand(spec, fakeRegistries);
  const [plain] = configs, wanted = plain!.batchSize * plain!.steps;
  for (const { batchSize, steps, schedule, optimizer } of configs) {
    assert(Math.abs(batchSize * steps - wanted) <= batchSize / 2, `${batchSize} x ${steps}, not ${wanted}`);
    assert(schedule.warmup < steps, optimizer.id);
  }
  assertEquals(new Set(configs.map(({ batchSize }) => batchSize)), new Set([plain!.batchSize, 4, 8, 64]));
});

Deno.test("equal parameters: the rank is the one that trains as many numbers on other targets", () => {
  const spec = vary({
    ...one,
    ...override(one, { tasks: ["digits"] }, shipped),
    optimizers: [{ id: "lora" }],
    rates: { shared: 1 },
  }, {
    targets: ["attention", "mlp"],
  }, { equal: ["parameters"], ranks: [8] });
  const { configs } = expand(spec, shipped);
  const size = shipped.models["vitTiny"] ??
    Object.values(shipped.models).find(({ id }) => id === configs[0]!.model.id)!;
  // Of LoRA: rank times inputs and outputs of each map.
  const count = (targets: string, rank: number) =>
    size.targetModules().filter(({ name }) =>
      targets === "*" || (targets === "mlp") === /fc|mlp|up|down/.test(name)
    ).reduce((sum, one) => sum + rank * (one.in + one.out), 0);
  const wanted = count("*", 8);
  for (const { targetModules: [targets], optimizer } of configs) {
    const rank = rankOf(optimizer)!, off = (other: number) => Math.abs(count(targets!, other) - wanted);
    assert(off(rank) <= off(rank - 1) && off(rank) <= off(rank + 1), `${targets} at rank ${rank}`);
    assert(targets === "*" ? rank === 8 : rank > 8);
  }
  // RandLoRA's numbers, N (r + min) with N = ⌈min / r⌉, fall as the rank grows.
  const falling = expand({ ...spec, optimizers: [{ id: "randlora" }] }, shipped).configs;
  const numbers = (rank: number) => Math.ceil(64 / rank) * (rank + 64);
  for (const { targetModules: [targets], optimizer } of falling) {
    const maps = size.targetModules().length / (targets === "*" ? 1 : targets === "mlp" ? 3 : 1.5);
    const rank = rankOf(optimizer)!,
      off = (other: number) => Math.abs(maps * numbers(other) - size.targetModules().length * numbers(8));
    assert(off(rank) <= off(rank - 1) && off(rank) <= off(rank + 1), `${targets} at rank ${rank}`);
    assert(targets === "*" ? rank === 8 : rank < 8);
  }
});

Deno.test("what can't vary is refused by name and value before any run", () => {
  const refused = (values: Record<string, readonly AxisValue[]>, more: Partial<SweepSpec> = {}) =>
    message(() => expand(vary(one, values, more), fakeRegistries));
  assertStringIncludes(refused({ batchsize: [8] }), 'field "batchsize" to vary: did you mean batchSize?');
  assertStringIncludes(refused({ alhpa: [8] }), "did you mean alpha?");
  assertStringIncludes(refused({ batchSize: [0] }), "batchSize");
  assertStringIncludes(refused({ schedule: ["sine"] }), "sine");
  assertStringIncludes(refused({ clip: ["high"] }), "clip");
  assertStringIncludes(refused({ targets: ["nothing"] }), '"nothing"');
  assertStringIncludes(refused({ model: ["gpt-9"] }), "gpt-9");
  assertStringIncludes(refused({ alpha: ["much"] }), 'option "alpha" of "lora": "much"');
  assertStringIncludes(refused({ batchSize: [["8"]] }), "it takes one value, not the list 8");
  assertStringIncludes(
    refused({ steps: [8] }, { equal: ["examples"] }),
    'keep examples equal while "steps" varies',
  );
  assertStringIncludes(
    refused({ rank: [8] }, { equal: ["parameters"] }),
    'parameters equal while "rank" varies',
  );
  assertStringIncludes(
    refused({ clip: [1] }, { equal: ["parameters"], ranks: [2, 4] }),
    "ranks 2, 4: one rank is needed",
  );
  assertStringIncludes(refused({}, { equal: ["examples"] }), "no field varies");
});

Deno.test("readAxis() reads fields and values as people write them", () => {
  assertEquals(readAxis("batchSize=8, 16,32"), ["batchSize", [8, 16, 32]]);
  assertEquals(readAxis("targets=q_proj+v_proj,mlp"), ["targets", [["q_proj", "v_proj"], ["mlp"]]]);
  assertEquals(readAxis("mode=full,sgd"), ["mode", ["full", "sgd"]]);
  assertEquals(readAxis("cap=0,.1,1e-2"), ["cap", [0, 0.1, 0.01]]);
  assertEquals(readAxis("correctBias=true,false"), ["correctBias", [true, false]]);
  for (const wrong of ["batchSize", "batchSize=", "=8", "batchSize=8,,9"]) {
    assertStringIncludes(message(() => readAxis(wrong)), `--vary "${wrong}"`);
  }
});
