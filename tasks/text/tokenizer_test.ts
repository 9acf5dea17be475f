import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ALPHABET, decode, encode, PAD, STOP, VOCABULARY_SIZE } from "./tokenizer.ts";

Deno.test("decode() gives back what encode() took, for every text of the alphabet", () => {
  const text = fc.array(fc.constantFrom(...ALPHABET)).map((characters) => characters.join(""));
  fc.assert(fc.property(text, (original) => decode(encode(original)) === original));
});

Deno.test("encode() gives back what decode() took, for all tokens", () => {
  const tokens = fc.array(fc.nat({ max: VOCABULARY_SIZE - 1 }));
  fc.assert(fc.property(tokens, (original) => {
    assertEquals([...encode(decode(original))], original);
  }));
});

Deno.test("encode() puts pad, newline, letters and digits where checkpoints expect them", () => {
  assertEquals([...encode("\0\n az09")], [PAD, STOP, 2, 3, 28, 29, 38]);
  assertEquals(new Set(ALPHABET).size, VOCABULARY_SIZE);
});

Deno.test("encode() takes code and dialogue slots", () => {
  assertEquals(decode(encode("(x*2+1)%3<=y food;area;price.")), "(x*2+1)%3<=y food;area;price.");
});

Deno.test("encode() names an unknown character", () => {
  assertThrows(() => encode("tom Has"), RangeError, `"H"`);
  assertThrows(() => encode("😀"), RangeError, `"😀"`);
});

Deno.test("decode() names an unknown token", () => {
  assertThrows(() => decode([3, VOCABULARY_SIZE]), RangeError, `token ${VOCABULARY_SIZE}`);
  assertThrows(() => decode([-1]), RangeError, "token -1");
});
