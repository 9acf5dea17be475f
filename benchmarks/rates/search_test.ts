import { assert, assertEquals, assertLess } from "@std/assert";
import fc from "fast-check";
import type { RunConfig, RunResult } from "../../training/run.ts";
import { choose } from "./choose.ts";
import { fakeRegistries } from "../../tests/support/fakes/registries.ts";
import { fakeDiverged, fakeDone, fakeFailed } from "../../tests/support/fakes/results.ts";
import { fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { makePlan, type PlannedRun } from "../sweep/plan.ts";
import { searchedRuns } from "./search.ts";
import { expand, type SweepOptimizer } from "../sweep/sweep.ts";

const grid = Array.from({ length: 11 }, (_, i) => 0.000125 * 2 ** i);

async function planned(optimizers: SweepOptimizer[], seeds = [100]): Promise<readonly PlannedRun[]> {
  const spec = { ...fakeSweep, tasks: [fakeSweep.tasks[0]!], optimizers, ranks: [2], seeds };
  return (await makePlan(spec, expand(spec, fakeRegistries), "", null)).runs;
}

/** Runs a search to its end, and says what was run in which round. */
async function search(
  runs: readonly PlannedRun[],
  resultOf: (config: RunConfig) => Promise<RunResult>,
): Promise<{ rounds: number[][]; results: Map<string, RunResult>; asked: readonly PlannedRun[] }> {
  const results = new Map<string, RunResult>(), rounds: number[][] = [];
  for (;;) {
    const asked = searchedRuns(runs, results), left = asked.filter(({ id }) => !results.has(id));
    if (left.length === 0) return { rounds, results, asked };
    rounds.push(left.map(({ config }) => config.schedule.learningRate));
    for (const { id, config } of left) results.set(id, await resultOf(config));
  }
}

async function ending(config: RunConfig, loss: number): Promise<RunResult> {
  const result = await fakeDone(config);
  return { ...result, outcome: { ...result.outcome, validationLoss: [{ step: config.steps, value: loss }] } };
}

Deno.test("a search begins with three rates and goes on beside the best until none is better", async () => {
  const runs = await planned([{ id: "lora", learningRates: grid }]);
  const best = grid[3]!;
  const { rounds, asked } = await search(
    runs,
    (config) => ending(config, 1 + Math.abs(Math.log2(config.schedule.learningRate / best))),
  );
  assertEquals(rounds, [
    [grid[1]!, grid[5]!, grid[9]!],
    // Of 1 and 5, which are equally far from 3, the smaller.
    [grid[0]!, grid[2]!],
    [grid[3]!],
    [grid[4]!],
  ]);
  assertEquals(asked.map(({ config }) => config.schedule.learningRate), grid.slice(0, 6).concat(grid[9]!));
});

Deno.test("where losses fall and then rise along the grid, a search finds the best of all rates with fewer runs", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 14 }),
      fc.nat(13),
      fc.array(fc.double({ min: 0.01, max: 3, noNaN: true }), {
        minLength: 14,
        maxLength: 14,
      }),
      async (length, at, rises) => {
        const learningRates = Array.from({ length }, (_, i) => 2 ** i), best = at % length;
        const runs = await planned([{ id: "lora", learningRates }], [100, 101]);
        const lossOf = (learningRate: number) => {
          const i = Math.log2(learningRate), [from, to] = [Math.min(i, best), Math.max(i, best)];
          return rises.slice(from, to).reduce((sum, rise) => sum + rise, 1);
        };
        const { results, asked } = await search(
          runs,
          (config) => ending(config, lossOf(config.schedule.learningRate)),
        );
        const [chosen] = choose("tune", [...results.values()]).rates;
        assertEquals(chosen!.learningRate, 2 ** best);
        assertEquals(chosen!.atEdge, length > 1 && (best === 0 || best === length - 1));
        assertEquals(asked.length, results.size);
        // Every seed at the best rate and at those beside it, one elsewhere.
        const seeds = Map.groupBy(asked, ({ config }) => Math.log2(config.schedule.learningRate));
        for (const [at, runs] of seeds) assertEquals(runs.length, Math.abs(at - best) <= 1 ? 2 : 1);
        if (length === 14 && best > 1 && best < 12) assertLess(asked.length, 10 + 3);
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("where seeds differ on the best rate, a search goes on with all of them", async () => {
  const runs = await planned([{ id: "lora", learningRates: grid }], [100, 101, 102]);
  // The first seed is best at the grid's third rate, the others two rates further, and by more.
  const lossOf = ({ seed, schedule: { learningRate } }: RunConfig) => {
    const far = Math.abs(Math.log2(learningRate / grid[seed === 100 ? 3 : 5]!));
    return Math.exp(seed === 100 ? far : 2 * far);
  };
  const { rounds, results } = await search(runs, (config) => ending(config, lossOf(config)));
  const [third, fourth, fifth, sixth, seventh] = grid.slice(2) as [number, number, number, number, number];
  assertEquals(rounds.slice(-3), [
    [third, fourth, fifth, third, fourth, fifth],
    [sixth, sixth],
    [seventh, seventh, seventh],
  ]);
  const [chosen] = choose("tune", [...results.values()]).rates;
  assertEquals([chosen!.learningRate, chosen!.evidence.filter(({ seeds }) => seeds.length === 3).length], [
    grid[5]!,
    5,
  ]);
});

Deno.test("every method is searched by itself, and one that diverges everywhere ends after its first rates", async () => {
  const runs = await planned([{ id: "lora", learningRates: grid }, { id: "lora-ga", learningRates: grid }]);
  const { asked, results } = await search(
    runs,
    async (config) =>
      config.optimizer.id === "lora-ga"
        ? config.schedule.learningRate === grid[9] ? await fakeFailed(config) : await fakeDiverged(config)
        : await ending(config, config.schedule.learningRate),
  );
  const own = asked.filter(({ config }) => config.optimizer.id === "lora-ga");
  assertEquals(own.map(({ config }) => config.schedule.learningRate), [grid[1]!, grid[5]!, grid[9]!]);
  const [lora] = choose("tune", [...results.values()]).rates;
  assertEquals([lora!.learningRate, lora!.atEdge], [grid[0]!, true]);
});

Deno.test("a search that was cut off goes on where it was, and asks for the same runs in the end", async () => {
  const runs = await planned([{ id: "lora", learningRates: grid }], [100, 101]);
  const loss = (config: RunConfig) => Math.abs(config.schedule.learningRate - grid[6]!) + config.seed;
  const whole = await search(runs, (config) => ending(config, loss(config)));
  const part = new Map([...whole.results].slice(0, 5));
  for (;;) {
    const left = searchedRuns(runs, part).filter(({ id }) => !part.has(id));
    if (left.length === 0) break;
    // One by one: nothing new is asked for before a round is whole.
    assert(whole.results.has(left[0]!.id));
    part.set(left[0]!.id, whole.results.get(left[0]!.id)!);
  }
  assertEquals(searchedRuns(runs, part), whole.asked);
});

Deno.test("a search asks for no neighbours before all rates that it asked for have their losses", async () => {
  const runs = await planned([{ id: "lora", learningRates: grid }]);
  const results = new Map<string, RunResult>();
  for (const at of [1, 5, 9]) {
    // The largest is the best so far, whatever is still to come.
    assertEquals(
      searchedRuns(runs, results).map(({ config }) => config.schedule.learningRate),
      [grid[1]!, grid[5]!, grid[9]!],
    );
    const { id, config } = runs.find(({ config }) => config.schedule.learningRate === grid[at])!;
    results.set(id, await ending(config, 10 - at));
  }
  assertEquals(searchedRuns(runs, results).length, 5);
});
