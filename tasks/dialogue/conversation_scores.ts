/** @file Scoring conversations: the state, the reply, and how likely both were. */
import type { Conversation } from "./conversation.ts";
import { exactMatch } from "../text/exact_match.ts";
import type { Measure, Measured, Predictor } from "../task.ts";
import { endedTokens, promptTokens, type TextExample } from "../text/text_batch.ts";
import { encode, type Tokenizer } from "../text/tokenizer.ts";

/** What `measureConversations` measures. */
export const MEASURES: readonly Measure[] = [
  { name: "exact reply", better: "higher", within: [0, 1] },
  { name: "loss a token", better: "lower", within: [0, Infinity] },
];

/**
 * Joint goal accuracy: for each conversation 1 where the greedy answer begins with the state, every slot right, else 0.
 *
 * Source: Budzianowski et al., MultiWOZ, EMNLP 2018, section 4.1, where the last turn alone is asked for.
 */
export async function scoreConversations(
  predictor: Predictor,
  conversations: readonly Conversation[],
): Promise<Float32Array> {
  const right = await predictor.follows(
    conversations.map(({ prompt }) => encode(prompt)),
    conversations.map(({ stateText }) => encode(stateText)),
  );
  return Float32Array.from(right, Number);
}

/**
 * "exact reply": 1 where the greedy answer is state and reply to the letter and then stops, else 0. "loss a token": the
 * answer's mean negative log-likelihood, its stop token among the tokens, in nats.
 */
export async function measureConversations(
  predictor: Predictor,
  conversations: readonly TextExample[],
  tokenizer: Tokenizer,
): Promise<Readonly<Record<string, Measured>>> {
  return {
    "exact reply": { values: await exactMatch(predictor, conversations, tokenizer) },
    "loss a token": {
      values: await predictor.losses(
        conversations.map(({ prompt }) => promptTokens(prompt, tokenizer)),
        conversations.map(({ answer }) => endedTokens(answer, tokenizer)),
      ),
    },
  };
}
