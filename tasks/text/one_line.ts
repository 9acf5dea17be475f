/** @file Real texts in the shared alphabet: on one line, in lower case, as far as characters and length go. */
import type { Skip } from "../data/read_record.ts";
import type { TextExample } from "./text_batch.ts";
import { ALPHABET, PAD, STOP } from "./tokenizer.ts";

const known = new Set([...ALPHABET].filter((_, token) => token !== PAD && token !== STOP));

/** A text in lower case on one line, with single spaces: the alphabet has no capitals, and a newline ends an answer. */
export function onOneLine(text: string): string {
  return text.toLowerCase().replaceAll(/\s+/g, " ").trim();
}

/** The example, or why the tiny models can't take it: prompt, answer and the stop token are `length` tokens at most. */
export function ifFits<T extends TextExample>(example: T, length: number): T | Skip {
  const text = example.prompt + example.answer;
  if ([...text].some((character) => !known.has(character))) {
    return { skip: "with characters that the tokenizer lacks" };
  }
  return text.length >= length ? { skip: `longer than ${length} tokens` } : example;
}
