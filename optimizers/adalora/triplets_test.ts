import { assertEquals } from "@std/assert";
import type { Gpu } from "../../gpu/gpu.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import {
  distanceFromOrthonormal,
  scaledRows,
  type Triplets as Matrices,
} from "../../tests/reference/adalora.ts";
import { orthonormalColumns, randomMatrix, toFloat32, transpose } from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { stretchOf } from "../../tests/support/upload.ts";
import { scaledRowsBackward, Triplets, type TripletValues } from "./triplets.ts";

/** `[rows, columns]` of layers: rows of one number, primes, and more than a workgroup's lanes. */
const SIZES = [[1, 1], [7, 5], [3, 130], [257, 11]] as const;

interface Packed {
  readonly triplets: Triplets;
  readonly matrices: readonly Matrices[];
  /** Tensors laid out as all Q, all P and all e, with values of their own. */
  values(label: string): { readonly values: TripletValues; readonly parts: readonly Tensor[] };
}

/** Layers whose Q, P and e are packed as methods pack them. */
function pack(
  gpu: Gpu,
  rank: number,
  matrices = SIZES.map(([rows, columns]) => random(rank, rows, columns)),
): Packed {
  const kind = (of: keyof Matrices) => {
    const { parts } = gpu.pack(
      matrices.map((layer) => ({
        label: of,
        shape: of === "e" ? [rank] : [layer[of].rows, layer[of].columns],
      })),
      of,
    );
    parts.forEach((part, i) => gpu.write(part, toFloat32(matrices[i]![of])));
    return parts;
  };
  const q = kind("q"), p = kind("p"), e = kind("e");
  const triplets = new Triplets(gpu, matrices.map((_, i) => ({ q: q[i]!, p: p[i]!, e: e[i]! })));
  return {
    triplets,
    matrices,
    values(label) {
      const { parts, flats } = gpu.pack(
        [...q, ...p, ...e].map(({ shape }) => ({ label, shape })),
        label,
      );
      parts.forEach((part, i) =>
        gpu.write(part, createRandom(i).fork(label).normal(part.shape.reduce((x, y) => x * y, 1), 1))
      );
      const at = (part: Tensor) => part.offset / 4;
      return { values: { flat: flats[0]!, p: at(parts[q.length]!), e: at(parts[2 * q.length]!) }, parts };
    },
  };
}

function random(rank: number, rows: number, columns: number): Matrices {
  const own = createRandom(rows).fork(`${rank} ${columns}`);
  return {
    p: randomMatrix(rows, rank, own.fork("p"), 0.3),
    e: randomMatrix(1, rank, own.fork("e")),
    q: randomMatrix(rank, columns, own.fork("q"), 0.3),
  };
}

Deno.test("Triplets.scaleRows() forms diag(e) Q of all layers or of one, and adds it where asked", async () => {
  const gpu = await testGpu();
  for (const rank of [1, 3, 12]) {
    using _ = gpu.scope("scaled rows");
    const { triplets, matrices } = pack(gpu, rank);
    const { parts, flats } = gpu.pack(
      matrices.map(({ q }) => ({ label: "scaled", shape: [q.rows, q.columns] })),
      "scaled",
    );
    triplets.scaleRows(flats[0]!);
    triplets.scaleRows(flats[0]!, { layer: 2, accumulate: true });
    triplets.scaleRows(flats[0]!, { layer: 1 });
    const found = await gpu.downloadAll(parts);
    matrices.forEach((layer, i) => {
      // One product; an addition of equals doubles it exactly.
      const wanted = scaledRows(layer).data.map((value) => i === 2 ? 2 * value : value);
      assertClose(found[i]!, wanted, { relative: 2e-7 }, `layer ${i}, rank ${rank}`);
    });
  }
});

