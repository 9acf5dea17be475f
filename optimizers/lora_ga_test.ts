import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import type { Gpu } from "../gpu/gpu.ts";
import { createRandom } from "../numerics/random.ts";
import { assertClose } from "../tests/support/assert_close.ts";
import { attachToQuadratics, type Quadratic, type QuadraticRun } from "../tests/support/quadratic.ts";
import { loraGaStart, signedSvd } from "../tests/reference/lora_ga.ts";
import {
  add,
  type Matrix,
  multiply,
  norm,
  randomMatrix,
  roundToFloat32,
  scale as times,
  sliceColumns,
  subtract,
  toFloat32,
  withSingularValues,
} from "../tests/reference/matrix.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { loraGa } from "./lora_ga.ts";
import type { OptimizerModule, Options } from "./optimizer.ts";

const module = loraGa as OptimizerModule;

/** A map whose gradient has well separated singular values, so that its singular vectors are well defined. */
function problem(rows: number, columns: number, seed: number): Quadratic & { readonly gradient: Matrix } {
  const random = createRandom(seed);
  const values = Array.from({ length: Math.min(rows, columns) }, (_, i) => 0.7 ** i);
  const base = randomMatrix(rows, columns, random.fork("base"));
  const target = roundToFloat32(
    subtract(base, withSingularValues(rows, columns, values, random.fork("gradient"))),
  );
  return { base, target, gradient: subtract(base, target) };
}

/** Attaches LoRA-GA to maps, each with its own gradient. */
async function attached<T>(
  options: Options,
  problems: readonly ReturnType<typeof problem>[],
  body: (run: QuadraticRun, gpu: Gpu) => Promise<T>,
  seed = 0,
): Promise<T> {
  const gpu = await testGpu();
  using _ = gpu.scope("LoRA-GA");
  let targetModules: QuadraticRun["targetModules"] = [];
  const catching: OptimizerModule = {
    ...module,
    attach: (setup, options) => {
      ({ targetModules } = setup);
      return module.attach(setup, options);
    },
  };
  const run = await attachToQuadratics(gpu, catching, options, problems, {
    async *fullGradients() {
      using _ = gpu.scope("full gradients");
      const gradients = problems.map(({ gradient: g }) =>
        gpu.upload(toFloat32(g), "f32", [g.rows, g.columns], "G")
      );
      await gpu.flush();
      for (const [i, targetModule] of targetModules.entries()) {
        yield { targetModule, gradient: gradients[i]! };
      }
    },
    random: createRandom(seed),
  });
  return await body(run, gpu);
}

const SIZES = [[12, 10], [9, 30], [40, 8]] as const;

Deno.test("loraGa starts as the float64 rule does, at both scalings, and keeps the effective weight", async () => {
  const maps = SIZES.map(([rows, columns], i) => problem(rows, columns, i + 1));
  for (const rank of [1, 2, 4]) {
    for (
      const [scaling, scale] of [["alpha/r", 16 / rank], ["alpha/sqrt(r)", 16 / Math.sqrt(rank)]] as const
    ) {
      for (const gamma of [16, 64]) {
        await attached({ rank, scaling, gamma }, maps, async (run) => {
          (await run.read()).forEach(({ a, b, base, weight }, i) => {
            const { base: start, gradient } = maps[i]!, label = `map ${i}, rank ${rank}, ${scaling}`;
            const wanted = loraGaStart(gradient, start, { rank, scale, gamma });
            assertEquals(run.optimizer.factors(run.targetModules[i]!)!.scale, scale);
            // Both decompositions are float64; the gradient on the GPU is rounded, which turns vectors of singular
            // values 30 % apart by 1e-6.
            assertClose(a.data, wanted.a.data, { relative: 1e-5 }, `A ${label}`);
            assertClose(b.data, wanted.b.data, { relative: 1e-5 }, `B ${label}`);
            assertClose(base.data, wanted.weight.data, { relative: 1e-5 }, `W ${label}`);
            assertClose(weight.data, start.data, { relative: 1e-6 }, `effective weight ${label}`);
          });
        });
      }
    }
  }
});

/** The singular vectors that A and B take, restated. */
const DIRECTIONS: Readonly<
  Record<string, (rank: number) => readonly [readonly number[], readonly number[]]>
> = {
  ArB2r: (rank) => [range(0, rank), range(rank, 2 * rank)],
  A2rBr: (rank) => [range(rank, 2 * rank), range(0, rank)],
  ArBr: (rank) => [range(0, rank).map((i) => 2 * i + 1), range(0, rank).map((i) => 2 * i)],
};

