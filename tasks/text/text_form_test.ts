import { assertEquals, assertThrows } from "@std/assert";
import { byteLevelTokenizer } from "../../tests/support/tokenizer_folder.ts";
import type { Skip } from "../skip.ts";
import { answerBatch } from "./text_batch.ts";
import { characterForm, decodeWhole, ifFits } from "./text_form.ts";
import type { Tokenizer } from "./tokenizer.ts";

const strange: Skip = { skip: { kind: "unknown-characters" } };
const example = (prompt: string, answer: string) => ({ prompt, answer, more: 1 });

Deno.test("ifFits() leaves room for the stop token, and tells strange characters before length", () => {
  const fitting = example("abc=", "defg");
  assertEquals(ifFits(fitting, characterForm(9)), { ...fitting, tokens: 9 });
  answerBatch([fitting], 9);
  assertEquals(ifFits(fitting, characterForm(8)), { skip: { kind: "too-long", most: 8 } });
  for (const text of ["é", "A", "a\nb", "\0", "💬", "#"]) {
    assertEquals(ifFits(example(text, "a"), characterForm(9)), strange);
    assertEquals(ifFits(example("a", text.repeat(20)), characterForm(9)), strange);
  }
});

Deno.test("ifFits() counts the token that begins a text, of an encoder-decoder's input the prompt alone, and takes no special token in a text", () => {
  const needs = (family: "decoder" | "encoder-decoder", inputSize: number) => ({
    family,
    outputs: 258,
    inputSize,
  });
  // As in GPT-2: one token begins, ends and pads.
  const { stop } = byteLevelTokenizer;
  const tokenizer: Tokenizer = { ...byteLevelTokenizer, start: stop, pad: stop };
  const given = example("é\n", "abcd");
  const fits = (inputSize: number, family: "decoder" | "encoder-decoder", from = tokenizer) =>
    ifFits(given, { tokenizer: from, needs: needs(family, inputSize) });
  assertEquals(fits(9, "decoder"), { ...given, tokens: 9 });
  assertEquals(fits(8, "decoder"), { skip: { kind: "too-long", most: 8 } });
  assertEquals(fits(8, "decoder", byteLevelTokenizer), { ...given, tokens: 8 });
  answerBatch([given], 9, tokenizer);
  assertThrows(() => answerBatch([given], 8, tokenizer), RangeError, "they are 9");
  assertEquals(fits(5, "encoder-decoder"), { ...given, tokens: 5 });
  assertEquals(fits(4, "encoder-decoder"), { skip: { kind: "too-long", most: 4 } });
  assertEquals(fits(4, "encoder-decoder", byteLevelTokenizer), { ...given, tokens: 4 });

  // Others' tokenizers know their special tokens in texts.
  const spelling = {
    ...tokenizer,
    encode: (text: string) => Int32Array.from(text === "</s>" ? [stop] : [7]),
  };
  for (const [prompt, answer] of [["</s>", "a"], ["a", "</s>"]] as const) {
    const form = { tokenizer: spelling, needs: needs("decoder", 9) };
    assertEquals(ifFits(example(prompt, answer), form), strange);
  }
});

Deno.test("decodeWhole() gives the text of tokens, none where one has no text", () => {
  assertEquals(decodeWhole(byteLevelTokenizer.encode("né."), byteLevelTokenizer), "né.");
  assertEquals(decodeWhole(Int32Array.of(40, 258), byteLevelTokenizer), "");
  assertEquals(decodeWhole(Int32Array.of(), byteLevelTokenizer), "");
});
