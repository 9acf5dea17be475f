/** @file The signals that stop a sweep. */

/** Signals that stop a sweep once its run is kept, and their numbers. USR1 is what batch systems send before time is up. */
const STOPPING = { SIGINT: 2, SIGTERM: 15, SIGUSR1: 10 } as const;

/** Milliseconds in which a signal counts once: from a terminal it comes to each process and through the one above too. */
const ECHO = 1000;

const NAMES = (Object.keys(STOPPING) as (keyof typeof STOPPING)[])
  .filter((name) => Deno.build.os !== "windows" || name === "SIGINT");

/** Whether a sweep is at work that stops by itself. */
let isAtWork = false;

/** Until a sweep listens, each of these signals ends the process at once, with a sentence: there is nothing to keep. */
export function endWhilePlanning(say: (sentence: string) => void): Disposable {
  const listeners = NAMES.map((name) => {
    const stop = () => {
      if (isAtWork) return;
      say("Stopped while planning: no run was begun, and the same command plans again");
      Deno.exit(128 + STOPPING[name]);
    };
    Deno.addSignalListener(name, stop);
    return [name, stop] as const;
  });
  return {
    [Symbol.dispose]: () => listeners.forEach(([name, stop]) => Deno.removeSignalListener(name, stop)),
  };
}

/** Aborts at the first of these signals; the second ends the process at once. */
export function listenForStop(say: (sentence: string) => void): Disposable & {
  readonly signal: AbortSignal;
  /** As shells number it. */
  exitCode(): number;
} {
  const controller = new AbortController();
  let by: keyof typeof STOPPING = "SIGINT", firstAt = 0;
  const exitCode = () => 128 + STOPPING[by];
  isAtWork = true;
  const listeners = NAMES.map((name) => {
    const stop = () => {
      if (controller.signal.aborted) {
        if (performance.now() - firstAt > ECHO) Deno.exit(exitCode());
        return;
      }
      [by, firstAt] = [name, performance.now()];
      say("Stopping once the run at work is kept; the same again ends it at once");
      controller.abort();
    };
    Deno.addSignalListener(name, stop);
    return [name, stop] as const;
  });
  return {
    signal: controller.signal,
    exitCode,
    [Symbol.dispose]: () => {
      isAtWork = false;
      listeners.forEach(([name, stop]) => Deno.removeSignalListener(name, stop));
    },
  };
}
