import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import type { Gpu } from "../../gpu/gpu.ts";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { golden, goldenMatrix } from "../../tests/golden/golden.ts";
import {
  attachToQuadratics,
  effectiveWeight,
  type Quadratic,
  type QuadraticRun,
  relativeError,
} from "../../tests/support/quadratic.ts";
import { inverse } from "../../tests/reference/decompositions.ts";
import {
  factorGradients,
  type Gauge,
  loraProStep,
  type LoraProStepOptions,
  lowerBound,
  type LowRankState,
  projectGradient,
  rowProjector,
} from "../../tests/reference/low_rank.ts";
import {
  add,
  identity,
  type Matrix,
  multiply,
  norm,
  randomMatrix,
  roundToFloat32,
  scale as times,
  subtract,
  withSingularValues,
  zeros,
} from "../../tests/reference/matrix.ts";
import { adamDirection, type AdamMoments, adamwStep } from "../../tests/reference/network.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { lora } from "../lora.ts";
import type { OptimizerModule, Options } from "../optimizer.ts";
import { loraPro } from "./lora_pro.ts";

const module = loraPro as OptimizerModule;
const MODES = ["full", "efficient", "sgd"] as const;
const GAUGES: readonly Gauge[] = ["zero", "sylvester", "symmetric"];

/** Options that give the scale s at a rank, undamped. */
function optionsAt(rank: number, scale: number, more: Options = {}): Options {
  return { rank, alpha: scale * rank, relativeDamping: 0, ...more };
}

/** A well-conditioned problem whose gradient at the start is random. */
function problem(rows: number, columns: number, rank: number, seed: number): Required<Quadratic> {
  const random = createRandom(seed);
  const spread = (low: number) => Array.from({ length: rank }, (_, i) => 1 - (1 - low) * i / rank);
  return {
    base: randomMatrix(rows, columns, random.fork("base")),
    target: randomMatrix(rows, columns, random.fork("target")),
    a: roundToFloat32(withSingularValues(rank, columns, spread(0.3), random.fork("a"))),
    b: roundToFloat32(withSingularValues(rows, rank, spread(0.5), random.fork("b"))),
  };
}

async function attached<T>(
  options: Options,
  problems: readonly Quadratic[],
  body: (run: QuadraticRun, gpu: Gpu) => Promise<T>,
): Promise<T> {
  const gpu = await testGpu();
  using _ = gpu.scope("LoRA-Pro");
  return await body(await attachToQuadratics(gpu, module, options, problems), gpu);
}

/** The float64 trajectory: `steps` states after each step, with gradients of its own weights. */
function reference(
  { base, target, a, b }: Required<Quadratic>,
  scale: number,
  steps: number,
  options: LoraProStepOptions,
): LowRankState[] {
  const states: LowRankState[] = [];
  let state: LowRankState = { a, b, scale };
  for (let step = 0; step < steps; step++) {
    const gradient = subtract(effectiveWeight(base, state.a, state.b, scale), target);
    state = loraProStep(state, factorGradients(gradient, state), options);
    states.push(state);
  }
  return states;
}

for (const mode of MODES) {
  for (const gauge of GAUGES) {
    if (mode === "sgd" && gauge !== "sylvester") continue;
    const name = mode === "sgd" ? "lora_pro_sgd_sylvester" as const : `lora_pro_${mode}_${gauge}` as const;
    Deno.test(`loraPro follows PyTorch's float64 for five steps in mode "${mode}" with gauge "${gauge}"`, async () => {
      const { problem, start, steps, options } = golden[name];
      const maps = [{
        base: goldenMatrix(problem.base),
        target: goldenMatrix(problem.target),
        a: goldenMatrix(start.a),
        b: goldenMatrix(start.b),
      }];
      await attached(optionsAt(2, options.scale, { mode, gauge }), maps, async (run) => {
        for (const [i, expected] of steps.entries()) {
          await run.step(i + 1, options.learningRate);
          const { a, b } = await run.readOne();
          // Five f32 steps; Adam's direction is steep where a second moment is small.
          assertClose(a.data, expected.a.data, { relative: 2e-5 }, `A after step ${i + 1}`);
          assertClose(b.data, expected.b.data, { relative: 2e-5 }, `B after step ${i + 1}`);
        }
      });
    });
  }
}

