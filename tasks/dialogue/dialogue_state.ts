/**
 * @file Fine-tuning on dialogue: bookings in words that the base checkpoint has never met.
 *
 * Settings were chosen on full fine-tuning and LoRA alone: see docs/results.md.
 */
import { createRandom } from "../../numerics/random.ts";
import { ANY, drawConversation, type Wording } from "./conversation.ts";
import { MEASURES, scoreConversations } from "./conversation_scores.ts";
import { realDataOf } from "../data/load.ts";
import { dialogueData, LENGTH } from "./dialogue_data.ts";
import { takeDrawn } from "../examples.ts";
import { REAL_METRIC, realDialogue } from "./real_dialogue.ts";
import type { Task } from "../task.ts";
import { characterForm } from "../text/text_form.ts";
import { pick } from "../math/word_problems.ts";

const FORM = characterForm(LENGTH);

const phrases = (text: string) => text.split("/");

/** How users speak: they never name a value, but say one of four words for it. None is in `dialogueStateBase`. */
export const NEW_WORDING: Wording = {
  phrases: {
    food: {
      thai: phrases("satay/larb/curry/lemongrass"),
      greek: phrases("gyros/feta/moussaka/souvlaki"),
      indian: phrases("naan/dal/vindaloo/tandoori"),
      french: phrases("snails/quiche/crepes/baguette"),
      italian: phrases("pizza/risotto/gnocchi/lasagne"),
      [ANY]: phrases("surprise me/you pick/whatever"),
    },
    area: {
      north: phrases("hill/zoo/dam/mill"),
      south: phrases("beach/pier/docks/lido"),
      east: phrases("farm/lake/fort/barn"),
      west: phrases("tower/rink/gate/abbey"),
      [ANY]: phrases("just drive/all roads do/wherever"),
    },
    price: {
      cheap: phrases("coins/broke/pennies/snip"),
      mid: phrases("twenty/usual/norm/between"),
      dear: phrases("splurge/stars/gold/silk"),
      [ANY]: phrases("dad pays/who counts/spend away"),
    },
  },
  setting: phrases("/please /maybe /hmm, "),
  changing: phrases("scrap that, /rather /oh wait, /better "),
  acknowledging: "ok, ",
  asking: { food: "to eat?", area: "where?", price: "how much?" },
  closing: ["a ", " table!"],
};

/** Sizes of the fixed pools that the examples are taken from. */
const POOL = { test: 2000, validation: 2000, train: 16000, moreTest: 8000 };

/** Turns of the user. */
const TURNS = [2, 3, 3, 3] as const;

/** Pools of which no two conversations have one prompt, the same whatever the options. */
const take = takeDrawn("dialogue-state", POOL, function* () {
  const random = createRandom(0).fork("dialogue-state"), prompts = new Set<string>();
  for (let draw = 0;; draw++) {
    const own = random.fork(`conversation ${draw}`);
    const conversation = drawConversation(own, NEW_WORDING, pick(TURNS, own.uniform(1, 0, 1)[0]!));
    const { prompt, answer } = conversation;
    if (prompt.length + answer.length >= LENGTH || prompts.has(prompt)) continue;
    prompts.add(prompt);
    yield conversation;
  }
});

/**
 * Conversations of two or three turns of the user, who sets, changes and drops what to eat, where and for how much,
 * answered by the state and the reply: ">please tandoori<where?>hill, rather moussaka=" by
 * "greek;north;-.ok, how much?". The base checkpoint has met neither the users' words nor the replies, and the
 * values only spelt in lines of slots. Real conversations by path have no state: the whole reply is scored.
 */
export const dialogueState: Task = {
  id: "dialogue-state",
  title: "Bookings in new words",
  family: "dialogue",
  metric: { name: "joint goal accuracy", chance: 0 },
  measures: MEASURES,
  source: "generated",
  realData: realDataOf("dialogue", { metric: REAL_METRIC }),
  shipped: {
    model: "decoder-tiny-dialogue",
    steps: 400,
    batchSize: 16,
    trainExamples: 4000,
    validationExamples: 128,
    testExamples: 300,
  },
  async load(options, model) {
    const { data } = options;
    if (data !== undefined) return await realDialogue({ ...options, data }, model, FORM);
    return dialogueData(
      take(options),
      options.seed,
      FORM,
      scoreConversations,
    );
  },
};
