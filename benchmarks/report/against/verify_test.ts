import { assertEquals, assertStringIncludes } from "@std/assert";
import type { RunResult } from "../../../training/run.ts";
import { fakeRegistries } from "../../../tests/support/fakes/registries.ts";
import { fakeDone, fakeFailed } from "../../../tests/support/fakes/results.ts";
import { fakePlan } from "../../../tests/support/fakes/sweep.ts";
import { sampleOf, TOLERANCE, verify } from "./verify.ts";

type Done = Awaited<ReturnType<typeof fakeDone>>;

const { runs } = await fakePlan();
const stored = await Promise.all(runs.slice(0, 6).map(({ config }) => fakeDone(config)));

/** The runs again, each changed by what is said of its outcome, on another adapter where one is named. */
function again(change: (outcome: Done["outcome"]) => Partial<Done["outcome"]>, adapter?: string) {
  return stored.map((run) => ({
    stored: run,
    again: {
      ...run,
      environment: { ...run.environment, ...(adapter !== undefined && { adapter }) },
      outcome: { ...run.outcome, ...change(run.outcome) },
    },
  }));
}

/** Training losses that are off by a share, from a step on. */
const off = (share: number, from = 0) => ({ trainLoss }: Done["outcome"]) => ({
  trainLoss: trainLoss.map(({ step, value }) => ({ step, value: step < from ? value : value * (1 + share) })),
});

Deno.test("sampleOf() draws finished runs, the same for the same seed, whatever their order, and all of them when asked", async () => {
  const failed = await fakeFailed(runs[7]!.config), all: RunResult[] = [...stored, failed];
  const ids = (some: readonly RunResult[]) => new Set(some.map(({ id }) => id));
  const drawn = sampleOf(all, 3, 1);
  assertEquals(drawn.length, 3);
  assertEquals(ids(sampleOf(all.toReversed(), 3, 1)), ids(drawn));
  assertEquals(sampleOf(all, Infinity, 0), stored);
  // Each run is drawn by some seed.
  const seen = new Set(Array.from({ length: 40 }, (_, seed) => [...ids(sampleOf(all, 2, seed))]).flat());
  assertEquals(seen, ids(stored));
});

Deno.test("verify() confirms equal runs bit for bit, and on an equal adapter nothing less", () => {
  assertEquals(verify(again(() => ({})), fakeRegistries), {
    ...verify(again(() => ({})), fakeRegistries),
    confirmed: "bit for bit",
    sentence: "Confirmed: 6 runs found the same, bit for bit, on SYNTHETIC, measured nowhere (none)",
  });
  const { confirmed, sentence, table } = verify(again(off(1e-7)), fakeRegistries);
  assertEquals(confirmed, "no");
  assertStringIncludes(sentence, "Not confirmed: 6 of 6 runs found something else on SYNTHETIC");
  assertEquals(table.rows.length, 6);
  assertEquals(table.rows[0]!.slice(5, 7), ["training loss", "1.00e−7"]);
  // A score alone, too.
  const [first, ...others] = again(() => ({}));
  const changed = {
    ...first!,
    again: { ...first!.again, outcome: { ...first!.again.outcome, scores: [9] } },
  };
  assertEquals(verify([changed, ...others], fakeRegistries).table.rows.map((row) => row[5]), ["scores"]);
});

Deno.test("verify() allows another adapter rounding over the first steps, and scores that examples explain", () => {
  const near = verify(again(off(0.9 * TOLERANCE), "another"), fakeRegistries);
  assertEquals(near.confirmed, "within rounding");
  assertStringIncludes(near.sentence, "on another (none), stored from SYNTHETIC, measured nowhere (none)");
  assertEquals(verify(again(off(1.1 * TOLERANCE), "another"), fakeRegistries).confirmed, "no");
  // Later it may grow.
  assertEquals(verify(again(off(0.1, 21), "another"), fakeRegistries).confirmed, "within rounding");
  const worse = again(({ scores, ...outcome }) => ({
    ...off(0.5 * TOLERANCE)({ scores, ...outcome }),
    score: 0,
    scores: scores.map(() => 0),
  }), "another");
  const { confirmed, sentence } = verify(worse, fakeRegistries);
  assertEquals(confirmed, "no");
  assertStringIncludes(sentence, "scores on another (none) differ by more than the examples explain");
});

Deno.test("verify() takes a run that fails for one that found something else, and says why", async () => {
  const failed = { ...await fakeFailed(stored[0]!.config), error: "Cannot go on: the device was lost" };
  const { confirmed, table } = verify([{ stored: stored[0]!, again: failed }], fakeRegistries);
  assertEquals([confirmed, table.rows[0]![5], table.rows[0]![8]], [
    "no",
    "it failed: Cannot go on: the device was lost",
    "failed",
  ]);
});
