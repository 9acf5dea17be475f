import { assert, assertEquals } from "@std/assert";
import { lineOfGroups, MAX_GROUPS } from "./kernel.ts";

Deno.test("lineOfGroups() holds every group, folds only long lines, and adds fewer groups than it has rows", () => {
  assertEquals(lineOfGroups(0), [1, 1]);
  assertEquals(lineOfGroups(1), [1, 1]);
  assertEquals(lineOfGroups(MAX_GROUPS), [MAX_GROUPS, 1]);
  assertEquals(lineOfGroups(MAX_GROUPS + 1), [32768, 2]);
  for (const count of [65_537, 131_070, 131_071, 1_000_003, 65_535 ** 2]) {
    const [x, y] = lineOfGroups(count);
    assert(x <= MAX_GROUPS && y <= MAX_GROUPS, `${count}: ${x} x ${y}`);
    assert(x * y >= count && x * y - count < y, `${count}: ${x} x ${y}`);
  }
});
