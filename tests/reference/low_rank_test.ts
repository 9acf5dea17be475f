/** @file The identities of LoRA-Pro, which hold whatever an implementation looks like. */
import {
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
} from "@std/assert";
import { createRandom, type Random } from "../../numerics/random.ts";
import { assertClose } from "../support/assert_close.ts";
import { inverse, solveSylvesterByKronecker, sylvesterResidual } from "./decompositions.ts";
import {
  closedForm,
  columnProjector,
  type Damping,
  discrepancy,
  equivalentGradient,
  type FactorGradients,
  factorGradients,
  type Factors,
  type Gauge,
  loraProStep,
  type LoraProStepOptions,
  loraStep,
  lowerBound,
  type LowRankState,
  minimumNorm,
  projectGradient,
  rowProjector,
  weightChange,
} from "./low_rank.ts";
import {
  add,
  dot,
  identity,
  type Matrix,
  multiply,
  norm,
  product,
  randomMatrix,
  scale,
  subtract,
  withSingularValues,
  zeros,
} from "./matrix.ts";
import { adamDirection, type AdamMoments, adamwStep } from "./network.ts";

const GAUGES: readonly Gauge[] = ["zero", "sylvester", "symmetric"];
const NONE: Damping = { relative: 0 };

/** A target module with out != in, and dL/dW. */
interface Problem extends Factors {
  readonly name: string;
  readonly gradient: Matrix;
}

/** Factors with condition numbers of 3 and a gradient of full rank. */
function problem(out: number, inner: number, rank: number, random: Random): Problem {
  const values = Array.from({ length: rank }, (_, i) => 3 ** (-i / Math.max(1, rank - 1)));
  return {
    name: `[${out}, ${inner}] of rank ${rank}`,
    a: withSingularValues(rank, inner, values, random.fork("a")),
    b: scale(withSingularValues(out, rank, values, random.fork("b")), 0.1),
    scale: 16 / rank,
    gradient: randomMatrix(out, inner, random.fork("gradient")),
  };
}

/** Ranks 1 to 8 on tall and wide shapes, the last of each with rank = min(out, in). */
const problems = [1, 2, 3, 4, 5, 6, 7, 8].flatMap((rank) => {
  const random = createRandom(100 + rank);
  return [
    problem(13, 9, rank, random.fork("tall")),
    problem(rank + 1, 11, rank, random.fork("wide")),
    problem(rank, rank + 2, rank, random.fork("all rows")),
    problem(rank + 3, rank, rank, random.fork("all columns")),
  ];
});

/** The closed form for a known dL/dW. */
function corrected(
  targetModule: Factors,
  gradient: Matrix,
  gauge: Gauge,
  damping: Damping = NONE,
): ReturnType<typeof closedForm> {
  return closedForm({ ...targetModule, ...factorGradients(gradient, targetModule), gauge, damping });
}

function assertSameGradients(
  actual: FactorGradients,
  expected: FactorGradients,
  relative: number,
  message: string,
): void {
  assertClose(
    actual.gradientA.data,
    expected.gradientA.data,
    { relative, absolute: 1e-14 },
    `${message}, gA`,
  );
  assertClose(
    actual.gradientB.data,
    expected.gradientB.data,
    { relative, absolute: 1e-14 },
    `${message}, gB`,
  );
}

// The condition numbers of the Gram matrices are 9, so that rounding stays near 1e-15.

Deno.test("closedForm()'s equivalent gradient is the projection of g, for every gauge", () => {
  for (const targetModule of problems) {
    const expected = projectGradient(targetModule.gradient, targetModule.a, targetModule.b);
    for (const gauge of GAUGES) {
      const actual = equivalentGradient({
        ...targetModule,
        ...corrected(targetModule, targetModule.gradient, gauge),
      });
      assertClose(actual.data, expected.data, { relative: 1e-12 }, `${targetModule.name}, ${gauge}`);
    }
  }
});

Deno.test("closedForm() with gauge sylvester is the least-squares solution of minimum norm", () => {
  for (const targetModule of problems.filter(({ a, b }) => a.rows * (a.columns + b.rows) <= 120)) {
    assertSameGradients(
      corrected(targetModule, targetModule.gradient, "sylvester"),
      minimumNorm(targetModule.gradient, targetModule),
      1e-11,
      targetModule.name,
    );
  }
});

