import { assert, assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import {
  closedForm,
  equivalentGradient,
  factorGradients,
  projectGradient,
} from "../../tests/reference/low_rank.ts";
import {
  fromFloat32,
  type Matrix,
  multiply,
  norm,
  randomMatrix,
  roundToFloat32,
  scale as times,
  subtract,
  toFloat32,
  withSingularValues,
  zeros,
} from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { FactorPairs } from "./factor_pairs.ts";
import type { Damping, Gauge } from "./pair.ts";

interface Problem {
  readonly a: Matrix;
  readonly b: Matrix;
  readonly gradient: Matrix;
  readonly scale: number;
}

/** Runs the closed form of several problems in one batch and reads gA and gB back. */
async function adjustOnGpu(problems: readonly Problem[], gauge: Gauge, damping: Damping, lanes?: number) {
  const gpu = await testGpu();
  using _ = gpu.scope("closed form");
  const pack = (matrices: readonly Matrix[], label: string) => {
    const { parts } = gpu.pack(matrices.map((m) => ({ label, shape: [m.rows, m.columns] })), label);
    parts.forEach((part, i) => gpu.write(part, toFloat32(matrices[i]!)));
    return parts;
  };
  const a = pack(problems.map((p) => p.a), "A"), b = pack(problems.map((p) => p.b), "B");
  const wanted = problems.map((p) => factorGradients(p.gradient, p));
  const gradients = pack([...wanted.map((g) => g.gradientA), ...wanted.map((g) => g.gradientB)], "gradients");
  const pairs = new FactorPairs(
    gpu,
    problems.map((p, i) => ({ a: a[i]!, b: b[i]!, scale: p.scale })),
    lanes ? { lanes } : {},
  );
  const last = gradients.at(-1)!;
  const flat = { ...gradients[0]!, shape: [(last.offset) / 4 + last.shape[0]! * last.shape[1]!] };
  const factors = pairs.decompose();
  const raw = { flat, a: 0, b: gradients[problems.length]!.offset / 4 };
  const out = pairs.fromCoordinates(factors, pairs.adjustGradients(factors, raw, gauge, damping));
  const [flatA, flatB] = await gpu.downloadAll([out.a, out.b]);
  return problems.map((p, i) => ({
    gradientA: fromFloat32(
      flatA!.subarray(a[i]!.offset / 4).subarray(0, p.a.data.length),
      p.a.rows,
      p.a.columns,
    ),
    gradientB: fromFloat32(
      flatB!.subarray(b[i]!.offset / 4).subarray(0, p.b.data.length),
      p.b.rows,
      p.b.columns,
    ),
  }));
}

function problem(rows: number, columns: number, rank: number, seed: number, scale = 2): Problem {
  const random = createRandom(seed);
  return {
    a: roundToFloat32(randomMatrix(rank, columns, random.fork("a"))),
    b: roundToFloat32(randomMatrix(rows, rank, random.fork("b"))),
    gradient: roundToFloat32(randomMatrix(rows, columns, random.fork("g"))),
    scale,
  };
}

const NONE: Damping = { relative: 0, absolute: 0 };
/** Of one vector unit and of a GPU. */
const LANES = [8, 64] as const;
const GAUGES: readonly Gauge[] = ["zero", "sylvester", "symmetric"];

Deno.test("FactorPairs agrees with the float64 closed form for ranks 1 to 128, odd sizes, all gauges and lanes", async () => {
  for (
    const [rank, sizes] of [
      [1, [[1, 1], [5, 3], [64, 192]]],
      [2, [[2, 2], [7, 12], [131, 65]]],
      [3, [[3, 9], [12, 10]]],
      [8, [[64, 64], [192, 64], [9, 8]]],
      [12, [[64, 64], [13, 20]]],
      [32, [[64, 64], [33, 200]]],
      [128, [[300, 259]]],
    ] as const
  ) {
    const problems = sizes.map(([rows, columns], i) =>
      problem(rows, columns, rank, 10 * rank + i, 16 / rank)
    );
    for (const [gauge, lanes] of GAUGES.flatMap((gauge) => LANES.map((lanes) => [gauge, lanes] as const))) {
      const found = await adjustOnGpu(problems, gauge, NONE, lanes);
      problems.forEach((p, i) => {
        const wanted = closedForm({
          ...p,
          ...factorGradients(p.gradient, p),
          gauge,
          damping: { relative: 0 },
        });
        // Square factors may be badly conditioned: f32 errors grow with the condition number, here below 1e3. Where B
        // spans everything gB is 0, so errors are measured against both.
        const tolerance = p.b.rows === rank || p.a.columns === rank ? 1e-3 : 5e-5;
        const both = (
          g: { gradientA: Matrix; gradientB: Matrix },
        ) => [...g.gradientA.data, ...g.gradientB.data];
        assertClose(
          both(found[i]!),
          both(wanted),
          { relative: tolerance },
          `${gauge} rank ${rank} layer ${i}, ${lanes} lanes`,
        );
      });
    }
  }
});

Deno.test("FactorPairs gives an equivalent gradient that is the projection of G, whatever the gauge and the scale", async () => {
  for (const rank of [1, 4, 16]) {
    for (const scale of [0.25, 2, 8]) {
      const p = problem(48, 40, rank, 7 + rank, scale);
      const wanted = projectGradient(p.gradient, p.a, p.b);
      for (const gauge of GAUGES) {
        const [found] = await adjustOnGpu([p], gauge, NONE);
        const error = norm(subtract(equivalentGradient({ ...p, ...found! }), wanted)) / norm(wanted);
        assert(error < 5e-6, `rank ${rank}, scale ${scale}, ${gauge}: relative error ${error}`);
      }
    }
  }
});

/** Relative error of the equivalent gradient in f32 that each condition number of B and A may reach. */
const ALLOWED_BY_CONDITION: readonly (readonly [number, number])[] = [[1, 2e-6], [1e2, 2e-5], [1e3, 3e-4], [
  1e4,
  5e-3,
]];

Deno.test("FactorPairs stays accurate for condition numbers to 1e4, as it never squares them", async () => {
  for (const rank of [2, 8, 32, 64]) {
    for (const [condition, allowed] of ALLOWED_BY_CONDITION) {
      const random = createRandom(rank);
      const values = Array.from({ length: rank }, (_, i) => condition ** (-i / (rank - 1)));
      const p: Problem = {
        b: roundToFloat32(withSingularValues(96, rank, values, random.fork("b"))),
        a: roundToFloat32(withSingularValues(rank, 80, values, random.fork("a"))),
        gradient: roundToFloat32(randomMatrix(96, 80, random.fork("g"))),
        scale: 2,
      };
      const wanted = projectGradient(p.gradient, p.a, p.b);
      for (const lanes of LANES) {
        const [found] = await adjustOnGpu([p], "sylvester", NONE, lanes);
        const error = norm(subtract(equivalentGradient({ ...p, ...found! }), wanted)) / norm(wanted);
        assert(
          error < allowed,
          `rank ${rank}, condition ${condition}: relative error ${error}, ${allowed} is allowed`,
        );
      }
    }
  }
});

Deno.test("FactorPairs takes B = 0 by value: gA is 0 and gB the projection on A's rows", async () => {
  for (const damping of [NONE, { relative: 1e-6, absolute: 0 }, { relative: 0, absolute: 1e-8 }]) {
    const p = { ...problem(20, 30, 4, 3), b: zeros(20, 4) };
    for (const gauge of GAUGES) {
      const [found] = await adjustOnGpu([p], gauge, damping);
      assertEquals(Math.max(...found!.gradientA.data.map(Math.abs)), 0);
      const wanted = closedForm({ ...p, ...factorGradients(p.gradient, p), gauge, damping: { relative: 0 } });
      assertClose(found!.gradientB.data, wanted.gradientB.data, { relative: 1e-5 });
    }
  }
});

Deno.test("FactorPairs stays finite and close to the pseudo-inverse for rank-deficient factors", async () => {
  const p = problem(24, 18, 6, 5);
  const random = createRandom(9);
  const deficient = (rows: number, columns: number, rank: number, label: string) =>
    roundToFloat32(
      multiply(
        randomMatrix(rows, rank, random.fork(label)),
        randomMatrix(rank, columns, random.fork(`${label}'`)),
      ),
    );
  for (
    const [a, b] of [
      [p.a, deficient(24, 6, 3, "b")],
      [deficient(6, 18, 2, "a"), p.b],
      [deficient(6, 18, 1, "a1"), deficient(24, 6, 1, "b1")],
      [zeros(6, 18), zeros(24, 6)],
    ] as const
  ) {
    const q = { ...p, a, b };
    for (const gauge of GAUGES) {
      const [found] = await adjustOnGpu([q], gauge, NONE);
      const gradient = equivalentGradient({ ...q, ...found! });
      assert(gradient.data.every(Number.isFinite), gauge);
      const wanted = projectGradient(q.gradient, a, b);
      const error = norm(subtract(gradient, wanted)) / Math.max(norm(wanted), 1e-30);
      if (norm(wanted) > 0) assert(error < 1e-4, `${gauge}: relative error ${error}`);
    }
  }
});

Deno.test("FactorPairs damps as the float64 closed form does, relative damping alike at every size of B", async () => {
  for (const size of [1, 1e-3, 1e-6]) {
    const base = problem(40, 24, 4, 21);
    const p = { ...base, b: roundToFloat32(times(base.b, size)) };
    for (const gauge of GAUGES) {
      const [found] = await adjustOnGpu([p], gauge, { relative: 1e-2, absolute: 0 });
      const wanted = closedForm({
        ...p,
        ...factorGradients(p.gradient, p),
        gauge,
        damping: { relative: 1e-2 },
      });
      assertClose(found!.gradientA.data, wanted.gradientA.data, { relative: 1e-4 }, `gA ${gauge} ${size}`);
      assertClose(found!.gradientB.data, wanted.gradientB.data, { relative: 1e-4 }, `gB ${gauge} ${size}`);
    }
  }
  const p = problem(40, 24, 4, 22);
  const [found] = await adjustOnGpu([p], "sylvester", { relative: 0, absolute: 0.5 });
  const wanted = closedForm({
    ...p,
    ...factorGradients(p.gradient, p),
    gauge: "sylvester",
    damping: { absolute: 0.5 },
  });
  assertClose(found!.gradientA.data, wanted.gradientA.data, { relative: 1e-4 });
});

Deno.test("FactorPairs keeps the layers of a batch apart", async () => {
  const problems = [problem(12, 8, 4, 1, 2), problem(5, 70, 4, 2, 4), problem(33, 17, 4, 3, 0.5)];
  const together = await adjustOnGpu(problems, "sylvester", NONE);
  for (const [i, p] of problems.entries()) {
    const [alone] = await adjustOnGpu([p], "sylvester", NONE);
    assertEquals(together[i], alone);
  }
});

Deno.test("FactorPairs refuses a rank beyond its blocks", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refusal");
  const a = gpu.zeros([257, 300], "A"), b = gpu.zeros([300, 257], "B");
  assertThrows(() => new FactorPairs(gpu, [{ a, b, scale: 1 }]), RangeError, "rank 257");
});
