import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { pseudoInverse, svd } from "../../tests/reference/decompositions.ts";
import { columnProjector, factorGradients, rowProjector } from "../../tests/reference/low_rank.ts";
import {
  add,
  type Matrix,
  multiply,
  randomMatrix,
  scale as times,
  subtract,
  transpose,
} from "../../tests/reference/matrix.ts";
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
import { loraRite } from "../lora_rite/lora_rite.ts";
import type { OptimizerModule, Options } from "../optimizer.ts";
import { loraMuon, type LoraMuonOptions } from "./lora_muon.ts";

const module = loraMuon as unknown as OptimizerModule;

/** U f(S) Vᵀ. */
function ofValues(m: Matrix, f: (value: number) => number): Matrix {
  const { u, values: s, v } = svd(m);
  const turned = transpose(v);
  for (let i = 0; i < s.length; i++) {
    for (let j = 0; j < turned.columns; j++) turned.data[i * turned.columns + j]! *= f(s[i]!);
  }
  return multiply(u, turned);
}

/** U Vᵀ. */
function polar(m: Matrix): Matrix {
  const most = Math.max(...svd(m).values);
  return ofValues(m, (value) => value > 1e-9 * most ? 1 : 0);
}

/** (XᵀX)^(-1/2), 0 where X is. */
function inverseRoot(x: Matrix): Matrix {
  const gram = multiply(x, x, { transposeA: true }), most = Math.max(...svd(gram).values);
  return ofValues(gram, (value) => value > 1e-12 * most ? value ** -0.5 : 0);
}

function reference({ weightDecay = 0 }: Partial<LoraMuonOptions>, rate: number): ReferenceStep {
  let ofA: Matrix | null = null, ofB: Matrix | null = null;
  return (factors, gradient) => {
    const { a, b, scale } = factors, raw = factorGradients(gradient, factors);
    ofA = add(times(ofA ?? raw.gradientA, ofA ? 0.95 : 0), raw.gradientA, 0.05);
    ofB = add(times(ofB ?? raw.gradientB, ofB ? 0.95 : 0), raw.gradientB, 0.05);
    const kA = inverseRoot(transpose(a)), kB = inverseRoot(b), d = Math.sqrt(1 - rate * weightDecay);
    const c = -rate / (2 * scale * d);
    return {
      a: add(times(a, d), multiply(kB, polar(multiply(kB, ofA))), c),
      b: add(times(b, d), multiply(polar(multiply(ofB, kA)), kA), c),
      scale,
    };
  };
}

Deno.test("loraMuon follows float64 at ranks 1, 3 and full, from B = 0 and not, decayed or not", async () => {
  for (const [rank, rows, columns] of [[1, 9, 30], [3, 20, 12], [6, 6, 6], [5, 5, 14]] as const) {
    const maps = [
      conditionedProblem(rows, columns, rank, rank),
      freshProblem(rows, columns, rank, rank + 20),
    ];
    for (const [i, map] of maps.entries()) {
      const options = i === 0 ? { weightDecay: 0.5 } : {}, rate = 0.2;
      const how = { scale: 2, rate, relative: 1e-4, label: `rank ${rank} start ${i}` };
      await assertFollows(module, options, map, reference(options, rate), how);
    }
  }
});

/** P_B X + X P_A − P_B X P_A. */
function onTangent(x: Matrix, a: Matrix, b: Matrix): Matrix {
  const ofA = rowProjector(a), ofB = columnProjector(b), left = multiply(ofB, x);
  return add(left, multiply(subtract(x, left), ofA));
}

function tangentReference(
  { tau = 4, weightDecay = 0 }: Partial<LoraMuonOptions>,
  rate: number,
): ReferenceStep {
  let ofA: Matrix | null = null, ofB: Matrix | null = null;
  return (factors, gradient) => {
    const { a, b, scale } = factors, raw = factorGradients(gradient, factors);
    ofA = add(times(ofA ?? raw.gradientA, ofA ? 0.95 : 0), raw.gradientA, 0.05);
    ofB = add(times(ofB ?? raw.gradientB, ofB ? 0.95 : 0), raw.gradientB, 0.05);
    const toA = pseudoInverse(a, 1e-6), toB = pseudoInverse(b, 1e-6);
    const left = multiply(toB, ofA, { transposeA: true }), right = multiply(ofB, toA, { transposeB: true });
    const rest = subtract(right, multiply(columnProjector(b), right));
    let x = times(add(left, rest), 1 / scale);
    for (let time = 0; time < tau; time++) x = onTangent(polar(x), a, b);
    const d = Math.sqrt(1 - rate * weightDecay), c = -rate / (scale * d);
    const ofX = multiply(toB, x);
    return {
      a: add(times(a, d), subtract(ofX, multiply(ofX, rowProjector(a))), c),
      b: add(times(b, d), multiply(x, toA), c),
      scale,
    };
  };
}