Deno.test("loraPro follows float64 in all modes and gauges, at ranks 1 to 20 of wide and tall maps", async () => {
  // At ranks above 12 whole vectors are what is staged, and what is not.
  for (
    const [rank, rows, columns] of [[1, 9, 30], [3, 20, 12], [8, 17, 40], [16, 68, 132], [16, 132, 68], [
      14,
      33,
      40,
    ]] as const
  ) {
    for (const mode of MODES) {
      for (const gauge of GAUGES) {
        const map = problem(rows, columns, rank, rank), learningRate = 0.02;
        const states = reference(map, 2, 5, { mode, gauge, damping: { relative: 0 }, learningRate });
        await attached(optionsAt(rank, 2, { mode, gauge }), [map], async (run) => {
          for (const [i, expected] of states.entries()) {
            await run.step(i + 1, learningRate);
            const { a, b } = await run.readOne();
            const label = `${mode} ${gauge} rank ${rank} step ${i + 1}`;
            // Condition numbers of the factors are below 4; five f32 steps reach 3e-6.
            assertClose(a.data, expected.a.data, { relative: 2e-5 }, `A ${label}`);
            assertClose(b.data, expected.b.data, { relative: 2e-5 }, `B ${label}`);
          }
        });
      }
    }
  }
});

Deno.test("loraPro follows float64 where a factor spans its whole side, in all modes and gauges, damped and not", async () => {
  // The rank is the number of rows, of columns and of both.
  for (const [rank, rows, columns] of [[4, 4, 9], [4, 9, 4], [4, 4, 4]] as const) {
    for (const relativeDamping of [0, 1e-6]) {
      for (const [mode, gauge] of MODES.flatMap((mode) => GAUGES.map((gauge) => [mode, gauge] as const))) {
        const map = problem(rows, columns, rank, 10 * rows + columns), learningRate = 0.02;
        const damping = { relative: relativeDamping };
        const states = reference(map, 2, 5, { mode, gauge, damping, learningRate });
        await attached(optionsAt(rank, 2, { mode, gauge, relativeDamping }), [map], async (run) => {
          for (const [i, expected] of states.entries()) {
            await run.step(i + 1, learningRate);
            const { a, b } = await run.readOne();
            const label = `[${rows}, ${columns}] ${mode} ${gauge} damping ${relativeDamping} step ${i + 1}`;
            assertClose(a.data, expected.a.data, { relative: 5e-5 }, `A ${label}`);
            assertClose(b.data, expected.b.data, { relative: 5e-5 }, `B ${label}`);
          }
        });
      }
    }
  }
});

Deno.test("loraPro leaves B as it is, by value, where B spans all and X is 0: in every mode, beside other maps", async () => {
  // The second map's B has more rows than the rank.
  const maps = [problem(6, 11, 6, 201), problem(9, 8, 6, 202), problem(6, 6, 6, 203)];
  for (const mode of MODES) {
    await attached(optionsAt(6, 2, { mode, gauge: "zero" }), maps, async (run) => {
      for (let step = 1; step <= 5; step++) await run.step(step, 0.02);
      const stayed = (await run.read()).map(({ b }, i) =>
        b.data.every((value, k) => value === maps[i]!.b.data[k])
      );
      assertEquals(stayed, [true, false, true], mode);
    });
  }
});

/** B = 0 and A as LoRA starts it. */
function freshProblem(rows: number, columns: number, rank: number, seed: number): Required<Quadratic> {
  const random = createRandom(seed), bound = 1 / Math.sqrt(columns);
  const a = {
    rows: rank,
    columns,
    data: Float64Array.from(random.fork("a").uniform(rank * columns, -bound, bound)),
  };
  return { ...problem(rows, columns, rank, seed), a, b: zeros(rows, rank) };
}

