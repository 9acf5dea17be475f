import { assert, assertEquals, assertMatch } from "@std/assert";
import { testGpu } from "../tests/support/test_gpu.ts";
import { READING, testNeeding } from "../tests/support/test_needing.ts";
import { environmentOf } from "./environment.ts";
import { Environment } from "./schemas.ts";

const test = testNeeding(READING);

test("environmentOf() names the commit, the adapter and the time, and its record passes the schema", async () => {
  const gpu = await testGpu();
  const environment = await environmentOf(gpu);
  assertEquals(Environment.parse(JSON.parse(JSON.stringify(environment))), environment);
  assertMatch(environment.commit, /^([0-9a-f]{40}|unknown)$/);
  assertEquals(environment.deno, Deno.version.deno);
  assertEquals(environment.adapter, gpu.info.adapter);
  assert(environment.adapter.length > 0);
  assert(Object.values(environment.limits).every(Number.isFinite));
  assert(Math.abs(Date.parse(environment.startedAt) - Date.now()) < 60_000);
});
