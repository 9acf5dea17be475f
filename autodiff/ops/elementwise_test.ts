import { assert, assertThrows } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { checkGradients } from "../../tests/support/gradient_check.ts";
import * as matrices from "../../tests/reference/matrix.ts";
import { matrix, randomMatrix } from "../../tests/reference/matrix.ts";
import * as reference from "../../tests/reference/network.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { upload } from "../../tests/support/upload.ts";
import { createGradients } from "../gradients.ts";
import { Tape } from "../tape.ts";
import {
  activation,
  add,
  addRow,
  geglu,
  reshape,
  scale,
  scaleColumns,
  softCap,
  swiglu,
} from "./elementwise.ts";
import { matmul } from "./matmul.ts";

const SHAPES = [[1, 1], [3, 4], [5, 7], [2, 67]] as const;

Deno.test("add() has the gradients of central differences", async () => {
  for (const [rows, columns] of SHAPES) {
    await checkGradients({
      inputs: ["a", "b"].map((label) => randomMatrix(rows, columns, createRandom(rows).fork(label))),
      operation: (tape, [a, b]) => add(tape, a!, b!),
      reference: ([a, b]) => matrices.add(a!, b!),
    });
  }
});

Deno.test("addRow() has the gradients of central differences, for rows of any length", async () => {
  for (const [rows, columns] of [...SHAPES, [67, 3]] as const) {
    await checkGradients({
      inputs: [
        randomMatrix(rows, columns, createRandom(rows)),
        randomMatrix(1, columns, createRandom(columns + 1)),
      ],
      shapes: [undefined, [columns]],
      operation: (tape, [x, row]) => addRow(tape, x!, row!),
      reference: ([x, row]) => reference.addBias(x!, row!.data),
    });
  }
});

Deno.test("add() and addRow() write over what no backward pass reads, where they are asked to, and over nothing else", async () => {
  const gpu = await testGpu(), random = createRandom(8);
  using _ = gpu.scope("overwritten");
  const x = upload(gpu, randomMatrix(5, 4, random), "x"),
    weight = upload(gpu, randomMatrix(4, 4, random), "w");
  const row = gpu.upload(random.normal(4, 1), "f32", [4], "row");
  const tape = new Tape(gpu, createGradients(gpu, [])),
    [input, w, b] = [x, weight, row].map((value) => tape.input(value));
  const product = matmul(tape, input!, w!);
  assert(addRow(tape, product, b!, { overwrite: true }).value === product.value);
  assert(addRow(tape, product, b!).value !== product.value);
  const sum = add(tape, input!, product, { overwrite: true });
  assert(sum.value === product.value);
  // A sum may be a stream that others read.
  assert(add(tape, input!, sum, { overwrite: true }).value !== sum.value);
  // Its own gradient comes from its output.
  const bent = softCap(tape, input!, 2);
  assert(addRow(tape, bent, b!, { overwrite: true }).value !== bent.value);
  assert(add(tape, input!, bent, { overwrite: true }).value !== bent.value);
  assert(addRow(tape, input!, b!, { overwrite: true }).value !== x);
});

Deno.test("activation() has the gradients of central differences for every kind", async () => {
  const functions = {
    "gelu": reference.gelu,
    "gelu-tanh": reference.geluTanh,
    "quick-gelu": reference.quickGelu,
    "relu": reference.relu,
  } as const;
  for (const kind of ["gelu", "gelu-tanh", "quick-gelu", "relu"] as const) {
    for (const [rows, columns] of SHAPES) {
      await checkGradients({
        inputs: [randomMatrix(rows, columns, createRandom(columns), 2)],
        operation: (tape, [x]) => activation(tape, x!, kind),
        reference: ([x]) => functions[kind](x!),
        label: kind,
      });
    }
  }
});

Deno.test("swiglu() and geglu() have the gradients of central differences", async () => {
  for (const [unit, wanted] of [[swiglu, reference.swiglu], [geglu, reference.geglu]] as const) {
    for (const [rows, columns] of SHAPES) {
      await checkGradients({
        inputs: ["gate", "up"].map((label) => randomMatrix(rows, columns, createRandom(rows).fork(label), 2)),
        operation: (tape, [gate, up]) => unit(tape, gate!, up!),
        reference: ([gate, up]) => wanted(gate!, up!),
        label: unit.name,
      });
    }
  }
});

Deno.test("scale() and softCap() have the gradients of central differences, for any factor and cap", async () => {
  for (const [rows, columns] of SHAPES) {
    for (const factor of [0.3, 7]) {
      const inputs = [randomMatrix(rows, columns, createRandom(rows), 2)];
      await checkGradients({
        inputs,
        operation: (tape, [x]) => scale(tape, x!, factor),
        reference: ([x]) => matrices.scale(x!, factor),
        label: `scale ${factor}`,
      });
      await checkGradients({
        inputs,
        operation: (tape, [x]) => softCap(tape, x!, factor),
        reference: ([x]) => reference.softCap(x!, factor),
        label: `cap ${factor}`,
      });
    }
  }
});

Deno.test("scaleColumns() has the gradients of central differences, and refuses other rows", async () => {
  for (const [rows, columns] of [[1, 4], [5, 8], [3, 68]] as const) {
    await checkGradients({
      inputs: [
        randomMatrix(rows, columns, createRandom(rows)),
        randomMatrix(1, columns, createRandom(columns)),
      ],
      shapes: [undefined, [columns]],
      operation: (tape, [x, row]) => scaleColumns(tape, x!, row!),
      reference: ([x, row]) =>
        matrix(rows, columns, x!.data.map((value, i) => value * row!.data[i % columns]!)),
    });
  }
  const gpu = await testGpu();
  using _ = gpu.scope("refusal");
  const tape = new Tape(gpu, createGradients(gpu, [])), x = tape.input(gpu.empty([2, 8], "x"));
  assertThrows(
    () => scaleColumns(tape, x, tape.input(gpu.empty([4], "row"))),
    RangeError,
    'Cannot multiply "x" [2,8] by "row" [4]',
  );
});

Deno.test("reshape() passes gradients on under the input's shape, and refuses another count", async () => {
  await checkGradients({
    inputs: [randomMatrix(6, 5, createRandom(1))],
    operation: (tape, [x]) => reshape(tape, x!, [3, 10]),
    reference: ([x]) => matrix(3, 10, x!.data),
  });
  const gpu = await testGpu();
  using _ = gpu.scope("refusal");
  const tape = new Tape(gpu, createGradients(gpu, [])), x = tape.input(gpu.empty([2, 3], "x"));
  assertThrows(() => reshape(tape, x, [7]), RangeError, 'Cannot reshape "x" [2,3] to [7]');
});