Deno.test("closedForm() with gauge sylvester stays closest to the raw gradients", () => {
  for (const targetModule of problems) {
    const raw = factorGradients(targetModule.gradient, targetModule);
    const distance = ({ gradientA, gradientB }: FactorGradients) =>
      norm(subtract(gradientA, raw.gradientA)) ** 2 + norm(subtract(gradientB, raw.gradientB)) ** 2;
    const best = corrected(targetModule, targetModule.gradient, "sylvester");
    const { data } = randomMatrix(targetModule.a.rows, targetModule.a.rows, createRandom(5));
    const turn: Matrix = { rows: targetModule.a.rows, columns: targetModule.a.rows, data };
    for (const size of [1e-3, -1e-3, 1, -1]) {
      const other = {
        gradientA: add(best.gradientA, multiply(turn, targetModule.a), size),
        gradientB: add(best.gradientB, multiply(targetModule.b, turn), -size),
      };
      assertGreater(distance(other), distance(best), targetModule.name);
    }
    for (const gauge of ["zero", "symmetric"] as const) {
      assertGreaterOrEqual(
        distance(corrected(targetModule, targetModule.gradient, gauge)) * (1 + 1e-12),
        distance(best),
        targetModule.name,
      );
    }
  }
});

Deno.test("closedForm()'s X solves the paper's Sylvester equation", () => {
  for (const targetModule of problems) {
    const gramA = multiply(targetModule.a, targetModule.a, { transposeB: true });
    const gramB = multiply(targetModule.b, targetModule.b, { transposeA: true });
    const raw = factorGradients(targetModule.gradient, targetModule);
    const right = scale(
      product(inverse(gramB), raw.gradientA, transposed(targetModule.a)),
      -1 / targetModule.scale ** 2,
    );
    const { x } = corrected(targetModule, targetModule.gradient, "sylvester");
    assertLess(sylvesterResidual(gramB, gramA, right, x), 1e-12, targetModule.name);
    assertClose(
      solveSylvesterByKronecker(gramB, gramA, right).data,
      x.data,
      { relative: 1e-11 },
      targetModule.name,
    );
  }
});

Deno.test("closedForm() with gauge symmetric shares the overlap equally", () => {
  for (const targetModule of problems) {
    const { gradientA, gradientB } = corrected(targetModule, targetModule.gradient, "symmetric");
    const onB = columnProjector(targetModule.b), onA = rowProjector(targetModule.a);
    const half = (projector: Matrix) => add(identity(projector.rows), projector, -0.5);
    const left = product(onB, targetModule.gradient, half(onA)),
      right = product(half(onB), targetModule.gradient, onA);
    assertClose(
      scale(multiply(targetModule.b, gradientA), targetModule.scale).data,
      left.data,
      { relative: 1e-12 },
      targetModule.name,
    );
    assertClose(
      scale(multiply(gradientB, targetModule.a), targetModule.scale).data,
      right.data,
      { relative: 1e-12 },
      targetModule.name,
    );
  }
});

Deno.test("closedForm()'s equivalent gradient does not depend on the scale or on how B A is factored", () => {
  for (const targetModule of problems) {
    const rank = targetModule.a.rows;
    const values = Array.from({ length: rank }, (_, i) => 2 + i / rank);
    const turn = withSingularValues(rank, rank, values, createRandom(6));
    const regauged = {
      a: multiply(inverse(turn), targetModule.a),
      b: multiply(targetModule.b, turn),
      scale: targetModule.scale,
    };
    const rescaled = { a: targetModule.a, b: scale(targetModule.b, targetModule.scale / 0.3), scale: 0.3 };
    for (const gauge of GAUGES) {
      const expected = equivalentGradient({
        ...targetModule,
        ...corrected(targetModule, targetModule.gradient, gauge),
      });
      for (const other of [regauged, rescaled]) {
        assertClose(
          weightChange(other).data,
          weightChange(targetModule).data,
          { relative: 1e-13 },
          targetModule.name,
        );
        const actual = equivalentGradient({ ...other, ...corrected(other, targetModule.gradient, gauge) });
        assertClose(actual.data, expected.data, { relative: 1e-11 }, `${targetModule.name}, ${gauge}`);
      }
    }
  }
});

