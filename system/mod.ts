/** @file The system that this program runs on. */
import { browserSystem } from "./browser.ts";
import { denoSystem } from "./deno.ts";
import type { System } from "./system.ts";

/** It. */
export const system: System = "Deno" in globalThis ? denoSystem() : browserSystem();
export { type Build, type FileInfo, Missing, type PiecewiseHash } from "./system.ts";