function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, i) => first + i);
}

Deno.test("loraGa takes the singular vectors that its direction names, times the number that its start scale names", async () => {
  const maps = SIZES.map(([rows, columns], i) => problem(rows, columns, i + 51));
  for (const rank of [1, 3]) {
    const scale = 16 / Math.sqrt(rank);
    for (const [direction, chosen] of Object.entries(DIRECTIONS)) {
      for (const startScale of ["stable", "gd", "unit", "weightS"]) {
        await attached({ rank, direction, startScale }, maps, async (run) => {
          (await run.read()).forEach(({ a, b, weight }, i) => {
            const { base, gradient } = maps[i]!, { u, v } = signedSvd(gradient), [ofA, ofB] = chosen(rank);
            const roots = signedSvd(base).values.slice(0, rank).map((value) => Math.sqrt(value / scale));
            const size = {
              stable: gradient.rows ** 0.25 / 4,
              gd: 1 / scale,
              unit: 1,
              weightS: roots.reduce((sum, root) => sum + root, 0) / rank,
            }[startScale]!;
            const columnsOf = (m: Matrix, columns: readonly number[]) =>
              columns.map((j) => times(sliceColumns(m, j, j + 1), size).data);
            const label = `map ${i}, rank ${rank}, ${direction}, ${startScale}`;
            // Vectors of singular values 30 % apart, from a gradient rounded to f32.
            columnsOf(v, ofA).forEach((row, k) =>
              assertClose(a.data.subarray(k * a.columns, (k + 1) * a.columns), row, { relative: 1e-5 }, label)
            );
            columnsOf(u, ofB).forEach((column, k) =>
              assertClose(sliceColumns(b, k, k + 1).data, column, { relative: 1e-5 }, label)
            );
            assertClose(weight.data, base.data, { relative: 1e-6 }, label);
          });
        });
      }
    }
  }
});

Deno.test("loraGa's random direction deals the first 2r singular pairs out to A and B, anew for each target module and seed", async () => {
  const map = problem(20, 16, 61), rank = 4, { u, v } = signedSvd(map.gradient);
  const drawn = (seed: number) =>
    attached(
      { rank, direction: "random", startScale: "unit" },
      [map, map],
      async (run) =>
        (await run.read()).map(({ a, b }) => {
          const cosines = [multiply(a, v), multiply(b, u, { transposeA: true })];
          return cosines.map((m) =>
            range(0, rank).map((k) => {
              const row = [...m.data.subarray(k * m.columns, (k + 1) * m.columns)];
              const place = row.findIndex((cosine) => cosine > 0.999);
              assert(place >= 0, `row ${k}`);
              return place;
            })
          );
        }),
      seed,
    );
  const first = await drawn(1);
  for (const [ofA, ofB] of first) {
    assertEquals([...ofA!, ...ofB!].sort((x, y) => x - y), range(0, 2 * rank));
  }
  assertNotEquals(first[0], first[1]);
  assertEquals(await drawn(1), first);
  assertNotEquals(await drawn(2), first);
});

Deno.test("loraGa starts finite from gradients of rank 1 and 0, and keeps the effective weight", async () => {
  const map = problem(12, 10, 71), random = createRandom(3);
  const flat = withSingularValues(12, 10, [2, ...Array<number>(9).fill(0)], random);
  for (const gradient of [flat, times(flat, 0)]) {
    await attached({ rank: 3 }, [{ ...map, gradient }], async (run) => {
      const { a, b, weight } = await run.readOne();
      assert([...a.data, ...b.data].every(Number.isFinite));
      assertClose(weight.data, map.base.data, { relative: 1e-6 });
    });
  }
});

Deno.test("loraGa's default scaling is alpha/sqrt(r); reports name it and what of the start is not as usual", () => {
  const describe = (options: Options) => loraGa.describe({ ...loraGa.defaults, ...options });
  assertEquals(describe({}), "alpha/sqrt(r)");
  assertEquals(describe({ scaling: "alpha/r", gamma: 64 }), "alpha/r, gamma 64");
  assertEquals(describe({ direction: "ArBr", startScale: "gd" }), "alpha/sqrt(r), ArBr, scale gd");
});

