/** @file The signals that stop a sweep. */

/** Signals that stop a sweep once its run is kept, and their numbers. USR1 is what batch systems send before time is up. */
const STOPPING = { SIGINT: 2, SIGTERM: 15, SIGUSR1: 10 } as const;

/** Milliseconds in which a signal counts once: from a terminal it comes to each process and through the one above too. */
const ECHO = 1000;

/** Aborts at the first of these signals; the second ends the process at once. */
export function listenForStop(say: (sentence: string) => void): Disposable & {
  readonly signal: AbortSignal;
  /** As shells number it. */
  exitCode(): number;
} {
  const controller = new AbortController();
  let by: keyof typeof STOPPING = "SIGINT", firstAt = 0;
  const exitCode = () => 128 + STOPPING[by];
  const names = (Object.keys(STOPPING) as (keyof typeof STOPPING)[])
    .filter((name) => Deno.build.os !== "windows" || name === "SIGINT");
  const listeners = names.map((name) => {
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
    [Symbol.dispose]: () => listeners.forEach(([name, stop]) => Deno.removeSignalListener(name, stop)),
  };
}
