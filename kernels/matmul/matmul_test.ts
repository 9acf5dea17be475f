import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Gpu, openGpu, type Tensor } from "../../gpu/mod.ts";
import { rowsOf } from "../../gpu/tensor.ts";
import { fromInt8, toInt8 } from "../../numerics/int8.ts";
import { fromNf4, toNf4 } from "../../numerics/nf4.ts";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import {
  add,
  type Matrix,
  matrix,
  multiply,
  randomMatrix,
  scale as times,
  transpose,
} from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { upload } from "../../tests/support/upload.ts";
import {
  MATMUL_VARIANTS as VARIANTS,
  type MatmulVariant,
  ruleFor,
  shapeClassOf,
  useMatmulChoices,
  variantFor,
  variantsOn,
} from "./choice.ts";
import { matmul, matmulBy } from "./matmul.ts";
import type { ProductShape } from "./product.ts";

type Layout = "nn" | "nt" | "tn";
const LAYOUTS = ["nn", "nt", "tn"] as const;
const random = createRandom(3);

/** f32 sums of `inner` products of normal entries: a rounding each, most of which cancel. */
function tolerance(inner: number) {
  return { relative: 1e-6, absolute: inner * 2 ** -24 };
}

/** Matrices of one size side by side, as one tensor. */
function uploadBatch(gpu: Gpu, matrices: readonly Matrix[], label: string): Tensor {
  const { rows, columns } = matrices[0]!;
  const data = new Float32Array(matrices.length * rows * columns);
  matrices.forEach((m, i) => data.set(m.data, i * rows * columns));
  return gpu.upload(data, "f32", [matrices.length, rows, columns], label);
}

/** Lays A and B out so that `matmul` with the returned options yields AB. */
function laidOut(layout: Layout, a: Matrix, b: Matrix) {
  return {
    a: layout === "tn" ? transpose(a) : a,
    b: layout === "nt" ? transpose(b) : b,
    options: { transposeA: layout === "tn", transposeB: layout === "nt" },
  };
}

/** Compares products of all given sizes in every layout with float64. */
async function checkSizes(
  variant: MatmulVariant,
  sizes: Iterable<readonly [rows: number, inner: number, columns: number]>,
): Promise<void> {
  const gpu = await testGpu();
  using _ = gpu.scope("products");
  const cases: {
    readonly out: Tensor;
    readonly wanted: Matrix;
    readonly inner: number;
    readonly name: string;
  }[] = [];
  for (const [rows, inner, columns] of sizes) {
    const a = randomMatrix(rows, inner, random), b = randomMatrix(inner, columns, random);
    const wanted = multiply(a, b);
    for (const layout of LAYOUTS) {
      const given = laidOut(layout, a, b);
      const out = matmulBy(variant, gpu, upload(gpu, given.a, "a"), upload(gpu, given.b, "b"), given.options);
      assertEquals(out.shape, [rows, columns]);
      cases.push({ out, wanted, inner, name: `${variant} ${layout} [${rows}, ${inner}, ${columns}]` });
    }
  }
  const found = await gpu.downloadAll(cases.map((entry) => entry.out));
  cases.forEach(({ wanted, inner, name }, i) => assertClose(found[i]!, wanted.data, tolerance(inner), name));
}

const { info } = await testGpu();
/** The variants that this adapter is given. */
const HERE = variantsOn({ info });

const INNER = [1, 2, 3, 5, 63, 64, 65, 96, 129];
const COLUMNS = [...Array.from({ length: 17 }, (_, i) => i + 1), 48, 63, 64, 65, 96];

/** Written by the text of block64, and held to its bits: compiling them takes long on a software adapter. */
const LIKE_BLOCK64: readonly MatmulVariant[] = ["block128", "block64-double"];