Deno.test("loraGa's first equivalent gradient is the best approximation of G of rank 2r, times s² √out / gamma", async () => {
  const maps = SIZES.map(([rows, columns], i) => problem(rows, columns, i + 11)), rank = 3, gamma = 16;
  await attached({ rank, gamma }, maps, async (run) => {
    (await run.gradients()).forEach(({ equivalent, full }, i) => {
      const { gradient } = maps[i]!, { u, values, v } = signedSvd(gradient);
      // The weights are rebuilt from W - s B A and s B A in f32, and the gradient is W - target.
      assertClose(full.data, gradient.data, { relative: 1e-5 });
      const left = sliceColumns(u, 0, 2 * rank), right = sliceColumns(v, 0, 2 * rank);
      const stretched = { ...left, data: left.data.map((value, j) => value * values[j % (2 * rank)]!) };
      const best = multiply(stretched, right, { transposeB: true });
      const factor = (16 / Math.sqrt(rank)) ** 2 * Math.sqrt(gradient.rows) / gamma;
      // A gradient that is off by 1e-6 moves the small directions that are kept by as much.
      assertClose(equivalent.data, times(best, factor).data, { relative: 2e-5 }, `map ${i}`);
    });
  });
});

Deno.test("loraGa's first equivalent gradient loses no more of G than singular values beyond 2r", async () => {
  const map = problem(12, 10, 21), rank = 2;
  await attached({ rank }, [map], async (run) => {
    const [found] = await run.gradients();
    const { equivalent, full } = found!;
    const along = equivalent.data.reduce((sum, value, i) => sum + value * full.data[i]!, 0) /
      norm(equivalent) ** 2;
    const { values } = signedSvd(map.gradient);
    const lost = Math.hypot(...values.slice(2 * rank));
    assertClose([norm(add(full, equivalent, -along))], [lost], { relative: 1e-4 });
  });
});

Deno.test("loraGa makes the largest entry of each right vector positive: from -G, A is the same and B its opposite", async () => {
  const map = problem(12, 10, 31);
  const start = (gradient: Matrix) => attached({ rank: 3 }, [{ ...map, gradient }], (run) => run.readOne());
  const plus = await start(map.gradient), minus = await start(times(map.gradient, -1));
  assertEquals(minus.a.data, plus.a.data);
  assertEquals(minus.b.data, times(plus.b, -1).data);
  for (let row = 0; row < 3; row++) {
    const vector = plus.a.data.subarray(row * 10, row * 10 + 10);
    const largest = vector.reduce((found, value) => Math.abs(value) > Math.abs(found) ? value : found, 0);
    assert(largest > 0, `row ${row}`);
  }
});

Deno.test("loraGa asks for as many batches as the option says, and frees everything where they fail", async () => {
  const gpu = await testGpu();
  const before = gpu.memory.liveBytes;
  const asked: number[] = [];
  const failing = async () => {
    using _ = gpu.scope("LoRA-GA");
    await attachToQuadratics(gpu, module, { rank: 2, gradientBatches: 5 }, [problem(12, 10, 41)], {
      // deno-lint-ignore require-yield
      async *fullGradients(batches) {
        asked.push(batches);
        await gpu.flush();
        throw new Error("No data");
      },
    });
  };
  await assertRejects(failing, Error, "No data");
  assertEquals(asked, [5]);
  assertEquals(gpu.memory.liveBytes, before);
});

Deno.test("loraGa refuses ranks above half of a side, whichever direction, and names what is out of range", () => {
  const targetModules = [{ name: "wide", in: 300, out: 200 }, { name: "narrow", in: 9, out: 40 }];
  const refusal = (options: Options) =>
    loraGa.validate({ ...loraGa.defaults, rank: 4, ...options }, targetModules, 100);
  assertEquals(refusal({}), null);
  assertEquals(refusal({ rank: 5 }), 'rank is 5, at most 4 is possible at target module "narrow" [40, 9]');
  for (const direction of ["A2rBr", "ArBr", "random"]) {
    assertEquals(refusal({ direction }), null);
    assertEquals(
      refusal({ direction, rank: 5 }),
      'rank is 5, at most 4 is possible at target module "narrow" [40, 9]',
    );
  }
  assertEquals(refusal({ direction: "ArB" }), 'direction is "ArB", known are ArB2r, A2rBr, ArBr, random');
  assertEquals(refusal({ startScale: "s" }), 'startScale is "s", known are stable, gd, unit, weightS');
  assertEquals(
    refusal({ startScale: "gd", gamma: 64 }),
    'gamma is 64, which only startScale "stable" takes and "gd" does not: leave it out',
  );
  assertEquals(refusal({ gamma: 0 }), "gamma is 0, a positive number is needed");
  assertEquals(
    refusal({ gradientBatches: 1.5 }),
    "gradientBatches is 1.5, a whole number of 1 or more is needed",
  );
});
