import { assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { assertClose } from "../../tests/support/assert_close.ts";
import { add, type Matrix, randomMatrix, zeros } from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { stretchOf, upload } from "../../tests/support/upload.ts";
import { relativeRows, relativeScores, relativeScoresBackward } from "./relative_scores.ts";

const SCALE = 0.3;
type Operands = Readonly<Record<"q" | "k" | "qr" | "kr", Matrix>>;

/** Calls `use` with the places of each product of scores: of a score, of a content, and of a position. */
function eachScore(
  { batch, length, heads, rowOf }: {
    readonly batch: number;
    readonly length: number;
    readonly heads: number;
    readonly rowOf: (distance: number) => number;
  },
  use: (score: number, head: number, query: number, key: number, row: number) => void,
) {
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < length; i++) {
        for (let j = 0; j < length; j++) {
          use(((b * heads + h) * length + i) * length + j, h, b * length + i, b * length + j, rowOf(i - j));
        }
      }
    }
  }
}

Deno.test("relativeScores() and its gradients agree with float64: rows with one distance, several and none, many texts, alone and added", async () => {
  const gpu = await testGpu();
  for (
    const [batch, length, heads, size, count, rowOf] of [
      [1, 1, 1, 1, 1, () => 0],
      [2, 5, 3, 4, 9, (distance: number) => distance + 4],
      [3, 7, 2, 5, 6, (distance: number) => Math.max(0, Math.min(4, distance + 2))],
      [1, 70, 2, 3, 12, (distance: number) => 5 + Math.trunc(distance / 14)],
      // More texts than are taken together.
      [130, 64, 2, 1, 127, (distance: number) => distance + 63],
    ] as const
  ) {
    using _ = gpu.scope("relative scores");
    const width = heads * size, random = createRandom(length);
    const x: Operands = {
      q: randomMatrix(batch * length, width, random.fork("q")),
      k: randomMatrix(batch * length, width, random.fork("k")),
      qr: randomMatrix(count, width, random.fork("qr")),
      kr: randomMatrix(count, width, random.fork("kr")),
    };
    const g = randomMatrix(batch * heads * length, length, random.fork("g"));
    const before = Object.fromEntries(
      Object.entries(x).map((
        [name, { rows, columns }],
      ) => [name, randomMatrix(rows, columns, random.fork(name))]),
    ) as Operands;
    const out = zeros(batch * heads * length, length);
    const wanted = Object.fromEntries(
      Object.entries(x).map(([name, { rows, columns }]) => [name, zeros(rows, columns)]),
    ) as Operands;
    eachScore({ batch, length, heads, rowOf }, (score, head, query, key, row) => {
      for (let d = 0; d < size; d++) {
        const at = (place: number) => place * width + head * size + d;
        for (const [one, other, place] of [["q", "kr", query], ["k", "qr", key]] as const) {
          out.data[score]! += SCALE * x[one].data[at(place)]! * x[other].data[at(row)]!;
          wanted[one].data[at(place)]! += SCALE * g.data[score]! * x[other].data[at(row)]!;
          wanted[other].data[at(row)]! += SCALE * g.data[score]! * x[one].data[at(place)]!;
        }
      }
    });
    const map = relativeRows(gpu, length, count, rowOf);
    const names = ["q", "k", "qr", "kr"] as const;
    const uploaded = (of: Operands) =>
      Object.fromEntries(names.map((name) => [name, upload(gpu, of[name], name)])) as Record<
        typeof names[number],
        ReturnType<typeof upload>
      >;
    const on = uploaded(x), alone = uploaded(before), added = uploaded(before);
    const onGpu = upload(gpu, g, "g", [batch, heads, length, length]);
    for (const [into, accumulate] of [[alone, false], [added, true]] as const) {
      const targets = Object.fromEntries(
        names.map((name) => [name, { into: into[name], accumulate }]),
      ) as Record<
        typeof names[number],
        { into: ReturnType<typeof upload>; accumulate: boolean }
      >;
      relativeScoresBackward(gpu, on, heads, SCALE, map, onGpu, targets);
    }
    const [found, ...gradients] = await gpu.downloadAll([
      relativeScores(gpu, on, heads, SCALE, map),
      ...names.map((name) => alone[name]),
      ...names.map((name) => added[name]),
    ]);
    assertClose(found!, out.data, { relative: 2e-6, absolute: 2e-6 });
    names.forEach((name, i) => {
      const near = { relative: 5e-6, absolute: 5e-6 };
      assertClose(gradients[i]!, wanted[name].data, near, name);
      assertClose(gradients[names.length + i]!, add(before[name], wanted[name]).data, near, `${name}, added`);
    });
  }
});

Deno.test("relativeScores() and its gradient for places reach every row beyond 65,535 workgroups", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("many", "scratch");
  const batch = 70_001, size = 64, random = createRandom(1), map = relativeRows(gpu, 1, 1, () => 0);
  const q = randomMatrix(batch, size, random.fork("q")), kr = randomMatrix(1, size, random.fork("kr"));
  const on = { q: upload(gpu, q, "q"), kr: upload(gpu, kr, "kr"), qr: gpu.zeros([1, size], "qr") };
  const operands = { ...on, k: on.q }, out = relativeScores(gpu, operands, 1, 1, map);
  const into = gpu.empty([batch, size], "gradient"), none = { k: null, qr: null, kr: null };
  relativeScoresBackward(gpu, operands, 1, 1, map, out, { ...none, q: { into, accumulate: false } });
  for (const row of [0, 65_535, 65_536, batch - 1]) {
    const [score] = await gpu.download(stretchOf(out, row, 1));
    const wanted = kr.data.reduce((sum, value, d) => sum + value * q.data[row * size + d]!, 0);
    assertClose([score!], [wanted], { relative: 1e-5, absolute: 1e-5 });
    const gradient = await gpu.download(stretchOf(into, row * size, size));
    assertClose(gradient, kr.data.map((value) => score! * value), { relative: 1e-6 });
  }
});

Deno.test("relativeRows() and relativeScores() refuse rows that fall or lie outside, and operands that do not fit", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refusal");
  assertThrows(() => relativeRows(gpu, 3, 9, (distance) => 2 - distance), RangeError, "rows never fall");
  assertThrows(
    () => relativeRows(gpu, 3, 4, (distance) => distance + 2),
    RangeError,
    "row 4 of 4 for distance 2",
  );
  const map = relativeRows(gpu, 2, 3, (distance) => distance + 1), x = gpu.zeros([4, 6], "x");
  const rows = gpu.zeros([3, 6], "rows"), operands = { q: x, k: x, qr: rows, kr: rows };
  assertEquals(relativeScores(gpu, operands, 2, 1, map).shape, [2, 2, 2, 2]);
  for (
    const [other, heads] of [[{ kr: x }, 2], [{ k: rows }, 2], [{}, 4]] as const
  ) {
    assertThrows(
      () => relativeScores(gpu, { ...operands, ...other }, heads, 1, map),
      RangeError,
      "texts of 2 and 3 positions are needed",
    );
  }
});
