import { assert, assertEquals, assertLess, assertNotEquals } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { type Matrix, randomMatrix, subtract, zeros, zip } from "../../tests/reference/matrix.ts";
import { type AdamMoments, adamwStep } from "../../tests/reference/network.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { onQuadratics } from "../../tests/support/low_rank_problems.ts";
import { type Quadratic, relativeError } from "../../tests/support/quadratic.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { full } from "../full.ts";
import type { OptimizerModule } from "../optimizer.ts";
import { shira, type ShiraOptions } from "./shira.ts";
import {
  addSparse,
  drawSupport,
  gatherSparse,
  scatterSparse,
  sparseGradient,
  uploadSupport,
} from "./sparse.ts";

const module = shira as unknown as OptimizerModule;

function problem(rows: number, columns: number): Required<Pick<Quadratic, "base" | "target">> {
  const random = createRandom(rows);
  return {
    base: randomMatrix(rows, columns, random.fork("base")),
    target: randomMatrix(rows, columns, random.fork("target")),
  };
}

/** 1 where a matrix isn't 0. */
function placesOf(m: Matrix): Matrix {
  return zip(m, m, (value) => value === 0 ? 0 : 1);
}

Deno.test("shira follows float64 at its places and leaves the others, at ranks 1, 3 and all, decayed or not", async () => {
  for (const [rank, rows, columns] of [[1, 40, 60], [3, 20, 12], [6, 6, 6], [5, 5, 14]] as const) {
    for (const weightDecay of [0, 0.5]) {
      const map = problem(rows, columns);
      await onQuadratics(module, { rank, weightDecay }, [map], async (run) => {
        const [found] = await run.gradients(), mask = placesOf(found!.equivalent);
        const entries = mask.data.reduce((sum, one) => sum + one, 0);
        assertEquals(entries, Math.min(rank * (rows + columns), rows * columns));
        assertClose(found!.equivalent.data, zip(found!.full, mask, (g, one) => g * one).data, {
          relative: 1e-6,
        });
        let change = zeros(rows, columns), moments: AdamMoments | undefined;
        for (let step = 1; step <= 5; step++) {
          const gradient = zip(
            subtract(zip(map.base, change, (w, s) => w + s), map.target),
            mask,
            (g, one) => {
              return g * one;
            },
          );
          ({ parameter: change, moments } = adamwStep(change, gradient, moments, {
            ...{ step, learningRate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay },
          }));
          await run.step(step, 0.05);
          const { weight } = await run.readOne();
          const wanted = zip(map.base, change, (w, s) => w + s);
          assertLess(relativeError(weight, wanted), 1e-5, `rank ${rank} step ${step}`);
          const moved = placesOf(
            subtract(weight, { ...map.base, data: Float64Array.from(Float32Array.from(map.base.data)) }),
          );
          assert(moved.data.every((one, i) => one <= mask.data[i]!));
        }
      });
    }
  }
});

Deno.test("shira at all places is full fine-tuning of the adapted maps", async () => {
  const maps = [problem(6, 6), problem(5, 9)];
  const trained = (method: OptimizerModule, options: Record<string, number | string>) =>
    onQuadratics(method, options, maps, async (run) => {
      for (let step = 1; step <= 5; step++) await run.step(step, 0.05);
      return (await run.read()).map(({ weight }) => weight);
    });
  const wanted = await trained(full as unknown as OptimizerModule, { trains: "targetModules" });
  const found = await trained(module, { rank: 5 });
  // The same gradients, summed in another order.
  found.forEach((weight, i) => assertLess(relativeError(weight, wanted[i]!), 1e-6));
});

