/** @file `./run watch`. */
import { readArguments } from "./commands.ts";
import { DEFAULT_PORT, serveWatcher } from "../watch/serve.ts";
import { isFolder } from "../watch/sweeps.ts";
import { UserError } from "../../errors/user_error.ts";
import type { CommandDeps } from "./command_deps.ts";

export async function watchCommand(args: string[], deps: CommandDeps): Promise<number> {
  const { texts, positional } = readArguments("watch", args);
  const text = texts.get("port") ?? String(DEFAULT_PORT), port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535) {
    throw new UserError(`Cannot read --port "${text}": a whole number from 0 to 65535 is needed`);
  }
  const folder = (positional[0] ?? "results").replace(/(?<=.)\/+$/, "");
  const what = await isFolder(folder) ? folder : `${folder}, which is not there yet,`;
  const interruption = new AbortController();
  const stop = () => interruption.abort();
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, stop);
  try {
    await serveWatcher(folder, await deps.registries(), {
      port,
      signal: interruption.signal,
      complain: deps.complain,
      onListen: (address) => deps.print(`Watching ${what} at ${address} (Ctrl-C ends it, sweeps go on)`),
    });
  } finally {
    for (const signal of signals) Deno.removeSignalListener(signal, stop);
  }
  deps.print("Ended watching: sweeps go on");
  return 0;
}
