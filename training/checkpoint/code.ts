/** @file Which code it is: checkpoints of other code are not gone on from. */
import { system } from "../../system/mod.ts";
import { fingerprintFiles, hashFile } from "../../files/file_hash.ts";
import { namesIn } from "../../files/write_file.ts";

/** What decides a run's bits: folders of the repository, and its packages. */
const SOURCES = [
  ...["autodiff", "deno.lock", "errors", "files", "gpu", "kernels", "models", "numerics", "optimizers"],
  ...["system", "tasks", "training"],
];

let found: Promise<string> | null = null;

/**
 * Hash over the harness's source, changes that are not committed among it; the same all the time that a process lives.
 * Where the source is no folder, as in a library from a registry, its address, which names the version; where the program
 * was built, the hash of what it was built from.
 */
export function codeFingerprint(): Promise<string> {
  return found ??= fingerprint();
}

async function fingerprint(): Promise<string> {
  const build = await system.build();
  if (build) return build.code;
  const root = system.own("");
  if (root.protocol !== "file:") return root.href;
  const folder = decodeURIComponent(root.pathname), names = [];
  for (const name of SOURCES) names.push(...await filesIn(folder, name));
  return await fingerprintFiles(names, (name) => hashFile(`${folder}${name}`));
}

/** Sources in a folder and below, or the file itself, in an order that no machine changes. */
async function filesIn(root: string, name: string): Promise<string[]> {
  const info = await system.stat(`${root}${name}`).catch(() => null);
  if (!info) return [];
  if (info.isFile) return /(?<!_test|_bench)\.(ts|wgsl|lock)$/.test(name) ? [name] : [];
  const names = [];
  for (const inner of await namesIn(`${root}${name}`)) names.push(...await filesIn(root, `${name}/${inner}`));
  return names;
}
