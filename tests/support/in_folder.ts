/** @file A folder that is there while a test works in it. */

/** Gives `work` a new, empty folder, and removes it with all that is in it afterwards. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    return await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