Deno.test("scaledRowsBackward() adds the gradients of Q and e to what is there", async () => {
  const gpu = await testGpu();
  for (const [rank, columns] of [[1, 1], [3, 7], [12, 130]] as const) {
    using _ = gpu.scope("backward");
    const { q, e } = random(rank, 1, columns), g = randomMatrix(rank, columns, createRandom(9));
    const upload = (data: Float64Array, shape: number[]) =>
      gpu.upload(Float32Array.from(data), "f32", shape, "x");
    const ones = (shape: number[]) => upload(new Float64Array(shape.reduce((x, y) => x * y)).fill(1), shape);
    // As in a run, both gradients lie in one buffer.
    const { parts: [dq, de] } = gpu.pack([{ label: "dq", shape: [rank, columns] }, {
      label: "de",
      shape: [rank],
    }], "d");
    gpu.copy(ones([rank, columns]), dq!);
    gpu.copy(ones([rank]), de!);
    scaledRowsBackward(gpu, {
      q: upload(q.data, [rank, columns]),
      e: upload(e.data, [rank]),
      gradient: upload(g.data, [rank, columns]),
    }, { q: dq!, e: de! });
    const [ofQ, ofE] = await gpu.downloadAll([dq!, de!]);
    assertClose(ofQ!, scaledRows({ e, q: g }).data.map((value) => 1 + value), { relative: 3e-7 });
    const dots = Array.from({ length: rank }, (_, i) => {
      let sum = 1;
      for (let j = 0; j < columns; j++) sum += g.data[i * columns + j]! * q.data[i * columns + j]!;
      return sum;
    });
    assertClose(ofE!, dots, { relative: 2e-6 });
  }
});

Deno.test("Triplets.addPenalty() adds the gradient of weight / 2 times the distances from orthonormal", async () => {
  const gpu = await testGpu();
  // Above rank 12 others form the products, and others again where rows and columns are whole vectors.
  for (
    const [rank, sizes] of [[1, SIZES], [3, SIZES], [12, SIZES], [14, SIZES], [16, [[8, 20], [
      132,
      68,
    ]]]] as const
  ) {
    using _ = gpu.scope("penalty");
    const packed = pack(gpu, rank, sizes.map(([rows, columns]) => random(rank, rows, columns))),
      { triplets, matrices } = packed,
      weight = 0.6;
    const { distances, grams } = triplets.orthogonality(weight);
    const count = 2 * matrices.length, found = await gpu.download(distances);
    const penalty = (layers: readonly Matrices[]) => weight / 2 * count * distanceFromOrthonormal(layers);
    assertClose([found.reduce((sum, value) => sum + value, 0)], [penalty(matrices) * 2 / weight], {
      relative: 1e-6,
    });
    const { values, parts } = packed.values("gradients");
    const before = await gpu.downloadAll(parts);
    const { flat } = triplets.addPenalty(values, grams);
    const after = await gpu.downloadAll(
      parts.map((part) => ({ ...flat, offset: part.offset, shape: part.shape })),
    );
    matrices.forEach((layer, i) => {
      assertEquals(after[2 * matrices.length + i], before[2 * matrices.length + i]);
      for (const [at, kind] of [[i, "q"], [matrices.length + i, "p"]] as const) {
        // Central differences at a few entries, in float64.
        for (const k of new Set([0, Math.floor(layer[kind].data.length / 2), layer[kind].data.length - 1])) {
          const shifted = (by: number) => {
            const data = Float64Array.from(layer[kind].data);
            data[k]! += by;
            return penalty(
              matrices.map((other, j) => j === i ? { ...other, [kind]: { ...other[kind], data } } : other),
            );
          };
          const wanted = before[at]![k]! + (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
          assertClose(
            [after[at]![k]!],
            [wanted],
            { relative: 1e-5, absolute: 1e-6 },
            `${kind} ${k} of layer ${i}`,
          );
        }
      }
    });
  }
});

Deno.test("Triplets.addPenalty() adds nothing to orthonormal vectors that are exactly so", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("orthonormal");
  const unit = (rows: number, columns: number) => ({
    rows,
    columns,
    data: Float64Array.from(
      { length: rows * columns },
      (_, k) => k % columns === Math.floor(k / columns) ? 1 : 0,
    ),
  });
  const layer = { p: unit(5, 3), e: randomMatrix(1, 3, createRandom(1)), q: unit(3, 7) };
  const packed = pack(gpu, 3, [layer]), { values, parts } = packed.values("gradients");
  const { distances, grams } = packed.triplets.orthogonality(1);
  const { flat } = packed.triplets.addPenalty(values, grams);
  assertEquals(await gpu.download(distances), new Float32Array(2));
  assertEquals(
    await gpu.downloadAll(parts.map((part) => ({ ...flat, offset: part.offset, shape: part.shape }))),
    await gpu.downloadAll(parts),
  );
  const nearly = {
    ...layer,
    p: orthonormalColumns(5, 3, createRandom(2)),
    q: transpose(orthonormalColumns(7, 3, createRandom(3))),
  };
  const { distances: small } = pack(gpu, 3, [nearly]).triplets.orthogonality(1);
  assertClose(await gpu.download(small), [0, 0], { relative: 0, absolute: 1e-6 });
});

