/** @file Quadratics to start members of the LoRA family from, and one way to follow them beside float64. */
import { assertLess } from "@std/assert";
import type { Gpu } from "../../gpu/gpu.ts";
import { createRandom } from "../../numerics/random.ts";
import type { OptimizerModule, Options } from "../../optimizers/optimizer.ts";
import { assertClose } from "./assert_close.ts";
import {
  attachToQuadratics,
  effectiveWeight,
  type NamedQuadratic,
  type Quadratic,
  type QuadraticRun,
  relativeError,
} from "./quadratic.ts";
import { inverse } from "../reference/decompositions.ts";
import type { Factors } from "../reference/low_rank.ts";
import {
  add,
  identity,
  type Matrix,
  multiply,
  randomMatrix,
  roundToFloat32,
  subtract,
  withSingularValues,
  zeros,
} from "../reference/matrix.ts";
import { testGpu } from "./test_gpu.ts";

/** A map with well-conditioned factors; its gradient at the start is random. */
export function conditionedProblem(
  rows: number,
  columns: number,
  rank: number,
  seed: number,
): Required<Quadratic> {
  const random = createRandom(seed);
  const spread = (low: number) => Array.from({ length: rank }, (_, i) => 1 - (1 - low) * i / rank);
  return {
    base: randomMatrix(rows, columns, random.fork("base")),
    target: randomMatrix(rows, columns, random.fork("target")),
    a: roundToFloat32(withSingularValues(rank, columns, spread(0.3), random.fork("a"))),
    b: roundToFloat32(withSingularValues(rows, rank, spread(0.5), random.fork("b"))),
  };
}

/** The same map from B = 0. */
export function freshProblem(
  rows: number,
  columns: number,
  rank: number,
  seed: number,
): Required<Quadratic> {
  return { ...conditionedProblem(rows, columns, rank, seed), b: zeros(rows, rank) };
}

/** The same map from (B R, R⁻¹ A), in f32: s B A is the same up to rounding. */
export function rebased(map: Required<Quadratic>, seed: number): Required<Quadratic> {
  const rank = map.a.rows, turn = add(identity(rank), randomMatrix(rank, rank, createRandom(seed), 0.4));
  return {
    ...map,
    a: roundToFloat32(multiply(inverse(turn), map.a)),
    b: roundToFloat32(multiply(map.b, turn)),
  };
}

/** The same map from factors that lack ranks, one of them or both, or are 0. */
export function deficientProblems(rows: number, columns: number, seed: number): Required<Quadratic>[] {
  const map = conditionedProblem(rows, columns, 4, seed), random = createRandom(seed + 1);
  const deficient = (height: number, width: number, rank: number) =>
    roundToFloat32(
      multiply(randomMatrix(height, rank, random.fork("l")), randomMatrix(rank, width, random.fork("r"))),
    );
  return [
    { a: deficient(4, columns, 2), b: map.b },
    { a: map.a, b: deficient(rows, 4, 1) },
    { a: deficient(4, columns, 1), b: zeros(rows, 4) },
    { a: zeros(4, columns), b: map.b },
    { a: zeros(4, columns), b: zeros(rows, 4) },
  ].map((start) => ({ ...map, ...start }));
}

/** A method at work on some maps, whose tensors are freed after `body`. */
export async function onQuadratics<T>(
  module: OptimizerModule,
  options: Options,
  maps: readonly NamedQuadratic[],
  body: (run: QuadraticRun, gpu: Gpu) => Promise<T>,
): Promise<T> {
  const gpu = await testGpu();
  using _ = gpu.scope(module.id);
  return await body(await attachToQuadratics(gpu, module, options, maps), gpu);
}

/** Options that give the scale s at a rank. */
export function scaledOptions(rank: number, scale: number, more: Options = {}): Options {
  return { rank, alpha: scale * rank, ...more };
}

/** A method in float64: what it makes of A and B from dL/dW there. */
export type ReferenceStep = (factors: Factors, gradient: Matrix, step: number) => Factors;

/**
 * Passes where A and B follow the reference on one map for some steps, each to within `relative`, and the effective weight to
 * within 1e-5 of its norm.
 */
export async function assertFollows(
  module: OptimizerModule,
  options: Options,
  map: Required<Quadratic>,
  reference: ReferenceStep,
  { scale, rate, relative, steps = 5, label }: {
    readonly scale: number;
    readonly rate: number;
    readonly relative: number;
    readonly steps?: number;
    readonly label: string;
  },
): Promise<void> {
  let state: Factors = { a: map.a, b: map.b, scale };
  await onQuadratics(module, scaledOptions(map.a.rows, scale, options), [map], async (run) => {
    for (let step = 1; step <= steps; step++) {
      const gradient = subtract(effectiveWeight(map.base, state.a, state.b, scale), map.target);
      state = reference(state, gradient, step);
      await run.step(step, rate);
      const { a, b, weight } = await run.readOne();
      assertClose(a.data, state.a.data, { relative }, `A ${label} step ${step}`);
      assertClose(b.data, state.b.data, { relative }, `B ${label} step ${step}`);
      const wanted = effectiveWeight(map.base, state.a, state.b, scale);
      assertLess(relativeError(weight, wanted), 1e-5, `W ${label} step ${step}`);
    }
  });
}
