/**
 * @file Interrupts a run of every method after each of its 12 steps, lets it go on each time, from step 8 on in a new process,
 * and holds what it found against an undisturbed run, bit for bit: `deno task interruptions`. The suite does so after a few
 * of the steps.
 */
import { assertEquals } from "@std/assert";
import { openGpu } from "../../gpu/gpu.ts";
import { interruptAll } from "../support/interrupted_runs.ts";

const STEPS = 12;

const folder = await Deno.makeTempDir();
try {
  await using gpu = await openGpu();
  const stops = Array.from({ length: STEPS - 1 }, (_, i) => i + 1);
  const { wanted, found } = await interruptAll(gpu, folder, stops);
  const ids = Object.keys(wanted);
  for (const id of ids) assertEquals(found[id], wanted[id], id);
  console.log(
    `${ids.length} methods were interrupted ${
      ids.length * stops.length
    } times: each found the same, bit for bit`,
  );
} finally {
  await Deno.remove(folder, { recursive: true });
}
