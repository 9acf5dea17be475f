/** @file How a file of the user's is read as a task's examples: which columns are what, and how texts are made of them. */
import { listNames } from "../../errors/quote.ts";
import { DataError } from "../data/data_error.ts";

/** What an example is: a prompt with its answer, a conversation, a text with its class, or an image with its class. */
export type DataKind = "answer" | "chat" | "label" | "image";
/** All of them. */
export const KINDS = ["answer", "chat", "label", "image"] as const satisfies readonly DataKind[];

/** How written answers are scored: to the letter, by their last number, by the likeliest choice, or by their likelihood. */
export type DataScore = "exact" | "numbers" | "choice" | "loss";
/** All of them. */
export const SCORES = ["exact", "numbers", "choice", "loss"] as const satisfies readonly DataScore[];

/** What a column may hold. */
export type ColumnRole =
  | "prompt"
  | "answer"
  | "choices"
  | "messages"
  | "text"
  | "second"
  | "label"
  | "image"
  | "split";
/** All of them. */
export const COLUMN_ROLES = [
  "prompt",
  "answer",
  "choices",
  "messages",
  "text",
  "second",
  "label",
  "image",
  "split",
] as const satisfies readonly ColumnRole[];

/** How files are read as examples. Together with the files' bytes it decides every example. */
export interface DataLayout {
  /** What an example is. */
  readonly kind: DataKind;
  /** Names of columns, by what they hold. */
  readonly columns: Readonly<Partial<Record<ColumnRole, string>>>;
  /** The prompt, with `{column}` where a column's text stands. Where absent, it is the harness's own around the column. */
  readonly prompt?: string;
  /** The answer, in the same way. */
  readonly answer?: string;
  /** What is written for each class, by the class as the file has it. */
  readonly labels?: Readonly<Record<string, string>>;
  /** The classes as the file has them, in the order of a classifier's outputs; in that of `numberedClasses` where absent. */
  readonly classes?: readonly string[];
  /** How answers are scored; absent for classes, of which the most likely one has to be right. */
  readonly score?: DataScore;
  /** Longest example in tokens: longer ones are cut to it. Where absent, those that are too long for the model are left out. */
  readonly maxTokens?: number;
  /** Files by what they are for, from the folder; absent where the path is that of one file. */
  readonly files?: Readonly<Partial<Record<"train" | "validation" | "test", readonly string[]>>>;
}

/**
 * The classes as tasks number them: in the order that the layout gives; else those of texts as it lists them, and those of
 * images numbers first, by their size, then names.
 */
export function numberedClasses(
  { kind, labels = {}, classes }: Pick<DataLayout, "kind" | "labels" | "classes">,
): readonly string[] {
  if (classes) return classes;
  if (kind !== "image") return Object.keys(labels);
  return Object.keys(labels).sort((a, b) => {
    const [x, y] = [a, b].map((name) => /^-?\d+(\.\d+)?$/.test(name) ? Number(name) : NaN) as [
      number,
      number,
    ];
    if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
    return Number.isNaN(x) ? (a < b ? -1 : 1) : x - y;
  });
}

/** Names in braces. Doubled braces stand for themselves. */
const PLACE = /\{\{|\}\}|\{([^{}]*)\}/g;

/** The columns that a template names. */
export function columnsIn(template: string): readonly string[] {
  return Array.from(template.matchAll(PLACE), ([, name]) => name).filter((name) => name !== undefined);
}

/** A template with texts in place of its columns' names. */
export function fill(template: string, textOf: (column: string) => string): string {
  return template.replaceAll(
    PLACE,
    (found, name: string | undefined) => name === undefined ? found[0]! : textOf(name),
  );
}

/** Holds a template against the columns that there are. @throws {DataError} */
export function checkTemplate(
  what: string,
  template: string,
  columns: readonly string[],
  path: string,
): void {
  const names = columnsIn(template);
  const unknown = names.find((name) => !columns.includes(name));
  if (unknown !== undefined) {
    throw new DataError(
      `Cannot use the ${what} "${template}" for ${path}: it has no column "${unknown}", its columns are ${
        listNames(columns)
      }`,
    );
  }
  if (names.length > 0) return;
  throw new DataError(
    `Cannot use the ${what} "${template}" for ${path}: a column in braces is needed, as in {${columns[0]}}`,
  );
}
