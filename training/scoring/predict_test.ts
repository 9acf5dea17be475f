import {
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLess,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import { createGradients, Tape } from "../../autodiff/mod.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { argmax } from "../../kernels/mod.ts";
import { createDecoder, type DecoderConfig } from "../../models/decoder.ts";
import { textClassifier } from "../../models/entry.ts";
import type { EncoderBatch, Model, TargetModule } from "../../models/model.ts";
import { initialWeights } from "../../models/weights.ts";
import { createRandom } from "../../numerics/random.ts";
import type { Generation, Predictor, Sampling } from "../../tasks/task.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import {
  imageBatch,
  scriptedDecoder,
  TINY_DECODER,
  tinyDecoder,
  tinyVision,
} from "../../tests/support/tiny_models.ts";
import { scoresAfter, uncached, WRITERS } from "../../tests/support/writers.ts";
import { mergedForward, plainForward } from "../loop/forward.ts";
import { inGroups } from "./groups.ts";
import { createPredictor } from "./predict.ts";
import { createSampler } from "./sampling.ts";

/** Token t is followed by t + 1; 9 by itself. */
const COUNTING = [1, 2, 3, 4, 5, 6, 7, 8, 9, 9];

/** Makes a model of its own; checks that nothing is left of what it wrote. */
async function generate(
  create: (gpu: Gpu) => Model,
  prompts: readonly (readonly number[])[],
  { maxTokens = 10, stop = 9, longest = 100, ...sampling }: {
    readonly maxTokens?: number;
    readonly stop?: number;
    readonly longest?: number;
    readonly sampling?: Sampling;
  } = {},
): Promise<number[][]> {
  const gpu = await testGpu();
  using _ = gpu.scope("generate");
  const before = gpu.memory.liveBytes;
  const model = create(gpu), after = gpu.memory.liveBytes;
  const predictor = createPredictor(gpu, model, plainForward, longest);
  const texts = await predictor.generate(prompts.map((prompt) => Int32Array.from(prompt)), {
    ...{ maxTokens, stop, ...sampling },
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

/** Longest prompts. */
const LONGEST = 20;

const promptsOf = (lengths: readonly number[], limit = 11) =>
  lengths.map((length, i) => [...createRandom(i).integers(length, limit)]);

for (const [name, create] of Object.entries(WRITERS)) {
  Deno.test(`createPredictor() writes what uncached passes say, token for token: ${name}`, async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("writers");
    const model = create(gpu), live = gpu.memory.liveBytes;
    const predictor = createPredictor(gpu, model, plainForward, LONGEST);
    const prompts = promptsOf([1, 7, 8, 12, 17]);
    // The stop token is one that is written here and there: texts end at different times, and the batch shrinks.
    const never = await predictor.generate(prompts.map((p) => Int32Array.from(p)), {
      maxTokens: 14,
      stop: -1,
    });
    const stop = never[3]![2]!;
    const stops = [-1, stop, [never[0]![4]!, stop]];
    for (const how of stops.map((stop) => ({ maxTokens: 14, stop }))) {
      const together = await predictor.generate(prompts.map((p) => Int32Array.from(p)), how);
      for (const [i, prompt] of prompts.entries()) {
        const room = model.writer!.room(prompt.length, LONGEST), maxTokens = Math.min(room, how.maxTokens);
        const wanted = await uncached(gpu, model, new Map(), prompt, { ...how, maxTokens });
        assertEquals([...together[i]!], wanted, `prompt ${i}, stop ${how.stop}`);
        const [alone] = await predictor.generate([Int32Array.from(prompt)], how);
        assertEquals([...alone!], wanted, `prompt ${i} alone, stop ${how.stop}`);
      }
    }
    // The test would prove little if all texts were alike.
    assertGreater(new Set(never.map((text) => text.join())).size, 2);
    assertGreater(new Set(never.flatMap((text) => [...text])).size, 2);
    assertEquals(gpu.memory.liveBytes, live);
  });

  Deno.test(`createPredictor() writes on merged weights where they are given: ${name}`, async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("merged");
    const model = create(gpu);
    // A rank-1 addition to each target module, as a trained adapter makes it.
    const merged = new Map(
      await Promise.all(model.targetModules.map(async (targetModule): Promise<[TargetModule, Tensor]> => {
        const weight = await gpu.download(targetModule.weight.value as Tensor),
          random = createRandom(4).fork(targetModule.name);
        const b = random.fork("b").normal(targetModule.out, 0.5),
          a = random.fork("a").normal(targetModule.in, 0.5);
        const sum = weight.map((x, i) => x + b[Math.floor(i / targetModule.in)]! * a[i % targetModule.in]!);
        return [targetModule, gpu.upload(sum, "f32", [targetModule.out, targetModule.in], "merged")];
      })),
    );
    const prompts = promptsOf([2, 11, 5]), how = { maxTokens: 9, stop: -1 };
    const write = async (weights: ReadonlyMap<TargetModule, Tensor>) =>
      (await createPredictor(gpu, model, (tape) => mergedForward(tape, weights), LONGEST).generate(
        prompts.map((p) => Int32Array.from(p)),
        how,
      ))
        .map((text) => [...text]);
    const found = await write(merged);
    for (const [i, prompt] of prompts.entries()) {
      assertEquals(found[i], await uncached(gpu, model, merged, prompt, how), `prompt ${i}`);
    }
    assertNotEquals(found, await write(new Map()));
  });

  Deno.test(`createPredictor() tells the loss a token of continuations as uncached scores do: ${name}`, async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("losses");
    const model = create(gpu), live = gpu.memory.liveBytes;
    const predictor = createPredictor(gpu, model, plainForward, LONGEST);
    const prompts = promptsOf([4, 9, 1, 16]), continuations = promptsOf([3, 1, 7, 5], 10);
    const wanted: number[] = [];
    for (const [i, prompt] of prompts.entries()) {
      let sum = 0;
      for (const [k, token] of continuations[i]!.entries()) {
        const scores = [
          ...await scoresAfter(gpu, model, new Map(), prompt, continuations[i]!.slice(0, k)),
        ];
        sum += Math.log(scores.reduce((total, score) => total + Math.exp(score), 0)) - scores[token]!;
      }
      wanted.push(sum / continuations[i]!.length);
    }
    const tokens = (texts: readonly (readonly number[])[]) => texts.map((text) => Int32Array.from(text));
    const found = [...await predictor.losses(tokens(prompts), tokens(continuations))];
    // Float32 sums over a few layers: scores differ in their last bits by what they were computed beside.
    for (const [i, loss] of found.entries()) assertAlmostEquals(loss, wanted[i]!, 1e-4);
    assertGreater(new Set(found.map((loss) => loss.toFixed(3))).size, 2);
    // More than are read together, in order.
    const many = Array.from({ length: 150 }, (_, i) => i % 4);
    const repeated = await predictor.losses(
      many.map((i) => tokens(prompts)[i]!),
      many.map((i) => tokens(continuations)[i]!),
    );
    for (const [at, loss] of repeated.entries()) assertAlmostEquals(loss, wanted[many[at]!]!, 1e-4);
    assertEquals([...await predictor.losses([], [])], []);
    await assertRejects(
      () => predictor.losses([Int32Array.of(1)], [new Int32Array(0)]),
      RangeError,
      "has 0 tokens",
    );
    // T5 writes beside its prompt, not after it.
    if (model.family === "decoder") {
      const tooLong = () => predictor.losses([new Int32Array(LONGEST + 2)], [Int32Array.of(1)]);
      await assertRejects(tooLong, RangeError, "has 1 tokens, 1 to 0 are needed");
    }
    assertEquals(gpu.memory.liveBytes, live);
  });

  Deno.test(`createPredictor() draws each token as the uncached scores say: ${name}`, async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("draws");
    const model = create(gpu);
    const predictor = createPredictor(gpu, model, plainForward, LONGEST), prompts = promptsOf([4, 9, 1]);
    const how = { maxTokens: 6, stop: 3 };
    const sampling = { temperature: 1.5, topP: 0.9, seed: 11, samples: 5 };
    const write = async (changes: Partial<Sampling>, some = prompts) =>
      (await predictor.generate(some.map((p) => Int32Array.from(p)), {
        ...how,
        sampling: { ...sampling, ...changes },
      })).map((text) => [...text]);
    const texts = await write({});
    assertEquals(texts.length, 15);
    const sampler = createSampler(sampling);
    for (const [i, text] of texts.entries()) {
      const prompt = Math.floor(i / 5), sample = i % 5, written: number[] = [];
      while (written.length < how.maxTokens) {
        const scores = await scoresAfter(gpu, model, new Map(), prompts[prompt]!, written);
        const token = sampler.draw(scores, { prompt, sample, position: written.length });
        if (token === how.stop) break;
        written.push(token);
      }
      assertEquals(text, written, `sample ${sample} of prompt ${prompt}`);
    }
    assertGreater(new Set(texts.map((text) => text.join())).size, 4);
    // The same again; as many as are asked for; others with another seed.
    assertEquals(await write({}), texts);
    assertEquals(await write({ samples: 2 }), texts.filter((_, i) => i % 5 < 2));
    assertNotEquals(await write({ seed: 12 }), texts);
    // More texts than go together, of one prompt.
    const many = await write({ samples: 70 }, prompts.slice(0, 1));
    assertEquals(many.length, 70);
    assertEquals(many.slice(0, 5), texts.slice(0, 5));
    // In the limit of temperature 0 it is greedy.
    const greedy = await predictor.generate(prompts.map((p) => Int32Array.from(p)), how);
    assertEquals(await write({ temperature: 1e-9, topP: 1, samples: 1 }), greedy.map((text) => [...text]));
    assertEquals(await write({ topP: 1e-9, samples: 1 }), greedy.map((text) => [...text]));
  });

  Deno.test(`createPredictor() follows what it would write, and nothing else: ${name}`, async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("follows");
    const model = create(gpu);
    const predictor = createPredictor(gpu, model, plainForward, LONGEST);
    const prompts = promptsOf([5, 12, 1]).map((prompt) => Int32Array.from(prompt));
    const texts = await predictor.generate(prompts, { maxTokens: 7, stop: -1 });
    assertEquals(await predictor.follows(prompts, texts), [true, true, true]);
    for (const place of [0, 3, 6]) {
      const others = texts.map((text, row) =>
        row === 1 ? text.map((t, i) => i === place ? (t + 1) % 11 : t) : text
      );
      assertEquals(await predictor.follows(prompts, others), [true, false, true], `place ${place}`);
    }
    const room = model.writer!.room(12, LONGEST);
    const [whole] = await predictor.generate(prompts.slice(1, 2), { maxTokens: 100, stop: -1 });
    assertEquals(whole!.length, room);
    assertEquals(await predictor.follows(prompts.slice(1, 2), [whole!]), [true]);
    assertEquals(await predictor.follows(prompts.slice(1, 2), [Int32Array.of(...whole!, 0)]), [false]);
  });
}

