import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import type { Gpu, Kernel, KernelSpec, Launch, Tensor } from "../gpu/mod.ts";
import { rowsOf } from "../gpu/tensor.ts";
import { activation as activate, activationBackward, toFloat, toHalf } from "../kernels/mod.ts";
import { createRandom } from "../numerics/random.ts";
import { assertClose } from "../tests/support/assert_close.ts";
import { checkGradients } from "../tests/support/gradient_check.ts";
import {
  add as plus,
  type Matrix,
  multiply,
  randomMatrix,
  scale,
  sliceRows,
} from "../tests/reference/matrix.ts";
import * as reference from "../tests/reference/network.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { upload } from "../tests/support/upload.ts";
import {
  activation,
  add,
  attention,
  createGradients,
  crossEntropy,
  matmul,
  type Parameter,
  reshape,
  rmsNorm,
  scale as times,
  swiglu,
  Tape,
  type Var,
} from "./mod.ts";

/** Names of the kernels that `work` launches. */
function launchesOf(gpu: Gpu, work: () => void): string[] {
  const names: string[] = [], { launch } = gpu;
  gpu.launch = <S extends KernelSpec>(kernel: Kernel<S>, how: Launch<S>) => {
    names.push(kernel.spec.name);
    launch.call(gpu, kernel as Kernel<KernelSpec>, how as Launch<KernelSpec>);
  };
  try {
    work();
  } finally {
    gpu.launch = launch;
  }
  return names;
}

/** Every way in which gradients of one variable can meet: handed over, written into, and both in either order. */
const SHARED: Readonly<
  Record<string, readonly [on: (tape: Tape, x: Var) => Var, off: (x: Matrix) => Matrix]>
> = {
  "x + x": [(tape, x) => add(tape, x, x), (x) => scale(x, 2)],
  "x + x + x": [(tape, x) => add(tape, add(tape, x, x), x), (x) => scale(x, 3)],
  "x + gelu(x)": [(tape, x) => add(tape, x, activation(tape, x, "gelu")), (x) => plus(x, reference.gelu(x))],
  "gelu(x) + x": [(tape, x) => add(tape, activation(tape, x, "gelu"), x), (x) => plus(x, reference.gelu(x))],
  "gelu(x) + gelu-tanh(x) + x": [
    (tape, x) => add(tape, add(tape, activation(tape, x, "gelu"), activation(tape, x, "gelu-tanh")), x),
    (x) => plus(plus(reference.gelu(x), reference.geluTanh(x)), x),
  ],
  "swiglu(x, x)": [(tape, x) => swiglu(tape, x, x), (x) => reference.swiglu(x, x)],
  "x xᵀ": [
    (tape, x) => matmul(tape, x, x, { transposeB: true }),
    (x) => multiply(x, x, { transposeB: true }),
  ],
  "reshape(x) + x": [(tape, x) => add(tape, reshape(tape, x, [5, 7]), x), (x) => scale(x, 2)],
  "y + gelu(y) of y = x + x, three times used": [
    (tape, x) => {
      const y = add(tape, x, x);
      return add(tape, y, add(tape, activation(tape, y, "gelu"), y));
    },
    (x) => plus(scale(x, 4), reference.gelu(scale(x, 2))),
  ],
};

Deno.test("Tape adds up the gradients of a variable that is used two and three times, in every order", async () => {
  for (const [label, [on, off]] of Object.entries(SHARED)) {
    await checkGradients({
      inputs: [randomMatrix(5, 7, createRandom(1))],
      operation: (tape, [x]) => on(tape, x!),
      reference: ([x]) => off(x!),
      label,
    });
  }
});

