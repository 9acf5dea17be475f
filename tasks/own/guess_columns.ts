/** @file What columns hold, told by the names that people give them. */
import type { ColumnRole, DataLayout } from "./layout.ts";

/** Names by what they stand for, the likelier ones first. */
const NAMES = {
  messages: ["messages", "conversations", "conversation"],
  prompt: ["prompt", "question", "instruction", "query", "problem", "input", "source"],
  answer: ["answer", "response", "completion", "output", "solution", "reply", "target"],
  choices: ["choices", "options"],
  text: ["text", "sentence", "review", "content", "comment", "document", "title"],
  second: ["sentence2", "hypothesis", "question2", "text2", "text_pair"],
  label: ["label", "labels", "class", "category", "sentiment", "intent", "target"],
  image: ["image", "img", "image_path", "file_name", "filename", "file", "path"],
  split: ["split"],
} as const satisfies Record<ColumnRole, readonly string[]>;

/** Names of the first texts of pairs, by those of the second. */
const FIRST: Readonly<Record<string, string>> = {
  sentence2: "sentence1",
  hypothesis: "premise",
  question2: "question1",
  text2: "text1",
  text_pair: "text",
};

/** A guess: columns, and a template where two of them make the prompt. */
export type Guess = Pick<DataLayout, "columns" | "prompt">;

/** What columns hold by their names, whatever their case; null where nothing is told by them. */
export function guessColumns(names: readonly string[]): Guess | null {
  const find = (role: ColumnRole, but: readonly (string | undefined)[] = []) => {
    for (const wanted of NAMES[role]) {
      const found = names.find((name) => name.toLowerCase() === wanted && !but.includes(name));
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const split = find("split"), splitting = split === undefined ? {} : { split };
  const messages = find("messages");
  if (messages !== undefined) return { columns: { messages, ...splitting } };
  const [instruction, input] = ["instruction", "input"].map((wanted) =>
    names.find((name) => name.toLowerCase() === wanted)
  );
  const prompt = find("prompt"), answer = find("answer", [prompt]);
  if (answer !== undefined && instruction !== undefined && input !== undefined) {
    // Alpaca's: the input may be empty.
    const template = `### Instruction:\n{${instruction}}\n\n{${input}}\n\n### Response:\n`;
    return { columns: { answer, ...splitting }, prompt: template };
  }
  const choices = find("choices");
  if (prompt !== undefined && answer !== undefined) {
    return { columns: { prompt, answer, ...(choices !== undefined && { choices }), ...splitting } };
  }
  const second = find("second"), pairLabel = find("label", [second]);
  const first = second && names.find((name) => name.toLowerCase() === FIRST[second.toLowerCase()]);
  if (first !== undefined && pairLabel !== undefined) {
    return { columns: { text: first, second: second!, label: pairLabel, ...splitting } };
  }
  const text = find("text"), label = find("label", [text]);
  if (text !== undefined && label !== undefined) return { columns: { text, label, ...splitting } };
  const image = find("image"), classOf = find("label", [image]);
  return image !== undefined && classOf !== undefined
    ? { columns: { image, label: classOf, ...splitting } }
    : null;
}