Deno.test("closedForm() with gauge zero or symmetric follows any regauge (BR, R⁻¹A), with sylvester a rotation", () => {
  const targetModule = problem(9, 7, 3, createRandom(7));
  const follow = (gauge: Gauge, values: readonly number[]) => {
    const turn = withSingularValues(3, 3, values, createRandom(8)), back = inverse(turn);
    const turned = {
      a: multiply(back, targetModule.a),
      b: multiply(targetModule.b, turn),
      scale: targetModule.scale,
    };
    const expected = corrected(targetModule, targetModule.gradient, gauge),
      actual = corrected(turned, targetModule.gradient, gauge);
    return norm(subtract(actual.gradientA, multiply(back, expected.gradientA))) +
      norm(subtract(actual.gradientB, multiply(expected.gradientB, turn)));
  };
  assertLess(follow("zero", [3, 2, 1]), 1e-11);
  assertLess(follow("symmetric", [3, 2, 1]), 1e-11);
  assertLess(follow("sylvester", [1, 1, 1]), 1e-11);
  assertGreater(follow("sylvester", [3, 2, 1]), 1e-2);
});

Deno.test("closedForm() gives g itself where the rank is the smaller side", () => {
  for (const targetModule of problems.filter(({ a, b }) => a.rows === Math.min(a.columns, b.rows))) {
    for (const gauge of GAUGES) {
      const actual = equivalentGradient({
        ...targetModule,
        ...corrected(targetModule, targetModule.gradient, gauge),
      });
      assertClose(
        actual.data,
        targetModule.gradient.data,
        { relative: 1e-12 },
        `${targetModule.name}, ${gauge}`,
      );
    }
    assertClose([lowerBound(targetModule.gradient, targetModule.a, targetModule.b)], [0], {
      relative: 0,
      absolute: 1e-13,
    });
  }
});

Deno.test("lowerBound() is what LoRA-Pro reaches and nothing else goes below", () => {
  for (const targetModule of problems) {
    const bound = lowerBound(targetModule.gradient, targetModule.a, targetModule.b) /
      norm(targetModule.gradient);
    const pro = discrepancy(
      equivalentGradient({ ...targetModule, ...corrected(targetModule, targetModule.gradient, "zero") }),
      targetModule.gradient,
    );
    assertClose([pro], [bound], { relative: 1e-12, absolute: 1e-13 }, targetModule.name);
    const raw = factorGradients(targetModule.gradient, targetModule);
    const lora = equivalentGradient({ ...targetModule, ...raw });
    // The factor that makes plain LoRA's equivalent gradient as close as it can be.
    const share = dot(lora, targetModule.gradient) / norm(lora) ** 2;
    assertLessOrEqual(pro, discrepancy(lora, targetModule.gradient) + 1e-13, targetModule.name);
    assertLessOrEqual(pro, discrepancy(scale(lora, share), targetModule.gradient) + 1e-13, targetModule.name);
    const random = createRandom(9);
    const any = {
      gradientA: randomMatrix(targetModule.a.rows, targetModule.a.columns, random.fork("a")),
      gradientB: randomMatrix(targetModule.b.rows, targetModule.b.columns, random.fork("b")),
    };
    assertLessOrEqual(
      bound,
      discrepancy(equivalentGradient({ ...targetModule, ...any }), targetModule.gradient),
      targetModule.name,
    );
  }
});

Deno.test("loraProStep() in mode sgd lowers a quadratic loss by lr |g̃|², up to O(lr²)", () => {
  for (const targetModule of problems) {
    for (const gauge of GAUGES) {
      // L(W) = |W - target|² / 2 with dL/dW = g at the start.
      const loss = (state: Factors) =>
        norm(add(subtract(weightChange(state), weightChange(targetModule)), targetModule.gradient)) ** 2 / 2;
      const raw = factorGradients(targetModule.gradient, targetModule),
        best = projectGradient(targetModule.gradient, targetModule.a, targetModule.b);
      const left = (learningRate: number) => {
        const after = loraProStep(targetModule, raw, { mode: "sgd", gauge, damping: NONE, learningRate });
        return loss(after) - loss(targetModule) + learningRate * norm(best) ** 2;
      };
      // A tenth of the rate leaves a hundredth.
      assertClose([left(1e-4) / left(1e-5)], [100], { relative: 0.05 }, `${targetModule.name}, ${gauge}`);
      // Theorem 2.2 in the paper's form.
      const { gradientA, gradientB } = corrected(targetModule, targetModule.gradient, gauge);
      const slope = dot(raw.gradientA, gradientA) + dot(raw.gradientB, gradientB);
      assertClose([slope], [norm(best) ** 2], { relative: 1e-12 }, targetModule.name);
    }
  }
});