Deno.test("Tape differentiates residual blocks with shared weights as central differences do", async () => {
  const random = createRandom(2);
  await checkGradients({
    inputs: [
      randomMatrix(6, 5, random.fork("x")),
      randomMatrix(1, 5, random.fork("norm")),
      randomMatrix(5, 5, random.fork("w"), 0.3),
    ],
    shapes: [undefined, [5]],
    operation(tape, [x, norm, w]) {
      // The second block uses the first one's norm and weight again.
      let y = x!;
      for (let block = 0; block < 2; block++) {
        const inner = matmul(tape, rmsNorm(tape, y, norm!, 1e-3), w!, { transposeB: true });
        y = add(tape, y, activation(tape, inner, "gelu"));
      }
      return add(tape, matmul(tape, y, w!, { transposeB: true }), matmul(tape, y, w!));
    },
    reference([x, norm, w]) {
      let y = x!;
      for (let block = 0; block < 2; block++) {
        y = plus(y, reference.gelu(reference.linear(reference.rmsNorm(y, norm!.data, 1e-3), w!)));
      }
      return plus(multiply(y, w!), reference.linear(y, w!));
    },
  });
});

Deno.test("Tape leaves the gradient it is given and values as they are, and everything goes with the caller's scope", async () => {
  const gpu = await testGpu();
  const before = gpu.memory.liveBytes;
  {
    using _ = gpu.scope("tape");
    for (const [on] of Object.values(SHARED)) {
      const m = randomMatrix(5, 7, createRandom(3)), tape = new Tape(gpu, createGradients(gpu, []));
      const x = tape.input(upload(gpu, m, "x")), y = on(tape, x);
      const [value] = await gpu.downloadAll([y.value]);
      const upstream = value!.map((entry) => entry + 1),
        gradient = gpu.upload(upstream, "f32", y.value.shape, "g");
      tape.backward(y, gradient);
      assertStrictEquals(tape.gradientOf(y), gradient);
      assertEquals(await gpu.downloadAll([gradient, y.value, x.value]), [
        upstream,
        value!,
        Float32Array.from(m.data),
      ]);
    }
  }
  assertEquals(gpu.memory.liveBytes, before);
});

Deno.test("Tape computes no gradient of a frozen weight, and none at all where nothing is trainable", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("frozen");
  const w = { name: "w", value: upload(gpu, randomMatrix(4, 4, createRandom(1)), "w") };
  const v = { name: "v", value: upload(gpu, randomMatrix(4, 4, createRandom(2)), "v") };
  const input = upload(gpu, randomMatrix(8, 4, createRandom(3)), "x"),
    gradient = upload(gpu, randomMatrix(8, 4, createRandom(4)), "g");
  const backward = (trainable: readonly (typeof w)[]) => {
    const tape = new Tape(gpu, createGradients(gpu, trainable));
    // x w v: w's gradient needs that of the product between, v's does not.
    const first = matmul(tape, tape.constant(input), tape.parameter(w));
    const output = matmul(tape, first, tape.parameter(v));
    const launched = launchesOf(gpu, () => tape.backward(output, gradient));
    const gradients: (Tensor | null)[] = [w, v].map((parameter) =>
      tape.gradientOf(tape.parameter(parameter))
    );
    return {
      products: launched.length,
      found: gradients.map((g) => g !== null),
      between: tape.gradientOf(first) !== null,
      needed: output.needsGradient,
    };
  };
  assertEquals(backward([w, v]), { products: 3, found: [true, true], between: true, needed: true });
  assertEquals(backward([w]), { products: 2, found: [true, false], between: true, needed: true });
  assertEquals(backward([v]), { products: 1, found: [false, true], between: false, needed: true });
  assertEquals(backward([]), { products: 0, found: [false, false], between: false, needed: false });
});

/** Two residual blocks that share a norm and a weight, each wrapped by `block`. */
function twoBlocks(
  tape: Tape,
  x: Var,
  parameters: readonly Parameter[],
  block: (tape: Tape, x: Var, body: (tape: Tape, x: Var) => Var) => Var,
): Var {
  for (let i = 0; i < 2; i++) {
    x = block(tape, x, (tape, x) => {
      const [norm, w] = parameters.map((parameter) => tape.parameter(parameter));
      const inner = matmul(tape, rmsNorm(tape, x, norm!, 1e-3), w!, { transposeB: true });
      return add(tape, x, activation(tape, inner, "gelu"));
    });
  }
  return x;
}
type Body = (tape: Tape, x: Var) => Var;
const kept = (tape: Tape, x: Var, body: Body) => body(tape, x);
const inBlock = (tape: Tape, x: Var, body: Body) => tape.block([x], (tape, [x]) => body(tape, x));
const recomputed = (tape: Tape, x: Var, body: Body) =>
  tape.block([x], (tape, [x]) => body(tape, x), { keep: "inputs" });

