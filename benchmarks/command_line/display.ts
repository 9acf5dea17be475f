/** @file Shows a sweep at work: one line that is drawn over itself on a terminal, plain lines elsewhere. */
import type { RunConfig, RunResult } from "../../training/run.ts";
import { formatDuration } from "../cost/estimate.ts";
import { nameSize, rankOf } from "../sweep/method.ts";
import type { Progress } from "../../training/loop/progress.ts";
import { type Apart, type Display, nameRun } from "../sweep/progress.ts";
import { formatCount } from "../report/format.ts";
import { columnsOf, cut, plain, type Style, styleFor, wrap } from "./terminal.ts";

/** A display that has a place for sentences too. */
export interface Screen extends Display {
  /** Shows a sentence that stays. */
  say(sentence: string): void;
  /** Shows how far something is, in the place of what was shown before; where lines stay, one now and then. */
  moving(line: string): void;
}

/** Clocks. */
export interface Clocks {
  /** Milliseconds of a clock that nobody sets. */
  now(): number;
  /** The time of day. */
  date(): Date;
}

const real: Clocks = { now: () => performance.now(), date: () => new Date() };

/** What a line about a sweep tells. */
export interface Standing {
  readonly done: number;
  readonly total: number;
  readonly config: RunConfig;
  /** Tells it from others that are called alike. */
  readonly apart?: Apart;
  /** Null before the run has said anything. */
  readonly progress: Pick<Progress, "phase" | "step" | "steps" | "loss"> | null;
  /** Milliseconds since the command began. */
  readonly elapsed: number;
  readonly date: Date;
  /** When the sweep will have ended; null where nobody knows. */
  readonly ends: Date | null;
}

/** Plain lines: one when a run starts and ends, and between them one every `every` milliseconds at most. */
export function createLines(
  write: (line: string) => void,
  options: {
    readonly every?: number;
    readonly say?: (sentence: string) => void;
    readonly clocks?: Clocks;
  } = {},
): Screen {
  const { every = 10_000, say = write, clocks = real } = options;
  const begunAt = clocks.now();
  let done = 0, total = 0, lastLine = 0, config: RunConfig | null = null, apart: Apart = () => "";
  return {
    say,
    stage: write,
    moving(line) {
      const now = clocks.now();
      if (now - lastLine < every) return;
      lastLine = now;
      write(line);
    },
    begin(sweep) {
      ({ done, total, apart = apart } = sweep);
      write(openingLine(sweep));
    },
    count: (now) => done = now,
    start(run) {
      config = run.config;
      lastLine = clocks.now();
      write(`[${done + 1}/${total}] ${nameRun(config, apart)}`);
    },
    update(progress, toGo) {
      const now = clocks.now();
      if (now - lastLine < every) return;
      lastLine = now;
      const date = clocks.date(), ends = endOf(date, toGo);
      write(
        statusLine({ done, total, config: config!, apart, progress, elapsed: now - begunAt, date, ends }, 80),
      );
    },
    finish(result, ms) {
      done++;
      write(
        `[${done}/${total}] ${nameRun(result.config, apart)}: ${ending(result)} in ${formatDuration(ms)}`,
      );
    },
    end() {},
  };
}

/** Milliseconds between two looks at the clock. */
const TICK = 250;

/** One line that is drawn over itself, with a line above it for each run that ended. */
export function createStatusLine(
  write: (text: string) => void,
  options: { readonly columns?: () => number; readonly style?: Style; readonly clocks?: Clocks } = {},
): Screen {
  const { columns = () => 80, style = plain, clocks = real } = options;
  const begunAt = clocks.now();
  let stage: string | null = null, standing: Omit<Standing, "elapsed" | "date"> | null = null;
  let done = 0,
    total = 0,
    apart: Apart = () => "",
    drawn = "",
    length = 0,
    timer: ReturnType<typeof setInterval> | null = null;
  /** Writes a line in the drawn one's place. Blanks take away what it is shorter by: no terminal fails to know these. */
  const put = (line: string, width: number) => {
    if (line === drawn) return;
    write(`\r${line}${" ".repeat(Math.max(0, length - width))}`);
    [drawn, length] = [line, width];
  };
  const draw = () => {
    const elapsed = clocks.now() - begunAt, room = columns();
    const [line, mark]: [string, (line: string) => string] = standing !== null
      ? [statusLine({ ...standing, elapsed, date: clocks.date() }, room), (line) => emphasize(line, style)]
      : [stage === null ? "" : cut(`${stage}  ${formatClock(elapsed)}`, room - 1), style.dim];
    put(line === "" ? "" : mark(line), line.length);
  };
  const above = (line: string) => {
    put("", 0);
    write(`\r${wrap(line, columns())}\n`);
    if (timer !== null) draw();
  };
  const go = () => {
    timer ??= setInterval(draw, TICK);
    draw();
  };
  return {
    say: above,
    stage(what) {
      [stage, standing] = [what, null];
      go();
    },
    moving(line) {
      // The timer draws it.
      [stage, standing] = [line, null];
      if (timer === null) go();
    },
    begin(sweep) {
      ({ done, total, apart = apart } = sweep);
      above(openingLine(sweep));
    },
    count: (now) => done = now,
    start({ config }) {
      standing = { done, total, config, apart, progress: null, ends: standing?.ends ?? null };
      go();
    },
    update(progress, toGo) {
      if (standing === null) return;
      standing = { ...standing, progress, ends: endOf(clocks.date(), toGo) };
    },
    finish(result, ms) {
      done++;
      above(
        `${nameRun(result.config, apart)}: ${markEnding(result, style)} ${
          style.dim(`in ${formatDuration(ms)}`)
        }`,
      );
    },
    end() {
      if (timer !== null) clearInterval(timer);
      [timer, stage, standing] = [null, null, null];
      // What was drawn last is not true any more.
      if (drawn !== "") {
        put("", 0);
        write("\r");
      }
    },
  };
}

