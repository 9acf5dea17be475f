import { assert, assertEquals } from "@std/assert";
import { testOnPublic } from "../../tests/support/public_files.ts";
import { readJsonRows } from "../data/json_rows.ts";
import { flexibleAnswer, sameAnswer, strictAnswer } from "./final_answer.ts";

Deno.test("strictAnswer() takes what stands behind the last mark, and behind a last = only a number", () => {
  const found: [string, string | null][] = [
    ["Working.\n#### 42", "42"],
    ["#### 1\nno, wait\n#### 1,000 \nand more", "1,000"],
    ["#### -5.", "-5"],
    ["####", null],
    ["It is so. The answer is: \\frac{1}{2}", "\\frac{1}{2}"],
    ["The answer is: 7.", "7"],
    ["= 5 the answer is: 6", "6"],
    ["a fall to = -1,234.50.", "-1,234.50"],
    ["9-12=-3.", "-3"],
    ["9-12=\u22123", "\u22123"],
    ["=+.5", "+.5"],
    ["= 1,00", null],
    ["17+7=24-9=15.", "15"],
    ["a = 3\nb = $1,250.50", "$1,250.50"],
    ["x = y", null],
    ["x = 3 apples", null],
    ["a = 3\nSo three.", null],
    ["42", null],
    ["", null],
  ];
  for (const [text, answer] of found) assertEquals(strictAnswer(text), answer, JSON.stringify(text));
});

Deno.test("flexibleAnswer() finds the last number whole: thousands, signs, decimals, currency, percent", () => {
  const found: [string, string | null][] = [
    ["He pays 1,000", "1,000"], // the reference code's pattern stops at the comma
    ["1,234,567.89 in all.", "1,234,567.89"],
    ["It costs $1,000.50.", "$1,000.50"],
    ["It is -3 degrees", "-3"],
    ["It is \u22123 degrees", "\u22123"],
    ["a loss of -$5", "-$5"],
    ["a loss of $-5", "$-5"],
    ["16 - 3", "3"],
    ["16-3", "3"],
    ["(2)-3", "3"],
    ["about .5", ".5"],
    ["about 50%", "50"],
    ["it fell by -1,234.50.", "-1,234.50"],
    ["9-12=-3.", "-3"],
    ["from 3 to +4.25,", "+4.25"],
    ["= -0.5 in all", "-0.5"],
    ["1, 2,3", "3"],
    ["12,34", "34"],
    ["ten", null],
    ["#### many, 3 of them\n", "3"],
    ["#### 18\nSo 7 are left", "18"],
  ];
  for (const [text, answer] of found) assertEquals(flexibleAnswer(text), answer, JSON.stringify(text));
});

Deno.test("sameAnswer() compares numbers by value at any length, and texts without white space", () => {
  const same: [string, string][] = [
    ["1,000", "1000"],
    ["$1,000.00", "1000"],
    ["50%", "50"],
    ["50 %", "50.0"],
    ["-$5", "$-5"],
    ["\u22125", "-5"],
    ["+7", "7"],
    [".5", "0.50"],
    ["-0", "0"],
    ["007", "7"],
    ["18.", "18"],
    ["-1,234.50", "\u22121234.5"],
    ["20 \u20ac", "20"],
    ["\\frac{1} {2}", "\\frac{1}{2}"],
  ];
  for (const [a, b] of same) assert(sameAnswer(a, b) && sameAnswer(b, a), `${a} ${b}`);
  const different: [string, string][] = [
    ["1,000", "1"],
    ["1,000.5", "1,000"],
    ["50%", "0.5"],
    ["5", "-5"],
    ["12345678901234567890", "12345678901234567891"],
    ["1,00", "100"],
    ["", "0"],
    [".", "0"],
    ["3 apples", "3"],
  ];
  for (const [a, b] of different) assert(!sameAnswer(a, b) && !sameAnswer(b, a), `${a} ${b}`);
});

testOnPublic(
  ["gsm8k/test-200.jsonl"],
  "both ways find the final answers of GSM8K's real solutions",
  async (path) => {
    let count = 0, withoutMark = 0;
    for await (const { fields } of readJsonRows(path)) {
      const answer = String(fields["answer"]);
      const [working, written] = answer.split("\n#### ") as [string, string];
      assertEquals(strictAnswer(answer), written.trim());
      assert(sameAnswer(flexibleAnswer(answer)!, written), answer);
      // Without the mark, most solutions still end with their answer.
      const flexible = flexibleAnswer(working.replaceAll(/<<[^<>]*>>/g, ""));
      if (flexible !== null && sameAnswer(flexible, written)) withoutMark++;
      count++;
    }
    assertEquals(count, 200);
    assert(withoutMark > 150, `${withoutMark} of 200`);
  },
);