Deno.test("Tape.block() gives the bits that keeping everything gives, at a lower peak, whatever is trainable", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("blocks");
  const random = createRandom(4);
  const parameters = [
    { name: "norm", value: gpu.upload(random.fork("norm").normal(17, 1), "f32", [17], "norm") },
    { name: "w", value: upload(gpu, randomMatrix(17, 17, random.fork("w"), 0.3), "w") },
  ];
  const x = upload(gpu, randomMatrix(130, 17, random.fork("x")), "x");
  const gradient = upload(gpu, randomMatrix(130, 17, random.fork("g")), "g");
  for (const trainable of [parameters, [parameters[1]!], []]) {
    for (const inputWanted of [true, false]) {
      if (trainable.length === 0 && !inputWanted) continue;
      const run = async (block: typeof kept) => {
        using _ = gpu.scope("run");
        const store = createGradients(gpu, trainable), tape = new Tape(gpu, store);
        gpu.resetPeak();
        const before = gpu.memory.liveBytes;
        const input = inputWanted ? tape.input(x) : tape.constant(x);
        const y = twoBlocks(tape, input, parameters, block);
        tape.backward(y, gradient);
        const peak = gpu.memory.peakBytes - before, live = gpu.memory.liveBytes - before;
        const found = tape.gradientOf(input);
        assertEquals(found !== null, inputWanted);
        return {
          peak,
          live,
          bits: await gpu.downloadAll([y.value, ...store.flats, ...found ? [found] : []]),
        };
      };
      const all = await run(kept), once = await run(inBlock), twice = await run(recomputed);
      for (const found of [once, twice]) {
        assertEquals(found.bits, all.bits);
        // One tensor of 130 x 17 takes 9,216 bytes. Live are both outputs and the gradient of the input, where wanted.
        assertEquals(found.live, 9216 * (inputWanted ? 3 : 2));
      }
      assert(once.peak < all.peak, `${once.peak} of ${all.peak} bytes`);
      assert(twice.peak < once.peak, `${twice.peak} of ${once.peak} bytes`);
    }
  }
});

/** x as it is after a round trip through 16 bits; its gradient is the output's. */
function rounded(tape: Tape, x: Var): Var {
  const output = toFloat(tape.gpu, toHalf(tape.gpu, x.value));
  return tape.record({
    ...{ name: "rounded", inputs: [x], keeps: {}, output },
    backward: (gradient, inputs) => inputs.pass(0, gradient),
  });
}

Deno.test("Tape.block() with inputs in 16 bits gives the bits of rounding what a block hands to the next, in half the memory", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("rounded blocks");
  const random = createRandom(4);
  const parameters = [
    { name: "norm", value: gpu.upload(random.fork("norm").normal(17, 1), "f32", [17], "norm") },
    { name: "w", value: upload(gpu, randomMatrix(17, 17, random.fork("w"), 0.3), "w") },
  ];
  const x = upload(gpu, randomMatrix(130, 17, random.fork("x")), "x");
  const gradient = upload(gpu, randomMatrix(130, 17, random.fork("g")), "g");
  const run = async (block: typeof kept) => {
    using _ = gpu.scope("run");
    const store = createGradients(gpu, parameters), tape = new Tape(gpu, store);
    const before = gpu.memory.liveBytes, input = tape.input(x);
    const y = twoBlocks(tape, input, parameters, block);
    const forward = gpu.memory.liveBytes - before;
    tape.backward(y, gradient);
    const bits = await gpu.downloadAll([y.value, ...store.flats, tape.gradientOf(input)!]);
    return { bits, forward, backward: gpu.memory.liveBytes - before };
  };
  let blocks = 0;
  const whole = await run((tape, x, body) => body(tape, blocks++ === 1 ? rounded(tape, x) : x));
  const halved = await run((tape, x, body) =>
    tape.block([x], (tape, [x]) => body(tape, x), { keep: "inputs-f16" })
  );
  assertEquals(halved.bits, whole.bits);
  assert(halved.bits.some((values) => values.some((value) => value !== 0)));
  // The first block's output in 16 bits, the second's in 32; then the input's gradient too.
  assertEquals([halved.forward, halved.backward], [4608 + 9216, 4608 + 2 * 9216]);
});

