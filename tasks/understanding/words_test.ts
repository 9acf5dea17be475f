import { assert, assertEquals, assertThrows } from "@std/assert";
import { makeWordList } from "./word_list.ts";
import { loadSynsets } from "./wordnet.ts";
import {
  decodeWords,
  encodeWords,
  END,
  GAPS,
  PADDING,
  SPECIAL,
  splitWords,
  WORDS,
  WORDS_SIZE,
} from "./words.ts";

Deno.test("words.txt is what makeWordList() makes of the glosses that may be seen in pre-training", async () => {
  assertEquals(WORDS.slice(SPECIAL.length), makeWordList(await loadSynsets()));
});

Deno.test("WORDS are 2,048, no two alike, each one token that is its own", () => {
  assertEquals([WORDS_SIZE, new Set(WORDS).size], [2048, 2048]);
  assertEquals([WORDS[PADDING], WORDS[END]], ["<padding>", "<end>"]);
  for (const [token, word] of WORDS.entries()) {
    if (!SPECIAL.includes(word) || GAPS.includes(word)) assertEquals([...encodeWords(word)], [token], word);
  }
});

Deno.test("splitWords() tells words, numbers and signs apart, whatever the spacing and case", () => {
  assertEquals(splitWords("MRPC sentence1: The dog's  bone,\n42%"), [
    ...["mrpc", "sentence", "1", ":", "the", "dog's", "bone", ",", "42", "%"],
  ]);
  assertEquals(splitWords("not_equivalent <gap-0>x"), ["not_equivalent", "<gap-0>", "x"]);
  assertEquals(splitWords(" \n"), []);
});

Deno.test("encodeWords() puts words that are not listed into classes by their spelling, and refuses none", () => {
  const classes = (text: string) => [...encodeWords(text)].map((token) => WORDS[token]);
  assertEquals(classes("zorbing zorbed zorbly zorbness zorbs zorb 777 § é <end> <padding>"), [
    ...["<-ing>", "<-ed>", "<-ly>", "<-ness>", "<-s>", "<word>", "<number>", "<other>", "<other>"],
    ...["<other>", "end", "<other>", "<other>", "<-ing>", "<other>"],
  ]);
  // An ending alone is a word.
  assertEquals(classes("ist")[0], "<word>");
});

Deno.test("decodeWords() gives words back, and refuses what is no token", () => {
  const text = "the farmer was not_equivalent to <gap-1>";
  assertEquals(decodeWords(encodeWords(text)), text);
  assertEquals(decodeWords([]), "");
  for (const token of [-1, 2048, 1.5]) assertThrows(() => decodeWords([token]), RangeError, `token ${token}`);
});

Deno.test("No text can be taken for padding or the end", () => {
  assert(
    ![...encodeWords("<padding> <end> </s> \0 end padding")].some((token) =>
      token === PADDING || token === END
    ),
  );
});
