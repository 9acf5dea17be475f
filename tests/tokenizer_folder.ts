/** @file A tokenizer as it lies beside a checkpoint. */
import { createByteLevelBpe, tokenizerJson } from "../tasks/text/byte_level_bpe.ts";
import { trainByteLevelBpe } from "../tasks/text/train_byte_level_bpe.ts";

/** Every byte a token, and two more: 258 tokens. */
export const byteLevelTokenizer = createByteLevelBpe([]);

/**
 * A byte-level tokenizer's files by their paths in `folder`.
 *
 * @param words what it has a token for, each
 */
export function tokenizerFiles(folder: string, words: readonly string[] = []): Record<string, string> {
  const tokenizer = words.length === 0
    ? byteLevelTokenizer
    : trainByteLevelBpe(words.flatMap((word) => [word, word]), 259);
  return {
    [`${folder}/tokenizer.json`]: JSON.stringify(tokenizerJson(tokenizer)),
    [`${folder}/tokenizer_config.json`]: JSON.stringify({ eos_token: "<|stop|>" }),
  };
}
