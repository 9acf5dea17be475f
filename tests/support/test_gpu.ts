/** @file One GPU for all tests of a file: opening a device takes longer than most tests. */
import { type Gpu, openGpu, PATHS } from "../../gpu/gpu.ts";

let opened: Promise<Gpu> | null = null;

/**
 * The shared GPU; tests that cannot get one fail with the message that says how to. `deno test FILES -- --path=gpu` tries
 * what launchers choose on GPUs, on any adapter.
 */
export function testGpu(): Promise<Gpu> {
  const path = PATHS.find((one) => Deno.args.includes(`--path=${one}`));
  return opened ??= openGpu(path && { path });
}
