/** @file A conversation in a model's tokens as its own template writes it, and which of them the assistant said. */
import type { Turn } from "../data/contents.ts";
import type { Skip } from "../skip.ts";
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
  /** The token that ends the last reply; null where the template writes none behind it. */
  readonly end: number | null;
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
 * whole, in text and in tokens. A reply ends at the first token behind its text that stops a model, or is no part of texts, such as
 * Gemma's `<end_of_turn>`, which is not the end of its texts: nothing of a reply is learned behind it.
 *
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
      return { skip: { kind: "refused-by-template", words: error.message } };
    }
    if (error instanceof RangeError) return { skip: { kind: "unknown-characters" } };
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
    return { skip: { kind: "prompt-begins-no-chat" } };
  }
  const learned = new Uint8Array(all.length), { special, stops = [tokenizer.stop] } = tokenizer;
  const isEnd = (token: number) => stops.includes(token) || special?.has(token) === true;
  /** The place of the token that ends a reply, which takes those from one place to another; -1 where there is none. */
  const endOf = (turn: number, before: string, from: number, to: number): number => {
    const reply = turns[turn]!.text.trim(), at = whole.indexOf(reply, before.length);
    const behind = at < 0 ? null : begin(whole.slice(0, at + reply.length));
    const first = behind === null || behind < from ? -1 : all.subarray(behind, to).findIndex(isEnd);
    return first < 0 ? from + all.subarray(from, to).findLastIndex(isEnd) : behind! + first;
  };
  const learn = (from: number, to: number, end: number) => learned.fill(1, from, end < from ? to : end + 1);
  const lastEnd = endOf(last, asked, prompt, all.length);
  learn(prompt, all.length, lastEnd);
  const earlier = turns.flatMap(({ role }, turn) => {
    if (role !== "assistant" || turn === last) return [];
    const before = template.render(turns.slice(0, turn), true);
    return [{
      turn,
      before,
      from: begin(before),
      to: begin(template.render(turns.slice(0, turn + 1), false)),
    }];
  });
  const learnsAll = earlier.every(({ from, to }) => from !== null && to !== null && from < to);
  if (learnsAll) {
    for (const { turn, before, from, to } of earlier) learn(from!, to!, endOf(turn, before, from!, to!));
  }
  const end = learned.lastIndexOf(1) + 1;
  return {
    prompt: asked,
    answer: whole.slice(asked.length),
    chat: {
      tokens: all.slice(0, end),
      learned: learned.slice(0, end),
      prompt,
      end: lastEnd < prompt ? null : all[lastEnd]!,
      learnsAll,
    },
  };
}
