/** @file One GPU for all tests of a file: opening a device takes longer than most tests. */
import { type Gpu, openGpu } from "../../gpu/gpu.ts";

let opened: Promise<Gpu> | null = null;

/** The shared GPU; tests that cannot get one fail with the message that says how to. */
export function testGpu(): Promise<Gpu> {
  return opened ??= openGpu();
}
