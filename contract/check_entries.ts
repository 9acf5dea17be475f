/** @file Holds methods, tasks and models of one's own to what ours promise, promise by promise. */
import type { Gpu } from "../gpu/gpu.ts";
import type { Library } from "../training/configuration.ts";
import type { OwnEntries } from "../training/registry.ts";
import type { Check } from "./check.ts";
import { checksOfMethod, usual } from "./methods.ts";
import { checksOfModel } from "./models.ts";
import { checksOfTask } from "./tasks.ts";

/** Settings at which a method is held to what it promises, where the usual ones do not suit it. */
export interface CheckSettings {
  /** 2 where absent: the toy's targets differ from its start by changes of rank 2. */
  readonly rank?: number;
  /** 0.05 where absent: sixty steps are to lower the toy's loss tenfold. */
  readonly learningRate?: number;
}

/** A promise, held or not. */
export interface CheckedPromise {
  /** "method", "task" or "model". */
  readonly kind: string;
  /** The entry's. */
  readonly id: string;
  readonly promise: string;
  /** Why it does not hold; null where it does. */
  readonly fault: string | null;
}

/**
 * Checks entries one promise after the other.
 *
 * @param library has the entries, and what ships
 */
export async function* checkEntries(
  gpu: Gpu,
  { optimizers = {}, tasks = {}, models = {} }: OwnEntries,
  library: Library,
  settings: CheckSettings = {},
): AsyncGenerator<CheckedPromise> {
  for (const module of Object.values(optimizers)) {
    yield* hold(gpu, "method", module.id, checksOfMethod({ module, ...usual, ...settings }, library));
  }
  for (const task of Object.values(tasks)) {
    yield* hold(gpu, "task", task.id, checksOfTask(task, Object.values(library.models)));
  }
  for (const model of Object.values(models)) yield* hold(gpu, "model", model.id, checksOfModel(model));
}

async function* hold(
  gpu: Gpu,
  kind: string,
  id: string,
  checks: readonly Check[],
): AsyncGenerator<CheckedPromise> {
  for (const { promise, hold } of checks) {
    let fault: string | null = null;
    try {
      await hold(gpu);
    } catch (error) {
      fault = error instanceof Error ? error.message : String(error);
    }
    yield { kind, id, promise, fault };
  }
}
