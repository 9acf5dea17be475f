/**
 * @file Adapters that are exported, loaded by PyTorch and PEFT's file rules alone, give the logits of the trained model. Needs
 * Debian's python3-torch.
 */
import { assert, assertEquals } from "@std/assert";
import { createGradients, Tape } from "../autodiff/mod.ts";
import { baseWeights } from "../models/base_weights.ts";
import { readModelFolder } from "../models/checkpoints/model_folder.ts";
import { encodeSafetensors } from "../models/checkpoints/write_safetensors.ts";
import type { DecoderBatch, Model, TargetModule } from "../models/model.ts";
import { createRandom } from "../numerics/random.ts";
import type { Optimizer, OptimizerModule } from "../optimizers/optimizer.ts";
import type { Task } from "../tasks/task.ts";
import { completeConfig } from "../training/configuration.ts";
import { toPeft } from "../training/export/peft_adapter.ts";
import { readTrained } from "../training/export/trained_run.ts";
import { adaptedForward } from "../training/loop/forward.ts";
import { runSession } from "../training/loop/session.ts";
import type { Trained } from "../training/loop/trained.ts";
import { encodeTrained } from "../training/loop/trained_file.ts";
import { runId } from "../training/run.ts";
import { shipped } from "../training/shipped.ts";
import { assertClose } from "./support/assert_close.ts";
import { inFolder } from "./support/in_folder.ts";
import { methods, shortRun } from "./support/interrupted_runs.ts";
import { fixture } from "./support/public_files.ts";
import { lackOf, PROGRAMS, READING, testNeeding } from "./support/test_needing.ts";
import { testGpu } from "./support/test_gpu.ts";

const TORCH = "/usr/lib/python3/dist-packages/torch/__init__.py";
const hasTorch = lackOf(READING) === null && await Deno.stat(TORCH).then(() => true, () => false);
const test = testNeeding(PROGRAMS, hasTorch ? null : "Debian's python3-torch");

/**
 * Methods of which each is exported by another rule: plain, with a stabilized scale, with lengths of rows, with a start that was
 * taken out of the weight (by SVD, by gradients), with pairs that the method moves itself, in triplets. training/loop/trained_test.ts
 * holds all methods to our own reader.
 */
const KINDS = ["lora", "rslora", "dora", "pissa", "lora-ga", "lora-pro", "adalora"];

const BASE = fixture("hf/tiny-llama");
const SIZES = { vocabulary: 96, length: 12 };

function batchOf(seed: number, rows: number): DecoderBatch {
  const { vocabulary, length } = SIZES, random = createRandom(seed), shape = [rows, length];
  const draw = (label: string) => Int32Array.from(random.fork(label).integers(rows * length, vocabulary));
  return {
    family: "decoder",
    tokens: { data: draw("tokens"), shape },
    targets: { data: draw("targets"), shape },
  };
}

/** Random texts for a decoder. */
const texts: Task = {
  id: "texts",
  title: "Random texts",
  family: "math",
  metric: { name: "none", chance: 0 },
  source: "generated",
  load: () =>
    Promise.resolve({
      needs: { family: "decoder", outputs: SIZES.vocabulary, inputSize: SIZES.length },
      trainBatch: batchOf,
      validationBatches: () => [batchOf(0, 2)],
      score: () => Promise.resolve(new Float32Array(1)),
    }),
};

