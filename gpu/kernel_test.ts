import { assert, assertEquals } from "@std/assert";
import { lineOfGroups, MOST_GROUPS } from "./kernel.ts";

Deno.test("lineOfGroups() holds every group, folds only long lines, and adds fewer groups than it has rows", () => {
  assertEquals(lineOfGroups(0), [1, 1]);
  assertEquals(lineOfGroups(1), [1, 1]);
  assertEquals(lineOfGroups(MOST_GROUPS), [MOST_GROUPS, 1]);
  assertEquals(lineOfGroups(MOST_GROUPS + 1), [32768, 2]);
  for (const count of [65_537, 131_070, 131_071, 1_000_003, 65_535 ** 2]) {
    const [x, y] = lineOfGroups(count);
    assert(x <= MOST_GROUPS && y <= MOST_GROUPS, `${count}: ${x} x ${y}`);
    assert(x * y >= count && x * y - count < y, `${count}: ${x} x ${y}`);
  }
});
