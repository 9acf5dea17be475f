import { assertEquals, assertLess } from "@std/assert";
import { checksOfMethod, usual } from "../../contract/methods.ts";
import { createRandom } from "../../numerics/random.ts";
import { svd } from "../../tests/reference/decompositions.ts";
import {
  add,
  fromFloat32,
  identity,
  type Matrix,
  multiply,
  norm,
  randomMatrix,
  sliceColumns,
  subtract,
  toFloat32,
  transpose,
  zip,
} from "../../tests/reference/matrix.ts";
import { adamDirection, type AdamMoments } from "../../tests/reference/network.ts";
import { onQuadratics } from "../../tests/support/low_rank_problems.ts";
import { type Quadratic, type QuadraticRun, relativeError } from "../../tests/support/quadratic.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { shipped } from "../../training/shipped.ts";
import { full } from "../full.ts";
import type { OptimizerModule, Options } from "../optimizer.ts";
import { scaleChannels } from "./channels.ts";
import { galore, type GaloreOptions } from "./galore.ts";

const module = galore as unknown as OptimizerModule;

function problem(rows: number, columns: number): Required<Pick<Quadratic, "base" | "target">> {
  const random = createRandom(rows + columns);
  return {
    base: randomMatrix(rows, columns, random.fork("base")),
    target: randomMatrix(rows, columns, random.fork("target")),
  };
}

/** Q of an upright gradient, `[rank, columns]`. The largest entry of each right vector of the gradient as it lies is positive. */
function basisOf(gradient: Matrix, rank: number, wide: boolean): Matrix {
  const { u, v } = svd(gradient),
    basis = transpose(sliceColumns(v, 0, rank)),
    right = transpose(wide ? u : v);
  for (let k = 0; k < rank; k++) {
    const entries = right.data.subarray(k * right.columns, (k + 1) * right.columns);
    const largest = entries.reduce((most, value) => Math.abs(value) > Math.abs(most) ? value : most, 0);
    for (let j = 0; largest < 0 && j < basis.columns; j++) basis.data[k * basis.columns + j]! *= -1;
  }
  return basis;
}

/** A method in float64, of a map with at least as many rows as columns. */
class Reference {
  moments: AdamMoments | undefined;
  last = 0;
  constructor(readonly options: GaloreOptions, public basis: Matrix) {}

  step(weight: Matrix, gradient: Matrix, learningRate: number): Matrix {
    const { rule, scale, growth, weightDecay } = this.options;
    const low = multiply(gradient, transpose(this.basis));
    const { direction, moments } = adamDirection(low, this.moments, this.options);
    this.moments = moments;
    const lengths = (m: Matrix) =>
      Array.from(
        { length: m.rows },
        (_, i) => Math.hypot(...m.data.subarray(i * m.columns, (i + 1) * m.columns)),
      );
    const phi = lengths(direction).map((length, i) => length / (lengths(low)[i]! + 1e-8));
    const scaled = (m: Matrix) => ({ ...m, data: m.data.map((v, i) => v * phi[Math.floor(i / m.columns)]!) });
    let rest: Matrix = scaled(rule === "apollo" ? gradient : subtract(gradient, multiply(low, this.basis)));
    const size = norm(rest), most = growth * this.last;
    if (most > 0 && size > most) rest = zip(rest, rest, (v) => v * most / size);
    this.last = norm(rest);
    const back = multiply(direction, this.basis);
    const step = rule === "galore" ? back : rule === "fira" ? add(back, rest) : rest;
    return zip(weight, step, (w, s) => (1 - learningRate * weightDecay) * w - learningRate * scale * s);
  }
}

/** Q as a run has it, for a map with at least as many rows as columns. */
async function readBasis(run: QuadraticRun, wide: boolean): Promise<Matrix> {
  const { value } = run.optimizer.state.find(({ name }) => name === "map 0.Q")!;
  const [rows, columns] = value.shape as [number, number];
  const basis = fromFloat32(await run.gpu.download(value), rows, columns);
  return wide ? transpose(basis) : basis;
}

const sizes = [[1, 12, 9], [3, 7, 10], [6, 6, 6], [5, 5, 8]] as const;

