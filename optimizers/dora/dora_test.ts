import { assert, assertEquals, assertLess } from "@std/assert";
import { createGradients, type GradientStore, Tape } from "../../autodiff/mod.ts";
import type { Parameter } from "../../autodiff/tape.ts";
import type { Gpu } from "../../gpu/gpu.ts";
import { byteLength, type Tensor } from "../../gpu/tensor.ts";
import { add as addTensors, matmul, toHalf } from "../../kernels/mod.ts";
import type { TargetModule } from "../../models/model.ts";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import {
  add,
  fromFloat32,
  fromRows,
  type Matrix,
  multiply,
  norm,
  randomMatrix,
  scale as times,
  subtract,
  toRows,
} from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { upload } from "../../tests/support/upload.ts";
import type { Optimizer } from "../optimizer.ts";
import { dora } from "./dora.ts";

const RANK = 3, SCALE = 2;

/** DoRA at work on one map, and its parameters by kind. */
interface Run {
  readonly gpu: Gpu;
  readonly targetModule: TargetModule;
  readonly optimizer: Optimizer;
  readonly store: GradientStore;
  readonly parameters: Readonly<Record<"A" | "B" | "magnitude", Parameter>>;
  readonly weight: Matrix;
}

/** Attaches DoRA to a map in the caller's scope; with `half` its weight is kept in 16-bit floats. */
async function attached(gpu: Gpu, weight: Matrix, { half = false, rank = RANK } = {}): Promise<Run> {
  const value = upload(gpu, weight, "map.weight");
  const kept = half ? { name: "map.weight", value: toHalf(gpu, value) } : { name: "map.weight", value };
  const targetModule: TargetModule = { name: "map", weight: kept, in: weight.columns, out: weight.rows };
  const optimizer = await dora.attach({
    gpu,
    targetModules: [targetModule],
    parameters: [],
    head: [],
    steps: 10,
    random: createRandom(0),
    fullGradients: () => {
      throw new Error("DoRA asks for no gradients");
    },
    inputMoments: () => {
      throw new Error("DoRA asks for no input moments");
    },
  }, { ...dora.defaults, rank, alpha: SCALE * rank });
  const named = (kind: string) => optimizer.trainable.find(({ name }) => name === `map.${kind}`)!;
  return {
    gpu,
    targetModule,
    optimizer,
    store: createGradients(gpu, optimizer.trainable),
    parameters: { A: named("A"), B: named("B"), magnitude: named("magnitude") },
    weight,
  };
}

async function read(gpu: Gpu, tensor: Tensor): Promise<Matrix> {
  return fromFloat32(await gpu.download(tensor), tensor.shape[0]!, tensor.shape[1] ?? 1);
}

/** Puts the gradients of |y - target|² / 2 for y = x W_effᵀ into the store; returns y. */
function differentiate({ gpu, targetModule, optimizer, store }: Run, x: Tensor, target: Tensor): Tensor {
  store.clear();
  const tape = new Tape(gpu, store), y = optimizer.linear(tape, targetModule, tape.constant(x));
  tape.backward(y, addTensors(gpu, y.value, target, 1, -1));
  return y.value;
}

function normsOf(m: Matrix): number[] {
  return toRows(m).map((row) => norm(fromRows([row])));
}

/** magnitude V / |V| by row. */
function normalized(v: Matrix, magnitude: ArrayLike<number>): Matrix {
  const norms = normsOf(v);
  return fromRows(toRows(v).map((row, i) => row.map((x) => x * magnitude[i]! / norms[i]!)));
}

const SHAPES = [[7, 9], [12, 8], [5, 130]] as const;

Deno.test("dora starts with magnitudes at the norms of the weight's rows, named and sized so", async () => {
  const gpu = await testGpu();
  for (const [rows, columns] of SHAPES) {
    using _ = gpu.scope("start");
    const weight = randomMatrix(rows, columns, createRandom(rows)), run = await attached(gpu, weight);
    assertEquals(run.optimizer.trainable.map(({ name }) => name), ["map.A", "map.B", "map.magnitude"]);
    assertEquals(run.parameters.magnitude.value.shape, [rows]);
    assertClose((await read(gpu, run.parameters.magnitude.value)).data, normsOf(weight), { relative: 1e-6 });
    assertClose((await read(gpu, run.optimizer.effectiveWeight(run.targetModule))).data, weight.data, {
      relative: 1e-6,
    });
  }
});

Deno.test("dora's linear and effective weight follow what is written into factors and magnitudes at once, in either kind of floats", async () => {
  const gpu = await testGpu();
  for (const [rows, columns] of SHAPES) {
    for (const half of [false, true]) {
      using _ = gpu.scope("linear");
      const random = createRandom(columns);
      const exact = randomMatrix(rows, columns, random.fork("W"));
      // Numbers that 16 bits hold.
      const weight = { ...exact, data: exact.data.map((v) => Math.round(64 * v) / 64) };
      const run = await attached(gpu, weight, { half });
      const x = randomMatrix(4, columns, random.fork("x")), tensor = upload(gpu, x, "x");
      for (let time = 0; time < 3; time++) {
        const own = random.fork(`${time}`);
        const a = randomMatrix(RANK, columns, own.fork("A")), b = randomMatrix(rows, RANK, own.fork("B"));
        const magnitude = randomMatrix(rows, 1, own.fork("m"));
        for (const [kind, m] of Object.entries({ A: a, B: b, magnitude })) {
          gpu.write(run.parameters[kind as "A"].value, Float32Array.from(m.data));
        }
        const wanted = normalized(add(weight, multiply(b, a), SCALE), magnitude.data);
        const tape = new Tape(gpu, run.store);
        const y = run.optimizer.linear(tape, run.targetModule, tape.constant(tensor)).value;
        const merged = run.optimizer.effectiveWeight(run.targetModule),
          label = `${rows} x ${columns}, ${half}, ${time}`;
        // Up to 130 products of f32, divided by a norm.
        assertClose((await read(gpu, merged)).data, wanted.data, { relative: 5e-6 }, label);
        assertClose((await read(gpu, y)).data, multiply(x, wanted, { transposeB: true }).data, {
          relative: 5e-6,
        }, label);
        assertClose(
          (await read(gpu, y)).data,
          (await read(gpu, matmul(gpu, tensor, merged, { transposeB: true }))).data,
          { relative: 5e-6 },
          label,
        );
      }
    }
  }
});

