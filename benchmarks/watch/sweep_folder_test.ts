import { assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { fakeDiverged, fakeDone, fakeFailed } from "../../tests/support/fakes/results.ts";
import { fakePlan } from "../../tests/support/fakes/sweep.ts";
import { putFake } from "../../tests/support/fakes/store.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { writePlan } from "../sweep/plan.ts";
import { describeEnding, SweepFolder, thin } from "./sweep_folder.ts";
import { findSweeps } from "./sweeps.ts";
import { inFolder } from "../../tests/support/in_folder.ts";

const test = testNeeding(FILES);

const plan = await fakePlan();

test("SweepFolder finds what is new, replaced and gone, and its stamp says whether anything is", async () => {
  await inFolder(async (out) => {
    const folder = new SweepFolder(out);
    const empty = await folder.look();
    assertEquals([empty.plan, empty.runs.size, empty.faults, empty.pulse.live], [null, 0, [], null]);
    await Deno.mkdir(`${out}/runs`);
    await writePlan(out, plan);
    const [a, b] = plan.runs;
    await putFake(out, await fakeFailed(a!.config));
    await putFake(out, await fakeDiverged(b!.config));
    const two = await folder.look();
    assertEquals(two.plan?.runs.length, plan.runs.length);
    assertEquals([...two.runs.values()].map(describeEnding).sort(), [
      "diverged at step 20",
      "failed: Cannot go on: the device was lost",
    ]);
    assertEquals((await folder.look()).stamp, two.stamp);
    await putFake(out, await fakeDone(a!.config));
    const replaced = await folder.look();
    assertEquals(replaced.runs.get(a!.id)?.status, "done");
    assertNotEquals(replaced.stamp, two.stamp);
    await Deno.remove(`${out}/runs/${b!.id}.json`);
    assertEquals([...(await folder.look()).runs.keys()], [a!.id]);
  });
});

test("SweepFolder names every file that can't be used, and goes on without it", async () => {
  await inFolder(async (out) => {
    const folder = new SweepFolder(out);
    await Deno.mkdir(`${out}/runs`);
    await putFake(out, await fakeDone(plan.runs[0]!.config));
    await Deno.writeTextFile(`${out}/runs/cut.json`, '{"schema": 1, "id"');
    await Deno.writeTextFile(`${out}/runs/foreign.json`, '{"loss": 1}');
    await Deno.writeTextFile(`${out}/runs/ignored.json.part`, "{");
    await Deno.mkdir(`${out}/runs/folder.json`);
    await Deno.writeTextFile(`${out}/sweep.json`, "[");
    await Deno.mkdir(`${out}/live`);
    await Deno.writeTextFile(`${out}/live/a.json`, "{}");
    const { plan: none, runs, faults } = await folder.look();
    assertEquals([none, runs.size, faults.length], [null, 1, 5]);
    for (
      const name of ["sweep.json", "live/a.json", "runs/cut.json", "runs/foreign.json", "runs/folder.json"]
    ) {
      assertEquals(faults.filter((fault) => fault.includes(`${out}/${name}`)).length, 1, name);
    }
    await Deno.remove(`${out}/runs/cut.json`);
    assertEquals((await folder.look()).faults.length, 4);
  });
});

test("SweepFolder says what is in the place of its files and folders", async () => {
  await inFolder(async (out) => {
    const folder = new SweepFolder(out);
    await Deno.writeTextFile(`${out}/runs`, "");
    await Deno.symlink("sweep.json", `${out}/sweep.json`);
    assertEquals((await folder.look()).faults, [
      `Cannot read ${out}/sweep.json: its links lead in a circle`,
      `Cannot read the folder "${out}/runs": it is a file, a folder is needed`,
    ]);
    await Deno.remove(`${out}/runs`);
    assertEquals((await folder.look()).faults.length, 1);
  });
});

test("SweepFolder reads a part of many files at a time, and says how many are left", async () => {
  await inFolder(async (out) => {
    await Deno.mkdir(`${out}/runs`);
    for (let i = 0; i < 50; i++) await Deno.writeTextFile(`${out}/runs/${i}.json`, "");
    const folder = new SweepFolder(out);
    const [first, same] = await Promise.all([folder.look(), folder.look()]);
    assertEquals([first.unread, first.faults.length, same === first], [10, 40, true]);
    assertEquals([(await folder.look()).unread, (await folder.look()).faults.length], [0, 50]);
  });
});

Deno.test("thin() keeps short curves and takes means of long ones, up to the last step", () => {
  const points = Array.from({ length: 1001 }, (_, i) => ({ step: i + 1, value: i % 2 }));
  assertEquals(thin(points.slice(0, 160)), points.slice(0, 160));
  const thinned = thin(points);
  assertEquals([thinned.length, thinned[0], thinned.at(-1)], [
    143,
    { step: 7, value: 3 / 7 },
    { step: 1001, value: 3 / 7 },
  ]);
  assertEquals(thin([]), []);
});

test("findSweeps() takes the folder itself, or looks two folders deep, and waits for what isn't there", async () => {
  await inFolder(async (out) => {
    assertEquals(await findSweeps(`${out}/none`), new Map());
    assertEquals(await findSweeps(out), new Map());
    for (const path of ["b/runs", "a & <b>/deeper", "c/d/e/runs", ".hidden/runs", "empty"]) {
      await Deno.mkdir(`${out}/${path}`, { recursive: true });
    }
    await Deno.writeTextFile(`${out}/a & <b>/deeper/sweep.json`, "");
    await Deno.writeTextFile(`${out}/file`, "");
    await Deno.symlink(`${out}/b`, `${out}/link`);
    await Deno.symlink(out, `${out}/empty/loop`);
    assertEquals([...await findSweeps(out)], [
      ["a & <b>/deeper", `${out}/a & <b>/deeper`],
      ["b", `${out}/b`],
      ["link", `${out}/link`],
    ]);
    assertEquals([...await findSweeps(`${out}/b`)], [["b", `${out}/b`]]);
    assertEquals([...await findSweeps(`${out}/file`)], []);
  });
});

test("findSweeps() gives a key that can stand in a path, whatever the folder is called", async () => {
  await inFolder(async (out) => {
    await Deno.mkdir(`${out}/runs`);
    const name = out.split("/").at(-1)!;
    assertEquals([...(await findSweeps(`${out}/.`)).keys()], [name]);
    assertStringIncludes([...(await findSweeps(`${out}/../${name}`)).keys()].join(), name);
  });
});
