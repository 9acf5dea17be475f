import { assert, assertEquals, assertThrows } from "@std/assert";
import { lowPrecision, type Tensor } from "../../gpu/tensor.ts";
import { type StoredType, toHalf } from "../../kernels/mod.ts";
import { fromInt8 } from "../../numerics/int8.ts";
import { fromNf4 } from "../../numerics/nf4.ts";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import {
  add,
  dot,
  fromRows,
  type Matrix,
  matrix,
  multiply,
  norm,
  randomMatrix,
  roundToFloat32,
  scale as times,
  toRows,
  transpose,
  zeros,
} from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { upload } from "../../tests/support/upload.ts";
import { magnitudeChange, rowNorms, scaleColumns, scaleColumnsBackward, scaleRows } from "./magnitude.ts";

/** Rows, columns and rank: no side of all is a multiple of what a lane takes. */
const SHAPES = [[1, 1, 1], [4, 8, 2], [7, 5, 3], [5, 12, 1], [67, 130, 8], [3, 1009, 33], [
  130,
  64,
  4,
]] as const;
const LANES = [1, 4, 64] as const;

function normsOf(m: Matrix): number[] {
  return toRows(m).map((row) => norm(fromRows([row])));
}

/** A weight with its low-rank part; every third row of both is 0. */
function problem(rows: number, columns: number, rank: number) {
  const random = createRandom(rows * 10_000 + columns);
  const pruned = (m: Matrix) =>
    rows < 3 ? m : fromRows(toRows(m).map((row, i) => i % 3 === 1 ? row.map(() => 0) : row));
  // Numbers that 16-bit floats hold.
  const weight = pruned({
    rows,
    columns,
    data: randomMatrix(rows, columns, random.fork("W")).data.map((v) => Math.round(v * 64) / 64),
  });
  const a = randomMatrix(rank, columns, random.fork("A")),
    b = pruned(randomMatrix(rows, rank, random.fork("B")));
  return { weight, a, b, random };
}

Deno.test("rowNorms() agrees with float64 for any sizes and lanes, whatever the weight is kept in", async () => {
  const gpu = await testGpu();
  for (const [rows, columns, rank] of SHAPES) {
    using _ = gpu.scope("norms");
    const { weight, a, b } = problem(rows, columns, rank), scale = -1.5;
    const wantedOf = (weight: Matrix) => normsOf(add(weight, multiply(b, a), scale));
    const full = upload(gpu, weight, "W"), low = { a: upload(gpu, a, "A"), b: upload(gpu, b, "B"), scale };
    const weights: [Tensor<StoredType>, number[]][] = [[full, wantedOf(weight)], [
      toHalf(gpu, full),
      wantedOf(weight),
    ]];
    for (const [type, read] of [["int8", fromInt8], ["nf4", fromNf4]] as const) {
      const words = lowPrecision(Float32Array.from(weight.data), type);
      const kept = { rows, columns, data: read(words, rows * columns) };
      weights.push([gpu.upload(words, type, [rows, columns], type), wantedOf(kept)]);
    }
    for (const [w, wanted] of weights) {
      for (const lanes of LANES) {
        // What lies behind the last row is another's.
        const { parts: [into, behind] } = gpu.pack([{ label: "n", shape: [rows] }, {
          label: "next",
          shape: [3],
        }], "n");
        rowNorms(gpu, w, low, into!, { lanes });
        const [found, after] = await gpu.downloadAll([into!, behind!]);
        assertClose(
          found!,
          wanted,
          { relative: 2e-6 },
          `${rows} x ${columns}, rank ${rank}, ${w.dtype}, ${lanes}`,
        );
        assertEquals([...after!], [0, 0, 0]);
        if (rows >= 3) assertEquals(found![1], 0);
      }
    }
  }
});

Deno.test("rowNorms() keeps its digits where B A all but cancels W", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("cancelling");
  // W = 3 and B A = -3 + 2^-12 in each place, both exact: expanded squares would leave nothing of 9 - 18 + 9.
  const rows = 5, columns = 33, rest = 2 ** -12;
  const low = {
    a: upload(gpu, matrix(1, columns, Array(columns).fill(1)), "A"),
    b: upload(gpu, matrix(rows, 1, Array(rows).fill(-3 + rest)), "B"),
    scale: 1,
  };
  const into = gpu.empty([rows], "norms");
  rowNorms(gpu, upload(gpu, matrix(rows, columns, Array(rows * columns).fill(3)), "W"), low, into);
  assertClose(await gpu.download(into), Array(rows).fill(rest * Math.sqrt(columns)), { relative: 1e-6 });
});