Deno.test("createPredictor() writes in dispatches that repeat, with one wait for each token", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("work");
  const predictor = createPredictor(gpu, tinyDecoder(gpu), plainForward, TINY_DECODER.length);
  const prompts = promptsOf([5, 2, 8]).map((prompt) => Int32Array.from(prompt)),
    how = { maxTokens: 12, stop: -1 };
  await predictor.generate(prompts, how);
  await predictor.generate(prompts, how);
  gpu.resetWork();
  await predictor.generate(prompts, how);
  const { buffers, bindGroups, downloads } = gpu.work;
  assertEquals({ buffers, bindGroups, downloads }, { buffers: 0, bindGroups: 0, downloads: 12 });
});

Deno.test("createPredictor() refuses to write where it cannot, by name", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refusals");
  const refuses = async (
    predictor: Predictor,
    prompt: readonly number[],
    how: Partial<Generation>,
    message: string,
  ) =>
    void await assertRejects(
      () =>
        predictor.generate([Int32Array.of(1), Int32Array.from(prompt)], { maxTokens: 3, stop: 0, ...how }),
      Error,
      message,
    );
  const predictor = createPredictor(gpu, tinyDecoder(gpu), plainForward, TINY_DECODER.length);
  await refuses(predictor, [], {}, "Cannot continue prompt 1: it is empty");
  for (const maxTokens of [-1, 1.5, NaN]) {
    await refuses(predictor, [1], { maxTokens }, `maxTokens is ${maxTokens}, an integer from 0 is needed`);
  }
  const sampling = { temperature: 0, topP: 1, seed: 0 };
  await refuses(predictor, [1], { sampling }, "temperature is 0, a number above 0 is needed");
  await refuses(
    createPredictor(gpu, tinyVision(gpu), plainForward, 6),
    [1],
    {},
    "the model is for vision batches",
  );
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
  assertEquals([...await createPredictor(gpu, model, plainForward, 6).classify(batch)], plain);
  // Other weights at one target module: what a predictor with them says is what the model itself says once it has them.
  const targetModule = model.targetModules.at(-1)!;
  const other = createRandom(5).normal(targetModule.in * targetModule.out, 2);
  const merged = gpu.upload(other, "f32", [targetModule.out, targetModule.in], "merged");
  const found = [
    ...await createPredictor(gpu, model, (tape) => mergedForward(tape, new Map([[targetModule, merged]])), 6)
      .classify(batch),
  ];
  gpu.write(targetModule.weight.value, other);
  assertEquals(found, await best());
  assertEquals(found.every((value, i) => value === plain[i]), false);
});