for (const variant of VARIANTS.filter((one) => !LIKE_BLOCK64.includes(one))) {
  const isHere = HERE.includes(variant),
    why = isHere ? "" : ` (not on ${info.adapter}: it would take minutes to compile)`;
  const test = (what: string, fn: () => Promise<void>) =>
    Deno.test({ name: `matmul() by the ${variant} variant ${what}${why}`, ignore: !isHere, fn });

  test("agrees with float64 for every kind of inner tail", async () => {
    await checkSizes(variant, INNER.flatMap((inner) => [[1, inner, 7], [257, inner, 64]] as const));
  });

  test("agrees with float64 for every kind of column tail", async () => {
    await checkSizes(variant, COLUMNS.flatMap((columns) => [[7, 64, columns], [65, 5, columns]] as const));
    await checkSizes(variant, [[66, 20, 48], [66, 192, 144]]);
  });

  test("agrees with float64 for every kind of row tail", async () => {
    const rows = [1, 2, 3, 4, 5, 7, 31, 63, 64, 65, 128, 255, 257];
    await checkSizes(variant, rows.flatMap((m) => [[m, 64, 8], [m, 3, 17]] as const));
    // Enough rows for large workgroups.
    await checkSizes(variant, [[2048, 68, 20], [2045, 5, 3]]);
  });

  test("splits a long inner axis of a small product", async () => {
    // 1,027 steps are 17 parts: one more than the staged variant keeps side by side.
    await checkSizes(variant, [[3, 1027, 5], [64, 1024, 64], [8, 1000, 192], [5, 2048, 3], [600, 200, 70]]);
  });

  test("gives the rows of a part the bits of the whole, which by itself would be split", async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("parts of rows");
    // As many groups as no variant splits; a part of 64 rows is split by all.
    const rows = 4100, inner = 520, columns = 20;
    const a = upload(gpu, randomMatrix(rows, inner, random), "a");
    const b = upload(gpu, randomMatrix(columns, inner, random), "b");
    const whole = matmulBy(variant, gpu, a, b, { transposeB: true });
    const product = (count: number, wholeRows?: number) =>
      matmulBy(variant, gpu, rowsOf(a, 4096 - 64, count), b, {
        transposeB: true,
        ...(wholeRows && { wholeRows }),
      });
    const found = await gpu.downloadAll([product(64, rows), product(68, rows), product(64)]);
    const last = (await gpu.download(whole)).subarray((4096 - 64) * columns);
    assertEquals(found[0], last.slice(0, 64 * columns));
    assertEquals(found[1], last.slice());
    // The staged variant adds its chunks up in one order, split or not.
    const differs = found[2]!.some((value, i) => value !== last[i]);
    assertEquals(differs, variant !== "staged", "a product of 64 rows is split by itself");
  });

  test("scales and adds to what is there", async () => {
    const gpu = await testGpu();
    for (
      const [rows, inner, columns] of [[65, 7, 9], [70, 130, 64], [9, 1040, 12], [600, 129, 66]] as const
    ) {
      for (const layout of LAYOUTS) {
        using _ = gpu.scope("product");
        const a = randomMatrix(rows, inner, random), b = randomMatrix(inner, columns, random);
        const before = randomMatrix(rows, columns, random);
        const given = laidOut(layout, a, b),
          left = upload(gpu, given.a, "a"),
          right = upload(gpu, given.b, "b");
        const into = upload(gpu, before, "c"),
          fresh = upload(gpu, before, "d", [1, rows * columns]);
        const out = matmulBy(variant, gpu, left, right, {
          ...given.options,
          into,
          scale: -0.5,
          accumulate: true,
        });
        assert(out === into);
        matmulBy(variant, gpu, left, right, { ...given.options, into: fresh, scale: 3 });
        const [sum, replaced] = await gpu.downloadAll([into, fresh]);
        const name = `${layout} [${rows}, ${inner}, ${columns}]`, product = multiply(a, b);
        assertClose(sum!, add(before, product, -0.5).data, tolerance(inner), name);
        assertClose(replaced!, times(product, 3).data, tolerance(3 * inner), name);
      }
    }
  });

  test("adds the pair of an epilogue of any rank, in every layout", async () => {
    const gpu = await testGpu();
    for (
      const [rows, inner, columns, ranks] of [
        [65, 7, 9, [1, 4]],
        [70, 130, 64, [8]],
        [600, 64, 68, [2, 16, 17, 40]],
        // Deep chunks before the one that takes the pair along, and tiles of 96 steps and 48 columns.
        [70, 192, 20, [20]],
        [70, 257, 12, [8]],
        [70, 192, 92, [8]],
        [9, 1040, 12, [3]],
        [1, 1, 1, [1]],
      ] as const
    ) {
      for (const rank of ranks) {
        for (const layout of LAYOUTS) {
          using _ = gpu.scope("product");
          const a = randomMatrix(rows, inner, random), b = randomMatrix(inner, columns, random);
          const a2 = randomMatrix(rows, rank, random), b2 = randomMatrix(rank, columns, random);
          const before = randomMatrix(rows, columns, random), into = upload(gpu, before, "c");
          const given = laidOut(layout, a, b), second = laidOut(layout, a2, b2);
          const left = upload(gpu, given.a, "a"), right = upload(gpu, given.b, "b");
          const options = {
            ...given.options,
            scale: 2,
            epilogue: { a: upload(gpu, second.a, "a2"), b: upload(gpu, second.b, "b2"), scale: -0.5 },
          };
          const fresh = matmulBy(variant, gpu, left, right, options);
          matmulBy(variant, gpu, left, right, { ...options, into, accumulate: true });
          const [found, sum] = await gpu.downloadAll([fresh, into]);
          const wanted = add(times(multiply(a, b), 2), multiply(a2, b2), -0.5);
          const name = `${layout} [${rows}, ${inner}, ${columns}] and rank ${rank}`;
          assertClose(found!, wanted.data, tolerance(2 * (inner + rank)), name);
          assertClose(sum!, add(before, wanted).data, tolerance(2 * (inner + rank)), name);
        }
      }
    }
  });

  test("multiplies by 16-bit floats, also where rows start within a word", async () => {
    const gpu = await testGpu();
    for (
      const [batch, rows, inner, columns] of [
        [1, 65, 7, 9],
        [1, 70, 64, 68],
        [1, 3, 66, 6],
        [1, 8, 1030, 5],
        [3, 17, 5, 7],
        [2, 66, 8, 12],
        [1, 1, 1, 1],
      ] as const
    ) {
      for (const layout of LAYOUTS) {
        using _ = gpu.scope("product");
        const pairs = Array.from({ length: batch }, () => {
          const a = randomMatrix(rows, inner, random), exact = randomMatrix(inner, columns, random);
          const b = matrix(inner, columns, Float64Array.from(Float16Array.from(exact.data)));
          return { ...laidOut(layout, a, b), wanted: multiply(a, b) };
        });
        const a = uploadBatch(gpu, pairs.map((pair) => pair.a), "a");
        const data = Float16Array.from(pairs.flatMap((pair) => [...pair.b.data]));
        const b = gpu.upload(data, "f16", [batch, pairs[0]!.b.rows, pairs[0]!.b.columns], "half");
        const found = await gpu.download(matmulBy(variant, gpu, a, b, pairs[0]!.options));
        const wanted = matrix(batch * rows, columns, pairs.flatMap((pair) => [...pair.wanted.data]));
        const name = `${layout} ${batch} of [${rows}, ${inner}, ${columns}]`;
        assertClose(found, wanted.data, tolerance(inner), name);
      }
    }
  });

  test("multiplies by quantized weights as by what they stand for, blocks across rows and tails of words too", async () => {
    const gpu = await testGpu();
    for (const [type, keep, read] of [["int8", toInt8, fromInt8], ["nf4", toNf4, fromNf4]] as const) {
      for (
        const [rows, inner, columns] of [[65, 7, 9], [70, 64, 68], [3, 66, 6], [8, 1030, 5], [1, 1, 1], [
          5,
          300,
          260,
        ]]
      ) {
        for (const layout of LAYOUTS) {
          using _ = gpu.scope("product");
          const a = randomMatrix(rows!, inner!, random), exact = randomMatrix(inner!, columns!, random);
          const stored = laidOut(layout, a, exact).b, words = keep(Float32Array.from(stored.data));
          const kept = matrix(stored.rows, stored.columns, read(words, stored.data.length));
          const wanted = multiply(a, layout === "nt" ? transpose(kept) : kept);
          const given = laidOut(layout, a, exact);
          const b = gpu.upload(words, type, [stored.rows, stored.columns], "b");
          const found = await gpu.download(
            matmulBy(variant, gpu, upload(gpu, given.a, "a"), b, given.options),
          );
          assertClose(
            found,
            wanted.data,
            tolerance(inner!),
            `${type} ${layout} [${rows}, ${inner}, ${columns}]`,
          );
        }
      }
    }
  });

  test("multiplies batches, each matrix by its own", async () => {
    const gpu = await testGpu();
    for (
      const [batch, rows, inner, columns] of [[1, 5, 7, 3], [5, 64, 16, 64], [3, 65, 130, 20], [
        7,
        17,
        6,
        63,
      ]] as const
    ) {
      for (const layout of LAYOUTS) {
        using _ = gpu.scope("product");
        const pairs = Array.from({ length: batch }, () => {
          const a = randomMatrix(rows, inner, random), b = randomMatrix(inner, columns, random);
          return { ...laidOut(layout, a, b), wanted: multiply(a, b) };
        });
        const a = uploadBatch(gpu, pairs.map((pair) => pair.a), "a");
        const b = uploadBatch(gpu, pairs.map((pair) => pair.b), "b");
        const out = matmulBy(variant, gpu, a, b, pairs[0]!.options);
        assertEquals(out.shape, [batch, rows, columns]);
        const found = await gpu.download(out);
        const wanted = matrix(batch * rows, columns, pairs.flatMap((pair) => [...pair.wanted.data]));
        assertClose(
          found,
          wanted.data,
          tolerance(inner),
          `${layout} ${batch} of [${rows}, ${inner}, ${columns}]`,
        );
      }
    }
  });

  test("multiplies more matrices than a dispatch has workgroups", async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("product");
    const batch = 70_000;
    const left = random.normal(batch * 2, 1), right = random.normal(batch * 2, 1);
    const a = gpu.upload(Float32Array.from(left), "f32", [batch, 1, 2], "a");
    const b = gpu.upload(Float32Array.from(right), "f32", [batch, 2, 1], "b");
    const found = await gpu.download(matmulBy(variant, gpu, a, b));
    const wanted = Float64Array.from(
      { length: batch },
      (_, i) => left[2 * i]! * right[2 * i]! + left[2 * i + 1]! * right[2 * i + 1]!,
    );
    assertClose(found, wanted, tolerance(2));
  });

  test("gives equal bits for equal calls", async () => {
    const gpu = await testGpu();
    for (const [rows, inner, columns] of [[257, 65, 63], [64, 1024, 64], [300, 192, 64]] as const) {
      for (const layout of LAYOUTS) {
        using _ = gpu.scope("product");
        const given = laidOut(
          layout,
          randomMatrix(rows, inner, random),
          randomMatrix(inner, columns, random),
        );
        const a = upload(gpu, given.a, "a"), b = upload(gpu, given.b, "b");
        const outs = Array.from({ length: 4 }, () => matmulBy(variant, gpu, a, b, given.options));
        const [first, ...others] = (await gpu.downloadAll(outs)).map((values) =>
          new Uint32Array(values.buffer)
        );
        for (const other of others) assertEquals(other, first);
      }
    }
  });

  test("keeps other memory out of its tails", async () => {
    const gpu = await testGpu();
    for (const [rows, inner, columns] of [[6, 20, 12], [5, 7, 9], [66, 68, 20], [65, 66, 3]] as const) {
      for (const layout of LAYOUTS) {
        using _ = gpu.scope("product");
        const a = randomMatrix(rows, inner, random), b = randomMatrix(inner, columns, random);
        const given = laidOut(layout, a, b);
        // The matrices stand first in tensors that are NaN beyond them, so that one look too far shows.
        const padded = (m: Matrix, label: string): Tensor => {
          const data = new Float32Array(m.data.length + 4096).fill(NaN);
          data.set(m.data);
          return { ...gpu.upload(data, "f32", [data.length], label), shape: [m.rows, m.columns] };
        };
        const around = padded(matrix(rows, columns, new Float64Array(rows * columns)), "c");
        matmulBy(variant, gpu, padded(given.a, "a"), padded(given.b, "b"), {
          ...given.options,
          into: around,
        });
        const found = await gpu.download({ ...around, shape: [rows * columns + 4096] });
        const name = `${layout} [${rows}, ${inner}, ${columns}]`;
        assertClose(found.subarray(0, rows * columns), multiply(a, b).data, tolerance(inner), name);
        assert(found.subarray(rows * columns).every(Number.isNaN), `${name} wrote beyond C`);
      }
    }
  });
}

