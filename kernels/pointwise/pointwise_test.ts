import { assert, assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { centralDifference } from "../../tests/support/central_difference.ts";
import {
  add as plus,
  map,
  type Matrix,
  matrix,
  randomMatrix,
  scale,
  zip,
} from "../../tests/reference/matrix.ts";
import * as reference from "../../tests/reference/network.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { stretchOf, upload } from "../../tests/support/upload.ts";
import { type Activation, activation, activationBackward } from "./activation.ts";
import { accumulate, accumulateRow, add, addRow } from "./add.ts";
import { geglu, gegluBackward, swiglu, swigluBackward } from "./glu.ts";
import { softCap, softCapBackward } from "./soft_cap.ts";

/** Alone, below and above a vector of four, a workgroup's lanes, and primes. */
const COUNTS = [1, 3, 4, 5, 63, 257, 1009] as const;

Deno.test("add() agrees with float64 at every length", async () => {
  const gpu = await testGpu();
  for (const count of COUNTS) {
    using _ = gpu.scope("add");
    const a = randomMatrix(1, count, createRandom(count)),
      b = randomMatrix(1, count, createRandom(count + 1));
    const out = await gpu.download(add(gpu, upload(gpu, a, "a"), upload(gpu, b, "b"), 0.5, -3));
    // Two products and a sum, each rounded to 24 bits.
    assertClose(out, plus(scale(a, 0.5), b, -3).data, { relative: 2e-7 });
  }
});

Deno.test("addRow() and accumulateRow() add the row to every row, also where rows are no multiple of four", async () => {
  const gpu = await testGpu();
  for (const [rows, columns] of [[1, 1], [7, 1], [3, 4], [5, 7], [67, 64], [2, 1009]] as const) {
    using _ = gpu.scope("addRow");
    const x = randomMatrix(rows, columns, createRandom(rows)),
      row = randomMatrix(1, columns, createRandom(columns));
    const on = upload(gpu, x, "x"), b = upload(gpu, row, "row", [columns]);
    const out = await gpu.download(addRow(gpu, on, b));
    assertClose(out, reference.addBias(x, row.data).data, { relative: 1e-7 });
    accumulateRow(gpu, on, b);
    assertEquals(await gpu.download(on), out);
  }
  using _ = gpu.scope("refusal");
  const x = gpu.zeros([2, 6], "x"), row = gpu.zeros([3], "bias");
  assertThrows(
    () => addRow(gpu, x, row),
    RangeError,
    'Cannot add row "bias" [3] to "x" [2,6]: 6 columns are needed',
  );
});

Deno.test("accumulate() adds in place and leaves what lies behind the tensor alone", async () => {
  const gpu = await testGpu();
  for (const count of COUNTS) {
    using _ = gpu.scope("accumulate");
    const a = randomMatrix(1, count, createRandom(count)),
      b = randomMatrix(1, count, createRandom(count + 1));
    const whole = gpu.upload(new Float32Array(count + 8).fill(7), "f32", [count + 8], "whole");
    const target = stretchOf(whole, 0, count);
    gpu.write(target, Float32Array.from(a.data));
    accumulate(gpu, target, upload(gpu, b, "b"), -0.25);
    const out = await gpu.download(whole);
    assertClose(out.subarray(0, count), plus(a, b, -0.25).data, { relative: 2e-7 });
    assertEquals(out.subarray(count), new Float32Array(8).fill(7));
  }
});

const FUNCTIONS: Readonly<Record<Activation, (x: Matrix) => Matrix>> = {
  "gelu": reference.gelu,
  "gelu-tanh": reference.geluTanh,
  "quick-gelu": reference.quickGelu,
  "relu": reference.relu,
};
const KINDS = Object.keys(FUNCTIONS) as Activation[];

Deno.test("activation() agrees with float64 at every length and over its whole range", async () => {
  const gpu = await testGpu();
  for (const kind of KINDS) {
    for (const count of COUNTS) {
      using _ = gpu.scope("activation");
      const x = randomMatrix(1, count, createRandom(count), 2);
      const out = await gpu.download(activation(gpu, upload(gpu, x, "x"), kind));
      // exp and tanh of WGSL may err by a few units of 2^-24.
      assertClose(out, FUNCTIONS[kind](x).data, { relative: 1e-6 }, `${kind} ${count}`);
    }
    using _ = gpu.scope("range");
    const x = matrix(1, 2001, Float64Array.from({ length: 2001 }, (_, i) => Math.fround((i - 1000) / 100)));
    const out = await gpu.download(activation(gpu, upload(gpu, x, "x"), kind));
    const wanted = FUNCTIONS[kind](x).data;
    // Point by point, since the result is small near 0 and far below it; 1 + tanh and 1 + erf round to 24 bits.
    out.forEach((value, i) => {
      const allowed = 2e-7 * Math.abs(x.data[i]!) + 1e-6 * Math.abs(wanted[i]!);
      assert(
        Math.abs(value - wanted[i]!) <= allowed,
        `${kind}(${x.data[i]}) = ${value}, expected ${wanted[i]}`,
      );
    });
  }
});

Deno.test("activation() and its slope keep their limits far from 0 and relative accuracy near it", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("limits");
  const values = [0, 1e-30, -1e-30, 1e-6, -1e-6, 12, -12, 100, -100, 1e4, -1e4, 1e12, -1e12];
  for (const kind of KINDS) {
    const x = upload(gpu, matrix(1, values.length, values), "x"), slopes = gpu.empty(x.shape, "slopes");
    const ones = upload(gpu, matrix(1, values.length, values.map(() => 1)), "ones");
    activationBackward(gpu, x, ones, kind, slopes, false);
    const [out, slope] = await gpu.downloadAll([activation(gpu, x, kind), slopes]);
    values.forEach((value, i) => {
      const near = Math.abs(value) < 1, bent = kind === "relu";
      const wanted = near && !bent ? value / 2 : Math.max(value, 0);
      const wantedSlope = near && !bent ? 0.5 : value > 0 ? 1 : 0;
      const close = (found: number, limit: number) =>
        Math.abs(found - limit) <= 2e-6 * Math.abs(limit) + (near ? 0 : 2e-6);
      assert(close(out![i]!, wanted), `${kind}(${value}) = ${out![i]}`);
      assert(close(slope![i]!, wantedSlope), `${kind}'(${value}) = ${slope![i]}`);
    });
  }
});