/** A short run: the logits of the trained model, by the method's own forward pass, and its adapters by form. */
async function trainedBy(module: OptimizerModule, folder: string) {
  const gpu = await testGpu(), read = await readModelFolder(BASE, "tiny-llama");
  const registries = {
    tasks: { texts },
    models: { read: { ...read, folder: undefined } as unknown as typeof read },
    optimizers: shipped.optimizers,
  };
  const config = completeConfig(
    shortRun(module, {
      ...{ steps: 10, batchSize: 4, validateEvery: 10, telemetryEvery: 0, targetModules: ["*"] },
      task: { id: "texts", trainExamples: 8, validationExamples: 2, testExamples: 1 },
      model: { id: "tiny-llama" },
      schedule: { kind: "constant", learningRate: 2e-2, warmup: 0, floor: 1 },
      optimizer: { id: module.id, options: { rank: 3 } },
    }),
    registries,
  );
  let model: Model | null = null, optimizer: Optimizer | null = null, trained: Trained | null = null;
  let targetModules: readonly TargetModule[] = [], logits = new Float32Array();
  const entry = {
    ...read,
    create: (...given: Parameters<typeof read.create>) => model = read.create(...given),
  };
  const watched: OptimizerModule = {
    ...module,
    async attach(setup, options) {
      ({ targetModules } = setup);
      return optimizer = await module.attach(setup, options);
    },
  };
  await runSession(gpu, config, { task: texts, entry, module: watched, source: await baseWeights(read) }, {
    async onTrained(found) {
      using _ = gpu.scope("trained");
      trained = found;
      const tape = new Tape(gpu, createGradients(gpu, []));
      const forward = adaptedForward(tape, optimizer!, new Set(targetModules));
      logits = await gpu.download(model!.logits(forward, batchOf(99, 2)).value);
    },
  });
  const id = await runId(config), path = `${folder}/${module.id}.safetensors`;
  await Deno.writeFile(path, encodeTrained({ id, config }, trained!));
  const weights = await readTrained(path, { id, config }, read);
  const facts = {
    ...{ config, family: "decoder", base: BASE, revision: null, biases: [], shared: [] } as const,
    modules: read.parameters.filter(({ shape }) => shape.length === 2)
      .map(({ name }) => name.replace(/\.weight$/, "")),
  };
  const folders: string[] = [];
  for (const form of ["native", "portable"] as const) {
    const adapter = toPeft(weights, form, facts);
    if (typeof adapter === "string") continue;
    const to = `${folder}/${module.id}-${form}`;
    await Deno.mkdir(to);
    await Deno.writeTextFile(`${to}/adapter_config.json`, JSON.stringify(adapter.config));
    await Deno.writeFile(`${to}/adapter_model.safetensors`, encodeSafetensors(adapter.tensors));
    folders.push(to);
  }
  return { logits, folders };
}

/** Logits by adapter, in float64. */
async function inTorch(folders: readonly string[]): Promise<number[][]> {
  const script = new URL("./reference/peft_in_torch.py", import.meta.url).pathname;
  const child = new Deno.Command("sh", {
    args: ["-c", 'exec /usr/bin/python3 "$@"', "sh", script, BASE, ...folders],
    ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
  }).spawn();
  const { tokens: { data, shape: [rows, length] } } = batchOf(99, 2);
  const writer = child.stdin.getWriter();
  const asked = Array.from(
    { length: rows! },
    (_, row) => [...data.subarray(row * length!, (row + 1) * length!)],
  );
  await writer.write(new TextEncoder().encode(JSON.stringify(asked)));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return (JSON.parse(new TextDecoder().decode(stdout)) as number[][][][]).map((one) => one.flat(2));
}

test("adapters of every kind, loaded by PyTorch by PEFT's file rules, give the trained logits", async () => {
  await inFolder(async (folder) => {
    const lowRank = methods.filter(({ id }) => KINDS.includes(id));
    assertEquals(lowRank.length, KINDS.length);
    const all: { name: string; wanted: Float32Array }[] = [];
    for (const module of lowRank) {
      const { logits, folders } = await trainedBy(module, folder);
      assert(folders.length >= 1, module.id);
      for (const name of folders) all.push({ name, wanted: logits });
    }
    const found = await inTorch(all.map(({ name }) => name));
    all.forEach(({ name, wanted }, i) => {
      assertClose(found[i]!, wanted, { relative: 0, absolute: 1e-4 }, name);
    });
    // Training moved them, each its own way.
    const spread = all.map(({ wanted }) => wanted.reduce((sum, value) => sum + Math.abs(value), 0));
    assert(new Set(spread.map((value) => value.toFixed(3))).size >= lowRank.length - 1, String(spread));
  });
});
