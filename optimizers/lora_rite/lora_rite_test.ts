import { assert, assertEquals, assertGreater, assertLess, assertNotEquals } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
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
import { inverse, svd, symmetricEigen } from "../../tests/reference/decompositions.ts";
import { columnProjector, factorGradients, rowProjector } from "../../tests/reference/low_rank.ts";
import {
  add,
  type Matrix,
  matrix,
  multiply,
  norm,
  product,
  scale as times,
  subtract,
  transpose,
  withSingularValues,
  zeros,
} from "../../tests/reference/matrix.ts";
import type { OptimizerModule, Options } from "../optimizer.ts";
import { loraRite } from "./lora_rite.ts";

const module = loraRite as OptimizerModule;

/** X = Q R with orthonormal Q, by Gram-Schmidt: another basis than the method's own. */
function orthonormalize(x: Matrix): { readonly q: Matrix; readonly r: Matrix } {
  const q = transpose(x), { rows: rank, columns: rows } = q;
  for (let i = 0; i < rank; i++) {
    const row = q.data.subarray(i * rows, (i + 1) * rows);
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const other = q.data.subarray(j * rows, (j + 1) * rows);
        const share = row.reduce((sum, value, t) => sum + value * other[t]!, 0);
        row.forEach((_, t) => row[t]! -= share * other[t]!);
      }
    }
    const length = Math.hypot(...row);
    row.forEach((_, t) => row[t]! /= length);
  }
  const columns = transpose(q);
  return { q: columns, r: multiply(columns, x, { transposeA: true }) };
}

/** (V^(1/2) + ε I)⁻¹ of a symmetric V. */
function inverseRoot(v: Matrix, epsilon: number): Matrix {
  const { values, vectors } = symmetricEigen(v);
  const inverted = values.map((value) => 1 / (Math.sqrt(Math.max(value, 0)) + epsilon));
  const stretched = vectors.data.map((value, i) => value * inverted[i % v.rows]!);
  return multiply(matrix(v.rows, v.rows, stretched), vectors, { transposeB: true });
}

/** Algorithm 1 as it stands, V formed. */
function reference(
  { clipNorm, skipAbove, weightDecay }: {
    readonly clipNorm: number;
    readonly skipAbove: number;
    readonly weightDecay: number;
  },
  rate: number,
): ReferenceStep {
  const kept = new Map<number, { readonly m: Matrix; readonly v: Matrix; readonly q: Matrix }>();
  return (factors, gradient, step) => {
    const { a, b, scale } = factors, { gradientA, gradientB } = factorGradients(gradient, factors);
    const decay = (beta: number) => beta * (1 - beta ** (step - 1)) / (1 - beta ** step);
    const sides = [{ d: transpose(gradientA), x: b, z: transpose(a) }, {
      d: gradientB,
      x: transpose(a),
      z: b,
    }]
      .map(({ d, x, z }) => {
        const { q, r } = orthonormalize(x), lower = inverse(r), g = multiply(d, lower);
        const skipped = skipAbove > 0 && norm(g) / Math.sqrt(g.data.length) > skipAbove;
        return { z, q, lower, g: skipped ? times(g, 0) : g };
      });
    const total = Math.hypot(...sides.map(({ g }) => norm(g)));
    const clipped = clipNorm > 0 && total > clipNorm ? clipNorm / total : 1;
    const [newA, newB] = sides.map(({ z, q, lower, g: whole }, i) => {
      const g = times(whole, clipped), rank = g.columns;
      const old = kept.get(i) ?? { m: times(g, 0), v: zeros(rank, rank), q: times(q, 0) };
      const p = multiply(q, old.q, { transposeA: true });
      const square = times(multiply(g, g, { transposeA: true }), 1 / g.rows);
      const v = add(times(product(p, old.v, transpose(p)), decay(0.999)), square, 1 - decay(0.999));
      const preconditioned = multiply(g, inverseRoot(v, 1e-6));
      const m = add(
        times(multiply(old.m, p, { transposeB: true }), decay(0.9)),
        preconditioned,
        1 - decay(0.9),
      );
      kept.set(i, { m, v, q });
      const followed = multiply(m, lower, { transposeB: true });
      return add(times(z, 1 - rate * weightDecay), followed, -rate);
    }) as [Matrix, Matrix];
    return { a: transpose(newA), b: newB, scale };
  };
}

