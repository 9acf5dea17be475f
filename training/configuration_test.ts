import * as shippedModels from "../models/mod.ts";
import * as shippedOptimizers from "../optimizers/mod.ts";
import * as shippedTasks from "../tasks/mod.ts";
import { assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { z } from "zod";
import { fakeRegistries } from "../tests/support/fakes/registries.ts";
import {
  allOptions,
  completeConfig,
  matchTargetModules,
  parseWith,
  type Registries,
  withDataFingerprint,
} from "./configuration.ts";
import { canonicalJson } from "../files/canonical_json.ts";
import { runId } from "./run.ts";
import { UserError } from "../errors/user_error.ts";

const config = {
  schema: 1,
  task: { id: "digits", trainExamples: 8, validationExamples: 4, testExamples: 4 },
  model: { id: "vit-tiny" },
  targetModules: ["*"],
  optimizer: { id: "lora", options: { rank: 4 } },
  steps: 10,
  batchSize: 4,
  accumulate: 1,
  schedule: { kind: "cosine", learningRate: 0.001, warmup: 1, floor: 0 },
  clip: 1,
  validateEvery: 5,
  telemetryEvery: 5,
  scoreOn: "test",
  seed: 0,
};

function refused(change: Record<string, unknown>, sentence: string): void {
  assertThrows(() => completeConfig({ ...config, ...change }, fakeRegistries, "x.json"), UserError, sentence);
}

Deno.test("completeConfig() fills in defaults, so that saying them changes nothing", () => {
  const short = completeConfig(config, fakeRegistries);
  const long = completeConfig(
    { ...config, optimizer: { id: "lora", options: { beta1: 0.9, rank: 4, alpha: 16 } } },
    fakeRegistries,
  );
  assertEquals(short.optimizer.options, { alpha: 16, beta1: 0.9, rank: 4 });
  assertEquals(canonicalJson(short), canonicalJson(long));
});

Deno.test("completeConfig() refuses unknown names with the known ones", () => {
  refused(
    { task: { ...config.task, id: "digit" } },
    'Cannot find task "digit": did you mean digits? Known are digits, arithmetic',
  );
  refused({ model: { id: "vit" } }, 'Cannot find model "vit": known are vit-tiny, decoder-tiny');
  refused(
    { optimizer: { id: "lora-por", options: {} } },
    'Cannot find optimizer "lora-por": did you mean lora-pro? Known are full, lora, lora-ga, lora-pro',
  );
  refused(
    { optimizer: { id: "lora", options: { rnak: 4 } } },
    'Cannot find option "rnak" of "lora": did you mean rank? Known are alpha, beta1, rank',
  );
  refused({ optimizer: { id: "lora", options: { constructor: 4 } } }, 'Cannot find option "constructor"');
});

Deno.test("completeConfig() leaves out a model's own size, so that saying it changes nothing", () => {
  const short = completeConfig(config, fakeRegistries);
  assertEquals(short.model, { id: "vit-tiny" });
  for (const size of [{ width: 8 }, { layers: 2 }, { width: 8, layers: 2 }]) {
    const long = completeConfig({ ...config, model: { id: "vit-tiny", ...size } }, fakeRegistries);
    assertEquals(canonicalJson(long), canonicalJson(short));
  }
  const resized = completeConfig(
    { ...config, model: { id: "vit-tiny", width: 16, layers: 2 } },
    fakeRegistries,
  );
  assertEquals(resized.model, { id: "vit-tiny", width: 16 });
});

Deno.test("completeConfig() refuses sizes that a model can't have, and ranks that a size can't hold", () => {
  refused(
    { model: { id: "vit-tiny", width: 10 } },
    'Cannot read x.json: Cannot resize "vit-tiny" to width 10: a multiple of 4 is needed',
  );
  refused({ model: { id: "vit-tiny", width: 0 } }, 'field "model.width" is 0');
  refused({ model: { id: "vit-tiny", layers: 1.5 } }, 'field "model.layers" is 1.5');
  refused(
    { model: { id: "vit-tiny", depth: 3 } },
    'field "depth" of "model" is unknown, known are id, path, fingerprint, hub, width, layers',
  );
  refused(
    { model: { id: "vit-tiny", width: 4 }, optimizer: { id: "lora", options: { rank: 5 } } },
    "rank is 5, 1 to 4 is needed",
  );
});

Deno.test("completeConfig() refuses more parts than a batch has examples", () => {
  refused({ accumulate: 5 }, 'Cannot read x.json: "accumulate" is 5, a batch of 4 has at most 4 parts');
  assertEquals(completeConfig({ ...config, accumulate: 4 }, fakeRegistries).accumulate, 4);
});

Deno.test("completeConfig() refuses options of the wrong type", () => {
  refused(
    { optimizer: { id: "lora", options: { rank: "eight" } } },
    'Cannot read option "rank" of "lora": "eight" is a string, a number is needed',
  );
  refused({ optimizer: { id: "lora-pro", options: { symmetric: 1 } } }, "1 is a number, a boolean is needed");
});

Deno.test("completeConfig() refuses what the method refuses", () => {
  refused({ optimizer: { id: "lora", options: { rank: 0 } } }, "rank is 0, 1 to 8 is needed");
  refused({ optimizer: { id: "lora", options: { rank: 9 } } }, "rank is 9, 1 to 8 is needed");
});

Deno.test("completeConfig() refuses a model of another family than the task's", () => {
  refused({ model: { id: "decoder-tiny" } }, 'Cannot train model "decoder-tiny" on task "digits"');
});

Deno.test("completeConfig() names the file, the field and the value of what is out of range", () => {
  refused(
    { schedule: { ...config.schedule, learningRate: -0.1 } },
    'Cannot read x.json: field "schedule.learningRate" is -0.1, needed is >0',
  );
  refused({ steps: "ten" }, 'field "steps" is "ten", needed is a value of type number');
  refused({ steps: undefined }, 'field "steps" is missing');
  refused({ scoreOn: "train" }, 'field "scoreOn" is "train", one of "validation", "test" is needed');
  refused({ clap: 1 }, 'field "clap" is unknown, known are schema, task, model');
  refused(
    { task: { ...config.task, name: "x" } },
    'field "name" of "task" is unknown, known are id, trainExamples',
  );
});

Deno.test("matchSites() takes wildcards, keeps the target modules' order and takes each once", () => {
  const targetModules = ["a.0.q", "a.0.k", "a.1.q", "b+0.q"].map((name) => ({ name }));
  assertEquals(matchTargetModules(["*.q", "a.0.*"], targetModules).map(({ name }) => name), [
    "a.0.q",
    "a.0.k",
    "a.1.q",
    "b+0.q",
  ]);
  assertEquals(matchTargetModules(["b+0.q"], targetModules).map(({ name }) => name), ["b+0.q"]);
});

Deno.test("matchTargetModules() takes choices of papers by name, in every family", () => {
  const maps = ["layers.0.self_attn.q_proj", "layers.0.self_attn.o_proj", "layers.0.mlp.up_proj"];
  const t5 = ["encoder.block.0.layer.0.SelfAttention.v", "encoder.block.0.layer.1.DenseReluDense.wi"];
  const all = [...maps, ...t5].map((name) => ({ name }));
  const of = (pattern: string) => matchTargetModules([pattern], all).map(({ name }) => name);
  assertEquals(of("query-value"), [maps[0], t5[0]]);
  assertEquals(of("attention"), [maps[0], maps[1], t5[0]]);
  assertEquals(of("mlp"), [maps[2], t5[1]]);
  assertEquals(of("all-linear").length, 5);
});

Deno.test("matchTargetModules() takes names as PEFT has them: the end of a name, and all-linear", () => {
  const targetModules = ["a.0.self.q", "a.0.self.k", "a.1.other.q"].map((name) => ({ name }));
  const matched = (...patterns: string[]) =>
    matchTargetModules(patterns, targetModules).map(({ name }) => name);
  assertEquals(matched("q"), ["a.0.self.q", "a.1.other.q"]);
  assertEquals(matched("self.q", "k"), ["a.0.self.q", "a.0.self.k"]);
  assertEquals(matched("all-linear"), targetModules.map(({ name }) => name));
  // Whole parts alone.
  assertThrows(() => matched("elf.q"), UserError, 'a target module like "elf.q"');
});

Deno.test("matchSites() refuses a pattern that matches nothing: a dot is no wildcard", () => {
  assertThrows(
    () => matchTargetModules(["*", "a.0.z"], [{ name: "a.0.q" }]),
    UserError,
    'a target module like "a.0.z": known are a.0.q',
  );
  assertThrows(() => matchTargetModules(["a.q"], [{ name: "axq" }]), UserError);
});

Deno.test("parseWith() refuses a field that records of any names pass over", () => {
  refused(
    { optimizer: JSON.parse('{"id": "lora", "options": {"rank": 2, "__proto__": 3}}') },
    'Cannot read x.json: field "optimizer.options.__proto__" is unknown',
  );
  refused(JSON.parse('{"__proto__": {"steps": 1}}'), 'field "__proto__" is unknown');
});

Deno.test("parseWith() refuses what is nested too deep before it walks through it", () => {
  const nested = (levels: number) => JSON.parse("[".repeat(levels) + "]".repeat(levels));
  const tooDeep = "Cannot read x.json: it is nested more than 100 levels deep";
  // Its places alone, all kept, would fill gigabytes.
  for (const levels of [102, 50_000]) refused(nested(levels), tooDeep);
  refused({ task: { id: nested(100_000) } }, tooDeep);
});

Deno.test("parseWith() says what a union would take", () => {
  const schema = z.strictObject({
    rates: z.union([z.strictObject({ shared: z.number() }), z.literal("tuned")]),
  });
  assertThrows(() => parseWith(schema, { rates: 3 }, "y"), UserError, 'Cannot read y: field "rates" is 3');
});

Deno.test("parseWith() survives values that are nothing like the schema", () => {
  const schema = z.strictObject({ a: z.array(z.strictObject({ b: z.number() })) });
  for (const value of [null, 3, "x", [], { a: {} }, { a: [null] }, { a: [{ b: 1, c: 2 }] }]) {
    assertThrows(() => parseWith(schema, value, "y"), UserError, "Cannot read y");
  }
});

Deno.test("completeConfig() drops memory options that change nothing, so that they give no new run", () => {
  const plain = completeConfig(config, fakeRegistries);
  for (
    const memory of [{}, { checkpointing: "none" }, {
      checkpointing: "none",
      frozenWeights: "f32",
      activations: "f32",
    }]
  ) {
    assertEquals(canonicalJson(completeConfig({ ...config, memory }, fakeRegistries)), canonicalJson(plain));
  }
  const { memory } = completeConfig(
    { ...config, memory: { checkpointing: "blocks", frozenWeights: "f32" } },
    fakeRegistries,
  );
  assertEquals(memory, { checkpointing: "blocks" });
  assertEquals(completeConfig({ ...config, memory: { frozenWeights: "f16" } }, fakeRegistries).memory, {
    frozenWeights: "f16",
  });
  refused(
    { memory: { frozenWeights: "f16" }, optimizer: { id: "full", options: {} } },
    'Cannot keep frozen weights as f16 with "full": it trains the weights of all adapted maps',
  );
  refused(
    { memory: { frozenWeights: "nf4" }, optimizer: { id: "full", options: {} } },
    'Cannot keep frozen weights as nf4 with "full": it trains the weights of all adapted maps',
  );
  refused(
    { memory: { frozenWeights: "fp4" } },
    'field "memory.frozenWeights" is "fp4", one of "f32", "f16", "int8", "nf4" is needed',
  );
  refused(
    { memory: { checkpointing: "layers" } },
    'field "memory.checkpointing" is "layers", one of "none", "blocks", "blocks-f16" is needed',
  );
  const kept = { activations: "f16", checkpointing: "none" };
  assertEquals(completeConfig({ ...config, memory: kept }, fakeRegistries).memory, { activations: "f16" });
  refused(
    { memory: { activations: "f16", checkpointing: "blocks" } },
    'Cannot keep activations as f16 with checkpointing "blocks": it computes them again; "blocks-f16" has the inputs of blocks in 16 bits',
  );
  refused(
    { memory: { activations: "bf16" } },
    'field "memory.activations" is "bf16", one of "f32", "f16" is needed',
  );
  refused(
    { memory: { f16: true } },
    'field "f16" of "memory" is unknown, known are frozenWeights, frozenEmbeddings, loftq, checkpointing, activations',
  );
});

Deno.test("completeConfig() takes LoftQ's start with quantized weights, of methods without a start of their own", () => {
  const lora = { ...fakeRegistries.optimizers["lora"]!, takesLoftq: true } as const;
  const registries = { ...fakeRegistries, optimizers: { ...fakeRegistries.optimizers, lora } };
  const memoryOf = (memory: unknown) => completeConfig({ ...config, memory }, registries).memory;
  for (const frozenWeights of ["int8", "nf4"]) {
    assertEquals(memoryOf({ frozenWeights, loftq: 5 }) as unknown, { frozenWeights, loftq: 5 });
    assertEquals(memoryOf({ frozenWeights, loftq: 0 }) as unknown, { frozenWeights });
  }
  for (
    const [memory, kept] of [[{ loftq: 1 }, "f32"], [{ loftq: 1, frozenWeights: "f16" }, "f16"]] as const
  ) {
    refused({ memory }, `Cannot start by LoftQ: frozen weights are kept as ${kept}, int8 or nf4 is needed`);
  }
  refused(
    { memory: { loftq: 1, frozenWeights: "nf4" } },
    `Cannot start "lora" by LoftQ: a method is needed whose weight is W + s B A, and starts as LoRA's`,
  );
  for (const loftq of [-1, 1.5, 101]) refused({ memory: { loftq, frozenWeights: "nf4" } }, "memory.loftq");
});

Deno.test("completeConfig() takes a start from what weights were pre-trained on where that is known", () => {
  const registries = { tasks: shippedTasks, models: shippedModels, optimizers: shippedOptimizers };
  const complete = (model: Record<string, unknown>, options: Record<string, unknown> = {}) =>
    completeConfig({ ...config, model, optimizer: { id: "lora-null", options } }, registries);
  assertEquals(complete({ id: "vit-tiny" }).optimizer.options["inputsOf"], "pretraining");
  // Another size has random weights.
  assertThrows(
    () => complete({ id: "vit-tiny", width: 32 }),
    UserError,
    'Cannot start "lora-null" from inputs of what model "vit-tiny" was pre-trained on: that is known of checkpoints',
  );
  complete({ id: "vit-tiny", width: 32 }, { inputsOf: "task" });
});

Deno.test("completeConfig() takes frozen embeddings of models of text, where they are not trained", () => {
  const registries = {
    tasks: shippedTasks,
    models: shippedModels,
    optimizers: shippedOptimizers,
  } as unknown as Registries;
  const on = { ...config, task: { ...config.task, id: "arithmetic" }, model: { id: "decoder-tiny" } };
  const memory = { frozenEmbeddings: "nf4" };
  assertEquals(completeConfig({ ...on, memory }, registries).memory as unknown, memory);
  assertEquals(completeConfig({ ...on, memory: { frozenEmbeddings: "f32" } }, registries).memory, undefined);
  const refuses = (changes: object, sentence: string) =>
    assertThrows(() => completeConfig({ ...on, memory, ...changes }, registries), UserError, sentence);
  refuses(
    { task: config.task, model: { id: "vit-tiny" } },
    'Cannot keep embeddings as nf4 in model "vit-tiny": it reads no text',
  );
  for (const alsoTrain of [["embeddings"], ["head"]]) {
    const table = alsoTrain[0] === "head" ? "lm_head.weight" : "model.embed_tokens.weight";
    refuses({ alsoTrain }, `Cannot keep embeddings as nf4: "${table}" is trained`);
  }
  refuses(
    { optimizer: { id: "full", options: {} } },
    'Cannot keep embeddings as nf4: "model.embed_tokens.weight"',
  );
});

/** Registries whose digits take real data with a fingerprint of a digit by path. */
function takingData(fingerprints: Readonly<Record<string, string>>): Registries {
  const { digits, ...tasks } = fakeRegistries.tasks;
  const fingerprint = (path: string) => Promise.resolve(fingerprints[path]!.repeat(64));
  return {
    ...fakeRegistries,
    tasks: { ...tasks, digits: { ...digits!, realData: { titles: ["IDX"], fingerprint } } },
  };
}

Deno.test("completeConfig() refuses data for a task that takes none, naming those that do, and a fingerprint of nothing", () => {
  const wants = (task: Record<string, unknown>, sentence: string) =>
    assertThrows(
      () => completeConfig({ ...config, task: { ...config.task, ...task } }, takingData({})),
      UserError,
      sentence,
    );
  assertThrows(
    () =>
      completeConfig(
        { ...config, task: { ...config.task, id: "arithmetic", data: "x" }, model: { id: "decoder-tiny" } },
        takingData({}),
      ),
    UserError,
    'Cannot train task "arithmetic" on x: it takes no real data, tasks that do are digits',
  );
  refused(
    { task: { ...config.task, data: "x" } },
    'Cannot train task "digits" on x: it takes no real data, no',
  );
  wants({ fingerprint: "0".repeat(64) }, 'Cannot read task "digits": it has a fingerprint, but no data');
  wants({ data: "x", fingerprint: "0" }, "64 hex digits are needed");
  wants({ data: "" }, 'field "task.data"');
  wants(
    { trainOnTest: true },
    'Cannot train task "digits" on test examples: they are of real data, --data DIR is needed',
  );
  wants({ data: "x", trainOnTest: false }, 'field "task.trainOnTest"');
});

Deno.test("completeConfig() has an option that came later only where it is not at its default, so runs keep their names", async () => {
  const before = await runId(completeConfig(config, fakeRegistries));
  const lora = { ...fakeRegistries.optimizers["lora"]!, laterOptions: ["width"] };
  const module = { ...lora, defaults: { ...lora.defaults, width: 2 } };
  const known = { ...fakeRegistries, optimizers: { ...fakeRegistries.optimizers, lora: module } };
  const complete = (options: object) =>
    completeConfig({ ...config, optimizer: { id: "lora", options: { rank: 4, ...options } } }, known);
  const plain = complete({}), other = complete({ width: 3 });
  assertEquals(plain.optimizer.options, { alpha: 16, beta1: 0.9, rank: 4 });
  assertEquals([await runId(plain), complete({ width: 2 })], [before, plain]);
  assertEquals(other.optimizer.options["width"], 3);
  assertNotEquals(await runId(other), before);
  assertEquals([allOptions(module, plain)["width"], allOptions(module, other)["width"]], [2, 3]);
});

Deno.test("withDataFingerprint() names a run by its data's content, not their path, and refuses files that changed", async () => {
  const registries = takingData({ here: "a", there: "a", other: "b" });
  const on = (data: string) => completeConfig({ ...config, task: { ...config.task, data } }, registries);
  const at = async (data: string) => await withDataFingerprint(on(data), registries.tasks);
  const here = await at("here");
  assertEquals(here.task, { ...config.task, data: "here", fingerprint: "a".repeat(64) });
  assertEquals(await runId(here), await runId(await at("there")));
  assertNotEquals(await runId(here), await runId(await at("other")));
  assertNotEquals(await runId(here), await runId({ ...here, task: { ...here.task, trainOnTest: true } }));
  // Without data a run keeps the name that it had before there were any.
  const plain = completeConfig(config, registries);
  assertEquals(await withDataFingerprint(plain, registries.tasks), plain);
  assertNotEquals(await runId(plain), await runId(here));
  assertEquals(await withDataFingerprint(here, registries.tasks), here);
  await assertRejects(
    () => withDataFingerprint(here, takingData({ here: "c" }).tasks),
    UserError,
    'Cannot train task "digits" on here: its files changed, their fingerprint is cccccccccccccccc… and was aaaaaaaaaaaaaaaa…',
  );
});
