import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import { createGradients, crossEntropy, matmul, Tape } from "../../autodiff/mod.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import { differentiate } from "../../training/loop/differentiate.ts";
import { plainForward } from "../../training/loop/forward.ts";
import { createPredictor } from "../../training/scoring/predict.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { fixture, testOnPublic } from "../../tests/support/public_files.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { type Checkpoint, CheckpointError, type CheckpointTensor, take } from "./checkpoint.ts";
import { readSafetensors } from "./read_safetensors.ts";
import { type WritableTensor, writeSafetensors } from "./write_safetensors.ts";
import { checkpointWeights, readCheckpointFolder } from "./checkpoint_folder.ts";
import { createClipText } from "../clip_text.ts";
import { createDecoder } from "../decoder.ts";
import { bucketOf, createEncoderDecoder } from "../encoder_decoder.ts";
import { positionBucket, usedPositions } from "../text_classifier.ts";
import {
  checkpointConfig,
  clipConfig,
  clipVisionConfig,
  llamaConfig,
  openClipConfig,
  t5Config,
} from "./hugging_face.ts";
import type { Batch, DecoderBatch, EncoderBatch, EncoderDecoderBatch, Model, VisionBatch } from "../model.ts";
import { fingerprintModel, readModelFolder } from "./model_folder.ts";
import { isTurned, turnedData } from "./turned.ts";
import { checkpointEntry } from "../entry.ts";
import { createImageClassifier } from "../image_classifier.ts";
import { openClipTensors } from "./open_clip.ts";
import { baseWeights } from "../base_weights.ts";
import { createVision, type VisionConfig } from "../vision.ts";
import type { WeightSource } from "../weights.ts";
import { unitRows, unitShare, zeroShotClassifier, zeroShotHead } from "../zero_shot.ts";

const test = testNeeding(FILES);

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

// deno-lint-ignore no-explicit-any -- a reference is read as it is
function imagesOf(reference: any, config: VisionConfig): VisionBatch {
  const pixels: number[][][][] = reference.inputs.pixel_values;
  const data = Float32Array.from(pixels.flat(3));
  return {
    family: "vision",
    pixels: { data, shape: [pixels.length, config.channels, config.image, config.image] },
    targets: { data: new Int32Array(pixels.length), shape: [pixels.length] },
  };
}

function rows(data: readonly (readonly number[])[]): DecoderBatch["tokens"] {
  return { data: Int32Array.from(data.flat()), shape: [data.length, data[0]!.length] };
}

testOnPublic(
  ["stories260K"],
  "createDecoder() gives a trained Llama's text, logits, loss and gradients (stories260K)",
  async (folder) => {
    const reference = await readJson(`${folder}/reference.json`);
    const pieces: [string, number][] = await readJson(`${folder}/pieces.json`);
    const gpu = await testGpu();
    using _ = gpu.scope("stories260K");
    const config = llamaConfig(await readJson(`${folder}/config.json`), "stories260K");
    const model = createDecoder(gpu, config, await weightsOf(folder)) as Model;

    const greedy: number[] = reference.greedy;
    const predictor = createPredictor(gpu, model, plainForward, config.length);
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
  },
);

/** Gradients of maps in the order in which files have them. */
function asStored(gradients: ReadonlyMap<string, Float32Array>, { parameters }: Model) {
  return new Map(parameters.map(({ name, value }) => {
    const gradient = gradients.get(name)! as Float32Array<ArrayBuffer>;
    return [name, isTurned(name) ? turnedData(gradient, value.shape[0]!) : gradient] as const;
  }));
}

