import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UserError } from "../../errors/user_error.ts";
import { fakeDone } from "../../tests/support/fakes/results.ts";
import { fakePlan } from "../../tests/support/fakes/sweep.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { digestOf } from "../../files/canonical_json.ts";
import { prepareFolder } from "../../files/write_file.ts";
import { openStore } from "./store.ts";
import { inFolder } from "../../tests/support/in_folder.ts";

const test = testNeeding(FILES);

const [first, second] = await Promise.all(
  (await fakePlan()).runs.slice(0, 2).map(({ config }) => fakeDone(config)),
);

async function storeWithTwo(out: string) {
  const store = openStore(out);
  await prepareFolder(store.folder);
  await store.put(first!);
  await store.put(second!);
  return store;
}

test("Store gives back what was put, and leaves no other files", async () => {
  await inFolder(async (out) => {
    const store = await storeWithTwo(out);
    const { results, faults } = await store.read();
    assertEquals(results.get(first!.id), first);
    assertEquals([results.size, faults.length], [2, 0]);
    assertEquals(Array.from(Deno.readDirSync(store.folder)).length, 2);
  });
});

test("Store reads runs from before the test loss was taken, and says that it is not known", async () => {
  await inFolder(async (out) => {
    const store = openStore(out);
    await prepareFolder(store.folder);
    const { testLoss: _, ...outcome } = first!.outcome, old = { ...first!, outcome };
    const text = JSON.stringify({ ...old, digest: await digestOf(old) });
    await Deno.writeTextFile(`${store.folder}/${old.id}.json`, text);
    const { results, faults } = await store.read();
    assertEquals(faults, []);
    assertEquals(results.get(old.id), { ...first!, outcome: { ...first!.outcome, testLoss: null } });
  });
});

test("Store is empty where there is no folder", async () => {
  assertEquals((await openStore("./no such folder").read()).results.size, 0);
});

test("Store names half-written, edited, foreign and misnamed files and goes on with the others", async () => {
  await inFolder(async (out) => {
    const store = await storeWithTwo(out);
    const path = `${store.folder}/${first!.id}.json`;
    const text = await Deno.readTextFile(path);
    const other = { kind: "of another kind" };
    const { digest: _, ...plain } = JSON.parse(text), odd = { ...plain, "Cannot read it: \n": 1 };
    const cases: [string, string][] = [
      [JSON.stringify({ ...other, digest: await digestOf(other) }), 'field "'],
      // A file's words stay as they are, spelled out.
      [
        JSON.stringify({ ...odd, digest: await digestOf(odd) }),
        `field "Cannot read it: \\n" is unknown`,
      ],
      [text.slice(0, 500), "it is not whole JSON"],
      ["", "it is not whole JSON"],
      [text.replace('"seed": 0', '"seed": 5'), "its digest does not fit its content"],
      [text.replace('"score": 0', '"score": 1'), "its digest does not fit its content"],
      ["[1]", "it has no digest"],
      [await Deno.readTextFile(`${store.folder}/${second!.id}.json`), `it holds run ${second!.id}`],
    ];
    for (const [content, sentence] of cases) {
      await Deno.writeTextFile(path, content);
      const { results, faults } = await store.read();
      assertEquals([...results.keys()], [second!.id]);
      assertEquals(faults.length, 1);
      assertStringIncludes(faults[0]!.sentence, `Cannot use ${path}: ${sentence}`);
    }
  });
});

test("Store.setAside() renames, and never over a file that was set aside before", async () => {
  await inFolder(async (out) => {
    const store = await storeWithTwo(out);
    const name = `${first!.id}.json`;
    for (
      const [content, target] of [["a", `${name}.broken`], ["b", `${name}.broken.2`], [
        "c",
        `${name}.broken.3`,
      ]]
    ) {
      await Deno.writeTextFile(`${store.folder}/${name}`, content!);
      assertEquals(await store.setAside((await store.read()).faults[0]!), target);
    }
    assertEquals(await Deno.readTextFile(`${store.folder}/${name}.broken`), "a");
    const { faults, setAside } = await store.read();
    assertEquals([faults.length, setAside.length], [0, 3]);
  });
});

test("Store ignores files that are not results and not meant to be", async () => {
  await inFolder(async (out) => {
    const store = await storeWithTwo(out);
    await Deno.writeTextFile(`${store.folder}/${first!.id}.json.1234.part`, "{");
    const { results, faults } = await store.read();
    assertEquals([results.size, faults.length], [2, 0]);
  });
});

test("prepareFolder() refuses a folder that can't be written, by name", async () => {
  await inFolder(async (out) => {
    await Deno.writeTextFile(`${out}/file`, "");
    const error = await assertRejects(() => prepareFolder(`${out}/file/runs`), UserError);
    assert((error as Error).message.startsWith(`Cannot write to the output folder "${out}/file/runs": `));
  });
});
