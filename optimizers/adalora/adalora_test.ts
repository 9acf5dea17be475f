import { assert, assertEquals, assertGreater, assertLess, assertNotEquals } from "@std/assert";
import type { Gpu } from "../../gpu/gpu.ts";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { attachToQuadratics, type Quadratic, type QuadraticRun } from "../../tests/support/quadratic.ts";
import {
  type AdaloraOptions as ReferenceOptions,
  adaloraStart,
  adaloraStep,
  budgetAt,
  distanceFromOrthonormal,
  scaledRows,
  tripletGradients,
  type Triplets,
} from "../../tests/reference/adalora.ts";
import { equivalentGradient, lowerBound } from "../../tests/reference/low_rank.ts";
import {
  add,
  fromFloat32,
  type Matrix,
  multiply,
  norm,
  randomMatrix,
  roundToFloat32,
  scale as times,
  subtract,
  toFloat32,
} from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import type { OptimizerModule, Options } from "../optimizer.ts";
import { adalora } from "./adalora.ts";

const STEPS = 12;

function problem(rows: number, columns: number, seed: number): Quadratic {
  const random = createRandom(seed);
  const base = randomMatrix(rows, columns, random.fork("base"));
  const change = multiply(
    randomMatrix(rows, 2, random.fork("left"), 0.7),
    randomMatrix(2, columns, random.fork("right"), 0.7),
  );
  return { base, target: roundToFloat32(add(base, change)) };
}

const MAPS = [problem(7, 5, 1), problem(9, 13, 2), problem(20, 6, 3)];

async function attached<T>(
  options: Options,
  problems: readonly Quadratic[],
  body: (run: QuadraticRun, gpu: Gpu) => Promise<T>,
  steps = STEPS,
): Promise<T> {
  const gpu = await testGpu();
  using _ = gpu.scope("AdaLoRA");
  const module = adalora as unknown as OptimizerModule;
  return await body(await attachToQuadratics(gpu, module, options, problems, { steps }), gpu);
}

/** P, E and Q of every map. */
async function tripletsOf({ gpu, optimizer, targetModules }: QuadraticRun): Promise<Triplets[]> {
  const find = (name: string) => optimizer.trainable.find((parameter) => parameter.name === name)!.value;
  return await Promise.all(targetModules.map(async ({ name }): Promise<Triplets> => {
    const [p, e, q] = ["B", "E", "A"].map((kind) => find(`${name}.${kind}`));
    const [ofP, ofE, ofQ] = await gpu.downloadAll([p!, e!, q!]);
    return {
      p: fromFloat32(ofP!, p!.shape[0]!, p!.shape[1]!),
      e: fromFloat32(ofE!, 1, e!.shape[0]!),
      q: fromFloat32(ofQ!, q!.shape[0]!, q!.shape[1]!),
    };
  }));
}

/** Writes triplets that are well in the middle of a run. */
function writeTriplets({ gpu, optimizer, targetModules }: QuadraticRun, seed: number): Triplets[] {
  return targetModules.map(({ name }) => {
    const write = (kind: string): Matrix => {
      const { value } = optimizer.trainable.find((parameter) => parameter.name === `${name}.${kind}`)!;
      const [rows, columns] = value.shape.length === 1
        ? [1, value.shape[0]!]
        : value.shape as [number, number];
      const values = randomMatrix(rows, columns, createRandom(seed).fork(`${name}.${kind}`), 0.3);
      gpu.write(value, toFloat32(values));
      return values;
    };
    return { p: write("B"), e: write("E"), q: write("A") };
  });
}

function gradientOf({ base, target }: Quadratic, triplets: Triplets, scale: number): Matrix {
  return subtract(add(base, times(multiply(triplets.p, scaledRows(triplets)), scale)), target);
}

const SCHEDULES: Readonly<Record<string, Options>> = {
  "the defaults": { rank: 2 },
  "rank 1 with all settings": {
    rank: 1,
    initialRank: 3,
    tinit: 2,
    tfinal: 3,
    deltaT: 2,
    importanceBeta: 0.7,
    uncertaintyBeta: 0.6,
    orthogonality: 0.2,
    weightDecay: 0.3,
  },
  "counted from 0": { rank: 2, tinit: 1, tfinal: 2, deltaT: 3, firstStep: 0 },
  "counted from 0, to the end": { rank: 2, firstStep: 0 },
  "a rank that stays, without penalty": { rank: 3, initialRank: 3, orthogonality: 0 },
};

