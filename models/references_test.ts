import { assert, assertEquals } from "@std/assert";
import { createGradients, Tape } from "../autodiff/mod.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { differentiate } from "../training/differentiate.ts";
import { plainForward } from "../training/forward.ts";
import { createPredictor } from "../training/predict.ts";
import { assertClose } from "../tests/assert_close.ts";
import { sharedData } from "../tests/shared_data.ts";
import { testGpu } from "../tests/test_gpu.ts";
import { readSafetensors } from "./checkpoint.ts";
import { checkpointWeights, readCheckpointFolder } from "./checkpoint_folder.ts";
import { createDecoder } from "./decoder.ts";
import { bucketOf, createEncoderDecoder } from "./encoder_decoder.ts";
import { clipVisionConfig, llamaConfig, t5Config } from "./hugging_face.ts";
import type { Batch, DecoderBatch, EncoderDecoderBatch, Model, VisionBatch } from "./model.ts";
import { createVision } from "./vision.ts";
import type { WeightSource } from "./weights.ts";

interface GradientReference {
  readonly norm: number;
  readonly wsum?: number;
  readonly first4?: readonly number[];
  readonly first?: readonly number[];
}

async function readJson(path: string) {
  return JSON.parse(await Deno.readTextFile(path));
}

async function weightsOf(folder: string): Promise<WeightSource> {
  return checkpointWeights(await readCheckpointFolder(folder));
}

/** Full-precision arrays of a reference: the checkpoint reader rounds F64 to f32, which costs 6e-8. */
async function arrayOf(folder: string, name: string): Promise<Float32Array> {
  return (await readSafetensors(`${folder}/reference_arrays.safetensors`)).tensors.get(name)!.data;
}

/** Logits of a forward pass without gradients. */
async function logitsOf<B extends Batch>(
  gpu: Gpu,
  model: Model<B>,
  batch: B,
): Promise<Float32Array> {
  using _ = gpu.scope("logits");
  const tape = new Tape(gpu, createGradients(gpu, []));
  return await gpu.download(model.logits(plainForward(tape), batch).value);
}

function assertGradients(
  found: ReadonlyMap<string, Float32Array>,
  wanted: Readonly<Record<string, GradientReference>>,
  relative: number,
) {
  assertEquals([...found.keys()].sort(), Object.keys(wanted).sort());
  for (const [name, reference] of Object.entries(wanted)) {
    const gradient = found.get(name)!;
    const norm = Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0));
    // A key's bias has exactly zero gradient: what remains is rounding.
    if (reference.norm < 1e-12) {
      assert(norm < 1e-5, `${name}: norm ${norm}, wanted 0`);
      continue;
    }
    assertClose([norm], [reference.norm], { relative }, `${name} norm`);
    if (reference.wsum !== undefined) {
      // The weights are 1 to 7: rounding errors of a size add up to less than 7 times their norm's root.
      const sum = gradient.reduce((total, value, i) => total + value * (i % 7 + 1), 0);
      const scale = 7 * reference.norm * Math.sqrt(gradient.length);
      assertClose(
        [sum / scale],
        [reference.wsum / scale],
        { relative: 0, absolute: relative },
        `${name} wsum`,
      );
    }
    const first = reference.first4 ?? reference.first!;
    const scale = Math.max(reference.norm / Math.sqrt(gradient.length), ...first.map(Math.abs));
    assertClose([...gradient.slice(0, first.length)].map((v) => v / scale), first.map((v) => v / scale), {
      relative: 0,
      absolute: 20 * relative,
    }, `${name} first entries`);
  }
}

async function gradientsOf(
  gpu: Gpu,
  model: Model,
  batch: Batch,
): Promise<{ loss: number; gradients: Map<string, Float32Array> }> {
  using _ = gpu.scope("gradients");
  const store = createGradients(gpu, model.parameters);
  const seed = gpu.upload(Float32Array.of(1), "f32", [1], "loss gradient");
  const loss = differentiate(gpu, model, batch, store, { parts: 1, seed, forward: plainForward });
  const [value, ...arrays] = await gpu.downloadAll([
    loss,
    ...model.parameters.map((parameter) => store.of(parameter)),
  ]);
  return { loss: value![0]!, gradients: new Map(model.parameters.map(({ name }, i) => [name, arrays[i]!])) };
}

