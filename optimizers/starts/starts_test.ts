import { assert, assertEquals } from "@std/assert";
import { signedSvd } from "../../tests/reference/lora_ga.ts";
import {
  add,
  identity,
  type Matrix,
  multiply,
  norm,
  orthonormalColumns,
  randomMatrix,
  roundToFloat32,
  scale as times,
  sliceColumns,
  subtract,
  transpose,
  withSingularValues,
  zeros,
} from "../../tests/reference/matrix.ts";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { onQuadratics } from "../../tests/support/low_rank_problems.ts";
import { attachToQuadratics, type Quadratic, type QuadraticState } from "../../tests/support/quadratic.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import type { OptimizerModule, Options } from "../optimizer.ts";
import { pissa } from "../pissa.ts";
import { corda, type CordaOptions, eva, loraNull, milora, olora } from "./starts.ts";

/** A map of well separated singular values, so that its singular vectors are well defined. */
function map(rows: number, columns: number, count = Math.min(rows, columns)): Quadratic {
  const random = createRandom(rows), values = Array.from({ length: count }, (_, i) => 3 * 0.7 ** i);
  const base = roundToFloat32(withSingularValues(rows, columns, values, random.fork("base")));
  return { base, target: randomMatrix(rows, columns, random.fork("target")) };
}

const MAPS = [map(12, 10), map(9, 30), map(40, 7)];

/** The maps as a method starts on them. */
function started(module: unknown, options: Options, maps: readonly Quadratic[] = MAPS) {
  return onQuadratics(
    module as OptimizerModule,
    options,
    maps,
    (run) => Promise.all([run.read(), run.optimizer.factors(run.targetModules[0]!)!.scale]),
  );
}

/** Passes where each map's start is s B A with the base weight reduced by it, and the effective weight is as it was. */
function assertTakenOut(found: readonly QuadraticState[], scale: number, label: string): void {
  found.forEach(({ a, b, base, weight }, i) => {
    const start = MAPS[i]!.base;
    const rest = subtract(start, times(multiply(b, a), scale));
    assertClose(base.data, rest.data, { relative: 1e-6, absolute: 2e-6 }, `W of map ${i}, ${label}`);
    assertClose(weight.data, start.data, { relative: 1e-6 }, `effective weight of map ${i}, ${label}`);
  });
}

Deno.test("milora takes the smallest triplets out of the weight, half in each factor, and keeps the effective weight", async () => {
  for (const [rank, scaling] of [[1, "alpha/r"], [3, "alpha/sqrt(r)"], [7, "alpha/r"]] as const) {
    const [found, scale] = await started(milora, { rank, alpha: 5, scaling });
    assertTakenOut(found, scale, `rank ${rank}`);
    found.forEach(({ a, b }, i) => {
      const { u, values, v } = signedSvd(MAPS[i]!.base), first = values.length - rank;
      const part = (m: Matrix) => {
        const kept = sliceColumns(m, first, values.length);
        return {
          ...kept,
          data: kept.data.map((value, k) => value * Math.sqrt(values[first + k % rank]! / scale)),
        };
      };
      assertClose(b.data, part(u).data, { relative: 2e-6 }, `B of map ${i}, rank ${rank}`);
      assertClose(a.data, transpose(part(v)).data, { relative: 2e-6 }, `A of map ${i}, rank ${rank}`);
    });
  }
});

Deno.test("milora at full rank is pissa at full rank", async () => {
  const square = [map(8, 8)];
  assertEquals(await started(milora, { rank: 8 }, square), await started(pissa, { rank: 8 }, square));
});

Deno.test("olora takes the first columns of Q and rows of R, without the scale, and keeps the effective weight", async () => {
  for (const [rank, scaling] of [[1, "alpha/r"], [3, "alpha/sqrt(r)"], [7, "alpha/r"]] as const) {
    const [found, scale] = await started(olora, { rank, alpha: 5, scaling });
    assertTakenOut(found, scale, `rank ${rank}`);
    found.forEach(({ a, b }, i) => {
      const label = `map ${i}, rank ${rank}`, { base } = MAPS[i]!;
      // B's columns are orthonormal; A is triangular at first, with a positive diagonal; and together they are W there.
      assertClose(multiply(transpose(b), b).data, identity(rank).data, { relative: 1e-6 }, label);
      const square = sliceColumns(a, 0, rank);
      const lower = square.data.filter((_, k) => k % rank < Math.floor(k / rank));
      assert(lower.every((value) => Math.abs(value) < 1e-6), label);
      for (let k = 0; k < rank; k++) assert(square.data[k * rank + k]! > 0, label);
      assertClose(
        multiply(b, square).data,
        sliceColumns(base, 0, rank).data,
        { relative: 1e-6 },
        `W's first columns, ${label}`,
      );
      assertClose(a.data, multiply(transpose(b), base).data, { relative: 1e-6 }, `A of ${label}`);
    });
  }
});

