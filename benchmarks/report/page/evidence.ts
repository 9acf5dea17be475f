/** @file Results that a report's page carries whole, so that a page alone can be checked: see `./run verify`. */
import { UserError } from "../../../errors/user_error.ts";
import { readText, reasonOf } from "../../../files/write_file.ts";
import type { RunResult } from "../../../training/run.ts";
import { sampleOf } from "../against/verify.ts";
import { parseResult, withDigest } from "../../sweep/store.ts";
import { pack } from "./payload.ts";

/** What the element is called that holds them. */
export const EVIDENCE = "evidence";

/** Most results that a page carries: with telemetry each takes 10 to 40 KB of it. */
const MOST = 12;

/** Most characters of a page, and most bytes of what it carries, that are read. */
const MOST_READ = 1e8;

/** What a page alone is checked by. */
export interface Evidence {
  /** The sweep's name. */
  readonly name: string;
  /** Finished runs of the report, of which `results` are some, drawn by chance. */
  readonly finished: number;
  readonly results: readonly RunResult[];
}

/** Draws what a page of a sweep carries: the same of the same results. */
export function evidenceOf(name: string, results: readonly RunResult[]): Evidence {
  return {
    name,
    finished: sampleOf(results, Infinity, 0).length,
    results: sampleOf(results, MOST, 0),
  };
}

/** Evidence as letters and digits that a page holds. */
export async function packEvidence({ results, ...said }: Evidence): Promise<string> {
  return await pack({ ...said, results: await Promise.all(results.map(withDigest)) });
}

/**
 * Reads what the page at `path` carries.
 *
 * @throws {UserError} where it is no report's page, carries nothing that can be checked, or was edited
 */
export async function readEvidence(path: string): Promise<Evidence> {
  const page = await readText(path).catch((error) => {
    throw new UserError(`Cannot verify "${path}": ${reasonOf(error)}`);
  });
  if (page.length > MOST_READ) {
    throw new UserError(`Cannot verify "${path}": it is too long for a report's page`);
  }
  const [, packed] =
    new RegExp(`<script type="text/plain" id="data-${EVIDENCE}">([\\w+/=]+)</script>`).exec(page) ??
      [];
  if (packed === undefined) {
    throw new UserError(
      `Cannot verify "${path}": it carries no results, as pages of reports do, and there are none beside it`,
    );
  }
  try {
    const { name, finished, results } = JSON.parse(await inflated(Uint8Array.fromBase64(packed)));
    // A folder is called by the name.
    const isWhole = /^[\w-][\w.-]*$/.test(name) && Number.isSafeInteger(finished) && Array.isArray(results);
    if (!isWhole) throw new Error("it names no runs");
    return { name, finished, results: await Promise.all(results.map(parseResult)) };
  } catch (error) {
    throw new UserError(`Cannot verify "${path}": what it carries can't be used: ${reasonOf(error)}`);
  }
}

async function inflated(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  let text = "", size = 0;
  const decoder = new TextDecoder();
  for await (const piece of new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"))) {
    if ((size += piece.length) > MOST_READ) throw new Error(`it has more than ${MOST_READ} bytes`);
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}