Deno.test("loraRite follows float64 with other bases, at ranks 1 to 16 of wide and tall maps, clipped and not, with decay", async () => {
  for (const [rank, rows, columns] of [[1, 9, 30], [3, 20, 12], [8, 17, 40], [16, 40, 68]] as const) {
    for (const clipNorm of [0, 1]) {
      const map = conditionedProblem(rows, columns, rank, rank), rate = 0.02;
      const options = { clipNorm, skipAbove: 0, weightDecay: 0.5 };
      // Condition numbers of factors and gradients are below 10; six f32 steps.
      const how = { scale: 2, rate, relative: 3e-5, steps: 6, label: `rank ${rank} clip ${clipNorm}` };
      await assertFollows(module, options, map, reference(options, rate), how);
    }
  }
});

Deno.test("loraRite skips the factor whose unmagnified gradient is too large, as float64 does, and not the other one", async () => {
  const rate = 0.02, skipped: string[] = [];
  // B's is the larger one in the first, A's in the second.
  for (const map of [conditionedProblem(20, 12, 3, 3), conditionedProblem(20, 12, 3, 6)]) {
    const gradient = subtract(effectiveWeight(map.base, map.a, map.b, 2), map.target);
    const raw = factorGradients(gradient, { a: map.a, b: map.b, scale: 2 });
    const sizes = [[transpose(raw.gradientA), map.b], [raw.gradientB, transpose(map.a)]].map(([d, x]) => {
      const g = multiply(d!, inverse(orthonormalize(x!).r));
      return norm(g) / Math.sqrt(g.data.length);
    }) as [number, number];
    const options = { clipNorm: 1, skipAbove: (sizes[0] + sizes[1]) / 2, weightDecay: 0 };
    const how = { scale: 2, rate, relative: 3e-5, steps: 4, label: "skip" };
    await assertFollows(module, options, map, reference(options, rate), how);
    await onQuadratics(module, scaledOptions(3, 2, options), [map], async (run) => {
      await run.step(1, rate);
      const after = await run.readOne(), larger = sizes[0] > sizes[1] ? "a" : "b";
      assertEquals(after[larger], map[larger]);
      assertNotEquals(after[larger === "a" ? "b" : "a"], map[larger === "a" ? "b" : "a"]);
      skipped.push(larger);
    });
  }
  assertEquals(skipped, ["b", "a"]);
});

Deno.test("loraRite at rank 1 moves with the default, and never with the authors' skipping where gradients are large", async () => {
  const map = conditionedProblem(9, 30, 1, 4);
  for (const [skipAbove, moves] of [[0, true], [1, false]] as const) {
    await onQuadratics(module, scaledOptions(1, 2, { skipAbove }), [map], async (run) => {
      for (let step = 1; step <= 3; step++) await run.step(step, 0.02);
      const { a, b } = await run.readOne();
      assertEquals(relativeError(a, map.a) > 0.01 && relativeError(b, map.b) > 0.01, moves, `${skipAbove}`);
    });
  }
});

/** W after some steps. */
function trained(map: Quadratic, options: Options, steps: number): Promise<Matrix> {
  return onQuadratics(module, options, [map], async (run) => {
    for (let step = 1; step <= steps; step++) await run.step(step, 0.05);
    return (await run.readOne()).weight;
  });
}

Deno.test("loraRite moves W along the same path from any factors of B A", async () => {
  const map = conditionedProblem(14, 18, 4, 6);
  for (const clipNorm of [0, 1]) {
    const options = scaledOptions(4, 2, { clipNorm }), wanted = await trained(map, options, 10);
    assertGreater(relativeError(wanted, effectiveWeight(map.base, map.a, map.b, 2)), 0.1);
    for (const seed of [7, 8, 9]) {
      // Ten f32 steps at condition numbers below 10.
      assertLess(relativeError(await trained(rebased(map, seed), options, 10), wanted), 2e-5);
    }
    const larger = { ...map, a: times(map.a, 64), b: times(map.b, 1 / 64) };
    assertLess(relativeError(await trained(larger, options, 10), wanted), 2e-5);
  }
});

