import { assert, assertEquals } from "@std/assert";
import { parquetWriteBuffer } from "hyparquet-writer";
import { collect, gzip, withDataFolder } from "../../tests/support/data_folder.ts";
import { testOnPublic } from "../../tests/support/public_files.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import type { TaskFamily } from "../task.ts";
import { findData } from "./load.ts";

const test = testNeeding(FILES);

/** Titles, and the examples of each part by its role, of a folder with these files. */
async function found(family: TaskFamily, files: Readonly<Record<string, string | Uint8Array>>) {
  const parts: Record<string, unknown[]> = {};
  let titles: readonly string[] = [];
  await withDataFolder(files, async (path) => {
    const data = await findData(family, path);
    titles = data.titles;
    for (const { role, read } of data.parts) parts[role] = await collect(read());
  });
  return { titles, parts };
}

test("CoLA is read without a header, and its test file without labels is left alone", async () => {
  const { titles, parts } = await found("understanding", {
    "CoLA/train.tsv": "gj04\t1\t\tOur friends won't \"buy this.\r\ngj04\t0\t*\tThe car honked down.\r\n",
    "CoLA/dev.tsv": "gj04\t1\t\tHe left.\n",
    "CoLA/test.tsv": "index\tsentence\n0\tBill.\n",
  });
  assertEquals(titles, ["CoLA"]);
  const labels = ["unacceptable", "acceptable"];
  assertEquals(parts, {
    train: [
      { texts: ["Our friends won't \"buy this."], label: 1, labels, dataSet: "cola" },
      { texts: ["The car honked down."], label: 0, labels, dataSet: "cola" },
    ],
    test: [{ texts: ["He left."], label: 1, labels, dataSet: "cola" }],
  });
});

test("the other five of GLUE are told apart by their headers, and their labels read by name or number", async () => {
  const mnliHeader = "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\t" +
    "sentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label\n";
  const sets: [string, string, string, unknown][] = [
    ["SST-2", "train.tsv", "sentence\tlabel\na bore \t0\n", {
      texts: ["a bore "],
      label: 0,
      dataSet: "sst2",
    }],
    [
      "MRPC",
      "train.tsv",
      '\uFEFFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\tHe said "so.\tSo he said.\n',
      { texts: ['He said "so.', "So he said."], label: 1, dataSet: "mrpc" },
    ],
    [
      "MRPC",
      "msr_paraphrase_train.txt",
      "\uFEFFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n0\t7\t8\ta\tb\r\n",
      { texts: ["a", "b"], label: 0, dataSet: "mrpc" },
    ],
    [
      "QNLI",
      "train.tsv",
      "index\tquestion\tsentence\tlabel\n0\tWho?\tShe.\tnot_entailment\n",
      { texts: ["Who?", "She."], label: 1, dataSet: "qnli" },
    ],
    [
      "RTE",
      "train.tsv",
      "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n",
      { texts: ["a", "b"], label: 0, dataSet: "rte" },
    ],
    [
      "MNLI",
      "train.tsv",
      `${mnliHeader}0\t1\t1n\tfiction\t(a)\t(b)\t(a)\t(b)\ta\tb\tneutral\tneutral\n`,
      { texts: ["a", "b"], label: 1, dataSet: "mnli" },
    ],
  ];
  for (const [title, file, text, wanted] of sets) {
    const { titles, parts } = await found("understanding", { [file]: text });
    assertEquals(titles, [title]);
    const { labels: _, ...example } = parts["train"]![0] as { labels: unknown };
    assertEquals(example, wanted);
  }
});

test("GLUE's Parquet is told apart by the folder's name, as CoLA's and SST-2's columns are the same", async () => {
  const parquet = (label: number) =>
    new Uint8Array(parquetWriteBuffer({
      columnData: [
        { name: "sentence", data: ["a text", "another"], type: "STRING" },
        { name: "label", data: [BigInt(label), -1n], type: "INT64" },
        { name: "idx", data: [0, 1], type: "INT32" },
      ],
    }));
  for (const [folder, title] of [["cola", "CoLA"], ["sst2", "SST-2"]] as const) {
    const { titles, parts } = await found("understanding", {
      [`${folder}/train-00000-of-00001.parquet`]: parquet(1),
      [`${folder}/validation-00000-of-00001.parquet`]: parquet(0),
    });
    assertEquals([titles, Object.keys(parts).toSorted()], [[title], ["test", "train"]]);
    assertEquals((parts["train"]![0] as { label: number }).label, 1);
    assertEquals(parts["train"]![1], { skip: { kind: "no-label" } });
  }
});

