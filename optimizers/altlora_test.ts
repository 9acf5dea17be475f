import { assert, assertEquals, assertGreater, assertLess, assertNotEquals } from "@std/assert";
import { assertClose } from "../tests/support/assert_close.ts";
import {
  assertFollows,
  conditionedProblem,
  deficientProblems,
  freshProblem,
  onQuadratics,
  rebased,
  type ReferenceStep,
  scaledOptions,
} from "../tests/support/low_rank_problems.ts";
import { effectiveWeight, type Quadratic, relativeError } from "../tests/support/quadratic.ts";
import {
  columnProjector,
  dampen,
  factorGradients,
  invertGram,
  rowProjector,
} from "../tests/reference/low_rank.ts";
import {
  add,
  type Matrix,
  multiply,
  product,
  scale as times,
  subtract,
  transpose,
  zip,
} from "../tests/reference/matrix.ts";
import { altlora, turnOf } from "./altlora.ts";
import type { OptimizerModule, Options } from "./optimizer.ts";

const module = altlora as OptimizerModule;

/** Both factors as tall matrices, Z of the one that moves and X of the other: Z ← Z − rate · M. */
function reference(
  { period, damping, secondMoment, biasCorrection }: {
    readonly period: number;
    readonly damping: number;
    readonly secondMoment: boolean;
    readonly biasCorrection: boolean;
  },
  rate: number,
  weightDecay: number,
): ReferenceStep {
  const kept = new Map<string, { readonly m: Matrix; readonly v: Matrix; readonly x: Matrix }>();
  return (factors, gradient, step) => {
    const { a, b, scale } = factors, raw = factorGradients(gradient, factors);
    const ofB = Math.floor((step - 1) / period) % 2 === 0;
    // Steps of this factor, counted one by one.
    const taken = Array.from({ length: step }, (_, i) => Math.floor(i / period) % 2 === (ofB ? 0 : 1))
      .filter(Boolean).length;
    const z = ofB ? b : transpose(a), x = ofB ? transpose(a) : b;
    const inverse = invertGram(dampen(multiply(x, x, { transposeA: true }), { absolute: damping }));
    const scaled = times(multiply(ofB ? raw.gradientB : transpose(raw.gradientA), inverse), scale ** -2);
    const old = kept.get(ofB ? "b" : "a");
    const carried = old
      ? product(old.m, multiply(old.x, x, { transposeA: true }), inverse)
      : times(scaled, 0);
    const m = add(times(carried, 0.9), scaled, 0.1);
    const v = zip(old?.v ?? times(scaled, 0), scaled, (v, g) => 0.999 * v + 0.001 * g ** 2);
    kept.set(ofB ? "b" : "a", { m, v, x });
    const share = (beta: number) => biasCorrection ? 1 - beta ** taken : 1;
    const direction = zip(m, v, (m, v) => {
      const corrected = m / share(0.9);
      return secondMoment ? corrected / (Math.sqrt(v / share(0.999)) + 1e-8) : corrected;
    });
    const moved = add(times(z, 1 - rate * weightDecay), direction, -rate);
    return ofB ? { a, b: moved, scale } : { a: transpose(moved), b, scale };
  };
}

Deno.test("turnOf() alternates every period, B first, and counts each factor's own steps", () => {
  const turns = (period: number, steps: number) =>
    Array.from({ length: steps }, (_, i) => {
      const { turn, taken } = turnOf(i + 1, period);
      return `${turn}${taken}`;
    }).join(" ");
  assertEquals(turns(1, 5), "b1 a1 b2 a2 b3");
  assertEquals(turns(3, 10), "b1 b2 b3 a1 a2 a3 b4 b5 b6 a4");
  assertEquals(turnOf(20, 10), { turn: "a", taken: 10 });
  assertEquals(turnOf(21, 10), { turn: "b", taken: 11 });
});

Deno.test("altlora follows float64 with and without a second moment, at ranks 1, 3 and 8, periods and dampings", async () => {
  for (const [rank, rows, columns] of [[1, 9, 30], [3, 20, 12], [8, 17, 40]] as const) {
    for (const secondMoment of [false, true]) {
      for (const [period, damping, biasCorrection] of [[1, 1e-6, false], [2, 1e-2, true]] as const) {
        const map = conditionedProblem(rows, columns, rank, rank), weightDecay = 0.5;
        const rate = secondMoment ? 0.02 : 0.2, options = { period, damping, secondMoment, biasCorrection };
        const label = `rank ${rank} period ${period}${secondMoment ? " plus" : ""}`;
        // Condition numbers of the factors are below 5; eight f32 steps.
        const how = { scale: 2, rate, relative: 3e-5, steps: 8, label };
        await assertFollows(
          module,
          { ...options, weightDecay },
          map,
          reference(options, rate, weightDecay),
          how,
        );
      }
    }
  }
});

