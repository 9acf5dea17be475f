/**
 * @file What every task promises to models, to the loop and to reports. Tests hold what ships to it, `./run check FILE` a
 * task of one's own.
 */
import { assert, assertEquals, assertGreater, assertNotEquals, assertRejects } from "@std/assert";
import type { ModelEntry } from "../models/entry.ts";
import { type Batch, type HostTensor, IGNORE } from "../models/model.ts";
import type { Predictor, Task, TaskOptions } from "../tasks/task.ts";
import type { Check } from "./check.ts";

const options: TaskOptions = { seed: 1, trainExamples: 60, validationExamples: 20, testExamples: 30 };

/** What a batch asks a model to look at. */
function inputsOf(batch: Batch): HostTensor<"i32"> | HostTensor<"f32"> {
  switch (batch.family) {
    case "decoder":
    case "encoder":
      return batch.tokens;
    case "encoder-decoder":
      return batch.inputs;
    case "vision":
      return batch.pixels;
  }
}

/** The inputs of each row as text, so that rows can be compared. */
function rowsOf(batch: Batch): string[] {
  const { data, shape } = inputsOf(batch);
  const width = data.length / shape[0]!;
  return Array.from(
    { length: shape[0]! },
    (_, row) => data.subarray(row * width, (row + 1) * width).join(" "),
  );
}

/** A predictor that always answers the same and keeps what it was asked. */
function recorder(answer: number) {
  const asked: string[] = [];
  const predictor: Predictor = {
    classify(batch) {
      asked.push(...rowsOf(batch));
      return Promise.resolve(new Int32Array(batch.targets.data.length).fill(answer));
    },
    generate(prompts, { sampling }) {
      asked.push(...prompts.map((prompt) => prompt.join(" ")));
      const samples = sampling?.samples ?? 1;
      return Promise.resolve(Array.from({ length: prompts.length * samples }, () => Int32Array.of(answer)));
    },
    follows(prompts) {
      asked.push(...prompts.map((prompt) => prompt.join(" ")));
      return Promise.resolve(prompts.map((_, i) => i % 2 === 0));
    },
    losses(prompts) {
      asked.push(...prompts.map((prompt) => prompt.join(" ")));
      return Promise.resolve(Float32Array.from(prompts, (_, i) => i / 4));
    },
  };
  return { predictor, asked };
}

/**
 * Everything that a task promises.
 *
 * @param models those that there are
 * @param isCompared true for tasks that methods are compared on, false for the corpora of pre-training
 */