Deno.test("Tape.block() with inputs in 16 bits gives every block that takes one in the same rounded numbers", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("taken twice");
  const x = upload(gpu, randomMatrix(130, 17, createRandom(7)), "x");
  const gradient = upload(gpu, randomMatrix(130, 17, createRandom(8)), "g");
  const run = async (inBlocks: boolean) => {
    using _ = gpu.scope("run");
    const tape = new Tape(gpu, createGradients(gpu, [])), input = tape.input(x);
    const on = (x: Var, body: Body) =>
      inBlocks ? tape.block([x], (tape, [x]) => body(tape, x), { keep: "inputs-f16" }) : body(tape, x);
    const made = on(input, (tape, x) => activation(tape, x, "gelu"));
    const shared = inBlocks ? made : rounded(tape, made);
    const one = on(shared, (tape, x) => activation(tape, x, "gelu"));
    // Would take the buffer of what was freed.
    gpu.zeros([130, 17], "next");
    const two = on(shared, (tape, x) => activation(tape, x, "relu"));
    const sum = add(tape, one, two);
    tape.backward(sum, gradient);
    return await gpu.downloadAll([sum.value, tape.gradientOf(input)!]);
  };
  assertEquals(await run(true), await run(false));
});

const halved = (tape: Tape, x: Var, body: Body) =>
  tape.block([x], (tape, [x]) => body(tape, x), { keep: "all-f16" });

Deno.test("Tape.block() with what it keeps in 16 bits has the value of one that keeps 32, and gradients as far from float64 as rounding explains", async () => {
  const random = createRandom(2), w = randomMatrix(17, 17, random.fork("w"), 0.3);
  for (const [keep, relative] of [["all", 5e-6], ["all-f16", 3 * 2 ** -11]] as const) {
    await checkGradients({
      inputs: [randomMatrix(60, 17, random.fork("x")), randomMatrix(1, 17, random.fork("norm")), w],
      shapes: [undefined, [17]],
      operation(tape, [x, norm, w]) {
        // Beside x, blocks take in what they share.
        const on = (x: Var) =>
          tape.block([x, norm!, w!], (tape, [x, norm, w]) => {
            const inner = matmul(tape, rmsNorm(tape, x, norm, 1e-3), w, { transposeB: true });
            return add(tape, x, activation(tape, inner, "gelu"));
          }, { keep });
        return on(on(x!));
      },
      reference([x, norm, w]) {
        const on = (x: Matrix) =>
          plus(x, reference.gelu(reference.linear(reference.rmsNorm(x, norm!.data, 1e-3), w!)));
        return on(on(x!));
      },
      relative,
    });
  }
});

