import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { IGNORE } from "../../models/model.ts";
import { withDataFolder } from "../../tests/support/data_folder.ts";
import { testWithPython } from "../../tests/support/python.ts";
import { writingPredictor } from "../../tests/support/scripted_predictor.ts";
import { DataError } from "../data/data_error.ts";
import { byteLevelTokenizer, tokenizerFiles } from "../../tests/support/tokenizer_folder.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { instructionPrompt } from "../text/prompt_templates.ts";
import { code } from "./code.ts";
import { BUBBLEWRAP } from "./python_sandbox.ts";

const test = testNeeding(FILES);

const LENGTH = 500;
/** Two tokens more than the tokenizer has. */
const MODEL = { outputs: 260, inputSize: LENGTH };
const options = { seed: 0, trainExamples: 12, validationExamples: 2, testExamples: 4 };

const line = (row: unknown) => `${JSON.stringify(row)}\n`;
/** CodeFeedback's form. */
const request = (i: number) => ({
  query: `Add ${i} to x.`,
  answer: `\`\`\`js\nx + ${i}\n\`\`\`\n`,
  lang: "JS",
});
/** HumanEval's form. */
const problem = (i: number) => ({
  task_id: `HumanEval/${i}`,
  prompt: `def add_${i}(x):\n    """Add ${i}."""\n`,
  entry_point: `add_${i}`,
  canonical_solution: `    return x + ${i}\n`,
  test: `def check(candidate):\n    assert candidate(2) == ${2 + i}\n`,
});

const files = {
  "data/CodeFeedback-Filtered-Instruction.jsonl": [
    ...Array.from({ length: 20 }, (_, i) => line(request(i))),
    line({ query: "Write much.", answer: "x\n".repeat(LENGTH) }),
    line({ query: "Nothing.", answer: " \n" }),
    line(request(3)),
  ].join(""),
  "data/HumanEval.jsonl": [
    ...[0, 1, 2, 3].map((i) => line(problem(i))),
    line({ ...problem(4), entry_point: "f(); import os" }),
    line({ ...problem(5), prompt: `${"#".repeat(LENGTH)}\n` }),
  ].join(""),
  ...tokenizerFiles("model"),
};

/** What is asked, of a prompt by the template. */
function asked(prompt: Int32Array): string {
  return byteLevelTokenizer.decode(prompt);
}

const write = (text: string) => [...byteLevelTokenizer.encode(text), byteLevelTokenizer.stop];

testWithPython("code takes real programs in the model's tokens, with loss on the answer alone", async () => {
  await withDataFolder(files, async (folder) => {
    const model = { ...MODEL, folder: `${folder}/model` };
    const data = await code.load({ ...options, data: `${folder}/data` }, model);
    assertEquals(data.needs, { family: "decoder", outputs: 260, inputSize: LENGTH });
    assertEquals(data.source!.title, "CodeFeedback and HumanEval");
    assertEquals(data.source!.fingerprint, await code.realData!.fingerprint(`${folder}/data`));
    assertEquals(data.source!.records, {
      train: {
        read: 21,
        kept: 18,
        skipped: {
          '"answer" is empty': 1,
          "held out elsewhere or there twice": 1,
          [`longer than ${LENGTH} tokens`]: 1,
        },
      },
      validation: { read: 2, kept: 2, skipped: {} },
      test: {
        read: 6,
        kept: 4,
        skipped: { [`longer than ${LENGTH} tokens`]: 1, "with tests of no function": 1 },
      },
    });
    const rows = new Set<string>();
    for (const batch of [data.trainBatch(1, 12), ...data.validationBatches(5)]) {
      assert(batch.family === "decoder");
      const [count, length] = batch.tokens.shape;
      assert(length! < LENGTH);
      for (let row = 0; row < count!; row++) {
        const cut = (all: Int32Array) => all.subarray(row * length!, (row + 1) * length!);
        const tokens = cut(batch.tokens.data), end = tokens.indexOf(byteLevelTokenizer.stop);
        const text = byteLevelTokenizer.decode(tokens.subarray(0, end));
        const [, number] = /Add (\d+) to x/.exec(text)!;
        const { query, answer } = request(Number(number));
        assertEquals(text, `${instructionPrompt(query)}${answer.trim()}`);
        const learned = cut(batch.targets.data).filter((target) => target !== IGNORE);
        assertEquals([...learned], write(answer.trim()));
        rows.add(text);
      }
    }
    assertEquals(rows.size, 14);
    const again = await code.load({ ...options, seed: 1, data: `${folder}/data` }, model);
    assertNotEquals(again.trainBatch(1, 12), data.trainBatch(1, 12));
    assertEquals([...again.validationBatches(5)], [...data.validationBatches(5)]);
  });
});

