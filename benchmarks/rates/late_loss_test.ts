import { assertAlmostEquals, assertEquals } from "@std/assert";
import { fakeDiverged, fakeDone } from "../../tests/support/fakes/results.ts";
import { fakePlan } from "../../tests/support/fakes/sweep.ts";
import { lateValidationLoss, meanLogLoss } from "./late_loss.ts";

Deno.test("lateValidationLoss() is the geometric mean of the last three validation losses, or of as many as there are", async () => {
  const { config } = (await fakePlan()).runs[0]!, done = await fakeDone(config);
  const ending = (...values: number[]) => {
    const validationLoss = values.map((value, step) => ({ step: step + 1, value }));
    return { ...done, outcome: { ...done.outcome, validationLoss } };
  };
  assertAlmostEquals(lateValidationLoss(ending(9, 1, Math.E, Math.E ** 2))!, Math.E, 1e-6);
  assertAlmostEquals(lateValidationLoss(ending(2, 8))!, 4, 1e-12);
  const unlearned = { ...done, outcome: { ...done.outcome, validationLoss: [{ step: 0, value: 1 }] } };
  assertEquals(lateValidationLoss(unlearned), null);
  assertEquals(lateValidationLoss(await fakeDiverged(config)), null);
});

Deno.test("meanLogLoss() is infinite where a run has no loss", () => {
  assertAlmostEquals(meanLogLoss([1, Math.E ** 3]), 1.5, 1e-12);
  assertEquals(meanLogLoss([1, null]), Infinity);
});
