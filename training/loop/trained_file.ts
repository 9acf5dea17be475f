/** @file What a run trained as a file: safetensors, and in its metadata which run it was. */
import { canonicalJson } from "../../files/canonical_json.ts";
import { encodeSafetensors } from "../../models/checkpoints/write_safetensors.ts";
import type { RunConfig } from "../run.ts";
import type { Trained } from "./trained.ts";

/**
 * The bytes of a safetensors file of `trained.tensors`, all as F32. The metadata has the run's id, its config as JSON, and
 * `scales`, s by target module, as JSON.
 */
export function encodeTrained(
  { id, config }: { readonly id: string; readonly config: RunConfig },
  { tensors, scales }: Trained,
): Uint8Array<ArrayBuffer> {
  const metadata = { format: "1", run: id, config: canonicalJson(config), scales: canonicalJson(scales) };
  return encodeSafetensors(tensors, metadata);
}
