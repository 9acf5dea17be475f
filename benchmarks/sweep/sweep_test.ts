import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import * as models from "../../models/mod.ts";
import * as optimizers from "../../optimizers/mod.ts";
import * as tasks from "../../tasks/mod.ts";
import { parseWith, type Registries } from "../../training/configuration.ts";
import { canonicalJson } from "../../files/canonical_json.ts";
import { UserError } from "../../errors/user_error.ts";
import { fakeRegistries, takingData } from "../../tests/support/fakes/registries.ts";
import { fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { READING, testNeeding } from "../../tests/support/test_needing.ts";
import { expandRuns } from "./expand_runs.ts";
import type { ChosenRate, ChosenRates } from "../rates/rates.ts";
import { rankOf } from "./method.ts";
import { expand, override, ratesNeeded, SweepSpec } from "./sweep.ts";
import { listSweeps, readChosen, readSweep } from "./sweep_files.ts";

const test = testNeeding(READING);

function chosenRate(change: Partial<ChosenRate>): ChosenRate {
  return {
    task: "digits",
    model: "vit-tiny",
    optimizer: "lora",
    options: { alpha: 16, beta1: 0.9 },
    rank: 2,
    learningRate: 0.01,
    atEdge: false,
    steps: 40,
    msPerStep: 50,
    runnerUp: null,
    lead: null,
    evidence: [{ learningRate: 0.01, seeds: [100], validationLosses: [0.5] }],
    ...change,
  };
}

function chosenRates(rates: ChosenRate[]): ChosenRates {
  return {
    schema: 1,
    sweep: "tune",
    environment: { adapter: "x", backend: "x", deno: "x", commit: "x" },
    rates,
  };
}

const tuned: SweepSpec = {
  ...fakeSweep,
  tasks: [fakeSweep.tasks[0]!],
  optimizers: [{ id: "lora" }],
  rates: { chosenBy: "tune" },
};

Deno.test("expand() drops equal runs: full fine-tuning runs once for all ranks", () => {
  const { configs } = expand(fakeSweep, fakeRegistries);
  // Two seeds, two tasks, three methods at two ranks and one without.
  assertEquals(configs.length, 2 * 2 * (3 * 2 + 1));
  assertEquals(new Set(configs.map(canonicalJson)).size, configs.length);
  assertEquals(configs.filter((config) => config.optimizer.id === "full").length, 4);
});

Deno.test("expand() puts the seed outermost, then the task, then ranks and methods", () => {
  const { configs } = expand(fakeSweep, fakeRegistries);
  const order = configs.map((config) =>
    `${config.seed} ${config.task.id} ${config.optimizer.id} ${rankOf(config.optimizer)}`
  );
  assertEquals(order.slice(0, 5), [
    "0 digits full null",
    "0 digits lora 2",
    "0 digits lora-ga 2",
    "0 digits lora-pro 2",
    "0 digits lora 8",
  ]);
  assertEquals(order[7], "0 arithmetic full null");
  assertEquals(order[14], "1 digits full null");
});

Deno.test("expand() lets a task change the base, and a method its options and rates", () => {
  const { configs } = expand(
    {
      ...fakeSweep,
      optimizers: [{ id: "lora", options: { alpha: 32 }, learningRates: [0.1, 0.2] }],
      ranks: [2],
      seeds: [0],
    },
    fakeRegistries,
  );
  assertEquals(configs.map((config) => [config.task.id, config.steps, config.schedule.learningRate]), [
    ["digits", 40, 0.1],
    ["digits", 40, 0.2],
    ["arithmetic", 60, 0.1],
    ["arithmetic", 60, 0.2],
  ]);
  assertEquals(configs[0]!.optimizer.options, { alpha: 32, beta1: 0.9, rank: 2 });
});

Deno.test("expand() varies one size at a time around the sweep's own, and runs that once", () => {
  const { configs } = expand(
    {
      ...fakeSweep,
      tasks: [fakeSweep.tasks[0]!],
      optimizers: [{ id: "full" }, { id: "lora" }],
      ranks: [4],
      seeds: [0],
      vary: { batchSize: [8, 16], width: [8, 16], layers: [2, 3], rank: [2, 4] },
    },
    fakeRegistries,
  );
  const sizes = (id: string) =>
    configs.filter(({ optimizer }) => optimizer.id === id).map((
      { model: { width, layers }, batchSize, optimizer },
    ) => [batchSize, width, layers, rankOf(optimizer)]);
  // Width 8 and 2 layers are the model's own, which goes without saying.
  assertEquals(sizes("lora"), [
    [16, undefined, undefined, 4],
    [8, undefined, undefined, 4],
    [16, 16, undefined, 4],
    [16, undefined, 3, 4],
    [16, undefined, undefined, 2],
  ]);
  assertEquals(sizes("full").length, 4);
});

test("the scaling sweep varies tokens, width, layers and rank, each by itself", async () => {
  const registries = { tasks: { ...tasks }, models: { ...models }, optimizers: { ...optimizers } };
  const spec = await readSweep("scaling");
  const { configs } = expand(spec, registries as unknown as Registries);
  const { batchSize, width, layers, rank } = spec.vary!;
  const sizes = batchSize!.length + width!.length + layers!.length - 2;
  assertEquals(configs.filter(({ optimizer }) => optimizer.id === "full").length, sizes);
  assertEquals(configs.filter(({ optimizer }) => optimizer.id === "lora").length, sizes + rank!.length - 1);
  const [base] = configs;
  for (const config of configs) {
    const changed = [
      config.batchSize !== base!.batchSize,
      config.model.width !== base!.model.width,
      config.model.layers !== base!.model.layers,
      (rankOf(config.optimizer) ?? spec.ranks[0]) !== spec.ranks[0],
    ];
    assert(changed.filter(Boolean).length <= 1, JSON.stringify(config));
    assertEquals(config.telemetryEvery, 0);
  }
});

/** The registries that ship. */
const shipped = {
  tasks: { ...tasks },
  models: { ...models },
  optimizers: { ...optimizers },
} as unknown as Registries;

/** The methods whose results and rates are published: those that ship since change nothing about them. */
const PUBLISHED = [
  ...["adalora", "altlora", "dora", "full", "lora", "lora-fa", "lora-ga", "lora-ga-pro", "lora-one"],
  ...["lora-plus", "lora-pro", "lora-rite", "pissa", "rslora", "scaled-adamw"],
];

test("the sweeps of rank and learning rate run every published method and no other, on both tasks", async () => {
  const ids = PUBLISHED;
  const ranks = expand(override(await readSweep("rank"), { learningRates: [1e-3] }, shipped), shipped);
  const rates = expand(await readSweep("tune"), shipped);
  for (const { configs } of [ranks, rates]) {
    for (const task of ["digits", "arithmetic"]) {
      const own = configs.filter((config) => config.task.id === task);
      assertEquals([...new Set(own.map(({ optimizer }) => optimizer.id))].sort(), ids);
    }
  }
  const byMethod = Map.groupBy(rates.configs, ({ task, optimizer }) => `${task.id} ${optimizer.id}`);
  for (const [name, configs] of byMethod) {
    const learningRates = [...new Set(configs.map(({ schedule }) => schedule.learningRate))];
    assert(new Set(learningRates).size >= 7, name);
    // A logarithmic grid: neighbours are equally far apart.
    const ratios = learningRates.slice(1).map((learningRate, i) => learningRate / learningRates[i]!);
    assert(ratios.every((ratio) => Math.abs(ratio / ratios[0]! - 1) < 0.1), `${name}: ${ratios}`);
    assert(configs.every(({ scoreOn }) => scoreOn === "validation"), "a rate is never chosen on test data");
  }
  // Rates are of use only to runs of as many steps.
  const steps = (configs: readonly { task: { id: string }; steps: number }[]) =>
    new Set(configs.map((config) => `${config.task.id} ${config.steps}`));
  assertEquals(steps(ranks.configs).difference(steps(rates.configs)).size, 0);
});

test("the sweep of the paper takes every task with its shipped settings and every published method, and so does its tuning", async () => {
  const paper =
    expand(override(await readSweep("paper"), { learningRates: [1e-3] }, shipped), shipped).configs;
  const tuning = expand(await readSweep("tune"), shipped).configs;
  for (const { id, shipped } of Object.values(tasks)) {
    const { model, steps, batchSize, ...amounts } = shipped!;
    const own = paper.filter(({ task }) => task.id === id);
    assertEquals(
      new Set(own.map(({ optimizer }) => optimizer.id)),
      new Set(PUBLISHED),
    );
    for (const config of own) {
      assertEquals(
        [config.model, config.steps, config.batchSize, config.task, config.scoreOn],
        [{ id: model }, steps, batchSize, { id, ...amounts }, "test"],
      );
    }
    const tuned = tuning.filter(({ task }) => task.id === id);
    assertEquals(
      new Set(tuned.map(({ optimizer }) => optimizer.id)),
      new Set(own.map(({ optimizer }) => optimizer.id)),
    );
    assert(tuned.every(({ task, scoreOn }) => task.testExamples === 1 && scoreOn === "validation"), id);
  }
});

test("each ablation expands, also to a few steps, and varies what it is named for", async () => {
  const varied = async (name: string, read: (options: Readonly<Record<string, unknown>>) => unknown) => {
    const spec = await readSweep(name);
    assertEquals(
      expand(override(spec, { steps: 3 }, shipped), shipped).configs.length,
      expand(spec, shipped).configs.length,
    );
    const pro = expand(spec, shipped).configs.filter(({ optimizer }) =>
      optimizer.id !== "lora" || name === "alpha"
    );
    return new Set(pro.map(({ optimizer }) => read(optimizer.options)));
  };
  assertEquals(await varied("gauge", ({ gauge }) => gauge), new Set(["sylvester", "zero", "symmetric"]));
  assertEquals(
    await varied("mode", ({ mode, cap, relativeDamping }) => `${mode} ${cap} ${relativeDamping}`),
    new Set([
      ...["full 0 0.000001", "full 0.1 0.000001", "full 0 0"],
      ...["efficient 0 0.000001", "efficient 0 0"],
      ...["sgd 0 0.000001", "sgd 0.1 0.000001", "sgd 0 0"],
    ]),
  );
  assertEquals(
    await varied("alpha", ({ alpha, scaling }) => `${alpha} ${scaling}`),
    new Set([
      ...["alpha/r", "alpha/sqrt(r)"].flatMap((scaling) => [4, 16, 64].map((alpha) => `${alpha} ${scaling}`)),
      "256 alpha/sqrt(r)",
    ]),
  );
  assertEquals(
    await varied("decay", ({ weightDecay }) => weightDecay),
    new Set([0, 0.1, 0.3]),
  );
});

Deno.test('expand() lets "*" stand for the methods that a sweep doesn\'t name, and override() picks among them', () => {
  const spec: SweepSpec = {
    ...tuned,
    rates: { shared: 0.1 },
    optimizers: [{ id: "lora", learningRates: [0.3] }, { id: "*", learningRates: [0.2] }],
    ranks: [2],
    seeds: [0],
  };
  const found = (one: SweepSpec) =>
    expand(one, fakeRegistries).configs.map((
      { optimizer, schedule },
    ) => [optimizer.id, schedule.learningRate]);
  assertEquals(found(spec), [["lora", 0.3], ["full", 0.2], ["lora-ga", 0.2], ["lora-pro", 0.2]]);
  const some = override(spec, { optimizers: ["lora-ga", "lora"] }, fakeRegistries);
  assertEquals(found(some), [["lora-ga", 0.2], ["lora", 0.3]]);
});

Deno.test('expand() lets "*" stand for the tasks that a sweep doesn\'t name, with their shipped settings', () => {
  const [digits, arithmetic] = fakeSweep.tasks;
  const settings = (tasks: SweepSpec["tasks"], of: Registries = fakeRegistries) =>
    expand({ ...fakeSweep, tasks, optimizers: [{ id: "full" }], seeds: [0] }, of).configs.map((
      { task, model, steps, batchSize },
    ) => [task.id, model.id, steps, batchSize, task.trainExamples, task.testExamples]);
  assertEquals(settings([arithmetic!, { task: { id: "*" } }]), [
    ["arithmetic", "decoder-tiny", 60, 16, 256, 100],
    ["digits", "vit-tiny", 20, 4, 128, 50],
  ]);
  // What the entry gives wins, and what a named task leaves out is as it ships too.
  assertEquals(
    settings([
      { steps: 7, task: { id: "digits", testExamples: 1 } },
      arithmetic!,
    ]),
    [["digits", "vit-tiny", 7, 4, 128, 1], ["arithmetic", "decoder-tiny", 60, 16, 256, 100]],
  );
  // An entry that leaves nothing out takes the base's steps, as ever.
  assertEquals(settings([digits!])[0]!.slice(2, 4), [40, 16]);
  assertThrows(
    () => settings([{ task: { id: "*" } }]),
    UserError,
    'Cannot run task "arithmetic" in sweep "fake": it ships no settings',
  );
  const all: SweepSpec = { ...fakeSweep, tasks: [arithmetic!, { task: { id: "*" } }] };
  assertEquals(override(all, { tasks: ["digits"] }, fakeRegistries).tasks.map(({ task }) => task.id), [
    "digits",
  ]);
});

Deno.test("expand() names all methods and tasks that nothing was chosen for, and what to type", () => {
  const spec: SweepSpec = { ...tuned, tasks: fakeSweep.tasks, optimizers: [{ id: "lora" }, { id: "full" }] };
  assertThrows(
    () => expand(spec, fakeRegistries, chosenRates([chosenRate({})])),
    UserError,
    'Cannot find learning rates: sweep "tune" chose none for "full" on "digits", and none for any method on ' +
      '"arithmetic" (./run bench tune --optimizers full,lora chooses them and says how to take them; ' +
      "--learning-rates states a rate instead)",
  );
  // Methods that the tuning sweep ran elsewhere are its own, and run with it.
  assertThrows(
    () => expand({ ...spec, optimizers: [{ id: "lora" }] }, fakeRegistries, chosenRates([chosenRate({})])),
    UserError,
    'none for any method on "arithmetic" (./run bench tune runs what its folder lacks and chooses; ' +
      "--learning-rates states a rate instead)",
  );
});

Deno.test("expand() runs methods without rates of their own at all rates that a sweep shares, those that join too", () => {
  const spec: SweepSpec = {
    ...tuned,
    rates: { shared: [0.1, 0.2] },
    optimizers: [{ id: "lora" }, { id: "full", learningRates: [0.3] }],
    ranks: [2],
    seeds: [0],
  };
  const found = (one: SweepSpec) =>
    expand(one, fakeRegistries).configs.map((
      { optimizer, schedule },
    ) => [optimizer.id, schedule.learningRate]);
  assertEquals(found(spec), [["lora", 0.1], ["lora", 0.2], ["full", 0.3]]);
  assertEquals(found(override(spec, { optimizers: ["lora-pro"] }, fakeRegistries)), [
    ["lora-pro", 0.1],
    ["lora-pro", 0.2],
  ]);
});

test("published methods ship and have tuned rates of every task; others are named where they lack one", async () => {
  const ids = Object.values(optimizers).map(({ id }) => id), chosen = await readChosen("tune");
  assertEquals(PUBLISHED.filter((id) => !ids.includes(id)), []);
  for (const [task, rates] of Map.groupBy(chosen.rates, ({ task }) => task)) {
    const tuned = rates.map(({ optimizer }) => optimizer);
    assertEquals(PUBLISHED.filter((id) => !tuned.includes(id)), [], task);
    assertEquals(tuned.length, new Set(tuned).size, `${task}: one rate a method`);
  }
  const task = "sentiment", own = chosen.rates.filter((rate) => rate.task === task);
  // The model of that task has no biases.
  const [other] = ids.filter((id) => id !== "biases" && !own.some(({ optimizer }) => optimizer === id));
  const asked = override(
    await readSweep("paper"),
    { tasks: [task], optimizers: ["lora", other!] },
    shipped,
  );
  assertThrows(
    () => expand(asked, shipped, chosen),
    UserError,
    `Cannot find learning rates: sweep "tune" chose none for "${other}" on "${task}" (./run bench tune --optimizers ` +
      `${other} chooses them and says how to take them; --learning-rates states a rate instead)`,
  );
});

Deno.test("expand() lists runs whose rate is missing at a rate that stands in, where one is given, and says so", () => {
  const spec: SweepSpec = { ...tuned, tasks: fakeSweep.tasks, optimizers: [{ id: "lora" }, { id: "full" }] };
  const chosen = chosenRates([chosenRate({}), chosenRate({ rank: 8, learningRate: 0.02 })]);
  const { configs, notes } = expand(spec, fakeRegistries, chosen, 0.5);
  const learningRates = (task: string, id: string) =>
    new Set(
      configs.filter(({ task: one, optimizer }) => one.id === task && optimizer.id === id)
        .map(({ schedule }) => schedule.learningRate),
    );
  assertEquals([
    learningRates("digits", "lora"),
    learningRates("digits", "full"),
    learningRates("arithmetic", "lora"),
  ], [
    new Set([0.01, 0.02]),
    new Set([0.5]),
    new Set([0.5]),
  ]);
  assertEquals(
    notes[0],
    'Rates are missing: sweep "tune" chose none for "full" on "digits", and none for any method on "arithmetic"; ' +
      "listed at 0.5, and to be run only once they are chosen or stated",
  );
});

Deno.test("expand() takes the rate that was chosen on another task of the same model, and says so", () => {
  const spec: SweepSpec = { ...tuned, tasks: fakeSweep.tasks, seeds: [0], ranks: [2] };
  const chosen = chosenRates([
    chosenRate({}),
    chosenRate({ task: "zeta", model: "decoder-tiny", steps: 60, learningRate: 0.04 }),
    chosenRate({ task: "alpha", model: "decoder-tiny", steps: 60, learningRate: 0.03 }),
  ]);
  const { configs, notes } = expand(spec, fakeRegistries, chosen);
  assertEquals(configs.map(({ task, schedule }) => [task.id, schedule.learningRate]), [["digits", 0.01], [
    "arithmetic",
    0.03,
  ]]);
  assertEquals(notes.length, 1);
  assert(notes[0]!.includes("tuned on alpha, with the same model"), notes[0]);
});

Deno.test("expand() takes the rate that was chosen for the task, method and rank", () => {
  const chosen = chosenRates([
    chosenRate({}),
    chosenRate({ rank: 8, learningRate: 0.02 }),
    chosenRate({ task: "arithmetic" }),
  ]);
  const { configs, rates, notes } = expand(tuned, fakeRegistries, chosen);
  assertEquals(configs.map((config) => config.schedule.learningRate), [0.01, 0.02, 0.01, 0.02]);
  assertEquals(rates.length, 2);
  assertEquals(notes, []);
});

Deno.test("expand() takes batch size and steps with a rate that they were searched with, and says nothing of them", () => {
  const chosen = chosenRates([chosenRate({ batchSize: 3, steps: 2 * tuned.base.steps })]);
  const { configs, notes } = expand({ ...tuned, ranks: [2], seeds: [0] }, fakeRegistries, chosen);
  const { base } = tuned;
  assertEquals(
    configs.map((
      { batchSize, steps, validateEvery, schedule },
    ) => [batchSize, steps, validateEvery, schedule]),
    [
      [3, 2 * base.steps, 2 * base.validateEvery, {
        ...base.schedule,
        warmup: 2 * base.schedule.warmup,
        learningRate: 0.01,
      }],
    ],
  );
  assertEquals(notes, []);
});

Deno.test("expand() of a sweep that searches batch sizes and steps lists each with each, at every rate", () => {
  const search = { batchSize: [2, 4], steps: [20, 40] }, learningRates = [0.001, 0.002];
  const spec = { ...tuned, ranks: [2], seeds: [0], optimizers: [{ id: "lora", learningRates }], search };
  const found = expand(spec, fakeRegistries).configs.map(({ batchSize, steps, schedule }) =>
    [batchSize, steps, schedule.learningRate].join()
  );
  assertEquals(found, [
    "2,20,0.001",
    "2,20,0.002",
    "2,40,0.001",
    "2,40,0.002",
    "4,20,0.001",
    "4,20,0.002",
    "4,40,0.001",
    "4,40,0.002",
  ]);
});

Deno.test("expand() takes the nearest rank's rate where a rank was not tuned, and says so", () => {
  const chosen = chosenRates([chosenRate({}), chosenRate({ rank: 8, learningRate: 0.02 })]);
  const { configs, notes } = expand({ ...tuned, ranks: [6], seeds: [0] }, fakeRegistries, chosen);
  assertEquals(configs[0]!.schedule.learningRate, 0.02);
  assertEquals(notes, ["The rate of lora at rank 6 on digits was tuned at rank 8"]);
});

Deno.test("expand() says where rates were tuned with other options or steps", () => {
  const chosen = chosenRates([chosenRate({ options: { alpha: 1, beta1: 0.9 }, steps: 99 })]);
  const { notes } = expand({ ...tuned, ranks: [2], seeds: [0] }, fakeRegistries, chosen);
  assertEquals(notes, [
    "The rate of lora at rank 2 on digits was tuned with other options",
    "The rate of lora at rank 2 on digits was tuned at 99 steps, not 40",
  ]);
});

Deno.test("expand() refuses a method whose rate nobody stated or chose", () => {
  const unstated = parseWith(SweepSpec, { ...fakeSweep, rates: undefined }, "x");
  assertThrows(() => expand(unstated, fakeRegistries), UserError, 'Cannot find a learning rate for "lora"');
  assertThrows(() => expand(tuned, fakeRegistries, chosenRates([])), UserError, "--learning-rates states");
});

Deno.test("expand() refuses a rank above what the target modules have", () => {
  assertThrows(
    () => expand({ ...fakeSweep, ranks: [9] }, fakeRegistries),
    UserError,
    "rank is 9, 1 to 8 is needed",
  );
});

Deno.test('a method that "*" stands for is left out of tasks on whose model it can\'t be used; a named one is refused', () => {
  const spec = override({ ...fakeSweep, optimizers: [{ id: "lora", learningRates: [1] }] }, {
    tasks: ["digits", "arithmetic"],
  }, shipped);
  const { configs, notes } = expand(
    { ...spec, optimizers: [...spec.optimizers, { id: "*", learningRates: [1] }] },
    shipped,
  );
  const tasksOf = (id: string) =>
    new Set(configs.filter(({ optimizer }) => optimizer.id === id).map(({ task }) => task.id));
  assertEquals([...tasksOf("biases")], ["digits"]);
  assertEquals([...tasksOf("norms")], ["digits", "arithmetic"]);
  assertEquals(notes[0], '"biases" is left out on arithmetic: it trains biases, and the model has none');
  assertThrows(
    () => expand({ ...spec, ranks: [5000], optimizers: [{ id: "*", learningRates: [1] }] }, shipped),
    UserError,
    "rank is 5000",
  );
  const sentence = 'Cannot use "biases" on model "decoder-tiny": it trains biases, and the model has none';
  assertThrows(
    () => expand({ ...spec, optimizers: [{ id: "biases", learningRates: [1] }] }, shipped),
    UserError,
    sentence,
  );
});

Deno.test("LoRA-Null starts from the task's inputs by --vary where nobody knows what a model was pre-trained on", () => {
  const [digits] = fakeSweep.tasks, model = { id: "vit-tiny", width: 32 };
  const methods = ["lora", "lora-null"].map((id) => ({ id, learningRates: [1] }));
  const spec = {
    ...fakeSweep,
    tasks: [{ ...digits!, model }],
    optimizers: methods,
    ranks: [2],
    seeds: [0],
  };
  const sentence = 'Cannot start "lora-null" from inputs of what model "vit-tiny" was pre-trained on';
  assertThrows(() => expand(spec, shipped), UserError, sentence);
  const { configs, notes } = expand({ ...spec, vary: { inputsOf: ["task"] } }, shipped);
  assertEquals(configs.map(({ optimizer }) => [optimizer.id, optimizer.options["inputsOf"]]), [
    ["lora", undefined],
    ["lora-null", "task"],
  ]);
  const except =
    '"lora-null" is left out on digits except with inputsOf task: its start takes inputs of what';
  assertEquals(notes.map((note) => note.slice(0, except.length)), [except]);
  // It runs at each rank, so that no rank is what it is left out at.
  const more = expand({ ...spec, ranks: [2, 4], vary: { inputsOf: ["task"], steps: [2, 8] } }, shipped);
  assertEquals(more.configs.filter(({ optimizer }) => optimizer.id === "lora-null").length, 2);
  assertEquals(more.notes.map((note) => note.slice(0, except.length)), [except]);
});

Deno.test("a plan says where ReLoRA never merges, and so is LoRA; where it merges, or is asked not to, there is nothing to say", () => {
  const notesOf = (steps: number, options: Readonly<Record<string, number>> = {}) => {
    const spec = override({ ...fakeSweep, optimizers: [{ id: "relora", options, learningRates: [1] }] }, {
      tasks: ["digits"],
      steps,
    }, shipped);
    return expand(spec, shipped).notes;
  };
  const plain = (steps: number, every: number) => [
    `"relora" on digits is plain LoRA in runs of ${steps} steps: it merges after every ${every}, and never after the last`,
  ];
  assertEquals(notesOf(50), plain(50, 50));
  assertEquals(notesOf(51), []);
  assertEquals(notesOf(51, { mergeEvery: 60 }), plain(51, 60));
  assertEquals(notesOf(20, { mergeEvery: 0, warmupAgain: 0 }), []);
});

/** As the made-up registries, but LoRA-GA takes half of the ranks, as the real one does. */
const halfRank: Registries = {
  ...fakeRegistries,
  optimizers: {
    ...fakeRegistries.optimizers,
    loraGa: {
      ...fakeRegistries.optimizers["loraGa"]!,
      validate: ({ rank, gamma }) =>
        gamma !== 16
          ? `gamma is ${gamma}, 16 is needed`
          : Number(rank) > 4
          ? `rank is ${rank}, at most 4 is possible`
          : null,
    },
  },
};

Deno.test("expand() leaves a method out at the ranks that it refuses, with a note, and runs all else", () => {
  const { configs, notes } = expand({ ...fakeSweep, seeds: [0], ranks: [2, 4, 8] }, halfRank);
  const ran = (id: string) =>
    configs.filter((config) => config.task.id === "digits" && config.optimizer.id === id).map((
      { optimizer },
    ) => rankOf(optimizer));
  assertEquals(ran("lora"), [2, 4, 8]);
  assertEquals(ran("lora-ga"), [2, 4]);
  assertEquals(ran("full"), [null]);
  assertEquals(notes, [
    '"lora-ga" is left out at rank 8 on digits: rank is 8, at most 4 is possible',
    '"lora-ga" is left out at rank 8 on arithmetic: rank is 8, at most 4 is possible',
  ]);
});

Deno.test("expand() names what else a method is left out with, where it runs at the rank", () => {
  // Takes three steps a rank.
  const registries: Registries = {
    ...halfRank,
    optimizers: {
      ...halfRank.optimizers,
      loraGa: {
        ...halfRank.optimizers["loraGa"]!,
        validate: ({ rank }, _, steps) => steps < 3 * Number(rank) ? `steps are ${steps}` : null,
      },
    },
  };
  const digits = fakeSweep.tasks.filter(({ task }) => task.id === "digits");
  const notesOf = (ranks: number[], steps: number[]) => {
    const tasks = digits.map((task) => ({ ...task, steps: 12 }));
    return expand({ ...fakeSweep, tasks, seeds: [0], ranks, vary: { steps } }, registries).notes;
  };
  const left = '"lora-ga" is left out';
  // Few steps are too few for both, or for the larger one alone; where all are too few, so is the rank too large.
  assertEquals(notesOf([2, 4], [5]), [`${left} on digits with steps 5: steps are 5`]);
  assertEquals(notesOf([2, 4], [6]), [`${left} at rank 4 on digits with steps 6: steps are 6`]);
  assertEquals(notesOf([2, 8], [20]), [
    `${left} at rank 8 on digits: steps are 12`,
    `${left} at rank 8 on digits: steps are 20`,
  ]);
  assertEquals(notesOf([8, 2], [24, 30]), [
    `${left} at rank 8 on digits except with steps 24 or steps 30: steps are 12`,
  ]);
});

Deno.test("expand() refuses a rank that no method takes, and a method that takes no rank", () => {
  const refusal = (change: Partial<SweepSpec>) =>
    assertThrows(() => expand({ ...fakeSweep, ...change }, halfRank), UserError).message;
  // Full fine-tuning runs whatever the ranks: that makes none of them a rank of use.
  const ids = [{ id: "full" }, { id: "lora-ga" }];
  assertEquals(
    refusal({ optimizers: ids, ranks: [2, 8] }),
    'Cannot use "lora-ga" on model "vit-tiny": rank is 8, at most 4 is possible',
  );
  assert(refusal({ ranks: [8] }).endsWith("rank is 8, at most 4 is possible"));
  assert(refusal({ ranks: [2, 9] }).endsWith("rank is 9, 1 to 8 is needed"));
  // Another option is at fault, whatever the rank.
  const wrong = { id: "lora-ga", options: { gamma: 1 } };
  assert(
    refusal({ optimizers: [{ id: "lora" }, wrong], ranks: [2, 8] }).endsWith("gamma is 1, 16 is needed"),
  );
  // A rank among a method's own options is its only one.
  const fixed = { id: "lora-ga", options: { rank: 8 } };
  assert(refusal({ optimizers: [{ id: "lora" }, fixed], ranks: [2, 8] }).endsWith("at most 4 is possible"));
  // At another width it isn't the sweep's ranks that a method refuses.
  assert(
    refusal({ optimizers: [{ id: "lora" }], ranks: [6], vary: { width: [4] } }).endsWith("1 to 4 is needed"),
  );
});

Deno.test("expand() says in few sentences which of many runs take rates that were tuned otherwise", () => {
  const chosen = chosenRates(
    ["digits", "arithmetic"].flatMap((task) =>
      ["full", "lora", "lora-ga"].map((optimizer) =>
        chosenRate({
          task,
          optimizer,
          rank: optimizer === "full" ? null : 4,
          options: optimizer === "lora" ? { alpha: 16, beta1: 0.9 } : {},
          steps: task === "digits" ? 40 : 50,
        })
      )
    ),
  );
  const optimizers = ["full", "lora", "lora-ga"].map((id) => ({ id }));
  const { configs, rates, notes } = expand(
    { ...fakeSweep, optimizers, ranks: [2, 4, 8], rates: { chosenBy: "tune" } },
    fakeRegistries,
    chosen,
  );
  assertEquals([configs.length, rates.length], [2 * 2 * 7, 6]);
  assertEquals(notes, [
    "The rates of full on digits and arithmetic were tuned with other options",
    "The rates of lora and lora-ga at ranks 2 and 8 on digits and arithmetic were tuned at rank 4",
    "The rates of lora-ga at ranks 2, 4 and 8 on digits and arithmetic were tuned with other options",
    "The rate of full on arithmetic was tuned at 50 steps, not 60",
    "The rates of lora and lora-ga at ranks 2, 4 and 8 on arithmetic were tuned at 50 steps, not 60",
  ]);
});

Deno.test("override() takes a part of the sweep and scales what goes with the steps", () => {
  const small = override(
    fakeSweep,
    { tasks: ["arithmetic"], optimizers: ["lora"], ranks: [4], seeds: [7], learningRates: [0.5], steps: 6 },
    fakeRegistries,
  );
  const { configs } = expand(small, fakeRegistries);
  assertEquals(configs.length, 1);
  const [config] = configs;
  assertEquals([config!.steps, config!.validateEvery, config!.telemetryEvery], [6, 1, 1]);
  assertEquals(config!.schedule, { kind: "cosine", learningRate: 0.5, warmup: 0, floor: 0 });
  assertEquals([config!.seed, rankOf(config!.optimizer)], [7, 4]);
});

Deno.test("override() gives every task that is left the linear maps to adapt, whatever it had", () => {
  const spec = { ...fakeSweep, rates: { shared: 1e-3 } };
  const first = { ...spec.tasks[0]!, targetModules: ["layers.0.*"] };
  const changed = override(
    { ...spec, tasks: [first, ...spec.tasks.slice(1)] },
    { targets: ["q"] },
    fakeRegistries,
  );
  const targets = new Set(
    expand(changed, fakeRegistries).configs.map(({ targetModules }) => targetModules.join()),
  );
  assertEquals(targets, new Set(["q"]));
});

Deno.test("override() gives every task that is left the data and the counts of examples", () => {
  const examples = { trainExamples: 9, validationExamples: 3, testExamples: 2 };
  const real = override(fakeSweep, { data: "mnist", examples }, takingData);
  for (const { task } of expand(real, takingData).configs) {
    assertEquals(task, { id: task.id, ...examples, data: "mnist" });
  }
  const { tasks } = override(fakeSweep, { data: "mnist" }, takingData);
  assertEquals(
    tasks.map(({ task }) => task),
    fakeSweep.tasks.map(({ task }) => ({ ...task, data: "mnist" })),
  );
  const asked = override(fakeSweep, { data: "mnist", trainOnTest: true }, takingData);
  for (const { task } of expand(asked, takingData).configs) {
    assertEquals([task.data, task.trainOnTest], ["mnist", true]);
  }
  // The same data on both terms would be told apart by nothing in a report.
  const [first] = asked.tasks, { trainOnTest: _, ...unasked } = first!.task;
  assertThrows(
    () => expand({ ...asked, tasks: [first!, { ...first!, task: unasked }] }, takingData),
    UserError,
    'task "digits" is there with different data',
  );
});

Deno.test("override() puts a folder in a model's place and leaves the head that the sweep names", () => {
  const [first, ...others] = fakeSweep.tasks;
  const named: SweepSpec = {
    ...fakeSweep,
    tasks: [{ ...first!, model: { id: "vit-tiny", head: "new" } }, ...others],
  };
  const { tasks } = override(named, { model: "some/CLIP_B.16" }, fakeRegistries);
  const folder = { id: "clip-b-16", path: "some/CLIP_B.16" };
  assertEquals(tasks.map(({ model }) => model), [
    { head: "new", ...folder },
    ...others.map(() => folder),
  ]);
  assertThrows(
    () => expand(named, fakeRegistries),
    UserError,
    'Cannot use head "new" with model "vit-tiny": a model in a folder is needed, --model DIR',
  );
});

Deno.test("expand() notes rates that were tuned on other data, and refuses a task with two sources of data", () => {
  const real = override(tuned, { data: "mnist", ranks: [2] }, takingData);
  const note = 'Rates for "digits" were tuned on the task\'s own data, not on mnist';
  assertEquals(expand(real, takingData, chosenRates([chosenRate({})])).notes, [note]);
  assertEquals(expand({ ...tuned, ranks: [2] }, takingData, chosenRates([chosenRate({})])).notes, []);
  // Of a task without rates of its own nothing was tuned on its own data.
  assertEquals(expand(real, takingData, chosenRates([chosenRate({ task: "arithmetic" })])).notes, [
    "The rate of lora at rank 2 on digits was tuned on arithmetic, with the same model",
  ]);
  assertEquals(expand(override(real, { learningRates: [0.1] }, takingData), takingData).notes, []);
  const fetched = `/h/datasets--o--mnist/snapshots/${"0".repeat(40)}/train`;
  assertEquals(
    expand(override(real, { data: fetched }, takingData), takingData, chosenRates([chosenRate({})])).notes,
    [note.replace(/mnist$/, `o/mnist/train@${"0".repeat(40)}`)],
  );
  const more = override(tuned, { targets: ["q"], alsoTrain: ["k"], ranks: [2] }, takingData);
  assertEquals(expand(more, takingData, chosenRates([chosenRate({})])).notes, [
    "Runs also train k: rates do not tell what else was trained when they were chosen",
  ]);
  const saving = override(
    tuned,
    { memory: { frozenWeights: "nf4" }, ranks: [2], optimizers: ["lora"] },
    takingData,
  );
  const kept = expand(saving, takingData, chosenRates([chosenRate({})]));
  assertEquals(kept.notes, ["Frozen weights are kept as nf4; rates were chosen with 32 bits"]);
  assertEquals(kept.configs.every(({ memory }) => memory?.frozenWeights === "nf4"), true);
  // What is not named stays as the sweep has it.
  const both = override(saving, { memory: { checkpointing: "blocks" } }, takingData);
  assertEquals(both.base.memory, { frozenWeights: "nf4", checkpointing: "blocks" });
  const [own] = tuned.tasks;
  assertThrows(
    () => expand({ ...tuned, tasks: [own!, { ...own!, task: { ...own!.task, data: "mnist" } }] }, takingData),
    UserError,
    'Cannot run sweep "fake": task "digits" is there with different data, give each a sweep of its own',
  );
});

Deno.test("expand() takes rates that were tuned on real data, or on a model in a folder, for these alone", async () => {
  const onData = (fingerprint: string) =>
    chosenRate({ dataFingerprint: fingerprint.repeat(64), learningRate: 0.05 });
  const real = override(tuned, { data: "mnist", ranks: [2] }, takingData);
  const one = await expandRuns(real, takingData, chosenRates([chosenRate({}), onData("0")]));
  const taken = '"digits" takes its examples from mnist (fingerprint 0000000000000000)';
  assertEquals([one.configs.map(({ schedule }) => schedule.learningRate), one.notes], [[0.05, 0.05], [
    taken,
  ]]);
  // On its own data the task has nothing from theirs, nor has another set of data.
  const message = async (spec: SweepSpec, rates: ChosenRate[]) =>
    (await assertRejects(() => expandRuns(spec, takingData, chosenRates(rates)), UserError)).message;
  assertEquals(
    await message({ ...tuned, ranks: [2] }, [onData("0")]),
    'Cannot use the rates that sweep "tune" chose for "digits": they were tuned on data 0000000000000000 and the ' +
      "project's model, not on the task's own data and the project's model (--learning-rates states rates instead)",
  );
  assertStringIncludes(
    await message(real, [onData("1")]),
    "they were tuned on data 1111111111111111 and the project's model, not on data 0000000000000000 and",
  );
  assertStringIncludes(
    await message({ ...tuned, ranks: [2] }, [chosenRate({ modelFingerprint: "2".repeat(64) })]),
    "they were tuned on the task's own data and model 2222222222222222, not on",
  );
  // What is nearer wins over what is further, and a stranger's is never taken.
  const mixed = await expandRuns(
    real,
    takingData,
    chosenRates([chosenRate({ learningRate: 0.03 }), onData("1")]),
  );
  assertEquals(mixed.configs.map(({ schedule }) => schedule.learningRate), [0.03, 0.03]);
});

Deno.test("override() lets a method join that the sweep doesn't name", () => {
  const joined = override(
    { ...fakeSweep, optimizers: [{ id: "full" }] },
    { optimizers: ["lora"] },
    fakeRegistries,
  );
  assertEquals(joined.optimizers, [{ id: "lora" }]);
});

Deno.test("override() refuses names that nobody knows, and tasks that the sweep lacks", () => {
  assertThrows(
    () => override(fakeSweep, { tasks: ["x"] }, fakeRegistries),
    UserError,
    "known are digits, arithmetic",
  );
  assertThrows(
    () => override(fakeSweep, { optimizers: ["x"] }, fakeRegistries),
    UserError,
    "known are full, lora",
  );
  assertThrows(
    () => override(tuned, { tasks: ["arithmetic"] }, fakeRegistries),
    UserError,
    'Cannot run task "arithmetic" in sweep "fake": it ships no settings, its model and all its amounts are needed',
  );
});

Deno.test("override() lets a task and a method join that the sweep does not name: as it ships, with its defaults", () => {
  const shipped = { model: "vit-tiny", steps: 60, batchSize: 4, trainExamples: 64, validationExamples: 8 };
  const task = { ...fakeRegistries.tasks["arithmetic"]!, shipped: { ...shipped, testExamples: 9 } };
  const registries = { ...fakeRegistries, tasks: { ...fakeRegistries.tasks, arithmetic: task } };
  const { tasks, optimizers } = override(
    tuned,
    { tasks: ["arithmetic", "digits"], optimizers: ["lora-pro", "lora"] },
    registries,
  );
  assertEquals(tasks.map(({ task, model, steps }) => [task.id, model!.id, steps]), [
    ["arithmetic", "vit-tiny", 60],
    ["digits", "vit-tiny", undefined],
  ]);
  assertEquals(optimizers.map(({ id }) => id), ["lora-pro", "lora"]);
  assertEquals(override(tuned, { tasks: ["arithmetic"], steps: 6 }, registries).tasks[0]!.steps, 6);
});

Deno.test("ratesNeeded() asks for no tuning where every rate is stated", () => {
  assertEquals(ratesNeeded(tuned), "tune");
  assertEquals(ratesNeeded(override(tuned, { learningRates: [0.1] }, fakeRegistries)), null);
  assertEquals(ratesNeeded(fakeSweep), null);
});

test("listSweeps() and readSweep() find every sweep that ships, each named like its file", async () => {
  const ids = (await listSweeps()).map(({ id }) => id);
  assert(["quick", "scaling", "smoke", "tune"].every((id) => ids.includes(id)));
  for (const id of ids) assertEquals((await readSweep(id)).name, id);
});

Deno.test("override() keeps the warm-up shorter than the steps that the command line asks for", () => {
  const warm = {
    ...fakeSweep,
    base: { ...fakeSweep.base, schedule: { ...fakeSweep.base.schedule, warmup: 39 } },
  };
  for (const [steps, wanted] of [[1, 0], [2, 1], [20, 19], [80, 78]] as const) {
    const { base, tasks } = override(warm, { steps, tasks: ["digits"] }, fakeRegistries);
    assertEquals([base.schedule.warmup, tasks[0]!.schedule?.warmup], [wanted, wanted], `${steps} steps`);
  }
});

Deno.test("expand() takes the rate of the rank that is nearest by doublings", () => {
  // From 8 it is two doublings to 2, one to 16.
  const chosen = chosenRates([
    chosenRate({ rank: 2, learningRate: 0.01 }),
    chosenRate({ rank: 16, learningRate: 0.02 }),
  ]);
  const { configs } = expand({ ...tuned, ranks: [8], seeds: [0] }, fakeRegistries, chosen);
  assertEquals(configs.map(({ schedule }) => schedule.learningRate), [0.02]);
});
