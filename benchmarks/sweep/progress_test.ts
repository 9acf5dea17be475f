import { assertEquals } from "@std/assert";
import { formatDuration } from "../cost/estimate.ts";
import { fakeDone } from "../../tests/support/fakes/results.ts";
import { fakePlan } from "../../tests/support/fakes/sweep.ts";
import { createLines } from "./progress.ts";

const run = (await fakePlan()).runs[1]!;

Deno.test("createLines() writes a line at start and end, and between them one every ten seconds at most", async () => {
  const lines: string[] = [];
  let clock = 0;
  const display = createLines((line) => lines.push(line), { now: () => clock });
  display.begin({ done: 1, total: 3 });
  display.start(run);
  for (let step = 1; step <= 40; step++) {
    clock += 500;
    display.update(
      {
        phase: "training",
        step,
        steps: 40,
        loss: step === 20 ? null : 0.25,
        trainLoss: [],
        validationLoss: [],
      },
      step < 30 ? 65_000 : null,
    );
  }
  const result = await fakeDone(run.config);
  display.finish({ ...result, outcome: { ...result.outcome, score: 0.5 } }, 20_000);
  display.end();
  assertEquals(lines, [
    "1 of 3 runs are stored already, 2 left",
    "[2/3] digits, lora r2, peak 0.004, seed 0",
    "[2/3] digits, lora r2, peak 0.004, seed 0: step 20 of 40, 1 min 5 s to go",
    "[2/3] digits, lora r2, peak 0.004, seed 0: step 40 of 40, loss 0.250",
    "[2/3] digits, lora r2, peak 0.004, seed 0: score 0.500 in 20 s, 1 left",
  ]);
});

Deno.test("formatDuration() picks its units", () => {
  assertEquals([0, 59_400, 59_600, 3_599_000, 3_660_000].map(formatDuration), [
    "0 s",
    "59 s",
    "1 min 0 s",
    "59 min 59 s",
    "1 h 1 min",
  ]);
});
