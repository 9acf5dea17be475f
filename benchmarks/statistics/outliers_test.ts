import { assert, assertEquals } from "@std/assert";
import { createRandom } from "../../numerics/random.ts";
import { outliersOf } from "./outliers.ts";

Deno.test("outliersOf() finds the three of Rosner's own example (Technometrics 25, 1983), which hide each other from a single test", () => {
  const values = [
    ...[-0.25, 0.68, 0.94, 1.15, 1.2, 1.26, 1.26, 1.34, 1.38, 1.43, 1.49, 1.49, 1.55, 1.56, 1.58, 1.65],
    ...[1.69, 1.7, 1.76, 1.77, 1.81, 1.91, 1.94, 1.96, 1.99, 2.06, 2.09, 2.1, 2.14, 2.15, 2.23, 2.24],
    ...[2.26, 2.35, 2.37, 2.4, 2.47, 2.54, 2.62, 2.64, 2.9, 2.92, 2.92, 2.93, 3.21, 3.26, 3.3, 3.59],
    ...[3.68, 4.3, 4.64, 5.34, 5.42, 6.01],
  ];
  assertEquals(outliersOf(values, 0, 0.05).map((i) => values[i]), [5.34, 5.42, 6.01]);
});

Deno.test("outliersOf() names a value of well-behaved ones in one case of a hundred, and of crashed seeds most", () => {
  const random = createRandom(71), repeats = 2000;
  // How often one seed of so many that falls by seven standard deviations is named, at least.
  for (const [count, least] of [[4, 0.05], [6, 0.4], [9, 0.8], [12, 0.9]] as const) {
    let named = 0, found = 0;
    for (let i = 0; i < repeats; i++) {
      const values = [...random.fork(`${count} ${i}`).normal(count, 0.04)];
      if (outliersOf(values).length > 0) named++;
      if (outliersOf([values[0]! - 0.28, ...values.slice(1)]).includes(0)) found++;
    }
    // Three standard errors of a true share of 1% are 0.7%.
    assert(named / repeats < 0.019, `${count}: ${named} of ${repeats}`);
    assert(found / repeats > least, `${count}: ${found} of ${repeats}`);
  }
});

Deno.test("outliersOf() names none of fewer than four, none of equal ones, and none that is a step from others that are equal", () => {
  assertEquals(outliersOf([0.5, 0.5, 0.1]), []);
  assertEquals(outliersOf([0.3, 0.3, 0.3, 0.3, 0.3]), []);
  const step = [0.5, 0.5, 0.5, 0.502];
  assertEquals(outliersOf(step), [3]);
  assertEquals(outliersOf(step, 0.01), []);
  assertEquals(outliersOf([0.6, 0.61, 0.1, 0.62, 0.6], 0.01), [2]);
});
