/** @file Real conversations by path for the dialogue task, as far as the model's tokens and its length go. */
import type { Conversation } from "../data/contents.ts";
import type { Skip } from "../skip.ts";
import { dialogueData } from "./dialogue_data.ts";
import type { TaskData, TaskModel, TaskOptions } from "../task.ts";
import { exactMatch } from "../text/exact_match.ts";
import { onOneLine } from "../text/one_line.ts";
import { conversationExamples } from "../text/prompt_templates.ts";
import { takeTexts } from "../text/real_texts.ts";
import type { TextExample } from "../text/text_batch.ts";
import type { TextForm } from "../text/text_form.ts";

/** What the score of real conversations is called: they have no state, so the whole reply is compared. */
export const REAL_METRIC = "exact reply";

/**
 * Conversations by Alpaca's template. For the project's own decoders they are in lower case on one line, each turn behind
 * the sign that the generated ones have: ">name a colour=" is answered by "blue". One example of each: the last reply, so
 * that no part of a conversation is trained on and another held out. MT-Bench's questions are counted as skipped.
 *
 * @param own the form of the project's own decoders
 * @throws {DataError} as `takeTexts` does
 */
export async function realDialogue(
  options: TaskOptions & { readonly data: string },
  model: TaskModel | undefined,
  own: TextForm,
): Promise<TaskData> {
  const { source, form, ...pools } = await takeTexts("dialogue-state", "dialogue", options, model, {
    modelFamily: "decoder",
    convert: (conversation) => ifReplied(conversation, (all) => conversationExamples(all).at(-1)!),
    own: { form: own, convert: (conversation) => ifReplied(conversation, lastOnOneLine) },
  });
  const score: typeof exactMatch = (predictor, examples) => exactMatch(predictor, examples, form.tokenizer);
  return { ...dialogueData(pools, options.seed, form, score), source };
}

/** MT-Bench's references are notes for a judge ("check if they implement the classical algorithm"), no replies. */
function ifReplied(
  conversation: Conversation,
  toExample: (conversation: Conversation) => TextExample,
): TextExample | Skip {
  return conversation.turns.at(-1)?.role === "assistant"
    ? toExample(conversation)
    : { skip: { kind: "no-reply" } };
}

function lastOnOneLine({ turns }: Conversation): TextExample {
  const prompt = turns.slice(0, -1).map(({ role, text }) =>
    (role === "assistant" ? "<" : ">") + onOneLine(text)
  );
  return { prompt: `${prompt.join("")}=`, answer: onOneLine(turns.at(-1)!.text) };
}