Deno.test("matmul() keeps infinities and NaN in the rows and columns that hold them", async () => {
  const gpu = await testGpu();
  for (const variant of HERE) {
    for (const layout of LAYOUTS) {
      using _ = gpu.scope("product");
      const a = randomMatrix(6, 7, random), b = randomMatrix(7, 5, random);
      a.data[2 * 7 + 6] = Infinity;
      b.data[6 * 5 + 4] = NaN;
      const given = laidOut(layout, a, b);
      const found = await gpu.download(
        matmulBy(variant, gpu, upload(gpu, given.a, "a"), upload(gpu, given.b, "b"), given.options),
      );
      for (let i = 0; i < 6; i++) {
        for (let j = 0; j < 5; j++) {
          assertEquals(
            Number.isFinite(found[5 * i + j]),
            i !== 2 && j !== 4,
            `${variant} ${layout} at ${i}, ${j}`,
          );
        }
      }
    }
  }
});

Deno.test("matmul() chooses a variant by itself that agrees with float64", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("product");
  for (const [rows, inner, columns] of [[256, 64, 64], [3, 5, 2], [64, 1024, 8]] as const) {
    const a = randomMatrix(rows, inner, random), b = randomMatrix(inner, columns, random);
    const found = await gpu.download(matmul(gpu, upload(gpu, a, "a"), upload(gpu, b, "b")));
    assertClose(found, multiply(a, b).data, tolerance(inner));
  }
});

