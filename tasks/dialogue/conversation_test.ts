import { assert, assertEquals } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import {
  ANY,
  type Conversation,
  drawConversation,
  type Slot,
  SLOTS,
  UNSET,
  type Wording,
} from "./conversation.ts";
import { NEW_WORDING } from "./dialogue_state.ts";
import { BASE_WORDING } from "./dialogue_state_base.ts";
import { encode } from "../text/tokenizer.ts";

const wordings = { BASE_WORDING, NEW_WORDING };

/** What a phrase says, found from the phrase's end: openings stand before it. */
function meaningOf(said: string, { phrases }: Wording): { slot: Slot; value: string; phrase: string } {
  const found = SLOTS.flatMap((slot) =>
    Object.entries(phrases[slot]).flatMap(([value, texts]) =>
      texts.map((phrase) => ({ slot, value, phrase }))
    )
  ).filter(({ phrase }) => said === phrase || said.endsWith(` ${phrase}`));
  assert(found.length > 0, `"${said}" says nothing`);
  // "persian food" is said where "food" alone were none; the longest is meant.
  return found.toSorted((a, b) => b.phrase.length - a.phrase.length)[0]!;
}

/** The states after every turn of the user, and whether it was about a slot with a value, from the prompt alone. */
function statesOf(
  { prompt }: Conversation,
  wording: Wording,
): { state: Record<Slot, string>; changes: boolean }[] {
  assert(prompt.startsWith(">") && prompt.endsWith("="));
  const state: Record<Slot, string> = { food: UNSET, area: UNSET, price: UNSET };
  const openings = [...wording.setting, ...wording.changing];
  return prompt.slice(1, -1).split(">").map((turn) => {
    let rest = turn.split("<")[0]!, changes = false;
    while (rest !== "") {
      // Openings may hold ", ": a part that is none of them ends what is said about a slot.
      const opening = openings.filter((text) => rest.startsWith(text)).toSorted((a, b) =>
        b.length - a.length
      )[0]!;
      const end = rest.indexOf(", ", opening.length), said = end < 0 ? rest : rest.slice(0, end);
      const { slot, value } = meaningOf(said, wording);
      changes ||= state[slot] !== UNSET;
      state[slot] = value;
      rest = end < 0 ? "" : rest.slice(end + 2);
    }
    return { state: { ...state }, changes };
  });
}

function replyTo(
  { state, changes }: { state: Record<Slot, string>; changes: boolean },
  { acknowledging, asking, closing }: Wording,
): string {
  const start = changes ? acknowledging : "";
  if (state.food === UNSET) return start + asking.food;
  if (state.area === UNSET) return start + asking.area;
  if (state.price === UNSET) return start + asking.price;
  return start + closing[0] + state.food + closing[1];
}

for (const [name, wording] of Object.entries(wordings)) {
  Deno.test(`${name}: no phrase means two things, and all can be encoded`, () => {
    const all = SLOTS.flatMap((slot) => Object.values(wording.phrases[slot]).flat());
    assertEquals(new Set(all).size, all.length);
    const { setting, changing, asking, closing } = wording;
    for (const text of [...all, ...setting, ...changing, ...Object.values(asking), ...closing]) encode(text);
    // What splits turns and answers is said by nobody.
    for (const text of [...all, ...setting, ...changing]) assert(!/[<>=;.\n]/.test(text), text);
    for (const slot of SLOTS) assert(ANY in wording.phrases[slot] && !(UNSET in wording.phrases[slot]));
  });

  Deno.test(`drawConversation() answers with the state and the reply that its turns lead to: ${name}`, () => {
    const random = createRandom(3), acts = [0, 0, 0];
    for (let i = 0; i < 2000; i++) {
      const turns = 1 + i % 4, conversation = drawConversation(random.fork(`${i}`), wording, turns);
      const states = statesOf(conversation, wording);
      assertEquals(states.length, turns);
      const last = states.at(-1)!;
      assertEquals(
        conversation.stateText,
        `${last.state.food};${last.state.area};${last.state.price}.`,
        conversation.prompt,
      );
      assertEquals(conversation.answer, conversation.stateText + replyTo(last, wording));
      const replies = conversation.prompt.slice(0, -1).split(">").slice(1, -1).map((turn) =>
        turn.split("<")[1]
      );
      assertEquals(replies, states.slice(0, -1).map((state) => replyTo(state, wording)));
      conversation.acts.forEach((count, k) => acts[k]! += count);
    }
    assert(acts.every((count) => count > 400), `set, changed, dropped: ${acts}`);
  });
}

Deno.test("drawConversation() gives equal conversations for equal keys, and others for others", () => {
  const draw = (label: string) => drawConversation(createRandom(0).fork(label), NEW_WORDING, 3);
  assertEquals(draw("a"), draw("a"));
  assert(draw("a").prompt !== draw("b").prompt);
});
