import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createGradients, Tape } from "../autodiff/mod.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { createRandom } from "../numerics/random.ts";
import { assertClose } from "../tests/support/assert_close.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { imageBatch, tinyVision } from "../tests/support/tiny_models.ts";
import { plainForward } from "../training/loop/forward.ts";
import { type ClipTextConfig, clipTextParameters, createClipText } from "./clip_text.ts";
import type { Model, VisionBatch } from "./model.ts";
import { initialWeights } from "./weights.ts";
import { unitRows, unitShare, zeroShotClassifier, zeroShotHead } from "./zero_shot.ts";

/** Sizes of which none is another; images of `tinyVision` have embeddings as wide. */
const CONFIG: ClipTextConfig = {
  vocabulary: 17,
  length: 9,
  width: 6,
  layers: 2,
  heads: 3,
  hidden: 7,
  outputs: 5,
  activation: "gelu",
  normEpsilon: 1e-5,
  endToken: 11,
};

const towerOf = (gpu: Gpu, changes: Partial<ClipTextConfig> = {}) =>
  createClipText(gpu, { ...CONFIG, ...changes }, initialWeights(createRandom(3)));

const forwardOn = (gpu: Gpu) => plainForward(new Tape(gpu, createGradients(gpu, [])));

async function embed(gpu: Gpu, tower: ReturnType<typeof towerOf>, texts: readonly (readonly number[])[]) {
  using _ = gpu.scope("embed");
  const tokens = { data: Int32Array.from(texts.flat()), shape: [texts.length, texts[0]!.length] };
  return await gpu.download(tower.embed(forwardOn(gpu), tokens).value);
}

Deno.test("createClipText() reads a text off at its end token's first place, whatever stands behind", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("tower");
  const tower = towerOf(gpu), close = { relative: 0, absolute: 1e-6 };
  assertEquals(tower.parameters.map(({ name, value }) => ({ name, shape: value.shape })), [
    ...clipTextParameters(CONFIG),
  ]);
  const alone = await embed(gpu, tower, [[3, 16, 11]]);
  assertClose(await embed(gpu, tower, [[3, 16, 11, 0, 0]]), alone, close);
  assertClose(await embed(gpu, tower, [[3, 16, 11, 11, 5, 16, 2, 11, 9]]), alone, close);
  const both = await embed(gpu, tower, [[3, 16, 11, 0], [11, 3, 4, 16]]);
  assertClose(both.subarray(0, 5), alone, close);
  assertClose(both.subarray(5), await embed(gpu, tower, [[11]]), close);
  // Without an end token of its own: at the largest id.
  const largest = towerOf(gpu, { endToken: null });
  assertClose(
    await embed(gpu, largest, [[3, 11, 16, 9, 0, 16]]),
    await embed(gpu, largest, [[3, 11, 16]]),
    close,
  );
});

Deno.test("createClipText() refuses long texts, unknown tokens and texts without an end", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("tower");
  const tower = towerOf(gpu);
  const refused = (text: readonly number[], reason: string) => {
    const tokens = { data: Int32Array.from(text), shape: [1, text.length] };
    assertThrows(() => tower.embed(forwardOn(gpu), tokens), RangeError, reason);
  };
  refused([1, 2, 3, 4, 5, 6, 7, 8, 9, 11], "Cannot read texts of 10 tokens: 9 at most are needed");
  refused([1, 17, 11], "Cannot gather row 17");
  refused([1, 2, 3], "Cannot embed text 0: it has no end token, 11");
});

Deno.test("unitRows() divides rows by their norm, small and large ones too", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("rows");
  const rows = [[3, 4, 0], [1e-6, -1e-6, 2e-6], [1e6, 0, -1e6], [0, 0, -7]];
  const tape = new Tape(gpu, createGradients(gpu, []));
  const x = tape.constant(gpu.upload(Float32Array.from(rows.flat()), "f32", [4, 3], "x"));
  const wanted = rows.flatMap((row) => row.map((value) => value / Math.hypot(...row)));
  const found = await gpu.download(unitRows(tape, x, unitShare(gpu, 3)).value);
  assertClose(found, wanted, { relative: 0, absolute: 1e-6 });
});

Deno.test("zeroShotClassifier() gives scaled cosines, trains the tower alone, and a head that nobody trains", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("classifier");
  const texts = towerOf(gpu), logitScale = Math.log(20);
  const classes = [[[1, 2, 11], [4, 11]], [[5, 6, 7, 11]], [[11]]].map((own) =>
    own.map((ids) => Int32Array.from(ids))
  );
  const before = gpu.memory.liveBytes;
  const head = await zeroShotHead(gpu, texts, plainForward, classes, logitScale);
  assertEquals([head.length, gpu.memory.liveBytes], [3 * 5, before]);
  for (let row = 0; row < 3; row++) {
    assertClose([Math.hypot(...head.subarray(row * 5, row * 5 + 5))], [20], { relative: 1e-5 });
  }
  const tower = tinyVision(gpu) as Model<VisionBatch>;
  const model = zeroShotClassifier(gpu, tower, gpu.upload(head, "f32", [3, 5], "head"));
  assertEquals([model.parameters, model.targetModules, model.head], [
    tower.parameters,
    tower.targetModules,
    [],
  ]);
  const batch = imageBatch(4) as VisionBatch, forward = forwardOn(gpu);
  const [logits, images] = await gpu.downloadAll([
    model.logits(forward, batch).value,
    tower.logits(forward, batch).value,
  ]);
  assertEquals(logits!.length, 4 * 3);
  const wanted = Array.from(logits!, (_, i) => {
    const image = images!.subarray(Math.floor(i / 3) * 5, Math.floor(i / 3) * 5 + 5);
    const row = head.subarray(i % 3 * 5, i % 3 * 5 + 5);
    return image.reduce((sum, value, j) => sum + value * row[j]!, 0) / Math.hypot(...image);
  });
  assertClose(logits!, wanted, { relative: 0, absolute: 2e-5 });
});

Deno.test("zeroShotHead() refuses no classes, and classes without a text", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("tower");
  const tower = towerOf(gpu), text = Int32Array.of(1, 11);
  const refused = async (classes: Int32Array[][], reason: string) => {
    await assertRejects(() => zeroShotHead(gpu, tower, plainForward, classes, 1), RangeError, reason);
  };
  await refused([], "Cannot make a zero-shot head: there is no class");
  await refused([[text], []], "Cannot make a zero-shot head: class 1 has no text");
});
