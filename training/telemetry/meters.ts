/** @file What a run costs: step times from windows of steps, peak bytes of training alone. */
import type { Gpu } from "../../gpu/gpu.ts";
import type { Cost } from "../run.ts";

/** Windows shorter than this are noise: one wait alone costs Deno about 11 ms. */
const LEAST_STEPS = 4;

/** Steps between two waits for the GPU. */
export interface StepWindow {
  readonly steps: number;
  readonly ms: number;
  /** The host's part. */
  readonly hostMs: number;
}

/** Times windows of steps between two waits for the GPU. */
export class StepClock {
  #windows: StepWindow[] = [];
  /** True until the first window of a run that goes on is over: it compiles kernels again. */
  #isWarmingUp = false;
  #begin = 0;
  #steps = 0;
  #hostMs = 0;

  /** The GPU has nothing to do: a window begins. */
  begin(): void {
    this.#begin = performance.now();
    this.#steps = this.#hostMs = 0;
  }

  /** One step of the window was submitted, which the host took `hostMs` to prepare. */
  count(hostMs: number): void {
    this.#steps++;
    this.#hostMs += hostMs;
  }

  /** The GPU is done with the window's steps. */
  end(): void {
    if (this.#steps > 0 && this.#isWarmingUp) this.#isWarmingUp = false;
    else if (this.#steps > 0) {
      this.#windows.push({
        steps: this.#steps,
        ms: performance.now() - this.#begin,
        hostMs: this.#hostMs,
      });
    }
    this.#steps = 0;
  }

  /** Milliseconds a step of the last window; null where there was none. */
  lastStepMs(): number | null {
    const last = this.#windows.at(-1);
    return last ? last.ms / last.steps : null;
  }

  /** All windows, for a checkpoint. */
  save(): readonly StepWindow[] {
    return this.#windows;
  }

  /** Goes on after saved windows. */
  restore(windows: readonly StepWindow[]): void {
    this.#windows = [...windows];
    this.#isWarmingUp = windows.length > 0;
  }

  /**
   * Median milliseconds a step; without the first window, which compiles kernels, where there is another. Null where there
   * was no step.
   */
  medianStepMs(): number | null {
    return this.#median(({ steps, ms }) => ms / steps);
  }

  /** The same of the host's part: making the batch and recording the step. */
  medianHostMs(): number | null {
    return this.#median(({ steps, hostMs }) => hostMs / steps);
  }

  /** True where the first window is the only one: its steps compile kernels that nothing has compiled yet. */
  isFirstAlone(): boolean {
    return this.#windows.length === 1;
  }

  #median(
    of: (window: { readonly steps: number; readonly ms: number; readonly hostMs: number }) => number,
  ): number | null {
    const warm = this.#windows.length > 1 ? this.#windows.slice(1) : this.#windows;
    const long = warm.filter(({ steps }) => steps >= LEAST_STEPS);
    const times = (long.length > 0 ? long : warm).map(of).sort((a, b) => a - b);
    if (times.length === 0) return null;
    const middle = times.length >> 1;
    return times.length % 2 === 1 ? times[middle]! : (times[middle - 1]! + times[middle]!) / 2;
  }
}

/** Median milliseconds of a step that compiled nothing: null where only the first window was timed, or none. */
export function warmStepMs({ medianStepMs, onlyFirstWindow }: Cost): number | null {
  return onlyFirstWindow ? null : medianStepMs;
}

/** Peak bytes of the stretches in which it runs. */
export class PeakMeter {
  readonly #gpu: Gpu;
  #peak = 0;
  #isLeftOut = false;
  readonly #byCategory: Record<string, number> = {};

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
    gpu.resetPeak();
  }

  /** Leaves out what `work` allocates. */
  async without<T>(work: () => Promise<T>): Promise<T> {
    this.#note();
    this.#isLeftOut = true;
    try {
      return await work();
    } finally {
      this.#isLeftOut = false;
      this.#gpu.resetPeak();
    }
  }

  /** Goes on after what `read` gave in another process. */
  restore({ peakBytes, peakBytesByCategory }: ReturnType<PeakMeter["read"]>): void {
    this.#peak = Math.max(this.#peak, peakBytes);
    for (const [category, bytes] of Object.entries(peakBytesByCategory)) this.#raise(category, bytes);
  }

  /** Peak bytes so far. */
  read(): { readonly peakBytes: number; readonly peakBytesByCategory: Readonly<Record<string, number>> } {
    this.#note();
    // A pool knows categories in the order in which its device first had them, which is no matter of this run.
    const byName = Object.entries(this.#byCategory).sort(([a], [b]) => a < b ? -1 : 1);
    return { peakBytes: this.#peak, peakBytesByCategory: Object.fromEntries(byName) };
  }

  #note(): void {
    if (this.#isLeftOut) return;
    const { peakBytes, peakBytesByCategory } = this.#gpu.memory;
    this.#peak = Math.max(this.#peak, peakBytes);
    for (const [category, bytes] of Object.entries(peakBytesByCategory)) {
      this.#raise(category, bytes);
    }
  }

  #raise(category: string, bytes: number): void {
    this.#byCategory[category] = Math.max(this.#byCategory[category] ?? 0, bytes);
  }
}