Deno.test("rowNorms() gives NaN where squares overflow or a number is not finite, and the other rows as they are", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("overflowing");
  for (const columns of [7, 8]) {
    for (const [i, value] of [1e30, Infinity, NaN].entries()) {
      const weight = matrix(6, columns, Array(6 * columns).fill(1));
      weight.data[4 * columns + i] = value;
      const low = { a: gpu.zeros([2, columns], "A"), b: gpu.zeros([6, 2], "B"), scale: 1 };
      const into = gpu.empty([6], "norms");
      rowNorms(gpu, upload(gpu, weight, "W"), low, into);
      const found = await gpu.download(into);
      assert(Number.isNaN(found[4]), `${value}: ${found[4]}`);
      assertClose(found.filter((_, row) => row !== 4), Array(5).fill(Math.sqrt(columns)), { relative: 1e-6 });
    }
  }
});

/** Magnitudes and norms for `count` columns or rows; where there are three or more, the second norm is 0. */
function magnitudes(count: number, random: ReturnType<typeof createRandom>) {
  const magnitude = randomMatrix(1, count, random.fork("magnitude")).data;
  const norms = randomMatrix(1, count, random.fork("norms")).data.map((v) => Math.fround(Math.abs(v) + 0.5));
  if (count >= 3) norms[1] = 0;
  const gains = magnitude.map((m, i) => norms[i] === 0 ? 0 : m / norms[i]!);
  return { magnitude, norms, gains };
}

function byColumn(x: Matrix, gains: ArrayLike<number>): Matrix {
  return fromRows(toRows(x).map((row) => row.map((value, j) => value * gains[j]!)));
}

Deno.test("scaleColumns() and scaleRows() agree with float64, and give 0 where a norm is 0", async () => {
  const gpu = await testGpu();
  for (const [rows, columns] of SHAPES) {
    using _ = gpu.scope("scaling");
    const random = createRandom(rows), x = randomMatrix(rows, columns, random.fork("x"));
    const before = randomMatrix(rows, columns, random.fork("before"));
    const by = (values: ReturnType<typeof magnitudes>) => ({
      magnitude: upload(gpu, fromRows([values.magnitude]), "m"),
      norms: upload(gpu, fromRows([values.norms]), "n"),
    });
    const ofColumns = magnitudes(columns, random), ofRows = magnitudes(rows, random);
    const tensor = upload(gpu, x, "x"), into = upload(gpu, before, "into");
    scaleColumns(gpu, tensor, by(ofColumns), { into, accumulate: true });
    const [byColumns, added, byRows] = await gpu.downloadAll([
      scaleColumns(gpu, tensor, by(ofColumns)),
      into,
      scaleRows(gpu, tensor, by(ofRows)),
    ]);
    const wanted = byColumn(x, ofColumns.gains), label = `${rows} x ${columns}`;
    assertClose(byColumns!, wanted.data, { relative: 1e-6 }, `columns of ${label}`);
    assertClose(added!, add(before, wanted).data, { relative: 1e-6 }, `columns added to, ${label}`);
    assertClose(
      byRows!,
      transpose(byColumn(transpose(x), ofRows.gains)).data,
      { relative: 1e-6 },
      `rows of ${label}`,
    );
  }
});

