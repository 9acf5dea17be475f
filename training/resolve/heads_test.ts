import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { createGradients, Tape } from "../../autodiff/mod.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import { baseWeights } from "../../models/base_weights.ts";
import { createClipText } from "../../models/clip_text.ts";
import type { ModelEntry } from "../../models/entry.ts";
import type { Model, VisionBatch } from "../../models/model.ts";
import { readModelFolder } from "../../models/checkpoints/model_folder.ts";
import { zeroShotClassifier, zeroShotHead } from "../../models/zero_shot.ts";
import * as models from "../../models/mod.ts";
import * as optimizers from "../../optimizers/mod.ts";
import type { OptimizerModule } from "../../optimizers/optimizer.ts";
import { digits } from "../../tasks/images/digits.ts";
import * as tasks from "../../tasks/mod.ts";
import {
  clipTokenizerFiles,
  clipTokens,
  imageFiles,
  TINY_CLIP,
  writeClip,
} from "../../tests/support/clip_folder.ts";
import { optdigitsFile, withDataFolder } from "../../tests/support/data_folder.ts";
import { CLIP, LLAMA, writeModel } from "../../tests/support/model_writer.ts";
import { fixture } from "../../tests/support/public_files.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { completeConfig, type KnownModel, resolveModel } from "../configuration.ts";
import { loadExamples } from "./examples.ts";
import { plainForward } from "../loop/forward.ts";
import { shapedByHead, withHeadChoice } from "./heads.ts";
import { predictMemory } from "../cost/memory.ts";
import { withModelFolders } from "./chosen_models.ts";
import { createPredictor } from "../scoring/predict.ts";
import type { RunConfig } from "../run.ts";
import { RunResult } from "../schemas.ts";
import { scoreBase } from "../scoring/score_base.ts";
import { runSession } from "../loop/session.ts";
import { train } from "../train.ts";
import { UserError } from "../../errors/user_error.ts";

const test = testNeeding(FILES);

const CLASSES = ["fox", "o_x", "yak"];

const base: RunConfig = {
  schema: 1,
  task: { id: "digits", trainExamples: 20, validationExamples: 3, testExamples: 3 },
  model: { id: "mine" },
  targetModules: ["*"],
  optimizer: { id: "lora", options: { rank: 2 } },
  steps: 3,
  batchSize: 4,
  accumulate: 1,
  schedule: { kind: "constant", learningRate: 1e-2, warmup: 0, floor: 1 },
  clip: 1,
  validateEvery: 3,
  telemetryEvery: 0,
  scoreOn: "test",
  seed: 0,
};

/** A config of the images in `folder/images` for the model in `folder/clip`. */
const configIn = (folder: string, changes: Partial<RunConfig> = {}): RunConfig => ({
  ...base,
  task: { ...base.task, data: `${folder}/images` },
  model: { id: "mine", path: `${folder}/clip` },
  ...changes,
});

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  await withDataFolder(imageFiles("images", CLASSES, 12), async (folder) => {
    await writeClip(`${folder}/clip`);
    await body(folder);
  });
}

/** Hugging Face's tiny CLIP instead of ours, with our tokenizer. */
async function takeHuggingFaceClip(folder: string): Promise<void> {
  for (const name of ["config.json", "model.safetensors"]) {
    await Deno.copyFile(fixture(`hf/tiny-clip/${name}`), `${folder}/clip/${name}`);
  }
}

/** The head that the classes' texts make, straight from the model's parts. */
async function headOf(gpu: Gpu, { text }: ModelEntry, source: Awaited<ReturnType<typeof baseWeights>>) {
  using _ = gpu.scope("texts");
  const texts = CLASSES.map((name) => [clipTokens(`a photo of a ${name.replace("_", " ")}.`)]);
  const tower = createClipText(gpu, text!, source);
  return await zeroShotHead(gpu, tower, plainForward, texts, source("logit_scale", [])[0]!);
}

/** A run's session by its parts, with a look at the trained model. */
async function runOf(
  gpu: Gpu,
  config: RunConfig,
  entry: ModelEntry,
  onTrained: (model: Model) => Promise<void>,
) {
  const module = optimizers[config.optimizer.id as "lora" | "full"] as unknown as OptimizerModule;
  const options = { ...module.defaults, ...config.optimizer.options };
  const source = await baseWeights(entry);
  const whole = { ...config, optimizer: { id: module.id, options } };
  return await runSession(gpu, whole, { task: digits, entry, module, source, onTrained }, {});
}

/** Names of a model's parameters that are no longer those of `source`. */
async function moved(gpu: Gpu, { parameters }: Model, source: Awaited<ReturnType<typeof baseWeights>>) {
  const data = await gpu.downloadAll(parameters.map(({ value }) => value));
  return parameters.flatMap(({ name, value: { shape } }, i) => {
    const before = source(name, shape);
    return data[i]!.some((value, k) => value !== before[k]) ? [name] : [];
  });
}

