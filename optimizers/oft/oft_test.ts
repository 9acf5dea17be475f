import { assertEquals, assertGreater, assertLess } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { inverse } from "../../tests/reference/decompositions.ts";
import {
  add,
  identity,
  type Matrix,
  matrix,
  multiply,
  randomMatrix,
  scale as times,
  subtract,
  zeros,
} from "../../tests/reference/matrix.ts";
import { type AdamMoments, adamwStep } from "../../tests/reference/network.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { onQuadratics } from "../../tests/support/low_rank_problems.ts";
import { type Quadratic, relativeError } from "../../tests/support/quadratic.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import type { OptimizerModule } from "../optimizer.ts";
import { blockOf, oft, type OftOptions } from "./oft.ts";
import { blockProducts, rotateBlocks } from "./rotations.ts";

const module = oft as unknown as OptimizerModule;

/** A map whose target is as far from W as W is from 0. */
function problem(rows: number, columns: number, seed: number): Quadratic {
  const random = createRandom(seed);
  return {
    base: randomMatrix(rows, columns, random.fork("base")),
    target: randomMatrix(rows, columns, random.fork("target")),
  };
}

/** Places of a block's upper triangle in the order of q. */
function triangle(size: number): [number, number][] {
  return Array.from({ length: size }, (_, i) => i).flatMap((i) =>
    Array.from({ length: size - i - 1 }, (_, j): [number, number] => [i, i + j + 1])
  );
}

/** R of all blocks as one matrix. */
function rotationOf(q: Matrix, size: number): Matrix {
  const out = zeros(q.rows * size, q.rows * size);
  for (let block = 0; block < q.rows; block++) {
    const skew = zeros(size, size);
    triangle(size).forEach(([i, j], place) => {
      const value = q.data[block * q.columns + place]!;
      skew.data[i * size + j] = value;
      skew.data[j * size + i] = -value;
    });
    const turn = multiply(subtract(identity(size), skew), inverse(add(identity(size), skew)));
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        out.data[(block * size + i) * out.columns + block * size + j] = turn.data[i * size + j]!;
      }
    }
  }
  return out;
}

Deno.test("oft follows float64 from no rotation and from large ones, with one block and with several", async () => {
  for (
    const [rows, columns, block] of [[9, 30, 8], [20, 12, 32], [7, 64, 32], [5, 7, 7], [3, 2, 2]] as const
  ) {
    const size = blockOf({ ...oft.defaults, block }, { in: columns }), blocks = columns / size;
    const map = problem(rows, columns, columns), numbers = size * (size - 1) / 2;
    for (const deviation of [0, 0.5]) {
      await onQuadratics(module, { block, weightDecay: 0.1 }, [map], async (run, gpu) => {
        const label = `[${rows}, ${columns}] block ${size} from ${deviation}`;
        const [parameter] = run.optimizer.trainable;
        const start = createRandom(2).normal(blocks * numbers, deviation);
        gpu.write(parameter!.value, start);
        let q = matrix(blocks, numbers, start), moments: AdamMoments | undefined;
        for (let step = 1; step <= 5; step++) {
          const turn = rotationOf(q, size);
          const gradient = subtract(multiply(map.base, turn, { transposeB: true }), map.target);
          // dL/dR, and by Q with R = 2 (I + Q)⁻¹ − I.
          const ofR = multiply(gradient, map.base, { transposeA: true });
          const side = add(turn, identity(columns)), masked = zeros(columns, columns);
          for (let e = 0; e < columns ** 2; e++) {
            const same = Math.floor(Math.floor(e / columns) / size) === Math.floor(e % columns / size);
            if (same) masked.data[e] = ofR.data[e]!;
          }
          const ofQ = times(
            multiply(multiply(side, masked, { transposeA: true }), side, { transposeB: true }),
            -0.5,
          );
          const derivative = zeros(blocks, numbers);
          for (let block = 0; block < blocks; block++) {
            triangle(size).forEach(([i, j], place) => {
              const at = (i: number, j: number) => ofQ.data[(block * size + i) * columns + block * size + j]!;
              derivative.data[block * numbers + place] = at(i, j) - at(j, i);
            });
          }
          const next = adamwStep(q, derivative, moments, {
            ...{ step, learningRate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 },
          });
          ({ parameter: q, moments } = next);
          await run.step(step, 0.05);
          const { weight, base } = await run.readOne();
          const wanted = multiply(map.base, rotationOf(q, size), { transposeB: true });
          assertLess(relativeError(weight, wanted), 1e-5, `${label} step ${step}`);
          assertEquals(base.data, Float64Array.from(Float32Array.from(map.base.data)));
        }
        // Lengths of rows and angles between them are as they were.
        const { weight } = await run.readOne();
        assertGreater(relativeError(weight, map.base), 0.02);
        const before = multiply(map.base, map.base, { transposeB: true });
        const after = multiply(weight, weight, { transposeB: true });
        assertLess(relativeError(after, before), 2e-6, `${label} W Wᵀ`);
      });
    }
  }
});