Deno.test("matmul() forms what is to reuse kernels as exactly, and by no kernel that a step of training does not need", async () => {
  const gpu = await openGpu();
  await using _ = gpu;
  using _scope = gpu.scope("reuse");
  // Activations by 64 x 192 weights, adapted at rank 8, in enough rows for the largest workgroups.
  const rows = 256 * navigator.hardwareConcurrency;
  const tensor = (...shape: [number, number]) => upload(gpu, randomMatrix(...shape, random), "x");
  const x = tensor(rows, 64), y = tensor(rows, 192);
  matmul(gpu, x, tensor(192, 64), { transposeB: true });
  matmul(gpu, x, tensor(8, 64), { transposeB: true });
  matmul(gpu, y, tensor(rows, 8), { transposeA: true });
  const known = new Set(gpu.work.kernels);
  const sizes = [[192, 8, 64], [192, rows, 64], [64, 192, 8], [192, 256, 64], [5, 3, 66]] as const;
  const cases = sizes.flatMap(([rows, inner, columns]) => {
    const a = randomMatrix(rows, inner, random), b = randomMatrix(inner, columns, random);
    return LAYOUTS.map((layout) => {
      const given = laidOut(layout, a, b);
      const out = matmul(gpu, upload(gpu, given.a, "a"), upload(gpu, given.b, "b"), {
        ...given.options,
        reuse: true,
      });
      const name = `${layout} [${rows}, ${inner}, ${columns}]`;
      // Where vectors do not fit, kernels that read elements do.
      const added = rows === 5 ? [] : gpu.work.kernels.filter((kernel) => !known.has(kernel));
      return { out, wanted: multiply(a, b), inner, name, added };
    });
  });
  for (const { out, wanted, inner, name, added } of cases) {
    assertClose(await gpu.download(out), wanted.data, tolerance(inner), name);
    if (HERE.includes("staged")) assertEquals(added.filter((kernel) => kernel !== "sum_parts"), [], name);
  }
});

