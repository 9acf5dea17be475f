import { assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "../numerics/random.ts";
import { assertClose } from "../tests/support/assert_close.ts";
import { randomMatrix } from "../tests/reference/matrix.ts";
import * as reference from "../tests/reference/network.ts";
import { testGpu } from "../tests/support/test_gpu.ts";
import { upload, uploadAngles } from "../tests/support/upload.ts";
import { createGradients } from "./gradients.ts";
import { KeyValueCache } from "./key_value_cache.ts";
import { Tape } from "./tape.ts";

const THETA = 50;

/** Texts of lengths of their own, which begin, go on, are chosen from and go on again. */
for (
  const { heads, keyValueHeads, size, rotary, starts, room } of [
    { heads: 1, keyValueHeads: 1, size: 1, rotary: false, starts: [1], room: 4 },
    { heads: 4, keyValueHeads: 2, size: 6, rotary: true, starts: [1, 7, 3], room: 13 },
    { heads: 3, keyValueHeads: 1, size: 8, rotary: true, starts: [66, 2, 64, 23], room: 73 },
    { heads: 2, keyValueHeads: 2, size: 5, rotary: false, starts: [9, 8], room: 17 },
  ]
) {
  Deno.test(`KeyValueCache: each text's last token looks at all of its own, ${heads} heads of ${size} after ${starts} tokens`, async () => {
    const gpu = await testGpu();
    using _ = gpu.scope("cache");
    const layers = 2, scale = size ** -0.5, random = createRandom(size);
    const widths = { q: heads * size, k: keyValueHeads * size, v: keyValueHeads * size };
    /** What token t of a text is in a layer. */
    const rowOf = (side: "q" | "k" | "v", layer: number, text: number, t: number) =>
      randomMatrix(1, widths[side], random.fork(`${side} ${layer} ${text} ${t}`), 1.5).data;
    const rowsOf = (side: "q" | "k" | "v", layer: number, places: readonly (readonly [number, number])[]) => {
      const rows = places.map(([text, t]) => [...rowOf(side, layer, text, t)]).flat();
      return { rows: places.length, columns: widths[side], data: Float64Array.from(rows) };
    };
    const angles = rotary ? { angles: uploadAngles(gpu, room, size, THETA) } : {};
    const tape = new Tape(gpu, createGradients(gpu, []));
    const cache = new KeyValueCache(
      gpu,
      { layers, heads, keyValueHeads, size, scale, ...angles },
      starts.length,
      room,
    );
    const on = (side: "q" | "k" | "v", layer: number, places: readonly (readonly [number, number])[]) =>
      tape.constant(upload(gpu, rowsOf(side, layer, places), side));

    let texts = [...starts.keys()];
    const padded = Math.max(...starts);
    cache.begin(starts, padded);
    // Padding holds what no text has.
    const all = texts.flatMap((text) =>
      Array.from({ length: padded }, (_, t) => [t < starts[text]! ? text : 99, t] as const)
    );
    for (let layer = 0; layer < layers; layer++) {
      cache.keep(layer, on("k", layer, all), on("v", layer, all));
    }
    for (let step = 0; step < 4; step++) {
      if (step === 2) {
        // The last text twice, the first not at all where there is another.
        const chosen = [texts.length - 1, ...texts.slice(1).keys()].map((i) =>
          Math.max(i, texts.length > 1 ? 1 : 0)
        );
        cache.select(chosen);
        texts = chosen.map((i) => texts[i]!);
      }
      if (Math.max(...cache.lengths) === room) break;
      cache.advance();
      const places = texts.map((text) => [text, starts[text]! + step] as const);
      for (let layer = 0; layer < layers; layer++) {
        const out = cache.attend(
          tape,
          layer,
          on("q", layer, places),
          on("k", layer, places),
          on("v", layer, places),
        );
        const found = await gpu.download(out.value);
        for (const [row, [text, last]] of places.entries()) {
          const seen = Array.from({ length: last + 1 }, (_, t) => [text, t] as const);
          const turn = (x: ReturnType<typeof rowsOf>, count: number, first: number) =>
            rotary
              ? reference.rotary(x, {
                batch: 1,
                length: x.rows,
                heads: count,
                headSize: size,
                theta: THETA,
                first,
              })
              : x;
          const wanted = reference.attention(
            turn(rowsOf("q", layer, [[text, last]]), heads, last),
            turn(rowsOf("k", layer, seen), keyValueHeads, 0),
            rowsOf("v", layer, seen),
            {
              batch: 1,
              length: 1,
              keys: last + 1,
              heads,
              keyValueHeads,
              headSize: size,
              causal: true,
              scale,
            },
          );
          assertClose(
            found.subarray(row * widths.q, (row + 1) * widths.q),
            wanted.data,
            { relative: 1e-5, absolute: 1e-6 },
            `step ${step}, layer ${layer}, text ${text}`,
          );
        }
      }
    }
  });
}

Deno.test("KeyValueCache: a full text goes along with others, and is full with none", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("cache");
  const sizes = { layers: 1, heads: 1, keyValueHeads: 1, size: 2, scale: 1 };
  const cache = new KeyValueCache(gpu, sizes, 2, 3);
  cache.begin([3, 1], 3);
  cache.advance();
  assertEquals(cache.lengths, [3, 2]);
  cache.advance();
  assertEquals(cache.lengths, [3, 3]);
  assertThrows(() => cache.advance(), RangeError, "all texts have the 3 there is room for");
});

Deno.test("KeyValueCache refuses what it has no room, angles or place for, and what is trained", async () => {
  const gpu = await testGpu();
  using _ = gpu.scope("cache");
  const sizes = { layers: 1, heads: 1, keyValueHeads: 1, size: 2, scale: 1 };
  const angles = uploadAngles(gpu, 4, 2, THETA);
  assertThrows(() => new KeyValueCache(gpu, { ...sizes, angles }, 1, 5), RangeError, "has angles for 4");
  const cache = new KeyValueCache(gpu, sizes, 1, 4), tape = new Tape(gpu, createGradients(gpu, []));
  const x = tape.constant(gpu.zeros([1, 2], "x"));
  assertThrows(() => cache.keep(0, x, x), Error, "no token is being read");
  assertThrows(() => cache.begin([5], 5), RangeError, "with 5 tokens: there is room for 4");
  cache.begin([1], 1);
  assertThrows(() => cache.keep(0, x, tape.input(x.value)), TypeError, 'Cannot keep "x": its gradient');
});
