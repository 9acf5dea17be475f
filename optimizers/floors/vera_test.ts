import { assertEquals, assertLess } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import {
  add,
  fromFloat32,
  type Matrix,
  matrix,
  multiply,
  randomMatrix,
  sliceColumns,
  sliceRows,
  subtract,
  zip,
} from "../../tests/reference/matrix.ts";
import { type AdamMoments, adamwStep } from "../../tests/reference/network.ts";
import { onQuadratics } from "../../tests/support/low_rank_problems.ts";
import { type QuadraticRun, relativeError } from "../../tests/support/quadratic.ts";
import { lora } from "../lora.ts";
import type { OptimizerModule } from "../optimizer.ts";
import { vera, type VeraOptions } from "./vera.ts";

const module = vera as unknown as OptimizerModule;

/** Tensors that a run keeps or trains, by name. */
async function valuesOf({ gpu, optimizer }: QuadraticRun, name: string): Promise<Matrix> {
  const { value } = [...optimizer.state, ...optimizer.trainable].find((one) => one.name === name)!;
  const [rows, columns = 1] = value.shape as [number, number?];
  return fromFloat32(await gpu.download(value), rows, columns);
}

/** diag(rows) M diag(columns), both `[n, 1]`. */
function scaled(m: Matrix, rows: Matrix, columns: Matrix): Matrix {
  return matrix(
    m.rows,
    m.columns,
    m.data.map((value, i) => value * rows.data[Math.floor(i / m.columns)]! * columns.data[i % m.columns]!),
  );
}

Deno.test("vera follows float64 at ranks 1, 3 and above all sides, with one A and B for maps of different sides", async () => {
  for (const [rank, isMoved] of [[1, false], [3, true], [11, false], [11, true]] as const) {
    const maps = [[9, 6], [5, 10]].map(([rows, columns]) => {
      const random = createRandom(rows! + rank);
      return {
        base: randomMatrix(rows!, columns!, random.fork("base")),
        target: randomMatrix(rows!, columns!, random.fork("target")),
      };
    });
    await onQuadratics(module, { rank, weightDecay: 0.5 }, maps, async (run, gpu) => {
      const a = await valuesOf(run, "shared A"), b = await valuesOf(run, "shared B");
      assertEquals([a.rows, a.columns, b.rows, b.columns], [rank, 10, 9, rank]);
      assertEquals(run.optimizer.state.slice(0, 2).map(({ name }) => name), ["shared A", "shared B"]);
      // A wrong bound would be seen: of a hundred draws some come near it.
      assertLess(Math.max(...a.data.map(Math.abs)), Math.sqrt(6 / 10));
      assertLess(Math.max(...b.data.map(Math.abs)), Math.sqrt(6 / rank));
      if (rank > 3) assertLess(0.9 * Math.sqrt(6 / 10), Math.max(...a.data.map(Math.abs)));
      if (isMoved) {
        for (const { name, value } of run.optimizer.trainable) {
          gpu.write(value, createRandom(rank).fork(name).normal(value.shape[0]!, 0.5));
        }
      }
      const states = await Promise.all(maps.map(async ({ base, target }, i) => ({
        ...{ base, target, a: sliceColumns(a, 0, base.columns), b: sliceRows(b, 0, base.rows) },
        ofD: await valuesOf(run, `map ${i}.d`),
        ofB: await valuesOf(run, `map ${i}.b`),
        moments: {} as { d?: AdamMoments; b?: AdamMoments },
      })));
      if (!isMoved) {
        for (const { ofD, ofB } of states) {
          assertEquals(ofD.data, new Float64Array(rank).fill(Math.fround(0.1)));
          assertEquals(ofB.data.every((value) => value === 0), true);
        }
      }
      const ones = (count: number) => matrix(count, 1, new Float64Array(count).fill(1));
      const product = (state: typeof states[number], ofB: Matrix, ofD: Matrix) =>
        multiply(scaled(state.b, ofB, ofD), state.a);
      for (let step = 1; step <= 5; step++) {
        const found = await run.gradients();
        for (const [i, state] of states.entries()) {
          const { a, b, ofB, ofD, moments } = state;
          const g = subtract(add(state.base, product(state, ofB, ofD)), state.target);
          // Rows of (diag(b) B)ᵀ G by those of A, and rows of G Aᵀ diag(d) by those of B.
          const sums = (x: Matrix, y: Matrix) => multiply(zip(x, y, (x, y) => x * y), ones(x.columns));
          const forD = sums(multiply(scaled(b, ofB, ones(rank)), g, { transposeA: true }), a);
          const forB = sums(scaled(multiply(g, a, { transposeB: true }), ones(b.rows), ofD), b);
          const wanted = add(product(state, forB, ofD), product(state, ofB, forD));
          const label = `rank ${rank}, map ${i}, step ${step}`;
          assertLess(relativeError(found[i]!.equivalent, wanted), 1e-5, `g̃ of ${label}`);
          const how = { step, learningRate: 0.02, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.5 };
          const nextD = adamwStep(ofD, forD, moments.d, how), nextB = adamwStep(ofB, forB, moments.b, how);
          Object.assign(state, { ofD: nextD.parameter, ofB: nextB.parameter });
          state.moments = { d: nextD.moments, b: nextB.moments };
        }
        await run.step(step, 0.02);
        for (const [i, { weight }] of (await run.read()).entries()) {
          const state = states[i]!, now = add(state.base, product(state, state.ofB, state.ofD));
          assertLess(relativeError(weight, now), 1e-5, `rank ${rank}, map ${i}, step ${step}`);
        }
      }
    });
  }
});

Deno.test("vera between ones and the identity is LoRA of rank 1, whose A and B are its vectors", async () => {
  const base = randomMatrix(7, 5, createRandom(1)), target = randomMatrix(7, 5, createRandom(2));
  const five = async (run: QuadraticRun) => {
    for (let step = 1; step <= 5; step++) await run.step(step, 0.05);
    return (await run.readOne()).weight;
  };
  const found = await onQuadratics(module, { rank: 5 }, [{ base, target }], (run, gpu) => {
    const [a, b] = run.optimizer.state;
    gpu.write(a!.value, Float32Array.from({ length: 25 }, (_, i) => Number(i % 6 === 0)));
    gpu.write(b!.value, new Float32Array(35).fill(1));
    return five(run);
  });
  const wanted = await onQuadratics(
    lora as unknown as OptimizerModule,
    { rank: 1, alpha: 1 },
    [{ base, target, a: matrix(1, 5, Array(5).fill(0.1)) }],
    five,
  );
  assertLess(relativeError(found, wanted), 1e-6);
});

Deno.test("vera takes ranks above a map's sides, and refuses what no A and B could have", () => {
  const refusal = (options: Partial<VeraOptions>) =>
    vera.validate({ ...vera.defaults, ...options }, [{ name: "narrow", in: 6, out: 40 }], 100);
  assertEquals([refusal({}), refusal({ rank: 4096 })], [null, null]);
  assertEquals(refusal({ rank: 4097 }), "rank is 4097, a whole number from 1 to 4096 is needed");
  assertEquals(refusal({ rank: 1.5 }), "rank is 1.5, a whole number from 1 to 4096 is needed");
  // From d = 0 and b = 0 nothing would ever move.
  assertEquals(refusal({ dInitial: 0 }), "dInitial is 0, a positive number is needed");
  assertEquals(refusal({ beta1: 1 }), "beta1 is 1, a number from 0 to below 1 is needed");
  assertEquals(vera.describe(vera.defaults), "shared random A and B");
});
