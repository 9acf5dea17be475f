/** @file Records the losses that `./run check` compares with: `deno task record-losses`, on llvmpipe. */
import { openGpu } from "../../gpu/mod.ts";
import { shipped } from "../../training/shipped.ts";
import { lossesOf, type RecordedLosses, recordedRuns } from "./recorded_runs.ts";

const recorded: Record<string, RecordedLosses> = {};
await using gpu = await openGpu();
for (const [name, config] of recordedRuns(shipped)) {
  recorded[name] = await lossesOf(gpu, config);
  console.error(name, recorded[name].train.at(-1));
}
const text = JSON.stringify({ adapter: gpu.info.adapter, runs: recorded }, null, 1);
await Deno.writeTextFile(new URL("./recorded_losses.json", import.meta.url), `${text}\n`);