Deno.test("loraPro's first step in full mode from B = 0 moves W by -rate · U P_A and leaves A alone, in all gauges", async () => {
  const map = freshProblem(20, 30, 4, 5), learningRate = 0.01;
  const gradient = subtract(map.base, map.target), onRows = rowProjector(map.a);
  const { direction } = adamDirection(multiply(gradient, onRows), undefined);
  const wanted = times(multiply(direction, onRows), -learningRate);
  for (const gauge of GAUGES) {
    await attached(optionsAt(4, 2, { gauge }), [map], async (run) => {
      await run.step(1, learningRate);
      const { a, b, weight } = await run.readOne();
      assertEquals(a.data, map.a.data);
      // The change is read off a weight of size 3, where f32 rounds by 2e-7; it is 1e-2.
      assertClose(subtract(weight, map.base).data, wanted.data, { relative: 1e-4 }, gauge);
      assertClose(times(multiply(b, a), 2).data, wanted.data, { relative: 1e-5 }, gauge);
    });
  }
});

Deno.test("loraPro follows float64 from B = 0 in full mode, on a map where the first step leaves B well conditioned", async () => {
  const map = freshProblem(40, 30, 3, 6), learningRate = 0.01;
  for (const gauge of GAUGES) {
    const damping = { relative: 1e-6 };
    const states = reference(map, 2, 5, { mode: "full", gauge, damping, learningRate });
    await attached(optionsAt(3, 2, { gauge, relativeDamping: 1e-6 }), [map], async (run) => {
      for (const [i, expected] of states.entries()) {
        await run.step(i + 1, learningRate);
        const { a, b } = await run.readOne();
        // 1 - 0.999 in f32 is off by 1e-5, whose root scales the first directions; the rest is below 2e-6.
        assertLess(relativeError(a, expected.a), 1e-5, `A ${gauge} step ${i + 1}`);
        assertLess(relativeError(b, expected.b), 2e-5, `B ${gauge} step ${i + 1}`);
      }
    });
  }
});

/** |dA| / |A| of the second step after a start at B = 0. */
async function secondStepOfA(learningRate: number, options: Options): Promise<number> {
  return await attached({ rank: 4, ...options }, [freshProblem(32, 32, 4, 8)], async (run) => {
    await run.step(1, learningRate);
    const before = await run.readOne();
    await run.step(2, learningRate);
    const after = await run.readOne();
    return relativeError(after.a, before.a);
  });
}

Deno.test("loraPro's second step after B = 0 moves A by more than a fifth of its norm, whatever the rate", async () => {
  const moves: number[] = [];
  for (const rate of [1e-2, 1e-3, 1e-4]) moves.push(await secondStepOfA(rate, {}));
  for (const move of moves) assertGreater(move, 0.2, String(moves));
  // The same number up to what the first step changes of the gradient.
  assertClose(moves, moves.map(() => moves[1]!), { relative: 0.05 });
});

Deno.test("loraPro's cap limits |dA| / |A| of a step, and leaves shorter steps alone", async () => {
  for (const cap of [0.01, 0.1]) {
    const found = await secondStepOfA(1e-3, { cap });
    // Reached, and passed by rounding only: A is rewritten in f32.
    assert(Math.abs(found - cap) < 1e-5 * cap + 1e-7, `${found}, ${cap} is the cap`);
  }
  assertEquals(await secondStepOfA(1e-3, { cap: 10 }), await secondStepOfA(1e-3, {}));
});

