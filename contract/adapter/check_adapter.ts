/** @file Holds this machine's adapter to what a comparison needs of it, check by check. */
import type { Gpu } from "../../gpu/gpu.ts";
import * as kernels from "../../kernels/mod.ts";
import { createRandom } from "../../numerics/random.ts";
import type { Library } from "../../training/configuration.ts";
import type { RunConfig } from "../../training/run.ts";
import type { AdapterCheck } from "./kernel_tests.ts";
import recorded from "./recorded_losses.json" with { type: "json" };
import { lossesOf, type RecordedLosses, recordedRuns } from "./recorded_runs.ts";

/**
 * Losses of a run on another adapter differ from the recorded ones by at most this share, over 20 steps. Adapters round
 * sums in other orders; a faulty kernel changes far more.
 */
export const LOSS_TOLERANCE = 2e-5;

/** What WebGPU promises of every adapter, as far as kernels use it. */
const LEAST_LIMITS = {
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupsPerDimension: 65535,
  maxStorageBufferBindingSize: 128 * 2 ** 20,
} as const;

/** Drivers of desktops end what takes so long, and the process with it. */
const WATCHDOG_MS = 2000;

/** Checks of what is no test of a kernel: limits, memory, short runs, repeated runs, and how long a large dispatch takes. */
export async function* checkAdapter(gpu: Gpu, library: Library): AsyncGenerator<AdapterCheck> {
  for (const [name, least] of Object.entries(LEAST_LIMITS)) {
    const found = gpu.info.limits[name] ?? 0;
    yield check(`${name} is ${found}`, found >= least ? null : `${least} is needed`);
  }
  yield await attempt(
    `a tensor of ${kernelBytes(gpu) / 2 ** 20} MiB is written and read at both ends`,
    () => useLargest(gpu),
  );
  const runs = recordedRuns(library), found = new Map<string, RecordedLosses>();
  for (const [name, losses] of Object.entries<RecordedLosses>(recorded.runs)) {
    yield await attempt(`${name}: losses of 20 steps are the recorded ones`, async () => {
      const config = runs.get(name);
      if (!config) throw new Error("no such run is shipped any more");
      const own = await lossesOf(gpu, config);
      found.set(name, own);
      compareLosses(own, losses);
    });
  }
  for (const name of ["digits, lora-pro", "arithmetic, lora", "acceptability, full"]) {
    yield await attempt(
      `${name}: the same run again gives the same bits`,
      () => repeat(gpu, runs.get(name)!, found.get(name)),
    );
  }
  yield await attempt("a product as wide as a 7B model's ends in time", () => timeProduct(gpu));
}

/** How far losses lie from recorded ones, as the largest share. @throws {Error} where it is too far */
export function compareLosses(own: RecordedLosses, wanted: RecordedLosses): number {
  let worst = 0;
  for (const kind of ["train", "validation"] as const) {
    if (own[kind].length !== wanted[kind].length) {
      throw new Error(`${own[kind].length} losses (${kind}), ${wanted[kind].length} are recorded`);
    }
    for (const [i, value] of own[kind].entries()) {
      const share = Math.abs(value / wanted[kind][i]! - 1);
      // Written so that NaN is refused.
      if (!(share <= LOSS_TOLERANCE)) {
        throw new Error(
          `${kind} loss ${i + 1} is ${value}, recorded is ${wanted[kind][i]}: ` +
            `they differ by ${share.toExponential(1)}, ${LOSS_TOLERANCE} is allowed`,
        );
      }
      worst = Math.max(worst, share);
    }
  }
  return worst;
}

async function repeat(gpu: Gpu, config: RunConfig, first: RecordedLosses | undefined): Promise<void> {
  if (!first) throw new Error("it did not end the first time");
  const again = await lossesOf(gpu, config);
  for (const kind of ["train", "validation"] as const) {
    const at = again[kind].findIndex((value, i) => value !== first[kind][i]);
    if (at >= 0) throw new Error(`${kind} loss ${at + 1} is ${again[kind][at]}, and was ${first[kind][at]}`);
  }
}

/** Bytes of the largest tensor that is tried: what WebGPU promises, or less where the adapter has less. */
function kernelBytes(gpu: Gpu): number {
  return Math.min(gpu.mostTensorBytes, LEAST_LIMITS.maxStorageBufferBindingSize);
}

async function useLargest(gpu: Gpu): Promise<void> {
  using _ = gpu.scope("largest tensor");
  const count = kernelBytes(gpu) / 4, whole = gpu.zeros([count], "largest tensor");
  const ends = [0, count - 4].map((first) => ({ ...whole, offset: whole.offset + 4 * first, shape: [4] }));
  for (const [i, end] of ends.entries()) gpu.write(end, Float32Array.of(1, 2, 3, 4 + i));
  const [sum] = await gpu.download(kernels.dot(gpu, whole, whole));
  if (sum !== 1 + 4 + 9 + 16 + 1 + 4 + 9 + 25) throw new Error(`its sum of squares is ${sum}, 69 is right`);
}

async function timeProduct(gpu: Gpu): Promise<void> {
  using _ = gpu.scope("wide product");
  const width = 4096, rows = 64, random = createRandom(1);
  const weight = gpu.zeros([width, width], "weight");
  const x = gpu.upload(random.normal(rows * width, 1), "f32", [rows, width], "x");
  const run = async () => {
    const out = kernels.matmul(gpu, x, weight, { transposeB: true });
    await gpu.download({ ...out, shape: [4] });
  };
  // Its kernel is compiled in the first.
  await run();
  const begun = performance.now();
  await run();
  const ms = performance.now() - begun;
  if (ms > WATCHDOG_MS && !gpu.info.software) {
    throw new Error(`it takes ${Math.round(ms)} ms, and drivers may end what takes ${WATCHDOG_MS}`);
  }
}

async function attempt(name: string, hold: () => Promise<void>): Promise<AdapterCheck> {
  try {
    await hold();
    return check(name, null);
  } catch (error) {
    return check(name, error instanceof Error ? error.message : String(error));
  }
}

function check(name: string, error: string | null): AdapterCheck {
  return { name, error };
}
