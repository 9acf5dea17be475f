/** @file GSM8K: grade-school problems, whose answers end with "#### " and the final answer. */
import { strictAnswer } from "../math/final_answer.ts";
import { type DataSet, hubNames, rowSet } from "./data_set.ts";
import { textsOf } from "./row.ts";

/** Notes for a calculator inside GSM8K's answers: "16 - 3 = <<16-3=13>>13". */
const CALCULATION = /<<[^<>]*>>/g;

/** Cobbe et al., https://github.com/openai/grade-school-math. The notes for a calculator in the answers are left out. */
export const gsm8k: DataSet<"math"> = rowSet({
  id: "gsm8k",
  title: "GSM8K",
  family: "math",
  source: "https://github.com/openai/grade-school-math",
  files: ["train.jsonl", "test.jsonl"],
  names: [
    [/^train([-_.].*)?\.jsonl(\.gz)?$/, "train"],
    [/^test([-_.].*)?\.jsonl(\.gz)?$/, "test"],
    hubNames("train", "train"),
    hubNames("test", "test"),
  ],
  fits: (fields) => fields.toSorted().join() === "answer,question",
  example(row) {
    const texts = textsOf(row, ["question", "answer"]);
    if ("skip" in texts) return texts;
    const final = strictAnswer(texts.answer);
    if (final === null) return { skip: { kind: "no-final-answer", mark: "####" } };
    return { question: texts.question.trim(), answer: texts.answer.replaceAll(CALCULATION, ""), final };
  },
});