for (const [name, options] of Object.entries(SCHEDULES)) {
  Deno.test(`adalora follows float64 through a whole run, ranks and penalty included: ${name}`, async () => {
    const complete = { ...adalora.defaults, ...options } as typeof adalora.defaults;
    const { rank, initialRank, tinit, tfinal, deltaT, orthogonality, importanceBeta, uncertaintyBeta } =
      complete;
    const first = initialRank === 0 ? Math.ceil(1.5 * rank) : initialRank, scale = 16 / (first + 1e-5);
    const reference: ReferenceOptions = {
      ...{ rank, tinit, tfinal, deltaT, orthogonality, steps: STEPS, learningRate: 0.02 },
      betas: [importanceBeta, uncertaintyBeta],
      weightDecay: complete.weightDecay,
      firstStep: complete.firstStep,
    };
    await attached(options, MAPS, async (run) => {
      let state = adaloraStart(await tripletsOf(run));
      for (let step = 1; step <= STEPS; step++) {
        const gradients = state.targetModules.map((targetModule, i) =>
          tripletGradients(gradientOf(MAPS[i]!, targetModule, scale), targetModule, scale)
        );
        state = adaloraStep(state, gradients, reference);
        await run.step(step, 0.02);
        const found = await tripletsOf(run), inspected = await run.optimizer.inspect();
        for (const [i, { name }] of run.targetModules.entries()) {
          for (const kind of ["p", "e", "q"] as const) {
            // f32 through up to twelve steps of Adam, whose direction is steep where a second moment is small.
            assertClose(
              found[i]![kind].data,
              state.targetModules[i]![kind].data,
              { relative: 1e-4 },
              `${kind} of ${name}, step ${step}`,
            );
          }
          assertEquals(
            Array.from(found[i]!.e.data, (value) => value === 0),
            Array.from(state.targetModules[i]!.e.data, (value) => value === 0),
            `step ${step}`,
          );
          assertEquals(inspected[`rank/${name}`], state.kept[i]!.filter((is) => is).length, `step ${step}`);
        }
        const distance = distanceFromOrthonormal(state.targetModules);
        assertClose([inspected["orthogonality"]!], [orthogonality * distance], { relative: 1e-4 });
      }
    });
  });
}

Deno.test("adalora starts with P, Q ~ N(0, 0.02²), E = 0, all triplets and s = alpha / (initial rank + 1e-5)", async () => {
  const maps = [problem(200, 300, 4), problem(150, 100, 5)];
  await attached({ rank: 8, alpha: 24 }, maps, async (run) => {
    for (const [i, { p, e, q }] of (await tripletsOf(run)).entries()) {
      assertEquals([p.columns, e.columns, q.rows], [12, 12, 12]);
      assert(e.data.every((value) => value === 0));
      for (const { data } of [p, q]) {
        const deviation = Math.sqrt(data.reduce((sum, value) => sum + value ** 2, 0) / data.length);
        // At least 1,200 numbers: 2 % is one deviation of their deviation.
        assertClose([deviation], [0.02], { relative: 0.1 });
      }
      assertClose([run.optimizer.factors(run.targetModules[i]!)!.scale], [24 / 12.00001], {
        relative: 1e-12,
      });
    }
    assertNotEquals((await tripletsOf(run))[0]!.p.data[0], (await tripletsOf(run))[1]!.p.data[0]);
    const { orthogonality: _, ...ranks } = await run.optimizer.inspect();
    assertEquals(ranks, { "rank/map 0": 12, "rank/map 1": 12 });
  });
});

Deno.test("adalora's last choice is by the scores of the step before: importance stays from there on", async () => {
  const options = { rank: 1, initialRank: 3, tinit: 1, tfinal: 3, deltaT: 2 };
  await attached(options, MAPS, async ({ gpu, optimizer, step }) => {
    const scores = optimizer.state.filter(({ name }) => /\.(importance|uncertainty)$/.test(name));
    const read = () => gpu.downloadAll(scores.map(({ value }) => value));
    let before = await read();
    for (let at = 1; at <= STEPS; at++) {
      await step(at, 0.02);
      const now = await read();
      if (at < STEPS - 3) assertNotEquals(now, before, `step ${at}`);
      else assertEquals(now, before, `step ${at}`);
      before = now;
    }
  });
});