Deno.test("matmul() says which tensors do not fit together, and why", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("product");
  const tensor = (shape: readonly number[], label: string) => gpu.zeros(shape, label);
  const a = tensor([3, 4], "a"), b = tensor([5, 2], "b");
  assertThrows(
    () => matmul(gpu, a, b),
    RangeError,
    'Cannot multiply "a" [3,4] by "b" [5,2]: inner sizes are 4 and 5, batches 1 and 1',
  );
  assertThrows(
    () => matmul(gpu, tensor([2, 3, 4], "x"), tensor([3, 4, 5], "y")),
    RangeError,
    'Cannot multiply "x" [2,3,4] by "y" [3,4,5]: inner sizes are 4 and 4, batches 2 and 3',
  );
  assertThrows(
    () => matmul(gpu, a, a, { transposeA: true, transposeB: true }),
    RangeError,
    'Cannot multiply "a" by "a": only one may be transposed',
  );
  assertThrows(
    () => matmul(gpu, a, tensor([4, 2], "w"), { into: tensor([3, 3], "out") }),
    RangeError,
    'Cannot multiply into "out" [3,3]: the product is [3,2]',
  );
  assertThrows(
    () =>
      matmul(gpu, a, tensor([4, 2], "w"), {
        epilogue: { a: tensor([3, 1], "x"), b: tensor([1, 5], "y"), scale: 1 },
      }),
    RangeError,
    'Cannot add "x" [3,1] by "y" [1,5]: their product is [3,5], [3,2] is needed',
  );
  assertThrows(
    () => matmul(gpu, tensor([4], "v"), a),
    RangeError,
    'Cannot multiply "v" [4]: a matrix or a batch of matrices is needed',
  );
  assertThrows(() => matmul(gpu, a, tensor([4, 4], "w"), { into: a }), Error, "it would write");
});

