import { assert, assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../errors/user_error.ts";
import { fakeRegistries } from "../../tests/support/fakes/registries.ts";
import { fakeDiverged, fakeDone } from "../../tests/support/fakes/results.ts";
import { fakePlan } from "../../tests/support/fakes/sweep.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { planBench } from "../command_line/bench.ts";
import { isStoredRun } from "./rerun.ts";
import { openStore } from "./store.ts";
import { inFolder } from "../../tests/support/in_folder.ts";

const test = testNeeding(FILES);

Deno.test("isStoredRun() tells files of runs from sweeps", () => {
  const runs = ["0123456789abcdef.json", "./runs/0123456789abcdef.json", "/a b/runs/0123456789abcdef.json"];
  const others = [
    "quick",
    "quick.json",
    "0123456789abcdef",
    "x0123456789abcdef.json",
    "0123456789ABCDEF.json",
  ];
  assertEquals(runs.map(isStoredRun), runs.map(() => true));
  assertEquals(others.map(isStoredRun), others.map(() => false));
});

test("planBench() of a stored run's file is that run alone, by the same name, finished or not", async () => {
  await inFolder(async (folder) => {
    const store = openStore(folder), { runs } = await fakePlan();
    const stored = [await fakeDone(runs[0]!.config), await fakeDiverged(runs[3]!.config)];
    await Deno.mkdir(store.folder);
    for (const result of stored) await store.put(result);
    for (const { id, config } of stored) {
      const sweep = `${store.folder}/${id}.json`;
      const { plan } = await planBench({ sweep, overrides: {}, command: "typed" }, fakeRegistries);
      assertEquals(plan.runs, [{ id, config }]);
      assertEquals([plan.name, plan.command], [`rerun-${id}`, "typed"]);
    }
  });
});

test("planBench() refuses a run that is not there, was edited or would be changed, in a sentence", async () => {
  await inFolder(async (folder) => {
    const store = openStore(folder), { runs } = await fakePlan();
    const result = await fakeDone(runs[0]!.config);
    await Deno.mkdir(store.folder);
    await store.put(result);
    const path = `${store.folder}/${result.id}.json`;
    const plan = (sweep: string, overrides = {}) =>
      assertRejects(() => planBench({ sweep, overrides, command: "" }, fakeRegistries), UserError);
    const missing = await plan(`${folder}/0123456789abcdef.json`);
    assertEquals(
      missing.message,
      `Cannot read ${folder}/0123456789abcdef.json: there is no such file or folder`,
    );
    const changed = await plan(path, { steps: 4 });
    assertEquals(
      changed.message,
      `Cannot run ${path} again with other steps: a stored run stays as it is`,
    );
    await Deno.writeTextFile(path, (await Deno.readTextFile(path)).replace('"seed": 0', '"seed": 1'));
    assert((await plan(path)).message.includes("its digest does not fit its content"));
  });
});
