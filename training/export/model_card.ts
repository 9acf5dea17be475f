/** @file The page of an exported adapter or model: what it is of, how it was made, what it scored. */
import type { RunResult } from "../run.ts";

/** A finished run. */
export type DoneRun = Extract<RunResult, { readonly status: "done" }>;

/** What else a card tells. */
export interface CardFacts {
  /** What is in the folder. */
  readonly form: "native" | "portable" | "merged";
  /** Name of the base model. */
  readonly base: string;
  /** For people. */
  readonly method: string;
  /** Where the method is from. */
  readonly source: string;
  /** For people. */
  readonly task: string;
  /** What the score is called. */
  readonly metric: string;
  /** What the base scored on the same examples; null where that is not known. */
  readonly baseScore: number | null;
}

const FORMS = {
  native: "An adapter in the format of PEFT, as PEFT's own class of the method has it.",
  portable:
    "An adapter in the format of PEFT as plain LoRA: what the method trained, for every program that reads adapters.",
  merged: "The whole model, with what was trained in its weights.",
} as const;

/** `README.md` with the front matter of the Hugging Face hub. */
export function modelCard({ id, config, outcome, environment }: DoneRun, facts: CardFacts): string {
  const { form, base, method, source, task, metric, baseScore } = facts;
  const { optimizer, schedule, steps, batchSize, seed } = config, { score, scores, testLoss, data } = outcome;
  const options = Object.entries(optimizer.options).map(([name, value]) => `${name} ${value}`).join(", ");
  const library = form === "merged" ? "transformers" : "peft";
  const rows: readonly (readonly [string, string])[] = [
    ["Base model", `\`${base}\``],
    ["Method", `[${method}](${source}) (${options})`],
    ["Trained on", data ? `${data.title}, fingerprint \`${data.fingerprint.slice(0, 16)}\`` : task],
    ["Training examples", `${config.task.trainExamples}`],
    ["Steps", `${steps} of ${batchSize} examples, seed ${seed}`],
    ["Learning rate", `${schedule.learningRate}, ${schedule.kind}, warm-up ${schedule.warmup} steps`],
    ["Trained numbers", outcome.cost.trainableParameters.toLocaleString("en-US")],
    [
      config.scoreOn === "test" ? `Test score (${metric})` : `Validation score (${metric})`,
      `${score.toFixed(4)} on ${scores.length} examples${
        baseScore === null ? "" : `, base ${baseScore.toFixed(4)}`
      }`,
    ],
    ...testLoss === null ? [] : [["Test loss", testLoss.toFixed(4)] as const],
    ["Run", `\`${id}\`, harness at \`${environment.commit.slice(0, 12)}\`, ${environment.adapter}`],
  ];
  const load = form === "merged"
    ? ["from transformers import AutoConfig", 'config = AutoConfig.from_pretrained(".")']
    : ["from peft import PeftModel", `model = PeftModel.from_pretrained(base_model, ".")`];
  return [
    "---",
    `base_model: ${JSON.stringify(base)}`,
    `library_name: ${library}`,
    `tags: [${["equivalent-gradient", optimizer.id].map((tag) => JSON.stringify(tag)).join(", ")}]`,
    "---",
    "",
    `# ${method} on ${data?.title ?? task}`,
    "",
    `${FORMS[form]} One run's score with one seed says little of the method: see its report.`,
    "",
    "| | |",
    "| --- | --- |",
    ...rows.map(([name, value]) => `| ${name} | ${value.replaceAll("|", "\\|")} |`),
    "",
    "```python",
    ...load,
    "```",
    "",
  ].join("\n");
}