function shapeOf(layout: Layout, rows: number, inner: number, columns: number): ProductShape {
  return { layout, batch: 1, rows, inner, columns, typeB: "f32" };
}

Deno.test("shapeClassOf() rounds sizes up to powers of two and tells layouts, alignment, batches and halves apart", () => {
  assertEquals(shapeClassOf(shapeOf("nt", 1024, 64, 192)), "nt 1024x64x256 abc");
  assertEquals(shapeClassOf(shapeOf("nn", 544, 7, 64)), "nn 1024x8x64 -bc");
  assertEquals(shapeClassOf(shapeOf("tn", 1, 1024, 3)), "tn 1x1024x4 ---");
  assertEquals(
    shapeClassOf({ ...shapeOf("nt", 4, 4, 4), batch: 2, typeB: "f16" }),
    "nt batch of 4x4x4 abc half",
  );
});

Deno.test("useMatmulChoices() overrules the rule for its classes alone, and refuses unknown variants by name", async () => {
  await using gpu = await openGpu();
  using _ = gpu.scope("choices");
  const product = shapeOf("nt", 70, 64, 64), other = shapeOf("nn", 70, 64, 64);
  const chosen = HERE.find((variant) => variant !== ruleFor(gpu, product))!;
  useMatmulChoices(gpu, { [shapeClassOf(product)]: chosen });
  assertEquals([variantFor(gpu, product), variantFor(gpu, other)], [chosen, ruleFor(gpu, other)]);
  const a = upload(gpu, randomMatrix(70, 64, random), "a"),
    b = upload(gpu, randomMatrix(64, 64, random), "b");
  const [by, forced] = await gpu.downloadAll([
    matmul(gpu, a, b, { transposeB: true }),
    matmulBy(chosen, gpu, a, b, { transposeB: true }),
  ]);
  assertEquals(by, forced);
  assertThrows(
    () => useMatmulChoices(gpu, { "nt 4x4x4 abc": "blocked" }),
    RangeError,
    'Cannot use variant "blocked" for products "nt 4x4x4 abc": known are tiled, staged, block32, block64, block128, block64-double',
  );
});

