/** @file Small data sets for tests, written into a folder that goes when the test ends. */

/** Writes files (texts or bytes, by path) into a new folder, and calls `use` with its path. */
export async function withDataFolder(
  files: Readonly<Record<string, string | Uint8Array>>,
  use: (path: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "data-" });
  try {
    for (const [file, content] of Object.entries(files)) {
      const path = `${folder}/${file}`;
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await (typeof content === "string" ? Deno.writeTextFile(path, content) : Deno.writeFile(path, content));
    }
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Bytes compressed with gzip. */
export async function gzip(content: string | Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([content]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** All that a generator yields. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/**
 * Lines of the optdigits format: distinct images of 8 by 8 pixels then the class.
 *
 * @param label class of the image at an index
 */
export function optdigitsFile(count: number, label = (i: number) => i % 10): string {
  const line = (i: number) =>
    [...Array.from({ length: 64 }, (_, k) => k < 2 ? Math.floor(i / 17 ** k) % 17 : (i + k) % 17), label(i)]
      .join(",");
  return Array.from({ length: count }, (_, i) => `${line(i)}\n`).join("");
}