Deno.test("adalora keeps exactly the budget of all target modules, moves ranks to where the change is, and ends at the mean rank", async () => {
  // The first map has a change of rank 2 to make, the others have none.
  const maps = MAPS.map((map, i) => i === 0 ? map : { ...map, target: map.base });
  const options = { rank: 2, initialRank: 4, tinit: 3, tfinal: 4, deltaT: 3 }, steps = 30;
  const schedule = {
    ...options,
    steps,
    orthogonality: 0.5,
    betas: [0.85, 0.85],
    learningRate: 0.02,
  } as const;
  await attached(options, maps, async (run) => {
    let wanted = 12, last: readonly number[] = [];
    for (let step = 1; step <= steps; step++) {
      await run.step(step, 0.02);
      const found = await run.optimizer.inspect();
      const ranks = run.targetModules.map(({ name }) => found[`rank/${name}`]!);
      wanted = budgetAt(step, schedule, 4, 3) ?? wanted;
      assertEquals(ranks.reduce((sum, rank) => sum + rank, 0), wanted, `step ${step}`);
      if (step > steps - 4) assertEquals(ranks, last);
      last = ranks;
    }
    assertEquals(wanted, 6);
    assertGreater(last[0]!, 2);
    // Without a gradient of its own E stays 0, kept or not.
    const used = (await tripletsOf(run)).map(({ e }) => e.data.filter((value) => value !== 0).length);
    assertEquals(used, [last[0]!, 0, 0]);
  }, steps);
});

Deno.test("adalora's penalty draws vectors towards orthonormal ones and moves no weight where there is no gradient", async () => {
  const maps = MAPS.map((map) => ({ ...map, target: map.base }));
  const distances = (options: Options) =>
    attached({ rank: 2, ...options }, maps, async (run) => {
      const before = distanceFromOrthonormal(await tripletsOf(run));
      for (let step = 1; step <= STEPS; step++) await run.step(step, 0.05);
      (await run.read()).forEach(({ weight }, i) => assertEquals(weight.data, maps[i]!.base.data));
      return [before, distanceFromOrthonormal(await tripletsOf(run))];
    });
  const [before, after] = await distances({});
  assertLess(after!, 0.8 * before!);
  const [still, unmoved] = await distances({ orthogonality: 0 });
  assertEquals(unmoved, still);
});

Deno.test("adalora's equivalent gradient is s (P diag(E) gQ + P diag(gE) Q + gP diag(E) Q), the penalty left out", async () => {
  await attached({ rank: 2 }, MAPS, async (run) => {
    for (const seed of [0, 1]) {
      const triplets = seed === 0 ? await tripletsOf(run) : writeTriplets(run, seed);
      (await run.gradients()).forEach(({ equivalent, full }, i) => {
        const { p, e, q } = triplets[i]!, scale = 16 / 3.00001;
        const raw = tripletGradients(full, triplets[i]!, scale);
        const rows = add(scaledRows({ e, q: raw.q }), scaledRows({ e: raw.e, q }));
        const wanted = equivalentGradient({
          ...{ a: scaledRows({ e, q }), b: p, scale },
          ...{ gradientA: rows, gradientB: raw.p },
        });
        assertClose(equivalent.data, wanted.data, { relative: 1e-5 }, `map ${i}, seed ${seed}`);
      });
    }
  });
});

Deno.test("adalora's factors are P and diag(E) Q: their product is the change, and they bound the discrepancy from below", async () => {
  await attached({ rank: 2 }, MAPS, async (run) => {
    for (const seed of [0, 1, 2]) {
      const triplets = seed === 0 ? await tripletsOf(run) : writeTriplets(run, seed);
      // Of the first map, one triplet is dropped.
      if (seed === 2) {
        const e = run.optimizer.trainable.find(({ name }) => name === "map 0.E")!.value;
        run.gpu.write(e, Float32Array.of(0.5, 0, -0.25));
        triplets[0] = { ...triplets[0]!, e: { rows: 1, columns: 3, data: Float64Array.of(0.5, 0, -0.25) } };
      }
      const states = await run.read();
      (await run.gradients()).forEach(({ equivalent, full }, i) => {
        const { a, b, weight } = states[i]!;
        assertClose(a.data, scaledRows(triplets[i]!).data, { relative: 1e-6 });
        assertEquals(b.data, triplets[i]!.p.data);
        const change = times(multiply(b, a), 16 / 3.00001);
        assertClose(weight.data, add(MAPS[i]!.base, change).data, { relative: 1e-5 });
        // The nearest multiple of the equivalent gradient is no nearer than the bound.
        const along = equivalent.data.reduce((sum, value, j) => sum + value * full.data[j]!, 0);
        const rest = norm(add(full, equivalent, -along / norm(equivalent) ** 2));
        const bound = lowerBound(full, a, b);
        assert(bound <= rest * (1 + 1e-6), `${bound} <= ${rest}`);
        if (seed > 0) assertGreater(bound, 0);
      });
    }
  });
});