/**
 * The display that fits where output goes.
 *
 * @param complain takes sentences where they don't disturb anything that is drawn
 */
export function createDisplay(to: "stdout" | "stderr", complain: (sentence: string) => void): Screen {
  const encoder = new TextEncoder();
  const write = (text: string) => {
    for (let bytes = encoder.encode(text); bytes.length > 0;) {
      bytes = bytes.subarray(Deno[to].writeSync(bytes));
    }
  };
  return Deno[to].isTerminal()
    ? createStatusLine(write, { columns: () => columnsOf(to), style: styleFor(to) })
    : createLines((line) => write(`${line}\n`), { say: complain });
}

/** Between two parts of a line. */
const GAP = "  ";
/** Columns that a line takes without a bar, and those of the longest bar: what is left goes to the bar by eights. */
const BARE = 80, LONGEST_BAR = 24;

/**
 * Where a sweep is, in less than `columns` characters, e.g.
 * "3/28  digits, lora-pro r8, seed 0  step 40/120  loss 0.412  1:02  ends 14:32". Wide terminals have a bar too; on
 * narrow ones the run's name gets shorter and then the loss and the time that has passed are left out.
 */
export function statusLine(standing: Standing, columns: number): string {
  const { done, total, config, progress, elapsed, date, ends } = standing;
  // Some terminals begin a new line as soon as the last column is filled.
  const room = columns - 1;
  const count = `${done}/${total}`.padStart(2 * String(total).length + 1);
  const step = progress === null
    ? "starting"
    : progress.phase === "training"
    ? `step ${progress.step}/${progress.steps}`
    : progress.phase;
  const loss = progress?.loss == null ? [] : [`loss ${progress.loss.toPrecision(3)}`];
  const finish = ends === null ? [] : [`ends ${formatTimeOfDay(ends, date)}`];
  const time = formatClock(elapsed);
  const names = namesOf(config, standing.apart?.(config) ?? "");
  const join = (...parts: readonly string[]) => parts.join(GAP);
  const forms = [
    ...names.map((name) => join(count, name, step, ...loss, time, ...finish)),
    join(count, names.at(-1)!, step, time, ...finish),
    join(count, names.at(-1)!, step, ...finish),
  ];
  const fitting = forms.find((form) => form.length <= room);
  if (fitting === undefined) {
    const rest = join("", step, ...finish), left = room - count.length - GAP.length - rest.length;
    return left > 8
      ? `${count}${GAP}${cut(names.at(-1)!, left)}${rest}`
      : cut(join(count, step, ...finish), room);
  }
  // Of one size, whatever the rest of the line takes: else it would jump.
  const size = Math.min(LONGEST_BAR, 8 * Math.floor((columns - BARE) / 8));
  if (size <= 0 || fitting.length + GAP.length + size > room) return fitting;
  const share = progress === null ? 0 : progress.step / progress.steps;
  const filled = Math.round(size * Math.min(1, (done + share) / total));
  return join(
    count,
    "━".repeat(filled) + "─".repeat(size - filled),
    fitting.slice(count.length + GAP.length),
  );
}

/** The count in bold, a bar in green, the rest as it is. */
function emphasize(line: string, { bold, green }: Style): string {
  return line.replace(/^ *\d+\/\d+/, bold).replace(/━+/, green);
}

/** Names of a run, the longest first. */
function namesOf(config: RunConfig, apart: string): string[] {
  const { task, optimizer, seed } = config, rank = rankOf(optimizer);
  const method = rank === null ? optimizer.id : `${optimizer.id} r${rank}`;
  return [
    `${task.id}, ${method}${nameSize(config)}${apart}, seed ${seed}`,
    `${task.id}, ${method}${nameSize(config)}${apart}`,
    `${task.id}, ${method}`,
  ];
}

/** "0:07", "12:05", "3:04:05". */
function formatClock(ms: number): string {
  const seconds = Math.floor(ms / 1000), two = (value: number) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** "14:32", on another day "Tue 14:32", in a week or later "5 Dec 14:32": in the machine's own time zone. */
function formatTimeOfDay(time: Date, now: Date): string {
  const clock = `${time.getHours()}:${String(time.getMinutes()).padStart(2, "0")}`;
  if (time.toDateString() === now.toDateString()) return clock;
  const isSoon = time.getTime() - now.getTime() < 6 * 24 * 3600 * 1000;
  return isSoon ? `${DAYS[time.getDay()]} ${clock}` : `${time.getDate()} ${MONTHS[time.getMonth()]} ${clock}`;
}

function endOf(now: Date, toGo: number | null): Date | null {
  return toGo === null ? null : new Date(now.getTime() + toGo);
}

function openingLine({ done, total }: { readonly done: number; readonly total: number }): string {
  if (done === 0) return `${formatCount(total, "run")} to do`;
  return done === total
    ? `All ${total} runs are stored already`
    : `${done} of ${total} runs are stored already, ${total - done} left`;
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

function markEnding(result: RunResult, { green, yellow, red }: Style): string {
  return { done: green, diverged: yellow, failed: red }[result.status](ending(result));
}