Deno.test("activationBackward() agrees with central differences, alone and added to what is there", async () => {
  const gpu = await testGpu();
  for (const kind of KINDS) {
    for (const count of COUNTS) {
      using _ = gpu.scope("activationBackward");
      const x = randomMatrix(1, count, createRandom(count), 2),
        g = randomMatrix(1, count, createRandom(count + 1));
      const slope = x.data.map((value) =>
        centralDifference(
          ([v]) => FUNCTIONS[kind](matrix(1, 1, v!)).data[0]!,
          [Float64Array.of(value)],
          0,
        )[0]!
      );
      const wanted = zip(g, matrix(1, count, slope), (a, b) => a * b);
      const before = randomMatrix(1, count, createRandom(count + 2));
      for (const sum of [false, true]) {
        const into = upload(gpu, before, "into");
        activationBackward(gpu, upload(gpu, x, "x"), upload(gpu, g, "g"), kind, into, sum);
        // 1 - tanh(x)² loses digits where tanh is near 1: 1.7e-6 is reached.
        assertClose(
          await gpu.download(into),
          (sum ? plus(before, wanted) : wanted).data,
          { relative: 5e-6 },
          `${kind} ${count}`,
        );
      }
    }
  }
});

Deno.test("activation() keeps a NaN, whatever the kind", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("NaN");
  const x = gpu.upload(Float32Array.of(1, NaN, -1), "f32", [3], "x");
  for (const kind of KINDS) {
    const out = await gpu.download(activation(gpu, x, kind));
    assertEquals([...out].map(Number.isNaN), [false, true, false], kind);
  }
});