/** Largest |W - AdamW's W| after some steps of mode "full" on L(W) = |W - target|² / 2, W starting at s B A. */
function distanceToAdamw(targetModule: Problem, gauge: Gauge, learningRate: number, steps: number): number {
  const target = subtract(weightChange(targetModule), targetModule.gradient);
  let state: LowRankState = targetModule,
    weight = weightChange(targetModule),
    moments: AdamMoments | undefined;
  for (let step = 0; step < steps; step++) {
    const raw = factorGradients(subtract(weightChange(state), target), state);
    state = loraProStep(state, raw, { mode: "full", gauge, damping: NONE, learningRate });
    ({ parameter: weight, moments } = adamwStep(weight, subtract(weight, target), moments, { learningRate }));
  }
  return norm(subtract(weightChange(state), weight));
}

Deno.test("loraProStep() in mode full is AdamW on W, up to O(lr²), where the rank is the smaller side", () => {
  for (const [out, inner, rank] of [[3, 5, 3], [6, 4, 4], [5, 5, 5], [1, 4, 1]] as const) {
    const targetModule = problem(out, inner, rank, createRandom(10));
    for (const gauge of GAUGES) {
      for (const steps of [1, 3]) {
        const near = distanceToAdamw(targetModule, gauge, 1e-5, steps),
          far = distanceToAdamw(targetModule, gauge, 1e-4, steps);
        assertLess(far, 1e-4 * 1e-4 * 1e4, `${targetModule.name}, ${gauge}`);
        // A hundredth, unless there is nothing but rounding left.
        assertLess(near, far / 50 + 1e-13, `${targetModule.name}, ${gauge}, ${steps} steps`);
      }
    }
  }
});

Deno.test("loraProStep() in mode full with gauge zero is AdamW on W exactly where the rank is the number of rows", () => {
  const targetModule = problem(4, 7, 4, createRandom(11));
  assertLess(distanceToAdamw(targetModule, "zero", 1e-2, 5), 1e-12);
  assertGreater(distanceToAdamw(targetModule, "sylvester", 1e-2, 5), 1e-6);
});

Deno.test("loraProStep()'s first step from B = 0 is -lr U P_A, and A stays", () => {
  for (const targetModule of problems) {
    const start = { ...targetModule, b: zeros(targetModule.b.rows, targetModule.b.columns) };
    const raw = factorGradients(targetModule.gradient, start), onA = rowProjector(targetModule.a);
    const expected = {
      full: product(adamDirection(multiply(targetModule.gradient, onA), undefined).direction, onA),
      sgd: multiply(targetModule.gradient, onA),
    };
    for (const mode of ["full", "sgd"] as const) {
      for (const gauge of GAUGES) {
        for (const damping of [NONE, { absolute: 0 }]) {
          const after = loraProStep(start, raw, { mode, gauge, damping, learningRate: 0.01 });
          assertEquals(after.a, start.a);
          assertClose(
            weightChange(after).data,
            scale(expected[mode], -0.01).data,
            { relative: 1e-12 },
            `${targetModule.name}, ${mode}, ${gauge}`,
          );
        }
      }
    }
  }
});

Deno.test("closedForm() at B = 0 returns the raw gA and X = 0, whatever the damping", () => {
  const targetModule = { ...problem(6, 5, 2, createRandom(12)), b: zeros(6, 2) };
  for (const damping of [NONE, { relative: 1e-3 }, { absolute: 1e-8 }]) {
    const { gradientA, x } = corrected(targetModule, targetModule.gradient, "sylvester", damping);
    assertClose(gradientA.data, new Float64Array(10), { relative: 0 });
    assertClose(x.data, new Float64Array(4), { relative: 0 });
  }
});

