/** @file Where a run is made: recorded with every result. */
import type { Gpu } from "../gpu/gpu.ts";
import type { Environment } from "./run.ts";

/** The environment of a run on `gpu` that starts now. */
export async function environmentOf(gpu: Gpu): Promise<Environment> {
  const { adapter, backend, features, limits } = gpu.info;
  return {
    commit: await currentCommit(),
    deno: Deno.version.deno,
    adapter,
    backend,
    features: [...features],
    limits: { ...limits },
    startedAt: new Date().toISOString(),
  };
}

/** The checkout's commit, read from .git's files: a sweep may not start other programs. "unknown" where there is none. */
async function currentCommit(): Promise<string> {
  const read = async (path: string): Promise<string | null> => {
    try {
      return (await Deno.readTextFile(new URL(`../.git/${path}`, import.meta.url))).trim();
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return null;
      throw error;
    }
  };
  const head = await read("HEAD");
  if (head === null) return "unknown";
  if (!head.startsWith("ref: ")) return head;
  const name = head.slice("ref: ".length);
  const loose = await read(name);
  if (loose !== null) return loose;
  const packed = (await read("packed-refs"))?.split("\n").find((line) => line.endsWith(` ${name}`));
  return packed?.split(" ")[0] ?? "unknown";
}
