/** @file A server of a folder's files, as any server of static files would be. */

const KINDS: Readonly<Record<string, string>> = {
  html: "text/html",
  js: "text/javascript",
  css: "text/css",
  json: "application/json",
};

/** Serves a folder on this machine. Use with `await using`. */
export function serve(folder: string): AsyncDisposable & { readonly address: string } {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    (request) => answer(folder, request),
  );
  return {
    address: `http://127.0.0.1:${server.addr.port}/`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function answer(folder: string, request: Request): Promise<Response> {
  const path = decodeURIComponent(new URL(request.url).pathname).replace(/\/$/, "/index.html");
  try {
    const headers = { "content-type": KINDS[path.split(".").at(-1)!] ?? "application/octet-stream" };
    return new Response(await Deno.readFile(`${folder}${path}`), { headers });
  } catch {
    return new Response("There is no such file.", { status: 404 });
  }
}
