/** @file What a library must do to be compared. */
import type { Problem } from "./problem.ts";

/** A library at work on one problem, from its initial weights on. */
export interface Trainer extends AsyncDisposable {
  /** Takes `steps` more steps, waits once for the last, and returns the loss of each before its update. */
  train(steps: number): Promise<number[]>;
  /** What a reader should know of how it runs, e.g. "2 threads". */
  readonly note?: string;
}

/** Where a library computes. */
export type PeerBackend = "webgpu" | "wasm" | "cpu";

/** A library with a backend. */
export interface Peer {
  readonly name: "ours" | "jax-js" | "tfjs" | "pytorch";
  readonly backend: PeerBackend;
  /** Uploads the weights. Rejects where the library cannot run on this machine. */
  open(problem: Problem): Promise<Trainer>;
}