Deno.test("loraPro caps as float64 does, B's step untouched", async () => {
  const map = problem(12, 16, 3, 12), learningRate = 0.05;
  const options = {
    mode: "full",
    gauge: "sylvester",
    damping: { relative: 0 },
    learningRate,
    cap: 0.02,
  } as const;
  const states = reference(map, 2, 5, options);
  await attached(optionsAt(3, 2, { cap: 0.02 }), [map], async (run) => {
    for (const [i, expected] of states.entries()) {
      await run.step(i + 1, learningRate);
      const { a, b } = await run.readOne();
      // As without a cap.
      assertClose(a.data, expected.a.data, { relative: 2e-5 });
      assertClose(b.data, expected.b.data, { relative: 2e-5 });
    }
  });
});

/** Largest |W - W_AdamW| / rate after three steps in full mode at full rank. */
async function gapToAdamw(
  rows: number,
  columns: number,
  gauge: Gauge,
  learningRate: number,
): Promise<number> {
  const rank = Math.min(rows, columns), map = problem(rows, columns, rank, 31);
  const start = effectiveWeight(map.base, map.a, map.b, 2);
  let parameter = start, moments: AdamMoments | undefined;
  return await attached(optionsAt(rank, 2, { gauge }), [map], async (run) => {
    for (let step = 1; step <= 3; step++) {
      await run.step(step, learningRate);
      ({ parameter, moments } = adamwStep(parameter, subtract(parameter, map.target), moments, {
        learningRate,
      }));
    }
    const { weight } = await run.readOne();
    return Math.max(...subtract(weight, parameter).data.map(Math.abs));
  });
}

Deno.test("loraPro at full rank equals AdamW on W to first order: the gap falls with the square of the rate", async () => {
  for (const [rows, columns] of [[6, 9], [9, 6], [7, 7]] as const) {
    for (const gauge of ["sylvester", "symmetric"] as const) {
      const wide = await gapToAdamw(rows, columns, gauge, 0.04),
        narrow = await gapToAdamw(rows, columns, gauge, 0.01);
      // A quarter of the rate: 16 up to the next order.
      assert(
        wide / narrow > 10 && wide / narrow < 22,
        `[${rows}, ${columns}] ${gauge}: ${wide} and ${narrow}`,
      );
    }
  }
});

Deno.test("loraPro at full rank equals AdamW on W where B spans all and X is 0: B then stays as it is", async () => {
  // gB is (I - P_B) · … = 0, so W moves by s B dA alone, without a second-order term.
  const gap = await gapToAdamw(6, 9, "zero", 0.04);
  // The weights are about 3: ten roundings.
  assertLess(gap, 5e-6);
});

Deno.test("loraPro in sgd mode lowers a quadratic by rate · |g|² up to the square of the rate", async () => {
  const map = problem(16, 12, 3, 41);
  const gradient = subtract(effectiveWeight(map.base, map.a, map.b, 2), map.target);
  const wanted = norm(projectGradient(gradient, map.a, map.b)) ** 2;
  const missing: number[] = [];
  for (const rate of [0.02, 0.01, 0.005]) {
    await attached(optionsAt(3, 2, { mode: "sgd" }), [map], async (run) => {
      await run.step(1, rate);
      const { a, b } = await run.readOne();
      const after = subtract(effectiveWeight(map.base, a, b, 2), map.target);
      missing.push(1 - (norm(gradient) ** 2 - norm(after) ** 2) / 2 / (rate * wanted));
    });
  }
  assertLess(Math.abs(missing[0]!), 0.1);
  // What is missing is proportional to the rate.
  for (const i of [0, 1]) assert(Math.abs(missing[i]! / missing[i + 1]! - 2) < 0.1, String(missing));
});

