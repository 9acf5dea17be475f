import { assertEquals } from "@std/assert";
import { onOneLine } from "./one_line.ts";

Deno.test("onOneLine() lowers letters and makes every run of white space one space, none at the ends", () => {
  assertEquals(onOneLine("\n Dear\tAnn,\r\n\r\nYES \u00a0 I can.\n"), "dear ann, yes i can.");
  assertEquals(onOneLine(" \n "), "");
});
