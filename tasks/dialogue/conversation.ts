/** @file Conversations about a table to book: users set, change and drop slots; the system keeps the state and replies. */
import type { Random } from "../../numerics/random.ts";
import type { TextExample } from "../text/text_batch.ts";
import { pick } from "../math/word_problems.ts";

/** What a booking is about, in the order of the state. */
export const SLOTS = ["food", "area", "price"] as const;

/** One of them. */
export type Slot = typeof SLOTS[number];

/** The value of every slot: one of the wording's, `UNSET` or `ANY`. */
export type State = Readonly<Record<Slot, string>>;

/** A slot that nothing was said about. */
export const UNSET = "-";

/** A slot that the user does not care about, or no longer. */
export const ANY = "any";

/** How users and the system speak. */
export interface Wording {
  /** For every slot its values, `ANY` among them, and for every value what a user may say for it. */
  readonly phrases: Readonly<Record<Slot, Readonly<Record<string, readonly string[]>>>>;
  /** What may come before the phrase of a slot that was unset. */
  readonly setting: readonly string[];
  /** What may come before the phrase of a slot that had a value. */
  readonly changing: readonly string[];
  /** What a reply begins with where the user's turn was about a slot that had a value. */
  readonly acknowledging: string;
  /** What the system asks for an unset slot. */
  readonly asking: Readonly<Record<Slot, string>>;
  /** What the system says where no slot is unset, before and after the food. */
  readonly closing: readonly [before: string, after: string];
}

/** A conversation up to a user's turn, and the answer to it: the state and the system's reply. */
export interface Conversation extends TextExample {
  /** The answer's first part, e.g. "thai;-;any.". */
  readonly stateText: string;
  /** How many slots the user's turns set, changed to another value, and dropped, in this order. */
  readonly acts: readonly [set: number, changed: number, dropped: number];
}

/** Chance that a user answers what was asked, where something was. */
const ANSWERS = 0.6;
/** Chance that a turn is about two slots. */
const SPEAKS_OF_TWO = 0.35;
/** Chance that a slot without a value gets `ANY`, and that one with a value does. */
const DROPS = { unset: 0.15, set: 0.3 };

/**
 * A conversation of `turns` turns of the user. Turns begin with ">", replies with "<" and answers with "=":
 * ">tandoori<where?>hill, rather gyros=" is answered by "greek;north;-.ok, how much?".
 *
 * What was said last about a slot is its value. The reply asks for the first slot that is unset.
 */
export function drawConversation(random: Random, wording: Wording, turns: number): Conversation {
  let state: State = { food: UNSET, area: UNSET, price: UNSET };
  const acts: [number, number, number] = [0, 0, 0];
  let prompt = "", replied = "";
  for (let turn = 0; turn < turns; turn++) {
    if (turn > 0) prompt += `<${replied}`;
    const said: string[] = [];
    let changes = false;
    for (const slot of drawSlots(random.fork(`slots ${turn}`), turn > 0 ? firstUnset(state) : undefined)) {
      const [opening, value, phrase, drop] = random.fork(`${slot} ${turn}`).uniform(4, 0, 1);
      const values = wording.phrases[slot], before = state[slot], isSet = before !== UNSET;
      const others = Object.keys(values).filter((name) => name !== before && name !== ANY);
      const drops = before !== ANY && drop! < (isSet ? DROPS.set : DROPS.unset);
      const after = drops ? ANY : pick(others, value!);
      said.push(pick(isSet ? wording.changing : wording.setting, opening!) + pick(values[after]!, phrase!));
      acts[drops ? 2 : isSet ? 1 : 0]++;
      changes ||= isSet;
      state = { ...state, [slot]: after };
    }
    prompt += `>${said.join(", ")}`;
    replied = (changes ? wording.acknowledging : "") + reply(state, wording);
  }
  const stateText = `${SLOTS.map((slot) => state[slot]).join(";")}.`;
  return { prompt: `${prompt}=`, answer: stateText + replied, stateText, acts };
}

/** The slots of a turn: one or two, the one that was asked for likely among them. */
function drawSlots(random: Random, asked: Slot | undefined): Slot[] {
  const [answers, two] = random.uniform(2, 0, 1);
  const shuffled = [...random.fork("order").permutation(SLOTS.length)].map((i) => SLOTS[i]!);
  const order = asked && answers! < ANSWERS
    ? [asked, ...shuffled.filter((slot) => slot !== asked)]
    : shuffled;
  return order.slice(0, two! < SPEAKS_OF_TWO ? 2 : 1);
}

function firstUnset(state: State): Slot | undefined {
  return SLOTS.find((slot) => state[slot] === UNSET);
}

function reply(state: State, { asking, closing }: Wording): string {
  const missing = firstUnset(state);
  return missing ? asking[missing] : closing.join(state.food);
}
