import { assert, assertEquals, assertGreater, assertLess, assertNotEquals } from "@std/assert";
import { columnProjector, dampen, factorGradients, rowProjector } from "../../tests/reference/low_rank.ts";
import { inverse as invert } from "../../tests/reference/decompositions.ts";
import {
  add,
  type Matrix,
  matrix,
  multiply,
  product,
  scale as times,
  subtract,
  transpose,
  zeros,
  zip,
} from "../../tests/reference/matrix.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import {
  assertFollows,
  conditionedProblem,
  deficientProblems,
  freshProblem,
  onQuadratics,
  rebased,
  type ReferenceStep,
  scaledOptions,
} from "../../tests/support/low_rank_problems.ts";
import { effectiveWeight, type Quadratic, relativeError } from "../../tests/support/quadratic.ts";
import { full } from "../full.ts";
import type { OptimizerModule, Options } from "../optimizer.ts";
import { loft, type LoftOptions } from "./loft.ts";

const module = loft as unknown as OptimizerModule;

/** LoFT by its definition, each P_j a matrix: Z, A transposed or B, moves or rests beside X, the other. */
function reference(given: Partial<LoftOptions>, rate: number): ReferenceStep {
  const { transport, simple, epsilon, dampingA, dampingB, weightDecay } = { ...loft.defaults, ...given };
  const kept = new Map<string, { m: Matrix; p: Matrix[]; v: Matrix; x: Matrix }>();
  return (factors, gradient, step) => {
    const { a, b, scale } = factors, raw = factorGradients(gradient, factors);
    const sides = { a: { z: transpose(a), x: b, raw: transpose(raw.gradientA), damping: dampingB } } as const;
    const both = { ...sides, b: { z: b, x: transpose(a), raw: raw.gradientB, damping: dampingA } };
    const moved = { a: both.a.z, b: both.b.z };
    for (const [which, { z, x, raw, damping }] of Object.entries(both)) {
      const rank = x.columns, gram = times(multiply(x, x, { transposeA: true }), scale ** 2);
      const k = invert(dampen(gram, { absolute: damping })), g = multiply(raw, k);
      const old = kept.get(which) ??
        {
          m: times(g, 0),
          p: Array.from({ length: g.rows }, () => zeros(rank, rank)),
          v: times(g, 0),
          x: times(x, 0),
        };
      const c = times(product(k, transpose(x), old.x), scale ** 2);
      const m = add(times(multiply(old.m, c, { transposeB: true }), 0.9), g, 0.1);
      const p = old.p.map((before, j) => {
        const row = matrix(1, rank, g.data.subarray(j * rank, (j + 1) * rank));
        const carried = transport === "paper"
          ? product(c, before, transpose(c))
          : product(transpose(c), before, c);
        return add(times(carried, 0.999), multiply(row, row, { transposeA: true }), 0.001);
      });
      const v = zip(old.v, g, (v, g) => 0.999 * v + 0.001 * g * g);
      kept.set(which, { m, p, v, x });
      if ((step % 2 === 1 ? "b" : "a") !== which) continue;
      const hat = (m: number, v: number) =>
        m / (1 - 0.9 ** step) / (Math.sqrt(Math.max(v / (1 - 0.999 ** step), 0)) + epsilon);
      const ofW = times(multiply(m, x, { transposeB: true }), scale);
      const squares = zeros(ofW.rows, ofW.columns);
      p.forEach((p, j) => {
        const turned = multiply(x, p);
        for (let i = 0; i < x.rows; i++) {
          let sum = 0;
          for (let l = 0; l < rank; l++) sum += turned.data[i * rank + l]! * x.data[i * rank + l]!;
          squares.data[j * x.rows + i] = scale ** 2 * sum;
        }
      });
      const direction = simple ? zip(m, v, hat) : times(product(zip(ofW, squares, hat), x, k), scale);
      moved[which as "a" | "b"] = add(times(z, 1 - rate * weightDecay), direction, -rate);
    }
    return { a: transpose(moved.a), b: moved.b, scale };
  };
}