async function checkZeroShot(folder: string): Promise<void> {
  const gpu = await testGpu(), before = gpu.memory.liveBytes;
  const entry = await readModelFolder(`${folder}/clip`, "mine"), source = await baseWeights(entry);
  const head = await headOf(gpu, entry, source), shape = [CLASSES.length, entry.outputs];
  const config = configIn(folder, { model: { ...configIn(folder).model, head: "zero-shot" } });
  const data = await digits.load({ seed: 0, ...config.task }, entry);

  // Before training: the scores of the head straight from the model's parts.
  const { task, model, scoreOn } = config;
  const found = await scoreBase(gpu, { schema: 1, task, model, scoreOn });
  assert(found.status === "done");
  {
    using _ = gpu.scope("direct");
    const tower = entry.create(gpu, source) as Model<VisionBatch>;
    const direct = zeroShotClassifier(gpu, tower, gpu.upload(head, "f32", shape, "head")) as Model;
    const predictor = createPredictor(gpu, direct, plainForward, entry.inputSize);
    assertEquals(found.scores, [...await data.score(predictor, "test")]);
  }

  // Training moves the tower and leaves the head: with the trained tower's weights the logits are those of the first head.
  for (const [id, movesAll] of [["full", true], ["lora", false]] as const) {
    const trained: string[] = [];
    await runOf(gpu, { ...config, optimizer: { id, options: {} } }, entry, async (model) => {
      using _ = gpu.scope("check");
      assertEquals(model.head, []);
      assertEquals(model.parameters.map(({ name }) => name), entry.parameters.map(({ name }) => name));
      trained.push(...await moved(gpu, model, source));
      const data = await gpu.downloadAll(model.parameters.map(({ value }) => value));
      const weights = new Map(model.parameters.map(({ name }, i) => [name, data[i]!]));
      const tower = entry.create(gpu, (name) => weights.get(name)!) as Model<VisionBatch>;
      const wanted = zeroShotClassifier(gpu, tower, gpu.upload(head, "f32", shape, "head")) as Model;
      const batch = (await digits.load({ seed: 0, ...config.task }, entry)).trainBatch(1, 5);
      const logits = [model, wanted].map((one) =>
        one.logits(plainForward(new Tape(gpu, createGradients(gpu, []))), batch).value
      );
      assertEquals(logits[0]!.shape, [5, CLASSES.length]);
      const [own, other] = await gpu.downloadAll(logits);
      assertEquals(own, other);
    });
    assertEquals(trained.includes("visual_projection.weight"), movesAll);
    assertEquals(trained.length > 0, movesAll);
  }
  assertEquals(gpu.memory.liveBytes, before);
}

test("A zero-shot head scores as it does straight from the model's parts, and training moves the tower alone", async () => {
  await inFolder(checkZeroShot);
});

test("A zero-shot head is made of Hugging Face's own towers too (tiny-clip)", async () => {
  await inFolder(async (folder) => {
    await takeHuggingFaceClip(folder);
    await checkZeroShot(folder);
  });
});

test("train() notes the head that it chose, and another head is another run of another loss", async () => {
  const gpu = await testGpu();
  await inFolder(async (folder) => {
    const config = configIn(folder), before = gpu.memory.liveBytes;
    const chosen = await train(gpu, config);
    const named = await train(gpu, { ...config, model: { ...config.model, head: "zero-shot" } });
    const other = await train(gpu, { ...config, model: { ...config.model, head: "new" } });
    assertEquals(gpu.memory.liveBytes, before);
    assert(chosen.status === "done" && named.status === "done" && other.status === "done");
    assertEquals([chosen, named, other].map(({ config }) => config.model.head), [
      "zero-shot",
      "zero-shot",
      "new",
    ]);
    assertEquals([named.id, named.outcome.trainLoss], [chosen.id, chosen.outcome.trainLoss]);
    assertNotEquals(other.id, chosen.id);
    assertNotEquals(other.outcome.trainLoss, chosen.outcome.trainLoss);
    // LoRA's factors alone, and the new head's 3 rows of the tower's width beside them.
    const { trainableParameters } = chosen.outcome.cost;
    assertEquals(other.outcome.cost.trainableParameters, trainableParameters + 3 * 12);
    // Their memory is foretold with the heads that they got.
    for (const { config, outcome } of [chosen, other]) {
      const known = await withModelFolders([config], { ...models });
      const entry = resolveModel<KnownModel>(config.model, known);
      const shaped = await shapedByHead(config.model, entry, await loadExamples(digits, entry, config));
      const predicted = predictMemory(config, shaped, optimizers.lora as unknown as OptimizerModule);
      const { weights, gradients, state } = outcome.cost.peakBytesByCategory;
      const { weights: ours, gradients: theirs, state: kept } = predicted.peakBytesByCategory;
      assertEquals([weights, gradients, state], [ours, theirs, kept], config.model.head);
      assertAlmostEquals(outcome.cost.peakBytes! / predicted.peakBytes, 1, 0.02, config.model.head);
    }
    assertEquals<unknown>(RunResult.parse(JSON.parse(JSON.stringify(chosen))), chosen);
    assertEquals((await train(gpu, chosen.config)).id, chosen.id);
  });
});