Deno.test("Tape.block() halves what several operations keep once, in either pass, and leaves statistics, what nothing keeps and what is not its own", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("halved blocks");
  const random = createRandom(4);
  const parameters = [
    { name: "norm", value: gpu.upload(random.fork("norm").normal(17, 1), "f32", [17], "norm") },
    { name: "w", value: upload(gpu, randomMatrix(17, 17, random.fork("w"), 0.3), "w") },
  ];
  const x = upload(gpu, randomMatrix(130, 17, random.fork("x")), "x");
  const gradient = upload(gpu, randomMatrix(130, 17, random.fork("g")), "g");
  const body: Body = (tape, x) => {
    const [norm, w] = parameters.map((parameter) => tape.parameter(parameter));
    // Three operations keep the norm, of which one sees it under another shape; none keeps the sum.
    const normed = rmsNorm(tape, x, norm!, 1e-3), seen = reshape(tape, normed, [65, 34]);
    const sum = add(tape, matmul(tape, normed, w!), matmul(tape, normed, w!, { transposeB: true }));
    return add(tape, add(tape, x, sum), reshape(tape, activation(tape, seen, "gelu"), [130, 17]));
  };
  const run = async (way: typeof kept) => {
    using _ = gpu.scope("run");
    const store = createGradients(gpu, parameters), tape = new Tape(gpu, store), input = tape.input(x);
    const live: number[] = [], before = gpu.memory.liveBytes;
    let y = input;
    const conversions = (work: () => void) =>
      launchesOf(gpu, work).filter((name) => name.startsWith("to_")).sort();
    const forward = conversions(() => y = way(tape, way(tape, input, body), body));
    live.push(gpu.memory.liveBytes - before);
    gpu.resetPeak();
    const backward = conversions(() => tape.backward(y, gradient));
    live.push(gpu.memory.liveBytes - before);
    const [value, ...gradients] = await gpu.downloadAll([
      y.value,
      ...store.flats,
      tape.gradientOf(input)!,
    ]);
    return { forward, backward, live, value, gradients, peak: gpu.memory.peakBytes - before };
  };
  const whole = await run(inBlock), half = await run(halved);
  assertEquals([whole.forward, whole.backward], [[], []]);
  // The norm of each block, and the second one's input.
  assertEquals(half.forward, Array(3).fill("to_half"));
  assertEquals(half.backward, Array(3).fill("to_float"));
  assertEquals(half.value, whole.value);
  // Norms and their statistics, the first block's output and the second's; of the gradients x's alone stays.
  assertEquals(whole.live, [2 * (9216 + 1280) + 2 * 9216, 3 * 9216]);
  assertEquals(half.live, [2 * (4608 + 1280) + 4608 + 9216, 2 * 9216]);
  assert(half.peak < whole.peak, `${half.peak} of ${whole.peak} bytes`);
  half.gradients.forEach((found, i) => {
    assertClose(found, whole.gradients[i]!, { relative: 2 ** -10 });
    assert(found.some((value, at) => value !== whole.gradients[i]![at]));
  });
});

Deno.test("Tape.block() with what it keeps in 16 bits works inside a block, whatever that keeps", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("nested");
  const x = upload(gpu, randomMatrix(130, 17, createRandom(7)), "x");
  const gradient = upload(gpu, randomMatrix(130, 17, createRandom(8)), "g");
  const body: Body = (tape, x) => {
    const inner = halved(tape, activation(tape, x, "relu"), (tape, x) => activation(tape, x, "gelu"));
    return add(tape, halved(tape, inner, (tape, x) => activation(tape, x, "gelu-tanh")), x);
  };
  const run = async (way: typeof kept) => {
    using _ = gpu.scope("run");
    const tape = new Tape(gpu, createGradients(gpu, [])), input = tape.input(x);
    const y = way(tape, way(tape, input, body), body);
    gpu.zeros([130, 17], "next");
    tape.backward(y, gradient);
    return await gpu.downloadAll([y.value, tape.gradientOf(input)!]);
  };
  const [value, exact] = await run(kept);
  for (const way of [inBlock, recomputed, halved]) {
    const [again, found] = await run(way);
    assertEquals(again, value);
    assertClose(found!, exact!, { relative: 2 ** -9 });
  }
});

Deno.test("Tape.block() refuses what a block has taken in and has in 16 bits", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("taken");
  const gelu: Body = (tape, x) => activation(tape, x, "gelu");
  const tape = new Tape(gpu, createGradients(gpu, [])), x = tape.input(gpu.zeros([130, 17], "x"));
  const first = halved(tape, x, gelu);
  halved(tape, first, gelu);
  // Takes the buffer of what was freed.
  gpu.zeros([130, 17], "next");
  for (const again of [() => halved(tape, first, gelu), () => activation(tape, first, "gelu")]) {
    assertThrows(again, Error, 'Cannot take in "gelu(x)": a block took it in and has it in 16 bits');
  }
});

