import { assert, assertAlmostEquals, assertEquals, assertLess } from "@std/assert";
import * as optimizers from "../../../optimizers/mod.ts";
import type { OptimizerModule } from "../../../optimizers/optimizer.ts";
import { createRandom } from "../../../numerics/random.ts";
import { expand, type SweepSpec } from "../../sweep/sweep.ts";
import { fakeRegistries } from "../../../tests/support/fakes/registries.ts";
import { fakeDone } from "../../../tests/support/fakes/results.ts";
import { fakeSweep } from "../../../tests/support/fakes/sweep.ts";
import { exponentOf, fitCost, memoryTerms, type Term, timeTerms } from "./fit.ts";
import { paperSizes } from "./paper_sizes.ts";
import { overheadsOf } from "./overhead.ts";
import { growingTasks, type GrowthPoint, measure } from "./points.ts";
import { a100, countPaperSize, predict } from "./predict.ts";

const growing: SweepSpec = {
  ...fakeSweep,
  tasks: [fakeSweep.tasks[0]!],
  optimizers: [{ id: "full" }, { id: "lora" }],
  ranks: [4],
  seeds: [0, 1],
  vary: { batchSize: [4, 8, 16, 32], width: [8, 16, 24, 64], layers: [1, 2, 4, 8], rank: [1, 2, 4, 8] },
};
const { configs } = expand(growing, fakeRegistries);
const results = await Promise.all(configs.map(fakeDone));
const measured = measure(configs, results, fakeRegistries);
const lora = measured.points.filter(({ size }) => size.rank !== null);

/** Points whose cost is known but for noise of a given deviation. */
function synthetic(coefficients: readonly number[], terms: readonly Term[], noise: number): GrowthPoint[] {
  const factors = createRandom(3).normal(lora.length, noise);
  return lora.map((point, i) => ({
    ...point,
    stepMs: terms.reduce((sum, term, j) => sum + coefficients[j]! * term.of(point.count), 0) *
      (1 + factors[i]!),
  }));
}

const cost = ({ stepMs }: GrowthPoint) => stepMs;

Deno.test("growingTasks() are those of models of several sizes, not of several ranks or batch sizes", () => {
  assertEquals([...growingTasks(configs)], ["digits"]);
  assertEquals(growingTasks(expand(fakeSweep, fakeRegistries).configs).size, 0);
  const { vary: _, ...plain } = growing;
  assertEquals(growingTasks(expand({ ...plain, ranks: [1, 2, 4, 8] }, fakeRegistries).configs).size, 0);
  // Other batches are fine-tuning like any other, with scores.
  const batches = { ...plain, vary: { batchSize: [4, 8] } };
  assertEquals(growingTasks(expand(batches, fakeRegistries).configs).size, 0);
});

Deno.test("measure() puts each size on its axis, the base on all, and takes medians over seeds", () => {
  // The base, and three more along each axis.
  assertEquals(lora.length, 1 + 4 * 3);
  const base = lora.find(({ axes }) => axes.length === 4)!;
  assertEquals(base.size, { tokens: 160, width: 8, layers: 2, rank: 4 });
  for (const axis of ["tokens", "width", "layers", "rank"] as const) {
    assertEquals(lora.filter(({ axes }) => axes.includes(axis)).length, 4, axis);
  }
  const full = measured.points.filter(({ size }) => size.rank === null);
  assert(full.every(({ axes }) => !axes.includes("rank")));
  const [even, odd] = results.filter(({ config }) =>
    config.optimizer.options["rank"] === 4 && config.batchSize === 16 && !config.model.width &&
    !config.model.layers
  );
  assertEquals(base.stepMs, (even!.outcome.cost.medianStepMs! + odd!.outcome.cost.medianStepMs!) / 2);
});

Deno.test("measure() counts between the measured sizes for lines, from the smallest to the largest", () => {
  const along = measured.curves.filter(({ axis, method }) => axis === "tokens" && method === lora[0]!.method);
  assertEquals([along[0]!.at, along.at(-1)!.at], [40, 320]);
  assert(along.every(({ at, count }, i) => count.tokens === at && (i === 0 || at > along[i - 1]!.at)));
  assert([40, 80, 160, 320].every((size) => along.some(({ at }) => at === size)));
  const widths = measured.curves.filter(({ axis }) => axis === "width").map(({ at }) => at);
  assert(widths.every((width) => width % 8 === 0));
});

Deno.test("measure() leaves out what is no longer known, and runs that did not finish", () => {
  assertEquals(measure(configs, results, { ...fakeRegistries, models: {} }).points, []);
  const { points } = measure(configs, results, {
    ...fakeRegistries,
    optimizers: { lora: fakeRegistries.optimizers["lora"]! },
  });
  assertEquals(points.length, lora.length);
  assertEquals(measure(configs, [], fakeRegistries), { points: [], curves: [] });
});