export function checksOfTask(task: Task, models: readonly ModelEntry[], isCompared = true): Check[] {
  const { id } = task, checks: Check[] = [];
  const check = (promise: string, hold: Check["hold"]) => checks.push({ promise, hold });

  check("at least one registered model is made for it", async () => {
    const { needs } = await task.load(options);
    const fitting = models.filter((model) =>
      model.family === needs.family && model.outputs === needs.outputs && model.inputSize >= needs.inputSize
    );
    assertGreater(fitting.length, 0);
    assertEquals(task.family === "vision", needs.family === "vision");
  });

  check("batches are a pure function of seed and step, whoever asks and in whatever order", async () => {
    const first = await task.load(options), second = await task.load(options);
    const batches = [1, 2, 3, 40].map((step) => first.trainBatch(step, 8));
    [40, 2, 3, 1].forEach((step, i) => {
      assertEquals(second.trainBatch(step, 8), batches[[3, 1, 2, 0][i]!]);
    });
    assertNotEquals(rowsOf(batches[0]!), rowsOf(batches[1]!));
    const other = await task.load({ ...options, seed: 2 });
    assertNotEquals(rowsOf(other.trainBatch(1, 8)), rowsOf(batches[0]!));
  });

  check(
    "what always answering the commonest class scores is told where answers are classes, and no less than chance",
    async () => {
      const { commonest } = await task.load(options), { chance } = task.metric;
      assertEquals(commonest !== undefined, chance > 0);
      for (const split of ["validation", "test"] as const) {
        assert(commonest === undefined || (commonest(split) >= chance && commonest(split) < 1), split);
      }
    },
  );

  check("a caller that writes into a batch spoils no other", async () => {
    const data = await task.load(options);
    const batch = data.trainBatch(1, 8), kept = structuredClone(batch);
    batch.targets.data.fill(0);
    inputsOf(batch).data.fill(0);
    assertEquals(data.trainBatch(1, 8), kept);
  });

  check("batches fit the needs: family, shapes, tokens, targets", async () => {
    const data = await task.load(options), { needs } = data;
    for (const batch of [data.trainBatch(1, 7), ...data.validationBatches(7)]) {
      assertEquals(batch.family, needs.family);
      assert(batch.targets.data.every((t) => t === IGNORE || (t >= 0 && t < needs.outputs)));
      assert(batch.targets.data.some((t) => t !== IGNORE));
      if (batch.family === "decoder") {
        const [rows, length] = batch.tokens.shape;
        assertEquals([batch.tokens.data.length, batch.targets.shape], [rows! * length!, [rows!, length!]]);
        assert(length! <= needs.inputSize);
        assert(batch.tokens.data.every((token) => token >= 0 && token < needs.outputs));
      } else if (batch.family === "encoder-decoder") {
        const [rows, length] = batch.inputs.shape;
        assertEquals([batch.inputs.data.length, batch.targets.shape[0]], [rows! * length!, rows!]);
        assertEquals(batch.inputMask.shape, batch.inputs.shape);
        assert(length! <= needs.inputSize);
        assert(batch.inputs.data.every((token) => token >= 0 && token < needs.outputs));
      } else if (batch.family === "encoder") {
        const [rows, length] = batch.tokens.shape;
        assertEquals([batch.tokens.data.length, batch.targets.shape], [rows! * length!, [rows!]]);
        assertEquals(batch.mask.shape, batch.tokens.shape);
        assert(length! <= needs.inputSize);
      } else {
        const [rows] = batch.pixels.shape;
        assertEquals(batch.pixels.shape.slice(2), [needs.inputSize, needs.inputSize]);
        assertEquals([batch.targets.shape, batch.targets.data.length], [[rows!], rows!]);
        assert(batch.pixels.data.every(Number.isFinite));
      }
    }
    assertEquals(data.trainBatch(1, 7).targets.shape[0], 7);
  });

  check(
    "validation batches are always the same, all examples once, whatever the seed and the size",
    async () => {
      const data = await task.load(options), other = await task.load({ ...options, seed: 9 });
      const rows = [...data.validationBatches(8)].flatMap(rowsOf);
      assertEquals(rows.length, options.validationExamples);
      assertEquals([...data.validationBatches(8)].flatMap(rowsOf), rows);
      assertEquals([...other.validationBatches(7)].flatMap(rowsOf), rows);
    },
  );

  check("train, validation and test share no example", async () => {
    const data = await task.load(options);
    const asked = async (split: "validation" | "test") => {
      const { predictor, asked } = recorder(0);
      await data.score(predictor, split);
      return asked;
    };
    const validation = new Set(await asked("validation")), test = new Set(await asked("test"));
    assertEquals([validation.size, test.size], [options.validationExamples, options.testExamples]);
    assertEquals(validation.intersection(test).size, 0);
    // Ten epochs: every training example comes up. A prompt is what a row of text begins with.
    const train = Array.from({ length: 60 }, (_, i) => rowsOf(data.trainBatch(i + 1, 10))).flat();
    for (const heldOut of [...validation, ...test]) {
      // Images are whole rows, texts their beginning.
      assert(
        !train.some((row) => `${row} `.startsWith(`${heldOut} `)),
        `${id}: ${heldOut.slice(0, 80)} is trained on`,
      );
    }
  });

  check("scores are one number in [0, 1] an example, in an order that no seed changes", async () => {
    const data = await task.load(options), other = await task.load({ ...options, seed: 9 });
    for (
      const [split, count] of [["validation", options.validationExamples], [
        "test",
        options.testExamples,
      ]] as const
    ) {
      const first = recorder(3), second = recorder(3);
      const scores = await data.score(first.predictor, split);
      assertEquals(scores.length, count);
      assert(scores.every((score) => score >= 0 && score <= 1));
      assertEquals(await other.score(second.predictor, split), scores);
      assertEquals(second.asked, first.asked);
    }
  });

  check(
    "measures are those that it lists, a finite value or pair for each example of the split",
    async () => {
      const data = await task.load(options), { measures: all = [] } = task;
      assertEquals(new Set(all.map(({ name }) => name)).size, all.length);
      assertEquals(data.measure !== undefined, all.length > 0);
      for (const split of ["validation", "test"] as const) {
        const measures = all.filter((measure) => (measure.split ?? split) === split);
        if (measures.length === 0) continue;
        const count = options[`${split}Examples`],
          found = await data.measure!(recorder(1).predictor, split);
        assertEquals(Object.keys(found).toSorted(), measures.map(({ name }) => name).toSorted());
        for (const { name, ofPairs } of measures) {
          const { values, labels } = found[name]!;
          assertEquals([values.length, labels?.length], [count, ofPairs && count], name);
          assert([...Array.from(values), ...Array.from(labels ?? [])].every(Number.isFinite), name);
        }
      }
    },
  );

  check("fewer examples are the first of more", async () => {
    const few = await task.load({ ...options, testExamples: 5, validationExamples: 5 }),
      many = await task.load(options);
    const asked = async (data: Awaited<ReturnType<Task["load"]>>) => {
      const { predictor, asked } = recorder(0);
      await data.score(predictor, "test");
      // A prompt may be asked about twice.
      return [...new Set(asked)];
    };
    assertEquals(await asked(few), (await asked(many)).slice(0, 5));
    const rows = [...many.validationBatches(5)].flatMap(rowsOf);
    assertEquals([...few.validationBatches(5)].flatMap(rowsOf), rows.slice(0, 5));
  });

  check("refuses more examples than there are, and steps and sizes below 1", async () => {
    for (const name of ["validationExamples", "testExamples"] as const) {
      const load = async () => await task.load({ ...options, [name]: 1e9 });
      await assertRejects(load, RangeError, `Cannot take 1000000000`);
    }
    const data = await task.load(options);
    for (const [step, size] of [[0, 4], [1, 0], [1.5, 4]] as const) {
      let refused = false;
      try {
        data.trainBatch(step, size);
      } catch (error) {
        refused = error instanceof RangeError;
      }
      assert(refused, `step ${step}, size ${size}`);
    }
  });

  if (!isCompared) return checks;

  check(
    "batches of test examples, where it has them, are the slice's, and slices go round where the pool ends",
    async () => {
      const loadSlice = (testSlice?: number, seed = 1) =>
        task.load({ ...options, seed, ...(testSlice !== undefined && { testSlice }) });
      const rowsIn = async (testSlice?: number, seed = 1) =>
        [...(await loadSlice(testSlice, seed)).testBatches!(7)].flatMap(rowsOf);
      const asked = async (testSlice?: number) => {
        const { predictor, asked } = recorder(0);
        await (await loadSlice(testSlice)).score(predictor, "test");
        return [...new Set(asked)];
      };
      const { testExamples } = options, { testPool, testBatches } = await loadSlice();
      if (testPool === undefined && !testBatches) return;
      assert(testPool !== undefined && testPool >= 3 * testExamples, `a pool of ${testPool}`);
      const rows = await rowsIn();
      assertEquals(rows.length, testExamples);
      assertEquals(await rowsIn(undefined, 9), rows);
      assertEquals(await rowsIn(0), rows);
      const [first, second] = [await asked(0), await asked(1)];
      assertEquals([first.length, second.length], [testExamples, testExamples]);
      assertEquals(new Set(first).intersection(new Set(second)).size, 0);
      assertNotEquals(await rowsIn(1), rows);
      // As far as it takes for some slice to begin where the first does.
      assertEquals(await asked(testPool), first);
      assertEquals(await rowsIn(testPool), rows);
    },
  );

  check("ships settings: a model that is made for it, and no more examples than there are", async () => {
    const { shipped } = task;
    assert(shipped, "sweeps of all tasks can't run it");
    const { model, steps, batchSize, ...amounts } = shipped;
    const entry = models.find((known) => known.id === model);
    assert(entry, `there is no model "${model}"`);
    const { needs } = await task.load({ seed: 0, ...amounts });
    assertEquals([entry.family, entry.outputs], [needs.family, needs.outputs]);
    assert(entry.inputSize >= needs.inputSize);
    assert([steps, batchSize].every((value) => Number.isInteger(value) && value >= 1));
  });

  return checks;
}
