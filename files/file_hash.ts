/** @file SHA-256 of files, of which each is read once while it stays as it is: a sweep asks again with every run. */
import { system } from "../system/mod.ts";

/** Files that were read, by path: what they were then and their hash. */
const known = new Map<string, { readonly state: string; readonly hash: string }>();

/**
 * SHA-256 over a file's bytes, in hex. The file is read in pieces; what was read before and has not changed since, by size,
 * times and inode, is not read again.
 *
 * @throws what Deno throws where it can't be read
 */
export async function hashFile(path: string): Promise<string> {
  const state = await stateOf(path), before = known.get(path);
  if (before?.state === state) return before.hash;
  const hash = (await system.sha256())(), piece = new Uint8Array(1 << 20);
  using file = await Deno.open(path);
  for (let count; (count = await file.read(piece)) !== null;) hash.update(piece.subarray(0, count));
  // The state is that of before the reading: what changes meanwhile is read again.
  const found = { state, hash: hash.digest("hex") };
  known.set(path, found);
  return found.hash;
}

/**
 * SHA-256 over names and bytes of files, in hex: the same for the same files in another place.
 *
 * @param names in an order that no place changes
 * @param hashOf a file's hash, by its name
 */
export async function fingerprintFiles(
  names: readonly string[],
  hashOf: (name: string) => Promise<string>,
): Promise<string> {
  const whole = (await system.sha256())();
  for (const name of names) whole.update(`${name}\0${await hashOf(name)}\n`);
  return whole.digest("hex");
}

/** The inode and the time of its last change tell a file apart that was put in its place with its time of writing. */
async function stateOf(path: string): Promise<string> {
  const { size, mtime, ctime, ino } = await system.stat(path);
  return [size, mtime?.getTime(), ctime?.getTime(), ino].join(" ");
}