Deno.test("Triplets.score() averages importance and its uncertainty, and adds the scores of a triplet's parts", async () => {
  const gpu = await testGpu();
  for (const rank of [1, 3, 12]) {
    using _ = gpu.scope("scores");
    const packed = pack(gpu, rank), { triplets, matrices } = packed;
    const gradients = packed.values("gradients"),
      average = packed.values("average"),
      spread = packed.values("spread");
    const all = () => gpu.downloadAll([...gradients.parts, ...average.parts, ...spread.parts]);
    const before = await all(), count = gradients.parts.length;
    const frozen = await gpu.download(
      triplets.score(gradients.values, average.values.flat, spread.values.flat, null),
    );
    assertEquals(await all(), before);
    const scores = await gpu.download(
      triplets.score(gradients.values, average.values.flat, spread.values.flat, {
        average: 0.8,
        uncertainty: 0.6,
      }),
    );
    const after = await all();
    const kinds = matrices.map((_, i) => ({ q: i, p: matrices.length + i, e: 2 * matrices.length + i }));
    matrices.forEach((layer, i) => {
      const means = [frozen, scores].map((found, round) => {
        const now = round === 0 ? before : after;
        const scoreOf = (kind: keyof Matrices, at: (k: number) => boolean) => {
          const j = kinds[i]![kind];
          const chosen = Array.from(now[count + j]!, (value, k) => value * now[2 * count + j]![k]!)
            .filter((_, k) => at(k));
          return chosen.reduce((sum, value) => sum + value, 0) / chosen.length;
        };
        return Array.from({ length: rank }, (_, k) => ({
          found: found[i * rank + k]!,
          wanted: scoreOf("e", (at) => at === k) + scoreOf("q", (at) =>
            Math.floor(at / layer.q.columns) === k) +
            scoreOf("p", (at) => at % rank === k),
        }));
      });
      for (const round of means) {
        assertClose(round.map(({ found }) => found), round.map(({ wanted }) => wanted), { relative: 2e-6 });
      }
      for (const kind of ["q", "p", "e"] as const) {
        const j = kinds[i]![kind], old = (part: number) => before[part * count + j]!;
        const importance = Array.from(old(0), (g, k) => Math.abs(g * Math.fround(layer[kind].data[k]!)));
        const mean = importance.map((now, k) => 0.8 * old(1)[k]! + 0.2 * now);
        assertClose(after[count + j]!, mean, { relative: 5e-7 }, kind);
        assertClose(
          after[2 * count + j]!,
          importance.map((now, k) => 0.6 * old(2)[k]! + 0.4 * Math.abs(now - mean[k]!)),
          { relative: 1e-6 },
          kind,
        );
      }
    });
  }
});

Deno.test("Triplets.drop() keeps the highest scores of all layers, the first of equal ones, and NaN before all", async () => {
  const gpu = await testGpu();
  for (const rank of [1, 3, 40]) {
    using _ = gpu.scope("drop");
    const { triplets, matrices } = pack(gpu, rank), { e } = triplets.flats, count = matrices.length * rank;
    // One of seven sizes, so that many are equal; one is not a number, one is infinite.
    const sizes = createRandom(rank).integers(count, 7);
    const scores = Float32Array.from(sizes, (size) => size === 0 ? 0 : 10 ** (size - 30));
    if (count > 8) [scores[5], scores[7]] = [NaN, Infinity];
    const place = (score: number) => Number.isNaN(score) ? 1 : 0;
    const order = Array.from(scores, (score, i) => ({ score, i })).sort((x, y) =>
      place(y.score) - place(x.score) || (y.score > x.score ? 1 : y.score < x.score ? -1 : x.i - y.i)
    );
    const tensor = gpu.upload(scores, "f32", [matrices.length, rank], "scores");
    // From keeping all down to none: what was dropped stays 0.
    for (const budget of [count + 1, count, count - 1, Math.floor(count / 2), 1, 0]) {
      const dropped = gpu.zeros(e.shape, "dropped");
      triplets.drop(tensor, budget, dropped);
      const kept = new Set(order.slice(0, budget).map(({ i }) => i));
      const at = (flat: Tensor, i: number) => stretchOf(flat, Math.ceil(4 * rank / 256) * 64 * i, rank);
      const found = await gpu.downloadAll(matrices.flatMap((_, i) => [at(e, i), at(dropped, i)]));
      matrices.forEach((layer, i) => {
        const isKept = Array.from({ length: rank }, (_, k) => kept.has(i * rank + k));
        assertEquals([...found[2 * i]!], isKept.map((is, k) => is ? Math.fround(layer.e.data[k]!) : 0));
        assertEquals([...found[2 * i + 1]!], isKept.map((is) => is ? 0 : 1));
      });
    }
  }
});
