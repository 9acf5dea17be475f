/**
 * @file What every model promises to methods, tasks and the loop. Tests hold what ships to it, `./run check FILE` a model of
 * one's own.
 */
import { assert, assertEquals, assertGreater, assertLess, assertThrows } from "@std/assert";
import { createGradients, Tape } from "../autodiff/mod.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { pretrainedPath, pretrainedWeights } from "../models/base_weights.ts";
import type { ModelEntry } from "../models/entry.ts";
import type { Batch, Forward, Model } from "../models/model.ts";
import { createRandom } from "../numerics/random.ts";
import * as corpora from "../tasks/pretraining.ts";
import { differentiate, splitBatch } from "../training/loop/differentiate.ts";
import { checkpointedForward, type ForwardOf, plainForward } from "../training/loop/forward.ts";
import { assertClose } from "./assert_close.ts";
import type { Check } from "./check.ts";

/** A batch of the corpus that a model is pretrained on, or of random texts where it has none. */
async function batchFor(entry: ModelEntry): Promise<Batch> {
  const { recipe } = entry;
  if (!recipe) return randomBatch(entry);
  const corpus = Object.values(corpora).find(({ id }) => id === recipe.task)!;
  const data = await corpus.load({ seed: 0, trainExamples: 50, validationExamples: 5, testExamples: 5 });
  return data.trainBatch(1, 4);
}

/** Random inputs, four rows of them, with a target each. */
function randomBatch({ family, outputs, inputSize, vision, vocabulary = outputs }: ModelEntry): Batch {
  const random = createRandom(1), rows = 4, length = Math.min(inputSize, 11);
  const draw = (label: string, count: number) =>
    Int32Array.from(random.fork(label).integers(count, label === "inputs" ? vocabulary : outputs));
  const texts = (label: string) => ({ data: draw(label, rows * length), shape: [rows, length] });
  switch (family) {
    case "decoder":
      return { family, tokens: texts("inputs"), targets: texts("targets") };
    case "encoder-decoder": {
      const inputMask = { data: new Uint32Array(rows * length).fill(1), shape: [rows, length] };
      return {
        family,
        inputs: texts("inputs"),
        inputMask,
        targets: { data: draw("targets", rows * 2), shape: [rows, 2] },
      };
    }
    case "encoder": {
      const mask = { data: new Uint32Array(rows * length).fill(1), shape: [rows, length] };
      return {
        family,
        tokens: texts("inputs"),
        mask,
        targets: { data: draw("targets", rows), shape: [rows] },
      };
    }
    case "vision": {
      const shape = [rows, vision?.channels ?? 1, inputSize, inputSize],
        count = shape.reduce((a, b) => a * b);
      return {
        family,
        pixels: { data: random.fork("pixels").normal(count, 1), shape },
        targets: { data: draw("targets", rows), shape: [rows] },
      };
    }
  }
}

/** A model with random weights and a batch for it; nothing outlives `body`. */
async function withModel<T>(
  gpu: Gpu,
  entry: ModelEntry,
  body: (model: Model, batch: Batch) => Promise<T>,
): Promise<T> {
  using _ = gpu.scope("model");
  const batch = await batchFor(entry);
  return await body(entry.create(gpu, entry.initial(createRandom(1))), batch);
}

/** The batch with inputs that the model does not take. */
function tooLarge(batch: Batch, { inputSize }: ModelEntry): Batch {
  const tokens = { data: new Int32Array(inputSize + 1), shape: [1, inputSize + 1] };
  switch (batch.family) {
    case "decoder":
    case "encoder":
      return { ...batch, tokens };
    case "encoder-decoder":
      return { ...batch, inputs: tokens };
    case "vision":
      return { ...batch, pixels: { data: new Float32Array(2 * 9 * 9), shape: [2, 1, 9, 9] } };
  }
}

