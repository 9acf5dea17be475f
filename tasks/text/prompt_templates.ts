/** @file How real examples become a prompt and the answer to learn: one template for each kind of data. */
import type { ClassifiedText, Conversation, Program, Question, Turn } from "../data/contents.ts";
import type { TextExample } from "./text_batch.ts";

/** What Stanford's Alpaca says before every instruction. */
const PREAMBLE = "Below is an instruction that describes a task. " +
  "Write a response that appropriately completes the request.";

/**
 * An instruction by Alpaca's template for those without input, up to where the response begins: on a line of its own,
 * where the original goes on behind the colon. Dialogue, mathematics and code are all asked so.
 *
 * Source: Taori et al., https://github.com/tatsu-lab/stanford_alpaca
 */
export function instructionPrompt(instruction: string): string {
  return conversationPrompt([{ role: "user", text: instruction }]);
}

/**
 * What was said so far, up to where the assistant's next turn begins: each of the user's turns is an instruction, each
 * of the assistant's a response. A system turn stands in place of Alpaca's own first sentences.
 */
export function conversationPrompt(turns: readonly Turn[]): string {
  const system = turns.filter(({ role }) => role === "system").map(({ text }) => text.trim());
  const parts = [system.length > 0 ? system.join("\n\n") : PREAMBLE];
  for (const { role, text } of turns) {
    if (role === "user") parts.push(`### Instruction:\n${text.trim()}`);
    if (role === "assistant") parts.push(`### Response:\n${text.trim()}`);
  }
  return `${parts.join("\n\n")}\n\n### Response:\n`;
}

/** One example for each of the assistant's turns, in order, with all turns before it in the prompt. */
export function conversationExamples({ turns }: Conversation): readonly TextExample[] {
  return turns.flatMap(({ role, text }, i) =>
    role === "assistant" ? [{ prompt: conversationPrompt(turns.slice(0, i)), answer: text.trim() }] : []
  );
}

/** A question as an instruction; the answer ends with the final one, as the data set marks it. */
export function questionExample({ question, answer }: Question): TextExample {
  return { prompt: instructionPrompt(question), answer: answer.trim() };
}

/**
 * A request for a program as an instruction. The beginning of a program to be scored (HumanEval) is shown as it is,
 * in a fence, and so is the answer: the whole program.
 */
export function programExample({ specification, solution, language = "", check }: Program): TextExample {
  if (!check) return { prompt: instructionPrompt(specification), answer: solution.trim() };
  const fenced = (text: string) => `\`\`\`${language}\n${text.trimEnd()}\n\`\`\``;
  return {
    prompt: instructionPrompt(`Complete this function:\n\n${fenced(specification)}`),
    answer: fenced(specification + solution),
  };
}

/** How T5 names each text of a pair, in its order; where it has the data set's second text first, `swapped`. */
const T5_FIELDS: Readonly<Record<string, { readonly names: readonly string[]; readonly swapped?: true }>> = {
  cola: { names: ["sentence"] },
  sst2: { names: ["sentence"] },
  mrpc: { names: ["sentence1", "sentence2"] },
  qnli: { names: ["question", "sentence"] },
  rte: { names: ["sentence1", "sentence2"] },
  mnli: { names: ["hypothesis", "premise"], swapped: true },
};

/**
 * A text of GLUE as T5 was trained on it, e.g. "cola sentence: They drank the pub." with "unacceptable" to answer.
 *
 * Source: Raffel et al., arXiv 1910.10683, appendix D.
 *
 * @throws {RangeError} for data sets that T5 has no prompt for
 */
export function classificationExample({ texts, label, labels, dataSet }: ClassifiedText): TextExample {
  const fields = Object.hasOwn(T5_FIELDS, dataSet) ? T5_FIELDS[dataSet] : undefined;
  if (!fields || fields.names.length !== texts.length) {
    throw new RangeError(
      `Cannot ask about ${texts.length} texts of "${dataSet}": known are ${
        Object.keys(T5_FIELDS).join(", ")
      }`,
    );
  }
  const ordered = fields.swapped ? texts.toReversed() : texts;
  const parts = fields.names.map((name, i) => `${name}: ${ordered[i]!.trim()}`);
  return { prompt: `${dataSet} ${parts.join(" ")}`, answer: labels[label]! };
}
