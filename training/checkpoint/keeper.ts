/** @file Looks in the pauses of a run whether it is to stop, and whether it is time to save it. */
import type { Gpu, LiveBuffer, WriteLog } from "../../gpu/mod.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { matmulChoicesOf } from "../../kernels/mod.ts";
import { byteLength } from "../../gpu/tensor.ts";
import { system } from "../../system/mod.ts";
import { digestOf } from "../../files/canonical_json.ts";
import type { CheckpointKey, SavedBuffer, SavedState } from "./checkpoint_file.ts";
import { type CheckpointPlace, Checkpoints } from "./checkpoints.ts";
import { codeFingerprint } from "./code.ts";
import { Interrupted } from "./interrupted.ts";

/** How a run is stopped and kept. */
export interface KeepingHooks {
  /** Where it aborts, the run is saved at its next pause and ends with `Interrupted`. */
  readonly signal?: AbortSignal;
  /** Where the unfinished run is kept; it goes on from there. Nothing is kept where absent. */
  readonly checkpoints?: CheckpointPlace;
}

/** Milliseconds after which the process looks at its signals, whatever else it does. */
const DEAF = 500;
/** Bytes that are read back at a time. */
const PIECE = 2 ** 28;

/** Saves a run. */
export class Keeper {
  readonly #hooks: KeepingHooks;
  readonly #checkpoints: Checkpoints | null;
  #lastSave = performance.now();
  #lastLook = performance.now();
  /** Gives the run's state, or says why it can't be kept; null before there is one that is worth it. */
  #stateOf: (() => Promise<SavedState>) | string | null = null;

  /** Use `openKeeper`. */
  constructor(hooks: KeepingHooks, checkpoints: Checkpoints | null) {
    this.#hooks = hooks;
    this.#checkpoints = checkpoints;
  }

  /** From now on there is something to keep: `stateOf` gives it, wherever `pause` is called, or is why it can't be. */
  begin(stateOf: (() => Promise<SavedState>) | string): void {
    this.#stateOf = stateOf;
    this.#lastSave = performance.now();
  }

  /** The state to go on from, see `Checkpoints.load`. */
  async load(fits: (state: SavedState) => string | null): Promise<SavedState | null> {
    return await this.#checkpoints?.load(fits) ?? null;
  }

  /** Whether `pause` would save or stop the run. Looks at the process's signals now and then. */
  async isDue(): Promise<boolean> {
    await this.#listen();
    return this.#isAsked || this.#isTimeToSave(performance.now());
  }

  /**
   * Saves the run where it is time to.
   *
   * @throws {Interrupted} where the run is asked to stop, once it is saved
   */
  async pause(): Promise<void> {
    await this.#listen();
    const isAsked = this.#isAsked;
    if (isAsked || this.#isTimeToSave(performance.now())) {
      await this.#save();
    }
    if (isAsked) throw new Interrupted();
  }

  /** Signals come between two turns of the event loop, which a run that never waits does not give it. */
  async #listen(): Promise<void> {
    if (performance.now() - this.#lastLook < DEAF) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#lastLook = performance.now();
  }

  async #save(): Promise<void> {
    const stateOf = this.#stateOf;
    if (this.#checkpoints && typeof stateOf === "string") this.#hooks.checkpoints!.say(stateOf);
    if (this.#checkpoints && typeof stateOf === "function") await this.#checkpoints.save(await stateOf());
    this.#lastSave = performance.now();
  }

  get #isAsked(): boolean {
    return this.#hooks.signal?.aborted ?? false;
  }

  #isTimeToSave(now: number): boolean {
    return this.#checkpoints !== null && this.#stateOf !== null &&
      now - this.#lastSave >= this.#hooks.checkpoints!.everyMs;
  }
}

/** A keeper of the run, or of the base, of this id. */
export async function openKeeper(gpu: Gpu, run: string, hooks: KeepingHooks): Promise<Keeper> {
  const { checkpoints } = hooks;
  return new Keeper(hooks, checkpoints ? new Checkpoints(checkpoints, await keyOf(gpu, run)) : null);
}

async function keyOf(gpu: Gpu, run: string): Promise<CheckpointKey> {
  const { adapter, backend } = gpu.info;
  return {
    run,
    code: await codeFingerprint(),
    deno: system.host.version,
    adapter: `${adapter} (${backend})`,
    tuning: await digestOf({
      ...matmulChoicesOf(gpu),
      ...Object.fromEntries(gpu.inSubgroups.map((kernel) => [kernel, "subgroups"])),
    }),
  };
}

/** Reads what a log says was written, in few waits. `without` are tensors that the run makes anew. */
export async function readWritten(
  gpu: Gpu,
  log: WriteLog,
  without: readonly Tensor[],
): Promise<SavedBuffer[]> {
  const left = new Set(without.map(({ buffer }) => buffer));
  const saved: SavedBuffer[] = [];
  for (const some of inPieces(log.written().filter(({ words }) => !left.has(words.buffer)))) {
    const words = await gpu.downloadAll(some.map(({ words }) => words));
    some.forEach(({ place, words: { label } }, i) => saved.push({ place, label, words: words[i]! }));
  }
  return saved;
}

function* inPieces(buffers: readonly LiveBuffer[]): Generator<readonly LiveBuffer[]> {
  let first = 0, bytes = 0;
  for (const [i, { words }] of buffers.entries()) {
    const more = byteLength(words);
    if (i > first && bytes + more > PIECE) {
      yield buffers.slice(first, i);
      [first, bytes] = [i, 0];
    }
    bytes += more;
  }
  if (first < buffers.length) yield buffers.slice(first);
}

/** Why saved buffers are not those of the log's scope; null where they are. */
export function validateBuffers(log: WriteLog, saved: readonly SavedBuffer[]): string | null {
  const all = log.all();
  for (const { place, label, words } of saved) {
    const here = all[place]?.words;
    if (here?.label === label && here.shape[0] === words.length) continue;
    return `its "${label}" of ${4 * words.length} bytes is not in the run's memory`;
  }
  return null;
}

/** Puts saved buffers back, of which `refuseBuffers` says nothing. */
export function writeSaved(gpu: Gpu, log: WriteLog, saved: readonly SavedBuffer[]): void {
  const all = log.all();
  for (const { place, words } of saved) gpu.write(all[place]!.words, words);
}