Deno.test("drawSupport() draws distinct places evenly, by name and seed, and all where there are no more", () => {
  const size = { out: 40, in: 30 }, random = createRandom(1);
  const places = drawSupport(random, size, 500);
  assertEquals([places.length, new Set(places).size], [500, 500]);
  assert(places.every((place, i) => place < 1200 && (i === 0 || place > places[i - 1]!)));
  assertEquals(drawSupport(random, size, 500), places);
  assertNotEquals(drawSupport(createRandom(2), size, 500), places);
  assertEquals([...drawSupport(random, { out: 2, in: 3 }, 99)], [0, 1, 2, 3, 4, 5]);
  // Each place is as likely as any other: counts over many draws are within five deviations.
  const counts = new Uint32Array(12), draws = 3000;
  for (let i = 0; i < draws; i++) {
    for (const place of drawSupport(random.fork(String(i)), { out: 3, in: 4 }, 5)) counts[place]!++;
  }
  const mean = draws * 5 / 12, deviation = Math.sqrt(draws * 5 / 12 * 7 / 12);
  for (const count of counts) assertLess(Math.abs(count - mean), 5 * deviation);
});

Deno.test("Products with a sparse matrix, its gradient and its sum with a weight are float64's beyond a workgroup", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("sparse");
  for (const [rows, out, columns, count] of [[1, 1, 1, 1], [5, 7, 3, 9], [70, 20, 90, 400]] as const) {
    const random = createRandom(count), size = { out, in: columns };
    const places = drawSupport(random, size, count), support = uploadSupport(gpu, size, places, "support");
    const given = {
      values: random.fork("s").normal(count, 1),
      x: random.fork("x").normal(rows * columns, 1),
      g: random.fork("g").normal(rows * out, 1),
    };
    const values = gpu.upload(given.values, "f32", [count], "s");
    const x = gpu.upload(given.x, "f32", [rows, columns], "x"),
      g = gpu.upload(given.g, "f32", [rows, out], "g");
    const y = gpu.zeros([rows, out], "y"), back = gpu.upload(given.x, "f32", [rows, columns], "back");
    const gradient = gpu.upload(given.values, "f32", [count], "gradient"),
      whole = gpu.zeros([out, columns], "S");
    addSparse(gpu, support, values, x, y);
    addSparse(gpu, support, values, g, back, true);
    sparseGradient(gpu, support, g, x, { into: gradient, accumulate: true });
    scatterSparse(gpu, support, values, whole);
    const gathered = gpu.upload(given.values, "f32", [count], "gathered");
    gatherSparse(gpu, support, whole, { into: gathered, accumulate: true });
    const found = await gpu.downloadAll([y, back, gradient, whole, gathered]);
    const wanted = [
      new Float64Array(rows * out),
      Float64Array.from(given.x),
      Float64Array.from(given.values),
      new Float64Array(out * columns),
      Float64Array.from(given.values, (value) => 2 * value),
    ] as const;
    places.forEach((place, e) => {
      const row = Math.floor(place / columns), column = place % columns, value = given.values[e]!;
      wanted[3][place] = value;
      for (let t = 0; t < rows; t++) {
        wanted[0][t * out + row]! += value * given.x[t * columns + column]!;
        wanted[1][t * columns + column]! += value * given.g[t * out + row]!;
        wanted[2][e]! += given.g[t * out + row]! * given.x[t * columns + column]!;
      }
    });
    found.forEach((data, i) => assertClose(data, wanted[i]!, { relative: 2e-6 }, `${count} entries, ${i}`));
  }
});

Deno.test("shira refuses ranks beyond a target module and settings that AdamW refuses", () => {
  const refusal = (options: Partial<ShiraOptions>) =>
    shira.validate({ ...shira.defaults, ...options }, [{ name: "narrow", in: 6, out: 40 }], 100);
  assertEquals(refusal({ rank: 6 }), null);
  assertEquals(refusal({ rank: 7 }), 'rank is 7, at most 6 is possible at target module "narrow" [40, 6]');
  assertEquals(refusal({ rank: 1.5 }), "rank is 1.5, a whole number of 1 or more is needed");
  assertEquals(refusal({ rank: 2, beta1: 1 }), "beta1 is 1, a number from 0 to below 1 is needed");
  assertEquals(shira.describe(shira.defaults), "random entries");
});