Deno.test("loraRite moves W along the same path from any factors of B A at rank 64, too", async () => {
  const map = conditionedProblem(70, 90, 64, 6), options = scaledOptions(64, 2);
  const wanted = await trained(map, options, 5);
  // The change of basis is itself conditioned no better than 1e2.
  assertLess(relativeError(await trained(rebased(map, 3), options, 5), wanted), 1e-4);
});

Deno.test("loraRite's first step takes all directions of the gradient alike, small ones too: V is never formed", async () => {
  // Singular values from 1 to 1e-4: as squares they would be 1e-8 apart, beyond what a float holds.
  const map = conditionedProblem(30, 40, 3, 8), gradient = zeros(30, 40);
  const { u, v } = orthonormalPair(map), values = [1, 1e-2, 1e-4];
  for (let k = 0; k < 3; k++) {
    for (let i = 0; i < 30; i++) {
      for (let j = 0; j < 40; j++) {
        gradient.data[i * 40 + j]! += values[k]! * u.data[i * 3 + k]! * v.data[j * 3 + k]!;
      }
    }
  }
  const weight = effectiveWeight(map.base, map.a, map.b, 2), target = subtract(weight, gradient);
  const options = { clipNorm: 1, skipAbove: 0, weightDecay: 0, epsilon: 1e-6, momentFloor: 0 };
  const exact = reference(options, 1)({ a: map.a, b: map.b, scale: 2 }, gradient, 1);
  await onQuadratics(
    module,
    scaledOptions(3, 2, options),
    [{ ...map, base: map.base, target }],
    async (run) => {
      await run.step(1, 1);
      const { b } = await run.readOne();
      const moved = subtract(b, map.b), wanted = subtract(exact.b, map.b);
      // The gradient itself is the difference of weights of size 3 in f32: its smallest direction is off by 1e-2.
      assertLess(relativeError(moved, wanted), 2e-2);
    },
  );
});

/** Orthonormal columns that span B's columns and A's rows. */
function orthonormalPair({ a, b }: Required<Quadratic>) {
  return { u: svd(b).u, v: svd(transpose(a)).u };
}

Deno.test("loraRite's equivalent gradient is s² (P_B G + G P_A), whatever the factors' bases", async () => {
  const map = conditionedProblem(14, 18, 4, 5);
  for (const start of [map, rebased(map, 6)]) {
    const gradient = subtract(effectiveWeight(start.base, start.a, start.b, 2), start.target);
    const projected = add(
      multiply(columnProjector(start.b), gradient),
      multiply(gradient, rowProjector(start.a)),
    );
    await onQuadratics(module, scaledOptions(4, 2), [start], async (run) => {
      const [found] = await run.gradients();
      assertClose(found!.equivalent.data, times(projected, 4).data, { relative: 2e-5 });
    });
  }
});

Deno.test("loraRite leaves A alone in the first step from B = 0, and stays finite from factors that lack ranks", async () => {
  await onQuadratics(module, { rank: 3 }, [freshProblem(10, 12, 3, 4)], async (run) => {
    const before = await run.readOne();
    await run.step(1, 0.05);
    const first = await run.readOne();
    assertEquals(first.a, before.a);
    assertNotEquals(first.b, before.b);
    await run.step(2, 0.05);
    assertNotEquals((await run.readOne()).a, before.a);
  });
  for (const [clipNorm, skipAbove, momentFloor] of [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 0, 1e-7]] as const) {
    const options = { rank: 4, clipNorm, skipAbove, momentFloor };
    await onQuadratics(module, options, deficientProblems(12, 16, 9), async (run) => {
      for (let step = 1; step <= 6; step++) await run.step(step, 0.01);
      (await run.read()).forEach(({ a, b }, i) =>
        assert(
          [...a.data, ...b.data].every(Number.isFinite),
          `clip ${clipNorm} floor ${momentFloor} start ${i}`,
        )
      );
    });
  }
});

