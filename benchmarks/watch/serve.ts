/** @file Serves a watcher's pages on this machine alone. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registries } from "../../training/configuration.ts";
import { UserError } from "../../errors/user_error.ts";
import { type Answerer, createAnswerer } from "./answer_request.ts";

/** Where the pages are unless another port is asked for. */
export const DEFAULT_PORT = 8377;

/** How long a connection may take to send the header of a request, in ms, be it in one piece or byte by byte. */
const HEADER_MILLISECONDS = 10_000;

/**
 * Serves pages about the sweeps below a folder until `signal` aborts. Sweeps don't know of it: it reads their files.
 *
 * A connection that has sent no whole header in time is answered with 408 and ended, so that none is held open for good.
 * `Deno.serve` has no such limit.
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
    /** How long a header may take, in ms: 10 s where nothing is said. */
    readonly headerMilliseconds?: number;
  },
): Promise<void> {
  const { port, signal, onListen, complain, headerMilliseconds = HEADER_MILLISECONDS } = options;
  using answerer = createAnswerer(folder, registries);
  const limits = {
    headersTimeout: headerMilliseconds,
    requestTimeout: headerMilliseconds,
    connectionsCheckingInterval: headerMilliseconds / 10,
  };
  const server = createServer(limits, (request, response) => {
    reply(answerer, request, response).catch((error) => {
      const sentence = error instanceof Error ? error.message : String(error);
      complain(sentence);
      response.writeHead(500, { "Content-Type": "text/plain" }).end(`${sentence}\n`);
    });
  });
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  const stop = () => {
    server.close(() => resolve());
    server.closeAllConnections();
  };
  server.on("error", reject);
  server.listen(port, "127.0.0.1", () => {
    onListen(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
  try {
    await ended;
  } catch (error) {
    const { code } = error as { readonly code?: string };
    if (code === "EADDRINUSE") {
      throw new UserError(
        `Cannot watch on port ${port}: something else listens there, perhaps another ./run watch; --port takes another`,
      );
    }
    if (code === "EACCES") {
      throw new UserError(`Cannot watch on port ${port}: the system does not allow it; --port takes another`);
    }
    throw error;
  }
}

async function reply(answerer: Answerer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // Only the path counts, and the header Host, which is checked.
  const target = request.url!, base = "http://127.0.0.1";
  const url = target.startsWith("/") ? base + target : URL.parse(target, base)?.href;
  if (url === undefined) {
    response.writeHead(400).end();
    return;
  }
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (typeof value === "string") headers.set(name, value);
  }
  const answer = await answerer.answer({ method: request.method!, url, headers });
  const body = new Uint8Array(await answer.arrayBuffer());
  response.writeHead(answer.status, {
    ...Object.fromEntries(answer.headers),
    ...(answer.status !== 304 && { "Content-Length": body.length }),
  });
  response.end(body);
}
