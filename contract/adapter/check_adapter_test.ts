import { assert, assertEquals, assertThrows } from "@std/assert";
import { openGpu } from "../../gpu/gpu.ts";
import { shipped } from "../../training/shipped.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { READING, testNeeding } from "../../tests/support/test_needing.ts";
import { compareLosses, LOSS_TOLERANCE } from "./check_adapter.ts";
import { readJunit } from "./kernel_tests.ts";
import recorded from "./recorded_losses.json" with { type: "json" };
import { lossesOf, type RecordedLosses, recordedRuns } from "./recorded_runs.ts";

const test = testNeeding(READING);
const losses = new Map(Object.entries<RecordedLosses>(recorded.runs));

test("A short run has the recorded losses, and a rate that is 0.1% higher is found", async () => {
  const gpu = await testGpu(), name = "digits, lora-pro", config = recordedRuns(shipped).get(name)!;
  assert(compareLosses(await lossesOf(gpu, config), losses.get(name)!) <= LOSS_TOLERANCE);
  const { learningRate, ...schedule } = config.schedule;
  const other = await lossesOf(gpu, {
    ...config,
    schedule: { ...schedule, learningRate: 1.001 * learningRate },
  });
  assertThrows(() => compareLosses(other, losses.get(name)!), Error, "loss");
});

test("Kernels that are chosen for GPUs have the recorded losses too, of each family of models", async () => {
  await using gpu = await openGpu({ path: "gpu" });
  const runs = recordedRuns(shipped);
  for (const name of ["digits, lora-pro", "arithmetic, lora", "acceptability, dora"]) {
    compareLosses(await lossesOf(gpu, runs.get(name)!), losses.get(name)!);
  }
});

Deno.test("Every recorded run is one that is made, of every family of models and with every kind of method", () => {
  const runs = recordedRuns(shipped);
  for (const [name, { train, validation }] of losses) {
    assertEquals([runs.get(name)?.steps, train.length, validation.length], [20, 20, 3], name);
    // A run that moves nothing would hold whatever the adapter does.
    const [first, , last] = validation;
    assert(Math.abs(last! / first! - 1) > 0.02, `${name}: from ${first} to ${last}`);
  }
  assert(losses.size >= 31);
});

Deno.test("compareLosses() names the loss that differs, and refuses NaN and losses that are missing", () => {
  const wanted = { train: [2, 1], validation: [1.5] };
  assertEquals(compareLosses(wanted, wanted), 0);
  assertThrows(
    () => compareLosses({ ...wanted, train: [2, 1.00003] }, wanted),
    Error,
    "train loss 2 is 1.00003, recorded is 1: they differ by 3.0e-5, 0.00002 is allowed",
  );
  assertThrows(
    () => compareLosses({ ...wanted, validation: [NaN] }, wanted),
    Error,
    "validation loss 1 is NaN",
  );
  assertThrows(
    () => compareLosses({ ...wanted, train: [2] }, wanted),
    Error,
    "1 losses (train), 2 are recorded",
  );
});

Deno.test("readJunit() reads what Deno writes: names and reasons as they were, without what was ignored", () => {
  const text = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="4" failures="2" errors="0" time="0.051">
    <testsuite name="./kernels/a_test.ts" tests="4" disabled="1" errors="0" failures="2">
        <testcase name="fails with &lt;b&gt; &amp; &quot;quotes&quot;" classname="./kernels/a_test.ts" time="0.001" line="1" col="6">
            <failure message="Uncaught Error: Values are not equal: 1 &lt; 2 &amp; &apos;x&apos;">Error: …
    at file:///tmp/jt/a_test.ts:1:54</failure>
        </testcase>
        <testcase name="holds" classname="./kernels/a_test.ts" time="0.000" line="2" col="6">
        </testcase>
        <testcase name="skipped one" classname="./kernels/a_test.ts" time="0.000" line="3" col="6">
            <skipped/>
        </testcase>
        <testcase name="lora: five steps" classname="./tests/golden_methods_test.ts" time="0.001" line="4" col="6">
            <failure message="1 test step failed">1 test step failed.</failure>
        </testcase>
    </testsuite>
</testsuites>
`;
  assertEquals(readJunit(text), [
    {
      name: `kernels/a: fails with <b> & "quotes"`,
      error: "Uncaught Error: Values are not equal: 1 < 2 & 'x'",
    },
    { name: "kernels/a: holds", error: null },
    { name: "methods/methods: lora: five steps", error: "1 test step failed" },
  ]);
});
