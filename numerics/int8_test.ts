import { assertEquals, assertLess } from "@std/assert";
import { fromInt8, INT8_BLOCK, int8Layout, toInt8 } from "./int8.ts";
import { createRandom } from "./random.ts";

Deno.test("toInt8() keeps each number within half a 127th of its block's largest, that one and 0 exactly", () => {
  for (const count of [1, 3, 64, 65, 1000]) {
    const data = Float32Array.from(createRandom(count).normal(count, 1)).map((value, i) =>
      i % 7 === 3 ? 0 : value
    );
    const words = toInt8(data), found = fromInt8(words, count);
    assertEquals(words.length, int8Layout(count).words);
    for (let first = 0; first < count; first += INT8_BLOCK) {
      const block = data.subarray(first, first + INT8_BLOCK), most = Math.max(...block.map(Math.abs));
      block.forEach((value, i) => {
        assertLess(Math.abs(found[first + i]! - value), most / 127 / 2 * (1 + 1e-5));
        if (value === 0) assertEquals(found[first + i], 0);
        if (Math.abs(value) === most) assertLess(Math.abs(found[first + i]! - value), most * 1e-6);
      });
    }
  }
});

Deno.test("toInt8() takes blocks of zeros, and of numbers whose 127th is no 32-bit float", () => {
  assertEquals([...fromInt8(toInt8(new Float32Array(130)), 130)], Array(130).fill(0));
  const tiny = fromInt8(toInt8(Float32Array.of(1e-45, 0)), 2);
  assertEquals(tiny.every(Number.isFinite), true);
});
