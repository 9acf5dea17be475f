import { assert, assertEquals, assertThrows } from "@std/assert";
import { testOnPublic } from "../../tests/support/public_files.ts";
import { IGNORE } from "../../models/model.ts";
import { collect } from "../../tests/support/data_folder.ts";
import type { ClassifiedText } from "../data/contents.ts";
import { dataSetsOf, findData } from "../data/load.ts";
import { isSkip, type Skip } from "../skip.ts";
import {
  classificationExample,
  conversationExamples,
  conversationPrompt,
  instructionPrompt,
  programExample,
  questionExample,
} from "./prompt_templates.ts";
import { answerBatch } from "./text_batch.ts";
import { trainByteLevelBpe } from "./train_byte_level_bpe.ts";

const PREAMBLE =
  "Below is an instruction that describes a task. Write a response that appropriately completes the request.";

Deno.test("instructionPrompt() is Alpaca's template without input", () => {
  assertEquals(
    instructionPrompt(" Name a bird.\n"),
    `${PREAMBLE}\n\n### Instruction:\nName a bird.\n\n### Response:\n`,
  );
});

Deno.test("conversationExamples() asks for each of the assistant's turns after all that was said before", () => {
  const turns = [
    { role: "user", text: "Hi " },
    { role: "assistant", text: "Hello!" },
    { role: "user", text: "Name a bird." },
    { role: "assistant", text: " A wren.\n" },
  ] as const;
  const first = `${PREAMBLE}\n\n### Instruction:\nHi\n\n### Response:\n`;
  const second = `${first}Hello!\n\n### Instruction:\nName a bird.\n\n### Response:\n`;
  assertEquals(conversationExamples({ turns }), [
    { prompt: first, answer: "Hello!" },
    { prompt: second, answer: "A wren." },
  ]);
  const system = [{ role: "system", text: "You are terse." } as const, ...turns];
  assertEquals(
    conversationExamples({ turns: system }).map(({ prompt }) => prompt),
    [first, second].map((prompt) => prompt.replace(PREAMBLE, "You are terse.")),
  );
  assertEquals(conversationExamples({ turns: turns.slice(0, 1) }), []);
});

Deno.test("classificationExample() writes GLUE as T5 does: the hypothesis of MNLI comes first", () => {
  const asked = (dataSet: string, texts: ClassifiedText["texts"], label: number, labels: string[]) =>
    classificationExample({ dataSet, texts, label, labels });
  assertEquals(asked("cola", ["They drank the pub. "], 0, ["unacceptable", "acceptable"]), {
    prompt: "cola sentence: They drank the pub.",
    answer: "unacceptable",
  });
  const pair = ["A.", "B."] as const, labels = ["entailment", "neutral", "contradiction"];
  assertEquals(asked("mnli", pair, 2, labels), {
    prompt: "mnli hypothesis: B. premise: A.",
    answer: "contradiction",
  });
  assertEquals(asked("mrpc", pair, 0, labels).prompt, "mrpc sentence1: A. sentence2: B.");
  assertEquals(asked("rte", pair, 0, labels).prompt, "rte sentence1: A. sentence2: B.");
  assertEquals(asked("qnli", pair, 0, labels).prompt, "qnli question: A. sentence: B.");
  assertEquals(asked("sst2", ["Fun"], 1, labels), { prompt: "sst2 sentence: Fun", answer: "neutral" });
  assertThrows(
    () => asked("wnli", pair, 0, labels),
    RangeError,
    'Cannot ask about 2 texts of "wnli": known are cola',
  );
  assertThrows(() => asked("cola", pair, 0, labels), RangeError, '2 texts of "cola"');
  assertThrows(() => asked("toString", pair, 0, labels), RangeError, "toString");
  // Every data set of the family has a prompt.
  for (const { id } of dataSetsOf("understanding")) {
    assert(["cola", "sst2"].includes(id) ? asked(id, ["x"], 0, labels) : asked(id, pair, 0, labels));
  }
});

Deno.test("questionExample() and programExample() ask by instruction; a program to be scored is shown in a fence", () => {
  assertEquals(questionExample({ question: "1+1?", answer: "It is 2\n#### 2", final: "2" }), {
    prompt: instructionPrompt("1+1?"),
    answer: "It is 2\n#### 2",
  });
  assertEquals(programExample({ specification: "Add.", solution: "```js\na + b\n```\n", language: "js" }), {
    prompt: instructionPrompt("Add."),
    answer: "```js\na + b\n```",
  });
  const specification = "def f(x):\n    ", solution = "return x\n";
  const check = { id: "HumanEval/0", entryPoint: "f", test: "" };
  assertEquals(programExample({ specification, solution, language: "python", check }), {
    prompt: instructionPrompt("Complete this function:\n\n```python\ndef f(x):\n```"),
    answer: "```python\ndef f(x):\n    return x\n```",
  });
});

testOnPublic(
  ["gsm8k", "humaneval", "mtbench"],
  "real questions, programs and conversations become batches whose loss is on the answers alone",
  async (gsm8k, humanEval, mtBench) => {
    const read = async <F extends "math" | "code" | "dialogue">(family: F, path: string) => {
      const { parts } = await findData(family, path);
      const items = (await Promise.all(parts.map((part) => collect(part.read())))).flat();
      return items.filter((item) => !isSkip(item)) as Exclude<typeof items[number], Skip>[];
    };
    const questions = (await read("math", gsm8k)).map(questionExample);
    const programs = (await read("code", humanEval)).map(programExample);
    assertEquals([questions.length, programs.length], [200, 164]);
    const examples = [...questions, ...programs];
    const tokenizer = trainByteLevelBpe(examples.map(({ prompt, answer }) => `${prompt}${answer}`), 512);
    const length = 2048;
    for (const example of examples) {
      const batch = answerBatch([example], length, tokenizer);
      const learned = batch.targets.data.filter((target) => target !== IGNORE);
      assertEquals(tokenizer.decode(learned), `${example.answer}<|stop|>`);
      const all = batch.tokens.data.subarray(0, batch.tokens.data.indexOf(tokenizer.stop));
      assertEquals(tokenizer.decode(all), example.prompt + example.answer);
    }
    for (const { turns } of await read("dialogue", mtBench)) {
      assert(
        conversationPrompt(turns).endsWith(
          `### Instruction:\n${turns.at(-1)!.text.trim()}\n\n### Response:\n`,
        ),
      );
    }
  },
);