/** Everything that a model promises. Builds it: one that is too large for the GPU fails by that. */
export function checksOfModel(entry: ModelEntry): Check[] {
  const { id, recipe } = entry, checks: Check[] = [];
  const check = (promise: string, hold: Check["hold"]) => checks.push({ promise, hold });

  check("the lists of parameters and target modules agree with what is created, in order", async (gpu) => {
    await withModel(gpu, entry, (model) => {
      assertEquals(model.parameters.map(({ name, value }) => ({ name, shape: value.shape })), [
        ...entry.parameters,
      ]);
      assertEquals(model.targetModules.map(({ name, in: inputs, out }) => ({ name, in: inputs, out })), [
        ...entry.targetModules(),
      ]);
      assertEquals(model.family, entry.family);
      return Promise.resolve();
    });
  });

  check(
    "names are unique, and target modules and head consist of the model's own parameters",
    async (gpu) => {
      await withModel(gpu, entry, (model) => {
        const { parameters, targetModules, head } = model;
        for (const names of [parameters.map(({ name }) => name), targetModules.map(({ name }) => name)]) {
          assertEquals(new Set(names).size, names.length);
        }
        for (const { weight, bias, in: inputs, out, name } of targetModules) {
          assert(parameters.some((parameter) => parameter === weight), name);
          assertEquals(weight.value.shape, [out, inputs]);
          if (bias) assert(parameters.includes(bias) && bias.value.shape[0] === out, name);
        }
        for (const parameter of head) assert(parameters.includes(parameter), parameter.name);
        assertGreater(targetModules.length, 0);
        return Promise.resolve();
      });
    },
  );

  check("asks its source for each parameter once, by name and shape", (gpu) => {
    using _ = gpu.scope("source");
    const asked: { name: string; shape: readonly number[] }[] = [];
    const source = entry.initial(createRandom(1));
    entry.create(gpu, (name, shape) => {
      asked.push({ name, shape });
      return source(name, shape);
    });
    assertEquals(asked, [...entry.parameters]);
  });

  check("gives a score for each target and output, finite", async (gpu) => {
    await withModel(gpu, entry, async (model, batch) => {
      const { value } = model.logits(plainForward(new Tape(gpu, createGradients(gpu, []))), batch);
      assertEquals(value.shape, [batch.targets.data.length, entry.outputs]);
      assert((await gpu.download(value)).every(Number.isFinite));
    });
  });

  check("puts every target module and nothing else through linear(), once a pass", async (gpu) => {
    await withModel(gpu, entry, (model, batch) => {
      const forward = plainForward(new Tape(gpu, createGradients(gpu, [])));
      const seen: string[] = [];
      const watched: Forward = {
        tape: forward.tape,
        linear(targetModule, x) {
          seen.push(targetModule.name);
          assertEquals(x.value.shape.at(-1), targetModule.in, targetModule.name);
          return forward.linear(targetModule, x);
        },
        block: (inputs, body) => body(watched, inputs),
      };
      model.logits(watched, batch);
      assertEquals(seen.toSorted(), model.targetModules.map(({ name }) => name).toSorted());
      return Promise.resolve();
    });
  });

  check("a gradient reaches every parameter, and it is finite", async (gpu) => {
    await withModel(gpu, entry, async (model, batch) => {
      const store = createGradients(gpu, model.parameters);
      const seed = gpu.upload(Float32Array.of(1), "f32", [1], "seed");
      const loss = differentiate(gpu, model, batch, store, { parts: 1, seed, forward: plainForward });
      const gradients = await gpu.downloadAll(model.parameters.map((parameter) => store.of(parameter)));
      gradients.forEach((gradient, i) => {
        assert(gradient.every(Number.isFinite), model.parameters[i]!.name);
        // A bias of keys adds the same to all scores of a query, which softmax ignores: rounding is all that is left.
        if (/k_proj\.bias$/.test(model.parameters[i]!.name)) return;
        assert(gradient.some((value) => value !== 0), model.parameters[i]!.name);
      });
      // Random weights: about the loss of guessing.
      const [[found]] = await gpu.downloadAll([loss]) as [Float32Array];
      assert(Math.abs(found! - Math.log(entry.outputs)) < 1, String(found));
    });
  });

  check(
    "gradients have the same bits where blocks are computed again, and the peak is lower",
    async (gpu) => {
      await withModel(gpu, entry, async (model, batch) => {
        const store = createGradients(gpu, model.parameters);
        const seed = gpu.upload(Float32Array.of(1), "f32", [1], "seed");
        const measure = async (forward: ForwardOf) => {
          store.clear();
          gpu.resetPeak();
          const before = gpu.memory.liveBytes;
          const loss = differentiate(gpu, model, batch, store, { parts: 1, seed, forward });
          const peak = gpu.memory.peakBytes - before;
          return {
            peak,
            bits: await gpu.downloadAll([loss, ...model.parameters.map((parameter) => store.of(parameter))]),
          };
        };
        const kept = await measure(plainForward), again = await measure(checkpointedForward(plainForward));
        assertEquals(again.bits, kept.bits);
        assertLess(again.peak, kept.peak);
      });
    },
  );

  check("the gradient is the slope of the loss along it", async (gpu) => {
    await withModel(gpu, entry, async (model, batch) => {
      const store = createGradients(gpu, model.parameters);
      const seed = gpu.upload(Float32Array.of(1), "f32", [1], "seed");
      const lossNow = async () => {
        store.clear();
        const loss = differentiate(gpu, model, batch, store, { parts: 1, seed, forward: plainForward });
        return (await gpu.download(loss))[0]!;
      };
      await lossNow();
      const gradients = await gpu.downloadAll(model.parameters.map((parameter) => store.of(parameter)));
      const values = await gpu.downloadAll(model.parameters.map(({ value }) => value));
      const squared = gradients.reduce((sum, gradient) => sum + gradient.reduce((s, g) => s + g * g, 0), 0);
      const at = async (step: number) => {
        model.parameters.forEach(({ value }, i) => {
          gpu.write(value, values[i]!.map((v, j) => v + step * gradients[i]![j]!));
        });
        return await lossNow();
      };
      // Moves of length 0.002 up and down: the third derivative's share is 3e-4 (embeddings are small, so norms bend
      // fast), and f32 losses of 4, which resolve 5e-7, add 1e-4.
      const step = 0.002 / Math.sqrt(squared);
      assertClose([(await at(step) - await at(-step)) / (2 * step)], [squared], { relative: 1e-3 });
    });
  });

  check("rows of a batch do not see each other", async (gpu) => {
    await withModel(gpu, entry, async (model, batch) => {
      const logitsOf = async (some: Batch) => {
        const tape = new Tape(gpu, createGradients(gpu, []));
        return await gpu.download(model.logits(plainForward(tape), some).value);
      };
      const together = await logitsOf(batch);
      const apart: number[] = [];
      for (const row of splitBatch(batch, batch.targets.shape[0]!)) apart.push(...await logitsOf(row));
      // Other shapes may take other tiles, whose sums round otherwise.
      assertClose(apart, together, { relative: 1e-5 });
    });
  });

  check("refuses inputs of another size", async (gpu) => {
    await withModel(gpu, entry, (model, batch) => {
      assertThrows(
        () => model.logits(plainForward(new Tape(gpu, createGradients(gpu, []))), tooLarge(batch, entry)),
        RangeError,
        "Cannot r",
      );
      return Promise.resolve();
    });
  });

  if (!recipe) return checks;

  check("the corpus of its recipe fits it", async () => {
    const corpus = Object.values(corpora).find((candidate) => candidate.id === recipe.task);
    assert(corpus, `Cannot find corpus "${recipe.task}" of "${id}"`);
    const { needs } = await corpus.load({
      seed: 0,
      trainExamples: 1,
      validationExamples: 1,
      testExamples: 1,
    });
    assertEquals([needs.family, needs.outputs], [entry.family, entry.outputs]);
    assert(needs.inputSize <= entry.inputSize);
  });

  checks.push({
    promise: "its checkpoint fits, is below 2 MiB where it ships, and is better than guessing on its corpus",
    reads: true,
    async hold(gpu) {
      const { size } = await Deno.stat(pretrainedPath(entry));
      // Of one's own it may be as large as one likes.
      if (!entry.checkpoint) assertLess(size, 2 * 1024 * 1024);
      using _ = gpu.scope("checkpoint");
      const model = entry.create(gpu, await pretrainedWeights(entry));
      const corpus = Object.values(corpora).find((candidate) => candidate.id === recipe.task)!;
      const data = await corpus.load({ seed: 0, trainExamples: 50, validationExamples: 32, testExamples: 1 });
      const [batch] = data.validationBatches(32);
      const seed = gpu.upload(Float32Array.of(1), "f32", [1], "seed");
      const loss = differentiate(gpu, model, batch!, createGradients(gpu, []), {
        parts: 1,
        seed,
        forward: plainForward,
      });
      assertLess((await gpu.download(loss))[0]!, 0.6 * Math.log(entry.outputs));
    },
  });

  return checks;
}
