/**
 * @file Tests of kernels in a browser whose adapter has subgroups: with all kernels by subgroups that can add up so, and what
 * "autotune" finds of them. in_chromium.ts bundles it.
 */
import { openGpu } from "../../gpu/gpu.ts";
import { SUBGROUP_KERNELS, tuneSubgroups } from "../../benchmarks/performance/subgroups.ts";
import { testGpu } from "../support/test_gpu.ts";

/** What in_chromium.ts looks at. */
export interface Found {
  /** Sentences about tests that failed. */
  readonly failures: readonly string[];
  /** Tests that ran. */
  readonly tests: number;
  /** Kernels that ran, sorted. */
  readonly kernels: readonly string[];
  /** Kernels of the same launches where nothing chose subgroups. */
  readonly unchosen: readonly string[];
  readonly tuned: Awaited<ReturnType<typeof tuneSubgroups>>;
  /** What is in use after tuning. */
  readonly kept: readonly string[];
  readonly progress: readonly string[];
}

/** Kernels that add up over lanes and are in the tests below. */
const KERNELS = [
  ...SUBGROUP_KERNELS,
  ...[
    "compare",
    "row_norms",
    "row_norms_f16",
    "row_norms_int8",
    "row_norms_nf4",
    "magnitude_change",
    "skip_large",
  ],
];

type Test = { readonly name: string; readonly fn: () => void | Promise<void> };

async function runTests(): Promise<Found> {
  const tests: Test[] = [];
  // Stands in for Deno's test runner alone, once all that asks for a system has found a browser.
  Object.assign(globalThis, {
    Deno: { args: ["--path=gpu"], test: (name: string, fn: Test["fn"]) => tests.push({ name, fn }) },
  });
  await import("../../kernels/norm/norm_test.ts");
  await import("../../kernels/loss/cross_entropy_test.ts");
  await import("../../kernels/reduce/reduce_test.ts");
  await import("../../kernels/reduce/compare_test.ts");
  await import("../../optimizers/dora/magnitude_test.ts");
  await import("../../optimizers/lora_rite/skip_large_test.ts");
  const gpu = await testGpu(), failures: string[] = [];
  gpu.useSubgroups(KERNELS);
  gpu.resetWork();
  for (const { name, fn } of tests) {
    try {
      await fn();
    } catch (error) {
      failures.push(`${name}: ${error}`);
    }
  }
  const { kernels } = gpu.work, progress: string[] = [];
  const tuned = await tuneSubgroups(gpu, (kernel) => progress.push(kernel)), kept = gpu.inSubgroups;
  await using other = await openGpu({ path: "gpu" });
  using _ = other.scope("unchosen");
  const { dot } = await import("../../kernels/mod.ts"), x = other.zeros([64], "x");
  dot(other, x, x);
  await other.flush();
  return { failures, tests: tests.length, kernels, unchosen: other.work.kernels, tuned, kept, progress };
}

Object.assign(globalThis, { found: runTests() });
