import { assert, assertEquals, assertLess } from "@std/assert";
import { checksOfMethod, usual } from "../../contract/methods.ts";
import { svd } from "../../tests/reference/decompositions.ts";
import {
  type Matrix,
  multiply,
  scale as times,
  transpose,
  zeros,
  zip,
} from "../../tests/reference/matrix.ts";
import {
  assertFollows,
  conditionedProblem,
  freshProblem,
  type ReferenceStep,
} from "../../tests/support/low_rank_problems.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { shipped } from "../../training/shipped.ts";
import { lora, type LoraOptions } from "../lora.ts";
import type { OptimizerModule } from "../optimizer.ts";
import { lionUpdate } from "./base_rule.ts";

const module = lora as unknown as OptimizerModule;

/** U Vᵀ, without singular values that are rounding. */
function msign(x: Matrix): Matrix {
  const { u, values, v } = svd(x), kept = zeros(values.length, values.length);
  values.forEach((value, i) => kept.data[i * values.length + i] = value > 1e-9 * values[0]! ? 1 : 0);
  return multiply(multiply(u, kept), transpose(v));
}

/** A base's direction from a factor's gradient and its momentum, which it moves. */
const directions: Readonly<Record<string, (m: Matrix, g: Matrix) => { m: Matrix; direction: Matrix }>> = {
  sgd(m, g) {
    const next = zip(m, g, (m, g) => 0.9 * m + g);
    return { m: next, direction: next };
  },
  lion(m, g) {
    return {
      direction: zip(m, g, (m, g) => Math.sign(0.9 * m + 0.1 * g)),
      m: zip(m, g, (m, g) => 0.99 * m + 0.01 * g),
    };
  },
  muon(m, g) {
    const next = zip(m, g, (m, g) => 0.95 * m + g), polar = msign(zip(next, g, (m, g) => 0.95 * m + g));
    return { m: next, direction: times(polar, 0.2 * Math.sqrt(Math.max(g.rows, g.columns))) };
  },
};

function reference(base: string, rate: number, weightDecay: number): ReferenceStep {
  const moments: { a?: Matrix; b?: Matrix } = {}, keep = 1 - rate * weightDecay;
  return ({ a, b, scale }, gradient) => {
    const gradients = {
      a: times(multiply(transpose(b), gradient), scale),
      b: times(multiply(gradient, transpose(a)), scale),
    };
    const moved = (which: "a" | "b", factor: Matrix) => {
      const before = moments[which] ?? zeros(factor.rows, factor.columns);
      const { m, direction } = directions[base]!(before, gradients[which]);
      moments[which] = m;
      return zip(factor, direction, (p, d) => keep * p - rate * d);
    };
    return { a: moved("a", a), b: moved("b", b), scale };
  };
}

for (const [base, rate] of [["sgd", 0.01], ["lion", 0.02], ["muon", 0.05]] as const) {
  Deno.test(`lora by ${base} follows float64 at ranks 1, 3 and full, from B = 0 and not, with decay`, async () => {
    for (
      const [rank, rows, columns, weightDecay] of [[1, 9, 14, 0], [3, 14, 9, 0.5], [6, 6, 6, 0]] as const
    ) {
      for (const map of [freshProblem(rows, columns, rank, 5), conditionedProblem(rows, columns, rank, 6)]) {
        await assertFollows(module, { base, weightDecay }, map, reference(base, rate, weightDecay), {
          ...{ scale: 2, rate, relative: 1e-4, label: `${base}, rank ${rank}` },
        });
      }
    }
  });

  const variant = { ...module, defaults: { ...module.defaults, base } };
  const promises = [
    "its footprint by formula",
    "its work and its footprint",
    "saved after step 5",
    "gradients that are not finite",
    "from factors that lack ranks",
  ];
  for (const { promise, hold } of checksOfMethod({ module: variant, ...usual }, shipped)) {
    if (!promises.some((start) => promise.startsWith(start))) continue;
    Deno.test(`lora by ${base}: ${promise}`, async () => await hold(await testGpu()));
  }
}

Deno.test("lionUpdate() takes no step where nothing moves, and keeps what is not finite", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("lion");
  const upload = (...values: number[]) => gpu.upload(Float32Array.from(values), "f32", [values.length], "x");
  const parameter = upload(1, 2, 3, 4, 5), m = upload(0, 0, -1, 0, 0);
  lionUpdate(gpu, { parameter, gradient: upload(0, 2, 1, Infinity, NaN), m }, 0.5);
  const [found, moments] = await gpu.downloadAll([parameter, m]);
  assertEquals([...found!.subarray(0, 3)], [1, 1.5, 3.5]);
  assert(found!.subarray(3).every(Number.isNaN));
  assertLess(Math.abs(moments![2]! + 0.98), 1e-6);
});

Deno.test("lora refuses bases that it does not know and ranks that Muon does not take", () => {
  const refusal = (options: Partial<LoraOptions>) =>
    lora.validate({ ...lora.defaults, ...options }, [{ name: "wide", in: 600, out: 500 }], 100);
  assertEquals(refusal({ base: "lion", rank: 300 }), null);
  assertEquals(refusal({ base: "adam" }), 'base is "adam", known are adamw, sgd, lion, muon');
  assertEquals(refusal({ base: "muon", rank: 300 }), 'rank is 300, at most 256 is possible with base "muon"');
  assertEquals(lora.describe({ ...lora.defaults, base: "lion" }), "alpha/r, Lion");
});