Deno.test("loraMuon's tangent form follows float64 at ranks 1, 3 and full, from B = 0 and not, whatever tau", async () => {
  for (const [rank, rows, columns] of [[1, 9, 30], [3, 20, 12], [8, 17, 40], [5, 5, 14]] as const) {
    const maps = [
      conditionedProblem(rows, columns, rank, rank),
      freshProblem(rows, columns, rank, rank + 20),
    ];
    for (const [i, map] of maps.entries()) {
      const options = { form: "tangent", tau: 3 * i + 1, weightDecay: 0.5 * i }, rate = 0.2;
      const how = { scale: 2, rate, relative: 1e-4, label: `rank ${rank} start ${i}` };
      await assertFollows(module, options, map, tangentReference(options, rate), how);
    }
  }
});

Deno.test("loraMuon's tangent form moves W along one path from any factors, and its first direction meets the gradient in a nuclear norm", async () => {
  const map = conditionedProblem(14, 18, 4, 6), options = scaledOptions(4, 2, { form: "tangent" });
  const wanted = await trained(map, options, 6);
  assertGreater(relativeError(wanted, effectiveWeight(map.base, map.a, map.b, 2)), 0.03);
  assertLess(relativeError(await trained(rebased(map, 7), options, 6), wanted), 2e-5);
  await onQuadratics(module, { ...options, tau: 1 }, [map], async (run) => {
    const [found] = await run.gradients(), { full, equivalent } = found!;
    const seen = onTangent(full, map.a, map.b);
    const inner = equivalent.data.reduce((sum, value, i) => sum + value * seen.data[i]!, 0);
    assertClose([inner], [svd(seen).values.reduce((sum, value) => sum + value, 0)], { relative: 1e-5 });
  });
});

/** W after some steps. */
function trained(map: Quadratic, options: Options, steps: number): Promise<Matrix> {
  return onQuadratics(module, options, [map], async (run) => {
    for (let step = 1; step <= steps; step++) await run.step(step, 0.2);
    return (await run.readOne()).weight;
  });
}

Deno.test("loraMuon moves W along the same path from any factors of B A and at any s", async () => {
  const map = conditionedProblem(14, 18, 4, 6), wanted = await trained(map, scaledOptions(4, 2), 6);
  assertGreater(relativeError(wanted, effectiveWeight(map.base, map.a, map.b, 2)), 0.03);
  for (const seed of [7, 8]) {
    assertLess(relativeError(await trained(rebased(map, seed), scaledOptions(4, 2), 6), wanted), 2e-5);
  }
  const larger = { ...map, b: times(map.b, 4) };
  assertLess(relativeError(await trained(larger, scaledOptions(4, 0.5), 6), wanted), 2e-5);
});

Deno.test("loraMuon's step moves W by a spectral norm of at most the rate, along what both factors reach", async () => {
  const map = conditionedProblem(14, 18, 4, 5), rate = 1e-2;
  await onQuadratics(module, scaledOptions(4, 2), [map], async (run) => {
    const before = await run.readOne(), [found] = await run.gradients(), { full, equivalent } = found!;
    const bases = {
      a: ofValues(before.a, () => 1),
      b: ofValues(before.b, () => 1),
    };
    const wanted = times(
      add(
        multiply(polar(multiply(full, bases.a, { transposeB: true })), bases.a),
        multiply(bases.b, polar(multiply(bases.b, full, { transposeA: true }))),
      ),
      0.5,
    );
    // Condition numbers below 10, f32 throughout.
    assertClose(equivalent.data, wanted.data, { relative: 2e-5 }, "equivalent gradient");
    assertLess(Math.max(...svd(equivalent).values), 1 + 1e-5);
    // Its product with the gradient is half the nuclear norms of what each factor sees of it.
    const nuclear = (m: Matrix) => svd(m).values.reduce((sum, value) => sum + value, 0);
    const inner = equivalent.data.reduce((sum, value, i) => sum + value * full.data[i]!, 0);
    const parts = nuclear(multiply(full, rowProjector(before.a))) +
      nuclear(multiply(columnProjector(before.b), full));
    assertClose([inner], [parts / 2], { relative: 1e-5 });
    await run.step(1, rate);
    const moved = subtract((await run.readOne()).weight, before.weight);
    // The factors' own product is of second order.
    assertLess(relativeError(moved, times(equivalent, -rate)), 0.02);
  });
});