/** Largest error of a logit: by Hugging Face's own f32 up to 1.5e-5, while a wrong epsilon of a norm makes 1.6e-4. */
const DECODERS = [
  ["tiny-llama", 1e-5],
  ["tiny-llama3", 2e-5],
  ["tiny-qwen2", 5e-5],
  ["tiny-qwen3", 5e-5],
  ["tiny-mistral", 5e-5],
  ["tiny-gemma2", 5e-5],
  ["tiny-gemma3", 5e-5],
  ["tiny-gpt2", 5e-5],
] as const;
for (const [name, tolerance] of DECODERS) {
  test(`checkpointEntry() makes a decoder that gives Hugging Face's logits, loss and gradients (${name})`, async () => {
    const folder = fixture(`hf/${name}`);
    const reference = await readJson(`${folder}/reference.json`);
    const gpu = await testGpu();
    using _ = gpu.scope(name);
    const json = await readJson(`${folder}/config.json`), read = checkpointConfig(json, name);
    const { outputs: vocabulary, inputSize, create } = checkpointEntry(name, folder, read);
    const model = create(gpu, await weightsOf(folder));
    const { input_ids: ids, labels, attention_mask: mask } = reference.inputs;
    // Hugging Face compares the logits at t with the label at t + 1.
    const targets = labels.map((row: number[]) => [...row.slice(1), -100]);
    const batch: DecoderBatch = { family: "decoder", tokens: rows(ids), targets: rows(targets) };
    const logits = await logitsOf(gpu, model as Model<DecoderBatch>, batch);
    const seen = mask.flat().flatMap((value: number, row: number) =>
      value === 1 ? [...logits.subarray(row * vocabulary, (row + 1) * vocabulary)] : []
    );
    const wanted = await arrayOf(folder, "logits");
    assertClose(seen, wanted, { relative: 0, absolute: tolerance });
    const { loss, gradients } = await gradientsOf(gpu, model, batch);
    assertClose([loss], [reference.loss], { relative: tolerance });
    assertGradients(asStored(gradients, model), reference.grads, 5 * tolerance);
    const { prompt, max_new_tokens: maxTokens, sequences } = reference.greedy_generation;
    const predictor = createPredictor(gpu, model, plainForward, inputSize);
    const stop: number = json.eos_token_id;
    const [text] = await predictor.generate([Int32Array.from(prompt)], { maxTokens, stop });
    assertEquals(
      [...prompt, ...text!],
      sequences[0].filter((token: number, i: number) => i < prompt.length || token !== stop),
    );
  });
}

