import { assertEquals, assertThrows } from "@std/assert";
import { IGNORE } from "../../models/model.ts";
import { answerBatch, runningBatch } from "./text_batch.ts";
import { encode, PAD, STOP } from "./tokenizer.ts";

Deno.test("answerBatch() shifts targets by one and counts only the answer and its stop token", () => {
  const batch = answerBatch([{ prompt: "ab:", answer: "cd" }, { prompt: "a", answer: "" }], 7);
  const [a, b, colon, c, d] = encode("ab:cd");
  const [x, pad] = [IGNORE, PAD];
  assertEquals(batch.tokens.shape, [2, 7]);
  assertEquals(batch.targets.shape, [2, 7]);
  assertEquals([...batch.tokens.data], [
    ...[a!, b!, colon!, c!, d!, STOP, pad],
    ...[a!, STOP],
    ...Array(5).fill(pad),
  ]);
  assertEquals([...batch.targets.data], [...[x, x, c!, d!, STOP, x, x], ...[STOP], ...Array(6).fill(x)]);
});

Deno.test("answerBatch() fills a row to its last token, and refuses one more", () => {
  const batch = answerBatch([{ prompt: "ab", answer: "cd" }], 5);
  assertEquals([...batch.tokens.data], [...encode("abcd\n")]);
  assertThrows(() => answerBatch([{ prompt: "ab", answer: "cde" }], 5), RangeError, "they are 6");
});

Deno.test("runningBatch() makes every position count", () => {
  const batch = runningBatch(["abcd", "1+2="], 3);
  assertEquals(batch.tokens.shape, [2, 3]);
  assertEquals([...batch.tokens.data], [...encode("abc1+2")]);
  assertEquals([...batch.targets.data], [...encode("bcd+2=")]);
});
