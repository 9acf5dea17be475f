import { assert, assertEquals } from "@std/assert";
import { createRandom } from "../numerics/random.ts";
import { assertClose } from "../tests/support/assert_close.ts";
import { attachToQuadratics, type Quadratic, relativeError } from "../tests/support/quadratic.ts";
import { signedSvd } from "../tests/reference/lora_ga.ts";
import {
  type Matrix,
  multiply,
  norm,
  randomMatrix,
  roundToFloat32,
  scale as times,
  subtract,
  withSingularValues,
} from "../tests/reference/matrix.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import type { OptimizerModule, Options } from "./optimizer.ts";
import { pissa } from "./pissa.ts";

const module = pissa as OptimizerModule;

/** A map of well separated singular values, so that its singular vectors are well defined. */
function map(rows: number, columns: number, count = Math.min(rows, columns)): Quadratic {
  const random = createRandom(rows), values = Array.from({ length: count }, (_, i) => 3 * 0.7 ** i);
  const base = roundToFloat32(withSingularValues(rows, columns, values, random.fork("base")));
  return { base, target: randomMatrix(rows, columns, random.fork("target")) };
}

async function started(options: Options, maps: readonly Quadratic[], seed = 0) {
  const gpu = await testGpu();
  using _ = gpu.scope("start");
  const run = await attachToQuadratics(gpu, module, options, maps, { random: createRandom(seed) });
  return { scale: run.optimizer.factors(run.targetModules[0]!)!.scale, maps: await run.read() };
}

/** The start by its definition. */
function wantedStart(base: Matrix, rank: number, scale: number): { readonly a: Matrix; readonly b: Matrix } {
  const { u, values, v } = signedSvd(base);
  const root = (k: number) => Math.sqrt(values[k]! / scale);
  const b = new Float64Array(base.rows * rank), a = new Float64Array(rank * base.columns);
  for (let k = 0; k < rank; k++) {
    for (let i = 0; i < base.rows; i++) b[i * rank + k] = u.data[i * u.columns + k]! * root(k);
    for (let j = 0; j < base.columns; j++) a[k * base.columns + j] = v.data[j * v.columns + k]! * root(k);
  }
  return {
    a: { rows: rank, columns: base.columns, data: a },
    b: { rows: base.rows, columns: rank, data: b },
  };
}

Deno.test("pissa starts at the weight's largest singular directions, at both scalings, and keeps the effective weight", async () => {
  const maps = [map(12, 10), map(9, 30), map(40, 7), map(1, 5)];
  for (const [rank, chosen] of [[1, maps], [3, maps.slice(0, 3)], [7, maps.slice(0, 3)]] as const) {
    for (const scaling of ["alpha/r", "alpha/sqrt(r)"]) {
      const { scale, maps: found } = await started({ rank, alpha: 5, scaling }, chosen);
      found.forEach(({ a, b, base, weight }, i) => {
        const start = chosen[i]!.base,
          wanted = wantedStart(start, rank, scale),
          label = `map ${i}, rank ${rank}`;
        // Both decompositions are float64.
        assertClose(a.data, wanted.a.data, { relative: 1e-6 }, `A ${label}`);
        assertClose(b.data, wanted.b.data, { relative: 1e-6 }, `B ${label}`);
        const rest = subtract(start, times(multiply(wanted.b, wanted.a), scale));
        assertClose(base.data, rest.data, { relative: 1e-5, absolute: 1e-6 }, `W ${label}`);
        assertClose(weight.data, start.data, { relative: 1e-6 }, `effective weight ${label}`);
      });
    }
  }
});

Deno.test("pissa's randomized start comes as close as the exact one, and closer with more iterations where values hardly decay", async () => {
  const flat: Quadratic = {
    base: randomMatrix(150, 140, createRandom(5)),
    target: randomMatrix(150, 140, createRandom(6)),
  };
  const rest = async (options: Options) =>
    norm((await started({ rank: 4, ...options }, [flat])).maps[0]!.base);
  const exact = await rest({ svd: "exact" });
  const [none, some, more] = [
    await rest({ svd: "randomized", iterations: 0 }),
    await rest({ svd: "randomized", iterations: 2 }),
    await rest({ svd: "randomized" }),
  ];
  assert(exact <= more && more < some && some < none, `${exact}, ${more}, ${some}, ${none}`);
  const decaying = map(150, 140, 30), options = { rank: 4, svd: "randomized" };
  const [exactly, randomly] = [await started({ rank: 4 }, [decaying]), await started(options, [decaying])];
  for (const part of ["a", "b"] as const) {
    // Signs are fixed, so factors themselves agree; products in f32.
    assert(relativeError(randomly.maps[0]![part], exactly.maps[0]![part]) < 1e-5, part);
  }
  assertEquals(await started(options, [decaying], 3), await started(options, [decaying], 3));
});

Deno.test("pissa beyond the weight's rank and of a weight of zeros stays finite through five steps", async () => {
  const gpu = await testGpu();
  for (const values of [1, 0]) {
    using _ = gpu.scope("low rank");
    const run = await attachToQuadratics(gpu, module, { rank: 3 }, [map(8, 6, values)]);
    for (let step = 1; step <= 5; step++) await run.step(step, 0.01);
    const { a, b, base, weight } = await run.readOne();
    for (const { data } of [a, b, base, weight]) assert(data.every(Number.isFinite), `rank ${values}`);
  }
});

Deno.test("pissa refuses decompositions that it does not know, and iterations of the exact one", () => {
  const targetModules = [{ name: "narrow", in: 6, out: 40 }];
  const refusal = (options: Options) =>
    pissa.validate({ ...pissa.defaults, rank: 2, ...options }, targetModules, 100);
  assertEquals(refusal({}), null);
  assertEquals(refusal({ rank: 6, svd: "randomized", iterations: 0 }), null);
  assertEquals(refusal({ svd: "fast" }), 'svd is "fast", known are exact, randomized');
  for (const iterations of [-1, 1.5, NaN]) {
    assertEquals(
      refusal({ svd: "randomized", iterations }),
      `iterations is ${iterations}, a whole number of 0 or more is needed`,
    );
  }
  assertEquals(
    refusal({ iterations: 4 }),
    'iterations is 4 with svd "exact", which takes none: svd "randomized" is needed',
  );
  assertEquals(refusal({ rank: 7 }), 'rank is 7, at most 6 is possible at target module "narrow" [40, 6]');
  assertEquals(
    pissa.describe({ ...pissa.defaults, svd: "randomized" }),
    "alpha/r, randomized SVD, 16 iterations",
  );
});
