import { assertEquals, assertLess } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import {
  add,
  fromFloat32,
  type Matrix,
  matrix,
  multiply,
  randomMatrix,
  scale as times,
  sliceRows,
  subtract,
  toFloat32,
  transpose,
} from "../../tests/reference/matrix.ts";
import { type AdamMoments, adamwStep } from "../../tests/reference/network.ts";
import { onQuadratics } from "../../tests/support/low_rank_problems.ts";
import { type QuadraticRun, relativeError } from "../../tests/support/quadratic.ts";
import type { OptimizerModule } from "../optimizer.ts";
import { randlora, type RandloraOptions } from "./randlora.ts";
import { vera } from "./vera.ts";

const module = randlora as unknown as OptimizerModule;

function problem(rows: number, columns: number) {
  const random = createRandom(rows * columns);
  return {
    base: randomMatrix(rows, columns, random.fork("base")),
    target: randomMatrix(rows, columns, random.fork("target")),
  };
}

/** Tensors that a run keeps or trains, by name. */
async function valuesOf({ gpu, optimizer }: QuadraticRun, name: string): Promise<Matrix> {
  const { value } = [...optimizer.state, ...optimizer.trainable].find((one) => one.name === name)!;
  const [rows, columns = 1] = value.shape as [number, number?];
  return fromFloat32(await gpu.download(value), rows, columns);
}

Deno.test("randlora follows float64 at ranks 1, 3 and full, with one A and B for maps of different sides", async () => {
  const maps = [problem(9, 5), problem(6, 10), problem(7, 7), problem(9, 6)], scale = 2;
  for (const [rank, isMoved] of [[1, false], [3, false], [3, true], [5, true]] as const) {
    await onQuadratics(module, { rank, scale, weightDecay: 0.5 }, maps, async (run, gpu) => {
      const a = await valuesOf(run, "shared A");
      assertEquals([a.rows, a.columns], [rank, 7]);
      assertEquals(
        run.optimizer.state.slice(0, 4).map(({ name }) => name),
        ["shared A", "shared B.9", "shared B.10", "shared B.7"],
      );
      const [nine, ten] = [await valuesOf(run, "shared B.9"), await valuesOf(run, "shared B.10")];
      // Cuts of one matrix, whose numbers have a deviation of 1.
      for (let row = 0; row < Math.min(nine.rows, ten.rows); row++) {
        for (let i = 0; i < 9; i++) assertEquals(nine.data[row * 9 + i], ten.data[row * 10 + i]);
      }
      assertLess(Math.max(...a.data.map(Math.abs), ...nine.data.map(Math.abs)), 2.5);
      if (isMoved) {
        for (const { name, value } of run.optimizer.trainable) {
          const count = value.shape.reduce((product, size) => product * size, 1);
          gpu.write(value, createRandom(rank).fork(name).normal(count, 0.3));
        }
      }
      const states = await Promise.all(maps.map(async ({ base, target }, i) => {
        const isTurned = base.columns > base.rows, most = Math.max(base.rows, base.columns);
        const least = Math.min(base.rows, base.columns), products = Math.ceil(least / rank);
        return {
          ...{ base, target, isTurned, least, products },
          bases: sliceRows(await valuesOf(run, `shared B.${most}`), 0, products * rank),
          lambda: await valuesOf(run, `map ${i}.lambda`),
          gamma: await valuesOf(run, `map ${i}.gamma`),
          moments: {} as { lambda?: AdamMoments; gamma?: AdamMoments },
        };
      }));
      type State = typeof states[number];
      if (!isMoved) {
        for (const { lambda, gamma, products, least } of states) {
          assertEquals(lambda.data.every((value) => value === 0), true);
          assertEquals(gamma.data, new Float64Array(products * least).fill(Math.fround(1 / least)));
        }
      }
      /** A below itself N times, with the given scales of its rows and columns. */
      const scaledA = ({ products, least }: State, lambda: Matrix, gamma: Matrix) =>
        matrix(
          products * rank,
          least,
          Float64Array.from({ length: products * rank * least }, (_, n) => {
            const row = Math.floor(n / least), column = n % least;
            return lambda.data[row]! * a.data[row % rank * 7 + column]! *
              gamma.data[Math.floor(row / rank) * least + column]!;
          }),
        );
      const sumOf = ({ bases, isTurned }: State, scaled: Matrix) => {
        const sum = multiply(bases, scaled, { transposeA: true });
        return isTurned ? transpose(sum) : sum;
      };
      const weightOf = (state: State) =>
        add(state.base, sumOf(state, scaledA(state, state.lambda, state.gamma)), scale);
      for (let step = 1; step <= 5; step++) {
        const found = await run.gradients();
        states.forEach((state, i) => {
          const { bases, isTurned, least, lambda, gamma, moments } = state;
          const g = subtract(weightOf(state), state.target);
          const ofScaled = multiply(bases, isTurned ? transpose(g) : g);
          const forLambda = matrix(lambda.rows, 1, new Float64Array(lambda.rows));
          const forGamma = matrix(gamma.rows, gamma.columns, new Float64Array(gamma.data.length));
          ofScaled.data.forEach((value, n) => {
            const row = Math.floor(n / least), column = n % least, basis = a.data[row % rank * 7 + column]!;
            const at = Math.floor(row / rank) * least + column;
            forLambda.data[row]! += scale * value * basis * gamma.data[at]!;
            forGamma.data[at]! += scale * value * basis * lambda.data[row]!;
          });
          const change = add(scaledA(state, forLambda, gamma), scaledA(state, lambda, forGamma));
          const label = `rank ${rank}, map ${i}, step ${step}`;
          const wanted = times(sumOf(state, change), scale);
          assertLess(relativeError(found[i]!.equivalent, wanted), 1e-5, `g̃ of ${label}`);
          const how = { step, learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.5 };
          const nextL = adamwStep(lambda, forLambda, moments.lambda, how),
            nextG = adamwStep(gamma, forGamma, moments.gamma, how);
          Object.assign(state, { lambda: nextL.parameter, gamma: nextG.parameter });
          state.moments = { lambda: nextL.moments, gamma: nextG.moments };
        });
        await run.step(step, 0.01);
        for (const [i, { weight }] of (await run.read()).entries()) {
          assertLess(
            relativeError(weight, weightOf(states[i]!)),
            1e-5,
            `rank ${rank}, map ${i}, step ${step}`,
          );
        }
      }
    });
  }
});