Deno.test("adalora keeps the first of triplets whose scores are equal, and all numbers finite, without any gradient", async () => {
  const maps = MAPS.map((map) => ({ ...map, target: map.base }));
  await attached({ rank: 1, initialRank: 3, orthogonality: 0 }, maps, async (run) => {
    for (let step = 1; step <= 3; step++) await run.step(step, 0.05);
    const found = await run.optimizer.inspect();
    const budget = budgetAt(
      3,
      {
        ...{ rank: 1, tinit: 0, tfinal: 0, deltaT: 1, steps: STEPS, orthogonality: 0, learningRate: 0 },
        betas: [0, 0],
      },
      3,
      3,
    )!;
    assertEquals(run.targetModules.map(({ name }) => found[`rank/${name}`]), [
      Math.min(3, budget),
      Math.min(3, Math.max(0, budget - 3)),
      Math.min(3, Math.max(0, budget - 6)),
    ]);
    (await run.read()).forEach(({ weight }, i) => assertEquals(weight.data, maps[i]!.base.data));
  });
});

Deno.test("adalora refuses by name a schedule longer than the run, ranks that do not fit and settings out of range", () => {
  const targetModules = [{ name: "wide", in: 300, out: 200 }, { name: "narrow", in: 9, out: 40 }];
  const refusal = (options: Options, steps = 100) =>
    adalora.validate({ ...adalora.defaults, rank: 4, ...options }, targetModules, steps);
  assertEquals(refusal({}), null);
  assertEquals(refusal({ tinit: 60, tfinal: 39 }), null);
  assertEquals(
    refusal({ tinit: 60, tfinal: 40 }),
    "tinit is 60 and tfinal is 40: together less than the run's steps, 100, is needed",
  );
  assertEquals(
    refusal({ tinit: 5 }, 5),
    "tinit is 5 and tfinal is 0: together less than the run's steps, 5, is needed",
  );
  assertEquals(refusal({ rank: 6 }), null);
  assertEquals(
    refusal({ rank: 7 }),
    'rank is 7 and initialRank by default is 11, at most 9 is possible at target module "narrow" [40, 9]',
  );
  assertEquals(refusal({ rank: 9, initialRank: 9 }), null);
  assertEquals(refusal({ rank: 10 }), 'rank is 10, at most 9 is possible at target module "narrow" [40, 9]');
  assertEquals(
    refusal({ initialRank: 10 }),
    'initialRank is 10, at most 9 is possible at target module "narrow" [40, 9]',
  );
  assertEquals(refusal({ initialRank: 3 }), "initialRank is 3, at least the rank, 4, is needed");
  assertEquals(refusal({ initialRank: 4.5 }), "initialRank is 4.5, a whole number of 0 or more is needed");
  assertEquals(refusal({ deltaT: 0 }), "deltaT is 0, a whole number of 1 or more is needed");
  assertEquals(refusal({ importanceBeta: 1 }), "importanceBeta is 1, a number from 0 to below 1 is needed");
  assertEquals(
    refusal({ uncertaintyBeta: NaN }),
    "uncertaintyBeta is NaN, a number from 0 to below 1 is needed",
  );
  assertEquals(refusal({ orthogonality: -1 }), "orthogonality is -1, 0 or more is needed");
});

Deno.test("adalora's reports name what is not as usual", () => {
  const describe = (options: Options) => adalora.describe({ ...adalora.defaults, ...options });
  assertEquals(describe({}), "");
  assertEquals(
    describe({ initialRank: 16, tinit: 10, tfinal: 20, deltaT: 5, importanceBeta: 0.9, orthogonality: 0.1 }),
    "initial rank 16, tinit 10, tfinal 20, deltaT 5, importance beta 0.9, orthogonality 0.1",
  );
});
