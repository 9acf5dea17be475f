/** @file What a sweep stored, for tests of whole sweeps. */
import { RunResult } from "../../training/schemas.ts";

/** A result and its file. */
export interface StoredResult {
  readonly path: string;
  readonly text: string;
  readonly result: RunResult;
}

/** Stored results by id, checked against the schema. */
export async function resultsIn(out: string): Promise<Map<string, StoredResult>> {
  const found = new Map<string, StoredResult>();
  for await (const { name } of Deno.readDir(`${out}/runs`)) {
    if (!name.endsWith(".json")) continue;
    const path = `${out}/runs/${name}`, text = await Deno.readTextFile(path);
    const { digest: _, ...rest } = JSON.parse(text);
    found.set(name.replace(".json", ""), { path, text, result: RunResult.parse(rest) });
  }
  return found;
}

/** What must not depend on when or how fast a run was made. */
export function reproducible(result: RunResult): unknown {
  if (result.status !== "done") return result.status;
  const { cost, ...outcome } = result.outcome;
  const {
    attachMs: _a,
    medianStepMs: _b,
    medianHostMs: _d,
    totalMs: _c,
    scoringMs: _e,
    onlyFirstWindow: _f,
    ...bytes
  } = cost;
  return { ...outcome, bytes };
}
