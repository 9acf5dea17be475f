/** @file Work that has to end: what goes on for too long is stopped in mid-step, an expression that backtracks among it. */
import { createContext, Script } from "node:vm";

/** Work that was stopped. */
export class OutOfTime extends Error {
  /** Tells it apart in logs. */
  override readonly name = "OutOfTime";
}

/** What the script calls: there is one, made once. */
let current: () => unknown = () => undefined;
const context = createContext({ run: () => current() });
const script = new Script("run()");

/**
 * What `work` returns, which must not wait for anything. Stopping it leaves what it was changing as it is then, so that is
 * not to be used again.
 *
 * @throws {OutOfTime} where it takes longer
 */
export function withinTime<T>(milliseconds: number, work: () => T): T {
  current = work;
  try {
    return script.runInContext(context, { timeout: milliseconds }) as T;
  } catch (error) {
    // It is of the script's own realm.
    const { code } = (error ?? {}) as { readonly code?: unknown };
    if (code === "ERR_SCRIPT_EXECUTION_TIMEOUT") {
      throw new OutOfTime(`it took longer than ${milliseconds} ms`);
    }
    throw error;
  }
}
