/** @file Real conversations by path for the dialogue task, as far as its characters and its length go. */
import type { Conversation } from "../data/contents.ts";
import { takeData } from "../data/load.ts";
import type { Skip } from "../data/read_record.ts";
import { dialogueData, LENGTH } from "./dialogue_data.ts";
import type { TaskData, TaskOptions } from "../task.ts";
import { exactMatch } from "../text/exact_match.ts";
import { ifFits, onOneLine } from "../text/one_line.ts";
import type { TextExample } from "../text/text_batch.ts";

/** What the score of real conversations is called: they have no state, so the whole reply is compared. */
export const REAL_METRIC = "exact reply";

/**
 * Conversations in lower case on one line, each turn behind the sign that the generated ones have: ">name a colour=" is
 * answered by "blue". One example of each: the last reply, so that no part of a conversation is trained on and another
 * held out. MT-Bench's questions are counted as skipped.
 *
 * @throws {DataError} where there are no such conversations, or too few that fit
 */
export async function realDialogue(options: TaskOptions & { readonly data: string }): Promise<TaskData> {
  const { source, classes: _, ...pools } = await takeData("dialogue-state", "dialogue", options, {
    convert: toExample,
    keyOf: ({ prompt }) => prompt,
  });
  return { ...dialogueData(pools, options.seed, exactMatch), source };
}

function toExample({ turns }: Conversation): TextExample | Skip {
  const last = turns.at(-1);
  // MT-Bench's references are notes for a judge ("check if they implement the classical algorithm"), no replies.
  if (last?.role !== "assistant") return { skip: "without a reply, as a judge is to score it" };
  const prompt = turns.slice(0, -1).map(({ role, text }) =>
    (role === "assistant" ? "<" : ">") + onOneLine(text)
  );
  return ifFits({ prompt: `${prompt.join("")}=`, answer: onOneLine(last.text) }, LENGTH);
}
