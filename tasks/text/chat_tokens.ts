/** @file A conversation in a model's tokens as its own template writes it, and which of them the assistant said. */
import type { Turn } from "../data/contents.ts";
import type { Skip } from "../data/read_record.ts";
import { type ChatTemplate, RefusedByTemplate } from "./chat_template.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** A conversation's tokens. */
export interface ChatTokens {
  /** All, up to the end of the last reply. */
  readonly tokens: Int32Array<ArrayBuffer>;
  /** 1 for those to be learned: what the assistant says, and what ends it. */
  readonly learned: Uint8Array<ArrayBuffer>;
  /** How many stand before the last reply. */
  readonly prompt: number;
  /** False where the template writes earlier replies otherwise once others follow, so that the last alone is learned. */
  readonly learnsAll: boolean;
}

/** A conversation's text, its last reply apart, and its tokens. */
export interface WrittenChat {
  readonly prompt: string;
  readonly answer: string;
  readonly chat: ChatTokens;
}

/**
 * A conversation that ends with the assistant's reply as the template writes it, or why it can't be.
 *
 * What the assistant said is found by rendering what comes before each reply, and what comes up to its end: both must begin the
 * whole, in text and in tokens. Behind the stop token nothing of a reply is learned.
 *
 * @throws {RangeError} where the tokenizer lacks a part of the text
 * @throws {DataError} as `ChatTemplate.render` does
 */
export function writeChat(
  turns: readonly Turn[],
  template: ChatTemplate,
  tokenizer: Tokenizer,
): WrittenChat | Skip {
  try {
    return write(turns, template, tokenizer);
  } catch (error) {
    if (error instanceof RefusedByTemplate) {
      return { skip: `that the chat template refuses, "${error.message}"` };
    }
    throw error;
  }
}

function write(turns: readonly Turn[], template: ChatTemplate, tokenizer: Tokenizer): WrittenChat | Skip {
  const whole = template.render(turns, false), all = tokenizer.encode(whole);
  /** The tokens of a part that begins the whole; null where it does not. */
  const begin = (text: string): number | null => {
    if (!whole.startsWith(text)) return null;
    const tokens = tokenizer.encode(text);
    return tokens.every((token, i) => token === all[i]) ? tokens.length : null;
  };
  const last = turns.length - 1, asked = template.render(turns.slice(0, last), true), prompt = begin(asked);
  if (prompt === null || prompt === 0) {
    return { skip: "whose last prompt does not begin what the chat template makes of the whole" };
  }
  const learned = new Uint8Array(all.length);
  const learn = (from: number, to: number) => {
    const stop = all.subarray(from, to).lastIndexOf(tokenizer.stop);
    learned.fill(1, from, stop < 0 ? to : from + stop + 1);
  };
  learn(prompt, all.length);
  const earlier = turns.flatMap(({ role }, i) => {
    if (role !== "assistant" || i === last) return [];
    return [[
      begin(template.render(turns.slice(0, i), true)),
      begin(template.render(turns.slice(0, i + 1), false)),
    ]];
  }) as (readonly [from: number | null, to: number | null])[];
  const learnsAll = earlier.every(([from, to]) => from !== null && to !== null && from < to);
  if (learnsAll) { for (const [from, to] of earlier) learn(from!, to!); }
  const end = learned.lastIndexOf(1) + 1;
  return {
    prompt: asked,
    answer: whole.slice(asked.length),
    chat: { tokens: all.slice(0, end), learned: learned.slice(0, end), prompt, learnsAll },
  };
}
