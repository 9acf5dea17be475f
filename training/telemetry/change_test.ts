import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { TargetModule } from "../../models/model.ts";
import { READING, testNeeding } from "../../tests/support/test_needing.ts";
import { testGpu } from "../../tests/support/test_gpu.ts";
import { complete, partsOf } from "../../tests/support/tiny_runs.ts";
import { runSession } from "../loop/session.ts";
import { changesOf } from "./change.ts";

const test = testNeeding(READING);

Deno.test("changesOf() tells size, directions and intruders of a change that is known", () => {
  const map = { name: "layers.0.q", in: 3, out: 4 } as TargetModule;
  // Diagonal: its left singular vectors are the axes, the last of which it has not.
  const start = Float32Array.from([3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0]);
  const end = start.slice();
  // Along the fourth axis, stronger than the weakest.
  end[11] = 4;
  end[0] = 6;
  const [change] = changesOf(new Map([[map, start]]), new Map([[map, end]]));
  assertEquals([change!.targetModule, change!.norm, change!.intruders], ["layers.0.q", 5, 1]);
  assertAlmostEquals(change!.relativeNorm, 5 / Math.sqrt(14), 1e-12);
  assertEquals(change!.singularValues.map((value) => value.toFixed(9)), [
    "4.000000000",
    "3.000000000",
    "0.000000000",
  ]);
  const still = start.slice(), broken = start.slice();
  still[0] = 3 * (1 + 2 ** -23);
  broken[5] = NaN;
  assertEquals(changesOf(new Map([[map, start]]), new Map([[map, still]])), []);
  assertEquals(changesOf(new Map([[map, start]]), new Map([[map, broken]])), []);
});

test("a run with telemetry tells what it changed, of rank r where its method is LoRA, and one without does not", async () => {
  const gpu = await testGpu(), config = complete({ steps: 3, telemetryEvery: 2 });
  const { changes } = await runSession(gpu, config, await partsOf(config), {});
  const rank = Number(config.optimizer.options["rank"]);
  assert(changes!.length > 0 && rank > 0);
  for (const { singularValues, norm, relativeNorm } of changes!) {
    assert(relativeNorm > 0 && singularValues[0]! > 0);
    const beyond = singularValues.slice(rank).reduce((sum, value) => sum + value ** 2, 0);
    assert(Math.sqrt(beyond) < 1e-3 * norm, `${singularValues}`);
  }
  const plain = { ...config, telemetryEvery: 0 };
  assertEquals((await runSession(gpu, plain, await partsOf(plain), {})).changes, undefined);
});
