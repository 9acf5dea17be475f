/** @file A row of the user's as an example: what the model is given, and what it is to write. */
import { readTurns } from "../data/instructions.ts";
import { isSkip, type Skip } from "../skip.ts";
import type { Row } from "../data/row.ts";
import { conversationExamples, instructionPrompt } from "../text/prompt_templates.ts";
import { onOneLine } from "../text/one_line.ts";
import type { Turn } from "../data/contents.ts";
import type { WrittenChat } from "../text/chat_tokens.ts";
import type { ClassExample } from "../text/text_batch.ts";
import { columnsIn, type DataLayout, fill, numberedClasses } from "./layout.ts";
import { isMissing } from "./missing.ts";

/** A prompt, its answer, and what else might be answered. */
export interface OwnText extends ClassExample {
  /** What the answer is one of, in the order of the file or of the classes; absent where it is free. */
  readonly choices?: readonly string[];
}

/** How examples are written for a model. */
export interface Wording {
  /** True where a column stands alone as the prompt: encoder-decoders, and what has no line ends, are asked so. */
  readonly isBare: boolean;
  /** True where the texts of a pair stay apart, as encoders take them. */
  readonly hasPairs: boolean;
  /** Writes a conversation as the model's own template does; absent where it has none. */
  chat?(turns: readonly Turn[]): WrittenChat | Skip;
  /** True for the project's own decoders, which have no capitals and no line ends. */
  readonly isOneLine: boolean;
}

/**
 * The example of a row, or why there is none.
 *
 * @param shorten what becomes of each column's text in the prompt, such as a cut
 */
export function toExample(
  row: Row,
  layout: DataLayout,
  { isBare, isOneLine, hasPairs, chat }: Wording,
  shorten: (text: string, column: string) => string = (text) => text,
): OwnText | Skip {
  const found = layout.kind === "chat"
    ? fromMessages(row, layout, isOneLine, chat)
    : layout.kind === "label"
    ? fromLabel(row, layout, { isBare, hasPairs }, shorten)
    : fromAnswer(row, layout, isBare, shorten);
  if (isSkip(found) || !isOneLine) return found;
  // As the project's own decoders are asked everywhere: on one line, with a space before the answer.
  return {
    prompt: `${onOneLine(found.prompt)} `,
    answer: onOneLine(found.answer),
    ...(found.choices && { choices: found.choices.map(onOneLine) }),
  };
}

/** A column's text: numbers and truth values as they are written. */
export function textIn({ fields }: Row, column: string): string | Skip {
  const value = fields[column];
  const isText = ["string", "number", "bigint", "boolean"].includes(typeof value) && !isMissing(value);
  const text = isText ? String(value).trim() : null;
  if (text === null) {
    return { skip: { kind: isMissing(value) ? "no-value" : "not-text", column } };
  }
  return text === "" ? { skip: { kind: "empty", column } } : text;
}

/** The name of a row's class; empty where it has none. */
export function labelIn({ fields }: Row, column: string): string {
  const value = fields[column];
  return isMissing(value) ? "" : String(value).trim();
}

/** The columns whose texts stand in a prompt. */
export function promptColumns({ prompt, columns }: DataLayout): readonly string[] {
  if (prompt !== undefined) return [...new Set(columnsIn(prompt))];
  return [columns.prompt, columns.text, columns.second].filter((column) => column !== undefined);
}

function fromLabel(
  row: Row,
  layout: DataLayout,
  { isBare, hasPairs }: Pick<Wording, "isBare" | "hasPairs">,
  shorten: (text: string, column: string) => string,
): OwnText | Skip {
  const labels = layout.labels!, { text: first, second } = layout.columns;
  const other = second === undefined ? undefined : textIn(row, second);
  if (other !== undefined && typeof other !== "string") return other;
  const pair = other === undefined ? undefined : shorten(other, second!),
    isApart = hasPairs && pair !== undefined;
  // As T5 was asked about pairs: each text behind the name of its column.
  const joined = (text: string) =>
    pair === undefined ? text : `${first}: ${text}${isBare ? " " : "\n"}${second}: ${pair}`;
  const prompt = promptOf(
    row,
    layout,
    shorten,
    (text) => isApart ? text : isBare ? joined(text) : `${joined(text)}\n\n### Label:\n`,
  );
  if (typeof prompt !== "string") return prompt;
  const value = labelIn(row, layout.columns.label!);
  if (value === "") return { skip: { kind: "no-label" } };
  if (!Object.hasOwn(labels, value)) {
    return { skip: { kind: "other-label", labels: Object.keys(labels) } };
  }
  const choices = numberedClasses(layout).map((one) => labels[one]!);
  return { prompt, answer: labels[value]!, choices, ...(isApart && { second: pair }) };
}

