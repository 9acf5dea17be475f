import { assertThrows } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { checkGradients } from "../../tests/support/gradient_check.ts";
import { fromRows, randomMatrix, toRows, zeros } from "../../tests/reference/matrix.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { gatherMap, joinRows, mapRows, rowJoin, scatterMap } from "./rows.ts";

Deno.test("mapRows() with gatherMap() has the gradients of central differences: rows never, once and often picked", async () => {
  const gpu = await testGpu();
  for (const columns of [1, 4, 67]) {
    using _ = gpu.scope("rows");
    const index = [3, 0, 3, 3, 5, 0, 6];
    const map = gatherMap(gpu, Int32Array.from(index), 7);
    await checkGradients({
      inputs: [randomMatrix(7, columns, createRandom(columns))],
      operation: (tape, [x]) => mapRows(tape, x!, map),
      reference: ([x]) => fromRows(index.map((row) => toRows(x!)[row]!)),
      label: `${columns} columns`,
    });
  }
});

Deno.test("mapRows() with scatterMap() has the gradients of central differences: places left empty and taken twice", async () => {
  const gpu = await testGpu();
  for (const columns of [1, 4, 67]) {
    using _ = gpu.scope("rows");
    const places = [4, 0, 4, 2], map = scatterMap(gpu, places, 6);
    await checkGradients({
      inputs: [randomMatrix(4, columns, createRandom(columns))],
      operation: (tape, [x]) => mapRows(tape, x!, map),
      reference: ([x]) => {
        const out = zeros(6, columns);
        x!.data.forEach((value, i) =>
          out.data[places[Math.floor(i / columns)]! * columns + i % columns]! += value
        );
        return out;
      },
      label: `${columns} columns`,
    });
  }
});

Deno.test("gatherMap() and scatterMap() refuse a row outside the table by its place", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("refusal");
  for (const row of [-1, 4, NaN]) {
    const refused = `Cannot gather row ${row} (position 1): the table has 4 rows`;
    assertThrows(() => gatherMap(gpu, [0, row, 1], 4), RangeError, refused);
    assertThrows(() => scatterMap(gpu, [0, row, 1], 4), RangeError, refused);
  }
});

Deno.test("joinRows() has the gradients of central differences, and its parts are what was joined", async () => {
  const gpu = await testGpu();
  for (const columns of [1, 4, 5]) {
    using _ = gpu.scope("join");
    const join = rowJoin(gpu, 3, 2), random = createRandom(columns);
    await checkGradients({
      inputs: [randomMatrix(3, columns, random.fork("a")), randomMatrix(2, columns, random.fork("b"))],
      operation: (tape, [a, b]) => joinRows(tape, a!, b!, join),
      reference: ([a, b]) => fromRows([...toRows(a!), ...toRows(b!)]),
      label: `${columns} columns`,
    });
    await checkGradients({
      inputs: [randomMatrix(5, columns, random.fork("all"))],
      operation: (tape, [all]) => mapRows(tape, all!, join.parts[1]),
      reference: ([all]) => fromRows(toRows(all!).slice(3)),
      label: `second part of ${columns} columns`,
    });
  }
});
