/** @file Shows a sweep at work: a bar on a terminal, plain lines elsewhere. */
import cliProgress from "cli-progress";
import process from "node:process";
import type { Point, RunConfig, RunResult } from "../../training/run.ts";
import { formatDuration } from "../cost/estimate.ts";
import { nameSize, rankOf } from "./method.ts";
import type { PlannedRun } from "./plan.ts";

/** Where a run is. */
export interface TrainProgress {
  readonly phase: "loading" | "training" | "scoring";
  readonly step: number;
  readonly steps: number;
  /** The last loss that was read back; null before the first. */
  readonly loss: number | null;
  /** Losses of the steps' batches as far as they were read back: a list that grows while the run goes on. */
  readonly trainLoss: readonly Point[];
  /** Validation losses so far: a list that grows too. */
  readonly validationLoss: readonly Point[];
}

/** Watches a sweep. Calls come in this order: begin, then start, update…, finish for each run, then end. */
export interface Display {
  begin(sweep: { readonly done: number; readonly total: number }): void;
  start(run: PlannedRun): void;
  /** @param toGo milliseconds until the whole sweep is done; null where nobody knows */
  update(progress: TrainProgress, toGo: number | null): void;
  finish(result: RunResult, ms: number): void;
  end(): void;
}

/** Shows a sweep in several places. */
export function inAllOf(displays: readonly Display[]): Display {
  return {
    begin: (sweep) => displays.forEach((display) => display.begin(sweep)),
    start: (run) => displays.forEach((display) => display.start(run)),
    update: (progress, toGo) => displays.forEach((display) => display.update(progress, toGo)),
    finish: (result, ms) => displays.forEach((display) => display.finish(result, ms)),
    end: () => displays.forEach((display) => display.end()),
  };
}

/** Plain lines: one when a run starts and ends, and between them one every `every` milliseconds at most. */
export function createLines(
  write: (line: string) => void,
  options: { readonly every?: number; readonly now?: () => number } = {},
): Display {
  const { every = 10_000, now = () => performance.now() } = options;
  let done = 0, total = 0, lastLine = 0, name = "";
  return {
    begin(sweep) {
      ({ done, total } = sweep);
      write(openingLine(sweep));
    },
    start({ config }) {
      name = nameRun(config);
      lastLine = now();
      write(`[${done + 1}/${total}] ${name}`);
    },
    update(progress, toGo) {
      if (now() - lastLine < every) return;
      lastLine = now();
      write(`[${done + 1}/${total}] ${name}: ${describe(progress)}${left(toGo)}`);
    },
    finish(result, ms) {
      done++;
      write(`[${done}/${total}] ${name}: ${ending(result)} in ${formatDuration(ms)}, ${total - done} left`);
    },
    end() {},
  };
}

/** A bar that is drawn over itself, with a line above it for each run that ended. */
export function createBar(stream: NodeJS.WritableStream): Display {
  const bars = new cliProgress.MultiBar({
    stream,
    format: "{bar} {runsDone}/{runs} runs, {state}",
    barCompleteChar: "█",
    barIncompleteChar: "░",
    barsize: 20,
    hideCursor: true,
    clearOnComplete: true,
    fps: 5,
    // Ctrl-C is the command's own business: it ends with a sentence and an exit code.
    gracefulExit: false,
  });
  // A run counts in thousandths while it is at work.
  const grain = 1000;
  let bar: cliProgress.SingleBar | null = null, done = 0, total = 0, name = "";
  return {
    begin(sweep) {
      ({ done, total } = sweep);
      bars.log(`${openingLine(sweep)}\n`);
      bar = bars.create(total * grain, done * grain, { runsDone: done, runs: total, state: "starting" });
    },
    start({ config }) {
      name = nameRun(config);
      bar?.update(done * grain, { runsDone: done, runs: total, state: name });
    },
    update(progress, toGo) {
      const part = Math.round(grain * progress.step / progress.steps);
      bar?.update(done * grain + part, {
        runsDone: done,
        runs: total,
        state: `${name}: ${describe(progress)}${left(toGo)}`,
      });
    },
    finish(result, ms) {
      done++;
      bars.log(`${name}: ${ending(result)} in ${formatDuration(ms)}\n`);
      bar?.update(done * grain, { runsDone: done, runs: total, state: name });
    },
    end() {
      // Lines wait for the next drawing: draw once more, or the last one is lost.
      bars.update();
      bars.stop();
    },
  };
}

/** The display that fits where output goes. */
export function createDisplay(to: "stdout" | "stderr"): Display {
  if (Deno[to].isTerminal()) return createBar(process[to]);
  const encoder = new TextEncoder();
  return createLines((line) => Deno[to].writeSync(encoder.encode(`${line}\n`)));
}

/** A run in a few words, e.g. "digits, lora-pro r8, peak 0.002, seed 0". */
export function nameRun(config: RunConfig): string {
  const rank = rankOf(config.optimizer);
  const method = rank === null ? config.optimizer.id : `${config.optimizer.id} r${rank}`;
  return `${config.task.id}, ${method}${nameSize(config)}, peak ${config.schedule.peak}, seed ${config.seed}`;
}

function openingLine({ done, total }: { readonly done: number; readonly total: number }): string {
  if (done === 0) return `${total} runs to do`;
  return done === total
    ? `All ${total} runs are stored already`
    : `${done} of ${total} runs are stored already, ${total - done} left`;
}

function describe({ phase, step, steps, loss }: TrainProgress): string {
  const at = phase === "training" ? `step ${step} of ${steps}` : phase;
  return loss === null ? at : `${at}, loss ${loss.toPrecision(3)}`;
}

function left(toGo: number | null): string {
  return toGo === null ? "" : `, ${formatDuration(toGo)} to go`;
}

function ending(result: RunResult): string {
  switch (result.status) {
    case "done":
      return `score ${result.outcome.score.toFixed(3)}`;
    case "diverged":
      return `diverged at step ${result.step}`;
    case "failed":
      return `failed (${result.error})`;
  }
}