test("A new head takes the projection's place, begins the same for all, and is trained where the tower is frozen", async () => {
  const gpu = await testGpu();
  await inFolder(async (folder) => {
    const entry = await readModelFolder(`${folder}/clip`, "mine"), source = await baseWeights(entry);
    const config = configIn(folder, { model: { ...configIn(folder).model, head: "new" } });
    const { withNewHead } = entry, first = withNewHead!(3);
    const initial = async () => {
      using _ = gpu.scope("initial");
      const { head, parameters } = first.create(gpu, source);
      assertEquals(parameters.map(({ name, value }) => ({ name, shape: value.shape })), [
        ...first.parameters,
      ]);
      assertEquals(head.map(({ name, value }) => [name, value.shape]), [["visual_projection.weight", [
        3,
        12,
      ]]]);
      return await gpu.download(head[0]!.value);
    };
    const rows = await initial();
    assertEquals(await initial(), rows);
    let trained: string[] = [];
    await runOf(gpu, config, entry, async (model) => {
      trained = await moved(
        gpu,
        model,
        (name, shape) => name === "visual_projection.weight" ? rows : source(name, shape),
      );
    });
    assertEquals(trained, ["visual_projection.weight"]);
  });
});

test("withHeadChoice() takes a zero-shot head where folder and data have what it takes, else a new one", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/nameless`);
    await Deno.writeTextFile(`${folder}/nameless/optdigits.tra`, optdigitsFile(30));
    await writeModel(`${folder}/tower`, CLIP, models.vitTiny);
    const choose = async (config: RunConfig) => {
      const registries = { tasks, models: await withModelFolders([config], models), optimizers };
      return (await withHeadChoice(completeConfig(config, registries), registries)).model.head;
    };
    const own = configIn(folder);
    const [tower, nameless] = [
      { ...own, model: { id: "mine", path: `${folder}/tower` } },
      { ...own, task: { ...own.task, data: `${folder}/nameless` } },
    ];
    assertEquals(await choose(own), "zero-shot");
    assertEquals([await choose(tower), await choose(nameless)], ["new", "new"]);
    // Neither the project's models nor generated images ask for a head.
    assertEquals(await choose({ ...own, model: { id: "vit-tiny" } }), undefined);
    assertEquals(await choose({ ...tower, task: base.task }), undefined);

    const refused = async (config: RunConfig, reason: string, head: "new" | "zero-shot" = "zero-shot") => {
      const named = { ...config, model: { ...config.model, head } };
      const error = await assertRejects(() => choose(named), UserError);
      assertEquals(error.message, `Cannot use head "${head}" with model "${config.model.id}": ${reason}`);
    };
    await refused(tower, `${folder}/tower is no whole CLIP, its text tower and logit_scale are needed`);
    await refused(nameless, `the classes of ${folder}/nameless have no names`);
    for (const head of ["new", "zero-shot"] as const) {
      await refused(
        { ...own, model: { id: "vit-tiny" } },
        "a model in a folder is needed, --model DIR",
        head,
      );
      await refused({ ...own, task: base.task }, "real images are needed, --data DIR", head);
      await writeModel(`${folder}/llama`, LLAMA, models.decoderTiny);
      const text = {
        ...own,
        task: { ...base.task, id: "arithmetic" },
        model: { id: "mine", path: `${folder}/llama` },
      };
      await refused(text, "it is a decoder model, vision is needed", head);
    }

    await Deno.writeTextFile(`${folder}/clip/tokenizer_config.json`, JSON.stringify({ eos_token: "<pad>" }));
    await refused(own, "texts end with token 0 by its tokenizer, and with 29 by its config");
    await Deno.writeTextFile(
      `${folder}/clip/tokenizer_config.json`,
      clipTokenizerFiles()["tokenizer_config.json"]!,
    );
    await Deno.rename(`${folder}/images/fox`, `${folder}/images/fox_that_hunts_far_away`);
    await refused(
      own,
      '"a photo of a fox that hunts far away." has 38 tokens, 32 at most are needed',
    );
    await Deno.remove(`${folder}/clip/tokenizer.json`);
    assertEquals(await choose(own), "new");
    await refused(own, `${folder}/clip has no tokenizer.json`);
  });
});

test("A CLIP folder whose text tower was not stored is an image tower, and one that is torn is refused", async () => {
  await inFolder(async (folder) => {
    const entry = await readModelFolder(`${folder}/clip`, "mine");
    assertEquals([entry.text!.vocabulary, entry.image!.channels], [30, 3]);
    const source = await baseWeights(entry);
    await writeModel(`${folder}/alone`, TINY_CLIP, entry, { source });
    assertEquals((await readModelFolder(`${folder}/alone`, "mine")).text, undefined);
    await writeModel(`${folder}/torn`, TINY_CLIP, entry, {
      source,
      change: (tensors) => tensors.set("logit_scale", { shape: [], data: Float32Array.of(1) }),
    });
    await assertRejects(
      () => readModelFolder(`${folder}/torn`, "mine"),
      Error,
      'tensor "text_model.embeddings.token_embedding.weight"',
    );
  });
});