Deno.test("altlora moves B alone at first and then A alone, or each for its period", async () => {
  for (const period of [1, 3]) {
    await onQuadratics(module, { rank: 3, period }, [freshProblem(10, 12, 3, 4)], async (run) => {
      let before = await run.readOne();
      for (let step = 1; step <= 4 * period; step++) {
        await run.step(step, 0.1);
        const after = await run.readOne(), ofB = turnOf(step, period).turn === "b";
        assertEquals(ofB ? after.a : after.b, ofB ? before.a : before.b, `step ${step}`);
        assertNotEquals(ofB ? after.b : after.a, ofB ? before.b : before.a, `step ${step}`);
        before = after;
      }
    });
  }
});

Deno.test("altlora's first steps of B and of A move W by -rate times the gradient's projection, with no cross term", async () => {
  const map = conditionedProblem(14, 18, 4, 5), rate = 0.3;
  for (const scale of [0.5, 2]) {
    await onQuadratics(module, scaledOptions(4, scale, { damping: 0 }), [map], async (run) => {
      const weights = [effectiveWeight(map.base, map.a, map.b, scale)];
      const projected: Matrix[] = [], followed: Matrix[] = [];
      for (const step of [1, 2]) {
        const { a, b } = await run.readOne(), gradient = subtract(weights.at(-1)!, map.target);
        projected.push(
          step === 1 ? multiply(gradient, rowProjector(a)) : multiply(columnProjector(b), gradient),
        );
        followed.push((await run.gradients())[0]!.equivalent);
        await run.step(step, rate);
        const after = await run.readOne();
        weights.push(effectiveWeight(map.base, after.a, after.b, scale));
      }
      for (const i of [0, 1]) {
        const moved = subtract(weights[i + 1]!, weights[i]!);
        // Condition numbers below 10, f32 throughout.
        assertClose(moved.data, times(projected[i]!, -rate).data, { relative: 2e-5 }, `step ${i + 1}`);
        assertClose(followed[i]!.data, projected[i]!.data, { relative: 2e-5 }, `equivalent ${i + 1}`);
      }
    });
  }
});

/** W after some steps. */
function trained(map: Quadratic, options: Options, steps: number): Promise<Matrix> {
  return onQuadratics(module, options, [map], async (run) => {
    for (let step = 1; step <= steps; step++) await run.step(step, 0.2);
    return (await run.readOne()).weight;
  });
}

Deno.test("altlora moves W along the same path from any factors of B A, moments included; AltLoRA+ does not", async () => {
  const map = conditionedProblem(14, 18, 4, 6), options = scaledOptions(4, 2, { damping: 0 });
  const wanted = await trained(map, options, 8),
    moved = relativeError(wanted, effectiveWeight(map.base, map.a, map.b, 2));
  assertGreater(moved, 0.1);
  for (const seed of [7, 8]) {
    const found = await trained(rebased(map, seed), options, 8);
    // Eight f32 steps at condition numbers below 10.
    assertLess(relativeError(found, wanted), 2e-5);
  }
  const plus = { ...options, secondMoment: true };
  assertGreater(relativeError(await trained(rebased(map, 7), plus, 8), await trained(map, plus, 8)), 1e-3);
});

Deno.test("altlora stays finite over six steps from factors that lack ranks or are 0", async () => {
  for (const secondMoment of [false, true]) {
    for (const damping of [0, 1e-6]) {
      const options = { rank: 4, damping, secondMoment };
      await onQuadratics(module, options, deficientProblems(12, 16, 9), async (run) => {
        for (let step = 1; step <= 6; step++) await run.step(step, 0.01);
        (await run.read()).forEach(({ a, b }, i) =>
          assert([...a.data, ...b.data].every(Number.isFinite), `${secondMoment} ${damping} start ${i}`)
        );
      });
    }
  }
});

Deno.test("altlora trains maps of different shapes side by side as it trains each alone", async () => {
  const maps = [freshProblem(10, 12, 3, 81), freshProblem(5, 33, 3, 82), freshProblem(40, 4, 3, 83)];
  for (const secondMoment of [false, true]) {
    const run = (some: typeof maps) =>
      onQuadratics(module, { rank: 3, secondMoment }, some, async (run) => {
        for (let step = 1; step <= 4; step++) await run.step(step, 0.02);
        return await run.read();
      });
    const together = await run(maps);
    for (const [i, map] of maps.entries()) assertEquals((await run([map]))[0], together[i]);
  }
});

Deno.test("altlora refuses broken periods, negative damping and ranks beyond a target module", () => {
  const targetModules = [{ name: "wide", in: 300, out: 200 }, { name: "narrow", in: 6, out: 40 }];
  const refusal = (options: Options) =>
    altlora.validate({ ...altlora.defaults, rank: 2, ...options }, targetModules, 100);
  assertEquals(refusal({}), null);
  for (const period of [0, 1.5, -1, NaN]) {
    assertEquals(refusal({ period }), `period is ${period}, a whole number of 1 or more is needed`);
  }
  assertEquals(refusal({ damping: Infinity }), "damping is Infinity, 0 or more is needed");
  assertEquals(refusal({ rank: 7 }), 'rank is 7, at most 6 is possible at target module "narrow" [40, 6]');
  const described = altlora.describe({
    ...{ ...altlora.defaults, period: 10, secondMoment: true, biasCorrection: false },
  });
  assertEquals(described, "alpha/r, AltLoRA+, 10 steps a factor, no bias correction");
});
