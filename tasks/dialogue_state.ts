/** @file Fine-tuning on dialogue. */
import { createRandom } from "../numerics/random.ts";
import { ANY, type Conversation, drawConversation, type Wording } from "./conversation.ts";
import { measureConversations, MEASURES, scoreConversations } from "./conversation_scores.ts";
import { inBatches, type Pools, takeExamples } from "./examples.ts";
import { batchPositions, trainingOrder } from "./order.ts";
import type { Task } from "./task.ts";
import { answerBatch } from "./text_batch.ts";
import { VOCABULARY_SIZE } from "./tokenizer.ts";
import { pick } from "./word_problems.ts";

/** Tokens of a row. */
export const LENGTH = 96;

const phrases = (text: string) => text.split("/");

/** How users speak: they never name a value. The corpus of `dialogueStateBase` holds none of these phrases. */
export const NEW_WORDING: Wording = {
  phrases: {
    food: {
      thai: phrases("tom yum/green curry/lemongrass soup/satay"),
      greek: phrases("souvlaki/feta salad/moussaka/gyros"),
      indian: phrases("tandoori/a vindaloo/naan and dal/samosas"),
      french: phrases("snails/a quiche/duck confit/crepes"),
      italian: phrases("lasagne/gnocchi/risotto/pizza"),
      [ANY]: phrases("feed me whatever/you pick the menu/i eat it all"),
    },
    area: {
      north: phrases("up the hill/by the zoo/near the dam/past the mill"),
      south: phrases("on the beach/by the pier/near the docks/past the dunes"),
      east: phrases("on the farm/by the lake/near the fort/past the barn"),
      west: phrases("up the tower/by the rink/near the gate/past the school"),
      [ANY]: phrases("just drive us/all roads do/near or far"),
    },
    price: {
      cheap: phrases("under ten/few coins/we are broke/a bargain"),
      mid: phrases("about twenty/not too much/so so bill/the usual sum"),
      dear: phrases("a splurge/five stars/we got paid/lavish"),
      [ANY]: phrases("dad will pay/who counts/bill me later"),
    },
  },
  setting: phrases("/please /maybe /hmm, "),
  changing: phrases("scrap that, /rather /oh wait, /better "),
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

export const dialogueState: Task = {
  id: "dialogue-state",
  title: "Bookings in new words",
  family: "dialogue",
  metric: { name: "joint goal accuracy", chance: 0 },
  measures: MEASURES,
  source: "generated",
  // deno-lint-ignore require-await -- too many examples must reject, not throw
  async load(options) {
    const { train, validation, test } = takeExamples("dialogue-state", loadPools(), options);
    const order = trainingOrder(createRandom(options.seed).fork("dialogue-state order"), train.length);
    return {
      needs: { family: "decoder", outputs: VOCABULARY_SIZE, inputSize: LENGTH },
      trainBatch(step, size) {
        return answerBatch(batchPositions(step, size).map((position) => train[order(position)]!), LENGTH);
      },
      *validationBatches(size) {
        for (const examples of inBatches(validation, size)) yield answerBatch(examples, LENGTH);
      },
      score(predictor, split) {
        return scoreConversations(predictor, split === "test" ? test : validation);
      },
      measure(predictor, split) {
        return measureConversations(predictor, split === "test" ? test : validation);
      },
    };
  },
};
