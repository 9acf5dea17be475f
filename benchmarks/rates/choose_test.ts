import { assertEquals } from "@std/assert";
import type { RunConfig } from "../../training/run.ts";
import { choose, withShipped } from "./choose.ts";
import { fakeRegistries } from "../../tests/support/fakes/registries.ts";
import { fakeDiverged, fakeDone, fakeFailed } from "../../tests/support/fakes/results.ts";
import { fakeSweep } from "../../tests/support/fakes/sweep.ts";
import { expand } from "../sweep/sweep.ts";

const learningRates = [0.001, 0.002, 0.004];
const { configs } = expand(
  {
    ...fakeSweep,
    tasks: [fakeSweep.tasks[0]!],
    optimizers: [{ id: "lora", learningRates }],
    ranks: [2],
    seeds: [100, 101],
  },
  fakeRegistries,
);

/** A finished run whose last validation loss is stated. */
async function ending(config: RunConfig, loss: number) {
  const result = await fakeDone(config);
  return { ...result, outcome: { ...result.outcome, validationLoss: [{ step: config.steps, value: loss }] } };
}

async function results(lossAt: (learningRate: number, seed: number) => number) {
  return await Promise.all(
    configs.map((config) => ending(config, lossAt(config.schedule.learningRate, config.seed))),
  );
}

Deno.test("choose() takes the rate with the least mean validation loss over seeds", async () => {
  // Seed 100 alone would choose 0.001.
  const losses: Record<string, number> = {
    "0.001 100": 0.1,
    "0.001 101": 0.9,
    "0.002 100": 0.2,
    "0.002 101": 0.3,
  };
  const { rates } = choose(
    "tune",
    await results((learningRate, seed) => losses[`${learningRate} ${seed}`] ?? 1),
  );
  assertEquals(rates.length, 1);
  assertEquals([rates[0]!.learningRate, rates[0]!.atEdge, rates[0]!.rank], [0.002, false, 2]);
  assertEquals(rates[0]!.options, { alpha: 16, beta1: 0.9 });
  assertEquals(rates[0]!.evidence[0], {
    learningRate: 0.001,
    seeds: [100, 101],
    validationLosses: [0.1, 0.9],
  });
});

Deno.test("choose() tells the files that a rate was tuned on", async () => {
  const onFiles = ({ task, model, ...config }: RunConfig) => ({
    ...config,
    task: { ...task, data: "mnist", fingerprint: "0".repeat(64) },
    model: { ...model, path: "vit", fingerprint: "1".repeat(64) },
  });
  const { rates: [own] } = choose("tune", await results((learningRate) => learningRate));
  assertEquals([own!.dataFingerprint, own!.modelFingerprint], [undefined, undefined]);
  const { rates: [rate] } = choose("tune", [await ending(onFiles(configs[0]!), 1)]);
  assertEquals([rate!.dataFingerprint, rate!.modelFingerprint], ["0".repeat(64), "1".repeat(64)]);
});

Deno.test("choose() goes by the last validation losses of a run, not by earlier ones that are less", async () => {
  // 0.001 starts best and has the least loss on the way; 0.002 ends best.
  const curves: Record<string, readonly number[]> = {
    0.001: [0.1, 0.05, 0.9, 0.9, 0.9],
    0.002: [0.9, 0.8, 0.2, 0.2, 0.2],
    0.004: [0.5, 0.4, 0.3, 0.3, 0.3],
  };
  const all = await Promise.all(configs.map(async (config) => {
    const done = await fakeDone(config), values = curves[config.schedule.learningRate]!;
    const validationLoss = values.map((value, i) => ({ step: 20 * i, value }));
    return { ...done, outcome: { ...done.outcome, validationLoss } };
  }));
  const { rates } = choose("tune", all);
  assertEquals([rates[0]!.learningRate, rates[0]!.runnerUp, rates[0]!.lead], [0.002, 0.004, 0.5]);
  assertEquals(rates[0]!.evidence.map(({ validationLosses }) => validationLosses), [
    [0.9, 0.9],
    [0.2, 0.2],
    [0.3, 0.3],
  ]);
});

Deno.test("choose() says where the best rate is at the edge of the grid", async () => {
  assertEquals(choose("tune", await results((learningRate) => 1 / learningRate)).rates[0]!.atEdge, true);
  assertEquals(choose("tune", await results((learningRate) => learningRate)).rates[0]!.atEdge, true);
});

Deno.test("choose() takes the smaller of equal rates", async () => {
  assertEquals(choose("tune", await results(() => 1)).rates[0]!.learningRate, 0.001);
});

Deno.test("choose() takes no rate at which a run diverged, and keeps that as evidence", async () => {
  const all = await results((learningRate) => 1 / learningRate);
  const last = all.findIndex(({ config }) => config.schedule.learningRate === 0.004);
  const { rates } = choose("tune", all.with(last, await fakeDiverged(all[last]!.config) as never));
  assertEquals(rates[0]!.learningRate, 0.002);
  assertEquals(rates[0]!.evidence[2]!.validationLosses.filter((loss) => loss === null).length, 1);
});

Deno.test("choose() takes no rate that was tried with fewer seeds", async () => {
  const all = await results((learningRate) => 1 / learningRate);
  const last = all.findIndex(({ config }) => config.schedule.learningRate === 0.004);
  assertEquals(
    choose("tune", all.with(last, await fakeFailed(all[last]!.config) as never)).rates[0]!.learningRate,
    0.002,
  );
});

Deno.test("choose() does not depend on the order of results, and chooses nothing from nothing", async () => {
  const all = await results((learningRate, seed) => learningRate * seed);
  assertEquals(choose("tune", all.toReversed()), choose("tune", all));
  assertEquals(choose("tune", []).rates, []);
});

Deno.test("choose() chooses nothing where every rate diverged", async () => {
  assertEquals(choose("tune", await Promise.all(configs.map(fakeDiverged))).rates, []);
});

Deno.test("withShipped() keeps what a part of a sweep did not choose for, in order, and replaces what it did", async () => {
  const chosen = choose("tune", await results((learningRate) => learningRate)), [rate] = chosen.rates;
  const stale = { ...rate!, learningRate: 9 };
  const others = ["a task", "z task"].map((task) => ({ ...rate!, task, learningRate: 5 }));
  const { rates } = withShipped(chosen, [others[1]!, stale, others[0]!]);
  assertEquals(rates, [others[0]!, ...chosen.rates, others[1]!]);
  assertEquals(withShipped(chosen, []), chosen);
});

Deno.test("choose() takes the batch size and the steps of the least loss where several ran, and says so", async () => {
  const sized = configs.flatMap((config) =>
    [[16, 40], [32, 40], [32, 80]].map(([batchSize, steps]) => ({
      ...config,
      batchSize: batchSize!,
      steps: steps!,
    }))
  );
  // The best rate of batches of 32 and 80 steps is 0.002.
  const lossOf = ({ batchSize, steps, schedule: { learningRate } }: RunConfig) =>
    (batchSize === 32 ? 1 : 2) * (steps === 80 ? 1 : 3) * (learningRate === 0.002 ? 1 : 1.25);
  const { rates } = choose("tune", await Promise.all(sized.map((config) => ending(config, lossOf(config)))));
  assertEquals(
    rates.map(({ learningRate, batchSize, steps, lead }) => [learningRate, batchSize, steps, lead]),
    [
      [0.002, 32, 80, 0.25],
    ],
  );
  assertEquals(rates[0]!.evidence.length, 3);
});
