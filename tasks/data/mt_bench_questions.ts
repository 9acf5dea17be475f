/** @file MT-Bench: 80 questions of two turns, to be answered one after the other. */
import { type DataSet, hubNames, rowSet } from "./data_set.ts";

/** Zheng et al., https://github.com/lm-sys/FastChat. To score on: it has the user's turns, some with references. */
export const mtBench: DataSet<"dialogue"> = rowSet({
  id: "mt-bench",
  title: "MT-Bench",
  family: "dialogue",
  source: "https://github.com/lm-sys/FastChat/tree/main/fastchat/llm_judge/data/mt_bench",
  files: ["question.jsonl"],
  names: [[/^question(_.*)?\.jsonl(\.gz)?$/, "test"], hubNames("train", "test")],
  fits: (fields) => fields.includes("question_id") && fields.includes("turns"),
  example({ fields: { turns, category, reference } }) {
    if (!isTexts(turns) || turns.length === 0) return { skip: { kind: "no-list-of-texts", column: "turns" } };
    return {
      turns: turns.map((text) => ({ role: "user", text })),
      ...(typeof category === "string" && { category }),
      ...(isTexts(reference) && { references: reference }),
    };
  },
});

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