Deno.test("createPredictor() tells classes, what follows and losses from logits that are too many to be there at once", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("many logits");
  // 64 rows are formed at once, of 90.
  const vocabulary = 131_100, longest = 30, given = 5;
  const config: DecoderConfig = {
    ...{ vocabulary, length: longest, width: 16, layers: 1, heads: 2, keyValueHeads: 1, headSize: 8 },
    ...{ hidden: 16, normEpsilon: 1e-5, ropeTheta: 10_000, tiedHead: true },
  };
  const model = createDecoder(gpu, config, initialWeights(createRandom(1))), forward = plainForward;
  const predictor = createPredictor(gpu, model, forward, longest);
  const texts = [0, 1, 2].map((i) => Int32Array.from(createRandom(i).integers(longest, 1000)));
  const prompts = texts.map((text) => text.slice(0, given)),
    rest = texts.map((text) => text.slice(given));
  const tokens = { data: Int32Array.from(texts.flatMap((text) => [...text])), shape: [3, longest] };
  const batch = { family: "decoder", tokens, targets: tokens } as const;
  const scores = model.logits(forward(new Tape(gpu, createGradients(gpu, []))), batch).value;
  const best = await gpu.download(argmax(gpu, scores));
  gpu.resetPeak();
  const before = gpu.memory.liveBytes;
  assertEquals([...await predictor.classify(batch)], [...best]);
  assertLess(gpu.memory.peakBytes - before, 2 ** 27, "bytes beside those of all logits");
  const foreseen = rest.map((_, row) => Int32Array.from([best[row * longest + given - 1]!]));
  assertEquals(await predictor.follows(prompts, foreseen), [true, true, true]);
  const losses = await predictor.losses(prompts, rest), all = await gpu.download(scores);
  rest.forEach((continuation, text) => {
    const wanted = [...continuation].map((token, i) => {
      const at = (text * longest + given - 1 + i) * vocabulary, own = all.subarray(at, at + vocabulary);
      const most = own.reduce((a, b) => Math.max(a, b));
      return most + Math.log(own.reduce((sum, score) => sum + Math.exp(score - most), 0)) - own[token]!;
    });
    const mean = wanted.reduce((sum, loss) => sum + loss, 0) / wanted.length;
    assertAlmostEquals(losses[text]!, mean, 1e-5 * mean);
  });
});

