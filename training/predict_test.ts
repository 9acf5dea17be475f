import { assertEquals } from "@std/assert";
import { createGradients, Tape } from "../autodiff/mod.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { Model } from "../models/model.ts";
import { createRandom } from "../numerics/random.ts";
import { testGpu } from "../tests/test_gpu.ts";
import { imageBatch, scriptedDecoder, TINY_DECODER, tinyDecoder, tinyVision } from "../tests/tiny_models.ts";
import { plainForward } from "./forward.ts";
import { createPredictor } from "./predict.ts";

/** Token t is followed by t + 1; 9 by itself. */
const COUNTING = [1, 2, 3, 4, 5, 6, 7, 8, 9, 9];

async function generate(
  create: (gpu: Gpu) => Model,
  prompts: readonly (readonly number[])[],
  { maxTokens = 10, stop = 9, longest = 100 } = {},
): Promise<number[][]> {
  const gpu = await testGpu();
  using _ = gpu.scope("generate");
  const before = gpu.memory.liveBytes;
  const model = create(gpu), after = gpu.memory.liveBytes;
  const predictor = createPredictor(gpu, model, new Map(), longest);
  const texts = await predictor.generate(prompts.map((prompt) => Int32Array.from(prompt)), {
    maxTokens,
    stop,
  });
  assertEquals(gpu.memory.liveBytes, after);
  assertEquals(after >= before, true);
  return texts.map((text) => [...text]);
}

const counting = (gpu: Gpu) => scriptedDecoder(gpu, COUNTING);

Deno.test("createPredictor() continues each prompt greedily up to the stop token, which it leaves out", async () => {
  assertEquals(await generate(counting, [[3], [0, 6], [5, 5, 5], [8]]), [
    [4, 5, 6, 7, 8],
    [7, 8],
    [6, 7, 8],
    [],
  ]);
});

Deno.test("createPredictor() ends after the most tokens, and takes none where that is 0", async () => {
  assertEquals(await generate(counting, [[1], [7]], { maxTokens: 3 }), [[2, 3, 4], [8]]);
  assertEquals(await generate(counting, [[1], [7]], { maxTokens: 0 }), [[], []]);
});

Deno.test("createPredictor() takes a stop token in a prompt for text", async () => {
  assertEquals(await generate(counting, [[9, 4, 6], [9]]), [[7, 8], []]);
});

Deno.test("createPredictor() fills the longest sequence, then gives one token more and ends", async () => {
  // The logits of the last position are there, so one token beyond the longest is known.
  assertEquals(await generate(counting, [[0, 1, 2], [1]], { longest: 5, stop: -1 }), [[3, 4, 5], [
    2,
    3,
    4,
    5,
    6,
  ]]);
  assertEquals(await generate(counting, [[0, 1, 2], [1, 1, 1, 1, 1]], { longest: 5, stop: 4 }), [[3], [2]]);
});

Deno.test("createPredictor() gives nothing for a prompt that is too long, and all for the others", async () => {
  assertEquals(await generate(counting, [[0, 1, 2, 3, 4, 5], [6]], { longest: 5 }), [[], [7, 8]]);
  assertEquals(await generate(counting, [[0, 1, 2, 3, 4, 5]], { longest: 5 }), [[]]);
});

Deno.test("createPredictor() serves no prompts, and more than it continues together, in order", async () => {
  assertEquals(await generate(counting, []), []);
  const prompts = Array.from({ length: 150 }, (_, i) => [i % 9]);
  const wanted = prompts.map(([first]) => Array.from({ length: 8 - first! }, (_, i) => first! + 1 + i));
  assertEquals(await generate(counting, prompts), wanted);
});

Deno.test("createPredictor() continues prompts of different lengths as it continues each alone", async () => {
  const prompts = [1, 3, 7, 8, 9, 12].map((length, i) => [
    ...createRandom(i).integers(length, TINY_DECODER.vocabulary),
  ]);
  const options = { longest: TINY_DECODER.length, stop: 0, maxTokens: 8 };
  const together = await generate((gpu) => tinyDecoder(gpu), prompts, options);
  for (const [i, prompt] of prompts.entries()) {
    assertEquals(await generate((gpu) => tinyDecoder(gpu), [prompt], options), [together[i]], `prompt ${i}`);
  }
});

Deno.test("createPredictor() classifies each image as the logits' largest says, on merged weights where given", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("classify");
  const model = tinyVision(gpu), batch = imageBatch(13);
  const best = async () => {
    const tape = new Tape(gpu, createGradients(gpu, []));
    const logits = await gpu.download(model.logits(plainForward(tape), batch).value);
    return Array.from({ length: 13 }, (_, row) => {
      const scores = [...logits.subarray(row * 5, row * 5 + 5)];
      return scores.indexOf(Math.max(...scores));
    });
  };
  const plain = await best();
  assertEquals([...await createPredictor(gpu, model, new Map(), 6).classify(batch)], plain);
  // Other weights at one site: what a predictor with them says is what the model itself says once it has them.
  const site = model.sites.at(-1)!;
  const other = createRandom(5).normal(site.in * site.out, 2);
  const merged = gpu.upload(other, "f32", [site.out, site.in], "merged");
  const found = [...await createPredictor(gpu, model, new Map([[site, merged]]), 6).classify(batch)];
  gpu.write(site.weight.value, other);
  assertEquals(found, await best());
  assertEquals(found.every((value, i) => value === plain[i]), false);
});

Deno.test("createPredictor() follows exactly what it would generate, whatever the lengths around", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("follows");
  const longest = TINY_DECODER.length, predictor = createPredictor(gpu, tinyDecoder(gpu), new Map(), longest);
  const prompts = [1, 3, 7, 8, 9].map((length, i) =>
    createRandom(i).integers(length, TINY_DECODER.vocabulary)
  )
    .map((prompt) => Int32Array.from(prompt));
  const stop = TINY_DECODER.vocabulary; // never
  const greedy = await predictor.generate(prompts, { maxTokens: 4, stop });
  assertEquals(await predictor.follows(prompts, greedy), prompts.map(() => true));
  // A wrong token anywhere, and only there.
  for (const place of [0, 1, 3]) {
    const other = greedy.map((text, row) =>
      row === 2 ? text.map((token, i) => i === place ? (token + 1) % TINY_DECODER.vocabulary : token) : text
    );
    assertEquals(await predictor.follows(prompts, other), [true, true, false, true, true], `place ${place}`);
  }
  // One token alone, and texts of which all but the last token fill the longest sequence, and one more.
  assertEquals(
    await predictor.follows(prompts, greedy.map((text) => text.subarray(0, 1))),
    [1, 1, 1, 1, 1].map(Boolean),
  );
  const whole = await predictor.generate([Int32Array.of(1)], { maxTokens: 100, stop });
  assertEquals(whole[0]!.length, longest);
  assertEquals(await predictor.follows([Int32Array.of(1)], whole), [true]);
  assertEquals(await predictor.follows([Int32Array.of(1)], [Int32Array.of(...whole[0]!, 0)]), [false]);
  assertEquals(await predictor.follows([], []), []);
});

Deno.test("createPredictor() follows more prompts than it takes together, in order", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("follows");
  const predictor = createPredictor(gpu, counting(gpu), new Map(), 100);
  const prompts = Array.from({ length: 150 }, (_, i) => Int32Array.of(i % 9));
  const continuations = prompts.map(([first], i) => Int32Array.of(first! + 1 + (i % 7 === 0 ? 1 : 0)));
  assertEquals(await predictor.follows(prompts, continuations), prompts.map((_, i) => i % 7 !== 0));
});
