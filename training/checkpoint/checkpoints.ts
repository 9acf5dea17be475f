/** @file The checkpoints of unfinished runs in a folder: `<folder>/<run id>/<step>.safetensors`, the newest two of a run. */
import { system } from "../../system/mod.ts";
import { namesIn, prepareFolder, reasonOf, sweepUp, WriteError, writeWhole } from "../../files/write_file.ts";
import {
  type CheckpointKey,
  decodeCheckpoint,
  encodeCheckpoint,
  type SavedState,
} from "./checkpoint_file.ts";

/** Where unfinished runs are kept, and how often. */
export interface CheckpointPlace {
  /** Has a folder for each run. Made where it is not there. */
  readonly folder: string;
  /** Milliseconds from one checkpoint to the next; Infinity keeps a run only when it is asked to stop. */
  readonly everyMs: number;
  /** Takes a sentence for people, e.g. about a file that can't be gone on from. */
  say(sentence: string): void;
}

/** How many are kept: where one turns out damaged, the one before it serves. */
const KEPT = 2;
const ENDING = ".safetensors";

/** Checkpoints of one run. */
export class Checkpoints {
  readonly #place: CheckpointPlace;
  readonly #folder: string;
  readonly #key: CheckpointKey;
  /** Files that this run wrote or went on from, the newest last. Others go with the next save. */
  #own: string[] = [];
  #hasComplained = false;

  /** Touches nothing yet. */
  constructor(place: CheckpointPlace, key: CheckpointKey) {
    this.#place = place;
    this.#key = key;
    this.#folder = `${place.folder}/${key.run}`;
  }

  /**
   * The newest state that fits, checked by `fits`, which gives the reason where one doesn't. What can't be used is named and
   * stays until another is saved. Null where there is none: the run begins at step 0.
   */
  async load(fits: (state: SavedState) => string | null): Promise<SavedState | null> {
    const names = (await namesIn(this.#folder)).filter((name) => name.endsWith(ENDING));
    const newest = names.sort((a, b) => parseInt(b) - parseInt(a));
    for (const [i, name] of newest.entries()) {
      const path = `${this.#folder}/${name}`;
      try {
        const state = await decodeCheckpoint(await system.readFile(path), this.#key), reason = fits(state);
        if (reason !== null) throw new Error(reason);
        this.#own = [name];
        return state;
      } catch (error) {
        const next = i + 1 < newest.length ? "the one before it is tried" : "the run starts again";
        this.#place.say(`Cannot go on from ${path}: ${reasonOf(error)}; ${next}`);
      }
    }
    return null;
  }

  /** Writes a state, and removes older ones. Where that fails it is said once, and the run goes on. */
  async save(state: SavedState): Promise<void> {
    const name = `${state.step}${ENDING}`;
    try {
      await prepareFolder(this.#folder);
      await sweepUp(this.#folder);
      await writeWhole(`${this.#folder}/${name}`, await encodeCheckpoint(this.#key, state));
    } catch (error) {
      if (!this.#hasComplained) {
        const message = error instanceof WriteError ? error.message : reasonOf(error);
        this.#place.say(`${message}; the run goes on, and starts again where it is interrupted`);
      }
      this.#hasComplained = true;
      return;
    }
    this.#own = [...this.#own.filter((one) => one !== name), name].slice(-KEPT);
    for (const other of await namesIn(this.#folder)) {
      const isOld = other.endsWith(ENDING) && !this.#own.includes(other);
      if (isOld) await system.remove(`${this.#folder}/${other}`).catch(() => {});
    }
  }
}

/** Removes the checkpoints of a run whose result is stored, and its folder; nothing happens where there are none. */
export async function removeCheckpoints(folder: string, run: string): Promise<void> {
  try {
    await system.remove(`${folder}/${run}`, { recursive: true });
    // Only where it is empty.
    await system.remove(folder);
  } catch {
    // None there, or other runs' are: both are as they should be.
  }
}