Deno.test("loraPro's equivalent gradient is the projection of G, for any basis of the factors' spaces and any scale", async () => {
  const map = problem(14, 18, 4, 51);
  const weight = effectiveWeight(map.base, map.a, map.b, 2);
  const gradient = subtract(weight, map.target), wanted = projectGradient(gradient, map.a, map.b);
  const basis = add(identity(4), randomMatrix(4, 4, createRandom(52), 0.3));
  const starts = [
    { a: map.a, b: map.b, scale: 2 },
    // (B R, R⁻¹ A): R⁻¹ A is the A' with R A' = A.
    { a: multiply(inverse(basis), map.a), b: multiply(map.b, basis), scale: 2 },
    { a: map.a, b: times(map.b, 4), scale: 0.5 },
    { a: times(map.a, 1 / 8), b: map.b, scale: 16 },
  ];
  for (const { a, b, scale } of starts) {
    for (const mode of MODES) {
      await attached(optionsAt(4, scale, { mode }), [{ ...map, a, b }], async (run) => {
        const [found] = await run.gradients();
        assertClose(found!.full.data, gradient.data, { relative: 1e-5 });
        // Condition numbers below 10, f32 throughout.
        assertClose(found!.equivalent.data, wanted.data, { relative: 2e-5 }, `${mode} scale ${scale}`);
      });
    }
  }
});

Deno.test("loraPro reaches the lower bound of the discrepancy, which LoRA exceeds", async () => {
  const gpu = await testGpu();
  for (const map of [problem(14, 18, 2, 61), problem(30, 8, 5, 62), freshProblem(12, 12, 3, 63)]) {
    const rank = map.a.rows;
    const discrepancies = [];
    for (const method of [loraPro, lora] as const) {
      using _ = gpu.scope("discrepancy");
      const options = { rank, alpha: 2 * rank };
      const run = await attachToQuadratics(gpu, method as unknown as OptimizerModule, options, [map]);
      const [{ equivalent, full: gradient }] = await run.gradients() as [
        { equivalent: Matrix; full: Matrix },
      ];
      discrepancies.push(relativeError(equivalent, gradient));
    }
    const gradient = subtract(effectiveWeight(map.base, map.a, map.b, 2), map.target);
    const bound = lowerBound(gradient, map.a, map.b) / norm(gradient);
    // Damping of 1e-6 of the mean eigenvalue, and f32.
    assert(Math.abs(discrepancies[0]! - bound) < 1e-5, `${discrepancies[0]}, the bound is ${bound}`);
    assertGreater(discrepancies[1]!, bound);
  }
});

Deno.test("loraPro's weight decay shrinks s B A by 1 - rate · decay in full mode, each factor in the others", async () => {
  const map = problem(10, 12, 3, 71), rate = 0.5, weightDecay = 0.4;
  // Already at its target, up to 1e-7: the gradient's own part must stay small against the decay's.
  const there = { ...map, target: effectiveWeight(map.base, map.a, map.b, 2) };
  for (const mode of ["full", "sgd"] as const) {
    const factor = mode === "full" ? Math.sqrt(1 - rate * weightDecay) : 1 - rate * weightDecay;
    // epsilon tames Adam's direction of a gradient that is rounding alone.
    await attached(optionsAt(3, 2, { mode, weightDecay, epsilon: 1 }), [there], async (run) => {
      await run.step(1, rate);
      const { a, b, base } = await run.readOne();
      assertClose(a.data, times(map.a, factor).data, { relative: 1e-5 }, `A ${mode}`);
      assertClose(b.data, times(map.b, factor).data, { relative: 1e-5 }, `B ${mode}`);
      assertEquals(base.data, map.base.data);
    });
  }
});

Deno.test("loraPro decays as float64 does in every mode", async () => {
  const map = problem(10, 12, 3, 72), learningRate = 0.05, weightDecay = 0.5;
  for (const mode of MODES) {
    const options = {
      mode,
      gauge: "sylvester",
      damping: { relative: 0 },
      learningRate,
      weightDecay,
    } as const;
    const states = reference(map, 2, 3, options);
    await attached(optionsAt(3, 2, { mode, weightDecay }), [map], async (run) => {
      for (const [i, expected] of states.entries()) {
        await run.step(i + 1, learningRate);
        const { a, b } = await run.readOne();
        assertClose(a.data, expected.a.data, { relative: 2e-5 }, `A ${mode} step ${i + 1}`);
        assertClose(b.data, expected.b.data, { relative: 2e-5 }, `B ${mode} step ${i + 1}`);
      }
    });
  }
});