Deno.test("createPredictor() follows exactly what it would generate, whatever the lengths around", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("follows");
  const longest = TINY_DECODER.length,
    predictor = createPredictor(gpu, tinyDecoder(gpu), plainForward, longest);
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
  const predictor = createPredictor(gpu, counting(gpu), plainForward, 100);
  const prompts = Array.from({ length: 150 }, (_, i) => Int32Array.of(i % 9));
  const continuations = prompts.map(([first], i) => Int32Array.of(first! + 1 + (i % 7 === 0 ? 1 : 0)));
  assertEquals(await predictor.follows(prompts, continuations), prompts.map((_, i) => i % 7 !== 0));
});

Deno.test("inGroups() keeps the order, and takes as many together as 64 texts and 8,192 tokens allow", () => {
  const sizes = (tokens: number[]) => [...inGroups(tokens, (one) => one)].map(({ length }) => length);
  assertEquals(sizes([]), []);
  assertEquals(sizes(new Array(130).fill(128)), [64, 64, 2]);
  assertEquals(sizes(new Array(20).fill(1024)), [8, 8, 4]);
  // Each counts as the longest of its group, and one that is too long by itself is taken alone.
  assertEquals(sizes([10, 10, 4096, 10, 10, 9000, 10]), [2, 2, 1, 1, 1]);
  const mixed = Array.from({ length: 300 }, (_, i) => i * 37 % 3000);
  assertEquals([...inGroups(mixed, (one) => one)].flat(), mixed);
});

