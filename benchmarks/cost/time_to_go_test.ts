import { assert, assertGreater } from "@std/assert";
import { resolveRuns } from "../../training/resolve/resolve.ts";
import * as models from "../../models/mod.ts";
import * as optimizers from "../../optimizers/mod.ts";
import * as tasks from "../../tasks/mod.ts";
import type { Task } from "../../tasks/task.ts";
import type { RunConfig } from "../../training/run.ts";
import { Forecast } from "./estimate.ts";
import { forecastFor } from "./known_paces.ts";
import type { Progress } from "../../training/loop/progress.ts";
import recorded from "../recorded/mixed_sweep.json" with { type: "json" };
import { countRuns } from "./run_work.ts";
import { RunClock } from "./time_to_go.ts";
import { READING, testNeeding } from "../../tests/support/test_needing.ts";

const test = testNeeding(READING);

/** What a run said of itself, and when. */
type Said = readonly [ms: number, phase: Progress["phase"], step: number];

const runs = recorded.runs.map(({ config, said, ms }) => ({
  config: { ...recorded.base, ...config } as unknown as RunConfig,
  said: said as unknown as readonly Said[],
  ms,
}));
/** Runs were recorded before the losses on the test examples and on pretraining examples were taken. */
const before = Object.entries(tasks).map(([name, task]): [string, Task] => [name, {
  ...task,
  load: async (options, model) => {
    const { testBatches: _, ...data } = await task.load(options, model);
    return data;
  },
}]);
const registries = {
  tasks: Object.fromEntries(before),
  models: Object.fromEntries(Object.values(models).map((model) => [model.id, { ...model, recipe: null }])),
  optimizers,
};
const workOf = await countRuns(await resolveRuns(runs.map(({ config }) => config), registries));

const plan = { runs: runs.map(({ config }, i) => ({ id: String(i), config })) };

/** What is known before anything ran, and after the runs that are done. */
async function newForecast(known: boolean): Promise<Forecast> {
  if (!known) return new Forecast(workOf);
  return (await forecastFor(plan, { results: new Map() }, registries, workOf)).forecast;
}

/**
 * Replays runs one after the other on a clock of their own.
 *
 * @param slower how many times as long training takes as it was recorded; waits for each token take Deno as long anywhere
 * @returns at each word of a run what was told to be left over what was left, and how much of the whole was over
 */
function replay(
  forecast: Forecast,
  some: typeof runs,
  slower: number,
): { ratio: number | null; over: number }[] {
  const timed = some.map(({ config, said, ms }) => {
    const trainedAt = said.find(([, phase]) => phase === "scoring")![0];
    const at = (recorded: number) => recorded + (slower - 1) * Math.min(recorded, trainedAt);
    return { config, ms: at(ms), said: said.map(([ms, phase, step]): Said => [at(ms), phase, step]) };
  });
  const whole = timed.reduce((sum, { ms }) => sum + ms, 0);
  const told: { ratio: number | null; over: number }[] = [];
  let begunAt = 0;
  for (const [i, { config, said, ms }] of timed.entries()) {
    const clock = new RunClock(forecast, config, begunAt);
    for (const [at, phase, step] of said) {
      const now = begunAt + at;
      clock.note({ phase, step }, now);
      const toGo = clock.toGo(timed.slice(i + 1).map((run) => run.config), now);
      told.push({ ratio: toGo === null ? null : toGo / (whole - now), over: now / whole });
    }
    begunAt += ms;
    const timing = clock.timing(begunAt);
    if (timing) forecast.note(config, timing);
  }
  return told;
}

function assertWithin(
  told: ReturnType<typeof replay>,
  factor: number,
  [from, to]: readonly [number, number],
): void {
  const asked = told.filter(({ over }) => over >= from && over <= to);
  assertGreater(asked.length, 3);
  for (const { ratio, over } of asked) {
    assert(
      ratio !== null && ratio < factor && ratio > 1 / factor,
      `${ratio} times what is left is told where ${over} is over`,
    );
  }
}

test("the time to go of a sweep is right within a factor of 1.5 from a tenth on, whatever runs of it cost", async () => {
  assertWithin(replay(await newForecast(true), runs, 1), 1.5, [0.1, 0.98]);
  // Where no pace is known at all, the first runs have to tell those of other tasks too.
  assertWithin(replay(await newForecast(false), runs, 1), 2, [0.1, 0.98]);
});

test("the time to go is nearly as right on a machine of another speed than the paces that ship are from", async () => {
  for (const slower of [0.3, 3]) {
    assertWithin(replay(await newForecast(true), runs, slower), 1.6, [0.1, 0.98]);
  }
});

Deno.test("the time to go of a single run is right within a factor of 1.5 once it has said twice how far it is", async () => {
  for (const run of runs) {
    const told = replay(await newForecast(true), [run], 1), whole = run.ms;
    const second = run.said.filter(([, phase]) => phase === "training")[1]![0] / whole;
    const asked = told.filter(({ over }) => over >= second && over < 0.9);
    for (const { ratio, over } of asked) {
      assert(
        ratio !== null && ratio < 1.5 && ratio > 1 / 1.5,
        `${run.config.task.id} ${run.config.optimizer.id}: ${ratio} at ${over}`,
      );
    }
  }
});