Deno.test("loraPro trains maps of different shapes side by side as it trains each alone", async () => {
  const maps = [problem(10, 12, 3, 81), problem(5, 33, 3, 82), problem(40, 4, 3, 83)];
  for (const mode of MODES) {
    const trained = async (some: readonly Quadratic[]) =>
      await attached(optionsAt(3, 2, { mode, cap: mode === "efficient" ? 0 : 0.1 }), some, async (run) => {
        for (let step = 1; step <= 3; step++) await run.step(step, 0.02);
        return await run.read();
      });
    const together = await trained(maps);
    for (const [i, map] of maps.entries()) {
      assertEquals((await trained([map]))[0], together[i], `${mode} map ${i}`);
    }
  }
});

Deno.test("loraPro stays finite over five steps from factors that lack ranks, in every mode and gauge", async () => {
  const map = problem(12, 16, 4, 91), random = createRandom(92);
  const deficient = (rows: number, columns: number, rank: number) =>
    roundToFloat32(
      multiply(randomMatrix(rows, rank, random.fork("l")), randomMatrix(rank, columns, random.fork("r"))),
    );
  const starts = [
    { a: deficient(4, 16, 2), b: map.b },
    { a: map.a, b: deficient(12, 4, 1) },
    { a: deficient(4, 16, 1), b: zeros(12, 4) },
    { a: zeros(4, 16), b: map.b },
    { a: zeros(4, 16), b: zeros(12, 4) },
  ];
  for (const mode of MODES) {
    for (const gauge of GAUGES) {
      await attached({ rank: 4, mode, gauge }, starts.map((start) => ({ ...map, ...start })), async (run) => {
        for (let step = 1; step <= 5; step++) await run.step(step, 0.01);
        (await run.read()).forEach(({ a, b }, i) => {
          assert([...a.data, ...b.data].every(Number.isFinite), `${mode} ${gauge} start ${i}`);
        });
      });
    }
  }
});

Deno.test("loraPro from B = 0 stays finite over five undamped steps on small maps, at rank 3 and at full rank", async () => {
  // Where the first Adam step makes B, or the direction, a matrix of nearly ±1: often all but singular.
  const seeds = [101, 102, 103, 104];
  const maps = (rank: number, ...shapes: readonly (readonly [number, number])[]) => ({
    rank,
    maps: shapes.flatMap(([rows, columns]) => seeds.map((seed) => freshProblem(rows, columns, rank, seed))),
  });
  for (const some of [maps(3, [12, 10], [7, 12]), maps(10, [12, 10]), maps(7, [7, 12])]) {
    for (const mode of MODES) {
      for (const gauge of GAUGES) {
        await attached(optionsAt(some.rank, 2, { mode, gauge }), some.maps, async (run) => {
          for (let step = 1; step <= 5; step++) await run.step(step, 0.1);
          (await run.read()).forEach(({ a, b, weight }, i) => {
            const label = `rank ${some.rank} ${mode} ${gauge} map ${i}`;
            assert([...a.data, ...b.data, ...weight.data].every(Number.isFinite), label);
          });
        });
      }
    }
  }
});

Deno.test("loraPro's efficient mode leaves B = 0 for entries of ± the rate, whose rank the pseudo-inverse then has to find", async () => {
  // A target of rank 1 makes gB of rank 1, and so its signs: B lacks all ranks but one, exactly.
  const rate = 0.05, fresh = freshProblem(12, 10, 10, 121), random = createRandom(122);
  const change = multiply(randomMatrix(12, 1, random.fork("l")), randomMatrix(1, 10, random.fork("r")));
  const map = { ...fresh, target: roundToFloat32(add(fresh.base, change)) };
  for (const gauge of GAUGES) {
    await attached(optionsAt(10, 2, { mode: "efficient", gauge }), [map], async (run) => {
      await run.step(1, rate);
      const { b } = await run.readOne();
      assertClose(b.data.map(Math.abs), b.data.map(() => rate), { relative: 1e-5 }, gauge);
      const first = norm(subtract(map.base, map.target));
      for (let step = 2; step <= 5; step++) await run.step(step, rate);
      const { a, weight } = await run.readOne();
      assert(a.data.every(Number.isFinite), gauge);
      assertLess(norm(subtract(weight, map.target)), first, gauge);
    });
  }
});

