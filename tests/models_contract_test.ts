/** @file Every registered model that is small is held to what models promise. */
import { checksOfModel } from "../contract/models.ts";
import { shipped } from "../training/shipped.ts";
import { testGpu } from "./support/test_gpu.ts";
import { READING, testNeeding } from "./support/test_needing.ts";

// Sizes of the papers are built in models/paper_models_test.ts, on a dry-run GPU.
const small = Object.values(shipped.models).filter((entry) => entry.architecture.parameters < 1e6);
for (const entry of small) {
  for (const { promise, reads, hold } of checksOfModel(entry)) {
    const test = reads ? testNeeding(READING) : Deno.test;
    test(`${entry.id}: ${promise}`, async () => await hold(await testGpu()));
  }
}