Deno.test("dora's gradients regard norms as constants, and its equivalent gradient is how the weight moves along them", async () => {
  const gpu = await testGpu();
  for (const [rows, columns] of SHAPES) {
    using _ = gpu.scope("gradients");
    const random = createRandom(columns),
      draw = (label: string, m: number, n: number) => randomMatrix(m, n, random.fork(label));
    const run = await attached(gpu, draw("W", rows, columns));
    const a = draw("A", RANK, columns), b = draw("B", rows, RANK), magnitude = draw("m", rows, 1);
    for (const [kind, m] of Object.entries({ A: a, B: b, magnitude })) {
      gpu.write(run.parameters[kind as "A"].value, Float32Array.from(m.data));
    }
    const x = draw("x", 6, columns), target = draw("target", 6, rows);
    differentiate(run, upload(gpu, x, "x"), upload(gpu, target, "target"));
    const found = {
      a: await read(gpu, run.store.of(run.parameters.A)),
      b: await read(gpu, run.store.of(run.parameters.B)),
      magnitude: await read(gpu, run.store.of(run.parameters.magnitude)),
    };

    const v = add(run.weight, multiply(b, a), SCALE), norms = normsOf(v);
    const weight = normalized(v, magnitude.data);
    const error = subtract(multiply(x, weight, { transposeB: true }), target);
    const full = multiply(error, x, { transposeA: true });
    const gained = fromRows(toRows(full).map((row, i) => row.map((g) => g * magnitude.data[i]! / norms[i]!)));
    const dA = times(multiply(b, gained, { transposeA: true }), SCALE);
    const dB = times(multiply(gained, a, { transposeB: true }), SCALE);
    const dM = toRows(full).map((row, i) =>
      row.reduce((sum, g, j) => sum + g * v.data[i * columns + j]!, 0) / norms[i]!
    );
    const label = `${rows} x ${columns}`;
    assertClose(found.a.data, dA.data, { relative: 1e-5 }, `dA ${label}`);
    assertClose(found.b.data, dB.data, { relative: 1e-5 }, `dB ${label}`);
    assertClose(found.magnitude.data, dM, { relative: 1e-5 }, `d magnitude ${label}`);

    const at = (t: number) =>
      normalized(
        add(run.weight, multiply(add(b, dB, t), add(a, dA, t)), SCALE),
        magnitude.data.map((m, i) => m + t * dM[i]!),
      );
    const t = 1e-5 / norm(full);
    const wanted = times(subtract(at(t), at(-t)), 0.5 / t);
    const equivalent = run.optimizer.equivalentGradients(run.store).get(run.targetModule)!;
    assertClose(
      (await read(gpu, equivalent)).data,
      wanted.data,
      { relative: 2e-5 },
      `equivalent gradient ${label}`,
    );
    // Norms and magnitudes reach beyond the spans of the factors.
    assertEquals(run.optimizer.factors(run.targetModule), null);
  }
});

Deno.test("dora leaves rows of zeros as they are, and they disturb no other", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("pruned");
  const dense = randomMatrix(6, 7, createRandom(1));
  const pruned = [0, 4];
  const weight = fromRows(toRows(dense).map((row, i) => row.map((x) => pruned.includes(i) ? 0 : x)));
  const run = await attached(gpu, weight);
  const x = upload(gpu, randomMatrix(9, 7, createRandom(2)), "x");
  const target = upload(gpu, randomMatrix(9, 6, createRandom(3)), "target");
  for (let step = 1; step <= 5; step++) {
    using _ = gpu.scope("step");
    differentiate(run, x, target);
    const equivalent = await read(gpu, run.optimizer.equivalentGradients(run.store).get(run.targetModule)!);
    for (const i of pruned) assertEquals(toRows(equivalent)[i], Array(7).fill(0));
    await run.optimizer.step(run.store, { step, learningRate: 0.05 });
  }
  const found = toRows(await read(gpu, run.optimizer.effectiveWeight(run.targetModule)));
  const b = toRows(await read(gpu, run.parameters.B.value));
  const magnitude = (await read(gpu, run.parameters.magnitude.value)).data;
  found.forEach((row, i) => {
    assert(row.every(Number.isFinite), `row ${i}`);
    if (pruned.includes(i)) {
      assertEquals([row, b[i], magnitude[i]], [Array(7).fill(0), Array(RANK).fill(0), 0], `row ${i}`);
    } else assert(row.some((value, j) => Math.abs(value - weight.data[i * 7 + j]!) > 0.01), `row ${i}`);
  });
});

Deno.test("dora forms nothing of the weight's size, forward or backward", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("memory");
  const run = await attached(gpu, randomMatrix(300, 200, createRandom(1)), { rank: 2 });
  const x = gpu.zeros([3, 200], "x"), target = gpu.zeros([3, 300], "target");
  gpu.resetPeak();
  const before = gpu.memory.liveBytes;
  using _step = gpu.scope("step");
  differentiate(run, x, target);
  // Some tensors of 3 x 300 at most.
  assertLess(gpu.memory.peakBytes - before, byteLength({ shape: [300, 200], dtype: "f32" }) / 4);
});
