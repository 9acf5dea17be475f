import { assert, assertEquals, assertGreater, assertRejects, assertStrictEquals } from "@std/assert";
import { DataError } from "../data/data_error.ts";
import type { TaskModel } from "../task.ts";
import { understandingBase } from "./understanding_base.ts";
import { wordSenses } from "./word_senses.ts";
import { loadSynsets, LONGEST_GLOSS, NOUN_KINDS, VERB_KINDS } from "./wordnet.ts";
import { withDataFolder } from "../../tests/support/data_folder.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { wordPieceFiles } from "../../tests/support/tokenizer_folder.ts";
import { encodeWords, END, PADDING, SPECIAL, splitWords } from "./words.ts";

Deno.test("loadSynsets() reads synsets as WordNet has them", async () => {
  const { pretraining, fineTuning } = await loadSynsets();
  const all = [...pretraining.nouns, ...pretraining.verbs, ...[...fineTuning.values()].flat()];
  const find = (word: string, kind: string) =>
    all.filter((one) => one.kind === kind && one.words.includes(word));
  // data.noun: 00039601 04 n 01 collision_course … | a course of action (following a given idea) that will lead to …
  const [course] = find("collision_course", "act");
  assertEquals(course?.gloss, "a course of action that will lead to conflict if it continues unabated");
  for (const { words, gloss } of all) {
    const { length } = splitWords(gloss);
    assert(words.length > 0 && length >= 3 && length <= LONGEST_GLOSS, gloss);
    assert(!/[;"()]/.test(gloss), gloss);
  }
});

Deno.test("loadSynsets() has no word and no gloss both for pre-training and for fine-tuning", async () => {
  const { pretraining, fineTuning } = await loadSynsets();
  const seen = [...pretraining.nouns, ...pretraining.verbs], task = [...fineTuning.values()].flat();
  const wordsOf = (list: typeof seen) => new Set(list.flatMap(({ words }) => words));
  const glossesOf = (list: typeof seen) => new Set(list.map(({ gloss }) => gloss));
  assertEquals(wordsOf(seen).intersection(wordsOf(task)).size, 0);
  assertEquals(glossesOf(seen).intersection(glossesOf(task)).size, 0);
  assertEquals(glossesOf([...seen, ...task]).size, seen.length + task.length);
  assertGreater(pretraining.nouns.length, 20000);
  assertGreater(pretraining.verbs.length, 5000);
});

Deno.test("loadSynsets() knows the kinds: each has synsets, and what is in it is of that kind", async () => {
  const { pretraining, fineTuning } = await loadSynsets();
  assertEquals([...fineTuning.keys()], [...NOUN_KINDS]);
  for (const [kind, synsets] of fineTuning) {
    assertGreater(synsets.length, 500, kind);
    assert(synsets.every((synset) => synset.kind === kind));
  }
  assertEquals(new Set(pretraining.verbs.map(({ kind }) => kind)), new Set(VERB_KINDS));
});

Deno.test("loadSynsets() reads the files once", async () => {
  assertStrictEquals(await loadSynsets(), await loadSynsets());
});

Deno.test("word-senses: classes take turns in every pool, and no row of the corpus has a gloss of it", async () => {
  const { fineTuning } = await loadSynsets();
  const data = await wordSenses.load({
    seed: 0,
    trainExamples: 38,
    validationExamples: 38,
    testExamples: 38,
  });
  const [batch] = data.validationBatches(38);
  const answers = Array.from({ length: 38 }, (_, row) => batch!.targets.data[2 * row]);
  assertEquals(answers, [...NOUN_KINDS, ...NOUN_KINDS].map((kind) => encodeWords(kind)[0]));
  const glosses = new Set([...fineTuning.values()].flat().map(({ gloss }) => encodeWords(gloss).join(" ")));
  const corpus = await understandingBase.load({
    seed: 1,
    trainExamples: 1,
    validationExamples: 1,
    testExamples: 1,
  });
  const start = encodeWords("wordnet verb:").join(" ");
  let asked = 0;
  for (let step = 1; step <= 20; step++) {
    const rows = corpus.trainBatch(step, 32);
    if (rows.family !== "encoder-decoder") throw new TypeError(rows.family);
    const [count, length] = rows.inputs.shape as [number, number];
    for (let row = 0; row < count; row++) {
      const tokens = [...rows.inputs.data.subarray(row * length, (row + 1) * length)];
      const text = tokens.slice(0, tokens.indexOf(END)).join(" ");
      if (!text.startsWith(start)) continue;
      asked++;
      // Other glosses may be alike once rare words are classes.
      if (tokens.some((token) => token !== PADDING && token !== END && token < SPECIAL.length)) continue;
      assert(!glosses.has(text.slice(start.length + 1)), text);
    }
  }
  assertGreater(asked, 30);
});

testNeeding(FILES)(
  "word-senses: an encoder reads the gloss alone and gives it one of the classes, and texts that are too long are refused",
  async () => {
    const options = { seed: 0, trainExamples: 38, validationExamples: 19, testExamples: 19 };
    await withDataFolder(wordPieceFiles("bert", ["small", "tree", "of"]), async (folder) => {
      const model = {
        family: "encoder",
        outputs: 2,
        vocabulary: 128,
        inputSize: 256,
        folder: `${folder}/bert`,
      };
      const data = await wordSenses.load(options, model as TaskModel);
      assertEquals([data.needs.family, data.needs.outputs], ["encoder", NOUN_KINDS.length]);
      const [batch] = data.validationBatches(19);
      assert(batch?.family === "encoder");
      assertEquals([...batch.targets.data], [...NOUN_KINDS.keys()]);
      const [length] = batch.tokens.shape.slice(1);
      assert(length! <= 256 && batch.mask.data.some((seen) => seen === 0));
      await assertRejects(
        () => wordSenses.load(options, { ...model, inputSize: 4 } as TaskModel),
        DataError,
        "the model takes 4",
      );
    });
  },
);