Deno.test("loft follows float64 at ranks 1, 3 and full, from B = 0 and not, in each of its forms", async () => {
  for (const [rank, rows, columns] of [[1, 9, 30], [3, 20, 12], [6, 6, 6], [5, 5, 14]] as const) {
    const starts = [
      conditionedProblem(rows, columns, rank, rank),
      freshProblem(rows, columns, rank, rank + 20),
    ];
    for (const [i, map] of starts.entries()) {
      for (const options of [{}, { transport: "transposed" }, { simple: true, weightDecay: 0.5 }]) {
        const rate = 0.05, label = `rank ${rank} start ${i} ${JSON.stringify(options)}`;
        // Adam's direction is steep where a second moment is small beside epsilon.
        const settings = { dampingA: 1e-4, dampingB: 1e-4, epsilon: 0.1 };
        const how = { scale: 2, rate, relative: 1e-4, label };
        await assertFollows(
          module,
          { ...settings, ...options },
          map,
          reference({ ...settings, ...options }, rate),
          how,
        );
      }
    }
  }
});

/** W after some steps. */
function trained(
  map: Quadratic,
  options: Options,
  steps: number,
  method: OptimizerModule = module,
): Promise<Matrix> {
  return onQuadratics(method, options, [map], async (run) => {
    for (let step = 1; step <= steps; step++) await run.step(step, 0.02);
    return (await run.readOne()).weight;
  });
}

Deno.test("loft at the rank of a square W is AdamW on W", async () => {
  const map = conditionedProblem(7, 7, 7, 3), start = effectiveWeight(map.base, map.a, map.b, 2);
  const { base: _base, ...rest } = map;
  const wanted = await trained(
    { base: start, target: rest.target },
    { epsilon: 1e-4 },
    8,
    full as unknown as OptimizerModule,
  );
  assertGreater(relativeError(wanted, start), 0.02);
  const undamped = { dampingA: 0, dampingB: 0 };
  const found = await trained(map, scaledOptions(7, 2, undamped), 8);
  // Condition numbers below 10, eight f32 steps.
  assertLess(relativeError(found, wanted), 1e-5);
  const transposed = await trained(map, scaledOptions(7, 2, { ...undamped, transport: "transposed" }), 8);
  assertGreater(relativeError(transposed, wanted), 1e-4);
});

Deno.test("loft moves W along the same path from any factors of B A and at any s; the transposed transport does not", async () => {
  const map = conditionedProblem(14, 18, 4, 6), undamped = { dampingA: 0, dampingB: 0 };
  const options = scaledOptions(4, 2, undamped), wanted = await trained(map, options, 8);
  assertGreater(relativeError(wanted, effectiveWeight(map.base, map.a, map.b, 2)), 0.01);
  for (const seed of [7, 8]) {
    assertLess(relativeError(await trained(rebased(map, seed), options, 8), wanted), 2e-5);
  }
  const larger = { ...map, b: times(map.b, 4) };
  assertLess(relativeError(await trained(larger, scaledOptions(4, 0.5, undamped), 8), wanted), 2e-5);
  const replicated = { ...options, transport: "transposed" };
  const gap = relativeError(await trained(rebased(map, 7), replicated, 8), await trained(map, replicated, 8));
  assertGreater(gap, 1e-4);
});