for (const rule of ["galore", "fira", "apollo"]) {
  Deno.test(`galore's rule "${rule}" follows float64 at ranks 1, 3 and full, tall and wide, across a new Q`, async () => {
    for (const [i, [rank, rows, columns]] of sizes.entries()) {
      const wide = rows < columns, { base, target } = problem(rows, columns);
      const given = {
        rule,
        rank,
        period: 3,
        weightDecay: i % 2 * 0.5,
        ...rule === "apollo" ? { growth: i % 2 * 1.01 } : {},
      };
      const options = { ...galore.defaults, ...given }, label = `${rule} rank ${rank} [${rows}, ${columns}]`;
      await onQuadratics(module, given, [{ base, target }], async (run) => {
        const upright = (m: Matrix) => wide ? transpose(m) : m;
        let weight = upright(base), reference: Reference | null = null;
        for (let step = 1; step <= 5; step++) {
          const gradient = subtract(weight, upright(target));
          const [found] = await run.gradients();
          await run.step(step, 0.2);
          // Random where the rule has it so; otherwise of the step's gradient.
          if (step % 3 === 1) {
            const basis = rule === "apollo" ? await readBasis(run, wide) : basisOf(gradient, rank, wide);
            if (reference) reference.basis = basis;
            reference ??= new Reference(options, basis);
          }
          if (step % 3 !== 1 || step === 1) {
            const { basis } = reference!, projected = multiply(multiply(gradient, transpose(basis)), basis);
            const wanted = rule === "galore" ? projected : gradient;
            assertLess(relativeError(found!.equivalent, upright(wanted)), 1e-5, `${label} g̃ of step ${step}`);
          }
          weight = reference!.step(weight, gradient, 0.2);
          assertLess(
            relativeError((await run.readOne()).weight, upright(weight)),
            1e-5,
            `${label} step ${step}`,
          );
        }
      });
    }
  });
}

/** Five steps on one map, with Q of the test's own where there is one. */
function trained(method: OptimizerModule, given: Options, map: Quadratic, basis?: Matrix): Promise<Matrix> {
  return onQuadratics(method, given, [map], async (run, gpu) => {
    const kept = run.optimizer.state.find(({ name }) => name === "map 0.Q");
    if (basis) gpu.write(kept!.value, toFloat32(basis));
    for (let step = 1; step <= 5; step++) await run.step(step, 0.1);
    return (await run.readOne()).weight;
  });
}

Deno.test("galore with Q the identity is AdamW on the weights; fira at full rank is galore", async () => {
  for (const [rows, columns] of [[8, 5], [5, 8]] as const) {
    const map = problem(rows, columns), rank = 5, same = { rank, scale: 1, weightDecay: 0.5 };
    const wanted = await trained(full as unknown as OptimizerModule, { weightDecay: 0.5 }, map);
    assertLess(relativeError(await trained(module, same, map, identity(rank)), wanted), 1e-6);
    const turned = await trained(module, { rank }, map);
    assertLess(relativeError(await trained(module, { rank, rule: "fira" }, map), turned), 1e-5);
    assertLess(1e-3, relativeError(await trained(module, { ...same }, map), wanted));
  }
});

Deno.test("fira and apollo limit how the norm grows, and the first step and a norm of 0 by nothing", async () => {
  const map = problem(9, 6);
  for (const rule of ["fira", "apollo"]) {
    const norms = await onQuadratics(module, { rule, rank: 2 }, [map], async (run, gpu) => {
      const { value } = run.optimizer.state.find(({ name }) => name === "map 0.norm")!, found: number[] = [];
      for (let step = 1; step <= 4; step++) {
        // Past the target, where directions grow against gradients.
        await run.step(step, 20 ** step / 20);
        found.push((await gpu.download(value))[0]!);
      }
      return found;
    });
    norms.slice(1).forEach((value, i) => assertLess(value, 1.0100001 * norms[i]!, rule));
    assertLess(0, norms[0]!);
  }
});

