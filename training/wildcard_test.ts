import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { matchesWildcard } from "./wildcard.ts";

/** What an expression says of short texts, for which it need not be quick. */
function byExpression(pattern: string, name: string): boolean {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[^A-Za-z0-9_]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(name);
}

Deno.test("matchesWildcard() says of any pattern what the expression says of it", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", ".", "*"), maxLength: 7 });
  fc.assert(
    fc.property(
      letters,
      letters,
      (pattern, name) => matchesWildcard(pattern, name) === byExpression(pattern, name),
    ),
    { numRuns: 2000, seed: 13 },
  );
});

Deno.test("matchesWildcard() needs room for all parts, from the first to the last, and takes no sign but * for another", () => {
  for (
    const [pattern, name, fits] of [
      ["a*a", "a", false],
      ["a*a", "aa", true],
      ["*.q_proj", "layers.0.q_proj", true],
      ["*.q_proj", "layers.0.q_proj.x", false],
      ["*ab*b", "ab", false],
      ["*ab*b", "abb", true],
      ["a.q", "axq", false],
      ["*", "", true],
      ["", "", true],
      ["", "a", false],
    ] as const
  ) assertEquals(matchesWildcard(pattern, name), fits, `${pattern} and ${name}`);
});

Deno.test("matchesWildcard() ends for patterns and names of which an expression would try all divisions", () => {
  const name = "a".repeat(10_000);
  assertEquals(matchesWildcard(`${"*".repeat(10_000)}x`, name), false);
  assertEquals(matchesWildcard(`${"*a".repeat(5_000)}*x`, name), false);
  assertEquals(matchesWildcard(`${"*a".repeat(5_000)}*`, name), true);
});
