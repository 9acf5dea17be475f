/** @file What stands at a path, in words for people. */
import type { FileInfo } from "../system/mod.ts";

/** "a file", "a folder", "a named pipe", "a socket" or "a device": all but the first are not read as files. */
export function fileKind(
  info: Pick<FileInfo, "isFile" | "isDirectory" | "isFifo" | "isSocket">,
): string {
  if (info.isFile) return "a file";
  if (info.isDirectory) return "a folder";
  if (info.isFifo) return "a named pipe";
  return info.isSocket ? "a socket" : "a device";
}