Deno.test("loraRite lets a factor rest whose gradients have fewer ranks than it, which would make the second step huge", async () => {
  const rank = 4, random = createRandom(6), map = freshProblem(30, 40, rank, 6);
  // Two directions as large as each other, and two at `small` of them.
  const problem = (small: number) => {
    const gradient = withSingularValues(30, 40, [1, 1, small, small], random);
    return { ...map, target: subtract(effectiveWeight(map.base, map.a, map.b, 2), gradient) };
  };
  const steps = (map: Quadratic, options: Options) =>
    onQuadratics(module, scaledOptions(rank, 2, options), [map], async (run) => {
      for (let step = 1; step <= 2; step++) await run.step(step, 1e-3);
      return await run.readOne();
    });
  const none = problem(0), resting = await steps(none, {}), moving = await steps(none, { momentFloor: 0 });
  assertEquals([resting.a, resting.b], [map.a, map.b]);
  assertNotEquals(moving.b, map.b);
  // Well above the floor it changes no bit.
  const some = problem(0.1), whole = await steps(some, {});
  assertNotEquals(whole.b, map.b);
  assertEquals(whole, await steps(some, { momentFloor: 0 }));
});

Deno.test("loraRite's floor is a share of V's eigenvalues, the squares of the gradient's singular values", async () => {
  const rank = 4, random = createRandom(6), map = freshProblem(30, 40, rank, 6);
  const gradient = withSingularValues(30, 40, [1, 0.8, 0.6, 0.1], random);
  const target = subtract(effectiveWeight(map.base, map.a, map.b, 2), gradient);
  // In the first step V is gᵀg of the unmagnified gradient.
  const { values } = svd(multiply(gradient, orthonormalize(transpose(map.a)).q));
  const share = (values.at(-1)! / values[0]!) ** 2;
  for (const [times, moves] of [[0.8, true], [1.25, false]] as const) {
    const options = scaledOptions(rank, 2, { momentFloor: times * share });
    await onQuadratics(module, options, [{ ...map, target }], async (run) => {
      await run.step(1, 1e-3);
      assertEquals((await run.readOne()).b.data.some((value) => value !== 0), moves, `${times}`);
    });
  }
});

Deno.test("loraRite trains maps of different shapes side by side as it trains each alone where it does not clip", async () => {
  const maps = [freshProblem(10, 12, 3, 81), freshProblem(5, 33, 3, 82), freshProblem(40, 4, 3, 83)];
  const run = (some: typeof maps, clipNorm: number) =>
    onQuadratics(module, { rank: 3, clipNorm }, some, async (run) => {
      for (let step = 1; step <= 4; step++) await run.step(step, 0.02);
      return await run.read();
    });
  const together = await run(maps, 0), clipped = await run(maps, 0.1);
  for (const [i, map] of maps.entries()) {
    assertEquals((await run([map], 0))[0], together[i]);
    // The norm is that of all of them.
    assertNotEquals((await run([map], 0.1))[0], clipped[i]);
  }
});

Deno.test("loraRite refuses negative limits and ranks beyond a target module", () => {
  const targetModules = [{ name: "wide", in: 300, out: 200 }, { name: "narrow", in: 6, out: 40 }];
  const refusal = (options: Options) =>
    loraRite.validate({ ...loraRite.defaults, rank: 2, ...options }, targetModules, 100);
  assertEquals(refusal({}), null);
  assertEquals(refusal({ clipNorm: -1 }), "clipNorm is -1, 0 or more is needed");
  assertEquals(refusal({ skipAbove: NaN }), "skipAbove is NaN, 0 or more is needed");
  assertEquals(refusal({ momentFloor: 1 }), "momentFloor is 1, 0 to 1 is needed, below 1");
  assertEquals(refusal({ rank: 7 }), 'rank is 7, at most 6 is possible at target module "narrow" [40, 6]');
  assertEquals(
    loraRite.describe({ ...loraRite.defaults, clipNorm: 0, skipAbove: 1, momentFloor: 0 }),
    "alpha/r, unclipped, skips above 1, floor 0",
  );
});
