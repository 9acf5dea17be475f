/** @file One promise, and how it is held. */
import type { Gpu } from "../gpu/gpu.ts";

/** A promise that can be held to. */
export interface Check {
  /** What is promised, in a plain sentence. */
  readonly promise: string;
  /** True where files are read for it. */
  readonly reads?: true;
  /** Throws where it does not hold, with the reason. What it allocates on the GPU is freed. */
  hold(gpu: Gpu): void | Promise<void>;
}
