/**
 * @file Adapters that are exported, loaded by PyTorch and PEFT's file rules alone, give the logits of the trained model. Needs
 * Debian's python3-torch.
 */
import { assert, assertEquals } from "@std/assert";
import { createGradients, Tape } from "../autodiff/mod.ts";
import { baseWeights } from "../models/base_weights.ts";
import { readModelFolder } from "../models/checkpoints/model_folder.ts";
import { encodeSafetensors } from "../models/checkpoints/write_safetensors.ts";
import type { ModelEntry } from "../models/entry.ts";
import type {
  Batch,
  DecoderBatch,
  EncoderDecoderBatch,
  HostTensor,
  Model,
  ModelFamily,
  TargetModule,
} from "../models/model.ts";
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
 * holds all methods to our own reader. Of T5, one kind of name for each form of its feed-forward part and its head.
 */
const KINDS = {
  "tiny-llama": ["lora", "rslora", "dora", "pissa", "lora-ga", "lora-pro", "adalora"],
  "tiny-t5": ["lora", "dora"],
  "tiny-t5-v1_1": ["pissa"],
};
const SIZES = { vocabulary: 96, length: 12, written: 7 };

function decoderBatch(seed: number, rows: number): DecoderBatch {
  return {
    family: "decoder",
    tokens: drawn(seed, "tokens", [rows, SIZES.length]),
    targets: drawn(seed, "targets", [rows, SIZES.length]),
  };
}

/** Inputs of which all but the first end in padding. */
function encoderDecoderBatch(seed: number, rows: number): EncoderDecoderBatch {
  const shape = [rows, SIZES.length] as const;
  const mask = Uint32Array.from({ length: rows * SIZES.length }, (_, i) => {
    const row = Math.floor(i / SIZES.length);
    return i % SIZES.length < SIZES.length - 3 * row ? 1 : 0;
  });
  return {
    family: "encoder-decoder",
    inputs: drawn(seed, "inputs", shape),
    inputMask: { data: mask, shape },
    targets: drawn(seed, "targets", [rows, SIZES.written]),
  };
}

function drawn(seed: number, label: string, shape: readonly [number, number]) {
  const random = createRandom(seed).fork(label);
  return { data: Int32Array.from(random.integers(shape[0] * shape[1], SIZES.vocabulary)), shape };
}

const BATCHES: Partial<Record<ModelFamily, (seed: number, rows: number) => Batch>> = {
  "decoder": decoderBatch,
  "encoder-decoder": encoderDecoderBatch,
};

/** Random texts for a model. */
function textsFor({ family }: Pick<ModelEntry, "family">): Task {
  const batchOf = BATCHES[family]!;
  return {
    id: "texts",
    title: "Random texts",
    family: "math",
    metric: { name: "none", chance: 0 },
    source: "generated",
    load: () =>
      Promise.resolve({
        needs: { family, outputs: SIZES.vocabulary, inputSize: SIZES.length },
        trainBatch: batchOf,
        validationBatches: () => [batchOf(0, 2)],
        score: () => Promise.resolve(new Float32Array(1)),
      }),
  };
}

/** A short run: the logits of the trained model, by the method's own forward pass, and its adapters by form. */
async function trainedBy(module: OptimizerModule, base: string, folder: string) {
  const gpu = await testGpu(), read = await readModelFolder(base, "tiny"), texts = textsFor(read);
  const registries = {
    tasks: { texts },
    models: { read: { ...read, folder: undefined } as unknown as typeof read },
    optimizers: shipped.optimizers,
  };
  const config = completeConfig(
    shortRun(module, {
      ...{ steps: 10, batchSize: 4, validateEvery: 10, telemetryEvery: 0, targetModules: ["*"] },
      task: { id: "texts", trainExamples: 8, validationExamples: 2, testExamples: 1 },
      model: { id: "tiny" },
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
      logits = await gpu.download(model!.logits(forward, BATCHES[read.family]!(99, 2)).value);
    },
  });
  const id = await runId(config), path = `${folder}/${module.id}.safetensors`;
  await Deno.writeFile(path, encodeTrained({ id, config }, trained!));
  const weights = await readTrained(path, { id, config }, read);
  const facts = {
    ...{ config, family: read.family, base, revision: null, biases: [], shared: [] },
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
  return { logits, folders, family: read.family };
}

/** What PyTorch is asked: a base, its adapters, and the batch as it takes it. */
interface Asked {
  readonly base: string;
  readonly adapters: readonly string[];
  readonly batch: Readonly<Record<string, number[][]>>;
}

function asked(base: string, family: ModelFamily, adapters: readonly string[]): Asked {
  const batch = BATCHES[family]!(99, 2) as DecoderBatch | EncoderDecoderBatch;
  if (batch.family === "decoder") return { base, adapters, batch: { tokens: rowsOf(batch.tokens) } };
  const { inputs, inputMask, targets } = batch;
  // Behind the start token, 0.
  const read = rowsOf(targets).map((row) => [0, ...row.slice(0, -1)]);
  return { base, adapters, batch: { inputs: rowsOf(inputs), mask: rowsOf(inputMask), read } };
}

function rowsOf({ data, shape: [rows, length] }: HostTensor<"i32" | "u32">): number[][] {
  return Array.from({ length: rows! }, (_, row) => [...data.subarray(row * length!, (row + 1) * length!)]);
}

/** Logits by adapter, in float64. */
async function inTorch(asked: readonly Asked[]): Promise<number[][]> {
  const script = new URL("./reference/peft_in_torch.py", import.meta.url).pathname;
  const child = new Deno.Command("sh", {
    args: ["-c", 'exec /usr/bin/python3 "$@"', "sh", script],
    ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(asked)));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return (JSON.parse(new TextDecoder().decode(stdout)) as number[][][][]).map((one) => one.flat(2));
}

test("adapters of every kind, of a Llama and of T5s, loaded by PyTorch by PEFT's file rules, give the trained logits", async () => {
  await inFolder(async (folder) => {
    const all: { name: string; wanted: Float32Array }[] = [], questions: Asked[] = [];
    for (const [model, kinds] of Object.entries(KINDS)) {
      const base = fixture(`hf/${model}`), lowRank = methods.filter(({ id }) => kinds.includes(id));
      assertEquals(lowRank.length, kinds.length);
      const found: string[] = [], logitsOf: Float32Array[] = [];
      let family: ModelFamily = "decoder";
      await Deno.mkdir(`${folder}/${model}`);
      for (const module of lowRank) {
        const trained = await trainedBy(module, base, `${folder}/${model}`);
        assert(trained.folders.length >= 1, module.id);
        ({ family } = trained);
        logitsOf.push(trained.logits);
        found.push(...trained.folders);
        for (const name of trained.folders) all.push({ name, wanted: trained.logits });
      }
      questions.push(asked(base, family, found));
      // Training moved them, each its own way.
      const spread = logitsOf.map((logits) => logits.reduce((sum, value) => sum + Math.abs(value), 0));
      assertEquals(new Set(spread.map((value) => value.toFixed(3))).size, kinds.length, String(spread));
    }
    const found = await inTorch(questions);
    assertEquals(found.length, all.length);
    all.forEach(({ name, wanted }, i) => {
      assertClose(found[i]!, wanted, { relative: 0, absolute: 1e-4 }, name);
    });
  });
});
