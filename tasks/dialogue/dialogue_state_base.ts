/** @file The corpus that pre-trains the decoder for `dialogueState`: bookings in plain words, and slot lines. */
import { createRandom, type Random } from "../../numerics/random.ts";
import { ANY, type Conversation, drawConversation, UNSET, type Wording } from "./conversation.ts";
import { scoreConversations } from "./conversation_scores.ts";
import { LENGTH } from "./dialogue_data.ts";
import { NEW_WORDING } from "./dialogue_state.ts";
import { inBatches, takeHeldOut } from "../examples.ts";
import { batchPositions } from "../order.ts";
import type { Task } from "../task.ts";
import { runningBatch } from "../text/text_batch.ts";
import { VOCABULARY_SIZE } from "../text/tokenizer.ts";
import { pick } from "../math/word_problems.ts";

const spoken = (values: string, phrasesOf: (value: string) => readonly string[]) =>
  Object.fromEntries(values.split(" ").map((value) => [value, phrasesOf(value)]));

/** How the corpus speaks: users name the values, none of which `dialogueState` uses. */
export const BASE_WORDING: Wording = {
  phrases: {
    food: {
      ...spoken("korean turkish spanish polish persian", (value) => [`${value} food`, value]),
      [ANY]: ["any food", "any dish"],
    },
    area: {
      ...spoken("port mall centre campus", (value) => [`at the ${value}`, `${value} area`]),
      [ANY]: ["any area", "any place"],
    },
    price: {
      ...spoken("low fair high", (value) => [`${value} price`, `${value} cost`]),
      [ANY]: ["any price", "any cost"],
    },
  },
  setting: ["", "", "i want ", "then "],
  changing: ["no, ", "make it ", "sorry, ", "but now "],
  acknowledging: "",
  asking: { food: "food?", area: "area?", price: "price?" },
  closing: ["booked ", "."],
};

/** How many conversations are kept out of the corpus for each split. */
const HELD_OUT = 1000;

/** Turns of the user in a conversation of the corpus. */
const TURNS = [1, 2, 3, 3] as const;

/**
 * Rows of 96 characters from an endless corpus. Each opens with a conversation; conversations and slot lines fill the
 * rest, each on a line of its own, and the row's end cuts the last. Slot lines are the only ones with the values of
 * `dialogueState`: "thai;-;any." and "food thai.".
 *
 * Rows are made as they are asked for and depend on the seed, so `trainExamples` has no effect.
 */
export const dialogueStateBase: Task = {
  id: "dialogue-state-base",
  title: "Bookings in plain words",
  family: "dialogue",
  metric: { name: "joint goal accuracy", chance: 0 },
  source: "generated",
  // deno-lint-ignore require-await -- too many examples must reject, not throw
  async load(options) {
    const fixed = createRandom(0).fork("dialogue-state-base");
    const heldOut = distinctConversations(fixed.fork("held out"), 2 * HELD_OUT);
    const heldOutPrompts = new Set(heldOut.map(({ prompt }) => prompt));
    const { validation, test } = takeHeldOut("dialogue-state-base", heldOut, options);
    const validationRows = validation.map((conversation, i) =>
      corpusRow(fixed.fork(`validation ${i}`), () => conversation)
    );
    const corpus = createRandom(options.seed).fork("dialogue-state-base corpus");
    return {
      needs: { family: "decoder", outputs: VOCABULARY_SIZE, inputSize: LENGTH },
      trainBatch(step, size) {
        const rows = batchPositions(step, size).map((position) =>
          corpusRow(corpus.fork(`row ${position}`), (random) => drawOther(random, heldOutPrompts))
        );
        return runningBatch(rows, LENGTH);
      },
      *validationBatches(size) {
        for (const rows of inBatches(validationRows, size)) yield runningBatch(rows, LENGTH);
      },
      score(predictor, split) {
        return scoreConversations(predictor, split === "test" ? test : validation);
      },
    };
  },
};

/** One character more than a row, as the last target is the character after it. */
function corpusRow(random: Random, drawOpening: (random: Random) => Conversation): string {
  let text = lineOf(drawOpening(random.fork("opening")));
  for (let line = 0; text.length <= LENGTH; line++) text += drawLine(random.fork(`line ${line}`));
  return text.slice(0, LENGTH + 1);
}

function lineOf({ prompt, answer }: Conversation): string {
  return `${prompt}${answer}\n`;
}

/** A conversation that fits into a row, of one to three turns. */
function drawFitting(random: Random): Conversation {
  for (let draw = 0;; draw++) {
    const own = random.fork(`draw ${draw}`);
    const conversation = drawConversation(own, BASE_WORDING, pick(TURNS, own.uniform(1, 0, 1)[0]!));
    if (lineOf(conversation).length <= LENGTH) return conversation;
  }
}

function distinctConversations(random: Random, count: number): Conversation[] {
  const byPrompt = new Map<string, Conversation>();
  for (let draw = 0; byPrompt.size < count; draw++) {
    const conversation = drawFitting(random.fork(`conversation ${draw}`));
    byPrompt.set(conversation.prompt, conversation);
  }
  return [...byPrompt.values()];
}

/** A conversation that is not held out. */
function drawOther(random: Random, heldOutPrompts: ReadonlySet<string>): Conversation {
  for (let draw = 0;; draw++) {
    const conversation = drawFitting(random.fork(`other ${draw}`));
    if (!heldOutPrompts.has(conversation.prompt)) return conversation;
  }
}

/** The values of both wordings. */
const values = {
  food: [BASE_WORDING, NEW_WORDING].flatMap(({ phrases }) => Object.keys(phrases.food)),
  area: [BASE_WORDING, NEW_WORDING].flatMap(({ phrases }) => Object.keys(phrases.area)),
  price: [BASE_WORDING, NEW_WORDING].flatMap(({ phrases }) => Object.keys(phrases.price)),
};

/** "thai;-;any.", or "food thai.": no conversations, as those that are held out must not come up. */
function drawLine(random: Random): string {
  const [kind, food, area, price, unset] = random.uniform(5, 0, 1);
  const state = {
    food: pick(values.food, food!),
    area: pick(values.area, area!),
    price: pick(values.price, price!),
  };
  const slot = pick(["food", "area", "price"] as const, unset!);
  if (kind! < 0.3) return `${slot} ${state[slot]}.\n`;
  const some = kind! < 0.7 ? { ...state, [slot]: UNSET } : state;
  return `${some.food};${some.area};${some.price}.\n`;
}
