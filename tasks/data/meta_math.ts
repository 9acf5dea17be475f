/** @file MetaMathQA: rephrased GSM8K and MATH problems, whose answers end with "The answer is: ". */
import { strictAnswer } from "../math/final_answer.ts";
import { type DataSet, hubNames, rowSet } from "./data_set.ts";
import { textsOf } from "./row.ts";

/** Yu et al., https://huggingface.co/datasets/meta-math/MetaMathQA. To train on: it has no test examples. */
export const metaMath: DataSet<"math"> = rowSet({
  id: "meta-math",
  title: "MetaMathQA",
  family: "math",
  source: "https://huggingface.co/datasets/meta-math/MetaMathQA",
  files: ["MetaMathQA-395K.json", "MetaMathQA.jsonl"],
  names: [
    [/^MetaMath(QA)?([-_].*)?\.jsonl?(\.gz)?$/i, "train"],
    [/^train([-_.].*)?\.jsonl?(\.gz)?$/, "train"],
    hubNames("train", "train"),
  ],
  fits: (fields) => fields.includes("query") && fields.includes("response"),
  example(row) {
    const texts = textsOf(row, ["query", "response"]);
    if ("skip" in texts) return texts;
    const final = strictAnswer(texts.response);
    if (final === null) return { skip: { kind: "no-final-answer" } };
    return { question: texts.query.trim(), answer: texts.response, final };
  },
});
