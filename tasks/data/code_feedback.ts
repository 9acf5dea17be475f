/** @file CodeFeedback: requests for programs and answers with programs in them. */
import { type DataSet, hubNames, rowSet } from "./data_set.ts";
import { textsOf } from "./row.ts";

/** Zheng et al., https://huggingface.co/datasets/m-a-p/CodeFeedback-Filtered-Instruction. To train on: nothing checks it. */
export const codeFeedback: DataSet<"code"> = rowSet({
  id: "code-feedback",
  title: "CodeFeedback",
  family: "code",
  source: "https://huggingface.co/datasets/m-a-p/CodeFeedback-Filtered-Instruction",
  files: ["CodeFeedback-Filtered-Instruction.jsonl"],
  names: [
    [/^CodeFeedback([-_].*)?\.jsonl?(\.gz)?$/i, "train"],
    [/^train([-_.].*)?\.jsonl?(\.gz)?$/, "train"],
    hubNames("train", "train"),
  ],
  fits: (fields) => fields.includes("query") && fields.includes("answer"),
  example(row) {
    const texts = textsOf(row, ["query", "answer"]);
    if ("skip" in texts) return texts;
    const { lang } = row.fields;
    return {
      specification: texts.query.trim(),
      solution: texts.answer,
      ...(typeof lang === "string" && lang !== "" && { language: lang.toLowerCase() }),
    };
  },
});
