/** @file What is left of a list of runs or bases, shared with the other processes that fill the folder. */
import type { Claim, Claims } from "./claims.ts";
import type { Store } from "./store.ts";

/** How a list is shared. */
export interface Sharing {
  readonly claims: Claims;
  /** Whether what others are at is waited for, and made where they are gone. */
  readonly waits: boolean;
  /** Milliseconds between two looks while waiting; 5 seconds where absent. */
  readonly pollMs?: number;
}

/** Nobody else: what a claim is where nothing is shared. */
const unshared: Claim = { release: () => Promise.resolve() };
const POLL = 5000;

/** A record, as far as it matters here. */
interface Stored {
  readonly id: string;
  readonly status: string;
  readonly environment: { readonly startedAt: string };
}

/** Something to be made, and the claim on it. */
export interface Taken<T> {
  readonly item: T;
  readonly claim: Claim;
}

/** Things that are left to be made, each taken by one process. */
export class Queue<T extends { readonly id: string }, R extends Stored> {
  readonly #left: Map<string, T>;
  readonly #store: Pick<Store, "names"> & { find(id: string): Promise<R | null> };
  readonly #before: ReadonlyMap<string, R>;
  readonly #sharing: Sharing | null;
  readonly #signal: AbortSignal;
  readonly #onWait: (others: number) => void;
  /** Ids of what others made since this queue began. */
  readonly elsewhere = new Set<string>();
  #others = 0;

  /**
   * @param left in the order in which they are wanted
   * @param before what was stored when this process looked: what failed then is tried again, once by whoever comes first
   * @param onWait called before it waits for what so many others are at
   */
  constructor(
    left: readonly T[],
    store: Pick<Store, "names"> & { find(id: string): Promise<R | null> },
    before: ReadonlyMap<string, R>,
    { sharing = null, signal, onWait = () => {} }: {
      readonly sharing?: Sharing | null;
      readonly signal: AbortSignal;
      readonly onWait?: (others: number) => void;
    },
  ) {
    this.#left = new Map(left.map((item) => [item.id, item]));
    this.#store = store;
    this.#before = before;
    this.#sharing = sharing;
    this.#signal = signal;
    this.#onWait = onWait;
  }

  /** What nobody has made yet, as far as is known. */
  get left(): readonly T[] {
    return [...this.#left.values()];
  }

  /** How many others were at something of it at the last look. */
  get others(): number {
    return this.#others;
  }

  /** The next one, which is then this process's; null where nothing is left for it, or it is to stop. */
  async next(): Promise<Taken<T> | null> {
    while (!this.#signal.aborted) {
      const taken = this.#sharing ? await this.#claimNext(this.#sharing.claims) : this.#first();
      if (taken || this.#left.size === 0 || !this.#sharing?.waits) return taken;
      this.#onWait(this.#others);
      await wait(this.#sharing.pollMs ?? POLL, this.#signal);
    }
    return null;
  }

  #first(): Taken<T> | null {
    const [item] = this.#left.values();
    if (!item) return null;
    this.#left.delete(item.id);
    return { item, claim: unshared };
  }

  async #claimNext(claims: Claims): Promise<Taken<T> | null> {
    const names = await this.#store.names();
    for (const id of this.#left.keys()) {
      // What failed before is there too: it is looked at once it is claimed.
      if (names.has(id) && !this.#before.has(id)) this.#leave(id);
    }
    const held = await claims.held(), items = [...this.#left.values()];
    const claimed = items.filter(({ id }) => held.has(id));
    this.#others = claimed.length;
    // What nobody claims first: a claim takes some looks to tell whether its owner lives.
    for (const item of [...scattered(items.filter(({ id }) => !held.has(id)), held.size), ...claimed]) {
      if (this.#signal.aborted) return null;
      const claim = held.has(item.id) ? await claims.take(item.id) : await claims.takeNew(item.id);
      if (!claim) continue;
      const now = await this.#store.find(item.id), before = this.#before.get(item.id);
      if (!now || now.environment.startedAt === before?.environment.startedAt) {
        this.#left.delete(item.id);
        return { item, claim };
      }
      // Somebody was done with it before the claim.
      this.#leave(item.id);
      await claim.release();
    }
    return null;
  }

  #leave(id: string): void {
    this.#left.delete(id);
    this.elsewhere.add(id);
  }
}

/** The same, the first of them in another order for each process: all would ask for the same one otherwise. */
function scattered<T>(items: readonly T[], others: number): T[] {
  if (others === 0) return [...items];
  const first = items.slice(0, 2 * others);
  for (let i = first.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [first[i], first[j]] = [first[j]!, first[i]!];
  }
  return [...first, ...items.slice(first.length)];
}

/** Resolves after so many milliseconds, or when the signal aborts. */
export function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
