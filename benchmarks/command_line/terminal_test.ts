import { assertEquals } from "@std/assert";
import { coloured, cut, fold, plain, toColumns, wrap } from "./terminal.ts";

Deno.test("wrap() breaks long lines between words, with further lines where the text began", () => {
  assertEquals(wrap("as it is", 8), "as it is");
  assertEquals(wrap("one two three", 8), "one two\nthree");
  assertEquals(wrap("  name  one two three", 16), "  name  one two\n        three");
  assertEquals(wrap("    one two three", 12), "    one two\n    three");
  assertEquals(wrap("a-long-name-indeed  text of it", 20), "a-long-name-indeed  text of it");
  assertEquals(wrap("one two three", Infinity), "one two three");
  // Colours take no columns.
  assertEquals(wrap(`one ${coloured.red("two")} three`, 13), `one ${coloured.red("two")} three`);
  assertEquals(fold("a supercalifragilistic word", 10), ["a", "supercalifragilistic", "word"]);
  assertEquals([cut("four", 4), cut("five5", 4)], ["four", "fiv…"]);
});

Deno.test("toColumns() stands numbers at the right, and leaves out columns that do not fit", () => {
  const columns = ["Method", "Rank", "Score", "vs lora"],
    rows = [
      ["LoRA-Pro", "8", "0.5", "+0.068 better"],
      ["Full", "—", "−10.25", "—"],
    ];
  assertEquals(toColumns(columns, rows, 80, plain), [
    "Method    Rank   Score  vs lora",
    "LoRA-Pro     8     0.5  +0.068 better",
    "Full         —  −10.25  —",
  ]);
  assertEquals(toColumns(columns, rows, 30, plain)[1], "LoRA-Pro     8     0.5");
  assertEquals(toColumns(columns, rows, 1, plain)[1], "LoRA-Pro");
});
