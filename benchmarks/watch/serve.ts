/** @file Serves a watcher's pages on this machine alone. */
import type { Registries } from "../../training/configuration.ts";
import { UserError } from "../../training/user_error.ts";
import { createAnswerer } from "./answer.ts";

/** Where the pages are unless another port is asked for. */
export const DEFAULT_PORT = 8377;

/**
 * Serves pages about the sweeps below a folder until `signal` aborts. Sweeps don't know of it: it reads their files.
 *
 * @param folder a sweep's output folder, or one with such folders; it need not be there yet
 * @param port 0 takes one that is free
 * @param onListen gets the address once pages are served
 * @throws {UserError} where the port can't be had
 */
export async function serveWatcher(
  folder: string,
  registries: Registries,
  options: {
    readonly port: number;
    readonly signal: AbortSignal;
    readonly onListen: (address: string) => void;
    /** Takes a sentence about a fault of ours. */
    readonly complain: (sentence: string) => void;
  },
): Promise<void> {
  const { port, signal, onListen, complain } = options;
  using answerer = createAnswerer(folder, registries);
  let server: Deno.HttpServer;
  try {
    server = Deno.serve({
      hostname: "127.0.0.1",
      port,
      signal,
      onListen: (address) => onListen(`http://127.0.0.1:${address.port}/`),
      onError(error) {
        const sentence = error instanceof Error ? error.message : String(error);
        complain(sentence);
        return new Response(`${sentence}\n`, { status: 500, headers: { "Content-Type": "text/plain" } });
      },
    }, (request) => answerer.answer(request));
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) {
      throw new UserError(
        `Cannot watch on port ${port}: something else listens there, perhaps another ./run watch; --port takes another`,
      );
    }
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new UserError(`Cannot watch on port ${port}: the system does not allow it; --port takes another`);
    }
    throw error;
  }
  await server.finished;
}
