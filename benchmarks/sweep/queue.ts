/** @file What is left of a list of runs or bases, shared with the other processes that fill the folder. */
import type { Claim, Claims } from "./claims.ts";
import type { Store } from "./store.ts";

/** Where a queue looks what others have made. */
export type Made<R> = Pick<Store, "names" | "has" | "renew"> & { find(id: string): Promise<R | null> };

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
/** About how many names a file server sends in one reply: 32 KiB of them, with their attributes. */
const NAMES_A_REPLY = 160;

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
  readonly #store: Made<R>;
  readonly #before: ReadonlyMap<string, R>;
  readonly #sharing: Sharing | null;
  readonly #signal: AbortSignal;
  readonly #onWait: (others: number) => void;
  /** Ids of what others made since this queue began. */
  readonly elsewhere = new Set<string>();
  #others = 0;
  /** Places in the order in which they are wanted. */
  readonly #places: ReadonlyMap<string, number>;
  /** What others have made, it seems: it comes before what they are at. The next list of all tells. */
  readonly #passed = new Map<string, T>();
  /** What was left, at the last list, among what others had made or were at. */
  #gaps: ReadonlySet<string> = new Set();
  /** Looks until the next list. */
  #looksToList = 0;

  /**
   * @param left in the order in which they are wanted
   * @param before what was stored when this process looked: what failed then is tried again, once by whoever comes first
   * @param onWait called before it waits for what so many others are at
   */
  constructor(
    left: readonly T[],
    store: Made<R>,
    before: ReadonlyMap<string, R>,
    { sharing = null, signal, onWait = () => {} }: {
      readonly sharing?: Sharing | null;
      readonly signal: AbortSignal;
      readonly onWait?: (others: number) => void;
    },
  ) {
    this.#left = new Map(left.map((item) => [item.id, item]));
    this.#places = new Map(left.map(({ id }, place) => [id, place]));
    this.#store = store;
    this.#before = before;
    this.#sharing = sharing;
    this.#signal = signal;
    this.#onWait = onWait;
  }

  /** What nobody has made yet, as far as is known. */
  get left(): readonly T[] {
    return [...this.#left.values()].sort((a, b) => this.#placeOf(a) - this.#placeOf(b));
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
    const held = await claims.held();
    // All take from the front: what comes before the last one that somebody is at, somebody was at.
    const front = Math.max(-1, ...Array.from(held, (id) => this.#places.get(id) ?? -1));
    // So many looks go without a list as it has replies: a look costs the same however much is stored.
    const isDue = this.#looksToList-- <= 0;
    if (!isDue) await this.#passOver(front, held);
    let taken = isDue ? null : await this.#claimUnseen(claims, front, held);
    if (!taken && (isDue || this.#passed.size > 0)) {
      await this.#list(front);
      taken = await this.#claimAny(scattered(this.#free(held), held.size), (id) => claims.takeNew(id));
    }
    const claimed = this.left.filter(({ id }) => held.has(id));
    this.#others = claimed.length;
    // A claim takes some looks to tell whether its owner lives.
    return taken ?? await this.#claimAny(claimed, (id) => claims.take(id));
  }

  /** Leaves what is stored, by a list of all. */
  async #list(front: number): Promise<void> {
    const names = await this.#store.names();
    this.#looksToList = Math.floor(names.size / NAMES_A_REPLY);
    for (const [id, item] of this.#passed) this.#left.set(id, item);
    this.#passed.clear();
    for (const id of this.#left.keys()) {
      // What failed before is there too: it is looked at once it is claimed.
      if (names.has(id) && !this.#before.has(id)) this.#leave(id);
    }
    this.#gaps = new Set(this.#left.keys().filter((id) => this.#places.get(id)! < front));
  }

  async #passOver(front: number, held: ReadonlySet<string>): Promise<void> {
    await this.#store.renew();
    for (const item of this.#free(held)) {
      if (this.#placeOf(item) > front || this.#gaps.has(item.id)) continue;
      this.#left.delete(item.id);
      this.#passed.set(item.id, item);
    }
  }

  /** Claims without a list: what nobody was at yet, the first of it, and then what was left out. */
  async #claimUnseen(claims: Claims, front: number, held: ReadonlySet<string>): Promise<Taken<T> | null> {
    const free = this.#free(held), [first, ...others] = free.filter((item) => this.#placeOf(item) > front);
    const gaps = free.filter((item) => this.#placeOf(item) < front);
    const wanted = [
      ...first ? [first] : [],
      ...scattered(others, held.size),
      ...scattered(gaps, gaps.length),
    ];
    return await this.#claimAny(wanted, async (id) => {
      if (this.#before.has(id) || !await this.#store.has(id)) return await claims.takeNew(id);
      this.#leave(id);
      return null;
    });
  }

  async #claimAny(
    items: readonly T[],
    take: (id: string) => Promise<Claim | null>,
  ): Promise<Taken<T> | null> {
    for (const item of items) {
      if (this.#signal.aborted) return null;
      const claim = await take(item.id);
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

  #free(held: ReadonlySet<string>): T[] {
    return this.left.filter(({ id }) => !held.has(id));
  }

  #placeOf({ id }: T): number {
    return this.#places.get(id)!;
  }

  #leave(id: string): void {
    this.#left.delete(id);
    this.elsewhere.add(id);
  }
}

/** The same, the first of them in another order for each process: all would ask for the same one otherwise. */
function scattered<T>(items: readonly T[], others: number): T[] {
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