Deno.test("scaleChannels() is float64's for rows and columns, however many lanes share a row", async () => {
  const gpu = await testGpu(), random = createRandom(2), rank = 3;
  using _ = gpu.scope("channels");
  const of = (rows: number, columns: number, label: string) =>
    randomMatrix(rows, columns, random.fork(label));
  const upload = (m: Matrix) => gpu.upload(toFloat32(m), "f32", [m.rows, m.columns], "matrix");
  for (const [channels, lanes] of [["rows", 1], ["rows", 32], ["columns", 1]] as const) {
    const [rows, columns] = channels === "rows" ? [70, 45] : [45, 70], upright = channels === "rows";
    const turn = (m: Matrix) => upright ? m : transpose(m), g = of(rows, columns, "g");
    const [low, direction] = ["low", "direction"].map((label) => of(70, rank, label)) as [Matrix, Matrix];
    const lengths = (m: Matrix) =>
      Array.from({ length: 70 }, (_, i) => Math.hypot(...m.data.subarray(i * rank, (i + 1) * rank)));
    const phi = lengths(direction).map((length, i) => length / (lengths(low)[i]! + 1e-8));
    const grown = zip(turn(g), turn(g), (v) => v);
    grown.data.forEach((value, i) => grown.data[i] = value * phi[Math.floor(i / grown.columns)]!);
    const size = norm(grown);
    for (const before of [0, size / 2]) {
      const gradient = upload(g), last = gpu.upload(Float32Array.of(before), "f32", [1], "last");
      scaleChannels(gpu, gradient, {
        channels,
        lanes,
        growth: 1.01,
        last,
        low: upload(turn(low)),
        direction: upload(turn(direction)),
      });
      const [found, length] = await gpu.downloadAll([gradient, last]), share = before === 0 ? 1 : 1.01 / 2;
      const wanted = zip(grown, grown, (v) => share * v);
      assertLess(
        relativeError(turn(fromFloat32(found!, rows, columns)), wanted),
        1e-6,
        `${channels} ${lanes}`,
      );
      assertLess(Math.abs(length![0]! / (share * size) - 1), 1e-6);
    }
  }
});

Deno.test("galore stays finite where the gradient is 0", async () => {
  const { base } = problem(7, 5);
  for (const rule of ["galore", "fira", "apollo"]) {
    const weight = await trained(module, { rule, rank: 2, period: 2 }, { base, target: base });
    assertLess(relativeError(weight, base), 1e-6, rule);
  }
});

for (const rule of ["galore", "fira", "apollo"]) {
  // A random Q is the seed's, and what is saved is restored under another one.
  const period = rule === "apollo" ? 200 : 3;
  const variant = { ...module, defaults: { ...module.defaults, rule, period } };
  const promises = ["its footprint by formula", "its work and its footprint", "saved after step 5"];
  for (const { promise, hold } of checksOfMethod({ module: variant, ...usual, learningRate: 0.1 }, shipped)) {
    if (!promises.some((start) => promise.startsWith(start))) continue;
    Deno.test(`galore's rule "${rule}" with many a Q: ${promise}`, async () => await hold(await testGpu()));
  }
}

Deno.test("galore refuses ranks beyond a target module and settings that it has not", () => {
  const refusal = (options: Partial<GaloreOptions>) =>
    galore.validate({ ...galore.defaults, ...options }, [{ name: "narrow", in: 6, out: 40 }], 100);
  assertEquals(refusal({ rank: 6 }), null);
  assertEquals(refusal({ rank: 7 }), 'rank is 7, at most 6 is possible at target module "narrow" [40, 6]');
  assertEquals(refusal({ rank: 2, rule: "ldadam" }), 'rule is "ldadam", known are galore, fira, apollo');
  assertEquals(refusal({ rank: 2, period: 0 }), "period is 0, a whole number of 1 or more is needed");
  assertEquals(refusal({ rank: 2, scale: 0 }), "scale is 0, a positive number is needed");
  assertEquals(
    refusal({ rank: 2, rule: "fira", growth: 0.5 }),
    "growth is 0.5, 1 or more is needed, or 0 for no limit",
  );
  assertEquals(
    refusal({ rank: 2, growth: 2 }),
    'growth is 2 with rule "galore", which limits nothing: leave it out',
  );
  assertEquals(refusal({ rank: 2, trains: "some" }), 'trains is "some", known are all, targetModules');
  assertEquals(
    galore.describe({ ...galore.defaults, rule: "fira", trains: "targetModules" }),
    "Fira, adapted target modules only",
  );
});