/** The first rows of x, bent; it keeps no more of x. */
function firstRows(tape: Tape, x: Var, rows: number): Var {
  const part = rowsOf(x.value, 0, rows);
  return tape.record({
    ...{ name: "first rows", inputs: [x], keeps: { part } },
    output: activate(tape.gpu, part, "gelu"),
    backward(gradient, inputs, { part }) {
      const { into, accumulate } = inputs.target(0);
      if (!accumulate) tape.gpu.clear(into);
      activationBackward(tape.gpu, part, gradient, "gelu", rowsOf(into, 0, rows), true);
    },
  });
}

/** Bodies of blocks, each of which keeps something in another way. */
const KEEPING: Readonly<Record<string, Body>> = {
  // An attention's backward pass reads what it puts out, and the block above takes that in.
  "its own output": (tape, x) => {
    const k = activation(tape, x, "gelu"), v = activation(tape, x, "gelu-tanh");
    const sizes = { length: 13, heads: 2, keyValueHeads: 2, size: 8, causal: false, scale: 1 };
    return attention(tape, x, k, v, sizes);
  },
  // In 16 bits that has as many bytes as the input in 32, so it may come to lie there.
  "something twice as wide": (tape, x) => {
    const w = tape.constant(upload(tape.gpu, randomMatrix(32, 16, createRandom(3), 0.3), "w"));
    const wide = matmul(tape, activation(tape, x, "gelu"), w, { transposeB: true });
    return add(tape, x, matmul(tape, activation(tape, wide, "gelu"), w));
  },
  "a part, and the whole": (tape, x) => {
    const y = activation(tape, x, "gelu-tanh"), half = firstRows(tape, y, 64);
    const product = matmul(tape, activation(tape, y, "gelu"), half, { transposeB: true });
    return times(tape, matmul(tape, product, half), 0.002);
  },
};

for (const [label, body] of Object.entries(KEEPING)) {
  Deno.test(`Tape.block() with what it keeps in 16 bits works with blocks that keep ${label}, and inside a block`, async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("keeping");
    const x = upload(gpu, randomMatrix(130, 16, createRandom(7)), "x");
    const gradient = upload(gpu, randomMatrix(130, 16, createRandom(8)), "g");
    const run = async (way: typeof kept, around: typeof kept) => {
      using _ = gpu.scope("run");
      const tape = new Tape(gpu, createGradients(gpu, [])), input = tape.input(x);
      const twice: Body = (tape, x) => way(tape, way(tape, x, body), body);
      // One more, whose tensors would take the buffers of what was freed too early.
      const y = around(tape, around(tape, input, twice), twice);
      tape.backward(y, gradient);
      return await gpu.downloadAll([y.value, tape.gradientOf(input)!]);
    };
    const [value, exact] = await run(kept, kept);
    for (const [way, around] of [[halved, kept], [halved, inBlock], [halved, halved]] as const) {
      const [again, found] = await run(way, around);
      assertEquals(again, value);
      assertClose(found!, exact!, { relative: 2 ** -8 });
    }
  });
}

Deno.test("Tape.block() leaves in 32 bits what an operation outside keeps as well", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("kept outside");
  const x = upload(gpu, randomMatrix(130, 17, createRandom(7)), "x");
  const gradient = upload(gpu, randomMatrix(130, 17, createRandom(8)), "g");
  const run = async (way: typeof kept) => {
    using _ = gpu.scope("run");
    const tape = new Tape(gpu, createGradients(gpu, [])), input = tape.input(x);
    const first = way(tape, input, (tape, x) => activation(tape, x, "gelu"));
    const outside = activation(tape, first, "relu");
    const second = way(tape, first, (tape, x) => activation(tape, x, "gelu-tanh"));
    gpu.zeros([130, 17], "next");
    const sum = add(tape, outside, second);
    tape.backward(sum, gradient);
    return await gpu.downloadAll([sum.value, tape.gradientOf(input)!]);
  };
  const [value, exact] = await run(kept), [again, found] = await run(halved);
  assertEquals(again, value);
  assertClose(found!, exact!, { relative: 2 ** -9 });
});

