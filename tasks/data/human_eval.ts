/** @file HumanEval: 164 Python functions to complete, each with tests. */
import { type DataSet, hubNames, rowSet } from "./data_set.ts";
import { textsOf } from "./row.ts";

/** Chen et al., https://github.com/openai/human-eval. To score on: programs are for tests, not for training. */
export const humanEval: DataSet<"code"> = rowSet({
  id: "human-eval",
  title: "HumanEval",
  family: "code",
  source: "https://github.com/openai/human-eval",
  files: ["HumanEval.jsonl.gz"],
  names: [[/^HumanEval([-_.].*)?\.jsonl(\.gz)?$/i, "test"], hubNames("test", "test")],
  fits: (fields) => ["task_id", "prompt", "entry_point", "test"].every((field) => fields.includes(field)),
  example(row) {
    const texts = textsOf(row, ["task_id", "prompt", "entry_point", "canonical_solution", "test"]);
    if ("skip" in texts) return texts;
    return {
      specification: texts.prompt,
      solution: texts.canonical_solution,
      language: "python",
      check: { id: texts.task_id, entryPoint: texts.entry_point, test: texts.test },
    };
  },
});