Deno.test("loraMuon is LoRA-RITE without moments, epsilon and clipping, but for the length of its steps", async () => {
  const map = conditionedProblem(14, 18, 4, 9), rate = 0.05, scale = 2;
  const without = { beta1: 0, beta2: 0, epsilon: 1e-12, clipNorm: 0, momentFloor: 0 };
  const rite = loraRite as unknown as OptimizerModule;
  const changes = async (method: OptimizerModule, options: Options) =>
    await onQuadratics(method, scaledOptions(4, scale, options), [map], async (run) => {
      await run.step(1, rate);
      const { a, b } = await run.readOne();
      return { a: subtract(a, map.a), b: subtract(b, map.b) };
    });
  const ours = await changes(module, {}), theirs = await changes(rite, without);
  assertClose(theirs.a.data, times(ours.a, 2 * scale * Math.sqrt(18)).data, { relative: 1e-4 }, "A");
  assertClose(theirs.b.data, times(ours.b, 2 * scale * Math.sqrt(14)).data, { relative: 1e-4 }, "B");
});

Deno.test("loraMuon leaves out directions of a momentum below the floor, which rounding alone may have made", async () => {
  const random = createRandom(3), map = conditionedProblem(14, 18, 4, 5);
  // A gradient of rank 2, but for what is little more than rounding.
  const ofRank2 = (name: string) =>
    multiply(randomMatrix(14, 2, random.fork(`${name} l`)), randomMatrix(2, 18, random.fork(`${name} r`)));
  const start = effectiveWeight(map.base, map.a, map.b, 2);
  const thin = { ...map, target: add(add(start, ofRank2("large")), ofRank2("small"), 1e-5) };
  const step = (options: Options) =>
    onQuadratics(module, scaledOptions(4, 2, options), [thin], async (run) => {
      await run.step(1, 0.1);
      return subtract((await run.readOne()).b, map.b);
    });
  const kept = await step({}), lifted = await step({ momentFloor: 0 });
  const ranks = (m: Matrix) => svd(m).values.filter((value, _, all) => value > 1e-3 * all[0]!).length;
  assertEquals([ranks(kept), ranks(lifted)], [2, 4]);
});

Deno.test("loraMuon stays finite over six steps from factors that lack ranks or are 0", async () => {
  for (const form of ["factors", "tangent"]) {
    await onQuadratics(module, { rank: 4, form }, deficientProblems(12, 16, 9), async (run) => {
      for (let step = 1; step <= 6; step++) await run.step(step, 0.1);
      (await run.read()).forEach(({ a, b }, i) =>
        assert([...a.data, ...b.data].every(Number.isFinite), `${form} start ${i}`)
      );
    });
  }
});

Deno.test("loraMuon refuses momenta and floors out of range, and ranks that it cannot decompose", () => {
  const refusal = (options: Partial<LoraMuonOptions>) =>
    loraMuon.validate({ ...loraMuon.defaults, ...options }, [{ name: "wide", in: 400, out: 300 }], 100);
  assertEquals(refusal({}), null);
  assertEquals(refusal({ momentum: 1 }), "momentum is 1, a number from 0 to below 1 is needed");
  assertEquals(refusal({ momentFloor: 1 }), "momentFloor is 1, 0 to 1 is needed, below 1");
  assertEquals(
    refusal({ rank: 257 }),
    'rank is 257, at most 256 is possible at target module "wide" [300, 400]',
  );
  assertEquals(refusal({ form: "whole" }), 'form is "whole", known are factors, tangent');
  assertEquals(refusal({ tau: 0 }), "tau is 0, a whole number of 1 or more is needed");
  assertEquals(
    refusal({ form: "tangent", rank: 129 }),
    'rank is 129, at most 128 is possible at target module "wide" [300, 400]',
  );
  assertEquals(loraMuon.describe({ ...loraMuon.defaults, momentFloor: 0 }), "alpha/r, floor 0");
  assertEquals(loraMuon.describe({ ...loraMuon.defaults, form: "tangent" }), "alpha/r, tangent, tau 4");
});