Deno.test("Tape.block() keeps nothing of a block that nothing is differentiated through", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("frozen block");
  const parameters = [{ name: "norm", value: gpu.zeros([17], "norm") }, {
    name: "w",
    value: gpu.zeros([17, 17], "w"),
  }];
  for (const block of [inBlock, recomputed]) {
    const tape = new Tape(gpu, createGradients(gpu, [])), x = tape.constant(gpu.zeros([130, 17], "x"));
    const before = gpu.memory.liveBytes;
    const y = twoBlocks(tape, x, parameters, block);
    assertEquals([y.needsGradient, gpu.memory.liveBytes - before], [false, 2 * 9216]);
    assertEquals(launchesOf(gpu, () => tape.backward(y, gpu.zeros([130, 17], "g"))), []);
  }
});

/** Everything on one tape, or in blocks of either kind. */
const WAYS = [null, { keep: "all" }, { keep: "inputs" }] as const;

Deno.test("Tape.block() differentiates blocks of several inputs, passed on, shared and used again outside", async () => {
  for (const way of WAYS) {
    await checkGradients({
      inputs: ["a", "b"].map((label) => randomMatrix(5, 7, createRandom(6).fork(label))),
      operation: (tape, [a, b]) => {
        const body = (tape: Tape, [a, b]: readonly Var[]) => add(tape, add(tape, a!, b!), b!);
        const sum = way ? tape.block([a!, b!], body, way) : body(tape, [a!, b!]);
        return add(tape, add(tape, sum, activation(tape, a!, "gelu")), b!);
      },
      reference: ([a, b]) => plus(plus(a!, scale(b!, 3)), reference.gelu(a!)),
    });
  }
});

Deno.test("Tape.block() adds to an input that blocks share in the order of a tape that keeps everything, in one tensor", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("shared input");
  const random = createRandom(8), blocks = 3;
  const draw = (label: string, rows: number) =>
    upload(gpu, randomMatrix(rows, 17, random.fork(label), 0.5), label);
  const w = { name: "w", value: draw("w", 17) }, table = { name: "table", value: draw("table", 130) };
  const x = draw("x", 130), source = draw("source", 130), g = draw("g", 130);
  const run = async (way: typeof WAYS[number], twice: boolean) => {
    using _ = gpu.scope("run");
    const store = createGradients(gpu, [w, table]), tape = new Tape(gpu, store);
    const shared = tape.input(source), input = tape.input(x);
    const before = gpu.memory.liveBytes;
    // Each block takes the shared input twice, so a sum of blocks' sums would round otherwise.
    const body = (tape: Tape, [x, shared, rows, again]: readonly Var[]) => {
      const weight = tape.parameter(w);
      const one = matmul(tape, shared!, weight, { transposeB: true });
      const two = matmul(tape, again ?? shared!, weight, { scale: 0.3 });
      return add(tape, x!, add(tape, add(tape, one, two), activation(tape, rows!, "gelu")));
    };
    let y = input;
    for (let i = 0; i < blocks; i++) {
      const inputs = [y, shared, tape.parameter(table), ...twice ? [shared] : []];
      y = way ? tape.block(inputs, body, way) : body(tape, inputs);
    }
    tape.backward(y, g);
    const live = gpu.memory.liveBytes - before;
    const bits = await gpu.downloadAll([
      y.value,
      ...store.flats,
      tape.gradientOf(shared)!,
      tape.gradientOf(input)!,
    ]);
    return { bits, live };
  };
  const kept = await run(null, false);
  for (const way of WAYS.slice(1)) {
    const inBlocks = await run(way, false);
    assertEquals(inBlocks.bits, kept.bits);
    // The three outputs and the one gradient: x's is the output's own.
    assertEquals(inBlocks.live, 4 * 9216);
    // Given twice to each block, its gradient is the same but for the order of the sum.
    const twice = await run(way, true);
    twice.bits.forEach((found, i) => assertClose(found, kept.bits[i]!, { relative: 1e-6 }));
  }
});