function rows(data: readonly (readonly number[])[]): DecoderBatch["tokens"] {
  return { data: Int32Array.from(data.flat()), shape: [data.length, data[0]!.length] };
}

Deno.test("createDecoder() gives a trained Llama's text, logits, loss and gradients (stories260K)", async () => {
  const folder = sharedData("stories260K");
  if (folder === null) return;
  const reference = await readJson(`${folder}/reference.json`);
  const pieces: [string, number][] = await readJson(`${folder}/pieces.json`);
  const gpu = await testGpu();
  using _ = gpu.scope("stories260K");
  const config = llamaConfig(await readJson(`${folder}/config.json`), "stories260K");
  const model = createDecoder(gpu, config, await weightsOf(folder)) as Model;

  const greedy: number[] = reference.greedy;
  const predictor = createPredictor(gpu, model, new Map(), config.length);
  const [continued] = await predictor.generate([Int32Array.of(greedy[0]!)], {
    maxTokens: greedy.length - 1,
    stop: 2,
  });
  assertEquals([...continued!], greedy.slice(1));
  const text = [...continued!].map((token) => pieces[token]![0].replaceAll("▁", " ")).join("");
  assertEquals(text, reference.text);

  const tokens = greedy.slice(0, 32), targets = greedy.slice(1, 33);
  const batch: DecoderBatch = { family: "decoder", tokens: rows([tokens]), targets: rows([targets]) };
  const { loss, gradients } = await gradientsOf(gpu, model, batch);
  assertClose([loss], [reference.loss], { relative: 1e-4 });
  assertGradients(gradients, reference.gradients, 1e-4);
  const all: DecoderBatch = {
    family: "decoder",
    tokens: rows([greedy.slice(0, 32)]),
    targets: rows([greedy.slice(0, 32)]),
  };
  const logits = await logitsOf(gpu, model as Model<DecoderBatch>, all);
  assertClose(logits.slice(-config.vocabulary), reference.lastLogits, { relative: 1e-5 });
});

for (const [name, tolerance] of [["tiny-llama", 1e-5], ["tiny-llama3", 2e-5]] as const) {
  Deno.test(`createDecoder() gives Hugging Face's logits, loss and gradients (${name})`, async () => {
    const folder = sharedData(`hf/${name}`);
    if (folder === null) return;
    const reference = await readJson(`${folder}/reference.json`);
    const gpu = await testGpu();
    using _ = gpu.scope(name);
    const config = llamaConfig(await readJson(`${folder}/config.json`), name);
    const model = createDecoder(gpu, config, await weightsOf(folder)) as Model;
    const { input_ids: ids, labels, attention_mask: mask } = reference.inputs;
    // Hugging Face compares the logits at t with the label at t + 1.
    const targets = labels.map((row: number[]) => [...row.slice(1), -100]);
    const batch: DecoderBatch = { family: "decoder", tokens: rows(ids), targets: rows(targets) };
    const logits = await logitsOf(gpu, model as Model<DecoderBatch>, batch);
    const seen = mask.flat().flatMap((value: number, row: number) =>
      value === 1 ? [...logits.subarray(row * config.vocabulary, (row + 1) * config.vocabulary)] : []
    );
    const wanted = await arrayOf(folder, "logits");
    assertClose(seen, wanted, { relative: 0, absolute: tolerance });
    const { loss, gradients } = await gradientsOf(gpu, model, batch);
    assertClose([loss], [reference.loss], { relative: tolerance });
    assertGradients(gradients, reference.grads, 5 * tolerance);
    const { prompt, max_new_tokens: maxTokens, sequences } = reference.greedy_generation;
    const predictor = createPredictor(gpu, model, new Map(), config.length);
    const [text] = await predictor.generate([Int32Array.from(prompt)], { maxTokens, stop: 2 });
    assertEquals(
      [...prompt, ...text!],
      sequences[0].filter((token: number, i: number) => i < prompt.length || token !== 2),
    );
  });
}