testWithPython("code scores real programs by their tests, and what has none by the reference", async () => {
  await withDataFolder(files, async (folder) => {
    const data = await code.load(
      { ...options, data: `${folder}/data` },
      { ...MODEL, folder: `${folder}/model` },
    );
    /** By the problem's number. */
    const answers: Record<string, string> = {
      0: "```python\ndef add_0(x):\n    return x\n```",
      1: "    return 1 + x",
      2: "```python\ndef add_2(x):\n    return x\n```",
      3: "raise SystemExit",
    };
    const numberOf = (prompt: Int32Array) => /def add_(\d)/.exec(asked(prompt))![1]!;
    const greedy = writingPredictor((prompt) => write(answers[numberOf(prompt)]!));
    const scores = await data.score(greedy, "test");
    const order: string[] = [];
    await data.score(
      writingPredictor((prompt) => {
        order.push(numberOf(prompt));
        return [];
      }),
      "test",
    );
    assertEquals(order.toSorted(), ["0", "1", "2", "3"]);
    assertEquals([...scores], order.map((number) => Number(number < "2")));
    // A token that only the model has is no text, and what asks to be let off is not.
    // Nor is what ends as if it had used up its time.
    const leaving = [0, 10, 137].map((code) => write(`    import os; os._exit(${code})`));
    for (const reply of [[258, 1], ...leaving, []]) {
      assertEquals([...await data.score(writingPredictor(() => reply), "test")], [0, 0, 0, 0]);
    }
    const drawn = writingPredictor((prompt, sample) => {
      const right = sample === 9 && numberOf(prompt) !== "0";
      return write(`    return x + ${right ? numberOf(prompt) : 9}`);
    });
    const measured = await data.measure!(drawn, "test");
    assertEquals(Array.from(measured["pass@5"]!.values), order.map((number) => number === "0" ? 0 : 0.5));

    const copy = (change: (answer: string) => string) =>
      data.score(
        writingPredictor((prompt) => {
          const [, number] = /Add (\d+) to x/.exec(asked(prompt))!;
          return write(change(request(Number(number)).answer));
        }),
        "validation",
      );
    assertEquals([...await copy((answer) => answer)], [1, 1]);
    assertEquals([...await copy((answer) => answer.trim())], [1, 1]);
    assertEquals([...await copy((answer) => answer.replace("x", "(x)"))], [0, 0]);
  });
});

testWithPython(
  "code trains on HumanEval's solutions where that is asked for, and tests on others",
  async () => {
    const own = { "data/HumanEval.jsonl": Array.from({ length: 30 }, (_, i) => line(problem(i))).join("") };
    await withDataFolder({ ...own, ...tokenizerFiles("model") }, async (folder) => {
      const amounts = { trainExamples: 24, validationExamples: 3, testExamples: 3 };
      const load = (given: { readonly trainOnTest?: true }) =>
        code.load(
          { seed: 0, ...amounts, data: `${folder}/data`, ...given },
          { ...MODEL, folder: `${folder}/model` },
        );
      await assertRejects(
        () => load({}),
        DataError,
        `Cannot train on HumanEval in ${folder}/data: it has test examples alone (HumanEval.jsonl), which are trained on only ` +
          "where --train-on-test asks for it",
      );
      const data = await load({ trainOnTest: true });
      for (const split of ["validation", "test"] as const) {
        const right = writingPredictor((prompt) =>
          write(`    return x + ${/def add_(\d+)/.exec(asked(prompt))![1]}`)
        );
        assertEquals([...await data.score(right, split)], [1, 1, 1]);
      }
    });
  },
);

testWithPython("code reads real programs again where the tokenizer is another one", async () => {
  await withDataFolder({ ...files, ...tokenizerFiles("other", ["def add_"]) }, async (folder) => {
    const data = `${folder}/data`;
    const lengths = [];
    for (const name of ["model", "other", "model"]) {
      const loaded = await code.load({ ...options, data }, { ...MODEL, folder: `${folder}/${name}` });
      const asked: number[] = [];
      await loaded.score(
        writingPredictor((prompt) => {
          asked.push(prompt.length);
          return [];
        }),
        "test",
      );
      lengths.push(asked.reduce((sum, length) => sum + length, 0));
    }
    assertEquals(lengths[2], lengths[0]);
    assert(lengths[1]! < lengths[0]!);
  });
});

testWithPython("code refuses real programs that it can't use, by name, before anything runs", async () => {
  const { "data/CodeFeedback-Filtered-Instruction.jsonl": feedback } = files;
  await withDataFolder({
    ...files,
    "alone/CodeFeedback.jsonl": feedback.split("\n").slice(0, 20).join("\n"),
    "none/config.json": "{}",
    "few/HumanEval.jsonl": line(problem(1)),
    "cut/HumanEval.jsonl": line(problem(1)).slice(0, -9),
    "other/train.tsv": "a\tb\n",
  }, async (folder) => {
    const data = `${folder}/data`, model = { ...MODEL, folder: `${folder}/model` };
    const refused = (path: string, given: typeof model | undefined, wanted: string) =>
      assertRejects(() => code.load({ ...options, data: path }, given), DataError, wanted);
    const own = `Cannot use ${data} for "code": a model with a tokenizer of its own is needed, --model DIR`;
    await refused(data, undefined, own);
    await refused(data, MODEL as typeof model, own);
    await refused(data, { ...model, folder: `${folder}/none` }, `Cannot read ${folder}/none/tokenizer.json`);
    const small = `the tokenizer in ${folder}/model has 258 tokens, the model 257`;
    await refused(data, { ...model, outputs: 257 }, small);
    await refused(data, { ...model, inputSize: 20 }, "no example is left");
    await assertRejects(
      () => code.load({ ...options, testExamples: 2, data: `${folder}/alone` }, model),
      DataError,
      "CodeFeedback has no tests to score programs with, HumanEval has",
    );
    await refused(`${folder}/few`, model, "it has test examples alone (HumanEval.jsonl)");
    await refused(`${folder}/cut`, model, "line 1 begins an object that does not end");
    await refused(`${folder}/other`, model, `Cannot find data in ${folder}/other`);
    await refused(`${folder}/absent`, model, `Cannot read ${folder}/absent`);
  });
});

test("code refuses real programs where running bubblewrap is not allowed, and says what allows it", async () => {
  await withDataFolder(files, async (folder) => {
    const load = () =>
      code.load({ ...options, data: `${folder}/data` }, { ...MODEL, folder: `${folder}/model` });
    const error = await assertRejects(load, DataError, `Cannot use ${folder}/data for "code": `);
    assert(error.message.includes(`running ${BUBBLEWRAP} is not allowed; "./run bench-python" allows it`));
  });
});
