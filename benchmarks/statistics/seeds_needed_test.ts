import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { pooledSpread, seedsToShow, withMoreExamples } from "./seeds_needed.ts";
import { compare, FEWEST_SEEDS } from "./comparison.ts";

Deno.test("seedsToShow() agrees with the sample sizes of the paired t test", () => {
  // Power 0.8 at 5 %, by (t(0.975) + t(0.8))² (s / d)²: for s / d = 1.52, 2.36 and 0.64.
  const found = [0.076, 0.118, 0.032].map((seeds) => seedsToShow(0.05, { seeds, examples: 0 }));
  assertEquals(found, [21, 46, 6]);
  assertEquals(seedsToShow(0.05, { seeds: 1e-9, examples: 0 }), FEWEST_SEEDS);
  // A family asks for more, and seeds do not help against a test set that is too small.
  assert(seedsToShow(0.05, { seeds: 0.076, examples: 0 }, 1 - 0.05 / 6)! > 21);
  assert(seedsToShow(0.05, { seeds: 0.076, examples: 0.01 })! > 21);
  assertEquals(seedsToShow(0.05, { seeds: 0.076, examples: 0.02 }), null);
});

Deno.test("seedsToShow() of the spread of a few seeds gives a number that shows the difference four times in five", () => {
  const random = createRandom(31), examples = 400, repeats = 400, difference = 0.1;
  const draw = (name: string, seeds: number, ours: number) => {
    const own = random.fork(name), a = own.fork("seeds").normal(seeds, 0.06);
    const luck = own.fork("both").uniform(seeds * examples, 0, 1),
      hard = own.fork("b").uniform(examples, -0.3, 0.3);
    return Array.from(
      a,
      (skill, s) =>
        Array.from(
          hard,
          (more, e) => luck[s * examples + e]! < 0.5 + ours * (skill + difference) + more ? 1 : 0,
        ),
    );
  };
  const compared = (name: string, seeds: number) => compare(draw(name, seeds, 1), draw(name, seeds, 0));
  const spread = pooledSpread(Array.from({ length: 40 }, (_, i) => compared(`pilot ${i}`, 2)))!;
  assertAlmostEquals(spread.seeds, 0.06, 0.02);
  const seeds = seedsToShow(difference, spread)!;
  let shown = 0;
  for (let i = 0; i < repeats; i++) if (compared(`study ${i}`, seeds).verdict === "better") shown++;
  assert(shown / repeats > 0.72 && shown / repeats < 0.92, `${shown} of ${repeats} with ${seeds} seeds`);
});

Deno.test("withMoreExamples() lessens what examples do, and leaves the seeds' own part", () => {
  const spread = { seeds: 0.05, both: 0.03, examples: 0.02 };
  const more = withMoreExamples(spread, 4);
  assertAlmostEquals(more.seeds ** 2, 0.04 ** 2 + 0.015 ** 2, 1e-12);
  assertEquals([more.both, more.examples], [0.015, 0.01]);
  assertEquals(withMoreExamples(spread, 1), spread);
  assertEquals([seedsToShow(0.05, spread), seedsToShow(0.05, more)! > 4], [null, true]);
});

Deno.test("pooledSpread() knows nothing from one seed, and takes no coincidence for a spread of nothing", () => {
  assertEquals(pooledSpread([compare([[1, 0, 1]], [[0, 0, 1]])]), null);
  assertEquals(pooledSpread([]), null);
  // Both seeds win by one example, each by another one.
  const { seeds } = pooledSpread([compare([[1, 0, 0, 0], [0, 1, 0, 0]], [[0, 0, 0, 0], [0, 0, 0, 0]])])!;
  assert(seeds > 0.1, String(seeds));
});
