import { assertEquals } from "@std/assert";
import { assertClose } from "../tests/support/assert_close.ts";
import { effectiveRank } from "./effective_rank.ts";

Deno.test("effectiveRank() is the rank where values are equal, whatever their size, and less where they are not", () => {
  assertClose([effectiveRank([3])!, effectiveRank([1e-30, 1e-30, 0])!], [1, 2], { relative: 1e-14 });
  assertClose([effectiveRank([5, 5, 5, 5, 5, 0, 0])!], [5], { relative: 1e-14 });
  // p = 3/4 and 1/4: exp(H) = 4 / 3^(3/4).
  assertClose([effectiveRank([3, 1])!], [4 / 3 ** 0.75], { relative: 1e-14 });
});

Deno.test("effectiveRank() leaves out what is not above the noise, and knows none without a value or with NaN", () => {
  assertClose([effectiveRank([1, 1, 1e-7, 1e-7], 1e-6)!], [2], { relative: 1e-14 });
  assertEquals([[], [0, 0], [1e-7], [1, NaN], [Infinity, 1]].map((values) => effectiveRank(values, 1e-6)), [
    null,
    null,
    null,
    null,
    null,
  ]);
});
