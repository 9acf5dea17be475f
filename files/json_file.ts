/** @file JSON files that others wrote, read within limits: none of them hangs, fills the memory or breaks what walks it. */
import { type FileInfo, system } from "../system/mod.ts";
import { fileKind } from "./file_kind.ts";

/** Levels of lists and objects: what looks through them calls itself for each. */
export const DEEPEST = 100;

/** A file that is not read. The message ends a sentence: "it is a folder, a file is needed". */
export class UnreadableFile extends Error {
  /** Tells it apart in logs. */
  override readonly name = "UnreadableFile";
}

/**
 * True where there is a file at a path, or a link to one; false where there is nothing.
 *
 * @throws {UnreadableFile} where something else is there, a pipe among them, which would be waited for, and where it can't
 * be told
 */
export async function isFile(path: string | URL): Promise<boolean> {
  return await sizeOf(path) !== null;
}

/**
 * The value in a JSON file; undefined where there is no such file.
 *
 * @param most bytes that it may have
 * @throws {UnreadableFile} where something else than a file is there, where it can't be read, is larger, is not JSON or is
 * nested more than 100 levels deep
 */
export async function readJsonFile(path: string, most: number): Promise<unknown> {
  const size = await sizeOf(path);
  if (size === null) return undefined;
  if (size > most) throw new UnreadableFile(`it has ${size} bytes, ${most} at most are needed`);
  const text = await system.readText(path).catch((error) => {
    throw new UnreadableFile(reasonOf(error), { cause: error });
  });
  if (depthOf(text) > DEEPEST) {
    throw new UnreadableFile(`it is nested more than ${DEEPEST} levels deep`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UnreadableFile("it is not valid JSON", { cause: error });
  }
}

/** Bytes of a file; null where there is nothing. */
async function sizeOf(path: string | URL): Promise<number | null> {
  let found: FileInfo;
  try {
    found = await system.stat(path);
  } catch (error) {
    const fault = system.faultOf(error);
    if (fault !== "missing" && fault !== "no folder") {
      throw new UnreadableFile(reasonOf(error), { cause: error });
    }
    // As an interrupted download leaves it in a cache of links.
    if (await system.isThere(path)) throw new UnreadableFile("it is a link to where nothing is");
    return null;
  }
  if (found.isFile) return found.size;
  throw new UnreadableFile(`it is ${fileKind(found)}, a file is needed`);
}

function reasonOf(error: unknown): string {
  if (system.faultOf(error) === "a circle of links") return "it is a link that leads back to itself";
  return error instanceof Error ? error.message : String(error);
}

/** Most lists and objects of a JSON text that are open at once. */
export function depthOf(json: string): number {
  let depth = 0, deepest = 0;
  for (let i = 0; i < json.length; i++) {
    const character = json.charCodeAt(i);
    if (character === QUOTE) {
      for (i++; i < json.length && json.charCodeAt(i) !== QUOTE; i++) {
        if (json.charCodeAt(i) === BACKSLASH) i++;
      }
    } else if (OPENING.has(character)) deepest = Math.max(deepest, ++depth);
    else if (CLOSING.has(character)) depth--;
  }
  return deepest;
}

const codes = (characters: string) => new Set([...characters].map((character) => character.charCodeAt(0)));
const OPENING = codes("[{"), CLOSING = codes("]}");
const [QUOTE, BACKSLASH] = ['"'.charCodeAt(0), "\\".charCodeAt(0)];
