/** @file A GPU that stays open from one round of runs to the next: what it compiled for one is there for the others. */

/** Opens a GPU when it is first asked for. */
export class KeptGpu<G extends AsyncDisposable> implements AsyncDisposable {
  readonly #open: () => Promise<G>;
  readonly #signal: AbortSignal;
  #gpu: G | null = null;

  /** @param signal where it has aborted, the GPU is left open: what was given up may be at work on it still */
  constructor(open: () => Promise<G>, signal: AbortSignal) {
    this.#open = open;
    this.#signal = signal;
  }

  /** The GPU that is open, or a new one. */
  async get(): Promise<G> {
    return this.#gpu ??= await this.#open();
  }

  /** Closes what is open: `get` then opens another. It may be what failed, so that closing fails too, which is let pass. */
  async close(): Promise<void> {
    const open = this.#gpu;
    this.#gpu = null;
    await Promise.resolve(open?.[Symbol.asyncDispose]()).catch(() => {});
  }

  /** Closes it at the end. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#signal.aborted) await this.close();
  }
}