Deno.test("milora and olora of weights that lack ranks or are 0 stay finite through five steps", async () => {
  for (const module of [milora, olora]) {
    for (const values of [1, 0]) {
      await onQuadratics(module as OptimizerModule, { rank: 3 }, [map(8, 6, values)], async (run) => {
        for (let step = 1; step <= 5; step++) await run.step(step, 0.01);
        const { a, b, base, weight } = await run.readOne();
        for (const { data } of [a, b, base, weight]) {
          assert(data.every(Number.isFinite), `${module.id}, rank ${values}`);
        }
      });
    }
  }
});

/** Inputs whose second moments are V diag(values) Vᵀ, with V by columns. */
function inputsOf(
  columns: number,
  values: readonly number[],
): { readonly v: Matrix; readonly moments: Matrix } {
  const v = orthonormalColumns(columns, columns, createRandom(columns));
  const stretched = { ...v, data: v.data.map((value, k) => value * values[k % columns]!) };
  return { v, moments: multiply(stretched, v, { transposeB: true }) };
}

const INPUTS = MAPS.map(({ base: { columns } }) =>
  inputsOf(columns, Array.from({ length: columns }, (_, k) => columns - k))
);

/** The maps as a method starts on them where they take in `INPUTS`. */
async function startedOnInputs(module: unknown, options: Options) {
  const gpu = await testGpu();
  using _ = gpu.scope("start on inputs");
  const run = await attachToQuadratics(gpu, module as OptimizerModule, options, MAPS, {
    moments: INPUTS.map(({ moments }) => moments),
  });
  return [await run.read(), run.optimizer.factors(run.targetModules[0]!)!.scale] as const;
}

Deno.test("eva's rows are orthonormal and span the first directions of the inputs, and W stays", async () => {
  for (const rank of [1, 3, 7]) {
    const [found] = await startedOnInputs(eva, { rank });
    found.forEach(({ a, b, base, weight }, i) => {
      const label = `map ${i}, rank ${rank}`;
      assertClose(multiply(a, transpose(a)).data, identity(rank).data, { relative: 1e-5 }, label);
      const among = multiply(a, sliceColumns(INPUTS[i]!.v, 0, rank));
      assertClose(multiply(among, transpose(among)).data, identity(rank).data, { relative: 1e-5 }, label);
      assert(b.data.every((value) => value === 0), label);
      for (const m of [base, weight]) assertEquals(m.data, MAPS[i]!.base.data, label);
    });
  }
});

Deno.test("corda takes triplets of W C out of the weight: the rest of W C has the other singular values", async () => {
  for (const mode of ["ipm", "kpm"]) {
    for (const rank of [1, 3, 7]) {
      const damping = 0.1, [found, scale] = await startedOnInputs(corda, { rank, alpha: 5, mode, damping });
      assertTakenOut(found, scale, `${mode}, rank ${rank}`);
      found.forEach(({ a, b }, i) => {
        const { base } = MAPS[i]!, { moments } = INPUTS[i]!, label = `map ${i}, ${mode}, rank ${rank}`;
        const trace = moments.data.reduce(
          (sum, value, k) => k % (moments.columns + 1) === 0 ? sum + value : sum,
          0,
        );
        const c = add(times(moments, moments.columns / trace), identity(moments.columns), damping);
        const { values } = signedSvd(multiply(base, c));
        const cut = mode === "ipm" ? values.slice(0, rank) : values.slice(-rank);
        const left = mode === "ipm" ? values.slice(rank) : values.slice(0, -rank);
        const rest = signedSvd(multiply(subtract(base, times(multiply(b, a), scale)), c)).values;
        const close = { relative: 0, absolute: 1e-5 * values[0]! };
        assertClose(rest, [...left, ...cut.map(() => 0)], close, `rest of ${label}`);
        // B has half of what was cut out, whatever A is.
        assertClose(
          signedSvd(b).values,
          cut.map((value) => Math.sqrt(value / scale)),
          { relative: 1e-5 },
          `B of ${label}`,
        );
      });
    }
  }
});

