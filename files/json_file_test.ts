import { assertEquals, assertRejects } from "@std/assert";
import { DEEPEST, depthOf, isFile, readJsonFile, UnreadableFile } from "./json_file.ts";
import { FILES, testNeeding } from "../tests/support/test_needing.ts";
import { inFolder } from "../tests/support/in_folder.ts";

const test = testNeeding(FILES);

test("readJsonFile() gives a file's value, and undefined where there is none", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a.json`, '{"__proto__": 1, "b": [null, "}]\\\\", {}]}');
    await Deno.symlink("a.json", `${folder}/link.json`);
    for (const name of ["a.json", "link.json"]) {
      const value = await readJsonFile(`${folder}/${name}`, 100);
      assertEquals(JSON.stringify(value), '{"__proto__":1,"b":[null,"}]\\\\",{}]}');
      assertEquals(await isFile(`${folder}/${name}`), true);
    }
    for (const name of ["none.json", "a.json/b.json", "none/b.json"]) {
      assertEquals(await readJsonFile(`${folder}/${name}`, 100), undefined);
      assertEquals(await isFile(`${folder}/${name}`), false);
    }
  });
});

test("readJsonFile() refuses what is larger, deeper, no JSON, or no file, by a reason that ends a sentence", async () => {
  const nested = (depth: number) => `${'{"a":['.repeat(depth / 2)}${"]}".repeat(depth / 2)}`;
  await inFolder(async (folder) => {
    const path = `${folder}/a.json`;
    const refused = async (reason: string) => {
      const { message } = await assertRejects(() => readJsonFile(path, 1000), UnreadableFile);
      assertEquals(message, reason);
    };
    await Deno.writeTextFile(path, nested(DEEPEST));
    assertEquals(typeof await readJsonFile(path, 1000), "object");
    for (
      const [text, reason] of [
        [nested(DEEPEST + 2), "it is nested more than 100 levels deep"],
        ["[".repeat(1000), "it is nested more than 100 levels deep"],
        [" ".repeat(1001), "it has 1001 bytes, 1000 at most are needed"],
        ['{"a": 1', "it is not valid JSON"],
        ['"', "it is not valid JSON"],
        ["", "it is not valid JSON"],
      ] as const
    ) {
      await Deno.writeTextFile(path, text);
      await refused(reason);
    }
    await Deno.remove(path);
    await Deno.mkdir(path);
    await refused("it is a folder, a file is needed");
    await Deno.remove(path);
    await Deno.symlink("a.json", path);
    await refused("it is a link that leads back to itself");
  });
});

Deno.test("depthOf() counts what is open outside of strings", () => {
  const cases: [string, number][] = [
    ["3", 0],
    ["[[], [{}]]", 3],
    ['["[[[\\"[[", "\\\\", []]', 2],
    ['["', 1],
  ];
  for (const [json, depth] of cases) assertEquals(depthOf(json), depth, json);
});
