import { assertEquals } from "@std/assert";
import { ifFits, onOneLine } from "./one_line.ts";
import { answerBatch } from "./text_batch.ts";

Deno.test("onOneLine() lowers letters and makes every run of white space one space, none at the ends", () => {
  assertEquals(onOneLine("\n Dear\tAnn,\r\n\r\nYES \u00a0 I can.\n"), "dear ann, yes i can.");
  assertEquals(onOneLine(" \n "), "");
});

Deno.test("ifFits() leaves room for the stop token, and tells strange characters before length", () => {
  const example = (prompt: string, answer: string) => ({ prompt, answer, more: 1 });
  const fitting = example("abc=", "defg");
  assertEquals(ifFits(fitting, 9), fitting);
  answerBatch([fitting], 9);
  assertEquals(ifFits(fitting, 8), { skip: "longer than 8 tokens" });
  const strange = { skip: "with characters that the tokenizer lacks" };
  for (const text of ["é", "A", "a\nb", "\0", "💬", "#"]) {
    assertEquals(ifFits(example(text, "a"), 9), strange);
    assertEquals(ifFits(example("a", text.repeat(20)), 9), strange);
  }
});
