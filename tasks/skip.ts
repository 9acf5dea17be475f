/** @file Why an example is left out, and the one place where the reason becomes words. */

/** Reasons that say all by their kind. */
const PLAIN = {
  "unknown-characters": "with characters that the tokenizer lacks",
  pair: "that are pairs of texts, of which its tokenizer writes none for the model",
  duplicate: "held out elsewhere or there twice",
  "no-answer": "without an answer",
  "no-reply": "without a reply, as a judge is to score it",
  "no-label": "without a label",
  "no-class": "without a class",
  "no-image": "without an image",
  "no-image-bytes": "without an image's bytes",
  "broken-image": "that cannot be decoded",
  "unknown-speaker": "with a turn of no known speaker",
  "turn-not-text": "with a turn that is not text",
  "empty-turn": "with an empty turn",
  "speakers-not-in-turn": "whose speakers do not take turns",
  "prompt-begins-no-chat": "whose last prompt does not begin what the chat template makes of the whole",
  "tests-not-in-python": "with tests that are not in Python",
  "tests-of-no-function": "with tests of no function",
} as const;

/** Reasons that are a column's. */
const OF_COLUMN = {
  "no-value": (column: string) => `without ${column}`,
  empty: (column: string) => `${column} is empty`,
  "not-text": (column: string) => `${column} is not text`,
  "no-list": (column: string) => `${column} is no list`,
  "no-list-of-texts": (column: string) => `${column} is no list of texts`,
  "no-choices": (column: string) => `${column} is no list of two texts or more`,
  "none-of-choices": (column: string) => `${column} is none of the choices`,
} as const;

/** Why an example is left out: a kind, and what it takes to tell it. Few different ones of a data set: they are counted. */
export type SkipReason =
  | {
    readonly kind:
      | "unknown-characters"
      | "pair"
      | "duplicate"
      | "no-answer"
      | "no-reply"
      | "no-label"
      | "no-class"
      | "no-image"
      | "no-image-bytes"
      | "broken-image"
      | "unknown-speaker"
      | "turn-not-text"
      | "empty-turn"
      | "speakers-not-in-turn"
      | "prompt-begins-no-chat"
      | "tests-not-in-python"
      | "tests-of-no-function";
  }
  | {
    readonly kind:
      | "no-value"
      | "empty"
      | "not-text"
      | "no-list"
      | "no-list-of-texts"
      | "no-choices"
      | "none-of-choices";
    readonly column: string;
  }
  /** The most tokens that the model takes: of an example, or of an answer alone. */
  | { readonly kind: "too-long" | "answer-too-long"; readonly most: number }
  /** The most bytes that an image may unpack to. */
  | { readonly kind: "image-too-large"; readonly most: number }
  | { readonly kind: "other-label"; readonly labels: readonly string[] }
  /** The mark behind which the answer was looked for; absent where nothing marks it. */
  | { readonly kind: "no-final-answer"; readonly mark?: string }
  /** The template's own words. */
  | { readonly kind: "refused-by-template"; readonly words: string }
  /** A reason of a caller's own, in words that go on after a number: "without a date". */
  | { readonly kind: "other"; readonly words: string };

/** What stands in the place of an example that is left out. */
export interface Skip {
  /** Why. */
  readonly skip: SkipReason;
}

/** True for what stands in an example's place. */
export function isSkip(value: object): value is Skip {
  return "skip" in value;
}

/** A reason in words that go on after a number: "without a label", "longer than 64 tokens". */
export function describeSkip(reason: SkipReason): string {
  switch (reason.kind) {
    case "too-long":
      return `longer than ${reason.most} tokens`;
    case "answer-too-long":
      return `whose answer is longer than ${reason.most} tokens`;
    case "image-too-large":
      return `that unpack to more than ${reason.most.toLocaleString("en-US")} bytes`;
    case "other-label":
      return `with a label other than ${reason.labels.join(", ")}`;
    case "no-final-answer":
      return `without a final answer${reason.mark === undefined ? "" : ` behind ${reason.mark}`}`;
    case "refused-by-template":
      return `that the chat template refuses, "${reason.words}"`;
    case "other":
      return reason.words;
    default:
      return "column" in reason ? OF_COLUMN[reason.kind](`"${reason.column}"`) : PLAIN[reason.kind];
  }
}
