/** @file Tokenizers as they lie beside checkpoints. */
import { createByteLevelBpe, tokenizerJson } from "../../tasks/text/byte_level_bpe.ts";
import { trainByteLevelBpe } from "../../tasks/text/train_byte_level_bpe.ts";

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

/** Characters that the tokenizer of `unigramFiles` has tokens for. */
const CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:.,'_";

/**
 * Files of a tokenizer of T5's kind by their paths in `folder`: pieces with scores, "\u2581" for spaces, "<unk>" (2) for
 * characters that it lacks, texts ended by "</s>" (1) and padded with "<pad>" (0).
 *
 * @param pieces beside single characters, e.g. "\u2581cola"
 * @param characters that it has
 */
export function unigramFiles(
  folder: string,
  pieces: readonly string[],
  characters = CHARACTERS,
): Record<string, string> {
  const special = ["<pad>", "</s>", "<unk>"];
  const vocab = [
    ...special.map((piece) => [piece, 0]),
    ...pieces.map((piece) => [piece, -3]),
    ...["\u2581", ...characters].map((character) => [character, -9]),
  ];
  const space = {
    type: "Metaspace",
    replacement: "\u2581",
    add_prefix_space: true,
    prepend_scheme: "always",
  };
  const ended = { Sequence: { id: "A", type_id: 0 } }, end = { SpecialToken: { id: "</s>", type_id: 0 } };
  const json = {
    version: "1.0",
    added_tokens: special.map((content, id) => ({ id, content, special: true, normalized: false })),
    normalizer: { type: "Precompiled", precompiled_charsmap: "ALQCAACEAAA=" },
    pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "WhitespaceSplit" }, space] },
    post_processor: {
      type: "TemplateProcessing",
      single: [ended, end],
      pair: [ended, end],
      special_tokens: { "</s>": { id: "</s>", ids: [1], tokens: ["</s>"] } },
    },
    decoder: space,
    model: { type: "Unigram", unk_id: 2, vocab },
  };
  return {
    [`${folder}/tokenizer.json`]: JSON.stringify(json),
    [`${folder}/tokenizer_config.json`]: JSON.stringify({
      eos_token: "</s>",
      pad_token: "<pad>",
      unk_token: "<unk>",
      tokenizer_class: "T5Tokenizer",
    }),
  };
}

/**
 * Files of a tokenizer of BERT's kind by their paths in `folder`: "[CLS]" (2) begins a text, "[SEP]" (3) ends it, and the first
 * of a pair.
 */
export function wordPieceFiles(folder: string, words: readonly string[]): Record<string, string> {
  const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"], letters = [..."abcdefghijklmnopqrstuvwxyz0123456789"];
  const pieces = [...special, ...words, ...letters, ...letters.map((letter) => `##${letter}`)];
  const json = {
    version: "1.0",
    added_tokens: special.map((content, id) => ({ id, content, special: true, normalized: false })),
    normalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, lowercase: true },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: { type: "BertProcessing", sep: ["[SEP]", 3], cls: ["[CLS]", 2] },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
    },
  };
  const config = { cls_token: "[CLS]", sep_token: "[SEP]", pad_token: "[PAD]", unk_token: "[UNK]" };
  return {
    [`${folder}/tokenizer.json`]: JSON.stringify(json),
    [`${folder}/tokenizer_config.json`]: JSON.stringify(config),
  };
}
