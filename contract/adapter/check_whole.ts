/** @file The whole check of an adapter: what tests of kernels found, all else, and the file that keeps it. */
import type { Gpu } from "../../gpu/gpu.ts";
import { type CheckedAdapter, writeChecked } from "../../training/checked_adapter.ts";
import type { Library } from "../../training/configuration.ts";
import { environmentOf } from "../../training/environment.ts";
import { checkAdapter } from "./check_adapter.ts";
import { type AdapterCheck, KERNEL_RESULTS, readJunit } from "./kernel_tests.ts";

/**
 * Takes what the tests of kernels found, checks all else, and stores it.
 *
 * @param isStored false where another path of kernels is tried than the one that the adapter's runs take
 * @param onCheck is told of each check as it ends
 * @throws {UserError} where the file can't be written
 */
export async function checkWhole(
  gpu: Gpu,
  library: Library,
  onCheck: (check: AdapterCheck) => void,
  isStored = true,
): Promise<{ readonly path: string | null; readonly found: CheckedAdapter }> {
  const checks = await takeKernelTests();
  for (const one of checks) onCheck(one);
  for await (const one of checkAdapter(gpu, library)) {
    checks.push(one);
    onCheck(one);
  }
  const { commit, deno, startedAt } = await environmentOf(gpu), { info } = gpu;
  const found: CheckedAdapter = {
    schema: 1,
    ok: checks.every(({ error }) => error === null),
    adapter: info.adapter,
    hardware: info.hardware ? { ...info.hardware } : null,
    backend: info.backend,
    features: [...info.features],
    limits: { ...info.limits },
    deno,
    commit,
    checkedAt: startedAt,
    checks: checks.map(({ name, error }) => ({ name, ok: error === null, error })),
  };
  return { path: isStored ? await writeChecked(found) : null, found };
}

/** What the tests left, which is then removed: it is of this command alone. */
async function takeKernelTests(): Promise<AdapterCheck[]> {
  const missing = {
    name: "kernels: all agree with float64",
    error: "they were not run: ./run check runs them",
  };
  const file = new URL(`../../${KERNEL_RESULTS}`, import.meta.url);
  let text: string;
  try {
    text = await Deno.readTextFile(file);
    await Deno.remove(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [missing];
    throw error;
  }
  const tests = readJunit(text);
  return tests.length === 0 ? [missing] : tests;
}