Deno.test("closedForm() of rank-deficient factors is their projection, and of minimum norm with gauge sylvester", () => {
  const random = createRandom(13);
  for (const [rankA, rankB] of [[3, 1], [1, 3], [2, 1], [1, 1], [2, 2], [0, 2], [2, 0]] as const) {
    const values = [1, 0.5, 0.3];
    const targetModule: Factors = {
      a: withSingularValues(3, 5, values.slice(0, rankA), random.fork("a")),
      b: withSingularValues(6, 3, values.slice(0, rankB).map((value) => 1e-3 * value), random.fork("b")),
      scale: 2,
    };
    const gradient = randomMatrix(6, 5, random.fork("gradient"));
    const name = `Ranks ${rankA} and ${rankB}`;
    for (const gauge of GAUGES) {
      const actual = equivalentGradient({ ...targetModule, ...corrected(targetModule, gradient, gauge) });
      assertClose(
        actual.data,
        projectGradient(gradient, targetModule.a, targetModule.b).data,
        { relative: 1e-9 },
        `${name}, ${gauge}`,
      );
    }
    assertSameGradients(
      corrected(targetModule, gradient, "sylvester"),
      minimumNorm(gradient, targetModule),
      1e-8,
      name,
    );
  }
});

Deno.test("closedForm() stays finite and near the projection for deficient factors with damping", () => {
  const random = createRandom(14);
  const targetModule: Factors = {
    a: withSingularValues(4, 6, [1, 0.5], random.fork("a")),
    b: withSingularValues(7, 4, [1e-2, 5e-3, 2e-3], random.fork("b")),
    scale: 2,
  };
  const gradient = randomMatrix(7, 6, random.fork("gradient")),
    expected = projectGradient(gradient, targetModule.a, targetModule.b);
  for (const gauge of GAUGES) {
    for (const damping of [{ relative: 1e-6 }, { absolute: 1e-10 }]) {
      const actual = equivalentGradient({
        ...targetModule,
        ...corrected(targetModule, gradient, gauge, damping),
      });
      assertClose(actual.data, expected.data, { relative: 1e-4 }, gauge);
    }
  }
});

Deno.test("closedForm() with relative damping errs alike at every size of B, with absolute damping more at small ones", () => {
  const targetModule = problem(9, 7, 3, createRandom(15)),
    expected = projectGradient(targetModule.gradient, targetModule.a, targetModule.b);
  const error = (size: number, damping: Damping) => {
    const scaled = { ...targetModule, b: scale(targetModule.b, size) };
    const actual = equivalentGradient({
      ...scaled,
      ...corrected(scaled, targetModule.gradient, "sylvester", damping),
    });
    return norm(subtract(actual, expected)) / norm(expected);
  };
  const sizes = [1, 1e-2, 1e-4];
  const relative = sizes.map((size) => error(size, { relative: 1e-6 }));
  assertClose(relative, sizes.map(() => relative[0]!), { relative: 0.5 });
  assertLess(relative[0]!, 1e-5);
  const absolute = sizes.map((size) => error(size, { absolute: 1e-10 }));
  assertLess(absolute[0]!, 1e-6);
  assertGreater(absolute[2]!, 0.1);
});

Deno.test("closedForm()'s damping stands in every inverse, in the projector and in the Sylvester equation", () => {
  const targetModule = problem(8, 6, 3, createRandom(16)),
    raw = factorGradients(targetModule.gradient, targetModule);
  const deltas = { a: 0.05, b: 0.05 };
  const dampedA = add(multiply(targetModule.a, targetModule.a, { transposeB: true }), identity(3), deltas.a);
  const dampedB = add(multiply(targetModule.b, targetModule.b, { transposeA: true }), identity(3), deltas.b);
  const inverseA = inverse(dampedA), inverseB = inverse(dampedB), share = 1 / targetModule.scale ** 2;
  const x = solveSylvesterByKronecker(
    dampedB,
    dampedA,
    scale(product(inverseB, raw.gradientA, transposed(targetModule.a)), -share),
  );
  const offB = subtract(identity(8), product(targetModule.b, inverseB, transposed(targetModule.b)));
  const expected = {
    gradientA: add(scale(multiply(inverseB, raw.gradientA), share), multiply(x, targetModule.a)),
    gradientB: subtract(scale(product(offB, raw.gradientB, inverseA), share), multiply(targetModule.b, x)),
  };
  assertSameGradients(
    corrected(targetModule, targetModule.gradient, "sylvester", { absolute: 0.05 }),
    expected,
    1e-12,
    "Absolute",
  );
  const [meanA, meanB] = [norm(targetModule.a) ** 2 / 3, norm(targetModule.b) ** 2 / 3];
  const tied = { ...targetModule, b: scale(targetModule.b, Math.sqrt(meanA / meanB)) };
  const same = corrected(tied, targetModule.gradient, "sylvester", { relative: 0.05 / meanA });
  assertSameGradients(
    same,
    corrected(tied, targetModule.gradient, "sylvester", { absolute: 0.05 }),
    1e-12,
    "Relative",
  );
});