Deno.test("Tape.block() keeps the gradient that a block made where the block below passes it on", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("passed on");
  const tape = new Tape(gpu, createGradients(gpu, []));
  const x = tape.input(gpu.zeros([130, 17], "x")), one = tape.constant(gpu.zeros([130, 17], "one"));
  const passing = tape.block([x], (tape, [x]) => add(tape, x, one));
  const y = tape.block([passing], (tape, [x]) => activation(tape, x, "gelu"));
  tape.backward(y, upload(gpu, randomMatrix(130, 17, createRandom(1)), "g"));
  const found = tape.gradientOf(x)!, before = await gpu.download(found);
  assert(before.some((value) => value !== 0));
  gpu.zeros([130, 17], "next"), gpu.zeros([130, 17], "after it");
  assertEquals(await gpu.download(found), before);
});

Deno.test("Tape.block() refuses a block that makes no tensor of its own", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refusal");
  const tape = new Tape(gpu, createGradients(gpu, [])), x = tape.input(gpu.zeros([3], "x"));
  assertThrows(
    () => tape.block([x], (_, [x]) => x),
    Error,
    'Cannot keep "x" beyond scope "block": it was not allocated there',
  );
});

Deno.test("Tape does nothing for what its output does not depend on", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("unused");
  const tape = new Tape(gpu, createGradients(gpu, []));
  const x = tape.input(gpu.zeros([3], "x")), unused = tape.input(gpu.zeros([3], "unused"));
  activation(tape, unused, "gelu");
  const y = activation(tape, x, "gelu");
  assertEquals(launchesOf(gpu, () => tape.backward(y, gpu.zeros([3], "g"))), ["activation"]);
  assertEquals([tape.gradientOf(unused), tape.gradientOf(x)?.shape], [null, [3]]);
});

Deno.test("Tape takes one variable for a parameter however often it is asked", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("parameter");
  const w = { name: "w", value: gpu.zeros([3], "w") }, frozen = { name: "f", value: gpu.zeros([3], "f") };
  const tape = new Tape(gpu, createGradients(gpu, [w]));
  assertStrictEquals(tape.parameter(w), tape.parameter(w));
  assertStrictEquals(tape.parameter(frozen), tape.parameter(frozen));
  assertEquals([tape.parameter(w).needsGradient, tape.parameter(frozen).needsGradient], [true, false]);
});

Deno.test("Tape adds the parts of a batch up to the whole batch's gradient", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("parts");
  const random = createRandom(5), rows = 12, x = randomMatrix(rows, 6, random.fork("x"));
  const targets = Array.from(random.integers(rows, 9), (target, row) => row % 4 === 3 ? -100 : target);
  const w = { name: "w", value: upload(gpu, randomMatrix(9, 6, random.fork("w")), "w") };
  const store = createGradients(gpu, [w]), count = 9;
  const run = (first: number, last: number) => {
    const tape = new Tape(gpu, store),
      logits = matmul(tape, tape.constant(upload(gpu, sliceRows(x, first, last), "x")), tape.parameter(w), {
        transposeB: true,
      });
    const wanted = gpu.upload(Int32Array.from(targets.slice(first, last)), "i32", [last - first], "targets");
    const loss = crossEntropy(tape, logits, wanted, count);
    tape.backward(loss, gpu.upload(Float32Array.of(1), "f32", [1], "one"));
  };
  run(0, rows);
  const whole = await gpu.download(store.of(w));
  store.clear();
  for (const [first, last] of [[0, 1], [1, 6], [6, 12]] as const) run(first, last);
  // The same terms in another order.
  assertClose(await gpu.download(store.of(w)), whole, { relative: 1e-6 });
  assert(whole.some((value) => value !== 0));
});

Deno.test("Tape refuses a gradient of another size than its output's", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refusal");
  const tape = new Tape(gpu, createGradients(gpu, [])), x = tape.input(gpu.zeros([3, 2], "x"));
  assertThrows(
    () => tape.backward(x, gpu.zeros([5], "g")),
    RangeError,
    'Cannot run backward from "x" [3,2] with a gradient [5]',
  );
});
