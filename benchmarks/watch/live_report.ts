/** @file The report of a sweep as of now: built in a thread of its own, so that pages go on answering, and kept. */

/** A report's files by path, or why there are none. */
export type Built = { readonly files: ReadonlyMap<string, string> } | { readonly error: string };

/** The report of one output folder. */
export class LiveReport implements Disposable {
  #built: Built | null = null;
  #stamp = "";
  #building: Promise<Built> | null = null;
  #giveUp: (() => void) | null = null;

  /** @param out the folder that `bench` writes to */
  constructor(readonly out: string) {}

  /**
   * The report of what is stored; built again where `stamp` is another than last time. Who asks while one is being built
   * gets that one.
   */
  async now(stamp: string): Promise<Built> {
    if (this.#building) return await this.#building;
    if (this.#built && this.#stamp === stamp) return this.#built;
    this.#building = this.#build();
    try {
      this.#built = await this.#building;
      this.#stamp = stamp;
      return this.#built;
    } finally {
      this.#building = null;
    }
  }

  /** The report that was given last, to which its page's links belong; null where none was. */
  get last(): Built | null {
    return this.#built;
  }

  async #build(): Promise<Built> {
    const { promise, resolve } = Promise.withResolvers<Built>();
    // `deno` is among the unstable options, which deno.json allows, and not in the types.
    const options = { type: "module", name: this.out, deno: { permissions: { read: true } } } as const;
    const worker = new Worker(new URL("./report_worker.ts", import.meta.url), options);
    this.#giveUp = () => resolve({ error: "The watcher has ended" });
    worker.onmessage = ({ data }: MessageEvent<Built>) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      resolve({ error: `Cannot build the report: ${event.message}` });
    };
    try {
      return await promise;
    } finally {
      // Frees all results at once.
      worker.terminate();
      this.#giveUp = null;
    }
  }

  [Symbol.dispose](): void {
    this.#giveUp?.();
  }
}
