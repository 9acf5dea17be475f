import { assertEquals, assertStringIncludes } from "@std/assert";
import type { RunResult } from "../../training/run.ts";
import { fakeDiverged, fakeDone, fakeFailed } from "../../tests/support/fakes/results.ts";
import { fakePlan, fakeSweep } from "../../tests/support/fakes/sweep.ts";
import type { Live } from "../sweep/live.ts";
import { overviewOf } from "./overview.ts";
import { type Contents, summarise } from "./sweep_folder.ts";

// Seven runs.
const plan = await fakePlan({ ...fakeSweep, tasks: [fakeSweep.tasks[0]!], seeds: [0] });
const [first, second, third, fourth] = plan.runs;
const now = Date.parse("2026-11-25T12:00:30Z");

const live: Live = {
  schema: 1,
  worker: "here",
  host: null,
  startedAt: "2026-11-25T12:00:00Z",
  updatedAt: "2026-11-25T12:00:29Z",
  stage: "runs",
  run: {
    id: fourth!.id,
    phase: "training",
    step: 10,
    startedAt: "2026-11-25T12:00:20Z",
    trainLoss: [2, 1],
    validationLoss: [],
  },
  toGoMs: 61_000,
  ending: null,
};

function contents(results: readonly RunResult[], changes: Partial<Contents> = {}): Contents {
  return {
    plan,
    runs: new Map(results.map((result) => [result.id, summarise(result)])),
    faults: [],
    unread: 0,
    pulse: { live: null, isAlive: false, fault: null },
    others: [],
    stamp: "",
    ...changes,
  };
}

const some = [
  await fakeDone(first!.config),
  await fakeDiverged(second!.config),
  await fakeFailed(third!.config),
];

Deno.test("overviewOf() counts a sweep at work: what failed before this go is left, what is at work is apart", () => {
  const found = overviewOf(contents(some, { pulse: { live, isAlive: true, fault: null } }), now);
  assertEquals(found.state, "running");
  assertEquals(found.counts, { total: 7, done: 1, diverged: 1, failed: 0, running: 1, left: 4 });
  assertEquals([found.toGoMs, found.running[0]?.id], [60_000, fourth!.id]);
  assertEquals(found.sentences, ["Running, about 1 min 0 s to go"]);
  const failedNow = some.map((result) => ({
    ...result,
    environment: { ...result.environment, startedAt: "2026-11-25T12:00:10Z" },
  }));
  const later = overviewOf(contents(failedNow, { pulse: { live, isAlive: true, fault: null } }), now);
  assertEquals(later.counts, { total: 7, done: 1, diverged: 1, failed: 1, running: 1, left: 3 });
});

Deno.test("overviewOf() says how a sweep ended, and of a killed one where it was", () => {
  const of = (changes: Partial<Live>, isAlive = false) =>
    overviewOf(contents(some, { pulse: { live: { ...live, ...changes }, isAlive, fault: null } }), now);
  const killed = of({});
  assertEquals([killed.state, killed.toGoMs, killed.running], ["killed", null, []]);
  assertEquals(killed.counts, { total: 7, done: 1, diverged: 1, failed: 1, running: 0, left: 4 });
  assertStringIncludes(killed.sentences[0]!, "last heard of 1 s ago");
  assertStringIncludes(killed.sentences[1]!, "digits, lora-pro r2, lr 0.004, seed 0, step 10");
  assertEquals(of({ ending: { status: "done" } }).state, "done");
  assertEquals(of({ ending: { status: "interrupted" } }).state, "interrupted");
  const failed = of({ ending: { status: "failed", error: "Cannot read x.safetensors" } });
  assertEquals([failed.state, failed.sentences], ["failed", ["Ended by a fault: Cannot read x.safetensors"]]);
});

Deno.test("overviewOf() tells a silent process from a dead one", () => {
  const pulse = {
    live: { ...live, updatedAt: "2026-11-25T11:50:30Z", toGoMs: 1000 },
    isAlive: true,
    fault: null,
  };
  const { state, sentences, toGoMs } = overviewOf(contents(some, { pulse }), now);
  assertEquals([state, toGoMs], ["running", 0]);
  assertStringIncludes(sentences[1]!, "lives, but has said nothing for 10 min 0 s");
});

Deno.test("overviewOf() does not guess where nothing was said", async () => {
  const { state, counts, sentences } = overviewOf(contents(some), now);
  assertEquals([state, counts.left], ["unknown", 4]);
  assertStringIncludes(sentences[0]!, "Nothing here tells whether it runs");
  const all = await Promise.all(plan.runs.map(({ config }) => fakeDone(config)));
  assertEquals(overviewOf(contents(all), now).sentences, ["All its runs are stored"]);
  assertEquals(overviewOf(contents([], { plan: null }), now).state, "waiting");
});

Deno.test("overviewOf() says of a search, until it is done, that not all of its runs are made", () => {
  const of = (changes: Partial<Live>, isAlive: boolean) =>
    overviewOf(
      contents(some, {
        plan: { ...plan, search: true },
        pulse: { live: { ...live, ...changes }, isAlive, fault: null },
      }),
      now,
    ).sentences.at(-1)!;
  assertStringIncludes(of({}, true), "A search decides which of these runs are made");
  assertEquals(of({ ending: { status: "done" } }, false), "Done");
});

Deno.test("overviewOf() counts without a plan, and leaves runs out that are not of the plan", async () => {
  const without = overviewOf(contents(some, { plan: null }), now);
  assertEquals(without.counts, { total: null, done: 1, diverged: 1, failed: 1, running: 0, left: null });
  assertStringIncludes(without.sentences.at(-1)!, "no sweep.json that can be used");
  const [other] = (await fakePlan({ ...fakeSweep, seeds: [9] })).runs;
  const mixed = overviewOf(contents([...some, await fakeDone(other!.config)], { unread: 3 }), now);
  assertEquals([mixed.counts.done, mixed.stored.length], [1, 3]);
  assertEquals(mixed.sentences.slice(-2), [
    "3 stored runs still to be read",
    "Left out: 1 stored run of other sweeps",
  ]);
});