for (const name of ["tiny-t5", "tiny-t5-v1_1"]) {
  Deno.test(`createEncoderDecoder() gives Hugging Face's logits, loss, gradients and text (${name})`, async () => {
    const folder = sharedData(`hf/${name}`);
    if (folder === null) return;
    const reference = await readJson(`${folder}/reference.json`);
    const gpu = await testGpu();
    using _ = gpu.scope(name);
    const config = t5Config(await readJson(`${folder}/config.json`), name);
    const model = createEncoderDecoder(gpu, config, await weightsOf(folder));
    const { input_ids: ids, attention_mask: mask, labels } = reference.inputs;
    const batch: EncoderDecoderBatch = {
      family: "encoder-decoder",
      inputs: rows(ids),
      inputMask: { data: Uint32Array.from(mask.flat()), shape: [mask.length, mask[0].length] },
      targets: rows(labels),
    };
    const logits = await logitsOf(gpu, model, batch);
    assertClose(logits, await arrayOf(folder, "logits"), { relative: 0, absolute: 1e-5 });
    const { loss, gradients } = await gradientsOf(gpu, model as Model, batch);
    assertClose([loss], [reference.loss], { relative: 1e-5 });
    assertGradients(gradients, reference.grads, 5e-5);

    const { sequences, max_new_tokens: maxTokens } = reference.greedy_generation, stop = 1;
    const predictor = createPredictor(gpu, model as Model, new Map(), config.inputLength);
    const prompts = ids.map((row: number[], i: number) =>
      Int32Array.from(row.filter((_, t) => mask[i][t] === 1))
    );
    const texts = await predictor.generate(prompts, { maxTokens, stop });
    for (const [i, text] of texts.entries()) {
      // Hugging Face pads with 0 behind the stop token.
      const ended = text.length < maxTokens ? [...text, stop] : [...text];
      const padding = new Array<number>(maxTokens - ended.length).fill(0);
      assertEquals([config.startToken, ...ended, ...padding], sequences[i]);
    }
  });

  Deno.test(`bucketOf() groups positions as Hugging Face does (${name})`, async () => {
    const folder = sharedData(`hf/${name}`);
    if (folder === null) return;
    const { relative_position_buckets: wanted } = await readJson(`${folder}/reference.json`);
    const { relative_position: relative, note: _, ...buckets } = wanted;
    for (const [kind, expected] of Object.entries(buckets)) {
      const parts = /^(bidirectional|causal|unidirectional)_(\d+)_(\d+)$/.exec(kind);
      assert(parts, kind);
      const options = {
        bidirectional: parts[1] === "bidirectional",
        buckets: Number(parts[2]),
        maxDistance: Number(parts[3]),
      };
      assertEquals(relative.map((at: number) => bucketOf(at, options)), expected, kind);
    }
  });
}

Deno.test("createVision() gives Hugging Face's image embeddings and gradients (tiny-clip-vit)", async () => {
  const folder = sharedData("hf/tiny-clip-vit");
  if (folder === null) return;
  const reference = await readJson(`${folder}/reference.json`);
  const gpu = await testGpu();
  using _ = gpu.scope("tiny-clip-vit");
  const config = clipVisionConfig(await readJson(`${folder}/config.json`), "tiny-clip-vit");
  const model = createVision(gpu, config, await weightsOf(folder));
  const pixels: number[][][][] = reference.inputs.pixel_values;
  const batch: VisionBatch = {
    family: "vision",
    pixels: {
      data: Float32Array.from(pixels.flat(3)),
      shape: [pixels.length, config.channels, config.image, config.image],
    },
    targets: { data: new Int32Array(pixels.length), shape: [pixels.length] },
  };
  const store = createGradients(gpu, model.parameters);
  const tape = new Tape(gpu, store);
  const embeddings = model.logits(plainForward(tape), batch);
  const weights = Float32Array.from(reference.loss_weights.flat());
  tape.backward(embeddings, gpu.upload(weights, "f32", embeddings.value.shape, "loss weights"));
  const [found, ...arrays] = await gpu.downloadAll([
    embeddings.value,
    ...model.parameters.map((p) => store.of(p)),
  ]);
  assertClose(found!, reference.image_embeds.flat(), { relative: 0, absolute: 1e-5 });
  assertGradients(new Map(model.parameters.map(({ name }, i) => [name, arrays[i]!])), reference.grads, 5e-5);
});