/** |dA| / |A| of the second step in mode full from B = 0 on L(W) = |W - target|² / 2. */
function secondStep(options: Partial<LoraProStepOptions> & { readonly learningRate: number }): number {
  const random = createRandom(17);
  const bound = 1 / Math.sqrt(40);
  const target = randomMatrix(48, 40, random.fork("target"));
  let state: LowRankState = {
    a: { rows: 4, columns: 40, data: Float64Array.from(random.uniform(160, -bound, bound)) },
    b: zeros(48, 4),
    scale: 2,
  };
  let share = 0;
  for (let step = 0; step < 2; step++) {
    const raw = factorGradients(subtract(weightChange(state), target), state);
    const next = loraProStep(state, raw, { mode: "full", gauge: "sylvester", damping: NONE, ...options });
    share = norm(subtract(next.a, state.a)) / norm(state.a);
    state = next;
  }
  return share;
}

Deno.test("loraProStep() in mode full moves A far in the second step from B = 0, whatever the rate, unless capped", () => {
  const free = secondStep({ learningRate: 2e-5 });
  assertGreater(free, 0.1);
  assertClose([secondStep({ learningRate: 1e-4 })], [free], { relative: 0.01 });
  assertGreater(secondStep({ learningRate: 2e-5, gauge: "zero" }), free);
  assertClose([secondStep({ learningRate: 2e-5, cap: 0.05 })], [0.05], { relative: 1e-9 });
  assertLess(secondStep({ learningRate: 2e-5, mode: "efficient" }), 1e-3);
});

Deno.test("loraProStep()'s cap leaves B's step and shorter steps of A alone", () => {
  const targetModule = problem(7, 6, 2, createRandom(18)),
    raw = factorGradients(targetModule.gradient, targetModule);
  const options = { mode: "sgd", gauge: "sylvester", damping: NONE, learningRate: 0.01 } as const;
  const free = loraProStep(targetModule, raw, options);
  const length = norm(subtract(free.a, targetModule.a)) / norm(targetModule.a);
  assertEquals(loraProStep(targetModule, raw, { ...options, cap: 1.01 * length }), free);
  const capped = loraProStep(targetModule, raw, { ...options, cap: length / 2 });
  assertEquals(capped.b, free.b);
  assertClose(subtract(capped.a, targetModule.a).data, scale(subtract(free.a, targetModule.a), 0.5).data, {
    relative: 1e-12,
  });
});

Deno.test("loraProStep()'s weight decay shrinks s B A by 1 - lr wd in mode full and by its square otherwise", () => {
  const targetModule = problem(7, 6, 2, createRandom(19));
  const none = factorGradients(zeros(7, 6), targetModule);
  const options = { gauge: "sylvester", damping: NONE, learningRate: 0.1, weightDecay: 0.5 } as const;
  for (const [mode, kept] of [["full", 0.95], ["efficient", 0.95 ** 2], ["sgd", 0.95 ** 2]] as const) {
    const after = weightChange(loraProStep(targetModule, none, { ...options, mode }));
    assertClose(after.data, scale(weightChange(targetModule), kept).data, { relative: 1e-14 }, mode);
  }
});

Deno.test("loraStep() gives B a learning rate of its own", () => {
  const targetModule = problem(5, 4, 2, createRandom(20)),
    raw = factorGradients(targetModule.gradient, targetModule);
  const plain = loraStep(targetModule, raw, { learningRate: 1e-3 });
  const plus = loraStep(targetModule, raw, { learningRate: 1e-3, learningRateRatio: 16 });
  assertEquals(plus.a, plain.a);
  assertClose(subtract(plus.b, targetModule.b).data, scale(subtract(plain.b, targetModule.b), 16).data, {
    relative: 1e-12,
  });
});

function transposed(m: Matrix): Matrix {
  return multiply(m, identity(m.rows), { transposeA: true });
}