Deno.test("corda of white inputs is pissa or milora", async () => {
  for (const [mode, other] of [["ipm", pissa], ["kpm", milora]] as const) {
    const [found] = await started(corda, { rank: 3, mode, damping: 0.44 });
    const [wanted] = await started(other, { rank: 3 });
    found.forEach(({ a, b, base }, i) => {
      // C is 1.44 times the identity: B takes its root, and A gives as much back.
      assertClose(b.data, times(wanted[i]!.b, 1.2).data, { relative: 1e-5 }, mode);
      assertClose(a.data, times(wanted[i]!.a, 1 / 1.2).data, { relative: 1e-5 }, mode);
      assertClose(base.data, wanted[i]!.base.data, { relative: 1e-5 }, mode);
    });
  }
});

Deno.test("lora-null takes W out of the weight where inputs are smallest, and nothing of it elsewhere", async () => {
  for (const rank of [1, 3, 7]) {
    const [found, scale] = await startedOnInputs(loraNull, { rank, alpha: 5 });
    assertTakenOut(found, scale, `rank ${rank}`);
    found.forEach(({ a, b }, i) => {
      const { base } = MAPS[i]!,
        { v } = INPUTS[i]!,
        label = `map ${i}, rank ${rank}`,
        from = v.columns - rank;
      const taken = (directions: Matrix) => multiply(times(multiply(b, a), scale), directions);
      const small = sliceColumns(v, from, v.columns), large = sliceColumns(v, 0, from);
      const absolute = 1e-5 * norm(base);
      assertClose(taken(small).data, multiply(base, small).data, { relative: 0, absolute }, label);
      assertClose(taken(large).data, zeros(base.rows, from).data, { relative: 0, absolute }, label);
      // As PiSSA's: half of each singular value in A, half in B.
      assertClose(
        multiply(transpose(b), b).data,
        multiply(a, transpose(a)).data,
        { relative: 1e-5 },
        label,
      );
    });
  }
});

Deno.test("lora-null takes the largest triplets of what W makes of directions that no input has", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("no inputs in some directions");
  const rank = 2, [start] = MAPS, { rows, columns } = start!.base;
  // Nothing in the last six of ten directions.
  const { v, moments } = inputsOf(columns, [4, 3, 2, 1, 0, 0, 0, 0, 0, 0]), left = sliceColumns(v, 4, 10);
  const run = await attachToQuadratics(gpu, loraNull as unknown as OptimizerModule, { rank, alpha: 2 }, [
    start!,
  ], {
    moments: [moments],
  });
  const { a, b } = await run.readOne();
  const { u, values, v: right } = signedSvd(multiply(multiply(start!.base, left), transpose(left)));
  const kept = { ...sliceColumns(u, 0, rank), rows, columns: rank };
  const wanted = multiply(
    { ...kept, data: kept.data.map((value, k) => value * values[k % rank]!) },
    transpose(sliceColumns(right, 0, rank)),
  );
  assertClose(multiply(b, a).data, wanted.data, { relative: 1e-5 });
});

Deno.test("starts on inputs refuse settings that they have not, and take inputs that are 0", async () => {
  const narrow = [{ name: "narrow", in: 6, out: 40 }];
  const refusal = (options: Partial<CordaOptions>) =>
    corda.validate({ ...corda.defaults, ...options }, narrow, 100);
  assertEquals(refusal({ rank: 6 }), null);
  assertEquals(refusal({ rank: 7 }), 'rank is 7, at most 6 is possible at target module "narrow" [40, 6]');
  assertEquals(refusal({ mode: "best" }), 'mode is "best", known are ipm, kpm');
  assertEquals(refusal({ inputsOf: "all" }), 'inputsOf is "all", known are task, pretraining');
  assertEquals(refusal({ damping: 0 }), "damping is 0, a positive number is needed");
  assertEquals(refusal({ inputBatches: 0 }), "inputBatches is 0, a whole number of 1 or more is needed");
  assertEquals(corda.describe({ ...corda.defaults, mode: "kpm", damping: 0.5 }), "alpha/r, kpm, damping 0.5");
  assertEquals([eva.describe(eva.defaults), loraNull.describe(loraNull.defaults)], ["alpha/r", "alpha/r"]);
  assertEquals(loraNull.describe({ ...loraNull.defaults, inputsOf: "task" }), "alpha/r, inputs of task");
  const gpu = await testGpu();
  for (const module of [eva, corda, loraNull]) {
    using _ = gpu.scope("no inputs");
    const run = await attachToQuadratics(gpu, module as OptimizerModule, { rank: 2 }, [MAPS[0]!], {
      moments: [zeros(10, 10)],
    });
    for (let step = 1; step <= 3; step++) await run.step(step, 0.01);
    const { weight } = await run.readOne();
    assert(weight.data.every(Number.isFinite), module.id);
  }
});
