/** @file The site's worker: what runs are made in, apart from the page, so that it stays quick. */
import { z } from "zod";

// Schemas ask whether they may write code before they are made, which the site's policy forbids.
z.config({ jitless: true });
const { listen } = await import("./comparisons.ts");
await listen(globalThis as unknown as Parameters<typeof listen>[0]);