Deno.test("loft moves one factor a step, B first, and W by -rate times the projection of AdamW's direction", async () => {
  const map = conditionedProblem(14, 18, 4, 5), rate = 0.01;
  await onQuadratics(
    module,
    scaledOptions(4, 2, { dampingA: 0, dampingB: 0, epsilon: 0.1 }),
    [map],
    async (run) => {
      for (const step of [1, 2]) {
        const before = await run.readOne(), [found] = await run.gradients();
        const { equivalent, full: gradient } = found!;
        const projected = step === 1
          ? multiply(gradient, rowProjector(before.a))
          : multiply(columnProjector(before.b), gradient);
        // Condition numbers below 10, f32 throughout.
        assertClose(equivalent.data, projected.data, { relative: 2e-5 }, `equivalent ${step}`);
        await run.step(step, rate);
        const after = await run.readOne();
        assertEquals(step === 1 ? after.a : after.b, step === 1 ? before.a : before.b);
        assertNotEquals(step === 1 ? after.b : after.a, step === 1 ? before.b : before.a);
        const moved = subtract(after.weight, before.weight);
        const kept = step === 1
          ? multiply(moved, rowProjector(before.a))
          : multiply(columnProjector(before.b), moved);
        assertClose(kept.data, moved.data, { relative: 2e-5 }, `step ${step}`);
        if (step === 1) {
          // The first direction is the gradient's sign, but for epsilon.
          const direction = zip(projected, projected, (g) => g / (Math.abs(g) + 0.1));
          const wanted = times(multiply(direction, rowProjector(before.a)), -rate);
          assertClose(moved.data, wanted.data, { relative: 2e-5 }, "first step");
        }
      }
    },
  );
});

Deno.test("loft trains maps of different shapes side by side as it trains each alone", async () => {
  const maps = [freshProblem(10, 12, 3, 81), freshProblem(5, 33, 3, 82), freshProblem(40, 4, 3, 83)];
  const steps = (some: typeof maps) =>
    onQuadratics(module, { rank: 3 }, some, async (run) => {
      for (let step = 1; step <= 3; step++) await run.step(step, 0.02);
      return await run.read();
    });
  const together = await steps(maps);
  for (const [i, map] of maps.entries()) assertEquals((await steps([map]))[0], together[i]);
});

Deno.test("loft trains maps whose second moments lie in two buffers as it trains one alone", async () => {
  // 67.0 MB each, of which two go into 128 MiB.
  const maps = [91, 92, 93].map((seed) => conditionedProblem(70, 4_090, 64, seed));
  const steps = (some: typeof maps) =>
    onQuadratics(module, { rank: 64 }, some, async (run) => {
      for (let step = 1; step <= 2; step++) await run.step(step, 0.02);
      return await run.read();
    });
  assertEquals((await steps([maps[2]!]))[0], (await steps(maps))[2]);
});

Deno.test("loft stays finite over six steps from factors that lack ranks or are 0, damped or not", async () => {
  for (const options of [{}, { dampingA: 0, dampingB: 0 }, { simple: true }]) {
    await onQuadratics(module, { rank: 4, ...options }, deficientProblems(12, 16, 9), async (run) => {
      for (let step = 1; step <= 6; step++) await run.step(step, 0.01);
      (await run.read()).forEach(({ a, b }, i) =>
        assert([...a.data, ...b.data].every(Number.isFinite), `${JSON.stringify(options)} start ${i}`)
      );
    });
  }
});

Deno.test("loft refuses unknown transports, one that the simple form hasn't, negative settings and large ranks", () => {
  const refusal = (options: Partial<LoftOptions>) =>
    loft.validate({ ...loft.defaults, ...options }, [{ name: "wide", in: 400, out: 300 }], 100);
  assertEquals(refusal({}), null);
  assertEquals(refusal({ transport: "half" }), 'transport is "half", known are paper, transposed');
  assertEquals(
    refusal({ transport: "transposed", simple: true }),
    'transport is "transposed" in the simple form, whose second moment is carried nowhere: "paper" is needed',
  );
  assertEquals(refusal({ dampingA: -1 }), "dampingA is -1, 0 or more is needed");
  assertEquals(refusal({ dampingB: NaN }), "dampingB is NaN, 0 or more is needed");
  assertEquals(
    refusal({ rank: 257 }),
    'rank is 257, at most 256 is possible at target module "wide" [300, 400]',
  );
  assertEquals(loft.describe({ ...loft.defaults, simple: true }), "alpha/r, simple");
  assertEquals(
    loft.describe({ ...loft.defaults, transport: "transposed" }),
    "alpha/r, transport transposed",
  );
});