test("MetaMathQA's array is trained on beside GSM8K's test file, each with its final answers", async () => {
  const { titles, parts } = await found("math", {
    "MetaMathQA-395K.json": JSON.stringify([
      { query: "What is 1/2 of 3?", response: "Half.\nThe answer is: \\frac{3}{2}", type: "MATH_AnsAug" },
      { query: "What?", response: "I do not know" },
      { query: "", response: "The answer is: 1" },
    ]),
    "test.jsonl": '{"question": "How many?", "answer": "3*4 = <<3*4=12>>12\\n#### 1,012"}\n',
  });
  assertEquals(titles, ["GSM8K", "MetaMathQA"]);
  assertEquals(parts["test"], [{ question: "How many?", answer: "3*4 = 12\n#### 1,012", final: "1,012" }]);
  assertEquals(parts["train"], [
    { question: "What is 1/2 of 3?", answer: "Half.\nThe answer is: \\frac{3}{2}", final: "\\frac{3}{2}" },
    { skip: { kind: "no-final-answer" } },
    { skip: { kind: "empty", column: "query" } },
  ]);
});

test("CodeFeedback is trained on and HumanEval, compressed, tested on", async () => {
  const { parts } = await found("code", {
    "CodeFeedback-Filtered-Instruction.jsonl":
      '{"query": "Sort.", "answer": "```python\\nsorted(x)\\n```", "resource": "evolinstruct", "lang": "Python"}\n',
    "HumanEval.jsonl.gz": await gzip(
      '{"task_id": "HumanEval/0", "prompt": "def f(x):\\n", "entry_point": "f", ' +
        '"canonical_solution": "    return x\\n", "test": "def check(candidate): pass\\n"}\n',
    ),
  });
  assertEquals(parts["train"], [
    { specification: "Sort.", solution: "```python\nsorted(x)\n```", language: "python" },
  ]);
  assertEquals(parts["test"], [{
    specification: "def f(x):\n",
    solution: "    return x\n",
    language: "python",
    check: { id: "HumanEval/0", entryPoint: "f", test: "def check(candidate): pass\n" },
  }]);
});

test("Alpaca and both forms of WizardLM become turns, MT-Bench the user's turns alone", async () => {
  const { titles, parts } = await found("dialogue", {
    "alpaca_data.json":
      '[{"instruction": "Add.", "input": "1, 2", "output": "3"}, {"instruction": "Hi", "input": "", "output": "Hello"}]',
    "question.jsonl":
      '{"question_id": 81, "category": "math", "turns": ["a", "b"], "reference": ["1", "2"]}\n',
  });
  assertEquals(titles, ["Alpaca", "MT-Bench"]);
  assertEquals(parts["train"], [
    { turns: [{ role: "user", text: "Add.\n\n1, 2" }, { role: "assistant", text: "3" }] },
    { turns: [{ role: "user", text: "Hi" }, { role: "assistant", text: "Hello" }] },
  ]);
  assertEquals(parts["test"], [{
    turns: [{ role: "user", text: "a" }, { role: "user", text: "b" }],
    category: "math",
    references: ["1", "2"],
  }]);
  const said = (from: string, value: string) => ({ from, value });
  const conversations = [
    [said("human", "a"), said("gpt", "b"), said("human", "c")],
    [said("human", "a"), said("human", "b")],
    [said("human", "a"), said("gpt", " ")],
    [said("bot", "a")],
    [{ from: "human", value: [{ type: "text", text: "a" }] }],
    [said("human", "a")],
  ];
  const wizard = await found("dialogue", {
    "WizardLM_evol_instruct_V2_143k.json": JSON.stringify(
      conversations.map((conversations, idx) => ({ idx, conversations })),
    ),
  });
  assertEquals(wizard.titles, ["WizardLM"]);
  assertEquals(wizard.parts["train"], [
    { turns: [{ role: "user", text: "a" }, { role: "assistant", text: "b" }] },
    { skip: { kind: "speakers-not-in-turn" } },
    { skip: { kind: "empty-turn" } },
    { skip: { kind: "unknown-speaker" } },
    { skip: { kind: "turn-not-text" } },
    { skip: { kind: "no-answer" } },
  ]);
  const evolved = await found("dialogue", {
    "alpaca_evol_instruct_70k.json": '[{"instruction": "Add 1, 2", "output": "3"}]',
  });
  assertEquals([evolved.titles, evolved.parts["train"]!.length], [["WizardLM"], 1]);
});

const sets: [TaskFamily, string, string, number][] = [
  ["math", "gsm8k", "GSM8K", 200],
  ["code", "humaneval", "HumanEval", 164],
  ["dialogue", "mtbench", "MT-Bench", 80],
];
for (const [family, folder, title, count] of sets) {
  testOnPublic(
    [folder],
    `the real files of ${title} are recognised, and every record of them kept`,
    async (path) => {
      const { titles, parts } = await findData(family, path);
      assertEquals([titles, parts.map(({ role }) => role)], [[title], ["test"]]);
      const examples = await collect(parts[0]!.read());
      assertEquals(examples.length, count);
      assert(examples.every((example) => !("skip" in example)));
    },
  );
}
