/** @file Real files that some checkouts have beside them: tests that need one return early without it. */

/** Path of a shared file or folder, or null where it is absent. */
export function sharedData(path: string): string | null {
  const full = decodeURIComponent(new URL(`../../shared/data/${path}`, import.meta.url).pathname);
  try {
    Deno.statSync(full);
    return full;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
