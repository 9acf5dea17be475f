/** @file Made-up results in a folder. */
import type { RunResult } from "../../../training/run.ts";
import { digestOf } from "../../../files/canonical_json.ts";
import { writeWhole } from "../../../files/write_file.ts";

/** Stores a result as `Store.put` does, without waiting for the disk. */
export async function putFake(out: string, result: RunResult): Promise<void> {
  const text = JSON.stringify({ ...result, digest: await digestOf(result) });
  await writeWhole(`${out}/runs/${result.id}.json`, text, { isKept: false });
}