Deno.test("swiglu(), geglu() and their gradients agree with float64 at every length and far from 0", async () => {
  const gpu = await testGpu();
  const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
  const root = Math.sqrt(2 / Math.PI), inner = (z: number) => root * (z + 0.044715 * z ** 3);
  const units = [
    [swiglu, swigluBackward, reference.silu, (z: number) => sigmoid(z) * (1 + z * sigmoid(-z))],
    [
      geglu,
      gegluBackward,
      reference.geluTanh,
      (z: number) =>
        sigmoid(2 * inner(z)) *
        (1 + 2 * z * sigmoid(-2 * inner(z)) * root * (1 + 3 * 0.044715 * z ** 2)),
    ],
  ] as const;
  for (const [unit, backward, activated, slope] of units) {
    for (const [count, deviation] of [...COUNTS.map((count) => [count, 2] as const), [101, 100] as const]) {
      using _ = gpu.scope("gated linear unit");
      const random = createRandom(count);
      const [gate, up, g] = ["gate", "up", "g"].map((label) =>
        randomMatrix(1, count, random.fork(label), deviation)
      ) as [Matrix, Matrix, Matrix];
      const on = { gate: upload(gpu, gate, "gate"), up: upload(gpu, up, "up"), g: upload(gpu, g, "g") };
      const gradients = backward(gpu, on.gate, on.up, on.g);
      const [out, dGate, dUp] = await gpu.downloadAll([
        unit(gpu, on.gate, on.up),
        gradients.gate,
        gradients.up,
      ]);
      assertClose(out!, zip(activated(gate), up, (a, b) => a * b).data, { relative: 1e-6 });
      assertClose(dUp!, zip(g, activated(gate), (a, b) => a * b).data, { relative: 1e-6 });
      const slopes = map(gate, slope);
      assertClose(dGate!, zip(g, zip(up, slopes, (a, b) => a * b), (a, b) => a * b).data, { relative: 1e-6 });
    }
  }
});

Deno.test("softCap() and its gradient agree with float64 at every length, near 0 and far from it", async () => {
  const gpu = await testGpu();
  for (
    const [count, deviation, cap] of [...COUNTS.map((count) => [count, 2, 3] as const), [101, 1e-3, 1], [
      301,
      100,
      30,
    ]] as const
  ) {
    using _ = gpu.scope("soft cap");
    const random = createRandom(count);
    const [x, g] = ["x", "g"].map((label) => randomMatrix(1, count, random.fork(label), deviation)) as [
      Matrix,
      Matrix,
    ];
    const on = upload(gpu, x, "x"), into = upload(gpu, g, "into");
    softCapBackward(gpu, on, upload(gpu, g, "g"), cap, into, true);
    const [out, gradient] = await gpu.downloadAll([softCap(gpu, on, cap), into]);
    assertClose(out!, reference.softCap(x, cap).data, { relative: 1e-6 });
    const slopes = map(x, (value) => 1 + Math.cosh(value / cap) ** -2);
    assertClose(gradient!, zip(g, slopes, (a, b) => a * b).data, { relative: 1e-6 });
  }
});

Deno.test("add(), accumulate(), swiglu() and geglu() refuse other element counts by both names", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refusal");
  const a = gpu.empty([2, 3], "a"), b = gpu.empty([7], "b");
  for (
    const [work, name] of [
      [add, "add"],
      [accumulate, "accumulate"],
      [swiglu, "swiglu"],
      [geglu, "geglu"],
    ] as const
  ) {
    assertThrows(
      () => work(gpu, a, b),
      RangeError,
      `Cannot ${name} "a" [2,3] and "b" [7]: element counts differ`,
    );
  }
});
