/** @file Who fills a folder: one process, on one machine. */

/** A process that makes runs. */
export interface Worker {
  /** Names files. No two processes have the same. */
  readonly name: string;
  /** The machine's name; null where the process may not ask. */
  readonly host: string | null;
}

/** This process, under a new name each time. */
export function thisWorker(): Worker {
  // Asked for first: where it is not allowed, nobody is to be prompted.
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "hostname" });
  const host = state === "granted" ? Deno.hostname() : null;
  const word = (host ?? "worker").replaceAll(/[^\w-]+/g, "-").slice(0, 40);
  return { name: `${word}-${Deno.pid}-${crypto.randomUUID().slice(0, 4)}`, host };
}
