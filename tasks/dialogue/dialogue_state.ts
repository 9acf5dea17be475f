/**
 * @file Fine-tuning on dialogue: bookings in words that the base checkpoint has never met.
 *
 * Settled on full fine-tuning and LoRA alone, at 400 steps of 16 of 4,000 conversations, cosine schedule with 8 steps
 * of warm-up, gradients clipped to 1. On 200 test conversations, for seeds 0 and 1 (which give the order):
 *
 * | method, peak rate    | joint goal accuracy | exact reply  | loss a token |
 * | -------------------- | ------------------- | ------------ | ------------ |
 * | base checkpoint      | 0.000               | 0.000        | 4.788        |
 * | full, 2e-3           | 0.755, 0.875        | 0.745, 0.875 | 0.031, 0.018 |
 * | full, 4e-3           | 0.730, 0.800        | 0.725, 0.785 | 0.028, 0.022 |
 * | full, 8e-3           | 0.335, 0.205        | 0.335, 0.200 | 0.078, 0.097 |
 * | LoRA, rank 8, 4e-3   | 0.375, 0.630        | 0.345, 0.595 | 0.091, 0.068 |
 * | LoRA, rank 8, 8e-3   | 0.470, 0.705        | 0.465, 0.700 | 0.063, 0.040 |
 * | LoRA, rank 8, 1.6e-2 | 0.290, 0.485        | 0.290, 0.475 | 0.085, 0.071 |
 *
 * At their best rates the two methods differ by 0.285 and 0.170, and LoRA's seeds by 0.235: pair by seed, and take
 * more than two. The base checkpoint tracks all of 200 held-out conversations of its own corpus. At 300 steps full
 * fine-tuning at 4e-3 reached 0.422 of 128 validation conversations, LoRA at 1.6e-2 0.266 (seed 0).
 */
import { createRandom } from "../../numerics/random.ts";
import { ANY, type Conversation, drawConversation, type Wording } from "./conversation.ts";
import { MEASURES, scoreConversations } from "./conversation_scores.ts";
import { realDataOf } from "../data/load.ts";
import { dialogueData, LENGTH } from "./dialogue_data.ts";
import { type Pools, takeExamples } from "../examples.ts";
import { REAL_METRIC, realDialogue } from "./real_dialogue.ts";
import type { Task } from "../task.ts";
import { pick } from "../math/word_problems.ts";

const phrases = (text: string) => text.split("/");

/** How users speak: they never name a value. The corpus of `dialogueStateBase` holds none of these phrases. */
export const NEW_WORDING: Wording = {
  phrases: {
    food: {
      thai: phrases("tom yum/green curry/lemongrass soup"),
      greek: phrases("souvlaki/feta salad/moussaka"),
      indian: phrases("tandoori/vindaloo/naan and dal"),
      french: phrases("snails/a quiche/duck confit"),
      italian: phrases("lasagne/gnocchi/risotto"),
      [ANY]: phrases("feed me whatever/you pick the menu"),
    },
    area: {
      north: phrases("up the hill/by the zoo/near the dam"),
      south: phrases("on the beach/by the pier/near the docks"),
      east: phrases("on the farm/by the lake/near the fort"),
      west: phrases("up the tower/by the rink/near the gate"),
      [ANY]: phrases("just drive us/all roads do"),
    },
    price: {
      cheap: phrases("under ten/few coins/we are broke"),
      mid: phrases("about twenty/not too much/so so bill"),
      dear: phrases("a splurge/five stars/we got paid"),
      [ANY]: phrases("dad will pay/who counts"),
    },
  },
  setting: phrases("/please /maybe /hmm, "),
  changing: phrases("scrap that, /rather /oh wait, /better "),
  acknowledging: "ok, ",
  asking: { food: "to eat?", area: "where?", price: "how much?" },
  closing: ["a ", " table!"],
};

/** Sizes of the fixed pools that the examples are taken from. */
const POOL = { test: 2000, validation: 2000, train: 16000 };

/** Turns of the user. */
const TURNS = [2, 3, 3, 3] as const;

let pools: Pools<Conversation> | undefined;

/** The pools, no two conversations of which have one prompt; made once, as they depend on no option. */
function loadPools(): Pools<Conversation> {
  if (!pools) {
    const random = createRandom(0).fork("dialogue-state"), byPrompt = new Map<string, Conversation>();
    for (let draw = 0; byPrompt.size < POOL.test + POOL.validation + POOL.train; draw++) {
      const own = random.fork(`conversation ${draw}`);
      const conversation = drawConversation(own, NEW_WORDING, pick(TURNS, own.uniform(1, 0, 1)[0]!));
      const fits = conversation.prompt.length + conversation.answer.length < LENGTH;
      if (fits && !byPrompt.has(conversation.prompt)) byPrompt.set(conversation.prompt, conversation);
    }
    const all = [...byPrompt.values()];
    pools = {
      test: all.slice(0, POOL.test),
      validation: all.slice(POOL.test, POOL.test + POOL.validation),
      train: all.slice(POOL.test + POOL.validation),
    };
  }
  return pools;
}

/**
 * Conversations of two or three turns of the user, who sets, changes and drops what to eat, where and for how much,
 * answered by the state and the reply: ">please tandoori<where?>up the hill, rather moussaka=" by
 * "greek;north;-.ok, how much?". The base checkpoint has met neither the users' phrases nor the replies, and the
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
    testExamples: 200,
  },
  async load(options) {
    const { data } = options;
    if (data !== undefined) return await realDialogue({ ...options, data });
    return dialogueData(
      takeExamples("dialogue-state", loadPools(), options),
      options.seed,
      scoreConversations,
    );
  },
};