Deno.test("randlora of one product of full rank, where inputs are more, is VeRA with its bases turned over", async () => {
  const map = problem(5, 8);
  const five = async (run: QuadraticRun) => {
    for (let step = 1; step <= 5; step++) await run.step(step, 0.02);
    return (await run.readOne()).weight;
  };
  let given: Matrix[] = [];
  const found = await onQuadratics(module, { rank: 5, scale: 1 }, [map], async (run, gpu) => {
    const lambda = Float32Array.of(0.3, -0.2, 0.1, 0.4, -0.5), [scales] = run.optimizer.trainable;
    gpu.write(scales!.value, lambda);
    given = await Promise.all(["shared A", "shared B.8"].map((name) => valuesOf(run, name)));
    return await five(run);
  });
  const wanted = await onQuadratics(
    vera as unknown as OptimizerModule,
    { rank: 5 },
    [map],
    async (run, gpu) => {
      const [a, b] = run.optimizer.state, [d, outputs] = run.optimizer.trainable;
      gpu.write(a!.value, toFloat32(given[1]!));
      gpu.write(b!.value, toFloat32(transpose(given[0]!)));
      gpu.write(d!.value, Float32Array.of(0.3, -0.2, 0.1, 0.4, -0.5));
      gpu.write(outputs!.value, new Float32Array(5).fill(0.2));
      return await five(run);
    },
  );
  assertLess(relativeError(found, wanted), 1e-6);
});

Deno.test("randlora refuses ranks above a map's smaller side, and scales that are none", () => {
  const refusal = (options: Partial<RandloraOptions>) =>
    randlora.validate({ ...randlora.defaults, ...options }, [{ name: "narrow", in: 6, out: 40 }], 100);
  assertEquals(refusal({ rank: 6 }), null);
  assertEquals(refusal({ rank: 7 }), 'rank is 7, at most 6 is possible at target module "narrow" [40, 6]');
  assertEquals(refusal({ rank: 6, scale: 0 }), "scale is 0, a positive number is needed");
  assertEquals(refusal({ rank: 6, epsilon: 0 }), "epsilon is 0, a positive number is needed");
  assertEquals(randlora.describe(randlora.defaults), "s = 20");
});