Deno.test("fitCost() finds the coefficients of a cost that is made of the terms", () => {
  const known = [3, 0.5, 2e-6, 6e-6, 0];
  const fit = fitCost(synthetic(known, timeTerms, 0), cost, timeTerms)!;
  timeTerms.forEach(({ id }, i) =>
    assertAlmostEquals(fit.coefficients[id]!, known[i]!, 1e-6 * (known[i]! || 1e-6))
  );
  assertAlmostEquals(fit.r2, 1, 1e-9);
  assertLess(fit.largestError, 1e-6);
  assertEquals(fit.heldOut.map(({ axis, at }) => [axis, at]), [
    ["tokens", 320],
    ["width", 64],
    ["layers", 8],
    ["rank", 8],
  ]);
  assert(fit.heldOut.every(({ error }) => Math.abs(error) < 1e-6));
});

Deno.test("fitCost() stays near through noise, and says how near", () => {
  const known = [3, 0.5, 2e-6, 6e-6, 0], noise = 0.02;
  const exact = synthetic(known, timeTerms, 0), noisy = synthetic(known, timeTerms, noise);
  const fit = fitCost(noisy, cost, timeTerms)!;
  for (const point of exact) {
    assertLess(Math.abs(fit.predict(point.count) / point.stepMs - 1), 3 * noise);
  }
  assertLess(fit.largestError, 4 * noise);
  assert(fit.largestError > 0 && fit.r2 < 1 && fit.r2 > 0.95);
});

Deno.test("fitCost() says so where the terms don't explain a cost", () => {
  const cubic = lora.map((point) => ({ ...point, stepMs: point.size.tokens ** 3 }));
  const fit = fitCost(cubic, cost, timeTerms)!;
  assert(fit.largestError > 0.5);
  assert(fit.heldOut.find(({ axis }) => axis === "tokens")!.error < -0.3);
});

Deno.test("fitCost() fits nothing to fewer points than would leave one to judge by", () => {
  assertEquals(fitCost(lora.slice(0, memoryTerms.length), cost, memoryTerms), null);
  assert(fitCost(lora.slice(0, memoryTerms.length + 1), cost, memoryTerms) !== null);
  assertEquals(fitCost([], cost, memoryTerms), null);
});

Deno.test("exponentOf() is the slope on logarithmic scales", () => {
  const square = lora.map((point) => ({ ...point, stepMs: 5 * point.size.width ** 2 }));
  const found = exponentOf(square, "width", cost)!;
  assertAlmostEquals(found.overall, 2, 1e-12);
  assertAlmostEquals(found.last, 2, 1e-12);
  assertAlmostEquals(exponentOf(square, "tokens", cost)!.overall, 0, 1e-12);
  assertEquals(exponentOf(square.slice(0, 1), "width", cost), null);
});

Deno.test("paperSizes have the published numbers of parameters and adapted weights", () => {
  const of = (name: string) => {
    const { architecture, adapts } = paperSizes.find(({ title }) => title.startsWith(name))!;
    const adapted = architecture.maps.filter(adapts);
    return [architecture.parameters, adapted.length, adapted.reduce((sum, map) => sum + map.in * map.out, 0)];
  };
  assertEquals(of("Llama-2-7B"), [6_738_415_616, 224, 6_476_005_376]);
  assertEquals(of("T5-base"), [222_903_552, 192, 198_180_864]);
  assertEquals(of("CLIP ViT-B/16"), [86_192_640, 72, 84_934_656]);
});

Deno.test("countPaperSize() agrees with the usual rules: 6 N FLOPs a token, two moments a trained number", () => {
  const [, llama] = paperSizes;
  const method = (module: unknown) => module as OptimizerModule;
  const full = countPaperSize(llama!, method(optimizers.full), optimizers.full.defaults);
  const tokens = 32 * 1024, products = 6_476_005_376 + 32000 * 4096;
  const attention = 9 * 2 * 32 * 1024 ** 2 * 4096 * 32;
  assertEquals(full.wideFlops, 6 * products * tokens + attention);
  assertEquals(full.added, 3 * 6_738_415_616);
  const pro = countPaperSize(llama!, method(optimizers.loraPro), { ...optimizers.loraPro.defaults, rank: 4 });
  // At the paper's rank of 8, whatever was measured: 19,988,480 factors with gradients, and moments of W's size.
  assertEquals(pro.added, 2 * 19_988_480 + 2 * 6_476_005_376);
});

