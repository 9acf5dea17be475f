/** @file What a model answered while it was scored, in order, so that a scoring that was interrupted goes on where it was. */

/** Answers of a deterministic scoring: the same questions come in the same order. */
export class Answers {
  readonly #known: unknown[];
  #next = 0;

  /** @param saved answers of an interrupted scoring */
  constructor(saved: readonly unknown[] = []) {
    this.#known = [...saved];
  }

  /** All so far. */
  get all(): readonly unknown[] {
    return this.#known;
  }

  /** The next answer: the known one, else what `make` gives. */
  async recall<T>(make: () => Promise<T>): Promise<T> {
    if (this.#next < this.#known.length) return this.#known[this.#next++] as T;
    const answer = await make();
    this.#known.push(answer);
    this.#next++;
    return answer;
  }
}
