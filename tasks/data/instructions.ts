/** @file Instructions and conversations: Alpaca and WizardLM, as instruction and output or as turns. */
import type { Conversation, Turn } from "./contents.ts";
import { type DataSet, hubNames, rowSet } from "./data_set.ts";
import type { Skip } from "../skip.ts";
import { type Row, textOf, textsOf } from "./row.ts";

/** Who speaks, by the names that published files use. */
const ROLES: Readonly<Record<string, Turn["role"]>> = {
  system: "system",
  human: "user",
  user: "user",
  gpt: "assistant",
  assistant: "assistant",
};

/** Taori et al., https://github.com/tatsu-lab/stanford_alpaca: an instruction, an input that may be empty, an output. */
export const alpaca: DataSet<"dialogue"> = rowSet({
  id: "alpaca",
  title: "Alpaca",
  family: "dialogue",
  source: "https://github.com/tatsu-lab/stanford_alpaca",
  files: ["alpaca_data.json"],
  names: [
    [/^alpaca_(data|gpt4|cleaned).*\.jsonl?(\.gz)?$/i, "train"],
    [/^train([-_.].*)?\.jsonl?(\.gz)?$/, "train"],
    hubNames("train", "train"),
  ],
  fits: (fields) => ["instruction", "input", "output"].every((field) => fields.includes(field)),
  example: instructed,
});

/**
 * Xu et al., https://huggingface.co/WizardLMTeam: an instruction and an output (70k), or `conversations` of turns
 * `{from, value}` (V2, 196k).
 */
export const wizardLm: DataSet<"dialogue"> = rowSet({
  id: "wizard-lm",
  title: "WizardLM",
  family: "dialogue",
  source: "https://huggingface.co/datasets/WizardLMTeam/WizardLM_evol_instruct_70k",
  files: ["alpaca_evol_instruct_70k.json", "WizardLM_evol_instruct_V2_143k.json"],
  names: [
    [/^(alpaca|WizardLM)_evol_instruct.*\.jsonl?(\.gz)?$/i, "train"],
    [/^train([-_.].*)?\.jsonl?(\.gz)?$/, "train"],
    hubNames("train", "train"),
  ],
  fits: (fields) =>
    fields.includes("conversations") ||
    (fields.includes("instruction") && fields.includes("output") && !fields.includes("input")),
  example: (row) => "conversations" in row.fields ? conversed(row) : instructed(row),
});

function instructed(row: Row): Conversation | Skip {
  const texts = textsOf(row, ["instruction", "output"]);
  if ("skip" in texts) return texts;
  const input = textOf(row, "input");
  const instruction = texts.instruction.trim();
  return {
    turns: [
      { role: "user", text: typeof input === "string" ? `${instruction}\n\n${input.trim()}` : instruction },
      { role: "assistant", text: texts.output },
    ],
  };
}

function conversed({ fields: { conversations } }: Row): Conversation | Skip {
  return readTurns(conversations, "conversations");
}

/**
 * A conversation of turns `{role, content}`, or `{from, value}` as ShareGPT has them, that ends with the assistant's last.
 *
 * @param column the name of the column that it is from
 */
export function readTurns(list: unknown, column: string): Conversation | Skip {
  if (!Array.isArray(list)) return { skip: { kind: "no-list", column } };
  const turns: Turn[] = [];
  for (const turn of list as readonly unknown[]) {
    const said = (turn ?? {}) as Record<string, unknown>;
    const speaker = said["role"] ?? said["from"], content = said["content"] ?? said["value"];
    const role = Object.hasOwn(ROLES, String(speaker)) ? ROLES[String(speaker)] : undefined;
    if (role === undefined) return { skip: { kind: "unknown-speaker" } };
    if (typeof content !== "string") return { skip: { kind: "turn-not-text" } };
    if (content.trim() === "") return { skip: { kind: "empty-turn" } };
    turns.push({ role, text: content });
  }
  const spoken = turns.filter(({ role }) => role !== "system");
  const takesTurns = spoken.every(({ role }, i) => role === (i % 2 === 0 ? "user" : "assistant"));
  if (!takesTurns) return { skip: { kind: "speakers-not-in-turn" } };
  // What the user says last has no answer to learn.
  while (turns.at(-1)?.role === "user") turns.pop();
  return spoken.length < 2 ? { skip: { kind: "no-answer" } } : { turns };
}