Deno.test("createPredictor() tells an encoder's classes and losses of texts, whatever the company, and none of too long ones", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("encoder");
  const entry = textClassifier({
    id: "bert",
    title: "BERT",
    config: {
      ...{ vocabulary: 17, width: 12, layers: 2, heads: 3, hidden: 20, length: 16, outputs: 3 },
      ...{ kind: "bert", activation: "gelu", normEpsilon: 1e-5, types: 2, paddingToken: 1 } as const,
    },
    recipe: null,
  });
  const model = entry.create(gpu, entry.initial(createRandom(5)));
  const texts = [3, 9, 16, 1, 12].map((length, i) =>
    Int32Array.from(createRandom(i).integers(length, 15), (token) => token + 2)
  );
  const predictor = createPredictor(gpu, model, plainForward, 16);
  const classes = (text: number) => [0, 1, 2].map((one) => [texts[text]!, Int32Array.of(one)] as const);
  const asked = [...texts.keys()].flatMap(classes);
  const prompts = asked.map(([text]) => text), answers = asked.map(([, one]) => one);
  // The last text has no tokens of the second kind.
  const kinds = texts.map(({ length }, i) =>
    i === 4 ? undefined : Int32Array.from({ length }, (_, at) => Number(2 * at > length))
  );
  const types = kinds.flatMap((own) => [own, own, own]);
  const losses = await predictor.losses(prompts, answers, types),
    follows = await predictor.follows(prompts, answers, types);
  for (const [i, text] of texts.entries()) {
    const batch: EncoderBatch = {
      family: "encoder",
      tokens: { data: text.slice(), shape: [1, text.length] },
      mask: { data: new Uint32Array(text.length).fill(1), shape: [1, text.length] },
      ...(kinds[i] && { types: { data: kinds[i], shape: [1, text.length] } }),
      targets: { data: Int32Array.of(0), shape: [1] },
    };
    const scores = await gpu.download(
      model.logits(plainForward(new Tape(gpu, createGradients(gpu, []))), batch).value,
    );
    const total = Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0));
    for (const [k, score] of scores.entries()) assertAlmostEquals(losses[3 * i + k]!, total - score, 1e-5);
    const best = scores.indexOf(Math.max(...scores));
    assertEquals(follows.slice(3 * i, 3 * i + 3), [0, 1, 2].map((one) => one === best));
    assertEquals(await predictor.classify(batch), Int32Array.of(best));
  }
  assertEquals(await predictor.follows([new Int32Array(17)], [Int32Array.of(0)]), [false]);
  await assertRejects(() => predictor.losses([new Int32Array(17)], [Int32Array.of(0)]), RangeError);
  await assertRejects(
    () => predictor.generate(texts, { maxTokens: 1, stop: 0 }),
    TypeError,
    "encoder batches",
  );
});