Deno.test("scaleColumnsBackward() agrees with float64, adds to what is there, and is 0 where a norm is 0", async () => {
  const gpu = await testGpu();
  for (const [rows, columns] of [...SHAPES, [1500, 3], [1500, 8]] as const) {
    for (const accumulate of [false, true]) {
      using _ = gpu.scope("backward");
      const random = createRandom(columns);
      const draw = (label: string, rows: number) => randomMatrix(rows, columns, random.fork(label));
      const x = draw("x", rows),
        g = draw("g", rows),
        beforeX = draw("before x", rows),
        beforeM = draw("before m", 1);
      const { magnitude, norms, gains } = magnitudes(columns, random);
      const by = {
        magnitude: upload(gpu, fromRows([magnitude]), "m"),
        norms: upload(gpu, fromRows([norms]), "n"),
      };
      const intoX = upload(gpu, beforeX, "dx"),
        intoM = upload(gpu, beforeM, "dm"),
        alone = upload(gpu, beforeM, "dm");
      const to = (into: typeof intoX) => ({ into, accumulate });
      const [gTensor, xTensor] = [upload(gpu, g, "g"), upload(gpu, x, "x")];
      scaleColumnsBackward(gpu, gTensor, xTensor, by, { x: to(intoX), magnitude: to(intoM) });
      scaleColumnsBackward(gpu, gTensor, xTensor, by, { x: null, magnitude: to(alone) });
      const [dx, dm, dmAlone] = await gpu.downloadAll([intoX, intoM, alone]);
      const share = accumulate ? 1 : 0, label = `${rows} x ${columns}, ${accumulate}`;
      assertClose(dx!, add(byColumn(g, gains), beforeX, share).data, { relative: 1e-6 }, `d x ${label}`);
      const columnsOf = (m: Matrix) => toRows(transpose(m));
      const wanted = columnsOf(g).map((column, j) =>
        share * beforeM.data[j]! +
        (norms[j] === 0 ? 0 : dot(fromRows([column]), fromRows([columnsOf(x)[j]!])) / norms[j]!)
      );
      // Sums of up to 1500 products.
      assertClose(dm!, wanted, { relative: 5e-6 }, `d magnitude ${label}`);
      assertEquals(dmAlone, dm);
    }
  }
});

Deno.test("magnitudeChange() is the derivative of magnitude V / |V|, and 0 where V is", async () => {
  const gpu = await testGpu();
  for (const [rows, columns, rank] of SHAPES) {
    for (const lanes of LANES) {
      using _ = gpu.scope("change");
      const { weight, random } = problem(rows, columns, rank);
      const draw = (label: string, columns: number) => randomMatrix(rows, columns, random.fork(label));
      const change = draw("D", columns), magnitude = draw("m", 1), moved = draw("dm", 1);
      const norms = normsOf(weight);
      const at = (t: number) => {
        const v = toRows(add(weight, change, t)), lengths = normsOf(add(weight, change, t));
        return fromRows(
          v.map((row, i) =>
            row.map((x) => norms[i] === 0 ? 0 : x * (magnitude.data[i]! + t * moved.data[i]!) / lengths[i]!)
          ),
        );
      };
      const wanted = times(add(at(1e-5), at(-1e-5), -1), 0.5e5);
      const found = magnitudeChange(
        gpu,
        upload(gpu, weight, "V"),
        {
          magnitude: upload(gpu, magnitude, "m"),
          norms: upload(gpu, roundToFloat32(matrix(rows, 1, norms)), "n"),
        },
        { change: upload(gpu, change, "D"), magnitudeChange: upload(gpu, moved, "dm") },
        { lanes },
      );
      // A difference of two terms of the same size where there is one column.
      assertClose(
        await gpu.download(found),
        wanted.data,
        { relative: 5e-6, absolute: 1e-6 },
        `${rows} x ${columns}, ${lanes}`,
      );
    }
  }
});

Deno.test("rowNorms() and scaleColumns() refuse sizes that do not fit, by name", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refusals");
  const tensor = (label: string, ...shape: number[]) =>
    upload(gpu, zeros(shape[0]!, shape[1] ?? 1), label, shape);
  const low = { a: tensor("A", 2, 5), b: tensor("B", 4, 3), scale: 1 };
  assertThrows(
    () => rowNorms(gpu, tensor("W", 4, 5), low, tensor("n", 4)),
    RangeError,
    'Cannot take row norms of "W" [4,5] with "B" [4,3] and "A" [2,5] into [4]',
  );
  assertThrows(
    () => scaleColumns(gpu, tensor("x", 4, 5), { magnitude: tensor("m", 5), norms: tensor("n", 4) }),
    RangeError,
    'Cannot rescale "x" [4,5] by "n" [4]: 5 are needed',
  );
});
