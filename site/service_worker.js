/**
 * @file Keeps the site for when there is no network, and hands out reports from the origin's private files. A new build is
 * another script, whose worker takes over with files of its own.
 */
const VERSION = "{{version}}";
const FILES = "{{files}}";
/** What runs programs that models write, and what it may do: compile its interpreter, and ask nobody for anything. */
const SANDBOX = "tasks/code/javascript_worker.js";
const SANDBOX_POLICY = "default-src 'none'; script-src 'wasm-unsafe-eval'";
const ROOT = new URL("./", location.href).href;
const KINDS = {
  html: "text/html",
  svg: "image/svg+xml",
  csv: "text/csv",
  md: "text/plain",
  json: "application/json",
};

addEventListener("install", (event) => {
  const fill = async () => {
    const cache = await caches.open(VERSION);
    await cache.addAll(FILES.map((file) => new Request(ROOT + file, { cache: "no-cache" })));
    await skipWaiting();
  };
  event.waitUntil(fill());
});

addEventListener("activate", (event) => {
  const take = async () => {
    for (const name of await caches.keys()) if (name !== VERSION) await caches.delete(name);
    await clients.claim();
  };
  event.waitUntil(take());
});

addEventListener("fetch", (event) => {
  const { method, url } = event.request, path = url.split(/[?#]/)[0];
  if (method !== "GET" || !path.startsWith(ROOT)) return;
  const inside = decodeURIComponent(path.slice(ROOT.length));
  if (inside.startsWith("results/")) return event.respondWith(fromResults(inside));
  const found = fromSite(event.request, inside);
  event.respondWith(inside === SANDBOX ? found.then(confined) : found);
});

function confined(response) {
  const { body, status, statusText } = response, headers = new Headers(response.headers);
  headers.set("content-security-policy", SANDBOX_POLICY);
  return new Response(body, { status, statusText, headers });
}

async function fromResults(path) {
  try {
    const parts = path.split("/"), name = parts.pop();
    let folder = await navigator.storage.getDirectory();
    for (const part of parts) folder = await folder.getDirectoryHandle(part);
    const file = await (await folder.getFileHandle(name)).getFile();
    const type = KINDS[name.split(".").at(-1)] ?? "application/octet-stream";
    return new Response(file, { headers: { "content-type": `${type}; charset=utf-8` } });
  } catch {
    return new Response("There is no such result on this device.", { status: 404 });
  }
}

/** From what is kept; what is not, such as data, is fetched once and kept. */
async function fromSite(request, inside) {
  const cache = await caches.open(VERSION), key = ROOT + (inside === "" ? "index.html" : inside);
  const kept = await cache.match(key);
  if (kept) return kept;
  const found = await fetch(request);
  if (found.ok) await cache.put(key, found.clone());
  return found;
}
