import { assertEquals, assertThrows } from "@std/assert";
import { OutOfTime, withinTime } from "./time_limit.ts";

Deno.test("withinTime() gives what work returns or throws, also from within other work", () => {
  assertEquals(withinTime(60_000, () => [1, 2]), [1, 2]);
  assertThrows(
    () =>
      withinTime(60_000, () => {
        throw new RangeError("mine");
      }),
    RangeError,
    "mine",
  );
  assertEquals(withinTime(60_000, () => withinTime(60_000, () => 1) + withinTime(60_000, () => 2)), 3);
});

Deno.test("withinTime() stops expressions and loops that do not end, and works again after that", () => {
  const endless: Record<string, () => unknown> = {
    "an expression": () => /^(a+)+$/u.test(`${"a".repeat(60)}b`),
    "a replacement": () => "a".repeat(100_000).replace(/(a*)*b/gu, ""),
    "a loop": () => {
      for (;;);
    },
  };
  for (const [name, work] of Object.entries(endless)) {
    assertThrows(() => withinTime(20, work), OutOfTime, "it took longer than 20 ms", name);
    assertEquals(withinTime(60_000, () => name), name);
  }
});