Deno.test("predict() divides what is counted by the GPU's rates", () => {
  const memory = fitCost(lora, ({ peakBytes }) => peakBytes, memoryTerms)!;
  const of = (gpu: typeof a100) =>
    predict(optimizers.lora as unknown as OptimizerModule, optimizers.lora.defaults, memory, gpu);
  const once = of(a100), faster = of({ ...a100, tflops: 2 * a100.tflops, gbs: 2 * a100.gbs });
  assertEquals(once.length, paperSizes.length);
  once.forEach(({ seconds, flops }, i) => {
    assertAlmostEquals(faster[i]!.seconds, seconds / 2, 1e-9 * seconds);
    assert(seconds > flops / (a100.tflops * 1e12 * a100.efficiency));
  });
});

Deno.test("fitCost() foretells the largest size of an axis without having seen it", () => {
  const known = [3, 0.5, 2e-6, 6e-6, 0], made = synthetic(known, timeTerms, 0);
  const at = made.findIndex(({ axes, size }) => axes.includes("layers") && size.layers === 8);
  // Twice as slow as the others say: a fit that had seen the point would come nearer.
  const fit = fitCost(made.with(at, { ...made[at]!, stepMs: 2 * made[at]!.stepMs }), cost, timeTerms)!;
  const { error } = fit.heldOut.find(({ axis }) => axis === "layers")!;
  assertAlmostEquals(error, -0.5, 1e-6);
});

Deno.test("fitCost() counts the traffic of updates too", () => {
  const traffic: Term = {
    id: "bytes",
    of: ({ elements, updateElements }) => 4 * (elements + updateElements),
  };
  const fit = fitCost(synthetic([1e-6], [traffic], 0), cost, timeTerms)!;
  assertAlmostEquals(fit.coefficients["bytes"]!, 1e-6, 1e-11);
});

Deno.test("measure() puts methods without a rank on the axes of tokens, width and layers", () => {
  const full = measured.points.filter(({ size }) => size.rank === null);
  assertEquals(full.length, 1 + 3 * 3);
  for (const axis of ["tokens", "width", "layers"] as const) {
    assertEquals(full.filter(({ axes }) => axes.includes(axis)).length, 4, axis);
  }
});

Deno.test("predict() counts weights in 16 bits, and what training adds in 32", () => {
  const memory = fitCost(lora, ({ peakBytes }) => peakBytes, memoryTerms)!;
  const method = optimizers.lora as unknown as OptimizerModule;
  const predicted = predict(method, optimizers.lora.defaults, memory, a100);
  const llama = predicted.find(({ size }) => size.title.startsWith("Llama-2-7B"))!;
  // Factors at the paper's rank, their gradients and both moments.
  assertEquals(llama.persistentBytes, 2 * 6_738_415_616 + 4 * 4 * 19_988_480);
});

Deno.test("overheadsOf() names the size at which what a method takes beyond another has doubled, between measured ones", () => {
  const full = measured.points.filter(({ size }) => size.rank === null);
  const slowed = (points: readonly GrowthPoint[], share: (size: GrowthPoint["size"]) => number) =>
    points.map((point) => {
      const theirs = lora.find(({ size }) =>
        size.tokens === point.size.tokens && size.width === point.size.width &&
        size.layers === point.size.layers &&
        size.rank === (point.size.rank ?? 4)
      )!;
      return { ...point, stepMs: theirs.stepMs * (1 + share(point.size)) };
    });
  // Base: rank 4, width 16. Twice 6 % is reached at rank 4 times 2 to the 3/4, of 6 % at 4 and 14 % at 8.
  const found = overheadsOf(slowed(lora, ({ rank }) => rank === 8 ? 0.14 : 0.06), lora);
  const doubling = Object.fromEntries(found.map(({ axis, doublesAt }) => [axis, doublesAt]));
  assertAlmostEquals(doubling["rank"]!, 4 * 2 ** 0.75, 1e-6);
  assertEquals([doubling["tokens"], doubling["width"], doubling["layers"]], [null, null, null]);
  const rank = found.find(({ axis }) => axis === "rank")!;
  assertEquals([rank.base.at, rank.shares.map(({ at }) => at)], [4, [1, 2, 4, 8]]);
  // A method without a rank is compared with the base's, and 1 % is not yet twice half a percent.
  const without = overheadsOf(slowed(full, ({ width }) => width === 64 ? 0.06 : 0.005), lora);
  assertEquals(without.map(({ axis }) => axis), ["tokens", "width", "layers"]);
  assertAlmostEquals(without[1]!.base.share, 0.005, 1e-9);
  assertAlmostEquals(without[1]!.doublesAt!, 24 * (64 / 24) ** ((0.05 - 0.005) / 0.055), 1e-6);
});