function fromAnswer(
  row: Row,
  layout: DataLayout,
  isBare: boolean,
  shorten: (text: string, column: string) => string,
): OwnText | Skip {
  const { columns } = layout;
  const prompt = promptOf(row, layout, shorten, (text) => isBare ? text : instructionPrompt(text));
  if (typeof prompt !== "string") return prompt;
  if (columns.choices !== undefined) {
    const choices = choicesOf(row.fields[columns.choices]);
    if (!choices) return { skip: { kind: "no-choices", column: columns.choices } };
    const answer = chosen(row.fields[columns.answer!], choices);
    return answer === null
      ? { skip: { kind: "none-of-choices", column: columns.answer! } }
      : { prompt, answer, choices: choices.texts };
  }
  const answer = layout.answer === undefined ? textIn(row, columns.answer!) : filled(row, layout.answer);
  return typeof answer === "string" ? { prompt, answer } : answer;
}

function promptOf(
  row: Row,
  { prompt, columns }: DataLayout,
  shorten: (text: string, column: string) => string,
  wrap: (text: string) => string,
): string | Skip {
  if (prompt !== undefined) return filled(row, prompt, shorten);
  const column = (columns.prompt ?? columns.text)!, text = textIn(row, column);
  return typeof text === "string" ? wrap(shorten(text, column)) : text;
}

/** A template with the row's texts, of which some may be missing; the reason where all are. */
function filled(
  row: Row,
  template: string,
  shorten: (text: string, column: string) => string = (text) => text,
): string | Skip {
  const names = columnsIn(template), texts = new Map(names.map((name) => [name, textIn(row, name)]));
  const found = [...texts.values()], [first] = found;
  if (found.every((text) => typeof text !== "string")) return first as Skip;
  return fill(template, (name) => {
    const text = texts.get(name)!;
    return typeof text === "string" ? shorten(text, name) : "";
  });
}

/** What may be answered, and by what names. */
interface Choices {
  readonly texts: readonly string[];
  /** e.g. "A", "B"; none where a choice goes by its place. */
  readonly names: readonly string[];
}

/** A list of texts, a list as JSON's text, or the hub's `{text: […], label: […]}`. */
function choicesOf(value: unknown): Choices | null {
  if (typeof value === "string") {
    try {
      return choicesOf(JSON.parse(value));
    } catch {
      return null;
    }
  }
  const { text, label } = (Array.isArray(value) ? { text: value } : value ?? {}) as Record<string, unknown>;
  if (!Array.isArray(text) || text.length < 2) return null;
  const texts = text.map((one) => String(one).trim());
  if (texts.some((one) => one === "") || new Set(texts).size < texts.length) return null;
  return { texts, names: Array.isArray(label) ? label.map(String) : [] };
}

/** The right choice: by its name, its letter, its text, or its place from 0; null where there is none. */
function chosen(value: unknown, { texts, names }: Choices): string | null {
  const text = String(value ?? "").trim();
  const byName = names.indexOf(text);
  if (byName >= 0) return texts[byName] ?? null;
  if (texts.includes(text)) return text;
  const letter = /^[A-Z]$/.test(text) ? text.charCodeAt(0) - 65 : /^\d+$/.test(text) ? Number(text) : -1;
  return texts[letter] ?? null;
}

function fromMessages(
  row: Row,
  { columns }: DataLayout,
  isOneLine: boolean,
  chat: Wording["chat"],
): OwnText | Skip {
  const turns = readTurns(row.fields[columns.messages!], columns.messages!);
  if ("skip" in turns) return turns;
  if (chat) return chat(turns.turns);
  if (!isOneLine) return conversationExamples(turns).at(-1)!;
  const before = turns.turns.slice(0, -1).map(({ role, text }) =>
    (role === "assistant" ? "<" : ">") + onOneLine(text)
  );
  return { prompt: before.join(""), answer: turns.turns.at(-1)!.text };
}
