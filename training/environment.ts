/** @file Where a run is made: recorded with every result. */
import type { Gpu } from "../gpu/gpu.ts";
import { system } from "../system/mod.ts";
import { readChecked } from "./checked_adapter.ts";
import type { Environment } from "./run.ts";

/** The environment of a run on `gpu` that starts now. */
export async function environmentOf(gpu: Gpu): Promise<Environment> {
  const { adapter, hardware, backend, features, limits } = gpu.info, checked = await readChecked(gpu.info);
  return {
    commit: await currentCommit(),
    deno: system.host.version,
    adapter,
    ...(hardware && { hardware: { ...hardware } }),
    backend,
    features: [...features],
    limits: { ...limits },
    ...(checked && { checked: { ok: checked.ok, at: checked.checkedAt, commit: checked.commit } }),
    startedAt: new Date().toISOString(),
  };
}

/** The checkout's commit, read from .git's files: a sweep may not start other programs. "unknown" where there is none. */
export async function currentCommit(): Promise<string> {
  const build = await system.build();
  if (build) return build.commit;
  const dotGit = system.own(".git");
  // In a linked worktree .git is a file that names its folder, which names the one that all worktrees share.
  const named = /^gitdir: (.*)$/m.exec(await readIfThere(dotGit) ?? "")?.[1];
  const own = named === undefined ? new URL(`${dotGit}/`) : new URL(`${named}/`, dotGit);
  const shared = new URL(`${(await readIfThere(new URL("commondir", own)))?.trim() ?? "."}/`, own);
  const head = (await readIfThere(new URL("HEAD", own)))?.trim();
  if (head === undefined) return "unknown";
  if (!head.startsWith("ref: ")) return head;
  const name = head.slice("ref: ".length);
  const loose = await readIfThere(new URL(name, shared));
  if (loose !== null) return loose.trim();
  const packed = (await readIfThere(new URL("packed-refs", shared)))?.split("\n")
    .find((line) => line.endsWith(` ${name}`));
  return packed?.split(" ")[0] ?? "unknown";
}

async function readIfThere(file: URL): Promise<string | null> {
  try {
    return await system.readText(file);
  } catch (error) {
    const fault = system.faultOf(error);
    if (fault === "missing" || fault === "no folder" || fault === "a folder") return null;
    throw error;
  }
}