for (const name of ["tiny-t5", "tiny-t5-v1_1"]) {
  test(`createEncoderDecoder() gives Hugging Face's logits, loss, gradients and text (${name})`, async () => {
    const folder = fixture(`hf/${name}`);
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
    const predictor = createPredictor(gpu, model as Model, plainForward, config.inputLength);
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

  test(`bucketOf() groups positions as Hugging Face does (${name})`, async () => {
    const folder = fixture(`hf/${name}`);
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

test("createVision() gives Hugging Face's image embeddings and gradients (tiny-clip-vit)", async () => {
  const folder = fixture("hf/tiny-clip-vit");
  const reference = await readJson(`${folder}/reference.json`);
  const gpu = await testGpu();
  using _ = gpu.scope("tiny-clip-vit");
  const config = clipVisionConfig(await readJson(`${folder}/config.json`), "tiny-clip-vit");
  const model = createVision(gpu, config, await weightsOf(folder));
  const batch = imagesOf(reference, config);
  const store = createGradients(gpu, model.parameters);
  const tape = new Tape(gpu, store);
  const embeddings = model.logits(plainForward(tape), batch);
  const weights = Float32Array.from(reference.loss_weights.flat());
  tape.backward(embeddings, gpu.upload(weights, "f32", embeddings.value.shape, "loss weights"));
  const [found, ...arrays] = await gpu.downloadAll([
    embeddings.value,
    ...model.parameters.map((p) => store.of(p)),
  ]);
  assertClose(found!, await arrayOf(folder, "image_embeds"), { relative: 0, absolute: 1e-5 });
  const loss = found!.reduce((sum, value, i) => sum + value * weights[i]!, 0);
  assertClose([loss], [reference.loss], { relative: 1e-5 });
  assertGradients(new Map(model.parameters.map(({ name }, i) => [name, arrays[i]!])), reference.grads, 5e-5);
});

for (const name of ["tiny-bert", "tiny-roberta", "tiny-distilbert", "tiny-deberta-v3"]) {
  test(`checkpointEntry() makes a text classifier that gives Hugging Face's logits, loss and gradients (${name})`, async () => {
    const folder = fixture(`hf/${name}`), reference = await readJson(`${folder}/reference.json`);
    const gpu = await testGpu(), entry = await readModelFolder(folder, name);
    using _ = gpu.scope(name);
    const model = entry.create(gpu, await baseWeights(entry));
    const { input_ids: ids, attention_mask: mask, token_type_ids: types, labels } = reference.inputs;
    const tokens = rows(ids);
    const batch: EncoderBatch = {
      family: "encoder",
      tokens,
      mask: { data: Uint32Array.from(mask.flat()), shape: tokens.shape },
      ...(types && { types: rows(types) }),
      targets: { data: Int32Array.from(labels), shape: [labels.length] },
    };
    const logits = await logitsOf(gpu, model as Model<EncoderBatch>, batch);
    assertClose(logits, await arrayOf(folder, "logits"), { relative: 0, absolute: 1e-5 });
    const { loss, gradients } = await gradientsOf(gpu, model, batch);
    assertClose([loss], [reference.loss], { relative: 1e-5 });
    assertGradients(gradients, reference.grads, 5e-5);
  });
}

test("positionBucket() counts distances as Hugging Face's code does", async () => {
  const reference = JSON.parse(await Deno.readTextFile(fixture("hf/tiny-deberta-v3/reference.json")));
  const { relative_position: distances, bucket } = reference.relative_position_buckets;
  const relative = { buckets: 8, maxPosition: 32 };
  assertEquals(distances.map((one: number) => positionBucket(one, relative)), bucket);
  // The published models have 256 buckets for 512 positions; short texts use few of them.
  assertEquals(usedPositions(16, { buckets: 256, maxPosition: 512 }), { first: 241, count: 31 });
  assertEquals(usedPositions(512, { buckets: 256, maxPosition: 512 }), { first: 1, count: 511 });
});

for (const name of ["tiny-vit", "tiny-dinov2"]) {
  test(`checkpointEntry() makes an image classifier that gives Hugging Face's logits, loss and gradients (${name})`, async () => {
    const folder = fixture(`hf/${name}`), reference = await readJson(`${folder}/reference.json`);
    const gpu = await testGpu(), entry = await readModelFolder(folder, name);
    using _ = gpu.scope(name);
    const model = entry.create(gpu, await baseWeights(entry));
    const imagesFor = (pixels: number[][][][], labels: readonly number[]): VisionBatch => ({
      family: "vision",
      pixels: {
        data: Float32Array.from(pixels.flat(3)),
        shape: [pixels.length, 3, pixels[0]![0]!.length, pixels[0]![0]!.length],
      },
      targets: { data: Int32Array.from(labels), shape: [labels.length] },
    });
    const batch = imagesFor(reference.inputs.pixel_values, reference.inputs.labels);
    const logits = await logitsOf(gpu, model as Model<VisionBatch>, batch);
    assertClose(logits, await arrayOf(folder, "logits"), { relative: 0, absolute: 1e-5 });
    const { loss, gradients } = await gradientsOf(gpu, model, batch);
    assertClose([loss], [reference.loss], { relative: 1e-5 });
    const { "dinov2.embeddings.mask_token": __, ...wanted } = reference.grads;
    assertGradients(gradients, wanted, 5e-5);

    for (const other of reference.interpolated ?? []) {
      const { image_size: side, labels } = other;
      const read = checkpointConfig(await readJson(`${folder}/config.json`), name);
      assert(read.family === "image-classifier");
      const config = { ...read.config, image: side, positionsFor: read.config.image };
      const resampled = createImageClassifier(gpu, config, await baseWeights(entry));
      const data = await arrayOf(folder, `interpolated_${side}.pixel_values`) as Float32Array<ArrayBuffer>;
      const batch: VisionBatch = {
        ...imagesFor([[[[]]]], labels),
        pixels: { data, shape: [1, 3, side, side] },
      };
      const logits = await logitsOf(gpu, resampled, batch);
      assertClose(logits, other.logits.flat(), { relative: 0, absolute: 1e-5 });
      const found = await gradientsOf(gpu, resampled as Model, batch);
      assertClose([found.loss], [other.loss], { relative: 1e-5 });
      const positions = "dinov2.embeddings.position_embeddings";
      assertGradients(
        new Map([[positions, found.gradients.get(positions)!]]),
        { [positions]: other.position_embeddings_grad },
        5e-5,
      );
    }
  });
}

/** Both towers of tiny-clip, with gradients. */
async function checkClip(gpu: Gpu, folder: string, weights: WeightSource): Promise<void> {
  const reference = await readJson(`${folder}/reference.json`);
  const { text, vision } = clipConfig(await readJson(`${folder}/config.json`), "tiny-clip");
  const images = createVision(gpu, vision, weights), texts = createClipText(gpu, text, weights);
  const [logitScale] = weights("logit_scale", []), scale = Math.exp(logitScale!);
  assertClose([scale], [reference.logit_scale_exp], { relative: 1e-6 });
  const tokens = rows(reference.inputs.input_ids);
  const parameters = [...images.parameters, ...texts.parameters];

  using _ = gpu.scope("towers");
  const store = createGradients(gpu, parameters), tape = new Tape(gpu, store), forward = plainForward(tape);
  const share = unitShare(gpu, vision.outputs);
  const features = texts.embed(forward, tokens),
    imageFeatures = images.logits(
      forward,
      imagesOf(reference, vision),
    );
  const textUnits = unitRows(tape, features, share), imageUnits = unitRows(tape, imageFeatures, share);
  const logits = matmul(tape, imageUnits, textUnits, { transposeB: true, scale });
  const targets = gpu.upload(Int32Array.of(2, 0), "i32", [2], "targets");
  const loss = crossEntropy(tape, logits, targets, 2);
  tape.backward(loss, gpu.upload(Float32Array.of(1), "f32", [1], "loss gradient"));
  const [found, foundTexts, foundImages, foundFeatures, foundLoss, ...gradients] = await gpu.downloadAll([
    ...[logits, textUnits, imageUnits, features, loss].map(({ value }) => value),
    ...parameters.map((parameter) => store.of(parameter)),
  ]);
  const close = { relative: 0, absolute: 1e-5 };
  assertClose(found!, await arrayOf(folder, "logits_per_image"), close);
  assertClose(foundTexts!, await arrayOf(folder, "text_embeds"), close);
  assertClose(foundImages!, await arrayOf(folder, "image_embeds"), close);
  assertClose(foundFeatures!, reference.text_features_unnormalised.flat(), close);
  assertClose(foundLoss!, [reference.loss], { relative: 1e-5 });
  // The scale is a number to us: no method trains it.
  const { logit_scale: _scale, ...wanted } = reference.grads;
  assertGradients(new Map(parameters.map(({ name }, i) => [name, gradients[i]!])), wanted, 5e-5);
}

test("createClipText() and createVision() give Hugging Face's embeddings, logits, loss and gradients (tiny-clip)", async () => {
  const folder = fixture("hf/tiny-clip");
  const gpu = await testGpu();
  using _ = gpu.scope("tiny-clip");
  await checkClip(gpu, folder, await weightsOf(folder));
});

test("zeroShotClassifier() scores images as the full CLIP does, its head made of the texts (tiny-clip)", async () => {
  const folder = fixture("hf/tiny-clip");
  const reference = await readJson(`${folder}/reference.json`);
  const { text, vision } = clipConfig(await readJson(`${folder}/config.json`), "tiny-clip");
  const gpu = await testGpu();
  using _ = gpu.scope("zero-shot");
  const weights = await weightsOf(folder), texts = createClipText(gpu, text, weights);
  const [logitScale] = weights("logit_scale", []);
  // Each text as long as it is: what stands behind the end token is padding.
  const ids: number[][] = reference.inputs.input_ids, ends: number[] = reference.eos_positions_pooled;
  const descriptions = ids.map((row, i) => [Int32Array.from(row.slice(0, ends[i]! + 1))]);
  const head = await zeroShotHead(gpu, texts, plainForward, descriptions, logitScale!);
  const tower = createVision(gpu, vision, weights);
  const rowsOfHead = gpu.upload(head, "f32", [ids.length, vision.outputs], "head");
  const model = zeroShotClassifier(gpu, tower, rowsOfHead);
  const logits = await logitsOf(gpu, model, imagesOf(reference, vision));
  assertClose(logits, await arrayOf(folder, "logits_per_image"), { relative: 0, absolute: 1e-5 });
  assertEquals(model.parameters, tower.parameters);

  // Two texts of a class: the direction between them. The same text twice: that text.
  const [first, second] = descriptions.map(([own]) => own!) as [Int32Array, Int32Array];
  const pair = await zeroShotHead(gpu, texts, plainForward, [[first, second], [first, first]], logitScale!);
  const width = vision.outputs, row = (i: number) => head.subarray(i * width, (i + 1) * width);
  const sum = Array.from(row(0), (value, i) => value + row(1)[i]!), norm = Math.hypot(...sum);
  const between = sum.map((value) => Math.exp(logitScale!) * value / norm);
  assertClose(pair, [...between, ...row(0)], { relative: 0, absolute: 1e-5 });
});

/** Weights as OpenCLIP keeps them: queries, keys and values in one map, projections turned. */
function asOpenClip({ tensors }: Checkpoint): Map<string, WritableTensor> {
  const out = new Map<string, WritableTensor>();
  const of = (name: string): CheckpointTensor => tensors.get(name)!;
  const move = (ours: string, theirs: string) => {
    const { shape, data } = of(ours);
    out.set(theirs, { shape, data });
  };
  const turn = (ours: string, theirs: string) => {
    const { data, shape } = of(ours), [outputs, width] = shape as [number, number];
    const turned = Float32Array.from(data, (_, i) => data[i % outputs * width + Math.floor(i / outputs)]!);
    out.set(theirs, { shape: [width, outputs], data: turned });
  };
  for (const [ours, theirs] of [["vision_model", "visual."], ["text_model", ""]] as const) {
    for (let layer = 0; tensors.has(`${ours}.encoder.layers.${layer}.mlp.fc1.bias`); layer++) {
      const from = `${ours}.encoder.layers.${layer}`, to = `${theirs}transformer.resblocks.${layer}`;
      for (const kind of ["weight", "bias"]) {
        const [q, k, v] = ["q", "k", "v"].map((name) => of(`${from}.self_attn.${name}_proj.${kind}`));
        out.set(`${to}.attn.in_proj_${kind}`, {
          shape: [3 * q!.shape[0]!, ...q!.shape.slice(1)],
          data: Float32Array.of(...q!.data, ...k!.data, ...v!.data),
        });
        move(`${from}.self_attn.out_proj.${kind}`, `${to}.attn.out_proj.${kind}`);
        move(`${from}.layer_norm1.${kind}`, `${to}.ln_1.${kind}`);
        move(`${from}.layer_norm2.${kind}`, `${to}.ln_2.${kind}`);
        move(`${from}.mlp.fc1.${kind}`, `${to}.mlp.c_fc.${kind}`);
        move(`${from}.mlp.fc2.${kind}`, `${to}.mlp.c_proj.${kind}`);
      }
    }
  }
  for (const kind of ["weight", "bias"]) {
    move(`vision_model.pre_layrnorm.${kind}`, `visual.ln_pre.${kind}`);
    move(`vision_model.post_layernorm.${kind}`, `visual.ln_post.${kind}`);
    move(`text_model.final_layer_norm.${kind}`, `ln_final.${kind}`);
  }
  move("vision_model.embeddings.class_embedding", "visual.class_embedding");
  move("vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight");
  move("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding");
  move("text_model.embeddings.token_embedding.weight", "token_embedding.weight");
  move("text_model.embeddings.position_embedding.weight", "positional_embedding");
  move("logit_scale", "logit_scale");
  turn("visual_projection.weight", "visual.proj");
  turn("text_projection.weight", "text_projection");
  return out;
}

testOnPublic(
  ["tiny-open-clip"],
  "openClipTensors() gives the same CLIP from OpenCLIP's layout, whose names are those of a real file",
  async (real) => {
    const folder = fixture("hf/tiny-clip");
    const theirs = asOpenClip(await readCheckpointFolder(folder));
    const file = await readSafetensors(`${real}/open_clip_model.safetensors`);
    // tiny-clip has a layer more a tower, and a scale.
    assertEquals(
      [...theirs.keys()].filter((name) => !/resblocks\.1|logit_scale/.test(name)).toSorted(),
      [...file.tensors.keys()].toSorted(),
    );
    const temporary = await Deno.makeTempDir();
    try {
      const path = `${temporary}/open_clip_model.safetensors`;
      await writeSafetensors(path, theirs);
      const gpu = await testGpu();
      using _ = gpu.scope("OpenCLIP");
      await checkClip(gpu, folder, checkpointWeights(openClipTensors(await readSafetensors(path))));
    } finally {
      await Deno.remove(temporary, { recursive: true });
    }
  },
);

testOnPublic(
  ["tiny-open-clip"],
  "openClipTensors() and openClipConfig() fit a real file's towers, all of its tensors and no other",
  async (real) => {
    const json = await readJson(`${real}/open_clip_config.json`);
    assertThrows(
      () => openClipConfig(json, "tiny-open-clip"),
      CheckpointError,
      "model_cfg.vision_cfg.global_average_pool is true, pooling at the class token is needed",
    );
    json.model_cfg.vision_cfg.global_average_pool = false;
    const { text, vision } = openClipConfig(json, "tiny-open-clip");
    const checkpoint = openClipTensors(await readSafetensors(`${real}/open_clip_model.safetensors`));
    const gpu = await testGpu();
    using _ = gpu.scope("tiny-open-clip");
    const weights = checkpointWeights(checkpoint), tower = createClipText(gpu, text, weights);
    const images = createVision(gpu, vision, weights);
    assertEquals(
      [...tower.parameters, ...images.parameters].map(({ name }) => name).toSorted(),
      [...checkpoint.tensors.keys()].toSorted(),
    );
    const forward = plainForward(new Tape(gpu, createGradients(gpu, [])));
    // "a b" and its end token, which has the largest id, with padding and without.
    const embed = async (ids: number[]) => await gpu.download(tower.embed(forward, rows([ids])).value);
    const embedded = await embed([66, 1, 67, 96]);
    assertClose(await embed([66, 1, 67, 96, 0, 0, 0]), embedded, { relative: 0, absolute: 1e-6 });
    assertGreater(Math.hypot(...embedded), 0.1);
  },
);

testOnPublic(
  ["tiny-open-clip"],
  "readModelFolder() takes the image tower of an OpenCLIP folder, and of a full CLIP's",
  async (real) => {
    const clip = fixture("hf/tiny-clip");
    const temporary = await Deno.makeTempDir();
    try {
      const json = await readJson(`${real}/open_clip_config.json`);
      json.model_cfg.vision_cfg.global_average_pool = false;
      await Deno.writeTextFile(`${temporary}/open_clip_config.json`, JSON.stringify(json));
      await Deno.copyFile(`${real}/open_clip_model.safetensors`, `${temporary}/open_clip_model.safetensors`);
      const gpu = await testGpu();
      for (const [folder, outputs, image] of [[temporary, 16, 8], [clip, 24, 16]] as const) {
        using _ = gpu.scope("tower");
        const entry = await readModelFolder(folder, "mine");
        assertEquals([entry.family, entry.outputs, entry.inputSize], ["vision", outputs, image]);
        const model = entry.create(gpu, await baseWeights(entry));
        const values = await gpu.downloadAll(model.parameters.map(({ value }) => value));
        // Biases may begin at 0, matrices don't.
        const matrices = values.filter((_, i) => model.parameters[i]!.value.shape.length > 1);
        assert(matrices.every((value) => value.some((element) => element !== 0)));
        assertEquals((await fingerprintModel(folder)).length, 64);
      }
    } finally {
      await Deno.remove(temporary, { recursive: true });
    }
  },
);

/** A folder as `body` sees it: the config of another one, and weights that `write` puts there. */
async function withWeights(
  folder: string,
  write: (to: string, checkpoint: Checkpoint) => Promise<void>,
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const temporary = await Deno.makeTempDir();
  try {
    await Deno.copyFile(`${folder}/config.json`, `${temporary}/config.json`);
    await write(temporary, await readCheckpointFolder(folder));
    await body(temporary);
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

/** Shards as Hugging Face writes them, of so many tensors each. */
async function writeShards(folder: string, { tensors }: Checkpoint, size: number): Promise<void> {
  const entries = [...tensors], count = Math.ceil(entries.length / size), places: Record<string, string> = {};
  for (let shard = 0; shard < count; shard++) {
    const number = (value: number) => String(value).padStart(5, "0");
    const file = `model-${number(shard + 1)}-of-${number(count)}.safetensors`;
    const own = entries.slice(shard * size, (shard + 1) * size);
    for (const [name] of own) places[name] = file;
    await writeSafetensors(
      `${folder}/${file}`,
      new Map(own.map(([name, { shape, data }]) => [name, { shape, data }])),
    );
  }
  const index = { metadata: { total_size: 0 }, weight_map: places };
  await Deno.writeTextFile(`${folder}/model.safetensors.index.json`, JSON.stringify(index));
}

test("Llama and CLIP from shards have the same bits as from one file", async () => {
  for (const name of ["tiny-llama", "tiny-clip"]) {
    const folder = fixture(`hf/${name}`);
    const whole = await readCheckpointFolder(folder);
    await withWeights(folder, (to, checkpoint) => writeShards(to, checkpoint, 5), async (sharded) => {
      const shards = await readCheckpointFolder(sharded);
      assertEquals(new Set(shards.tensors.keys()), new Set(whole.tensors.keys()));
      for (const [tensor, { shape, data }] of whole.tensors) assertEquals(take(shards, tensor, shape), data);
      if (name !== "tiny-clip") return;
      const gpu = await testGpu();
      using _ = gpu.scope("shards");
      await checkClip(gpu, folder, checkpointWeights(shards));
    });
  }
});

/** One tensor after the other as bfloat16: the upper halves of 32-bit floats, of which the lower ones are 0. */
async function writeBfloat16(path: string, tensors: ReadonlyMap<string, CheckpointTensor>): Promise<void> {
  let end = 0;
  const header: Record<string, unknown> = {}, parts: Uint8Array[] = [];
  for (const [name, { shape, data }] of tensors) {
    const halves = Uint16Array.from(new Uint32Array(data.slice().buffer), (bits) => bits >>> 16);
    header[name] = { dtype: "BF16", shape, data_offsets: [end, end += halves.byteLength] };
    parts.push(new Uint8Array(halves.buffer));
  }
  const text = new TextEncoder().encode(JSON.stringify(header)), length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(text.length), true);
  await Deno.writeFile(
    path,
    new Uint8Array(await new Blob([length, text, ...parts as BlobPart[]]).arrayBuffer()),
  );
}

test("Checkpoints of 16-bit floats give the logits of the same numbers in 32 bits, and near those of the original", async () => {
  const folder = fixture("hf/tiny-llama");
  const reference = await readJson(`${folder}/reference.json`);
  const config = llamaConfig(await readJson(`${folder}/config.json`), "tiny-llama");
  const gpu = await testGpu();
  const batch: DecoderBatch = {
    family: "decoder",
    tokens: rows(reference.inputs.input_ids.slice(0, 1)),
    targets: rows(reference.inputs.labels.slice(0, 1)),
  };
  const logitsWith = async (weights: WeightSource) => {
    using _ = gpu.scope("16 bits");
    return await logitsOf(gpu, createDecoder(gpu, config, weights), batch);
  };
  const original = await logitsWith(await weightsOf(folder));
  const kinds = {
    F16: async (to: string, { tensors }: Checkpoint) => {
      const halves = [...tensors].map(([name, { shape, data }]) =>
        [name, { shape, data, dtype: "F16" }] as const
      );
      await writeSafetensors(`${to}/model.safetensors`, new Map(halves));
    },
    BF16: (to: string, { tensors }: Checkpoint) => writeBfloat16(`${to}/model.safetensors`, tensors),
  };
  const round = {
    F16: (value: number) => Math.f16round(value),
    BF16: (value: number) => new Float32Array(Uint32Array.of(bitsOf(value) & 0xffff0000).buffer)[0]!,
  };
  // Roundings of 2^-11 and cuts of up to 2^-7, over two layers.
  for (const [kind, tolerance] of [["F16", 0.02], ["BF16", 0.3]] as const) {
    await withWeights(folder, kinds[kind], async (halved) => {
      const checkpoint = await readCheckpointFolder(halved);
      assertEquals(new Set([...checkpoint.tensors.values()].map(({ dtype }) => dtype)), new Set([kind]));
      const logits = await logitsWith(checkpointWeights(checkpoint));
      const weights = await weightsOf(folder);
      assertEquals(logits, await logitsWith((name, shape) => weights(name, shape).map(round[kind])));
      assertClose(logits, original, { relative: 0, absolute: tolerance });
      assertGreater(logits.filter((value, i) => value !== original[i]).length, logits.length / 2);
    });
  }
});

function bitsOf(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0]!;
}
