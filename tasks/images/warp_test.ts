import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { drawPlacement, warp } from "./warp.ts";

const still = { angle: 0, scale: 1, right: 0, down: 0 };
const image = [1, 2, 3, 4, 5, 6, 7, 8, 9];

Deno.test("warp() leaves an image that goes nowhere as it is", () => {
  assertEquals([...warp(image, 3, still)], image);
});

Deno.test("warp() turns anticlockwise", () => {
  const turned = warp(image, 3, { ...still, angle: Math.PI / 2 });
  [3, 6, 9, 2, 5, 8, 1, 4, 7].forEach((value, i) => assertAlmostEquals(turned[i]!, value, 1e-5));
});

Deno.test("warp() shifts right and down, and lets zeros in", () => {
  assertEquals([...warp(image, 3, { ...still, right: 1 })], [0, 1, 2, 0, 4, 5, 0, 7, 8]);
  assertEquals([...warp(image, 3, { ...still, down: 1 })], [0, 0, 0, 1, 2, 3, 4, 5, 6]);
});

Deno.test("warp() samples halfway between neighbours", () => {
  assertEquals([...warp([2, 4, 6, 8], 2, { ...still, right: 0.5 })], [1, 3, 3, 7]);
});

Deno.test("warp() by scale 2 shows the middle twice as large", () => {
  // Around the centre, the outer pixels come from halfway between the centre and the neighbours.
  assertEquals([...warp(image, 3, { ...still, scale: 2 })], [3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7]);
});

Deno.test("drawPlacement() stays in its range", () => {
  for (let seed = 0; seed < 100; seed++) {
    const { angle, scale, right, down } = drawPlacement(createRandom(seed), {
      angle: 0.2,
      scale: 0.1,
      shift: 2,
    });
    assert(Math.abs(angle) <= 0.2 && Math.abs(scale - 1) <= 0.1 + 1e-9);
    assert(Math.abs(right) <= 2 && Math.abs(down) <= 2);
  }
});