Deno.test("loraPro's step neither waits for the GPU nor reads anything back", async () => {
  const map = problem(10, 12, 3, 95);
  for (const mode of MODES) {
    await attached(optionsAt(3, 2, { mode }), [map], async (run, gpu) => {
      await run.step(1, 0.01);
      const { flush, downloadAll } = gpu;
      let waits = 0;
      gpu.flush = () => (waits++, flush.call(gpu));
      gpu.downloadAll = (tensors) =>
        (waits++, downloadAll.call(gpu, tensors)) as ReturnType<typeof downloadAll<never>>;
      try {
        assertEquals(run.step(2, 0.01), undefined, mode);
      } finally {
        Object.assign(gpu, { flush, downloadAll });
      }
      assertEquals(waits, 0, mode);
    });
  }
});

Deno.test("loraPro keeps moments of W's size in full mode, of the factors' size in efficient mode, none in sgd mode", async () => {
  const map = problem(10, 12, 3, 96);
  const expected = {
    full: [[10, 12], [10, 12]],
    efficient: [[3, 12], [10, 3], [3, 12], [10, 3]],
    sgd: [],
  };
  for (const mode of MODES) {
    await attached(optionsAt(3, 2, { mode }), [map], ({ optimizer }) => {
      assertEquals(optimizer.state.map(({ value }) => value.shape), expected[mode]);
      return Promise.resolve();
    });
  }
});

Deno.test("loraPro refuses unknown modes and gauges, negative settings and ranks beyond a target module", () => {
  const targetModules = [{ name: "wide", in: 400, out: 300 }, { name: "narrow", in: 6, out: 40 }];
  const refusal = (options: Options) =>
    loraPro.validate({ ...loraPro.defaults, rank: 2, ...options }, targetModules, 100);
  assertEquals(refusal({}), null);
  assertEquals(refusal({ rank: 6 }), null);
  assertEquals(refusal({ mode: "fast" }), 'mode is "fast", known are full, efficient, sgd');
  assertEquals(refusal({ gauge: "symmetry" }), 'gauge is "symmetry", known are sylvester, zero, symmetric');
  assertEquals(refusal({ cap: -0.5 }), "cap is -0.5, 0 or more is needed");
  assertEquals(refusal({ absoluteDamping: Infinity }), "absoluteDamping is Infinity, 0 or more is needed");
  assertEquals(refusal({ relativeDamping: NaN }), "relativeDamping is NaN, 0 or more is needed");
  assertEquals(
    refusal({ mode: "efficient", cap: 0.1 }),
    'cap is 0.1 in mode "efficient", whose steps Adam bounds: 0 is needed',
  );
  assertEquals(refusal({ rank: 7 }), 'rank is 7, at most 6 is possible at target module "narrow" [40, 6]');
  assertEquals(
    loraPro.validate({ ...loraPro.defaults, rank: 257 }, [targetModules[0]!], 100),
    'rank is 257, at most 256 is possible at target module "wide" [300, 400]',
  );
});

Deno.test("loraPro's description names the scaling, the mode and what differs from the default", () => {
  const { defaults } = loraPro;
  assertEquals(loraPro.describe(defaults), "alpha/r, full");
  const changed = { ...defaults, scaling: "alpha/sqrt(r)", mode: "sgd", gauge: "zero", cap: 0.1 };
  assertEquals(loraPro.describe(changed), "alpha/sqrt(r), sgd, X zero, cap 0.1");
});
