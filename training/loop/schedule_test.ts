import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { Schedule } from "../run.ts";
import { learningRateAt } from "./schedule.ts";

const schedule: Schedule = { kind: "constant", learningRate: 0.8, warmup: 4, floor: 0.25 };

Deno.test("learningRateAt() rises linearly from above 0 to the peak at the end of the warm-up, in every kind", () => {
  for (const kind of ["constant", "linear", "cosine"] as const) {
    const rates = [1, 2, 3, 4].map((step) => learningRateAt({ ...schedule, kind }, step, 12));
    assertEquals(rates, [0.2, 0.4, 0.8 * 3 / 4, 0.8], kind);
  }
});

Deno.test("learningRateAt() ends at floor times peak, halfway between in the middle", () => {
  const at = (kind: Schedule["kind"], step: number) => learningRateAt({ ...schedule, kind }, step, 12);
  assertEquals([at("constant", 5), at("constant", 12)], [0.8, 0.8]);
  for (const kind of ["linear", "cosine"] as const) {
    assertAlmostEquals(at(kind, 8), 0.5, 1e-12);
    assertAlmostEquals(at(kind, 12), 0.2, 1e-12);
  }
  assertAlmostEquals(at("linear", 6), 0.8 - 0.6 / 4, 1e-12);
  assertAlmostEquals(at("cosine", 6), 0.2 + 0.6 * (1 + Math.SQRT1_2) / 2, 1e-12);
});

Deno.test("learningRateAt() is the peak at the first step without a warm-up that has more steps", () => {
  assertEquals(learningRateAt({ ...schedule, warmup: 0 }, 1, 1), 0.8);
  for (const kind of ["linear", "cosine"] as const) {
    // One step that is no warm-up: it is the last one.
    assertAlmostEquals(learningRateAt({ ...schedule, kind, warmup: 0 }, 1, 1), 0.2, 1e-12);
  }
});

Deno.test("learningRateAt() stays in the warm-up where a run is shorter than it", () => {
  assertEquals([1, 2].map((step) => learningRateAt({ ...schedule, kind: "cosine" }, step, 2)), [0.2, 0.4]);
});