Deno.test("oft's equivalent gradient is how W moves where q follows its gradient", async () => {
  const map = problem(9, 24, 4);
  await onQuadratics(module, { block: 8, epsilon: 1e3, beta1: 0, beta2: 0 }, [map], async (run, gpu) => {
    const [parameter] = run.optimizer.trainable;
    gpu.write(parameter!.value, createRandom(3).normal(3 * 28, 0.3));
    const before = await run.readOne(), [found] = await run.gradients();
    // At so large an epsilon Adam's step is the gradient over epsilon.
    await run.step(1, 1);
    const moved = subtract((await run.readOne()).weight, before.weight);
    assertLess(relativeError(times(found!.equivalent, -1e-3), moved), 0.03);
  });
});

Deno.test("rotateBlocks() and blockProducts() are float64's at odd sizes, turned and added too, beyond a workgroup", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("blocks");
  for (const [rows, blocks, size] of [[1, 1, 2], [5, 3, 7], [130, 2, 32], [33, 9, 4]] as const) {
    const random = createRandom(rows), width = blocks * size;
    const given = {
      x: random.fork("x").normal(rows * width, 1),
      g: random.fork("g").normal(rows * width, 1),
      r: random.fork("r").normal(blocks * size ** 2, 1),
    };
    const x = gpu.upload(given.x, "f32", [rows, width], "x"),
      g = gpu.upload(given.g, "f32", [rows, width], "g");
    const r = gpu.upload(given.r, "f32", [blocks, size, size], "r");
    const sum = gpu.upload(given.g, "f32", [rows, width], "sum"), products = gpu.empty(r.shape, "products");
    rotateBlocks(gpu, x, r, { turned: true, target: { into: sum, accumulate: true } });
    blockProducts(gpu, x, g, products);
    const [plain, turned, found] = await gpu.downloadAll([rotateBlocks(gpu, x, r), sum, products]);
    const wanted = {
      plain: zeros(rows, width),
      turned: zeros(rows, width),
      products: zeros(blocks * size, size),
    };
    for (let t = 0; t < rows; t++) {
      for (let c = 0; c < width; c++) {
        const block = Math.floor(c / size), j = c % size, at = t * width + block * size;
        let turn = given.g[t * width + c]!;
        for (let i = 0; i < size; i++) {
          const first = block * size ** 2;
          wanted.plain.data[t * width + c]! += given.x[at + i]! * given.r[first + i * size + j]!;
          turn += given.x[at + i]! * given.r[first + j * size + i]!;
          wanted.products.data[(block * size + j) * size + i]! += given.x[t * width + c]! * given.g[at + i]!;
        }
        wanted.turned.data[t * width + c] = turn;
      }
    }
    // Sums of at most 130 products.
    assertClose(plain!, wanted.plain.data, { relative: 2e-6 }, `x R ${rows}`);
    assertClose(turned!, wanted.turned.data, { relative: 2e-6 }, `x Rᵀ ${rows}`);
    assertClose(found!, wanted.products.data, { relative: 2e-6 }, `xᵀ g ${rows}`);
  }
});

Deno.test("oft takes the largest divisor as a block, and refuses blocks that there are none of", () => {
  const sizes = (block: number) =>
    [64, 30, 20, 7].map((columns) => blockOf({ ...oft.defaults, block }, { in: columns }));
  assertEquals([sizes(32), sizes(8)], [[32, 30, 20, 7], [8, 6, 5, 7]]);
  const refusal = (options: Partial<OftOptions>) =>
    oft.validate({ ...oft.defaults, ...options }, [{ name: "odd", in: 7, out: 300 }], 100);
  assertEquals(refusal({}), null);
  for (const block of [1, 33, 2.5]) {
    assertEquals(refusal({ block }), `block is ${block}, a whole number from 2 to 32 is needed`);
  }
  assertEquals(
    refusal({ block: 6 }),
    'block is 6, and no number from 2 to 6 divides the 7 inputs of target module "odd"',
  );
  assertEquals(refusal({ epsilon: 0 }), "epsilon is 0, a positive number is needed");
  assertEquals(oft.describe(oft.defaults), "blocks of 32");
});
