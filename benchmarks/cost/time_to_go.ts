/** @file How long a sweep still takes while a run of it is under way. */
import type { RunConfig } from "../../training/run.ts";
import type { Forecast, Parts, Timing } from "./estimate.ts";
import type { Progress } from "../../training/loop/progress.ts";

/** Steps that had been taken at some time. */
interface Mark {
  readonly step: number;
  readonly at: number;
}

/**
 * Follows one run. Its first steps compile kernels, so its own pace is told from the second time on that it says how far it
 * is. Times are milliseconds of any clock.
 */
export class RunClock {
  readonly #forecast: Forecast;
  readonly #config: RunConfig;
  readonly #begunAt: number;
  #phase: Progress["phase"] | null = null;
  #step = 0;
  #first: Mark | null = null;
  #last: Mark | null = null;
  #scoringAt: number | null = null;

  constructor(forecast: Forecast, config: RunConfig, now: number) {
    this.#forecast = forecast;
    this.#config = config;
    this.#begunAt = now;
  }

  /** Takes what the run says of itself. Returns whether it went on to another step or phase. */
  note({ phase, step }: Pick<Progress, "phase" | "step">, now: number): boolean {
    const isNews = phase !== this.#phase || step !== this.#step;
    [this.#phase, this.#step] = [phase, step];
    if (!isNews) return false;
    if (phase === "scoring") this.#scoringAt ??= now;
    if (phase === "training") {
      this.#last = { step, at: now };
      this.#first ??= this.#last;
    }
    return true;
  }

  /** Milliseconds until this run and all later ones are done; null where nobody knows. */
  toGo(later: Iterable<RunConfig>, now: number): number | null {
    const ratio = this.#ratio(), current = ratio === null ? null : { config: this.#config, ratio };
    const parts = this.#forecast.partsOf(this.#config, current);
    const rest = this.#forecast.estimateAllMs(later, current);
    if (!parts || rest === null) return null;
    return Math.max(0, this.#ownToGo(parts, now)) + rest;
  }

  /** How long the run took that ends now; null where it ended before it was scored. */
  timing(now: number): Timing | null {
    if (this.#scoringAt === null) return null;
    const { step, at } = this.#first && this.#first !== this.#last
      ? this.#first
      : { step: 0, at: this.#begunAt };
    return {
      startedAtStep: step,
      startMs: at - this.#begunAt,
      trainingMs: this.#scoringAt - at,
      scoringMs: now - this.#scoringAt,
    };
  }

  #ownToGo({ startMs, trainingMs, scoringMs }: Parts, now: number): number {
    if (this.#scoringAt !== null) return scoringMs - (now - this.#scoringAt);
    if (!this.#last) return Math.max(0, startMs + trainingMs - (now - this.#begunAt)) + scoringMs;
    const left = 1 - this.#forecast.shareUntil(this.#config, this.#last.step);
    return Math.max(0, left * trainingMs - (now - this.#last.at)) + scoringMs;
  }

  /** Measured over planned time of the training so far; null where nothing tells it. */
  #ratio(): number | null {
    const [first, last] = [this.#first, this.#last];
    if (!first || !last) return null;
    if (first !== last) {
      return this.#forecast.ratioOf(this.#config, [first.step, last.step], last.at - first.at);
    }
    // The start alone says too much, but more than nothing.
    return this.#forecast.isBlank
      ? this.#forecast.ratioOf(this.#config, [0, last.step], last.at - this.#begunAt)
      : null;
  }
}
