import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { formatDuration } from "../cost/estimate.ts";
import { fakeDiverged, fakeDone } from "../../tests/support/fakes/results.ts";
import { fakePlan } from "../../tests/support/fakes/sweep.ts";
import { type Clocks, createLines, createStatusLine, type Standing, statusLine } from "./display.ts";
import { coloured } from "./terminal.ts";

const run = (await fakePlan()).runs[1]!;
const date = new Date(2026, 4, 12, 9, 7);
const standing: Standing = {
  done: 3,
  total: 28,
  config: run.config,
  progress: { phase: "training", step: 40, steps: 120, loss: 0.4123 },
  elapsed: 62_000,
  date,
  ends: new Date(2026, 4, 12, 14, 5),
};

/** Clocks that a test sets. */
function fakeClocks(): Clocks & { ms: number } {
  const clocks = {
    ms: 0,
    now: () => clocks.ms,
    date: () => new Date(date.getTime() + clocks.ms),
  };
  return clocks;
}

const progress = {
  phase: "training",
  step: 20,
  steps: 40,
  loss: 0.25,
  trainLoss: [],
  validationLoss: [],
  discrepancies: [],
} as const;

Deno.test("createLines() writes a line at start and end, and between them one every ten seconds at most", async () => {
  const lines: string[] = [], clocks = fakeClocks();
  const display = createLines((line) => lines.push(line), { clocks });
  display.stage("Planning the runs");
  display.begin({ done: 1, total: 3 });
  display.start(run);
  for (let step = 1; step <= 40; step++) {
    clocks.ms += 500;
    display.update({ ...progress, step, loss: step === 20 ? null : 0.25 }, step < 30 ? 65_000 : null);
  }
  const result = await fakeDone(run.config);
  display.finish({ ...result, outcome: { ...result.outcome, score: 0.5 } }, 20_000);
  display.end();
  assertEquals(lines, [
    "Planning the runs",
    "1 of 3 runs are stored already, 2 left",
    "[2/3] digits, lora r2, lr 0.004, seed 0",
    "1/3  digits, lora r2, seed 0  step 20/40  0:10  ends 9:08",
    "1/3  digits, lora r2, seed 0  step 40/40  loss 0.250  0:20",
    "[2/3] digits, lora r2, lr 0.004, seed 0: score 0.500 in 20 s",
  ]);
});

Deno.test("statusLine() tells done, run, step, loss, elapsed and finish in less than the terminal's columns", () => {
  assertEquals(
    statusLine(standing, 80),
    " 3/28  digits, lora r2, seed 0  step 40/120  loss 0.412  1:02  ends 14:05",
  );
  assertStringIncludes(statusLine(standing, 120), " 3/28  ━━━─────────────────────  digits, lora r2, seed 0");
  for (const ends of [null, new Date(2026, 4, 14, 0, 9), new Date(2026, 11, 24, 22, 0)]) {
    for (const total of [4, 28, 1026]) {
      for (const id of ["digits", "a-task-with-a-long-name-and-more-of-it-than-anybody-reads"]) {
        const config = { ...run.config, task: { ...run.config.task, id } };
        for (let columns = 20; columns <= 200; columns++) {
          const line = statusLine({ ...standing, total, config, elapsed: 1e8, ends }, columns);
          assert(line.length < columns && line.trimStart().startsWith(`3/${total}`), `${columns}: ${line}`);
          if (columns >= 80) {
            assertStringIncludes(line, "step 40/120");
            assertStringIncludes(line, id.slice(0, 6));
            if (ends) {
              assertStringIncludes(line, ends.getDate() === 14 ? "ends Thu 0:09" : "ends 24 Dec 22:00");
            }
          }
        }
      }
    }
  }
  assertStringIncludes(statusLine({ ...standing, progress: null }, 80), "  starting  1:02");
  const scoring = { ...standing.progress!, phase: "scoring" } as const;
  assertStringIncludes(statusLine({ ...standing, progress: scoring }, 80), "  scoring  loss 0.412");
});

/** What a terminal shows of a text with carriage returns, its last line first to be drawn over. */
function screenOf(text: string): string[] {
  return text.split("\n").map((line) =>
    line.split("\r").reduce((shown, part) => part + shown.slice(part.length), "").trimEnd()
  );
}

Deno.test("createStatusLine() draws one line over itself from the first stage on, and leaves ended runs above", async () => {
  let text = "";
  const clocks = fakeClocks();
  const display = createStatusLine((part) => text += part, { clocks });
  try {
    display.stage("Scoring base checkpoints before fine-tuning");
    assertEquals(screenOf(text), ["Scoring base checkpoints before fine-tuning  0:00"]);
    display.say("vit-tiny on digits before fine-tuning: score 0.100");
    display.begin({ done: 0, total: 3 });
    clocks.ms = 5000;
    display.start(run);
    display.update(progress, 60_000);
    const done = await fakeDone(run.config);
    display.finish({ ...done, outcome: { ...done.outcome, score: 0.5 } }, 5000);
    display.start(run);
    display.finish(await fakeDiverged(run.config), 1000);
    const lines = screenOf(text);
    assertEquals(lines.slice(0, 3), [
      "vit-tiny on digits before fine-tuning: score 0.100",
      "3 runs to do",
      "digits, lora r2, lr 0.004, seed 0: score 0.500 in 5 s",
    ]);
    assert(lines[3]!.startsWith("digits, lora r2, lr 0.004, seed 0: diverged at step"), lines[3]);
    assert(/^1\/3 .* starting {2}0:05 {2}ends 9:08$/.test(lines[4]!), lines[4]);
    display.stage("Writing the report");
    assertEquals(screenOf(text).at(-1), "Writing the report  0:05");
  } finally {
    display.end();
  }
  assertEquals(screenOf(text).at(-1), "");
  const length = text.length;
  display.end();
  assertEquals(text.length, length);
});

Deno.test("createStatusLine() has no escapes without colours, and with them takes no more columns", async () => {
  const result = await fakeDone(run.config);
  const draw = (style?: typeof coloured) => {
    let text = "";
    const display = createStatusLine((part) => text += part, {
      clocks: fakeClocks(),
      columns: () => 120,
      ...(style && { style }),
    });
    display.begin({ done: 1, total: 3 });
    display.start(run);
    display.finish(result, 1000);
    display.stage("Writing the report");
    display.end();
    return text;
  };
  const plainText = draw(), marked = draw(coloured);
  assert(!plainText.includes("\x1b") && marked.includes("\x1b[32m"));
  assertEquals(marked.replaceAll(new RegExp("\x1b\\[\\d+m", "g"), ""), plainText);
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