Deno.test("ruleFor() gives blocks to products that fill them on a GPU with cores of its own, the register tile the others", async () => {
  const real = { info: { ...(await testGpu()).info, software: false } } as Gpu;
  const rule = (...sizes: [Layout, number, number, number]) => ruleFor(real, shapeOf(...sizes));
  assertEquals(rule("nt", 4096, 512, 2048), "block64");
  assertEquals(rule("nn", 1024, 64, 64), "block32");
  assertEquals(rule("tn", 512, 8192, 2048), "block64");
  assertEquals(rule("nt", 1024, 64, 8), "tiled");
  assertEquals(rule("nn", 1024, 8, 64), "tiled");
});

Deno.test("ruleFor() gives the staged variant on llvmpipe alone, for which it is written", async () => {
  const { info } = await testGpu(), wide = shapeOf("nt", 1024, 64, 64), narrow = shapeOf("nt", 3, 5, 2);
  const on = (adapter: string) => ({ info: { ...info, adapter, software: true } }) as Gpu;
  const llvmpipe = on("llvmpipe (LLVM 19.1.7, 256 bits)"), other = on("SwiftShader Device (Subzero)");
  assertEquals([ruleFor(llvmpipe, wide), ruleFor(llvmpipe, narrow)], ["staged", "tiled"]);
  assertEquals([ruleFor(other, wide), ruleFor(other, narrow)], ["tiled", "tiled"]);
  assertEquals(variantsOn(other), ["tiled", "block32", "block64", "block128", "block64-double"]);
});

for (const variant of LIKE_BLOCK64) {
  Deno.test(`matmul() by the ${variant} variant gives the bits of block64, in every layout and at edges`, async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("products");
    const pairs: (readonly [string, Tensor, Tensor])[] = [];
    const compare = (name: string, form: (variant: MatmulVariant) => Tensor) =>
      pairs.push([name, form("block64"), form(variant)]);
    // Whole tiles; tails of rows, columns and steps; fewer steps than a tile has. None is split along the inner axis.
    for (
      const [rows, inner, columns] of [[128, 64, 128], [150, 37, 133], [132, 244, 68], [5, 3, 7]] as const
    ) {
      const a = randomMatrix(rows, inner, random), b = randomMatrix(inner, columns, random);
      for (const layout of LAYOUTS) {
        const given = laidOut(layout, a, b), x = upload(gpu, given.a, "a"), y = upload(gpu, given.b, "b");
        compare(
          `${layout} [${rows}, ${inner}, ${columns}]`,
          (variant) => matmulBy(variant, gpu, x, y, { ...given.options, scale: 0.5 }),
        );
      }
    }
    // With a second pair of factors, whose steps are fewer.
    const [a, b, j, k] = [[70, 48], [72, 48], [70, 5], [72, 5]].map(([rows, columns]) =>
      upload(gpu, randomMatrix(rows!, columns!, random), "factor")
    );
    compare(
      "an epilogue",
      (variant) => matmulBy(variant, gpu, a!, b!, { transposeB: true, epilogue: { a: j!, b: k!, scale: 2 } }),
    );
    const found = await gpu.downloadAll(pairs.flatMap(([, one, other]) => [one, other]));
    pairs.forEach(([name], i) => assertEquals(found[2 * i + 1], found[2 * i], `${variant} ${name}`));
    assert(found.every((values) => values.some((value) => value !== 0)));
  });
}
